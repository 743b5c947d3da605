"""Cross-entropy of long rows, fused: one read of the logits and one write of the gradient, a block of classes at a time.

A block stands in the first-level cache while its numbers are widened, capped, compared with the greatest logit so far and
exponentiated; a row's exponentials stay in the second level until their sum is known, and are then written as the gradient. What
the running maximum was for each block is kept, and made up for in the block's factor.

The pivot t is the target's class, or the greatest share of a distribution. It stands apart from every sum: s = Σ_{j≠t} e^(z_j − m)
gives log1p(s) for its cost where it is the top class and −s/(s + e) for its own gradient, and both are right to the last digits.
With c_j = y_j w_j, a = 1 − ε and b = ε/V the target costs Σ_j (a c_j + b w_j)(L + (m − z_j)/T), every term of which is positive.
Names that are not defined here (real, peek, exp, …) are filled in by `specialised`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from xent import memory
from xent.kernels import Kernel, bits_of, cached, compiled, mathematics, number_of, specialised

BLOCK = 1024
"""Classes of a block: 4 KiB of float32, 8 of float64."""
STEP = 64
"""The loops over a block take so many numbers at once; what is missing is filled up with classes of logit −∞."""
STATISTICS = ("lse", "log_prob", "entropy", "rank", "margin", "gain", "error")
"""The columns of `stats`."""
PLAIN, FOCAL, POLY, LQ = range(4)
"""φ."""


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


# ── one number ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plus(a: Any, b: Any) -> Any:
    return a + b


def _gap32(v: Any, base: Any) -> Any:
    """v − base: float32 promises what a rounded difference gives."""
    return v - base, ZERO


def _gap64(v: Any, base: Any) -> Any:
    """v − base with its rounding error."""
    high = v - base
    minus = high - v
    return high, (v - (high - minus)) - (base + minus)


def _divided(high: Any, low: Any, t: Any) -> Any:
    """(high + low)/t as a rounded value and the rest."""
    q = high / t
    return q, (fused(-q, t, high) + low) / t


def _exp_below(high: Any, low: Any) -> Any:
    """e^(high + low) for high ≤ 0, within 2 ulp, subnormal results included; nan of nan. Made 2⁶⁴ times as large, and put down."""
    k = fused(high, LOG2E, LIFTED_SHIFT)
    n = k - LIFTED_SHIFT
    f = fused(low, LOG2E, fused(high, LOG2E_LOW, fused(high, LOG2E, -n)))
    v = number_of(whole(bits_of(exp2_part(f)) + whole(bits_of(k) << DIGITS))) * DROP
    return ZERO if high < FLOOR else (v if high >= FLOOR else high)


def _capped(v: Any, cap: Any) -> Any:
    """c·tanh(v/c); −∞ is a mask and stays."""
    u = -TWO * abs(v / cap)
    power, tail = exp_parts(-near if u < -near else u)
    minus = power * tail + (power - ONE)  # e^(−2|v/c|) − 1
    size = cap * (-minus / (minus + TWO))
    size = size if u == u else v
    return v if v == NINF else (-size if v < ZERO else size)


def _cap_slope(v: Any, cap: Any) -> Any:
    """tanh′(v/c) = 4t/(1 + t)², t = e^(−2|v/c|); 0 of a mask."""
    t = exp_below(-TWO * abs(v / cap), ZERO)
    return FOUR * t / ((ONE + t) * (ONE + t))


def _phi(shape: Any, parameter: Any, ell: Any, p: Any, rest: Any, power: Any) -> Any:
    """(φ, φ′) of one surprisal; `power` is p^q."""
    if shape == FOCAL:
        damping = rest**parameter if rest > ZERO else (ONE if parameter == ZERO else rest)
        odds = ell / rest if rest > ZERO else ONE
        pull = p * odds if p > ZERO else p
        return damping * ell, damping * (ONE + parameter * pull)
    if shape == POLY:
        slope = ONE + parameter * p if parameter > ZERO else (ONE + parameter) - parameter * rest
        return ell + parameter * rest, slope
    x = -parameter * ell
    return -np.expm1(x) / parameter, power


# ── one block ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _load(z: Any, n: Any, width: Any, to: Any) -> Any:
    """n logits widened, filled up with masks; their greatest."""
    m = NINF
    for i in range(n):
        v = peek_z(z, i)
        poke(to, i, v)
        m = larger(m, v)
    for i in range(n, width):
        poke(to, i, NINF)
    return m


def _load_capped(z: Any, n: Any, width: Any, cap: Any, to: Any) -> Any:
    m = NINF
    for i in range(n):
        v = capped(peek_z(z, i), cap)
        poke(to, i, v)
        m = larger(m, v)
    for i in range(n, width):
        poke(to, i, NINF)
    return m


def _ahead(z: Any, bytes: Any) -> None:
    """The next block is asked for while this one is worked on."""
    for i in range(0, bytes, LINE):
        prefetch(z + i)


def _exponentials(v: Any, base: Any, width: Any, e: Any) -> Any:
    """e^(v − base) of a block, and their sum."""
    s = ZERO
    for i in range(width):
        high, low = gap(peek(v, i), base)
        x = exp_below(high, low)
        poke(e, i, x)
        s = plus(s, x)
    return s


def _exponentials_divided(v: Any, base: Any, t: Any, width: Any, e: Any) -> Any:
    s = ZERO
    for i in range(width):
        high, low = gap(peek(v, i), base)
        high, low = divided(high, low, t)
        x = exp_below(high, low)
        poke(e, i, x)
        s = plus(s, x)
    return s


def _spread(v: Any, base: Any, weight: Any, n: Any) -> Any:
    """Over the classes that are not masked: their number, Σ w, Σ w·(base − v)."""
    count, w, d = ZERO, ZERO, ZERO
    for i in range(n):
        x = peek(v, i)
        share = ZERO if x == NINF else (peek(weight, i) if weight != 0 else ONE)
        count = plus(count, ZERO if x == NINF else ONE)
        w = plus(w, share)
        d = plus(d, share * (ZERO if x == NINF else base - x))
    return count, w, d


def _against(v: Any, base: Any, c: Any, n: Any) -> Any:
    """Σ c and Σ c·(base − v); no share of a mask is nothing."""
    w, d = ZERO, ZERO
    for i in range(n):
        share = peek(c, i)
        w = plus(w, share)
        d = plus(d, ZERO if share == ZERO else share * (base - peek(v, i)))
    return w, d


def _take(y: Any, weight: Any, n: Any, c: Any) -> Any:
    """c = y·w; Σ y, the greatest of −y and of c."""
    whole_of_it, below, most = ZERO, NINF, NINF
    for i in range(n):
        share = peek(y, i)
        whole_of_it = plus(whole_of_it, share)
        below = larger(below, -share)
        x = share * peek(weight, i) if weight != 0 else share
        most = larger(most, x)
        poke(c, i, x)
    return whole_of_it, below, most


def _first(c: Any, most: Any, n: Any) -> Any:
    """The first place of `most`; n where there is none."""
    place = np.int64(n)
    for i in range(n):
        place = min(place, np.int64(i) if peek(c, i) == most else np.int64(n))
    return place


def _scaled(e: Any, n: Any, f: Any, g: Any, past: Any) -> None:
    """The gradient of a block, e·f, written past the caches where it is too large for them."""
    i = 0
    if past:
        while i < n and (g + i * SIZE) % LINE != 0:
            poke_g(g, i, peek(e, i) * f)
            i += 1
        while i + LINE // SIZE <= n:
            stream(e + i * WIDE, g + i * SIZE, f)
            i += LINE // SIZE
    for j in range(i, n):
        poke_g(g, j, peek(e, j) * f)


def _products(e: Any, f: Any, n: Any, to: Any) -> None:
    for i in range(n):
        poke(to, i, peek(e, i) * f)


def _less(c: Any, a: Any, n: Any, to: Any) -> None:
    for i in range(n):
        poke(to, i, peek(to, i) - a * peek(c, i))


def _less_spread(z: Any, weight: Any, b: Any, n: Any, to: Any) -> None:
    for i in range(n):
        share = b * peek(weight, i) if weight != 0 else b
        poke(to, i, peek(to, i) - (ZERO if peek_z(z, i) == NINF else share))


def _times_slope(z: Any, cap: Any, n: Any, to: Any) -> None:
    for i in range(n):
        poke(to, i, peek(to, i) * cap_slope(peek_z(z, i), cap))


def _filled(g: Any, n: Any, x: Any) -> None:
    for i in range(n):
        poke_g(g, i, x)


def _no_statistics(stats: Any, row: Any) -> None:
    """nan, and no rank."""
    if stats.shape[0] > 0:
        for i in range(7):
            stats[row, i] = NAN
        stats[row, 3] = -ONE


def _surveyed(e: Any, v: Any, f: Any, b: Any, m: Any, z_t: Any, before: Any, n: Any) -> Any:
    """Over a block without the pivot: Σ p(m − v), Σ (p − b)², the number of classes before the pivot, the greatest logit."""
    spread_out, squares, ahead_of, most = ZERO, ZERO, ZERO, NINF
    for i in range(n):
        x, p = peek(v, i), peek(e, i) * f
        spread_out = plus(spread_out, ZERO if x == NINF else p * (m - x))
        off = p - (ZERO if x == NINF else b)
        squares = plus(squares, off * off)
        ahead_of = plus(ahead_of, ONE if x > z_t or (x == z_t and i < before) else ZERO)
        most = larger(most, x)
    return spread_out, squares, ahead_of, most


# ── one row after another ──────────────────────────────────────────────────────────────────────────────────────────────


def _rows(job: Any, target: Any, scale: Any, cost: Any, stats: Any, start: Any, stop: Any, scratch: Any) -> Any:
    """The rows from start to stop; how many of them have a target that is none. `scratch` is laid out as `scratch_size` says.

    `stats` has a row for each row of the logits, or none at all.
    """
    k, blocks, odd = job.classes, (job.classes + BLOCK - 1) // BLOCK, 0
    keep = job.g != 0 or stats.shape[0] > 0
    v, bases, e = scratch, scratch + BLOCK * WIDE, scratch + (BLOCK + (blocks + STEP - 1) // STEP * STEP) * WIDE
    c = e + blocks * BLOCK * WIDE
    a, t, cap, weight = ONE - job.smoothing, job.temperature, job.softcap, job.weight
    for row in range(start, stop):
        z, g = job.z + row * job.z_row, job.g + row * job.g_row
        pivot = target[row] if job.y == 0 else np.int64(0)
        if job.y == 0 and pivot == job.ignore:
            cost[row] = ZERO
            no_statistics(stats, row)
            if job.g != 0:
                filled(g, k + job.padding, ZERO)
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

        # the sums, block by block, relative to the greatest logit so far
        m, s, z_t = NINF, ZERO, ZERO
        count, w_others, d_spread, c_others, d_target = ZERO, ZERO, ZERO, ZERO, ZERO
        for block in range(blocks):
            at = block * BLOCK
            n = min(BLOCK, k - at)
            width = (n + STEP - 1) // STEP * STEP
            here = z + at * SIZE
            most = load(here, n, width, v) if cap == ZERO else load_capped(here, n, width, cap, v)
            ahead(here + n * SIZE, min(BLOCK, k) * SIZE)
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
        if not (m > NINF and m < -NINF):
            cost[row] = NAN  # +∞ on top, or nothing but masks: no softmax
            no_statistics(stats, row)
            if job.g != 0:
                filled(g, k, NAN)
                filled(g + k * SIZE, job.padding, ZERO)
            continue

        # what they come to
        top, bare = z_t == m, z_t == NINF
        e_t = ONE if top else exp_of_gap(z_t, m, t)
        total = s + e_t
        log_total = (log1p(s) if s <= ONE else log(total)) if top else log(total)
        p, rest = e_t / total, s / total
        depth = ZERO if top else (m - z_t) / t
        lse = m / t + log_total
        b = ZERO
        if job.smoothing > ZERO:
            b = job.smoothing / (count + (ZERO if bare else ONE))
        slope = ONE
        if job.shape == PLAIN:
            own = a * c_t + (ZERO if bare else b * w_t)
            others = a * c_others + b * w_others
            price = (own + others) * log_total + (a * d_target + b * d_spread) / t + (own * depth if own > ZERO else ZERO)
        else:
            power = ZERO
            if job.shape == LQ:
                power = total ** (-job.parameter) * power_of_gap(z_t, m, t, job.parameter)
            value, slope = phi(job.shape, job.parameter, log_total + depth, p, rest, power)
            own, others = c_t * slope, ZERO
            price = c_t * value if c_t > ZERO else ZERO
        pull = TWO * job.z_loss * lse
        cost[row] = price + (job.z_loss * lse * lse if job.z_loss > ZERO else ZERO)
        if stats.shape[0] > 0:
            if s == s:
                share = job.smoothing / (count + (ZERO if bare else ONE)) if job.smoothing > ZERO else ZERO
                survey(job, z, pivot, m, z_t, total, p, rest, depth, log_total, lse, share, slope, stats, row, v, e, bases)
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
            at_pivot *= cap_slope(peek_z(z, pivot), cap)
        for block in range(blocks):
            at = block * BLOCK
            n = min(BLOCK, k - at)
            here, there = e + at * WIDE, g + at * SIZE
            f = exp_of_gap(peek(bases, block), m, t) * each
            if simple:
                scaled(here, n, f, there, job.stream)
            else:
                products(here, f, n, v)
                if job.y != 0:
                    less(c + at * WIDE, a * by, n, v)
                if b > ZERO:
                    less_spread(z + at * SIZE, weight + at * WIDE if weight != 0 else 0, b * by, n, v)
                if cap != ZERO:
                    times_slope(z + at * SIZE, cap, n, v)
                scaled(v, n, ONE, there, job.stream)
        poke_g(g, pivot, at_pivot)
        filled(g + k * SIZE, job.padding, ZERO)
    return odd


def _survey(
    job: Any, z: Any, pivot: Any, m: Any, z_t: Any, total: Any, p: Any, rest: Any, depth: Any, log_total: Any, lse: Any,
    b: Any, gain: Any, stats: Any, row: Any, v: Any, e: Any, bases: Any,
) -> None:  # fmt: skip
    """The statistics of a row with a class index, its exponentials known."""
    k, t = job.classes, job.temperature
    spread_out, squares, before, most = ZERO, ZERO, ZERO, NINF
    for block in range((k + BLOCK - 1) // BLOCK):
        at = block * BLOCK
        n = min(BLOCK, k - at)
        if job.softcap == ZERO:
            load(z + at * SIZE, n, n, v)
        else:
            load_capped(z + at * SIZE, n, n, job.softcap, v)
        if at <= pivot < at + n:
            poke(v, pivot - at, NINF)
        f = exp_of_gap(peek(bases, block), m, t) / total
        some, square, count, high = surveyed(e + at * WIDE, v, f, b, m, z_t, pivot - at, n)
        spread_out, squares, before, most = spread_out + some, squares + square, before + count, larger(most, high)
    if z_t == NINF:
        depth = -NINF
    off = job.smoothing - b - rest if z_t > NINF else p - (ONE - job.smoothing)
    stats[row, 0], stats[row, 1] = lse, -(log_total + depth)
    stats[row, 2] = log_total + spread_out / t + (p * depth if p > ZERO else ZERO)
    stats[row, 3] = before
    stats[row, 4] = -NINF if most == NINF else (z_t - most) / t
    stats[row, 5], stats[row, 6] = gain, np.sqrt(squares + off * off)


def _exp_of_gap(v: Any, m: Any, t: Any) -> Any:
    """e^((v − m)/t) for v ≤ m."""
    high, low = gap(v, m)
    if t != ONE:
        high, low = divided(high, low, t)
    return exp_below(high, low)


def _power_of_gap(v: Any, m: Any, t: Any, q: Any) -> Any:
    """e^(q(v − m)/t)."""
    high, low = gap(v, m)
    if t != ONE:
        high, low = divided(high, low, t)
    scaled_up = q * high
    return exp_below(scaled_up, fused(q, high, -scaled_up) + q * low)


def scratch_size(classes: int, soft: bool) -> int:
    """Numbers of scratch for one thread: a block, a base for each block, the exponentials of a row, and its shares."""
    blocks = -(-classes // BLOCK)
    return BLOCK + -(-blocks // STEP) * STEP + blocks * BLOCK * (2 if soft else 1)


INLINED: dict[str, Callable[..., Any]] = {"exp_below": _exp_below, "capped": _capped, "cap_slope": _cap_slope, "divided": _divided}
CALLED: dict[str, Callable[..., Any]] = {
    "exp_of_gap": _exp_of_gap, "power_of_gap": _power_of_gap, "phi": _phi, "load": _load, "load_capped": _load_capped,
    "ahead": _ahead, "exponentials": _exponentials, "exponentials_divided": _exponentials_divided, "spread": _spread,
    "against": _against, "take": _take, "first": _first, "scaled": _scaled, "products": _products, "less": _less,
    "less_spread": _less_spread, "times_slope": _times_slope, "filled": _filled,
    "no_statistics": _no_statistics, "surveyed": _surveyed, "survey": _survey,
}  # fmt: skip


@cache
def names(storage: str) -> dict[str, Any]:
    """What stands for the names above, for logits of one storage type."""
    dtype = memory.computed(storage)
    inner, outer = memory.accesses(dtype), memory.accesses(storage)
    known: dict[str, Any] = vars(mathematics(dtype)).copy()
    real = known["real"]
    known |= {"peek": inner.peek, "poke": inner.poke, "WIDE": inner.SIZE, "SIZE": outer.SIZE}
    known |= {"peek_z": outer.peek, "poke_g": outer.poke, "stream": outer.stream, "LINE": memory.LINE}
    known |= {"prefetch": memory.prefetch, "larger": memory.larger, "fused": memory.fused}
    known |= {
        "ZERO": real(0),
        "ONE": real(1),
        "TWO": real(2),
        "FOUR": real(4),
        "NINF": real(-np.inf),
        "NAN": real(np.nan),
        "FLOOR": known["BOTTOM"],
        "LIFTED_SHIFT": known["SHIFT"] + real(64),
        "DROP": real(2.0**-64),
    }
    known["plus"] = compiled(specialised(_plus, f"plus_{dtype}"), freedoms={"reassoc", "nsz"})
    known["gap"] = compiled(specialised(_gap64 if dtype == "float64" else _gap32, f"gap_{dtype}", **known), freedoms=())
    for name, function in INLINED.items():
        known[name] = compiled(specialised(function, f"{name}_{storage}", **known), freedoms=())
    for name, function in CALLED.items():
        known[name] = compiled(specialised(function, f"{name}_{storage}", **known), inline=False, freedoms={"contract"})
    return known


@cache
def kernel(storage: str) -> Kernel:
    """The loop over rows, for logits of one storage type."""
    rows = compiled(specialised(_rows, f"rows_{storage}", **names(storage)), inline=False, freedoms={"contract"})
    return cached(rows, __file__, memory.__file__)
