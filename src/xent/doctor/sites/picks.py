"""How targets pick or weigh classes: by gather, by an index, by a product with a distribution."""

from __future__ import annotations

from xent.doctor.carrying import VIEWS, behind, original
from xent.doctor.natures import Nature
from xent.doctor.sites.site import Site
from xent.doctor.sites.weights import of_batch
from xent.doctor.trace import Step, Value

GATHERING = ("gather", "index", "take_along_dim")


def picked(step: Step, x: Value, nature: Nature) -> Site | None:
    """The site of a step that picks from x or weighs it by a target."""
    if step.op in ("gather", "take_along_dim"):
        return _gathered(step, x, nature)
    if step.op == "index":
        return _indexed(step, x, nature)
    return _weighed(step, x, nature) if step.op in ("mul", "xlogy") else None


def _gathered(step: Step, x: Value, nature: Nature) -> Site | None:
    dim_first = step.op == "gather"
    index, dim = step.argument(2 if dim_first else 1, "index"), step.argument(1 if dim_first else 2, "dim")
    if not isinstance(index, Value) or not isinstance(dim, int):
        return None
    if index.made_by is not None and index.made_by.op == "remainder":
        index = index.made_by.ins[0]  # take_along_dim counts on from the start
    return Site("log-pick", x, index, dim % len(x.shape), step=step, nature=nature)


def _indexed(step: Step, x: Value, nature: Nature) -> Site | None:
    indices = [(i, v) for i, v in enumerate(step.argument(1, "indices") or ()) if isinstance(v, Value)]
    integers = [(i, v) for i, v in indices if not v.tensor.is_floating_point() and str(v.tensor.dtype) != "torch.bool"]
    if len(integers) < 2 or len(integers) != len(x.shape):
        return None
    given = [p for p in integers if of_batch(p[1])] or [p for p in integers if not _is_range(p[1])]
    given = given or [p for p in integers if p[0] == nature.axis]
    return Site("log-pick", x, given[0][1], given[0][0], step=step, nature=nature) if len(given) == 1 else None


def _weighed(step: Step, x: Value, nature: Nature) -> Site | None:
    axis = nature.axis
    y = next((v for v in step.given if v is not x), None)
    if y is None or y.tensor.numel() < 2 or nature.kind in ("raw", "shifted"):
        return None
    if len(y.shape) != len(x.shape) or axis is None or (axis < len(y.shape) and y.shape[axis] != x.shape[axis]):
        return None
    y = y.made_by.ins[0] if y.made_by is not None and y.made_by.op == "neg" else y
    return Site("log-weighted", x, y, axis, step=step, nature=nature)


def _is_range(value: Value) -> bool:
    """Whether an index just counts the rows."""
    made = behind(original(value), VIEWS).made_by
    return made is not None and made.op == "arange"
