"""What elements are after they were reshaped, picked, masked or dropped: what they were, on another axis perhaps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xent.doctor.carrying import COPYING, VIEWS, behind, moved_axis, names, same
from xent.doctor.natures.nature import Nature
from xent.doctor.trace import Step, Value

if TYPE_CHECKING:
    from xent.doctor.natures.reading import Natures

KEEPING = names("native_dropout dropout masked_fill masked_fill_ where nan_to_num nan_to_num_ bernoulli")
"""Operations after which an element is still what it was."""


def moved(natures: Natures, step: Step, out: Value) -> Nature | None:
    """What was moved or kept; of `where` what is chosen."""
    x = step.ins[0]
    if step.op == "where":
        if (z := _where_positive(step)) is not None:
            return Nature("rectified", z, inner="relu", step=step)
        inputs = [v for v in step.ins[1:] if v.learns] or step.ins[1:]
        if len(inputs) == 2:
            return chosen(natures, inputs[0], inputs[1], step.ins[0])
        if not inputs:
            return None
        x = inputs[0]
    before = natures.of(x)
    if before.kind == "raw":
        return before if step.op in COPYING else replace(before, z=out)
    axis = before.axis
    if axis is not None and step.op in VIEWS:
        axis = moved_axis(step, x, out, axis)
    elif axis is not None and out.shape != x.shape:
        axis = None
    return replace(before, axis=axis, picked=before.picked or _picks(step, before.axis))


def chosen(natures: Natures, a: Value, b: Value, y: Value) -> Nature | None:
    """The probability of what is true: a where y is 1, 1 − a where it is 0."""
    of_a, of_b = natures.of(a), natures.of(b)
    known = (of_a.squashed or of_a.is_log) and (of_a.kind, of_a.inner) == (of_b.kind, of_b.inner) and same(of_a.z, of_b.z)
    return replace(of_a, picked=True, target=y) if known and of_b.turned and not of_a.turned else None


def is_positive(condition: Value, z: Value) -> bool:
    """Whether a value is z > 0."""
    step = behind(condition, COPYING).made_by
    return step is not None and step.op in ("gt", "ge") and step.argument(1, "other") == 0 and same(step.ins[0], z)


def _where_positive(step: Step) -> Value | None:
    """z where a step is z if z > 0 and 0 if not."""
    condition, z, other = (step.argument(i) for i in range(3))
    if not isinstance(condition, Value) or not isinstance(z, Value) or not z.learns:
        return None
    zero = isinstance(other, Value) and not other.learns and not bool(other.numbers.any())
    return z if zero and is_positive(condition, z) else None


def _picks(step: Step, axis: int | None) -> bool:
    """Whether single classes are picked, one here and another there; rows are left whole."""
    if step.op in ("masked_select", "take"):
        return True
    if step.op == "select":
        return axis is not None and step.argument(1, "dim") % len(step.ins[0].shape) == axis
    if step.op in ("gather", "take_along_dim"):
        dim = step.argument(1 if step.op == "gather" else 2, "dim")
        return axis is None or not isinstance(dim, int) or dim % max(len(step.ins[0].shape), 1) == axis
    if step.op != "index":
        return False
    indexed: set[int] = set()
    place = 0
    for index in step.argument(1, "indices") or ():
        wide = len(index.shape) if isinstance(index, Value) and str(index.tensor.dtype) == "torch.bool" else 1
        indexed |= set(range(place, place + wide)) if index is not None else set()
        place += wide
    return axis in indexed if axis is not None else indexed != {0} or len(step.ins[0].shape) == 1
