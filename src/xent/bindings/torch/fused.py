"""The CPU kernels on a tensor's own memory, seen through NumPy: nothing is copied, bfloat16 is looked at as uint16.

The gradient's memory comes from `ops.pages`: a first write into memory that PyTorch allocates costs four times as much as a copy,
almost all of it page faults.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import array_api_compat.numpy as np_
import numpy as np
import torch
from torch import Tensor

from xent.arrays import dtype_name, quiet
from xent.memory import STORAGE
from xent.ops import cpu, pages, plain, reduction
from xent.ops.cpu_rows import STATISTICS
from xent.ops.inputs import Problem, check_not_empty, check_values

Stats = dict[str, Tensor]

STORED = {getattr(torch, name): np.dtype("uint16" if name == "bfloat16" else name) for name in STORAGE}
"""NumPy's number types for PyTorch's."""
PAGES = 1 << 18
"""Numbers whose memory is worth keeping."""


def cost(problem: Problem) -> tuple[Tensor, Stats]:
    """The reduced cost and the statistics; no gradient."""
    return _computed(problem, None)


def cost_and_grad(problem: Problem) -> tuple[Tensor, Tensor, Stats]:
    """The reduced cost, its gradient by the logits, and the statistics."""
    into = fresh(problem.logits)
    value, stats = _computed(problem, into)
    return value, into, stats


def grad(problem: Problem, upstream: Tensor, into: Tensor | None = None) -> Tensor:
    """The gradient by the logits, upstream (of the cost's shape) times: scaled before it is rounded to the logits' dtype."""
    into = fresh(problem.logits) if into is None else into
    own, viewed = memory(upstream), _viewed(problem)
    with quiet():
        by = reduction.scale(viewed)
        own = own.astype(np.dtype(viewed.dtype)) if by is None else own * by
    _run(problem, viewed, into, own)
    return into


def memory(x: Tensor) -> np.ndarray:
    """A tensor's memory as an array of the same shape and strides."""
    return (x.detach().view(torch.uint16) if x.dtype is torch.bfloat16 else x).numpy(force=True)


def fresh(like: Tensor) -> Tensor:
    """Memory for a gradient: of the same shape, dtype and order of axes as `like`, not filled."""
    if like.numel() < PAGES:
        return torch.empty_like(like)
    plain = like.is_contiguous()
    whole = torch.from_numpy(pages.empty(like.shape if plain else (like.numel(),), STORED[like.dtype]))
    whole = whole.view(torch.bfloat16) if like.dtype is torch.bfloat16 else whole
    return whole if plain else whole.as_strided(like.shape, torch.empty_like(like, device="meta").stride())


def _viewed(problem: Problem) -> Problem:
    """The problem as NumPy arrays; only the kernel knows that uint16 targets are bfloat16."""
    options, weight = problem.options, problem.weight
    if isinstance(options.denominator, Tensor):
        options = replace(options, denominator=float(options.denominator.detach()))
    z: Any = memory(problem.logits)
    z = np.broadcast_to(np.float32(0), z.shape) if z.dtype == np.uint16 else z  # its bits are no numbers: the shape is told
    return Problem(z, memory(problem.target), problem.hard, None if weight is None else memory(weight), options, np_)


def _run(problem: Problem, viewed: Problem, into: Tensor | None, scale: Any, rows: int = 0) -> tuple[bool, np.ndarray, np.ndarray]:
    """The kernel on the memory: whether all targets are some, the costs of the rows, and `rows` rows of statistics."""
    z = problem.logits
    dtype = np.dtype(viewed.dtype)
    costs, table = np.empty(z.shape[:-1], dtype), np.empty((rows, len(STATISTICS)), dtype)
    ok = cpu.fused(
        memory(z), viewed.target, viewed.options, cost=costs, grad=None if into is None else memory(into), scale=scale,
        weight=viewed.weight, storage=dtype_name(z), stats=table,
    )  # fmt: skip
    return ok, costs, table


def _computed(problem: Problem, into: Tensor | None) -> tuple[Tensor, Stats]:
    check_not_empty(problem)
    viewed, names = _viewed(problem), problem.options.stats
    asked = bool(names) and problem.hard
    z, grad = memory(problem.logits), None if into is None else memory(into)
    if problem.hard and cpu.straight(z, grad, viewed.options):
        storage = dtype_name(problem.logits)
        found = cpu.at_once(z, viewed.target, viewed.options, grad=grad, weight=viewed.weight, storage=storage)
        if found is None:
            check_values(problem)
        return torch.from_numpy(np.asarray(found)), {}
    with quiet():
        by = reduction.divisor(viewed)
        scale = None if into is None else reduction.scale(viewed, by)
        rows = problem.logits[..., 0].numel() if asked else 0
        ok, costs, table = _run(problem, viewed, into, scale, rows)
        if not ok:
            check_values(problem)
        value = torch.from_numpy(np.asarray(reduction.reduced(viewed, costs, by)))
    if not asked:
        with torch.no_grad():
            return value, plain.statistics(problem)
    return value, {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in cpu.named(table, names, costs.shape).items()}
