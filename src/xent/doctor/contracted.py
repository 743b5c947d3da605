"""Products that are summed at once, as einsum and matrix products do, told as what they are: each element times its own, and a sum.

Stands on `carrying`, and is done once before anything is read, so that a cost means the same however it was contracted.
"""

from __future__ import annotations

import torch

from xent.doctor.carrying import MOST, behind, carry, names, numbered
from xent.doctor.trace import Step, Trace, Value

CONTRACTING = names("bmm mm mv dot vdot")
REARRANGING = names("view _unsafe_view reshape permute transpose t squeeze unsqueeze clone alias contiguous flatten _reshape_alias")
"""Views of all elements, each once."""


def contractions(trace: Trace) -> None:
    """Tell them as a mul of two values and a sum.

    Only where each element of something that learns meets one of something given, or itself.
    """
    told: list[Step] = []
    for step in trace.steps:
        met = _met(step) if step.op in CONTRACTING and step.call is None and step.outs else None
        if met is not None:
            a, b, axes = met
            with torch.enable_grad():
                product = trace.imagined(step, "mul", (a, b), a.tensor * b.tensor)
            told += [product.made_by] if product.made_by else []
            for value in step.ins:
                value.used_by = [user for user in value.used_by if user is not step]
            step.op, step.args, step.kwargs, step.ins = "sum", (product, axes), {}, [product]
            product.used_by.append(step)
        told.append(step)
    for i, step in enumerate(told):
        step.index = i
    trace.steps = told


def _met(step: Step) -> tuple[Value, Value, list[int]] | None:
    """(what learns, what is given, the axes summed over) where each element of one meets that of the other in its place."""
    if len(step.ins) != 2:
        return None
    a, b = (behind(value, REARRANGING) for value in step.ins)
    apart = a.learns == b.learns and a is not b
    if apart or a.shape != b.shape or not 0 < a.tensor.numel() <= MOST or {a.role, b.role} & {"param", "buffer"}:
        return None
    rows, columns = (carry(base, value, numbered(a)) for base, value in zip((a, b), step.ins, strict=True))
    if rows is None or columns is None:
        return None
    columns = columns.transpose(-1, -2) if columns.ndim > 1 else columns
    if (rows.ndim > 1 and rows.shape[-2] != 1) or rows.shape != columns.shape or not torch.equal(rows, columns):
        return None
    places = torch.unravel_index(rows.flatten()[: rows.shape[-1]], a.shape)
    axes = [i for i, place in enumerate(places) if bool((place != place[0]).any())]
    return (a, b, axes) if step.ins[0].learns else (b, a, axes)
