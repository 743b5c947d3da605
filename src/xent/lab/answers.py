"""What the library says to a page: settings in, numbers and sentences out. No maths of its own; every number is the library's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from xent import explaining
from xent.activations import Activation
from xent.arrays import asked as asked_of
from xent.costs import Cost
from xent.costs.base import parameters
from xent.errors import UnknownNameError, XentError
from xent.lab import asked, examples, values
from xent.lab.looks import looks
from xent.lab.own import NONE, Own, is_number
from xent.lab.telling import sentences
from xent.lab.values import Asked
from xent.neuron import Neuron, Run, tables
from xent.outputs import Output
from xent.outputs.own import is_own
from xent.owned import blamed, undefined

DIALS: dict[str, tuple[float, float]] = {
    "gamma": (0.0, 5.0), "q": (0.05, 1.0), "alpha": (0.0, 2.0), "beta": (0.0, 2.0), "A": (-8.0, -0.5), "k": (1.0, 30.0),
    "M": (1.0, 30.0),
}  # fmt: skip
"""How far the slider of a parameter goes; ε is a share of the target in smoothing, a weight in poly."""

EPSILON = {"smooth": (0.0, 0.5), "poly": (-1.0, 5.0)}

NEAR, FAR = 6.0, 30.0
"""The sigmoid is shown at least so far to either side, and at most."""


def answer(ask: str, settings: Asked, own: Own = NONE) -> dict[str, Any]:
    """What a page asked, answered; `own` are the user's own costs that pages may ask for.

    >>> answer("neuron", {"steps": "300"})["runs"][0]["a"][-1].round(4)
    np.float64(0.2028)
    """
    if ask not in ANSWERS:
        raise UnknownNameError("question", str(ask)[:40], ANSWERS)
    with np.errstate(all="ignore"):
        return ANSWERS[ask](settings, own)


# ── the neuron ────────────────────────────────────────────────────────────────────────────────────────────────────────


def neuron(settings: Asked, own: Own = NONE) -> dict[str, Any]:
    """Every run with its sentences, the activations to draw beneath them, and where the neurons start."""
    listed = values.Listed.of(settings, own)
    wanted, spoken = asked.NeuronAsked.of(listed.settings(settings), own), values.language(settings)
    runs, problems = [], [*listed.problems, *own.notes(wanted.outputs, spoken)]
    for side, (label, look) in enumerate(zip(tables.labels(wanted.outputs), looks(wanted.outputs), strict=True)):
        try:
            run = wanted.run(side)
            with blamed([run.output], spoken):
                runs.append({"label": label, "look": look, "output": own.name(run.output), **_told(run, spoken)})
        except XentError as error:
            problems.append(str(error))
            continue
        if is_own(run.output):
            problems += undefined(run.output, {"cost": run.cost, "delta": run.delta}, "z", run.z, spoken)
    first = wanted.starts[0]
    reach = max([NEAR, *(float(np.max(np.abs(run["z"][np.isfinite(run["z"])]), initial=0)) for run in runs)])
    shown = {one.activation.name: one.activation for one in wanted.outputs}
    return {
        "outputs": listed.spread([*map(own.name, wanted.outputs)]),
        "runs": runs,
        "problems": problems,
        "steps": wanted.steps,
        "start": {"w": float(first.w), "b": float(first.b)},
        "activations": [curve for one in shown.values() for curve in _curve(one, min(reach * 1.08, FAR))],
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


def _curve(one: Activation, reach: float) -> list[dict[str, Any]]:
    """The curve to draw; none of an activation of the user's own that raises here, as it is said already."""
    z = np.linspace(-reach, reach, 241)
    try:
        return [{"name": one.name, "z": z, "a": np.asarray(asked_of(one, z)), "low": one.range.low, "high": one.range.high}]
    except Exception:
        return []


def start(settings: Asked, own: Own = NONE) -> dict[str, Any]:
    """A start drawn as the article draws it."""
    drawn = Neuron.random(seed=values.whole(settings, "seed", 0, 0, 10**9))
    return {"w": float(drawn.w), "b": float(drawn.b)}


# ── the costs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def costs(settings: Asked, own: Own = NONE) -> dict[str, Any]:
    """The curves of every output, with the dials of its parameters."""
    listed = values.Listed.of(settings, own)
    wanted = asked.CostsAsked.of(listed.settings(settings), own)
    shown: list[dict[str, Any]] = []
    problems = [*listed.problems, *own.notes(wanted.outputs, wanted.language)]
    for side, (label, one, look) in enumerate(
        zip(tables.labels(wanted.outputs), wanted.outputs, looks(wanted.outputs), strict=True)
    ):
        entry = {"label": label, "output": own.name(one), "look": look, **_dials(one, own)}
        try:
            curve = wanted.curve(side)
        except XentError as error:
            problems.append(str(error) if label in str(error) else f"{label}: {error}")
            shown.append(entry)
            continue
        if is_own(one):
            seen = {"cost": curve.cost, "slope": curve.slope, "delta": curve.delta}
            problems += undefined(one, seen, curve.axis, curve.x, wanted.language)
        parts = {part: np.asarray(getattr(curve, part), dtype=np.float64) for part in ("x", "cost", "slope", "delta", "gain")}
        shown.append(entry | parts | {"axis": curve.axis, "target": curve.target})
    return {"outputs": listed.spread(shown, lambda name: {"output": name, "template": name, "dials": []}), "problems": problems}


def _dials(one: Output, own: Own) -> dict[str, Any]:
    """The output's name with a number in braces for each parameter, and what each is and how far it goes."""
    dials: list[dict[str, Any]] = []
    mine = own.behind(one)
    name = mine.name if mine and mine.whole else f"{_template(one.cost, dials, own)}@{one.activation}"
    return {"template": name, "dials": dials}


def _template(cost: Cost, dials: list[dict[str, Any]], own: Own) -> str:
    mine = own.made_of(cost)
    name, given = mine.name if mine else cost.name, []
    values = {field.name: getattr(cost, field.name) for field in parameters(type(cost))}
    if mine and not all(map(is_number, values.values())):
        return name
    for parameter, value in values.items():
        if isinstance(value, Cost):
            given.append(_template(value, dials, own))
            continue
        low, high = (DIALS.get(parameter) or EPSILON[cost.name]) if mine is None else _reach(value)
        given.append(f"{parameter}={{{len(dials)}}}")
        greek = explaining.GREEK.get(parameter, parameter)
        dials.append({"name": greek, "cost": cost.name, "value": value, "low": min(low, value), "high": max(high, value)})
    return f"{name}({', '.join(given)})" if given else name


def _reach(value: float) -> tuple[float, float]:
    """How far the slider of a parameter goes of which nothing is known but its value."""
    return (-1.0, 1.0) if value == 0 else (min(0.0, 2 * value), max(0.0, 2 * value))


@lru_cache(maxsize=256)
def _known(name: str, spoken: str) -> dict[str, Any]:
    return _page(name, spoken)


def _page(subject: str | Output, spoken: str) -> dict[str, Any]:
    from xent.report.prose import Prose

    page = explaining.page(subject, spoken)
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


def explain(settings: Asked, own: Own = NONE) -> dict[str, Any]:
    """The page of `xent explain` about one output, its words as HTML, and code that computes it, to run as it stands."""
    name, spoken = str(settings.get("output", ""))[: values.MOST_LETTERS], values.language(settings)
    shown = values.outputs({"outputs": name, "lang": spoken}, own)[0]
    if is_own(shown):
        with blamed([shown], spoken):
            page = _page(shown, spoken)
    else:
        page = _known(str(shown), spoken)
    return {**page, "code": [*examples.ours(shown, own), *(examples.theirs(shown, code) for code in page["code"])]}


# ── the stall map ─────────────────────────────────────────────────────────────────────────────────────────────────────


def stalls(settings: Asked, own: Own = NONE) -> dict[str, Any]:
    """For every start of a plane the step at which it had learned, −1 for never; one map an output."""
    listed = values.Listed.of(settings, own)
    wanted = asked.MapAsked.of(listed.settings(settings), own)
    problems, maps, found = [*listed.problems, *own.notes(wanted.outputs, wanted.language)], [], None
    for side, (label, one) in enumerate(zip(tables.labels(wanted.outputs), wanted.outputs, strict=True)):
        try:
            found = wanted.one(side)
        except XentError as error:
            if not is_own(one):
                raise
            problems.append(str(error))
            continue
        sweep, never = found.sweeps[str(one)], found.never(str(one))
        if is_own(one):
            problems += undefined(one, {"delta": sweep.a}, "w", np.meshgrid(found.horizontal, found.vertical)[0], wanted.language)
        told = {"label": label, "output": own.name(one), "never": never, "median": found.median(str(one))}
        maps.append(told | {"learned": np.asarray(sweep.steps_to_learn, dtype=np.int32), "a": _of_one_number(sweep.a)})
    shown = {"outputs": listed.spread([*map(own.name, wanted.outputs)]), "problems": problems, "maps": maps}
    if found is None:
        return shown
    return shown | {
        "plane": found.plane,
        "x": found.x,
        "horizontal": np.asarray(found.horizontal, dtype=np.float64),
        "vertical": np.asarray(found.vertical, dtype=np.float64),
        "steps": wanted.how["steps"],
    }


def _of_one_number(a: Any) -> Float[np.ndarray, "v h"]:
    """The last answers, in half the digits: they are only read out."""
    return np.asarray(a, dtype=np.float32)


ANSWERS: dict[str, Callable[[Asked, Own], dict[str, Any]]] = {
    "neuron": neuron,
    "start": start,
    "costs": costs,
    "explain": explain,
    "map": stalls,
}
