"""What is done to one number and to one block of classes, in vectors: the pieces that `cpu_rows` and `cpu_columns` are made of.

A block's numbers stand behind addresses: its logits as they are stored (`peek_z`), everything else in the type computed in.
Names that are not defined here (real, peek, exp, …) are filled in by `specialised`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from xent import memory
from xent.kernels import bits_of, compiled, mathematics, number_of, specialised

BLOCK = 1024
"""Classes of a block: 4 KiB of float32, 8 of float64."""
STEP = 64
"""The loops over a block take so many numbers at once; what is missing is filled up with classes of logit −∞."""
PLAIN, FOCAL, POLY, LQ = range(4)
"""φ."""


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


def _power(high: Any, low: Any) -> Any:
    """e^(high + low) from FLOOR to HIGH, within 2 ulp, subnormal results included: made 2⁶⁴ times as large, and put down."""
    k = fused(high, LOG2E, LIFTED_SHIFT)
    n = k - LIFTED_SHIFT
    f = fused(low, LOG2E, fused(high, LOG2E_LOW, fused(high, LOG2E, -n)))
    return number_of(whole(bits_of(exp2_part(f)) + whole(bits_of(k) << DIGITS))) * DROP


def _power_rounded(high: Any, low: Any) -> Any:
    """`_power` where low is 0: float32's differences are taken as rounded."""
    k = fused(high, LOG2E, LIFTED_SHIFT)
    n = k - LIFTED_SHIFT
    f = fused(high, LOG2E_LOW, fused(high, LOG2E, -n))
    return number_of(whole(bits_of(exp2_part(f)) + whole(bits_of(k) << DIGITS))) * DROP


def _exp_below(high: Any, low: Any) -> Any:
    """e^(high + low) for high ≤ 0; nan of nan."""
    v = power(high, low)
    return ZERO if high < FLOOR else (v if high >= FLOOR else high)


def _exp_towards(high: Any, low: Any) -> Any:
    """e^(high + low) for high up to HIGH; of what is beyond, and of nan, BEYOND at least."""
    v = power(high if high < HIGH else HIGH, low if high < HIGH else ZERO)
    return ZERO if high < FLOOR else v


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


def _settled(m: Any, s: Any, z_t: Any, t: Any) -> Any:
    """Of a row with greatest logit m, Σ_{j≠t} e^((z_j − m)/T) = s and the target's logit: e_t, s + e_t, its log, (m − z_t)/T."""
    top = z_t == m
    e_t = ONE if top else exp_of_gap(z_t, m, t)
    total = s + e_t
    log_total = (log1p(s) if s <= ONE else log(total)) if top else log(total)
    return e_t, total, log_total, ZERO if top else (m - z_t) / t


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
    """The next block is asked for while this one is worked on; `ahead_to_write`: memory that is about to be written."""
    for i in range(0, bytes, LINE):
        prefetch(z + i)


def _exponentials(v: Any, base: Any, width: Any, e: Any) -> Any:
    """e^(v − base) of a block, and their sum."""
    s = ZERO
    for i in range(width):
        high, low = gap(peek(v, i), base)
        x = exp_of_two(high, low)
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


# ── what stands for the names ──────────────────────────────────────────────────────────────────────────────────────────

INLINED: dict[str, Callable[..., Any]] = {
    "power": _power,
    "exp_below": _exp_below,
    "capped": _capped,
    "cap_slope": _cap_slope,
    "divided": _divided,
}
CALLED: dict[str, Callable[..., Any]] = {
    "exp_of_gap": _exp_of_gap, "settled": _settled,
    "power_of_gap": _power_of_gap, "phi": _phi, "load": _load, "load_capped": _load_capped,
    "ahead": _ahead, "exponentials": _exponentials, "exponentials_divided": _exponentials_divided, "spread": _spread,
    "against": _against, "take": _take, "first": _first, "scaled": _scaled, "products": _products, "less": _less,
    "less_spread": _less_spread, "times_slope": _times_slope, "filled": _filled,
    "no_statistics": _no_statistics, "surveyed": _surveyed,
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
        "HIGH": real(31 if dtype == "float32" else 660),
    }
    known["BEYOND"] = real(0.999999 * np.exp(float(known["HIGH"])))
    known["plus"] = compiled(specialised(_plus, f"plus_{dtype}"), freedoms={"reassoc", "nsz"})
    known["gap"] = compiled(specialised(_gap64 if dtype == "float64" else _gap32, f"gap_{dtype}", **known), freedoms=())
    for name, function in INLINED.items():
        known[name] = compiled(specialised(function, f"{name}_{storage}", **known), freedoms=())
    rounded = compiled(specialised(_power_rounded, f"power_rounded_{storage}", **known), freedoms=())
    of_gaps = known if dtype == "float64" else known | {"power": rounded}
    for name, function in (("exp_of_two", _exp_below), ("exp_towards", _exp_towards)):
        known[name] = compiled(specialised(function, f"{name}_{storage}", **of_gaps), freedoms=())
    for name, function in CALLED.items():
        known[name] = compiled(specialised(function, f"{name}_{storage}", **known), inline=False, freedoms={"contract"})
    to_write = specialised(_ahead, f"ahead_to_write_{storage}", **known | {"prefetch": memory.prefetch_to_write})
    known["ahead_to_write"] = compiled(to_write, inline=False, freedoms=())
    return known
