"""A batch, or a thread's part of one, in one piece of machine code: all of it, for whoever has addresses.

At 32 rows of 10 classes the loops of `cpu_columns` take a few microseconds, and everything around them in Python ten times that.
Here the whole call is compiled, around the very same loops: class indices, weights, smoothing and z-loss, reduced by mean, sum or
none. The sum over the rows is taken in float64, and compensated where the costs are float64 too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import carray  # type: ignore[attr-defined]  # it says nothing of what it exports
from numba.core import types
from numba.extending import intrinsic

from xent import crew, memory
from xent.crew import advance, call, dismiss, seen, summon
from xent.kernels import Kernel, bits_of, cached, compiled, entry, number_of, specialised
from xent.ops import cpu_blocks, cpu_columns, cpu_rows
from xent.ops.options import Options

GRAIN = 1 << 16
"""Logits that are worth a thread of their own: fewer are a small batch."""
PLACES = 32
"""Sums side by side."""
NONE, SUM, MEAN, PART = range(4)
"""How the costs are reduced; a part's are summed, and its gradient is that of a mean of all parts."""
REDUCTIONS = {"none": NONE, "sum": SUM, "mean": MEAN}
PLAN = Z_ROW, Z_CLASS, ROWS, CLASSES, IGNORE, SMOOTHING, Z_LOSS, REDUCTION, G_ROW, G_CLASS, ROWS_A_PART = tuple(range(11))
"""What is known of a batch before its numbers are: arguments of `_batch`, and the rows of a part, 0 where there is only one."""
JOB = LAID_OUT, Z, Y, WEIGHT, COST, G, PAST, BEGUN, BY, TAKEN, DONE, ODD = tuple(range(12))
"""What threads that share a batch know: where its plan is, addresses, whether to write past the caches; whether it has begun, what
a mean divides by (a float64), rows that somebody has taken, rows that are done, targets that are none. Then the parts' sums."""


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


def _summed32(costs: Any) -> Any:
    """The sum of float32 costs: float64 has digits to spare."""
    s, at = np.float64(0), costs.ctypes.data
    for i in range(len(costs)):
        s = plus(s, np.float64(peek(at, i)))
    return s


def _summed64(costs: Any) -> Any:
    """The sum of float64 costs, with what rounding takes carried along: in so many sums side by side that vectors are full."""
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


def _parts(at: Any) -> Any:
    """Parts of the batch whose `JOB` is at an address, until none is left."""
    job = carray(pointer(at), len(JOB))
    plan = carray(pointer(job[LAID_OUT]), len(PLAN))
    while seen(at + 8 * BEGUN) == 0:  # the one who has called the others is counting
        pass
    n, part, reduction = plan[ROWS], plan[ROWS_A_PART], plan[REDUCTION]
    while True:
        start = advance(at + 8 * TAKEN, part)
        if start >= n:
            return np.int32(0)
        rows = min(part, n - start)
        odd = batch(
            job[Z] + start * plan[Z_ROW], plan[Z_ROW], plan[Z_CLASS], rows, plan[CLASSES],
            job[Y] + start * 8, job[WEIGHT], plan[IGNORE], number_of(plan[SMOOTHING]), number_of(plan[Z_LOSS]),
            NONE if reduction == NONE else PART, number_of(job[BY]), job[PAST] != 0,
            job[COST] + start * WIDE if reduction == NONE else at + 8 * (len(JOB) + start // part),
            job[G] + start * plan[G_ROW] if job[G] != 0 else 0, plan[G_ROW], plan[G_CLASS],
        )  # fmt: skip
        advance(at + 8 * ODD, odd)
        advance(at + 8 * DONE, rows)


def _alone(plan_at: Any, z: Any, y: Any, weight: Any, cost: Any, g: Any) -> Any:
    """A batch by its `PLAN`, in one part; how many targets are none. The addresses are those of `_batch`."""
    plan = carray(pointer(plan_at), len(PLAN))
    return batch(
        z, plan[Z_ROW], plan[Z_CLASS], plan[ROWS], plan[CLASSES], y, weight, plan[IGNORE], number_of(plan[SMOOTHING]),
        number_of(plan[Z_LOSS]), plan[REDUCTION], np.float64(1), False, cost, g, plan[G_ROW], plan[G_CLASS],
    )  # fmt: skip


def _shared(
    plan_at: Any, z: Any, y: Any, weight: Any, cost: Any, g: Any, past: Any, crew_at: Any, helpers: Any, parts_at: Any
) -> Any:  # fmt: skip
    """`_alone` in parts, with as many of the crew's helpers as may come; at `parts_at` is the machine code of `_parts`."""
    plan = carray(pointer(plan_at), len(PLAN))
    n, part, reduction = plan[ROWS], plan[ROWS_A_PART], plan[REDUCTION]
    count = (n + part - 1) // part
    job = np.zeros(len(JOB) + count, np.int64)
    at = np.int64(job.ctypes.data)
    job[LAID_OUT], job[Z], job[Y], job[WEIGHT], job[COST], job[G], job[PAST] = plan_at, z, y, weight, cost, g, past
    called = summon(crew_at, min(helpers, count - 1), parts_at, at)
    by = counted(y, n, plan[CLASSES], weight, plan[IGNORE]) if reduction == MEAN else np.float64(1)
    job[BY] = bits_of(by)
    advance(at + 8 * BEGUN, 1)
    call(parts_at, at, 0, 0)
    dismiss(crew_at, called)
    total, lost = np.float64(0), np.float64(0)
    for i in range(len(JOB), len(JOB) + count):
        total, lost = carried(total, lost, number_of(job[i]))
    if reduction != NONE:
        poke(cost, 0, real((total + lost if np.isfinite(total) else total) / by))
    return job[ODD] + (n - job[DONE])  # where memory ran out, rows are left


def knows(options: Options, hard: bool) -> bool:
    """Whether the kernel has these options, weights among them."""
    many = options.shape or options.softcap or options.temperature != 1 or options.valid_classes or options.stats
    return hard and not many and options.denominator is None and options.on_empty == "nan"


class Shared(NamedTuple):
    """Machine code for a batch that threads share."""

    whole: Kernel
    parts_at: int
    """Where `_parts` is."""
    parts: Any
    """What keeps it there."""


@cache
def alone(storage: str, few: bool) -> Kernel:
    """`_alone` for logits of one storage type, by rows of few classes or of many."""
    return _whole(_alone, storage, few, batch=_batches(storage, few))


@cache
def shared(storage: str, few: bool) -> Shared:
    """`_shared` and its `_parts`."""
    name, known = f"parts_{storage}_{few}", cpu_blocks.names(storage)
    parts = entry(specialised(_parts, name, **known, batch=_batches(storage, few)), *FILES)
    counted = compiled(specialised(_counted, f"counted_{storage}", **known), inline=False, freedoms=())
    return Shared(_whole(_shared, storage, few, counted=counted, carried=_carrying()), parts.address, parts)


def _whole(function: Callable[..., Any], storage: str, few: bool, **names: Any) -> Kernel:
    known = cpu_blocks.names(storage) | names
    name = f"{function.__name__}_{storage}_{few}"  # machine code that was cached apart is told apart by names alone
    return cached(compiled(specialised(function, name, **known), inline=False, freedoms=()), *FILES)


@cache
def _batches(storage: str, few: bool) -> Kernel:
    """`_batch` for logits of one storage type, by rows of few classes or of many."""
    known = cpu_blocks.names(storage) | {"Job": cpu_rows.Job, "COLUMNS": len(cpu_rows.STATISTICS), "carried": _carrying()}
    known |= {"poke_sum": memory.accesses("float64").poke}
    if few:
        known |= {"columns": cpu_columns.kernel(storage), "LANES": cpu_columns.LANES, "FIRST": cpu_columns.FIRST}
    else:
        known |= {"rows": cpu_rows.kernel(storage), "BLOCK": cpu_blocks.BLOCK, "STEP": cpu_blocks.STEP}
    called: dict[str, Callable[..., Any]] = {
        "counted": _counted,
        "summed": _summed64 if memory.computed(storage) == "float64" else _summed32,
        "loop": _few if few else _many,
        "batch": _batch,
    }
    for name, function in called.items():
        known[name] = compiled(specialised(function, f"{name}_{storage}_{few}", **known), inline=False, freedoms=())
    return known["batch"]


@cache
def _carrying() -> Kernel:
    return compiled(_carried, freedoms=())


FILES = (__file__, cpu_columns.__file__, cpu_rows.__file__, cpu_blocks.__file__, memory.__file__, crew.__file__)
"""What the machine code here is made of."""
