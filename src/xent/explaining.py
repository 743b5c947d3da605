"""The pages of `xent explain`: texts, formulas and numbers about one cost on an output or one activation, as data.

Stands on `outputs`, which computes the numbers, and on `texts`, which has the words, the formulas and the order of the derivations;
the command, and whoever else shows a page, only prints what stands here.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float

from xent import texts
from xent.activations import Activation
from xent.costs import Cost, Labels, Smooth
from xent.costs.adopted import AdoptedCost
from xent.costs.base import parameters, plain
from xent.costs.smoothing import unwrapped
from xent.errors import UnknownNameError
from xent.outputs import Output, catalogue, curves, output
from xent.outputs.naming import MEANT
from xent.outputs.own import own_kinds
from xent.outputs.registry import ACTIVATIONS, COSTS
from xent.outputs.smoothed import Smoothed
from xent.texts.formulas import Formula, formula, formulas

BADLY = 0.98
"""The error that counts as badly wrong: the article's second start."""

NAMES = {
    "a": ("50", "90", "98", "999"),
    "p": ("50", "90", "98", "999"),
    "s": ("50", "90", "98", "999"),
    "distance": ("098", "10", "100"),
    "z": ("m4", "0", "4"),
}
"""What the samples of an output are called in the texts."""


@dataclass(frozen=True)
class Line:
    """One line of a derivation."""

    formula: Formula
    reason: str


@dataclass(frozen=True)
class Fact:
    """A property in few words: parameters, domain, targets."""

    id: str
    name: str
    value: str


@dataclass(frozen=True)
class Plot:
    """One curve, with the words that stand around it."""

    title: str
    x_label: str
    note: str
    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Sample:
    """What an output makes of one error."""

    answer: float
    error: float
    cost: float
    delta: float
    gain: float


@dataclass(frozen=True)
class Section:
    """A heading and a paragraph in light markup."""

    id: str
    title: str
    body: str


@dataclass(frozen=True)
class Code:
    """What it is called in a library, if it has a name there, one line that computes it, and what to know about it."""

    library: str
    name: str
    line: str
    note: str


@dataclass(frozen=True)
class Page:
    """All that there is to say of a cost on an output, or of an activation; `subject` is what it is about.

    `axis` is what its answers are read along, as in `outputs.curves`.
    `others` are (name, gain when badly wrong): the same cost on other outputs, or the costs that go with an activation.
    """

    name: str
    subject: Output | Activation
    language: str
    title: str
    aka: str
    idea: str
    formulas: tuple[Formula, ...]
    facts: tuple[Fact, ...]
    axis: str
    plot: Plot
    derivation: tuple[Line, ...]
    samples: tuple[Sample, ...]
    sections: tuple[Section, ...]
    others: tuple[tuple[str, float], ...]
    code: tuple[Code, ...]
    source: str

    def data(self) -> dict[str, Any]:
        """The page as plain data, each formula as text, LaTeX and MathML."""
        written = {name: getattr(self, name) for name in ("name", "language", "title", "aka", "idea", "axis", "source")}
        plot = {"title": self.plot.title, "x_label": self.plot.x_label, "note": self.plot.note}
        return written | {
            "subject": "output" if isinstance(self.subject, Output) else "activation",
            "formulas": [self._written(f) for f in self.formulas],
            **{fact.id: fact.value for fact in self.facts},
            "plot": plot | {"x": self.plot.x.tolist(), "y": self.plot.y.tolist()},
            "derivation": [self._written(line.formula) | {"reason": line.reason} for line in self.derivation],
            "samples": [asdict(sample) for sample in self.samples],
            "sections": [asdict(section) for section in self.sections],
            "others": [{"name": name, "gain": gain} for name, gain in self.others],
            "code": [asdict(code) for code in self.code],
        }

    def _written(self, f: Formula) -> dict[str, str]:
        of = self.language
        return {"key": f.key, "text": f.text(of), "latex": f.latex(of), "mathml": f.mathml(of)}


def page(name: str | Output, language: str = "en") -> Page:
    """The page about a cost, an activation or a pair; a bare cost takes its usual output.

    An output with a cost of one's own has a page too: what is computed, beside its class's docstring.

    Raises UnknownNameError for a name that is neither, PairError for a cost and an activation that do not belong together.

    >>> shown = page("focal")
    >>> shown.name, shown.formulas[0].text()
    ('focal(gamma=2)@softmax', 'L = −(1 − p_y)^γ log p_y')
    >>> print(page("tanh").formulas[1].text())
    tanh′(z) = 1 − tanh² z = 1 − a²
    """
    if isinstance(name, Output):
        return _of_output(name, language) if _is_known(name) else _of_own(name, language)
    plain_name = name.strip().lower().replace("_", "-").replace(" ", "-")
    if plain_name in ACTIVATIONS:
        return _of_activation(ACTIVATIONS[plain_name](), language)
    bare = re.fullmatch(r"[\w-]+", plain_name) is not None
    if bare and plain_name not in COSTS:
        known = {**COSTS, **ACTIVATIONS}
        meant = MEANT.get(plain_name) or _called(name)
        raise UnknownNameError("cost or activation", name.strip(), known, [meant] if meant else [])
    if bare and any(f.type == "Cost" for f in parameters(COSTS[plain_name])):  # what wraps a cost has no usual one
        return _of_output(next(o for o in catalogue() if o.cost.name == plain_name), language)
    return _of_output(output(name), language)


def _called(name: str) -> str | None:
    """What has this title, or is also called so, in any language.

    >>> _called("交叉熵"), _called("Focal loss")
    ('cross-entropy', 'focal')
    """
    pages = [texts.page("explain", language) for language in texts.LANGUAGES]
    told = [entry for page in pages for kind in ("costs", "activations") for entry in page[kind].items()]
    called = [(name, each) for name, words in told for each in re.split("[,;，；、]", f"{words['title']},{words.get('aka', '')}")]
    return next((of for of, each in called if each.strip().casefold() == name.strip().casefold()), None)


def contents(language: str = "en") -> list[tuple[str, str]]:
    """Every name that has a page, with its title: the pairs of the catalogue, then the activations.

    >>> contents()[0], contents()[-1]
    (('quadratic@sigmoid', 'The quadratic cost'), ('relu', 'ReLU'))
    """
    words = texts.page("explain", language)
    pairs = [(str(o), words["costs"][o.cost.name]["title"]) for o in catalogue()]
    return pairs + [(name, words["activations"][name]["title"]) for name in ACTIVATIONS]


# ── a cost on an output ───────────────────────────────────────────────────────────────────────────────────────────────────


def _of_output(shown: Output, language: str) -> Page:
    words = texts.page("explain", language)
    of_cost = words["costs"][shown.cost.name]
    told = words["pairs"].get(_key(shown), {})
    own = of_cost | {"wrong": _generic(shown, words)} | (told if _as_told(shown) else {})
    values = _values(shown)
    sections = [Section(id, words["words"][id], own[id].format(**values)) for id in ("wrong", "use", "avoid")]
    lines = derivation(shown, language)
    return Page(
        name=str(shown),
        subject=shown,
        language=language,
        title=own["title"],
        aka=own["aka"],
        idea=own["idea"],
        formulas=_cost_formulas(shown),
        facts=_facts(shown, own["soft"], words),
        axis=curves.axis(shown),
        plot=_gain_plot(shown, words),
        derivation=lines,
        samples=_samples(shown),
        sections=tuple(sections),
        others=_badly_wrong(o for o in catalogue() if o.cost.name == shown.cost.name and _key(o) != _key(shown)),
        code=_code(_key(shown), {f.name: plain(getattr(shown.cost, f.name)) for f in parameters(type(shown.cost))}, words),
        source=own["source"],
    )


def _is_known(shown: Output) -> bool:
    """Whether there are texts about this cost on this activation."""
    return type(unwrapped(shown.cost)) in COSTS.values() and type(shown.activation) in ACTIVATIONS.values()


def _of_own(shown: Output, language: str) -> Page:
    """The page about a cost or an activation of the user's own: no formulas, since xent has only its code."""
    words = texts.page("explain", language)
    kind = _kind(shown)
    inner = unwrapped(shown.cost)
    mine = isinstance(inner, AdoptedCost) or (inspect.isclass(kind) and isinstance(inner, kind))
    return Page(
        name=str(shown),
        subject=shown,
        language=language,
        title=(inner.name if inner is shown.cost else str(shown.cost)) if mine else str(shown),
        aka=words["words"]["own" if mine else "own_output"],
        idea=described(shown, language),
        formulas=(),
        facts=_facts(shown, "", words),
        axis=curves.axis(shown),
        plot=_gain_plot(shown, words),
        derivation=derivation(Output(shown.cost, shown.activation), language),
        samples=_samples(shown),
        sections=(Section("wrong", words["words"]["wrong"], _generic(shown, words).format(**_values(shown))),),
        others=(),
        code=(),
        source=f"{kind.__module__.removeprefix('_checked_')}.{kind.__qualname__}",
    )


def described(shown: Output, language: str = "en") -> str:
    """What a cost of the user's own says of itself: the first paragraph of its class's docstring."""
    kind = _kind(shown)
    told = inspect.cleandoc(kind.__doc__ or "")
    if not told or told.startswith(f"{kind.__name__}("):  # what a dataclass writes for itself
        told = texts.page("explain", language)["words"]["undescribed"]
    return told.partition("\n\n")[0].replace("\n", " ")


def _kind(shown: Output) -> Any:
    """The user's own class, or function, that an output is made of: its cost's, or else the output's or the activation's."""
    inner = unwrapped(shown.cost)
    own = own_kinds(shown)
    thing = getattr(inner, "own", inner)
    first = thing if inspect.isfunction(thing) else type(thing)
    return first if first in own or not own else own[0]


def derivation(shown: Output, language: str = "en") -> tuple[Line, ...]:
    """From the cost and the activation to δ and the gain, line by line.

    >>> for line in derivation(output("quadratic@sigmoid"))[-2:]:
    ...     print(line.formula.text())
    δ = ∂C/∂a · σ′(z) = (a − y) · a(1 − a)
    gain = δ/(a − y) = a(1 − a)
    """
    reasons, stored = texts.page("explain", language)["reasons"], _stored("derivations")
    steps = _steps(shown.beneath if isinstance(shown, Smoothed) else shown, _key(shown), stored)
    if isinstance(shown, Smoothed):
        steps = [stored["smoothed"][shown.activation.name], *steps]
    lines = []
    for step in steps:
        found = _formula(step["formula"].format(cost=shown.cost.name.replace("-", "_")))
        lines.append(Line(found.also("gain") if step.get("gain") else found, reasons[step["why"]]))
    return tuple(lines)


def _steps(shown: Output, key: str, stored: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps under the pair's own name, those of every φ(ℓ), or those that hold for all."""
    pairs, activation = stored["pairs"], shown.activation
    if key in pairs:
        return list(pairs[key])
    smoothed, cost = key.startswith("smooth("), shown.cost.name
    if not smoothed and f"{cost.replace('-', '_')}_phi" in formulas() and f"surprisal@{activation}" in pairs:
        return list(pairs[f"surprisal@{activation}"])
    if smoothed and cost in ("cross-entropy", "quadratic"):  # their steps hold for soft targets too
        return list(pairs[f"{cost}@{activation}"])
    return list(stored["general"]["softmax" if activation.vector else "elementwise"])


def _key(shown: Output) -> str:
    """The pair's name without parameters, but with the cost that is wrapped."""
    cost: Cost = shown.cost
    name = f"smooth({cost.cost.name})" if isinstance(cost, Smooth) else cost.name
    return f"{name}@{shown.activation}"


def _cost_formulas(shown: Output) -> tuple[Formula, ...]:
    stored, key = _stored("derivations"), _key(shown)
    inner = unwrapped(shown.cost)
    names = (key, f"{inner.name}@{shown.activation}", inner.name)
    own = _formula(next(stored["costs"][name] for name in names if name in stored["costs"]))
    return (own,) if inner is shown.cost else (_formula(stored["smoothed"][shown.activation.name]["formula"]), own)


def _facts(shown: Output, soft: str, words: dict[str, Any]) -> tuple[Fact, ...]:
    said, kinds = words["words"], words["targets"]
    allowed = shown.cost.targets_on(shown.activation)
    if shown.activation.vector:
        targets = kinds["classes"]
    elif isinstance(allowed, Labels):
        targets = kinds["labels"].format(values=_signs(allowed))
    else:
        targets = kinds["numbers"].format(interval=_signs(allowed))
    given = ", ".join(f"{GREEK.get(f.name, f.name)} = {plain(getattr(shown.cost, f.name))}" for f in parameters(type(shown.cost)))
    found = {"parameters": given, "domain": _signs(shown.activation.range), "targets": targets, "soft": soft}
    return tuple(Fact(id, said[id], value) for id, value in found.items() if value)


def _gain_plot(shown: Output, words: dict[str, Any]) -> Plot:
    along = curves.curve(shown, curves.wrongest(shown), points=101)
    linear = along.axis == "z" or (along.axis == "a" and not shown.activation.squashed)
    note = "class" if along.axis == "p" else "distance" if linear else "low"
    axes = words["axes"]
    return Plot(words["words"]["curve"], axes[along.axis], axes[note].format(y=number(along.target)), along.x, along.gain)


def _samples(shown: Output) -> tuple[Sample, ...]:
    at = curves.samples(shown)
    columns = (at.x, np.abs(at.error), at.cost, np.abs(at.delta), at.gain)
    return tuple(Sample(*map(float, row)) for row in zip(*columns, strict=True))


def _values(shown: Output) -> dict[str, str]:
    """The numbers that a text may name, as words."""
    found = {"target": number(curves.wrongest(shown))}
    for name, sample in zip(_sample_names(shown), _samples(shown), strict=True):
        for quantity in ("cost", "delta", "gain"):
            found[f"{quantity}_{name}"] = number(getattr(sample, quantity))
    return found


def _sample_names(shown: Output) -> tuple[str, ...]:
    axis = curves.axis(shown)
    return NAMES["distance" if axis == "a" and not shown.activation.squashed else axis]


def _as_told(shown: Output) -> bool:
    """Whether the texts about this pair fit its parameters: at 0 they switch off what the text is about."""
    return all(getattr(shown.cost, f.name) != 0 for f in parameters(type(shown.cost)))


def _generic(shown: Output, words: dict[str, Any]) -> str:
    names = _sample_names(shown)
    return str(words["generic"]["wrong_input" if "m4" in names else "wrong_linear" if "098" in names else "wrong"])


def _badly_wrong(shown: Any) -> tuple[tuple[str, float], ...]:
    """The gain of each output at an error of 0.98 of its range, or at a distance of 0.98."""
    return tuple((str(o), _samples(o)[[*map(int, _sample_names(o))].index(98)].gain) for o in shown)


# ── an activation ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_activation(shown: Activation, language: str) -> Page:
    words = texts.page("explain", language)
    own, said = words["activations"][shown.name], words["words"]
    x = np.linspace(0.0, 1.0, 101) if shown.vector else np.linspace(-8.0, 8.0, 101)
    plot = Plot(said["slope"], words["axes"]["own" if shown.vector else "z"], "", x, slope(shown, x))
    places = {"0": 0.5, "4": BADLY} if shown.vector else {"m4": -4.0, "0": 0.0, "4": 4.0, "8": 8.0}
    values = {f"slope_{name}": number(float(slope(shown, np.asarray([at]))[0])) for name, at in places.items()}
    sections = [Section(id, said[id], own[id].format(far=BADLY, **values)) for id in ("saturates", "use", "avoid")]
    return Page(
        name=shown.name,
        subject=shown,
        language=language,
        title=own["title"],
        aka=own["aka"],
        idea=own["idea"],
        formulas=tuple(_formula(key) for key in _stored("derivations")["activations"][shown.name]),
        facts=(Fact("range", said["range"], _signs(shown.range)),),
        axis="p" if shown.vector else "z",
        plot=plot,
        derivation=(),
        samples=(),
        sections=tuple(sections),
        others=_badly_wrong(o for o in catalogue() if o.activation.name == shown.name),
        code=_code(shown.name, {}, words),
        source=own["source"],
    )


def slope(shown: Activation, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """σ′ at the weighted inputs x; of a softmax the slope of a class by its own logit, at the probabilities x.

    >>> slope(ACTIVATIONS["sigmoid"](), np.asarray([0.0]))
    array([0.25])
    """
    if not shown.vector:
        return np.asarray(shown.pullback(shown(x), np.ones_like(x)))
    p = np.stack([x, 1 - x], axis=-1)
    return np.asarray(shown.pullback(p, np.asarray([1.0, 0.0]) * np.ones_like(p))[..., 0])


# ── between the two ───────────────────────────────────────────────────────────────────────────────────────────────────────

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "epsilon": "ε"}


def number(x: float) -> str:
    """A number as a sentence says it.

    >>> number(0.0196), number(1.0), number(0.000999), number(1000.4)
    ('0.0196', '1', '0.000999', '1000')
    """
    if not np.isfinite(x):
        return {"inf": "∞", "-inf": "−∞"}.get(str(float(x)), "–")
    rounded = float(f"{x:.3g}") if abs(x) < 100 else float(round(x))
    return np.format_float_positional(rounded + 0.0, trim="-").replace("-", "−")


def _signs(numbers: object) -> str:
    """An interval or labels with minus signs in place of hyphens."""
    return str(numbers).replace("-", "−")


def _formula(key: str) -> Formula:
    """A formula with *a* for the answer throughout: on these pages ŷ has no other name."""
    return formula(key).lettered(a="a")


def _code(key: str, given: dict[str, str], words: dict[str, Any]) -> tuple[Code, ...]:
    """How other libraries compute it: nothing for what they do not have."""
    entry = _stored("libraries").get(key, {})
    said = words["libraries"]
    remarks = [said.get(key, ""), said["hard"] if entry.get("hard") else ""]
    notes = {"torch": said["between"].join(filter(None, remarks)), "scikit": said["penalty"] if entry.get("penalty") else ""}
    names = {"torch": "PyTorch", "scikit": "scikit-learn"}
    return tuple(Code(names[of], entry.get(f"{of}_name", ""), entry[of].format(**given), notes[of]) for of in names if of in entry)


@cache
def _stored(name: str) -> dict[str, Any]:
    return tomllib.loads((files("xent.texts") / f"{name}.toml").read_text(encoding="utf-8"))
