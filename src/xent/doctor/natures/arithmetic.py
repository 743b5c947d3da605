"""What sums, differences, products and quotients make of natures: a softmax written out, 1 − a, scales, masks and dropout."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xent.doctor.carrying import VIEWS, behind, complement, negated, original, same
from xent.doctor.natures.functions import unshifted
from xent.doctor.natures.moved import chosen, is_positive
from xent.doctor.natures.nature import Nature, only_axis
from xent.doctor.trace import Step, Value

if TYPE_CHECKING:
    from xent.doctor.natures.reading import Natures

SCALED = VIEWS | {"div", "div_", "_to_copy"}
SOFTENED = VIEWS | {"clamp_min", "add"}
FILLED = ("ones", "ones_like", "full", "full_like", "scalar_tensor")


def scaled(before: Nature, scale: float, shift: float) -> Nature | None:
    """What scaling and shifting leave of a nature."""
    if before.kind == "log":
        return before if shift == 0 or before.is_log else None
    if before.kind == "sum-exp":
        return before if scale == 1 else None  # + eps
    if before.kind == "max":
        return before if scale == 1 and shift == 0 else None
    if before.kind == "rectified":
        return before if scale > 0 and shift == 0 else None
    if not before.squashed or scale == 0:
        return None
    if scale == 1 and 0 < abs(shift) < 0.01:
        return replace(before, eps=max(before.eps, abs(shift)))
    low, high = sorted((before.low * scale + shift, before.high * scale + shift))
    if before.kind == "softmax" and (scale, shift) not in ((1, 0), (-1, 1)):
        return replace(before, kind="scaled", inner="softmax", low=low, high=high) if scale > 0 else None
    return replace(before, low=low, high=high, turned=before.turned != (scale < 0))


def number(value: Any) -> float | None:
    """The number that a constant of one element is, or all elements of one that was filled."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, Value) or not value.tensor.numel():
        return None
    single = value.made_by is None and value.role == "constant" and value.tensor.numel() == 1
    filled = value.made_by is not None and value.made_by.op in FILLED
    return float(value.numbers.flatten()[0]) if (single or filled) and not value.numbers.is_complex() else None


# ── sums and differences ──────────────────────────────────────────────────────────────────────────────────────────────────


def added(natures: Natures, step: Step, out: Value) -> Nature | None:
    """A shift, 1 + e^z, log Σe^(z − m) + m, or the probability of what is true in two terms."""
    a, b = step.argument(0), step.argument(1, "other")
    if isinstance(a, Value) and isinstance(b, Value):
        kinds = {natures.of(v).kind: v for v in (a, b)}
        if kinds.keys() == {"max", "log-sum-exp"}:
            return natures.of(kinds["log-sum-exp"])
        for value, other in ((a, b), (b, a)):
            constant = number(other)
            if constant is not None:
                return scaled(natures.of(value), 1.0, constant)
        return _of_both(natures, step)
    value, constant = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(value, Value) or not isinstance(constant, int | float):
        return None
    before = natures.of(value)
    return replace(before, kind="exp-plus-one") if before.kind == "exp" and constant == 1 else scaled(before, 1.0, float(constant))


def _of_both(natures: Natures, step: Step) -> Nature | None:
    """y·p + (1 − y)·(1 − p)."""
    sides = either(step)
    if sides is None:
        return None
    p, q, y = sides
    return chosen(natures, p, q, y) if natures.of(p).squashed and p.shape == y.shape else None


def either(step: Step) -> tuple[Value, Value, Value] | None:
    """(a, b, y) where a step is a if y and else b, both of which learn: by `where`, or as y·a + (1 − y)·b."""
    if step.op == "where":
        y, a, b = (step.argument(i) for i in range(3))
        known = isinstance(y, Value) and isinstance(a, Value) and isinstance(b, Value)
        return (a, b, y) if known and a.learns and b.learns and not y.learns else None
    products = [v.made_by for v in step.ins] if step.op in ("add", "add_") else []
    if len(products) != 2 or any(p is None or p.op != "mul" or len(p.learned) != 1 or len(p.given) != 1 for p in products):
        return None
    (a, y), (b, c) = ((p.learned[0], p.given[0]) for p in products if p is not None)
    return (a, b, y) if _complements(c, y) else (b, a, c) if _complements(y, c) else None


def _complements(c: Value, y: Value) -> bool:
    """Whether c is 1 − y."""
    rest = complement(c)
    return rest is not None and same(rest, y)


def difference(natures: Natures, step: Step, out: Value) -> Nature | None:
    """A shift, 1 − a, z less its greatest element, or a log-softmax as z − log Σe^z."""
    a, b = step.argument(0), step.argument(1, "other")
    if step.op == "rsub":
        a, b = b, a
    if not isinstance(a, Value):
        return scaled(natures.of(b), -1.0, float(a)) if isinstance(b, Value) and isinstance(a, int | float) else None
    if not isinstance(b, Value):
        return scaled(natures.of(a), 1.0, -float(b)) if isinstance(b, int | float) else None
    of_a, of_b, constant = natures.of(a), natures.of(b), number(a)
    if constant is not None and of_b.squashed:
        return scaled(of_b, -1.0, constant)
    if of_b.kind == "max" and same(of_b.z, a):
        return Nature("shifted", a, step=step)
    z = unshifted(natures, a)
    if of_b.kind == "log-sum-exp" and (same(of_b.z, a) or same(of_b.z, z)) and out.shape == a.shape:
        return Nature("log", z, of_b.axis, inner="softmax", step=step)
    for total, part in ((of_a, b), (of_b, a)):
        if total.kind == "log-sum-exp" and _taken_from(part, total.z):
            return Nature("log", total.z, total.axis, inner="softmax", picked=True, step=step)
    return None


def _taken_from(part: Value, whole: Value) -> bool:
    """Whether a value is made of elements of another, picked or masked and summed."""
    whole = original(whole)
    for _ in range(12):
        if original(part) is whole:
            return True
        step = part.made_by
        if step is None or not (step.op in VIEWS or step.op in ("mul", "sum")) or len(step.learned) != 1:
            return False
        part = step.learned[0]
    return False


def negative(natures: Natures, step: Step, out: Value) -> Nature | None:
    """−a."""
    return scaled(natures.of(step.ins[0]), -1.0, 0.0)


# ── products and quotients ────────────────────────────────────────────────────────────────────────────────────────────────


def product(natures: Natures, step: Step, out: Value) -> Nature | None:
    """A scale, a mask, dropout, or classes picked by the targets."""
    a, b = step.argument(0), step.argument(1, "other")
    if not isinstance(a, Value) or not isinstance(b, Value):
        value, constant = (a, b) if isinstance(a, Value) else (b, a)
        known = isinstance(value, Value) and isinstance(constant, int | float)
        return scaled(natures.of(value), float(constant), 0.0) if known else None
    for value, other in ((a, b), (b, a)):
        constant, before = number(other), natures.of(value)
        if constant is not None:
            return scaled(before, constant, 0.0)
        if other.learns:
            continue
        if is_positive(other, value):
            return Nature("rectified", value, inner="relu", step=step)
        if _is_noise(other):
            return before if before.kind != "raw" else None
        picks = {"y", "batch", "x"} & natures.trace.sources(other) or not other.tensor.is_floating_point()
        if before.kind in ("softmax", "log") and picks and (value.learns or not a.learns):
            return replace(before, picked=True) if out.shape == value.shape else None
    return None


def _is_noise(value: Value) -> bool:
    """Whether a value is what dropout multiplies by."""
    step = behind(value, SCALED).made_by
    return step is not None and step.op in ("bernoulli_", "bernoulli")


def quotient(natures: Natures, step: Step, out: Value) -> Nature | None:
    """A scale, shares of a sum, a softmax or a sigmoid of exponentials, a softsign."""
    a, b = step.argument(0), step.argument(1, "other")
    if not isinstance(a, Value) or not isinstance(b, Value):
        known = isinstance(a, Value) and isinstance(b, int | float) and b
        return scaled(natures.of(a), 1 / float(b), 0.0) if known else None
    above, below, shared = natures.of(a), natures.of(b), _sum_of(b, a)
    if shared is not None and above.kind in ("raw", "rectified"):
        return Nature("shares", a, shared, step=step)
    if shared is not None and above.kind == "softmax" and above.axis == shared:
        return above
    if _one_more_than_size(b, a):
        return Nature("hard", a, low=-1.0, high=1.0, step=step)
    if above.kind == "exp" and below.kind == "sum-exp" and same(above.z, below.z):
        return Nature("softmax", unshifted(natures, above.z), below.axis, step=step)
    if above.kind == "exp" and below.kind == "exp-plus-one" and same(above.z, below.z):
        return Nature("sigmoid", above.z, step=step)
    if below.kind == "exp-plus-one" and number(a) == 1.0:
        return _of_reciprocal(below, step)
    constant = number(b)
    return scaled(above, 1 / constant, 0.0) if constant else None


def reciprocal(natures: Natures, step: Step, out: Value) -> Nature | None:
    """1/(1 + e^x)."""
    below = natures.of(step.ins[0])
    return _of_reciprocal(below, step) if below.kind == "exp-plus-one" else None


def _of_reciprocal(below: Nature, step: Step) -> Nature:
    """1/(1 + e^x): a sigmoid of −x."""
    z = negated(below.z)
    return Nature("sigmoid", below.z if z is None else z, turned=z is None, step=step)


def _sum_of(total: Value, part: Value) -> int | None:
    """The axis over which a value is the sum of another; None where it is not."""
    while total.made_by is not None and total.made_by.op in SOFTENED and len(total.made_by.ins) == 1:
        total = total.made_by.ins[0]
    step = total.made_by
    return only_axis(part, step.argument(1, "dim")) if step is not None and step.op == "sum" and same(step.ins[0], part) else None


def _one_more_than_size(below: Value, z: Value) -> bool:
    """Whether a value is 1 + |z|, below z in a softsign."""
    step = below.made_by
    size = step.ins[0].made_by if step is not None and step.op == "add" and step.argument(1, "other") == 1 else None
    return size is not None and size.op == "abs" and same(size.ins[0], z)
