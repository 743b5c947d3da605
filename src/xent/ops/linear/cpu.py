"""The fused twin of `linear.plain` for NumPy arrays: BLAS makes the logits of a chunk, the fused kernel turns them into δ in place.

Of every chunk there is one block of memory: logits, then δ. The products are written where they belong; what ∂W gains with each
chunk is made and added block by block, each small enough to stay in a cache. 16-bit arrays pass through
float32, a chunk of rows and a block of classes at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from xent.arrays import Array
from xent.kernels import aligned, threads
from xent.ops import cpu, cpu_rows
from xent.ops.inputs import check_values
from xent.ops.linear import plain
from xent.ops.linear.inputs import Linear

BLOCK = 8 << 20
"""Bytes of 16-bit numbers that are held in float32 at a time."""
ADDED = 4 << 20
"""Bytes of a product that are made at a time where it is added to what is there."""


def knows(linear: Linear) -> bool:
    """Whether the kernel knows the options, and the statistics if any."""
    options, hard = linear.each, linear.whole.hard
    return cpu.knows(options, hard) and (hard or not options.stats)


def through(linear: Linear, wants: plain.Wants, scale: Any) -> tuple[Array, dict[str, Array], list[Array | None]]:
    """As `plain.through`; bfloat16 may come as uint16."""
    hidden, W, whole = linear.hidden, linear.weight, linear.whole
    (n, d), k, dtype = hidden.shape, W.shape[0], np.dtype(whole.dtype)
    if whole.hard:
        check_values(whole)
    by_hidden, by_weight, by_bias = (
        np.empty(shape, dtype) if wanted else None for shape, wanted in zip(((n, d), (k, d), (k,)), wants, strict=True)
    )
    costs, table = np.empty(n, dtype), np.empty((n if linear.each.stats else 0, len(cpu_rows.STATISTICS)), dtype)
    size = max(1, min(BLOCK, linear.memory // 4) // (d * dtype.itemsize)) if hidden.dtype != dtype else k
    block, right = None, True
    for rows in _chunks(linear, size):
        h = np.ascontiguousarray(_wide(hidden[rows], dtype))
        block = aligned(len(h) * k, dtype) if block is None else block
        z = block[: len(h) * k].reshape(len(h), k)
        for classes in _blocks(k, size):
            np.matmul(h, _wide(W[classes], dtype).T, out=z[:, classes])
        if linear.bias is not None:
            z += _wide(linear.bias, dtype)
        each = scale if scale is None or np.ndim(scale) == 0 else scale[rows]
        grad, its = z if any(wants) else None, table[rows] if len(table) else table
        right &= cpu.fused(
            z, linear.target[rows], linear.each, cost=costs[rows], grad=grad, scale=each, weight=whole.weight, stats=its
        )
        if by_hidden is not None:
            for classes in _blocks(k, size):
                _add_product(z[:, classes], _wide(W[classes], dtype), by_hidden[rows], anew=classes.start == 0)
        if by_weight is not None:
            _add_transposed(z, h, by_weight, anew=rows.start == 0)
        if by_bias is not None:
            np.add(0 if rows.start == 0 else by_bias, z.sum(axis=0), out=by_bias)
    if not right:
        check_values(whole)
    stats = cpu.named(table, linear.each.stats, (n,)) if linear.each.stats else {}
    grads = [by_hidden, by_weight, by_bias]
    if n == 0:
        grads = [None if v is None else np.zeros_like(v) for v in grads]
    return costs, stats, grads


def _chunks(linear: Linear, size: int) -> Iterator[slice]:
    """The rows, chunk by chunk: what else is held is taken from the memory first."""
    (k, d), wide = linear.weight.shape, linear.hidden.dtype != linear.whole.dtype
    needs_copy = wide or not linear.hidden.flags.c_contiguous
    its_scratch = threads() * cpu_rows.scratch_size(k, not linear.whole.hard)
    fixed = linear.itemsize * (its_scratch + (size * d if wide else 0)) + min(ADDED, linear.itemsize * k * d)
    a_row = linear.itemsize * (k + (d if needs_copy else 0) + (d if wide else 0))
    return linear.chunks(a_row, memory=linear.memory - fixed)


def _wide(x: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """x in the type computed in; uint16 is bfloat16, the upper half of a float32."""
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(dtype, copy=False)


def _blocks(k: int, size: int) -> Iterator[slice]:
    """The classes, so many at a time."""
    return (slice(start, min(start + size, k)) for start in range(0, k, size))


def _add_product(a: np.ndarray, b: np.ndarray, out: np.ndarray, *, anew: bool) -> None:
    """out = a·b, or out += a·b."""
    if anew:
        np.matmul(a, b, out=out)
    else:
        out += a @ b


def _add_transposed(a: np.ndarray, b: np.ndarray, out: np.ndarray, *, anew: bool) -> None:
    """out = aᵀ·b, or out += aᵀ·b by blocks of rows that are added while they are in a cache."""
    if anew:
        np.matmul(a.T, b, out=out)
        return
    size = max(1, ADDED // (out.shape[1] * out.itemsize))
    block = np.empty((min(size, len(out)), out.shape[1]), out.dtype)
    for rows in _blocks(len(out), size):
        out[rows] += np.matmul(a[:, rows].T, b, out=block[: rows.stop - rows.start])
