"""A small batch in one piece of machine code: targets, rows, reduction and gradient, for whoever has addresses and no time.

At 32 rows of 10 classes the loops of `cpu_columns` take a few microseconds, and everything around them in Python ten times that.
Here the whole call is compiled, around the very same loops: class indices, weights, smoothing and z-loss, reduced by mean, sum or
none. The sum over the rows is compensated, in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from xent import memory
from xent.kernels import Kernel, cached, compiled, specialised
from xent.ops import cpu_blocks, cpu_columns, cpu_rows

REDUCTIONS = {"none": 0, "sum": 1, "mean": 2}


@intrinsic
def integer(typing: Any, address: Any, i: Any) -> Any:
    """The i-th int64 after the address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.gep(builder.inttoptr(args[0], ir.IntType(64).as_pointer()), [args[1]]))

    return types.int64(types.int64, types.int64), generate


def _counted(y: Any, n: Any, k: Any, weight: Any, ignore: Any) -> Any:
    """What a mean divides by: the rows that are not ignored, or the sum of their weights."""
    whole = np.float64(0)
    for row in range(n):
        t = integer(y, row)
        if t != ignore and t >= 0 and t < k:
            whole += np.float64(peek(weight, t)) if weight != 0 else np.float64(1)
    return whole


def _summed(costs: Any) -> Any:
    """Their sum, what each addition loses carried along (Neumaier, 1974)."""
    s, lost = np.float64(0), np.float64(0)
    for cost in costs:
        x = np.float64(cost)
        t = s + x
        lost += (s - t) + x if abs(s) >= abs(x) else (x - t) + s
        s = t
    return s + lost if np.isfinite(s) else s


def _few(job: Any, z_class: Any, g_class: Any, target: Any, scale: Any, costs: Any, n: Any) -> Any:
    """All rows by `cpu_columns`."""
    scratch = np.empty(FIRST + LANES * job.classes, real)
    return columns(job, z_class, g_class, target, scale, costs, 0, n, scratch.ctypes.data)


def _many(job: Any, z_class: Any, g_class: Any, target: Any, scale: Any, costs: Any, n: Any) -> Any:
    """All rows by `cpu_rows`, whose classes lie side by side."""
    blocks = (job.classes + BLOCK - 1) // BLOCK
    scratch = np.empty(BLOCK + (blocks + STEP - 1) // STEP * STEP + blocks * BLOCK, real)
    return rows(job, target, scale, costs, np.empty((0, COLUMNS), real), 0, n, scratch.ctypes.data)


def _batch(
    z: Any, z_row: Any, z_class: Any, n: Any, k: Any, y: Any, weight: Any, ignore: Any, smoothing: Any, z_loss: Any,
    reduction: Any, cost: Any, g: Any, g_row: Any, g_class: Any,
) -> Any:  # fmt: skip
    """Cost and gradient of n rows of k classes; how many targets are none, where nothing that is written means anything.

    z, y, weight, cost, g are addresses (weight and g 0 for none), y of int64 side by side, distances in bytes; z_class is the size
    of a number where the rows are long. `cost` has room for one number, or n where nothing is reduced.
    """
    target = np.empty(n, np.int64)
    for row in range(n):
        target[row] = integer(y, row)
    costs, scale = np.empty(n, real), np.ones(1, real)
    by = counted(y, n, k, weight, ignore) if reduction == 2 else np.float64(1)
    if reduction == 2:
        scale[0] = np.float64(1) / by
    job = Job(z, z_row, 0, 0, g, g_row, weight, k, 0, ignore, False, 0, ZERO, real(smoothing), real(z_loss), ZERO, ONE, 0, ZERO)
    odd = loop(job, z_class, g_class, target, scale, costs, n)
    if reduction == 0:
        for row in range(n):
            poke(cost, row, costs[row])
    else:
        poke(cost, 0, real(summed(costs) / by))
    return odd


@cache
def kernel(storage: str, few: bool) -> Kernel:
    """The whole call, for logits of one storage type, by rows of few classes or of many."""
    known = cpu_blocks.names(storage) | {"Job": cpu_rows.Job, "COLUMNS": len(cpu_rows.STATISTICS)}
    if few:
        known |= {"columns": cpu_columns.kernel(storage), "LANES": cpu_columns.LANES, "FIRST": cpu_columns.FIRST}
    else:
        known |= {"rows": cpu_rows.kernel(storage), "BLOCK": cpu_blocks.BLOCK, "STEP": cpu_blocks.STEP}
    rows = "few" if few else "many"  # in every name: machine code that was cached apart is told apart by names alone
    called: dict[str, Callable[..., Any]] = {"counted": _counted, "summed": _summed, "loop": _few if few else _many}
    for name, function in called.items():
        known[name] = compiled(specialised(function, f"{name}_{storage}_{rows}", **known), inline=False, freedoms=())
    whole = compiled(specialised(_batch, f"batch_{storage}_{rows}", **known), inline=False, freedoms=())
    return cached(whole, __file__, cpu_columns.__file__, cpu_rows.__file__, cpu_blocks.__file__, memory.__file__)
