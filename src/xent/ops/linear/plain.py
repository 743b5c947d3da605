"""Linear cross-entropy on arrays of any library, chunk by chunk of rows: the reference that the fast files are held to.

    z = h·Wᵀ + b,  δ = ∂C/∂z,  ∂h = δ·W,  ∂W = Σ_chunks δᵀ·h,  ∂b = Σ δ

16-bit numbers are computed in float32, and each gradient is rounded once, when all of it is summed.
"""

from __future__ import annotations

import array_api_compat as compat

from xent.arrays import Array, widen
from xent.ops import plain, reduction
from xent.ops.linear.inputs import Linear

COPIES = 16
"""Arrays of a chunk's size that the plain formulas hold at once, by and large."""


Wants = tuple[bool, bool, bool]
"""Which gradients are wanted: by hidden, by weight, by bias."""


def through(linear: Linear, wants: Wants, scale: Array | None) -> tuple[Array, dict[str, Array], list[Array | None]]:
    """The cost and the statistics of every row, and the gradients that are wanted of Σ scale·cost, in the dtype computed in.

    scale is one number or one a row; None is 1.
    """
    xp, W = linear.whole.xp, linear.weight
    bias = None if linear.bias is None else widen(linear.bias, xp)
    costs, stats, by_hidden = [], [], []
    by_weight, by_bias = (xp.zeros(shape, dtype=linear.whole.dtype, device=compat.device(W)) for shape in (W.shape, W.shape[:1]))
    for rows in list(linear.chunks(COPIES * W.shape[0] * linear.itemsize)) or [slice(0, 0)]:  # no rows are one chunk of none
        h = widen(linear.hidden[rows, :], xp)
        z = h @ widen(W, xp).T
        part = linear.part(z if bias is None else z + bias, rows)
        costs.append(plain.costs(part))
        stats.append(plain.statistics(part))
        if not any(wants):
            continue
        delta = reduction.scaled(part, plain.deltas(part), scale if scale is None or scale.ndim == 0 else scale[rows])
        by_hidden.append(delta @ widen(W, xp))
        by_weight, by_bias = by_weight + delta.T @ h, by_bias + xp.sum(delta, axis=0)
    table = {name: xp.concat([part[name] for part in stats]) for name in linear.each.stats}
    hidden = xp.concat(by_hidden) if by_hidden else None
    grads = [g if wanted else None for g, wanted in zip((hidden, by_weight, by_bias), wants, strict=True)]
    return xp.concat(costs), table, grads
