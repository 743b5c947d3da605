"""A batch, or a thread's part of one, in one piece of machine code: all of it, for whoever has addresses.

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
from numba import carray  # type: ignore[attr-defined]  # it says nothing of what it exports
from numba.core import types
from numba.extending import intrinsic

from xent import memory
from xent.kernels import Kernel, cached, compiled, specialised
from xent.ops import cpu_blocks, cpu_columns, cpu_rows
from xent.ops.options import Options

GRAIN = 1 << 16
"""Logits that are worth a thread of their own: fewer are a small batch."""
PLACES = 32
"""Sums side by side."""
NONE, SUM, MEAN, PART = range(4)
"""How the costs are reduced; a part's are summed, and its gradient is that of a mean of all parts."""
REDUCTIONS = {"none": NONE, "sum": SUM, "mean": MEAN}
STATE = BEGUN, BY, TAKEN, DONE, ODD = range(5)
"""What threads that share a batch know: whether it has begun, what a mean divides by (a float64), rows that somebody has taken,
rows that are done, targets that are none."""


@intrinsic
def advance(typing: Any, address: Any, by: Any) -> Any:
    """Adds to the int64 at the address, which other threads add to as well; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, args[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def pointer(typing: Any, address: Any) -> Any:
    """An address of int64 numbers as what `carray` takes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), generate


def _counted(y: Any, n: Any, k: Any, weight: Any, ignore: Any) -> Any:
    """What a mean divides by: the rows that are not ignored, or the sum of their weights."""
    target = carray(pointer(y), n)
    if weight == 0:
        rows = 0
        for t in target:
            rows += 1 if t != ignore and t >= 0 and t < k else 0
        return np.float64(rows)
    whole = np.float64(0)
    for start in range(0, n, 256):  # a sum of sums, whose errors are those of a few hundred additions
        some = np.float64(0)
        for t in target[start : start + 256]:
            some += np.float64(peek(weight, t)) if t != ignore and t >= 0 and t < k else np.float64(0)
        whole += some
    return whole


def _carried(s: Any, lost: Any, x: Any) -> Any:
    """s + x, and what rounding has taken from this sum and those before it (Knuth's two-sum)."""
    t = s + x
    part = t - s
    return t, lost + ((s - (t - part)) + (x - part))


def _summed(costs: Any) -> Any:
    """Their sum in float64, with what rounding takes carried along: in so many sums side by side that vectors are full."""
    s, lost = np.zeros(PLACES), np.zeros(PLACES)
    whole = len(costs) // PLACES * PLACES
    for start in range(0, whole, PLACES):
        some = costs[start : start + PLACES]
        for i in range(PLACES):
            s[i], lost[i] = carried(s[i], lost[i], np.float64(some[i]))
    total, rest = np.float64(0), np.float64(0)
    for x in costs[whole:]:
        total, rest = carried(total, rest, np.float64(x))
    for i in range(PLACES):
        total, rest = carried(total, rest + lost[i], s[i])
    return total + rest if np.isfinite(total) else total


def _few(job: Any, z_class: Any, g_class: Any, target: Any, scale: Any, costs: Any, n: Any) -> Any:
    """All rows by `cpu_columns`."""
    scratch = np.empty(FIRST + LANES * job.classes + LINE // WIDE, real)
    start = (scratch.ctypes.data + LINE - 1) // LINE * LINE
    odd = columns(job, z_class, g_class, target, scale, costs, 0, n, start)
    return odd + min(scratch.size, 0)  # so long Numba must not free it


def _many(job: Any, z_class: Any, g_class: Any, target: Any, scale: Any, costs: Any, n: Any) -> Any:
    """All rows by `cpu_rows`, whose classes lie side by side."""
    blocks = (job.classes + BLOCK - 1) // BLOCK
    scratch = np.empty(BLOCK + (blocks + STEP - 1) // STEP * STEP + blocks * BLOCK + LINE // WIDE, real)
    start = (scratch.ctypes.data + LINE - 1) // LINE * LINE
    odd = rows(job, target, scale, costs, np.empty((0, COLUMNS), real), 0, n, start)
    return odd + min(scratch.size, 0)


def _batch(
    z: Any, z_row: Any, z_class: Any, n: Any, k: Any, y: Any, weight: Any, ignore: Any, smoothing: Any, z_loss: Any,
    reduction: Any, by: Any, past: Any, cost: Any, g: Any, g_row: Any, g_class: Any,
) -> Any:  # fmt: skip
    """Cost and gradient of n rows of k classes; how many targets are none, where nothing that is written means anything.

    z, y, weight, cost, g are addresses (weight and g 0 for none), y of int64 side by side, distances in bytes; z_class is the size
    of a number where the rows are long. `by` is what a part's mean divides by, and `past` says whether to write past the caches.
    `cost` has room for one number, for n where nothing is reduced, and for a float64, the sum, where this is a part.
    """
    target, costs, scale = carray(pointer(y), n), np.empty(n, real), np.ones(1, real)
    if reduction == MEAN:
        by = counted(y, n, k, weight, ignore)
    scale[0] = np.float64(1) / by
    job = Job(
        z, z_row, 0, 0, g, g_row, weight, k, 0, ignore, past, 0, ZERO, real(smoothing), real(z_loss), ZERO, ONE, 0, ZERO, 0, 0, 0
    )
    odd = loop(job, z_class, g_class, target, scale, costs, n)
    if reduction == NONE:
        for row in range(n):
            poke(cost, row, costs[row])
    elif reduction == PART:
        poke_sum(cost, 0, summed(costs))
    else:
        poke(cost, 0, real(summed(costs) / by))
    return odd


def _shared(
    z: Any, z_row: Any, z_class: Any, n: Any, k: Any, y: Any, weight: Any, ignore: Any, smoothing: Any, z_loss: Any,
    reduction: Any, past: Any, cost: Any, g: Any, g_row: Any, g_class: Any,
    part: Any, state: Any, sums: Any, leads: Any, looks: Any,
) -> Any:  # fmt: skip
    """`_batch` for whoever takes parts of so many rows until none is left; each part's sum of costs to its place in `sums`.

    `state` is the address of what all of them know, as `STATE` has it. The one who leads says what a mean divides by, and waits
    for the others at the end: both are waited for wide awake, for at most so many looks, since sleep would take longer. Without
    the one who leads nobody begins.
    """
    if leads:
        poke_sum(state, BY, counted(y, n, k, weight, ignore) if reduction == MEAN else np.float64(1))
        advance(state + 8 * BEGUN, 1)
    for _ in range(looks):
        if advance(state + 8 * BEGUN, 0) == 1:
            break
    if advance(state + 8 * BEGUN, 0) == 0:
        return
    by, how = peek_sum(state, BY), NONE if reduction == NONE else PART
    while True:
        start = advance(state + 8 * TAKEN, part)
        if start >= n:
            break
        rows = min(part, n - start)
        to = cost + start * WIDE if how == NONE else sums + start // part * 8
        odd = batch(
            z + start * z_row, z_row, z_class, rows, k, y + start * 8, weight, ignore, smoothing, z_loss, how, by, past, to,
            g + start * g_row if g != 0 else 0, g_row, g_class,
        )  # fmt: skip
        advance(state + 8 * ODD, odd)
        advance(state + 8 * DONE, rows)
    if leads:
        for _ in range(looks):
            if advance(state + 8 * DONE, 0) == n:
                break


def _closed(state: Any, sums: Any, parts: Any, reduction: Any, cost: Any) -> Any:
    """The cost of a batch whose parts are all done, written where something is reduced; how many targets are none."""
    total, lost = np.float64(0), np.float64(0)
    for i in range(parts):
        total, lost = carried(total, lost, peek_sum(sums, i))
    if reduction != NONE:
        poke(cost, 0, real((total + lost if np.isfinite(total) else total) / peek_sum(state, BY)))
    return advance(state + 8 * ODD, 0)


def knows(options: Options, hard: bool) -> bool:
    """Whether the kernel has these options, weights among them."""
    many = options.shape or options.softcap or options.temperature != 1 or options.valid_classes or options.stats
    return hard and not many and options.denominator is None and options.on_empty == "nan"


def choices(options: Options) -> tuple[int, float, float]:
    """The kernel's arguments from `ignore` to `z_loss`."""
    return options.ignore_index, options.label_smoothing, options.z_loss


@cache
def kernel(storage: str, few: bool) -> Kernel:
    """The whole call, for logits of one storage type, by rows of few classes or of many."""
    return _kept(_batch, "batch", storage, few)


@cache
def shared(storage: str, few: bool) -> Kernel:
    """The same for several threads."""
    return _kept(_shared, "shared", storage, few, batch=kernel(storage, few))


def _kept(function: Callable[..., Any], kind: str, storage: str, few: bool, **more: Any) -> Kernel:
    known = cpu_blocks.names(storage) | {"Job": cpu_rows.Job, "LINE": memory.LINE, "COLUMNS": len(cpu_rows.STATISTICS)}
    float64 = memory.accesses("float64")
    known |= {"poke_sum": float64.poke, "peek_sum": float64.peek, "counted": count(memory.computed(storage))}
    if few:
        known |= {"columns": cpu_columns.kernel(storage), "LANES": cpu_columns.LANES, "FIRST": cpu_columns.FIRST}
    else:
        known |= {"rows": cpu_rows.kernel(storage), "BLOCK": cpu_blocks.BLOCK, "STEP": cpu_blocks.STEP}
    rows = "few" if few else "many"  # in every name: machine code that was cached apart is told apart by names alone
    known["carried"] = compiled(_carried, freedoms=())
    called: dict[str, Callable[..., Any]] = {"summed": _summed, "loop": _few if few else _many}
    for name, inner in called.items():
        known[name] = compiled(specialised(inner, f"{name}_{storage}_{rows}", **known), inline=False, freedoms=())
    whole = compiled(specialised(function, f"{kind}_{storage}_{rows}", **known, **more), inline=False, freedoms=())
    return cached(whole, __file__, cpu_columns.__file__, cpu_rows.__file__, cpu_blocks.__file__, memory.__file__)


@cache
def count(dtype: str) -> Kernel:
    """`_counted` for weights of one type."""
    known = {"peek": memory.accesses(dtype).peek}
    counted = compiled(specialised(_counted, f"counted_{dtype}", **known), inline=False, freedoms=())
    return cached(counted, __file__, memory.__file__)


@cache
def closed(dtype: str) -> Kernel:
    """`_closed` for costs of one type."""
    known = {"poke": memory.accesses(dtype).poke, "real": np.dtype(dtype).type, "peek_sum": memory.accesses("float64").peek}
    known["carried"] = compiled(_carried, freedoms=())
    return cached(compiled(specialised(_closed, f"closed_{dtype}", **known), inline=False, freedoms=()), __file__, memory.__file__)
