"""What the library says to a page: settings in, numbers and sentences out. No maths of its own; every number is the library's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from xent import explaining, texts
from xent.activations import Activation
from xent.costs import Cost
from xent.costs.base import parameters
from xent.errors import UnknownNameError, XentError
from xent.lab import asked
from xent.lab.asked import Asked
from xent.lab.looks import looks
from xent.lab.telling import sentences
from xent.neuron import Neuron, Run
from xent.outputs import Output, curves

DIALS: dict[str, tuple[float, float]] = {
    "gamma": (0.0, 5.0), "q": (0.05, 1.0), "alpha": (0.0, 2.0), "beta": (0.0, 2.0), "A": (-8.0, -0.5), "k": (1.0, 30.0),
    "M": (1.0, 30.0),
}  # fmt: skip
"""How far the slider of a parameter goes; ε is a share of the target in smoothing, a weight in poly."""

EPSILON = {"smooth": (0.0, 0.5), "poly": (-1.0, 5.0)}

NEAR, FAR = 6.0, 30.0
"""The sigmoid is shown at least so far to either side, and at most."""


def answer(ask: str, settings: Asked) -> dict[str, Any]:
    """What a page asked, answered.

    >>> answer("neuron", {"steps": "300"})["runs"][0]["a"][-1].round(4)
    np.float64(0.2028)
    """
    if ask not in ANSWERS:
        raise UnknownNameError("question", str(ask)[:40], ANSWERS)
    with np.errstate(all="ignore"):
        return ANSWERS[ask](settings)


def language(settings: Asked) -> str:
    """The language asked for."""
    return asked.choice(settings, "lang", texts.LANGUAGES)


# ── the neuron ────────────────────────────────────────────────────────────────────────────────────────────────────────


def neuron(settings: Asked) -> dict[str, Any]:
    """Every run with its sentences, the activations to draw beneath them, and where the neurons start."""
    wanted, spoken = asked.NeuronAsked.of(settings), language(settings)
    runs, problems = [], []
    for side, (label, look) in enumerate(zip(wanted.labels, looks(wanted.outputs), strict=True)):
        try:
            run = wanted.run(side)
        except XentError as error:
            problems.append({"label": label, "message": str(error)})
            continue
        runs.append({"label": label, "look": look, "output": str(run.output), **_told(run, spoken)})
    first = wanted.starts[0]
    reach = max([NEAR, *(float(np.max(np.abs(run["z"][np.isfinite(run["z"])]), initial=0)) for run in runs)])
    shown = {one.activation.name: one.activation for one in wanted.outputs}
    return {
        "runs": runs,
        "problems": problems,
        "steps": wanted.steps,
        "start": {"w": float(first.w), "b": float(first.b)},
        "activations": [_curve(one, min(reach * 1.08, FAR)) for one in shown.values()],
    }


def _told(run: Run, spoken: str) -> dict[str, Any]:
    y = np.full(run.z.shape, float(run.y))
    parts = {name: np.asarray(getattr(run, name), dtype=np.float64) for name in ("w", "b", "z", "a", "cost", "delta", "gain")}
    return {
        **parts,
        "error": np.asarray(run.output.error(run.z, y)),
        "slope": np.asarray(run.output.activation.pullback(parts["a"], np.ones_like(parts["a"]))),
        "activation": run.output.activation.name,
        "target": float(run.y),
        "rate": run.rate,
        "learned": run.steps_to_learn(),
        "stalled": int(np.count_nonzero(np.asarray(run.output.stalled(run.z, y)))),
        "says": sentences(run, spoken),
    }


def _curve(one: Activation, reach: float) -> dict[str, Any]:
    z = np.linspace(-reach, reach, 241)
    return {"name": one.name, "z": z, "a": np.asarray(one(z)), "low": one.range.low, "high": one.range.high}


def start(settings: Asked) -> dict[str, Any]:
    """A start drawn as the article draws it."""
    drawn = Neuron.random(seed=asked.whole(settings, "seed", 0, 0, 10**9))
    return {"w": float(drawn.w), "b": float(drawn.b)}


# ── the costs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def costs(settings: Asked) -> dict[str, Any]:
    """The curves of every output, with the dials of its parameters."""
    wanted = asked.CostsAsked.of(settings)
    shown: list[dict[str, Any]] = []
    for side, (label, one, look) in enumerate(zip(wanted.labels, wanted.outputs, looks(wanted.outputs), strict=True)):
        entry = {"label": label, "output": str(one), "look": look, **_dials(one)}
        try:
            curve = wanted.curve(side)
        except XentError as error:
            shown.append(entry | {"problem": str(error)})
            continue
        parts = {part: np.asarray(getattr(curve, part), dtype=np.float64) for part in ("x", "cost", "slope", "delta", "gain")}
        shown.append(entry | parts | {"axis": curve.axis, "target": curve.target})
    return {"outputs": shown}


def _dials(one: Output) -> dict[str, Any]:
    """The output's name with a number in braces for each parameter, and what each is and how far it goes."""
    dials: list[dict[str, Any]] = []
    name = _template(one.cost, dials)
    return {"template": f"{name}@{one.activation}", "dials": dials}


def _template(cost: Cost, dials: list[dict[str, Any]]) -> str:
    given = []
    for field in parameters(type(cost)):
        value = getattr(cost, field.name)
        if isinstance(value, Cost):
            given.append(_template(value, dials))
            continue
        low, high = DIALS.get(field.name) or EPSILON[cost.name]
        given.append(f"{field.name}={{{len(dials)}}}")
        name = explaining.GREEK.get(field.name, field.name)
        dials.append({"name": name, "cost": cost.name, "value": value, "low": min(low, value), "high": max(high, value)})
    return f"{cost.name}({', '.join(given)})" if given else cost.name


@lru_cache(maxsize=256)
def _page(name: str, spoken: str) -> dict[str, Any]:
    from xent.report.prose import Prose

    page = explaining.page(name, spoken)
    data = page.data()
    for entry in (*data["sections"], data):
        key = "body" if "body" in entry else "idea"
        entry[key] = str(Prose.typeset(entry[key]))
    for line in data["derivation"]:
        line["reason"] = str(Prose.typeset(line["reason"]))
    for code in data["code"]:
        code["note"] = str(Prose.typeset(code["note"]))
    data["facts"] = [{"name": fact.name, "value": fact.value} for fact in page.facts]
    return data


def explain(settings: Asked) -> dict[str, Any]:
    """The page of `xent explain` about one output, its words as HTML, and code that computes it, to run as it stands."""
    name = str(settings.get("output", ""))[: asked.MOST_LETTERS]
    shown = asked.outputs({"outputs": name})[0]
    page = _page(str(shown), language(settings))
    ours = [
        {"library": "NumPy", "name": "xent", "line": _numpy(shown), "note": ""},
        {"library": "PyTorch", "name": "xent.torch.Criterion", "line": _criterion(shown), "note": ""},
    ]
    theirs = [code | {"line": THEIRS[code["library"]](shown, code["line"])} for code in page["code"]]
    return {**page, "code": ours + theirs}


def _numpy(shown: Output) -> str:
    """The output on NumPy arrays, at two samples."""
    z, y = _samples(shown)
    return "\n".join([
        "import numpy as np", "import xent", "", f"z, y = np.asarray({z}), np.asarray({y})", f'output = xent.output("{shown}")',
        "print(output.value(z, y), output.delta(z, y), output.gain(z, y))",
    ])  # fmt: skip


def _criterion(shown: Output) -> str:
    """The same as a criterion of PyTorch."""
    z, y = _samples(shown)
    return "\n".join([
        "import torch", "import xent.torch", "", f"z, y = torch.tensor({z}, requires_grad=True), torch.tensor({y})",
        f'cost = xent.torch.Criterion("{shown}", reduction="none")(z, y)', *DELTA,
    ])  # fmt: skip


def _pytorch(shown: Output, line: str) -> str:
    """The same by PyTorch's own functions."""
    z, y = _samples(shown)
    return "\n".join([
        "import torch", "from torch.nn import functional as F", "",
        f"z, y = torch.tensor({z}, requires_grad=True), torch.tensor({y})", f"cost = {line}", *DELTA,
    ])  # fmt: skip


def _scikit(shown: Output, line: str) -> str:
    """The model of scikit-learn that learns with this cost."""
    return f"import {line.partition('(')[0].rpartition('.')[0]}\n\nmodel = {line}"


DELTA = ("cost.sum().backward()", "print(cost.detach(), z.grad)  # C and δ")
THEIRS = {"PyTorch": _pytorch, "scikit-learn": _scikit}
"""How a line of another library becomes code that runs."""


def _samples(shown: Output) -> tuple[str, str]:
    """Inputs and targets for an example: two samples, one of them wrong."""
    if shown.activation.vector:
        return "[[2.0, 1.0, -0.5], [0.0, 3.0, 1.0]]", "[1, 1]"
    return "[2.0, 2.0]", str([*curves.hard_targets(shown)])


# ── the stall map ─────────────────────────────────────────────────────────────────────────────────────────────────────


def stalls(settings: Asked) -> dict[str, Any]:
    """For every start of a plane the step at which it had learned, −1 for never; one map an output."""
    found = asked.MapAsked.of(settings).map()
    sweeps = found.sweeps.items()
    return {
        "plane": found.plane,
        "x": found.x,
        "horizontal": np.asarray(found.horizontal, dtype=np.float64),
        "vertical": np.asarray(found.vertical, dtype=np.float64),
        "steps": next(iter(found.sweeps.values())).steps,
        "maps": [
            {
                "label": label,
                "output": str(sweep.output),
                "never": found.never(label),
                "median": found.median(label),
                "learned": np.asarray(sweep.steps_to_learn, dtype=np.int32),
                "a": _of_one_number(sweep.a),
            }
            for label, sweep in sweeps
        ],
    }


def _of_one_number(a: Any) -> Float[np.ndarray, "v h"]:
    """The last answers, in half the digits: they are only read out."""
    return np.asarray(a, dtype=np.float32)


ANSWERS: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "neuron": neuron,
    "start": start,
    "costs": costs,
    "explain": explain,
    "map": stalls,
}
