"""Cross-entropy of rows with few classes, fused: a vector is made of rows, so that ten classes fill it as well as a thousand.

LANES rows are laid out class by class in the first-level cache; every loop goes over the rows of one class. The formulas are those
of `cpu_rows`, for class indices without smoothing, softcap, temperature, φ and statistics; the rest goes there. Logits are measured
against the target's, so that nobody has to look for the greatest: s = Σ_{j≠t} e^(z_j − z_t) costs log1p(s). Where a row is so wrong
that this is beyond the number type, its batch is done once more against the greatest.
Names that are not defined here (real, peek, BASE, …) are filled in by `specialised`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from xent import memory
from xent.kernels import Kernel, cached, compiled, specialised
from xent.ops import cpu_blocks
from xent.ops.options import Options

LANES = 64
MOST = 448
"""Bytes of a row, in the type computed in, up to which a vector is made of rows: LANES rows of exponentials take 28 KiB."""
TARGET, PEAK, AT, SUM, EACH, OWN, SCALE, WEIGHT, COST, FIRST = range(0, 10 * LANES, LANES)
"""Where the rows' own numbers stand in scratch, before their exponentials (TARGET: its index as a number, −1 where there is none;
PEAK: the greatest logit, AT: the target's)."""


def knows(options: Options, hard: bool, classes: int, size: int) -> bool:
    """Whether this file's loop has these options, for logits of so many bytes each.

    z-loss where no weight can leave it the whole cost: then lse has to be exact.
    """
    plain = options.shape is None and options.softcap is None and options.temperature == 1 and options.label_smoothing == 0
    plain = plain and (options.z_loss == 0 or options.weight is None)
    return hard and plain and classes * max(size, 4) <= MOST and not options.stats


def _gather(z: Any, z_row: Any, z_class: Any, n: Any, k: Any, e: Any) -> None:
    """The logits of n rows, class by class."""
    if z_row == SIZE:
        for j in range(k):
            for r in range(n):
                poke(e + j * COLUMN, r, peek_z(z + j * z_class, r))
    elif z_class == SIZE and n == LANES:
        whole = k // GROUP * GROUP
        for j in range(0, whole, GROUP):
            for r in range(0, LANES, TILE):
                gather_group(z + r * z_row + j * SIZE, z_row, e + j * COLUMN + r * WIDE, COLUMN)
        if (k - whole) & 2:
            for r in range(0, LANES, TILE):
                gather_two(z + r * z_row + whole * SIZE, z_row, e + whole * COLUMN + r * WIDE, COLUMN)
        if k & 1:
            for r in range(0, LANES, TILE):
                gather_one(z + r * z_row + (k - 1) * SIZE, z_row, e + (k - 1) * COLUMN + r * WIDE, COLUMN)
    else:
        for r in range(n):
            for j in range(k):
                poke(e + j * COLUMN, r, peek_z(z + r * z_row + j * z_class, 0))


def _scatter(e: Any, g: Any, g_row: Any, g_class: Any, n: Any, k: Any) -> None:
    if g_row == SIZE:
        for j in range(k):
            for r in range(n):
                poke_g(g + j * g_class, r, peek(e + j * COLUMN, r))
    elif g_class == SIZE and n == LANES:
        whole = k // GROUP * GROUP
        for r in range(0, LANES, TILE):
            for j in range(0, whole, GROUP):
                scatter_group(e + j * COLUMN + r * WIDE, COLUMN, g + r * g_row + j * SIZE, g_row)
            if (k - whole) & 2:
                scatter_two(e + whole * COLUMN + r * WIDE, COLUMN, g + r * g_row + whole * SIZE, g_row)
            if k & 1:
                scatter_one(e + (k - 1) * COLUMN + r * WIDE, COLUMN, g + r * g_row + (k - 1) * SIZE, g_row)
    else:
        for r in range(n):
            for j in range(k):
                poke_g(g + r * g_row + j * g_class, 0, peek(e + j * COLUMN, r))


def _aimed(y: Any, n: Any, k: Any, ignore: Any, weight: Any, lanes: Any) -> Any:
    """n rows' targets among the lanes; how many of them are ignored, and how many targets are none."""
    ignored, odd = 0, 0
    for r in range(n):
        t = peek_whole(y, r)
        is_none, skipped, number = (t < 0) | (t >= k), t == ignore, real(np.int32(t))
        poke(lanes, TARGET + r, -ONE if is_none | skipped else number)
        ignored += skipped
        odd += is_none & (not skipped)
    if weight != 0:
        for r in range(n):
            t = peek_whole(y, r)
            poke(lanes, WEIGHT + r, peek(weight, t) if t >= 0 and t < k else ONE)
    return ignored, odd


def _own(k: Any, lanes: Any) -> None:
    """The targets' logits; the first class's where there is no target."""
    for r in range(LANES):
        poke(lanes, AT + r, peek(lanes, FIRST + r))
    for j in range(1, k):
        own = real(np.int32(j))
        for r in range(LANES):
            v, before = peek(lanes, FIRST + j * LANES + r), peek(lanes, AT + r)
            poke(lanes, AT + r, v if peek(lanes, TARGET + r) == own else before)


def _greatest(k: Any, lanes: Any) -> None:
    for r in range(LANES):
        poke(lanes, PEAK + r, NINF)
        poke(lanes, AT + r, NINF)
    for j in range(k):
        own = real(np.int32(j))
        for r in range(LANES):
            v, before = peek(lanes, FIRST + j * LANES + r), peek(lanes, AT + r)
            poke(lanes, PEAK + r, larger(peek(lanes, PEAK + r), v))
            poke(lanes, AT + r, v if peek(lanes, TARGET + r) == own else before)


def _sums(k: Any, lanes: Any) -> None:
    """e^(z − m) of all classes, and their sum without the target's; m is in the lanes BASE: the greatest logit or the target's."""
    for r in range(LANES):
        poke(lanes, SUM + r, ZERO)
    for j in range(k):
        at, own = FIRST + j * LANES, real(np.int32(j))
        for r in range(LANES):
            high, low = gap(peek(lanes, at + r), peek(lanes, BASE + r))
            x, before = exponential(high, low), peek(lanes, SUM + r)
            poke(lanes, at + r, x)
            poke(lanes, SUM + r, before + x if peek(lanes, TARGET + r) != own else before)


def _fine(lanes: Any) -> Any:
    """Whether no logit is far beyond its target's, none of these infinite, and no factor so small that a share loses digits."""
    nothing = ZERO
    for r in range(LANES):
        by = abs(peek(lanes, WEIGHT + r) * peek(lanes, SCALE + r))
        far, small = not peek(lanes, SUM + r) < BEYOND, by < SMALL and by > ZERO
        nothing = plus(nothing, ZERO * peek(lanes, AT + r) + (ONE if far or small else ZERO))
    return nothing == ZERO


def _prices(lanes: Any, z_loss: Any) -> None:
    """The cost of each row; EACH is what its exponentials are multiplied by, OWN the target's gradient."""
    for r in range(LANES):
        m, z_t = peek(lanes, BASE + r), peek(lanes, AT + r)
        s = peek(lanes, SUM + r) + (m - m)  # nan where +∞ is on top, or nothing but masks: no softmax
        w, by = peek(lanes, WEIGHT + r), peek(lanes, SCALE + r)
        top = BASE == AT or z_t == m
        high, low = gap(z_t, m)
        e_t = ONE if top else exp_below(high, low)
        total = s + e_t
        log_total, share = log_and_inverse(total)
        log_total += (s - (total - ONE)) * share if top else ZERO
        lse = m + log_total
        price = w * (log_total + (ZERO if top else m - z_t)) if w != ZERO else s - s
        pull = TWO * z_loss * lse if z_loss > ZERO else ZERO
        poke(lanes, COST + r, price + (z_loss * lse * lse if z_loss > ZERO else ZERO))
        poke(lanes, EACH + r, (w + pull) * by * share)
        poke(lanes, OWN + r, pull * by * (e_t * share) - w * by * (s * share))


def _gradients(k: Any, lanes: Any) -> None:
    for j in range(k):
        at, own = FIRST + j * LANES, real(np.int32(j))
        for r in range(LANES):
            x, its = peek(lanes, at + r) * peek(lanes, EACH + r), peek(lanes, OWN + r)
            poke(lanes, at + r, its if peek(lanes, TARGET + r) == own else x)


def _cleared(k: Any, n: Any, lanes: Any) -> None:
    """Cost and gradient 0 in the rows that have no target."""
    for r in range(n):
        if peek(lanes, TARGET + r) < ZERO:
            poke(lanes, COST + r, ZERO)
            for j in range(k):
                poke(lanes, FIRST + j * LANES + r, ZERO)


def _lines(at: Any, bytes: Any, third: Any) -> None:
    """A third of the cache lines are asked for."""
    each = (bytes + 3 * LINE - 1) // (3 * LINE) * LINE
    for i in range(third * each, (third + 1) * each, LINE):
        prefetch(at + i)


def _ahead(z: Any, z_bytes: Any, g: Any, g_bytes: Any, third: Any) -> None:
    """A third of the next rows' logits, and of the gradient that is about to be written, are asked for."""
    lines(z, z_bytes, third)
    lines_to_write(g, g_bytes, third)


def _columns(job: Any, z_class: Any, g_class: Any, target: Any, scale: Any, cost: Any, start: Any, stop: Any, scratch: Any) -> Any:
    """The rows from start to stop; how many of them have a target that is none. `scratch` is as large as `scratch_size` says."""
    k, wrong, e = job.classes, 0, scratch + FIRST * WIDE
    y, costs, close = np.int64(target.ctypes.data), np.int64(cost.ctypes.data), 2 * k * SIZE
    z_bytes = LANES * job.z_row if z_class == SIZE and job.z_row <= close else 0
    g_bytes = LANES * job.g_row if g_class == SIZE and job.g_row <= close and job.g != 0 else 0
    for i in range(FIRST + LANES * k):
        poke(scratch, i, ZERO)
    for r in range(LANES):
        poke(scratch, WEIGHT + r, ONE)
        poke(scratch, SCALE + r, scale[0])
    for first in range(start, stop, LANES):
        n = min(LANES, stop - first)
        z, g = job.z + first * job.z_row, job.g + first * job.g_row
        z_next = z + LANES * job.z_row
        gather(z, job.z_row, z_class, n, k, e)
        ahead(z_next, z_bytes, g, g_bytes, 0)
        ignored, odd = aimed(y + first * 8, n, k, job.ignore, job.weight, scratch)
        wrong += odd
        if job.scale_step != 0:
            for r in range(n):
                poke(scratch, SCALE + r, scale[first + r])
        ahead(z_next, z_bytes, g, g_bytes, 1)
        by_own = job.z_loss == ZERO  # lse itself is not to be had from a difference with the target's logit
        if by_own:
            own(k, scratch)
            sums_by_own(k, scratch)
            by_own = fine(scratch)
            if not by_own:
                gather(z, job.z_row, z_class, n, k, e)
        ahead(z_next, z_bytes, g, g_bytes, 2)
        if by_own:
            prices_by_own(scratch, ZERO)
        else:
            greatest(k, scratch)
            sums(k, scratch)
            prices(scratch, job.z_loss)
        if job.g != 0:
            gradients(k, scratch)
        if ignored + odd > 0:
            cleared(k, n, scratch)
        for r in range(n):
            poke(costs, first + r, peek(scratch, COST + r))
        if job.g == 0:
            continue
        scatter(e, g, job.g_row, g_class, n, k)
        for j in range(k, k + job.padding):
            for r in range(n):
                poke_g(g + r * job.g_row + j * g_class, 0, ZERO)
    return wrong


def scratch_size(classes: int) -> int:
    """Numbers of scratch for one thread: the rows' own numbers, then their exponentials class by class."""
    return FIRST + LANES * classes


CALLED: dict[str, Callable[..., Any]] = {
    "gather": _gather,
    "scatter": _scatter,
    "ahead": _ahead,
    "aimed": _aimed,
    "own": _own,
    "greatest": _greatest,
    "fine": _fine,
    "gradients": _gradients,
    "cleared": _cleared,
}


@cache
def turning(storage: str) -> tuple[Kernel, Kernel]:
    """`_gather` and `_scatter` by themselves."""
    gather, scatter = (
        compiled(specialised(function, f"{name}_{storage}", **_names(storage)), inline=False, freedoms={"contract"})
        for name, function in (("gather", _gather), ("scatter", _scatter))
    )
    return gather, scatter


def _names(storage: str) -> dict[str, Any]:
    known, inner = cpu_blocks.names(storage), memory.accesses(storage)
    known = known | {"COLUMN": LANES * known["WIDE"], "TILE": inner.TILE, "GROUP": inner.GROUP, "SMALL": known["real"](1e-17)}
    known["peek_whole"] = memory.peek_whole
    for name, n in (("group", inner.GROUP), ("two", 2), ("one", 1)):
        known |= {f"gather_{name}": inner.gather[n], f"scatter_{name}": inner.scatter[n]}
    return known


@cache
def kernel(storage: str) -> Kernel:
    """The loop over rows, for logits of one storage type."""
    known = _names(storage)
    called = [(name, function, known) for name, function in CALLED.items()]
    known["lines"], known["lines_to_write"] = (
        compiled(specialised(_lines, name, LINE=memory.LINE, prefetch=ask))
        for name, ask in (("lines", memory.prefetch), ("lines_to_write", memory.prefetch_to_write))
    )
    for ending, base, exponential in (("", PEAK, known["exp_of_two"]), ("_by_own", AT, known["exp_towards"])):
        measured = known | {"BASE": base, "exponential": exponential}
        called += [("sums" + ending, _sums, measured), ("prices" + ending, _prices, measured)]
    for name, function, names in called:
        known[name] = compiled(specialised(function, f"{name}_{storage}", **names), inline=False, freedoms={"contract"})
    columns = compiled(specialised(_columns, f"columns_{storage}", **known), inline=False, freedoms={"contract"})
    return cached(columns, __file__, cpu_blocks.__file__, memory.__file__)
