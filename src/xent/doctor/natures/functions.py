"""What functions of one element make of natures: what squashes, what rectifies, logarithms and exponentials, clamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from xent.doctor.carrying import names, negated
from xent.doctor.natures.nature import PROBABLE, REACH, Nature, axis_of
from xent.doctor.trace import Step, Value

if TYPE_CHECKING:
    from xent.doctor.natures.reading import Natures

RECTIFYING = names("relu relu_ hardtanh hardtanh_ threshold threshold_ softplus gelu silu silu_ elu elu_ abs clamp_min clamp_min_")


def squash(kind: str) -> Callable[[Natures, Step, Value], Nature | None]:
    """The rule of a squashing operation."""
    low, high = REACH[kind]

    def rule(natures: Natures, step: Step, out: Value) -> Nature:
        axis = axis_of(out, step.argument(1, "dim")) if kind == "softmax" else None
        return Nature(kind, unshifted(natures, step.ins[0]), axis, low=low, high=high, step=step)

    return rule


def unshifted(natures: Natures, value: Value) -> Value:
    """z where a value is z less its greatest element: the same to a softmax."""
    nature = natures.of(value)
    return nature.z if nature.kind == "shifted" else value


def log_softmax(natures: Natures, step: Step, out: Value) -> Nature:
    """The logarithm of a softmax, in one."""
    return Nature("log", unshifted(natures, step.ins[0]), axis_of(out, step.argument(1, "dim")), inner="softmax", step=step)


def log_sigmoid(natures: Natures, step: Step, out: Value) -> Nature:
    """log σ(z), or log σ(−z) = log(1 − a)."""
    z = negated(step.ins[0])
    return Nature("log", step.ins[0] if z is None else z, inner="sigmoid", turned=z is not None, step=step)


def log(natures: Natures, step: Step, out: Value) -> Nature | None:
    """The logarithm of a probability, of a sum of exponentials, or of something raw."""
    before = natures.of(step.ins[0])
    if before.kind in PROBABLE:
        return replace(before, kind="log", inner=before.kind)
    if before.kind == "sum-exp":
        return replace(before, kind="log-sum-exp")
    return Nature("log", step.ins[0], inner="raw", step=step)


def log1p(natures: Natures, step: Step, out: Value) -> Nature | None:
    """log(1 + (−a)) is the logarithm of 1 − a."""
    a = negated(step.ins[0])
    before = None if a is None else natures.of(a)
    if before is None or before.kind not in PROBABLE:
        return None
    return replace(before, kind="log", inner=before.kind, turned=not before.turned)


def exp(natures: Natures, step: Step, out: Value) -> Nature:
    """The probability again from its logarithm; else an exponential, of z if z was shifted."""
    before = natures.of(step.ins[0])
    if before.kind == "log" and before.inner in REACH:
        return replace(before, kind=before.inner, inner="")
    return Nature("exp", unshifted(natures, step.ins[0]), step=step)


def rectified(natures: Natures, step: Step, out: Value) -> Nature | None:
    """What is cut off or bent at 0; a floor under a probability softens its logarithm."""
    before, op = natures.of(step.ins[0]), step.op.rstrip("_")
    if op == "clamp_min":
        least = step.argument(1, "min")
        if before.squashed or before.kind in ("exp", "rectified", "sum-exp"):
            return replace(before, eps=max(before.eps, float(least or 0)))
        if before.is_log:
            return before
        if least != 0:
            return None
    if op == "hardtanh" and step.argument(1, "min_val", -1) < 0:
        low, high = step.argument(1, "min_val", -1), step.argument(2, "max_val", 1)
        return Nature("hard", step.ins[0], low=float(low), high=float(high), step=step)
    return Nature("rectified", step.ins[0], inner=op, step=step)


def maximum(natures: Natures, step: Step, out: Value) -> Nature | None:
    """max(z, 0)."""
    learned, given = step.learned, step.given
    zero = len(learned) == len(given) == 1 and given[0].tensor.numel() > 0 and not bool(given[0].numbers.any())
    constant = zero and natures.trace.sources(given[0]) <= {"constant"}
    return Nature("rectified", learned[0], inner="relu", step=step) if constant else None


def clamp(natures: Natures, step: Step, out: Value) -> Nature | None:
    """What is held between two ends: a probability by a little, something raw so that it is squashed or rectified."""
    before, low, high = natures.of(step.ins[0]), step.argument(1, "min"), step.argument(2, "max")
    if before.squashed or before.is_log or before.kind in ("exp", "sum-exp", "shares"):
        eps = float(low) if before.squashed and isinstance(low, int | float) else 0.0
        return replace(before, eps=max(before.eps, eps))
    if before.kind == "rectified":
        return before
    if isinstance(low, int | float) and low == 0 and high is None:
        return Nature("rectified", step.ins[0], inner="clamp", step=step)
    if isinstance(low, int | float) and isinstance(high, int | float) and high - low <= 4:
        return Nature("hard", step.ins[0], low=float(low), high=float(high), step=step)
    return kept(natures, step, out)


def kept(natures: Natures, step: Step, out: Value) -> Nature | None:
    """What a value was; nothing of raw numbers."""
    before = natures.of(step.ins[0])
    return before if before.kind != "raw" else None


def power(natures: Natures, step: Step, out: Value) -> Nature | None:
    """What is never negative stays so."""
    before = natures.of(step.ins[0])
    return before if before.kind == "rectified" and not isinstance(step.argument(1, "exponent"), Value) else None
