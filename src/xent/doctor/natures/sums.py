"""What sums, means and maxima over axes make of natures, and what lies side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xent.doctor.natures.functions import unshifted
from xent.doctor.natures.nature import Nature, only_axis
from xent.doctor.trace import Step, Value

if TYPE_CHECKING:
    from xent.doctor.natures.reading import Natures


def total(natures: Natures, step: Step, out: Value) -> Nature | None:
    """A sum, a log-sum-exp or a greatest element over one axis; a sum over what was picked takes it out."""
    x, axes = step.ins[0], step.argument(1, "dim")
    before, axis = natures.of(x), only_axis(x, axes)
    if axis is not None and step.op in ("amax", "max"):
        return Nature("max", x, axis, step=step)
    if axis is not None and step.op == "logsumexp":
        return Nature("log-sum-exp", unshifted(natures, x), axis, step=step)
    if axis is not None and step.op == "sum" and before.kind == "exp":
        return Nature("sum-exp", before.z, axis, step=step)
    if step.op == "sum" and before.picked and before.kind in ("softmax", "log") and axes:
        return replace(before, axis=None)
    return None


def norm(natures: Natures, step: Step, out: Value) -> Nature | None:
    """‖e^z‖₁ = Σe^z."""
    before, axis = natures.of(step.ins[0]), only_axis(step.ins[0], step.argument(2, "dim"))
    if before.kind != "exp" or step.argument(1, "ord", 2) != 1 or axis is None:
        return None
    return Nature("sum-exp", before.z, axis, step=step)


def mean(natures: Natures, step: Step, out: Value) -> Nature | None:
    """A mean of probabilities, over another axis than the classes, is one."""
    x = step.ins[0]
    before, axes = natures.of(x), step.argument(1, "dim")
    if not before.squashed or not isinstance(axes, list | tuple) or not axes or not out.shape:
        return None
    gone = sorted(i % len(x.shape) for i in axes)
    if before.axis in gone:
        return None
    keeps = len(out.shape) == len(x.shape)
    axis = before.axis if before.axis is None or keeps else before.axis - sum(i < before.axis for i in gone)
    return replace(before, axis=axis)


def joined(natures: Natures, step: Step, out: Value) -> Nature | None:
    """Probabilities side by side are probabilities."""
    parts = [natures.of(v) for v in step.ins]
    alike = len({(part.kind, part.low, part.high) for part in parts}) == 1
    return replace(parts[0], axis=None, picked=False) if alike and parts[0].squashed else None
