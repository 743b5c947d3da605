"""Linear cross-entropy on arrays of any library, chunk by chunk of rows: the reference that the fast files are held to.

    z = h·Wᵀ + b,  δ = ∂C/∂z,  ∂h = δ·W,  ∂W = Σ_chunks δᵀ·h,  ∂b = Σ δ

16-bit numbers are computed in float32, and each gradient is rounded once, when all of it is summed.
"""

from __future__ import annotations

from math import prod

from xent.arrays import Array, widen
from xent.ops import plain, reduction
from xent.ops.inputs import Problem
from xent.ops.linear.inputs import COPIES, Linear

Wants = tuple[bool, bool, bool]
"""Which gradients are wanted: by hidden, by weight, by bias."""


def through(linear: Linear, wants: Wants, scale: Array | None) -> tuple[Array, dict[str, Array], list[Array | None]]:
    """The cost and the statistics of every row, and the gradients that are wanted of Σ scale·cost, in the dtype computed in.

    scale is one number or one a row; None is 1.
    """
    xp, W = linear.whole.xp, linear.weight
    costs, stats, by_hidden = [], [], []
    by_weight = by_bias = None
    for rows in chunks(linear):
        part, h = of_rows(linear, rows)
        costs.append(plain.costs(part))
        stats.append(plain.statistics(part))
        if not any(wants):
            continue
        delta = reduction.scaled(part, plain.deltas(part), scale if scale is None or scale.ndim == 0 else scale[rows])
        if wants[0]:
            by_hidden.append(delta @ widen(W, xp))
        if wants[1]:
            by_weight = _with_product(by_weight, delta, h)
        if wants[2]:
            by_bias = xp.sum(delta, axis=0) if by_bias is None else by_bias + xp.sum(delta, axis=0)
    table = {name: xp.concat([part[name] for part in stats]) for name in linear.each.stats}
    return xp.concat(costs), table, [xp.concat(by_hidden) if by_hidden else None, by_weight, by_bias]


def _with_product(sum: Array | None, delta: Array, h: Array) -> Array:
    """sum + δᵀ·h in the sum's own memory, in blocks of classes, none of which takes more than δ does."""
    if sum is None:
        return delta.T @ h
    size = max(1, prod(delta.shape) // max(1, h.shape[1]))
    for start in range(0, sum.shape[0], size):
        classes = slice(start, start + size)
        sum[classes, :] += delta[:, classes].T @ h
    return sum


def chunks(linear: Linear) -> list[slice]:
    """The rows of each chunk; no rows are one chunk of none."""
    return list(linear.chunks(COPIES * linear.weight.shape[0] * linear.itemsize)) or [slice(0, 0)]


def of_rows(linear: Linear, rows: slice) -> tuple[Problem, Array]:
    """Cross-entropy of these rows, and what of `hidden` is theirs."""
    xp = linear.whole.xp
    h = widen(linear.hidden[rows, :], xp)
    z = h @ widen(linear.weight, xp).T
    return linear.part(z if linear.bias is None else z + widen(linear.bias, xp), rows), h
