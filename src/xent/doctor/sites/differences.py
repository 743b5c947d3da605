"""Squared and absolute errors by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from xent.doctor.carrying import MIXING, VIEWS, behind, same
from xent.doctor.natures import Nature, Natures
from xent.doctor.natures.arithmetic import either, number
from xent.doctor.sites.picks import GATHERING, picked
from xent.doctor.sites.site import Site
from xent.doctor.sites.weights import of_batch
from xent.doctor.trace import Step, Value


def differences(steps: list[Step], natures: Natures) -> list[Site]:
    """Where an answer less a target, or a number, is squared or taken absolutely."""
    sites, parts = _two_sided(steps, natures)
    for step in steps:
        if step.op not in ("sub", "rsub", "sub_", "_cdist_forward", "dist") or step in parts:
            continue
        a, y = step.argument(0), step.argument(1, "other")
        if isinstance(y, Value) and y.learns and not (isinstance(a, Value) and a.learns):
            a, y = y, a
        if not isinstance(a, Value) or not a.learns or (isinstance(y, Value) and y.learns) or y is None:
            continue
        nature = natures.of(a)
        if not isinstance(y, Value) and not (nature.squashed or _weighted_sum(a)):
            continue  # 1 − p in a focal cost, say
        form = _use(step.outs[0]) if step.op != "dist" else "absolute" if step.argument(2, "p", 2) == 1 else "squared"
        if form is not None:
            of_true = _of_the_true(a, nature, natures) if not isinstance(y, Value) else None
            sites.append(of_true(form, step) if of_true else Site(form, a, y, step=step, nature=nature))
    return sites


def _two_sided(steps: list[Step], natures: Natures) -> tuple[list[Site], list[Step]]:
    """Errors that are one thing where y is true and another where it is not, as (1 − a)² and a²; and the differences in them."""
    sites, parts = [], []
    for step in steps:
        sides = either(step)
        a, b = (_error(side, natures) for side in sides[:2]) if sides is not None and of_batch(sides[2]) else (None, None)
        if sides is None or a is None or b is None or not same(a.answer, b.answer) or a.form != b.form or a.target == b.target:
            continue
        form, y = a.form or _use(step.outs[0]), sides[2]
        if form is not None:
            numbers = b.target + (a.target - b.target) * y.tensor
            target = natures.trace.imagined(step, step.op, (y,), numbers)
            sites.append(Site(form, a.answer, target, step=step, nature=natures.of(a.answer)))
            parts += [part.step for part in (a, b) if part.step is not None]
    return sites, parts


@dataclass(frozen=True)
class _Error:
    """An answer and the number that it should be, in the step that takes one from the other; squared, absolute or as it is."""

    answer: Value
    target: float
    step: Step | None
    form: str


def _error(value: Value, natures: Natures) -> _Error | None:
    """The error of a squashed answer that a value is; an answer alone is its distance from 0."""
    made, form = value.made_by, ""
    if made is not None and made.ins:
        form = "squared" if _squares(made) else "absolute" if made.op == "abs" else ""
    value = made.ins[0] if made is not None and form else value
    step, target = value.made_by, None
    if step is not None and step.op in ("sub", "rsub", "add") and len(step.learned) == 1:
        target = next((n for thing in step.args if (n := number(thing)) is not None), None)
    if step is None or target is None:
        return _Error(value, 0.0, None, form) if natures.of(value).squashed else None
    (answer,) = step.learned
    known = natures.of(answer).squashed
    return _Error(answer, -target if step.op == "add" else target, step, form) if known else None


def _of_the_true(a: Value, nature: Nature, natures: Natures) -> Callable[[str, Step], Site] | None:
    """The site of an error in the probability of what is true: the target is what picked it."""
    if nature.target is not None:
        return lambda form, step: Site(form, a, nature.target, step=step, nature=replace(nature, target=None))
    while nature.picked and a.made_by is not None and a.made_by.op in VIEWS and a.made_by.ins:
        picking, a = a.made_by, a.made_by.ins[0]
        if picking.op in GATHERING and not natures.of(a).picked:
            found = picked(picking, a, natures.of(a))
            if found is None or not isinstance(found.target, Value) or not of_batch(found.target):
                return None
            return lambda form, step: replace(found, form=form, step=step)
    return None


def _weighted_sum(value: Value) -> bool:
    """Whether a value is a layer's weighted sum, reshaped at most."""
    made = behind(value, VIEWS).made_by
    return made is not None and made.op in MIXING


def _squares(step: Step) -> bool:
    """Whether a step squares what goes in."""
    power = step.argument(1, "exponent")
    by_power = step.op == "pow" and not isinstance(power, Value) and power == 2
    return by_power or step.op == "square" or (step.op == "mul" and len(step.ins) == 2 and step.ins[0] is step.ins[1])


def _use(value: Value, depth: int = 0) -> str | None:
    """What becomes of a difference: squared, absolute, or neither."""
    for step in value.used_by:
        if step.call is not None and step.call.name not in ("mse_loss", "l1_loss"):
            continue
        if _squares(step) or step.op in ("linalg_vector_norm", "norm"):
            return "squared"
        if step.op in ("abs", "smooth_l1_loss", "huber_loss"):
            return "absolute"
        shifted = step.op == "add" and len(step.ins) == 1  # by a small number, as in a distance
        if depth < 2 and (step.op in VIEWS or step.op in ("mul", "div", "neg") or shifted) and step.outs:
            found = _use(step.outs[0], depth + 1)
            if found:
                return found
    return None
