"""Cross-entropy of long rows, fused: one read of the logits and one write of the gradient, a block of classes at a time.

A block stands in the first-level cache while its numbers are widened, capped, compared with the greatest logit so far and
exponentiated; a row's exponentials stay in the second level until their sum is known, and are then written as the gradient. What
the running maximum was for each block is kept, and made up for in the block's factor.

The pivot t is the target's class, or the greatest share of a distribution. It stands apart from every sum: s = Σ_{j≠t} e^(z_j − m)
gives log1p(s) for its cost where it is the top class and −s/(s + e) for its own gradient, and both are right to the last digits.
With c_j = y_j w_j, a = 1 − ε and b = ε/V the target costs Σ_j (a c_j + b w_j)(L + (m − z_j)/T), every term of which is positive.

Where another class k has nearly all of the probability, L = log Σ_j e^((z_j − m)/T) is nearly 0 and has lost its digits. The
pivot's own cost hides that, unless smoothing and weights leave it next to nothing, or z-loss or a statistic shows L by itself.
Then k stands apart too: r = Σ_{j≠k} e^((z_j − m)/T) gives L = log1p(r), and with S its a c_k + b w_k and O those of all others its
gradient is (O − S·r)/(1 + r).
Names that are not defined here (real, peek, exp, …) are filled in by `specialised`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from xent import memory
from xent.kernels import Kernel, cached, compiled, specialised
from xent.ops import cpu_blocks
from xent.ops.cpu_blocks import BLOCK, LQ, PLAIN, STEP

STATISTICS = ("lse", "log_prob", "entropy", "rank", "margin", "gain", "error")
"""The columns of `stats`."""

FEW = 4 * BLOCK
"""Classes up to which the gradient's memory is asked for ahead: of longer rows the processor sees for itself where they go."""


class Job(NamedTuple):
    """What all rows of a call share; addresses and distances in bytes."""

    z: int
    z_row: int
    y: int
    """Of probability targets, in the type computed in; 0 for class indices."""
    y_row: int
    g: int
    """Of the gradient; 0 where none is wanted."""
    g_row: int
    weight: int
    """0 where all are 1."""
    classes: int
    padding: int
    ignore: int
    stream: bool
    """Whether the gradient is too large to stay in any cache."""
    scale_step: int
    slack: Any
    smoothing: Any
    z_loss: Any
    softcap: Any
    """0 for none."""
    temperature: Any
    shape: int
    parameter: Any
    unit: int
    """0, or: the logits lie in spans of classes, whole units of so many, as `spans` says, and are made their gradient in place."""
    spans: int
    """Where it says, of the span of each unit, in int64: where class 0 of row 0 would stand, the step of a row, its end."""
    first: int
    """Which of those rows is row 0 here."""


def _place(job: Any, base: Any, step: Any, row: Any, at: Any) -> Any:
    """Where a row's numbers from class `at` on stand; none of what is asked for at once goes beyond its span."""
    if job.unit == 0:
        return base + row * step + at * SIZE
    span = 3 * (at // job.unit)
    return peek_whole(job.spans, span) + (job.first + row) * peek_whole(job.spans, span + 1) + at * SIZE


def _extent(job: Any, at: Any) -> Any:
    """The classes of the block that begins at `at`."""
    n = min(BLOCK, job.classes - at)
    return n if job.unit == 0 else min(n, peek_whole(job.spans, 3 * (at // job.unit) + 2) - at)


def _fill(job: Any, row: Any, start: Any, stop: Any, x: Any) -> None:
    """The gradient of the classes from start to stop is x."""
    if job.unit == 0:
        filled(place(job, job.g, job.g_row, row, start), stop - start, x)
    else:
        for at in range(start, stop):
            poke_g(place(job, job.g, job.g_row, row, at), 0, x)


# ── one row after another ──────────────────────────────────────────────────────────────────────────────────────────────


def _rows(job: Any, target: Any, scale: Any, cost: Any, stats: Any, start: Any, stop: Any, scratch: Any) -> Any:
    """The rows from start to stop; how many of them have a target that is none. `scratch` is laid out as `scratch_size` says.

    `stats` has a row for each row of the logits, or none at all.
    """
    k, blocks, odd = job.classes, (job.classes + BLOCK - 1) // BLOCK, 0
    keep = job.g != 0 or stats.shape[0] > 0
    most_blocks = blocks if job.unit == 0 else 2 * blocks
    v, bases, e = scratch, scratch + BLOCK * WIDE, scratch + (BLOCK + (most_blocks + STEP - 1) // STEP * STEP) * WIDE
    c = e + blocks * BLOCK * WIDE
    a, t, cap, weight = ONE - job.smoothing, job.temperature, job.softcap, job.weight
    for row in range(start, stop):
        pivot = target[row] if job.y == 0 else np.int64(0)
        if job.y == 0 and pivot == job.ignore:
            cost[row] = ZERO
            no_statistics(stats, row)
            if job.g != 0:
                fill(job, row, 0, k + job.padding, ZERO)
            continue
        w_t = ONE
        if job.y != 0:
            whole_of_it, below, most = take(job.y + row * job.y_row, weight, k, c)
            pivot = first(c, most, k)
            if not (below <= ZERO and abs(whole_of_it - ONE) <= job.slack):
                pivot = np.int64(-1)
        if pivot < 0 or pivot >= k:
            cost[row] = NAN
            odd += 1
            continue
        w_t = peek(weight, pivot) if weight != 0 else ONE
        c_t = w_t
        if job.y != 0:
            c_t = peek(c, pivot)
            poke(c, pivot, ZERO)

        m, s, z_t, count, w_others, d_spread, c_others, d_target = summed(job, row, pivot, np.int64(-1), keep, v, bases, e, c)
        if not (m > NINF and m < -NINF):
            cost[row] = NAN  # +∞ on top, or nothing but masks: no softmax
            no_statistics(stats, row)
            if job.g != 0:
                fill(job, row, 0, k, NAN)
                fill(job, row, k, k + job.padding, ZERO)
            continue

        # what they come to
        bare = z_t == NINF
        e_t, total, log_total, depth = settled(m, s, z_t, t)
        p, rest = e_t / total, s / total
        b = ZERO
        if job.smoothing > ZERO:
            b = job.smoothing / (count + (ZERO if bare else ONE))
        slope = ONE
        if job.shape == PLAIN:
            own = a * c_t + (ZERO if bare else b * w_t)
            others = a * c_others + b * w_others
        else:
            power = ZERO
            if job.shape == LQ:
                power = total ** (-job.parameter) * power_of_gap(z_t, m, t, job.parameter)
            value, slope = phi(job.shape, job.parameter, log_total + depth, p, rest, power)
            own, others = c_t * slope, ZERO

        # another class is nearly sure, and the pivot's cost does not outweigh what would be lost as a difference from 1
        top, its, r, left = np.int64(-1), ZERO, ZERO, ZERO
        rival = others if weight != 0 and b > ZERO else ZERO  # else no class has more of the cost than the pivot
        if CAREFUL and z_t < m and TWO * (total - ONE) < ONE and (own < rival + job.z_loss or stats.shape[0] > 0):
            top, its, r, left = apart(job, row, pivot, m, b, keep, v, bases, e, c)
            r, left = r + e_t, left + own
            log_total = log1p(r)
        lse = m / t + log_total
        if job.shape == PLAIN:
            far = (a * d_target if a > ZERO else ZERO) + b * d_spread  # a target's share of a mask counts for nothing if a is 0
            price = (own + others) * log_total + far / t + (own * depth if own > ZERO else ZERO)
        else:
            price = c_t * value if c_t > ZERO else ZERO
        pull = TWO * job.z_loss * lse
        cost[row] = price + (job.z_loss * lse * lse if job.z_loss > ZERO else ZERO)
        if CAREFUL and stats.shape[0] > 0:
            if total == total:
                share = job.smoothing / (count + (ZERO if bare else ONE)) if job.smoothing > ZERO else ZERO
                survey(job, pivot, m, z_t, total, p, rest, depth, log_total, lse, share, slope, stats, row, v, e, bases)
            else:
                no_statistics(stats, row)
        if job.g == 0:
            continue

        # the gradient, once more block by block
        by = scale[row * job.scale_step] / t
        at_pivot = (p * (others + pull) - own * rest) * by
        each = (own + others + pull) * by / total
        simple = job.y == 0 and b == ZERO and cap == ZERO
        if cap != ZERO:
            at_pivot *= cap_slope(peek_z(place(job, job.z, job.z_row, row, pivot), 0), cap)
        at_top = ZERO
        if top >= 0:
            at_top = (left + pull - its * r) * by / total
            if cap != ZERO:
                at_top *= cap_slope(peek_z(place(job, job.z, job.z_row, row, top), 0), cap)
        at, block = np.int64(0), np.int64(0)
        while at < k:
            n = extent(job, at)
            here, there = e + at * WIDE, place(job, job.g, job.g_row, row, at)
            f = exp_of_gap(peek(bases, block), m, t) * each
            if simple:
                scaled(here, n, f, there, job.stream)
            else:
                products(here, f, n, v)
                if job.y != 0:
                    less(c + at * WIDE, a * by, n, v)
                if b > ZERO:
                    less_spread(place(job, job.z, job.z_row, row, at), weight + at * WIDE if weight != 0 else 0, b * by, n, v)
                if cap != ZERO:
                    times_slope(place(job, job.z, job.z_row, row, at), cap, n, v)
                scaled(v, n, ONE, there, job.stream)
            at, block = at + n, block + 1
        poke_g(place(job, job.g, job.g_row, row, pivot), 0, at_pivot)
        if top >= 0:
            poke_g(place(job, job.g, job.g_row, row, top), 0, at_top)
        fill(job, row, k, k + job.padding, ZERO)
    return odd


def _either(job: Any, target: Any, scale: Any, cost: Any, stats: Any, start: Any, stop: Any, scratch: Any) -> Any:
    """`_rows`, careful where another class than the pivot can have the cost to itself, or the log of the sum counts by itself."""
    if (job.weight != 0 and job.smoothing > ZERO) or job.z_loss > ZERO or stats.shape[0] > 0:
        return careful(job, target, scale, cost, stats, start, stop, scratch)
    return carefree(job, target, scale, cost, stats, start, stop, scratch)


def _summed(job: Any, row: Any, pivot: Any, top: Any, keep: Any, v: Any, bases: Any, e: Any, c: Any) -> Any:
    """The sums of a row over all classes but the pivot and `top` (−1: none), block by block, relative to the greatest logit so far.

    In turn: that logit m, Σ e^((z_j − m)/T), the pivot's logit; of the classes that are not masked their number, Σ w,
    Σ w·(m − z); of probability targets Σ c, Σ c·(m − z).
    """
    k, t, cap, weight = job.classes, job.temperature, job.softcap, job.weight
    m, s, z_t = NINF, ZERO, ZERO
    count, w_others, d_spread, c_others, d_target = ZERO, ZERO, ZERO, ZERO, ZERO
    at, block = np.int64(0), np.int64(0)
    while at < k:
        n = extent(job, at)
        width = (n + STEP - 1) // STEP * STEP
        here = place(job, job.z, job.z_row, row, at)
        most = load(here, n, width, v) if cap == ZERO else load_capped(here, n, width, cap, v)
        ahead(here + n * SIZE, min(BLOCK, k) * SIZE)
        if job.g != 0 and k <= FEW and job.unit == 0:
            ahead_to_write(job.g + row * job.g_row + at * SIZE, n * SIZE)
        if most > m:
            if m > NINF:
                rise = most - m
                s *= exp_of_gap(m, most, t)
                d_spread += w_others * rise
                d_target += c_others * rise
            m = most
        base = m if m > NINF else ZERO
        if at <= pivot < at + n:
            z_t = peek(v, pivot - at)
            poke(v, pivot - at, NINF)
        if at <= top < at + n:
            poke(v, top - at, NINF)
        to = e + at * WIDE if keep else e
        if t == ONE:
            s += exponentials(v, base, width, to)
        else:
            s += exponentials_divided(v, base, t, width, to)
        poke(bases, block, m)
        if job.smoothing > ZERO:
            some, w, d = spread(v, base, weight + at * WIDE if weight != 0 else 0, n)
            count, w_others, d_spread = count + some, w_others + w, d_spread + d
        if job.y != 0:
            w, d = against(v, base, c + at * WIDE, n)
            c_others, d_target = c_others + w, d_target + d
        at, block = at + n, block + 1
    return m, s, z_t, count, w_others, d_spread, c_others, d_target


def _again(job: Any, row: Any, at: Any, v: Any) -> Any:
    """The block that begins with class `at`, read once more: its logits, capped, and how many they are."""
    n = extent(job, at)
    here = place(job, job.z, job.z_row, row, at)
    if job.softcap == ZERO:
        load(here, n, n, v)
    else:
        load_capped(here, n, n, job.softcap, v)
    return n


def _apart(job: Any, row: Any, pivot: Any, m: Any, b: Any, keep: Any, v: Any, bases: Any, e: Any, c: Any) -> Any:
    """The class that alone has the greatest logit m and is not the pivot: its place and its a·c + b·w.

    Then Σ e^((z_j − m)/T) and Σ (a·c + b·w) over the classes that are neither.
    """
    a, at, block = ONE - job.smoothing, np.int64(0), np.int64(0)
    while peek(bases, block) < m:
        at, block = at + extent(job, at), block + 1
    n = again(job, row, at, v)
    top = at + first(v, m, n)
    its = b * (peek(job.weight, top) if job.weight != 0 else ONE)
    if job.y != 0:
        its += a * peek(c, top)
        poke(c, top, ZERO)
    _, s, _, _, w_others, _, c_others, _ = summed(job, row, pivot, top, keep, v, bases, e, c)
    poke(e, top, ONE)
    return top, its, s, a * c_others + b * w_others


def _survey(
    job: Any, pivot: Any, m: Any, z_t: Any, total: Any, p: Any, rest: Any, depth: Any, log_total: Any, lse: Any,
    b: Any, gain: Any, stats: Any, row: Any, v: Any, e: Any, bases: Any,
) -> None:  # fmt: skip
    """The statistics of a row with a class index, its exponentials known."""
    k, t = job.classes, job.temperature
    spread_out, squares, before, most = ZERO, ZERO, ZERO, NINF
    at, block = np.int64(0), np.int64(0)
    while at < k:
        n = again(job, row, at, v)
        if at <= pivot < at + n:
            poke(v, pivot - at, NINF)
        f = exp_of_gap(peek(bases, block), m, t) / total
        some, square, count, high = surveyed(e + at * WIDE, v, f, b, m, z_t, pivot - at, n)
        spread_out, squares, before, most = spread_out + some, squares + square, before + count, larger(most, high)
        at, block = at + n, block + 1
    if z_t == NINF:
        depth = -NINF
    off = job.smoothing - b - rest if z_t > NINF else p - (ONE - job.smoothing)
    stats[row, 0], stats[row, 1] = lse, -(log_total + depth)
    stats[row, 2] = log_total + spread_out / t + (p * depth if p > ZERO else ZERO)
    stats[row, 3] = before
    stats[row, 4] = -NINF if most == NINF else (z_t - most) / t
    stats[row, 5], stats[row, 6] = gain, np.sqrt(squares + off * off)


def scratch_size(classes: int, soft: bool, spans: bool = False) -> int:
    """Numbers of scratch for one thread: a block, a base for each block, the exponentials of a row, and its shares.

    In spans, which are half a block at least, there may be twice as many blocks.
    """
    blocks = -(-classes // BLOCK)
    return BLOCK + -(-blocks * (2 if spans else 1) // STEP) * STEP + blocks * BLOCK * (2 if soft else 1)


CALLED: dict[str, Callable[..., Any]] = {
    "place": _place, "extent": _extent, "fill": _fill, "summed": _summed, "again": _again, "apart": _apart, "survey": _survey,
}  # fmt: skip


@cache
def kernel(storage: str) -> Kernel:
    """The loop over rows, for logits of one storage type."""
    known = cpu_blocks.names(storage) | {"peek_whole": memory.peek_whole}
    for name, function in CALLED.items():
        within = name == "summed"  # a call for each row would cost as much as thirty classes
        known[name] = compiled(specialised(function, f"{name}_{storage}", **known), inline=within, freedoms={"contract"})
    for name, careful in (("carefree", False), ("careful", True)):
        rows = specialised(_rows, f"{name}_{storage}", **known, CAREFUL=careful)
        known[name] = compiled(rows, inline=False, freedoms={"contract"})
    either = compiled(specialised(_either, f"rows_{storage}", **known), inline=False, freedoms={"contract"})
    return cached(either, __file__, cpu_blocks.__file__, memory.__file__)
