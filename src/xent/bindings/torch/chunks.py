"""Linear cross-entropy on tensors, as numbers: the fused chunks on the tensors' own memory, else the formulas, chunk by chunk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import array_api_compat.numpy as np_
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear as linear_map

from xent.arrays import quiet, widen
from xent.bindings.torch import states
from xent.bindings.torch.fused import memory as memory_of
from xent.errors import TargetError
from xent.ops import plain as plain_costs
from xent.ops import reduction
from xent.ops.inputs import check_not_empty, check_values
from xent.ops.linear import cpu, plain
from xent.ops.linear.inputs import Linear, check

Made = tuple[Tensor, dict[str, Tensor], list[Tensor | None]]
"""Cost, statistics, and the gradients that are wanted, in the dtype computed in: not rounded yet."""


def made(linear: Linear, wants: plain.Wants, upstream: Tensor | None) -> Made:
    """What is asked for, gradients upstream times: by the kernel, or chunk by chunk by the formulas that it does not know."""
    if _fusable(linear):
        return _fused(linear, wants, upstream)
    check(linear)
    with torch.no_grad(), states.no_autocast(linear.hidden), quiet():
        by: Any = reduction.scale(linear.whole) if any(wants) else None
        if upstream is not None:
            own = upstream.to(linear.whole.dtype).reshape(-1 if upstream.ndim else ())
            by = own if by is None else own * by
        costs, stats, grads = plain.through(linear, wants, by)
        cost = reduction.reduced(linear.whole, costs.reshape(linear.lead))
    return cost, {name: v.reshape(linear.lead) for name, v in stats.items()}, grads


def _fused(linear: Linear, wants: plain.Wants, upstream: Tensor | None) -> Made:
    """`made` by the kernel."""
    viewed = _viewed(linear)
    check_not_empty(linear.whole)
    with quiet():
        by: Any = reduction.scale(viewed.whole) if any(wants) else None
        if upstream is not None:
            own = memory_of(upstream).astype(viewed.whole.dtype, copy=False).reshape(-1 if upstream.ndim else ())
            by = own if by is None else own * by
        try:
            costs, stats, grads = cpu.through(viewed, wants, by)
        except TargetError:
            check_values(linear.whole)  # says it of the targets as they came: seen through NumPy, bfloat16 is wider than it is
            raise
        cost = reduction.reduced(viewed.whole, costs.reshape(linear.lead))
    named = {name: torch.from_numpy(np.ascontiguousarray(v)).reshape(linear.lead) for name, v in stats.items()}
    return torch.from_numpy(np.asarray(cost)), named, [None if g is None else torch.from_numpy(g) for g in grads]


def _viewed(linear: Linear) -> Linear:
    """The same memory as NumPy's."""
    whole, options = linear.whole, linear.whole.options
    if isinstance(options.denominator, Tensor):
        options = replace(options, denominator=float(options.denominator.detach()))
    dtype = np.float64 if linear.hidden.dtype is torch.float64 else np.float32
    shape = np.broadcast_to(np.zeros(1, dtype), whole.logits.shape)
    target = memory_of(linear.target)
    weight = None if whole.weight is None else memory_of(whole.weight)
    there = target.reshape(shape.shape[:-1] if whole.hard else shape.shape)
    seen = replace(whole, logits=shape, target=there, weight=weight, options=options, xp=np_)
    hidden, matrix = memory_of(linear.hidden), memory_of(linear.weight)
    return Linear(hidden, matrix, None if linear.bias is None else memory_of(linear.bias), target, seen, linear.memory)


def tensors(linear: Linear) -> tuple[Any, ...]:
    """All that came as tensors; what is none is None or a number."""
    return linear.hidden, linear.weight, linear.bias, linear.target, linear.whole.weight, linear.whole.options.denominator


def _fusable(linear: Linear) -> bool:
    return states.computing(*tensors(linear)) and cpu.knows(linear)


def differentiable(linear: Linear, wants: Any, upstream: Tensor) -> list[Tensor | None]:
    """The gradients as formulas that PyTorch differentiates: δ of all rows, and its products."""
    xp, dtype = linear.whole.xp, linear.hidden.dtype
    h, w, b = (None if x is None else widen(x, xp) for x in (linear.hidden, linear.weight, linear.bias))
    assert h is not None
    assert w is not None
    with states.no_autocast(h), quiet():
        part = linear.part(linear_map(h, w, b), slice(None))
        by = reduction.scale(linear.whole)
        by = upstream.reshape(-1 if upstream.ndim else ()) * (1 if by is None else by)
        delta = reduction.scaled(part, plain_costs.deltas(part), by)
        grads = delta @ w if wants[0] else None, delta.T @ h if wants[1] else None, delta.sum(dim=0) if wants[2] else None
    return [None if g is None else g.to(dtype) for g in grads]
