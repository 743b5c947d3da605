"""From one cost a row to one number, and from one gradient a row to its gradient: mean, sum or none, and who counts."""

from __future__ import annotations

from math import prod
from typing import Any

import array_api_compat as compat

from xent.arrays import Array, total
from xent.ops.inputs import Problem


def kept(problem: Problem) -> Array | None:
    """Which rows count; None where all do: probability targets are never ignored."""
    return problem.target != problem.options.ignore_index if problem.hard else None


def divisor(problem: Problem) -> Array | None:
    """What the sum of the rows is divided by, an array of no axes: `denominator`, or what counts of the batch. None for no mean."""
    options, xp = problem.options, problem.xp
    if options.reduction != "mean":
        return None
    known: Any = options.denominator if problem.hard or options.denominator is not None else prod(problem.logits.shape[:-1])
    if known is not None and not compat.is_array_api_obj(known):
        return xp.full((), known, dtype=problem.dtype, device=compat.device(problem.logits))
    if known is not None:
        return xp.astype(known, problem.dtype)
    counted = problem.target != options.ignore_index
    if problem.weight is None:
        return xp.astype(xp.sum(xp.astype(counted, xp.int32)), problem.dtype)
    in_range = xp.where((problem.target >= 0) & (problem.target < problem.classes), problem.target, 0)
    w = xp.take(problem.weight, xp.reshape(in_range, (-1,)), axis=0)
    return total(xp.where(xp.reshape(counted, (-1,)), w, 0.0), xp)


def reduced(problem: Problem, costs: Array, by: Array | None = None) -> Array:
    """The cost of the batch, of no axes; with reduction='none' the costs as they are. `by` is the `divisor`, where it is known."""
    options, xp = problem.options, problem.xp
    if options.reduction == "none":
        return costs
    whole = total(xp.reshape(costs, (-1,)), xp)
    by = divisor(problem) if by is None else by
    if by is None:
        return whole
    if options.on_empty == "zero" and options.denominator is None:
        return xp.where(by == 0, 0.0, whole / xp.where(by == 0, 1.0, by))
    return whole / by


def scale(problem: Problem, by: Array | None = None) -> Array | None:
    """What each row's δ is multiplied by in the gradient of the batch; None for 1."""
    by = divisor(problem) if by is None else by
    if by is None:
        return None
    xp = problem.xp
    if problem.options.on_empty == "zero" and problem.options.denominator is None:
        return xp.where(by == 0, 0.0, 1 / xp.where(by == 0, 1.0, by))
    return 1 / by


def scaled(problem: Problem, deltas: Array, by: Array | None) -> Array:
    """Rows of δ times a number or one number a row (an upstream gradient, say); rows that are ignored stay 0, by inf or nan too."""
    if by is None:
        return deltas
    xp, counted = problem.xp, kept(problem)
    product = deltas * (by[..., None] if by.ndim else by)
    return product if counted is None else xp.where(counted[..., None], product, 0.0)
