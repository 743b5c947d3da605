"""The page about a cost on an output, xent's or the user's own."""

from __future__ import annotations

import inspect
from typing import Any

from xent import texts
from xent.costs import Labels
from xent.costs.adopted import AdoptedCost
from xent.costs.base import parameters, plain
from xent.costs.smoothing import unwrapped
from xent.explaining.derivations import derivation, pair_name
from xent.explaining.parts import Fact, Page, Plot, Section
from xent.explaining.samples import badly_wrong, numbers_of, sample_names, samples_of
from xent.explaining.saying import GREEK, code_of, formula_of, number, signs, stored
from xent.outputs import Output, catalogue, curves
from xent.outputs.own import own_kinds
from xent.outputs.registry import ACTIVATIONS, COSTS
from xent.texts.formulas import Formula


def of_output(shown: Output, language: str) -> Page:
    """The page about a cost of xent's on one of its activations."""
    words = texts.page("explain", language)
    of_cost = words["costs"][shown.cost.name]
    told = words["pairs"].get(pair_name(shown), {})
    own = of_cost | {"wrong": _generic(shown, words)} | (told if _as_told(shown) else {})
    numbers = numbers_of(shown)
    sections = [Section(id, words["words"][id], own[id].format(**numbers)) for id in ("wrong", "use", "avoid")]
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
        derivation=derivation(shown, language),
        samples=samples_of(shown),
        sections=tuple(sections),
        others=badly_wrong(o for o in catalogue() if o.cost.name == shown.cost.name and pair_name(o) != pair_name(shown)),
        code=code_of(pair_name(shown), {f.name: plain(getattr(shown.cost, f.name)) for f in parameters(type(shown.cost))}, words),
        source=own["source"],
    )


def is_known(shown: Output) -> bool:
    """Whether there are texts about this cost on this activation."""
    return type(unwrapped(shown.cost)) in COSTS.values() and type(shown.activation) in ACTIVATIONS.values()


def of_own(shown: Output, language: str) -> Page:
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
        samples=samples_of(shown),
        sections=(Section("wrong", words["words"]["wrong"], _generic(shown, words).format(**numbers_of(shown))),),
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


def _cost_formulas(shown: Output) -> tuple[Formula, ...]:
    keys, inner = stored("derivations"), unwrapped(shown.cost)
    names = (pair_name(shown), f"{inner.name}@{shown.activation}", inner.name)
    own = formula_of(next(keys["costs"][name] for name in names if name in keys["costs"]))
    return (own,) if inner is shown.cost else (formula_of(keys["smoothed"][shown.activation.name]["formula"]), own)


def _facts(shown: Output, soft: str, words: dict[str, Any]) -> tuple[Fact, ...]:
    said, kinds = words["words"], words["targets"]
    allowed = shown.cost.targets_on(shown.activation)
    if shown.activation.vector:
        targets = kinds["classes"]
    elif isinstance(allowed, Labels):
        targets = kinds["labels"].format(values=signs(allowed))
    else:
        targets = kinds["numbers"].format(interval=signs(allowed))
    given = ", ".join(f"{GREEK.get(f.name, f.name)} = {plain(getattr(shown.cost, f.name))}" for f in parameters(type(shown.cost)))
    found = {"parameters": given, "domain": signs(shown.activation.range), "targets": targets, "soft": soft}
    return tuple(Fact(id, said[id], value) for id, value in found.items() if value)


def _gain_plot(shown: Output, words: dict[str, Any]) -> Plot:
    along = curves.curve(shown, curves.wrongest(shown), points=101)
    linear = along.axis == "z" or (along.axis == "a" and not shown.activation.squashed)
    note = "class" if along.axis == "p" else "distance" if linear else "low"
    axes = words["axes"]
    return Plot(words["words"]["curve"], axes[along.axis], axes[note].format(y=number(along.target)), along.x, along.gain)


def _as_told(shown: Output) -> bool:
    """Whether the texts about this pair fit its parameters: at 0 they switch off what the text is about."""
    return all(getattr(shown.cost, f.name) != 0 for f in parameters(type(shown.cost)))


def _generic(shown: Output, words: dict[str, Any]) -> str:
    """What happens when badly wrong, in words that fit every cost."""
    names = sample_names(shown)
    return str(words["generic"]["wrong_input" if "m4" in names else "wrong_linear" if "098" in names else "wrong"])
