"""The fused twin of `linear.plain` for NumPy arrays: BLAS makes the logits of a chunk, the fused kernel turns them into δ in place.

Of every chunk there is one block of memory: logits, then δ. The products are written where they belong, and what ∂W gains with each
chunk is added to it. 16-bit arrays pass through float32, a chunk of rows and a block of classes at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from xent.arrays import Array
from xent.kernels import aligned, threads
from xent.ops import cpu, cpu_blocks, cpu_passing, cpu_rows
from xent.ops.inputs import check_values
from xent.ops.linear import plain
from xent.ops.linear.blas import add_product
from xent.ops.linear.inputs import Linear

PASSING = 4096
"""Classes whose logits are made at a time where only the cost is wanted."""
SPAN = 1 << 14
"""Classes whose logits lie together where ∂W's memory holds them."""
BLOCK = 8 << 20
"""Bytes of 16-bit numbers that are held in float32 at a time."""


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
    if not any(wants) and cpu_passing.knows(linear.each, whole.hard):
        _passing(linear, costs, size)
        return costs, {}, [None, None, None]
    block, right = None, True
    chunks, lent = _chunks(linear, size), _lendable(linear, size) if by_weight is not None else 0
    if lent and 1 + len(rest := _chunks(linear, size, lent)) < len(chunks):
        chunks = [slice(0, lent), *rest]
    else:
        lent = 0
    for rows in chunks:
        h = np.ascontiguousarray(_wide(hidden[rows], dtype))
        each = scale if scale is None or np.ndim(scale) == 0 else scale[rows]
        asked: Any = {"cost": costs[rows], "scale": each, "weight": whole.weight, "stats": table[rows] if len(table) else table}
        if by_weight is not None and rows.stop <= lent:
            right &= _in_its_own_memory(linear, h, rows, asked, by_hidden, by_weight, by_bias)
            continue
        block = aligned(len(h) * k, dtype) if block is None else block
        z = block[: len(h) * k].reshape(len(h), k)
        for classes in _blocks(k, size):
            np.matmul(h, _wide(W[classes], dtype).T, out=z[:, classes])
        if linear.bias is not None:
            z += _wide(linear.bias, dtype)
        right &= cpu.fused(z, linear.target[rows], linear.each, grad=z if any(wants) else None, **asked)
        if by_hidden is not None:
            for classes in _blocks(k, size):
                _product(z[:, classes], _wide(W[classes], dtype), by_hidden[rows], anew=classes.start == 0)
        if by_weight is not None:
            _product(z.T, h, by_weight, anew=rows.start == 0)
        if by_bias is not None:
            np.add(0 if rows.start == 0 else by_bias, z.sum(axis=0), out=by_bias)
    if not right:
        check_values(whole)
    stats = cpu.named(table, linear.each.stats, (n,)) if linear.each.stats else {}
    grads = [by_hidden, by_weight, by_bias]
    if n == 0:
        grads = [None if v is None else np.zeros_like(v) for v in grads]
    return costs, stats, grads


def _passing(linear: Linear, costs: np.ndarray, size: int) -> None:
    """The costs alone: the logits of some classes are made for as many rows as the memory holds, seen, and made over."""
    hidden, W, whole, dtype = linear.hidden, linear.weight, linear.whole, costs.dtype
    k, d = whole.classes, W.shape[1]
    span = min(k, size, PASSING)
    wide = hidden.dtype != dtype
    fixed = linear.itemsize * (threads() * 2 * cpu_blocks.BLOCK + (span * d if wide else 0))
    copied = wide or not hidden.flags.c_contiguous
    block = None
    for rows in linear.chunks(linear.itemsize * (span + 5 + (2 * d if copied else 0)), memory=linear.memory - fixed):
        h = np.ascontiguousarray(_wide(hidden[rows], dtype))
        block = np.empty(len(h) * span, dtype) if block is None else block
        passing = cpu_passing.Passing(linear.target[rows], linear.each, whole.weight, dtype)
        for classes in _blocks(k, span):
            z = block[: len(h) * (classes.stop - classes.start)].reshape(len(h), -1)
            np.matmul(h, _wide(W[classes], dtype).T, out=z)
            if linear.bias is not None:
                z += _wide(linear.bias[classes], dtype)
            passing.see(z, classes.start)
        passing.costs(costs[rows])


def _lendable(linear: Linear, size: int) -> int:
    """How many of the first rows could have their logits in the memory of ∂W, which is written last."""
    n, d = linear.hidden.shape
    return int(min(n, d)) if cpu_blocks.BLOCK <= _span(linear) <= size else 0


def _span(linear: Linear) -> int:
    """The classes of a span: whole blocks, at most SPAN, of which half of the memory holds all rows that are lent."""
    rows = max(1, *linear.hidden.shape) if 0 in linear.hidden.shape else min(linear.hidden.shape)
    return int(min(SPAN, linear.memory // (2 * linear.itemsize * rows)) // cpu_blocks.BLOCK * cpu_blocks.BLOCK)


def _in_its_own_memory(
    linear: Linear, h: np.ndarray, rows: slice, asked: Any, by_hidden: Any, by_weight: np.ndarray, by_bias: Any
) -> bool:
    """The first rows: their logits, then δ, stand at the end of ∂W's memory, span by span, and make room for it from its start.

    A span of ∂W that reaches into the δ that it is made of is made from a copy.
    """
    W, (n, d), k, dtype, span = linear.weight, h.shape, len(by_weight), by_weight.dtype, _span(linear)
    start = (d - n) * k
    whole, apart = by_weight.reshape(-1)[start:], None
    spans = [(classes, whole[n * classes.start : n * classes.stop].reshape(n, -1)) for classes in _blocks(k, span)]
    for classes, z in spans:
        np.matmul(h, _wide(W[classes], dtype).T, out=z)
        if linear.bias is not None:
            z += _wide(linear.bias[classes], dtype)
    right = cpu.fused_in_spans(whole.reshape(n, k), span, linear.target[rows], linear.each, **asked)
    for classes, z in spans:
        if by_hidden is not None:
            _product(z, _wide(W[classes], dtype), by_hidden[rows], anew=classes.start == 0)
        if by_bias is not None:
            z.sum(axis=0, out=by_bias[classes])
        if classes.stop * d > start + n * classes.start:
            apart = np.empty(n * span, dtype) if apart is None else apart
            copied = apart[: z.size].reshape(z.shape)
            np.copyto(copied, z)
            z = copied
        np.matmul(z.T, h, out=by_weight[classes])
    return right


def _chunks(linear: Linear, size: int, first: int = 0) -> list[slice]:
    """The rows from `first` on, chunk by chunk: what else is held is taken from the memory first."""
    (k, d), wide = linear.weight.shape, linear.hidden.dtype != linear.whole.dtype
    needs_copy = wide or not linear.hidden.flags.c_contiguous
    its_scratch = threads() * cpu_rows.scratch_size(k, not linear.whole.hard)
    fixed = linear.itemsize * (its_scratch + (size * d if wide else 0))
    a_row = linear.itemsize * (k + (d if needs_copy else 0) + (d if wide else 0))
    return list(linear.chunks(a_row, memory=linear.memory - fixed, first=first))


def _wide(x: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """x in the type computed in; uint16 is bfloat16, the upper half of a float32."""
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(dtype, copy=False)


def _blocks(k: int, size: int) -> Iterator[slice]:
    """The classes, so many at a time."""
    return (slice(start, min(start + size, k)) for start in range(0, k, size))


def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray, *, anew: bool) -> None:
    """out = a·b, or out += a·b."""
    if anew:
        np.matmul(a, b, out=out)
    else:
        add_product(a, b, out)
