"""Cross-entropy of rows with few classes, fused: a vector is made of rows, so that ten classes fill it as well as a thousand.

LANES rows are laid out class by class in the first-level cache; every loop goes over the rows of one class. The formulas are those
of `cpu_rows`, for class indices without smoothing, softcap, temperature, φ and statistics; the rest goes there.
Names that are not defined here (real, peek, exp_below, …) are filled in by `specialised`.
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
MOST = 64
"""Classes up to which a vector is made of rows: their exponentials take 16 KiB in float32."""
TARGET, PEAK, AT, SUM, EACH, OWN, SCALE, WEIGHT, COST, FIXED, FIRST = range(0, 11 * LANES, LANES)
"""Where the rows' own numbers stand in scratch, before their exponentials (PEAK: the greatest logit; TARGET is a float)."""


def knows(options: Options, hard: bool, classes: int) -> bool:
    """Whether this file's loop has these options."""
    plain = options.shape is None and options.softcap is None and options.temperature == 1 and options.label_smoothing == 0
    return hard and plain and classes <= MOST and not options.stats


def _gather(z: Any, z_row: Any, z_class: Any, n: Any, k: Any, e: Any) -> None:
    """The logits of n rows, class by class."""
    if z_row == SIZE:
        for j in range(k):
            for r in range(n):
                poke(e + j * COLUMN, r, peek_z(z + j * z_class, r))
    else:
        for r in range(n):
            for j in range(k):
                poke(e + j * COLUMN, r, peek_z(z + r * z_row + j * z_class, 0))


def _scatter(e: Any, g: Any, g_row: Any, g_class: Any, n: Any, k: Any) -> None:
    if g_row == SIZE:
        for j in range(k):
            for r in range(n):
                poke_g(g + j * g_class, r, peek(e + j * COLUMN, r))
    else:
        for r in range(n):
            for j in range(k):
                poke_g(g + r * g_row + j * g_class, 0, peek(e + j * COLUMN, r))


def _greatest(k: Any, lanes: Any) -> None:
    for r in range(LANES):
        poke(lanes, PEAK + r, NINF)
    for j in range(k):
        for r in range(LANES):
            poke(lanes, PEAK + r, larger(peek(lanes, PEAK + r), peek(lanes, FIRST + j * LANES + r)))


def _sums(k: Any, lanes: Any) -> None:
    """e^(z − m) of all classes, and their sum without the target's; AT becomes the target's logit."""
    for r in range(LANES):
        m = peek(lanes, PEAK + r)
        poke(lanes, AT + r, NINF)
        poke(lanes, SUM + r, m - m)  # nan where +∞ is on top, or nothing but masks: no softmax
    for j in range(k):
        place, at = real(j), FIRST + j * LANES
        for r in range(LANES):
            z, m, hit = peek(lanes, at + r), peek(lanes, PEAK + r), peek(lanes, TARGET + r) == place
            z_t, s = peek(lanes, AT + r), peek(lanes, SUM + r)
            high, low = gap(z, m)
            x = exp_of_two(high, low)
            poke(lanes, at + r, x)
            poke(lanes, AT + r, z if hit else z_t)
            poke(lanes, SUM + r, s + (ZERO if hit else x))


def _prices(lanes: Any, z_loss: Any) -> None:
    """The cost of each row; EACH is what its exponentials are multiplied by, OWN the target's gradient."""
    for r in range(LANES):
        m, z_t, s = peek(lanes, PEAK + r), peek(lanes, AT + r), peek(lanes, SUM + r)
        w, by = peek(lanes, WEIGHT + r), peek(lanes, SCALE + r)
        top = z_t == m
        high, low = gap(z_t, m)
        e_t = ONE if top else exp_below(high, low)
        total = s + e_t
        log_total = log(total) + ((s - (total - ONE)) / total if top else ZERO)
        lse = m + log_total
        price = w * (log_total + (ZERO if top else m - z_t)) if w != ZERO else s - s
        pull = TWO * z_loss * lse if z_loss > ZERO else ZERO
        by = by / total
        poke(lanes, COST + r, price + (z_loss * lse * lse if z_loss > ZERO else ZERO))
        poke(lanes, EACH + r, (w + pull) * by)
        poke(lanes, OWN + r, (e_t * pull - w * s) * by)


def _gradients(k: Any, lanes: Any) -> None:
    for j in range(k):
        place, at = real(j), FIRST + j * LANES
        for r in range(LANES):
            g, own, counts = peek(lanes, at + r) * peek(lanes, EACH + r), peek(lanes, OWN + r), peek(lanes, FIXED + r)
            g = own if peek(lanes, TARGET + r) == place else g
            poke(lanes, at + r, g if counts != ZERO else ZERO)


def _columns(job: Any, z_class: Any, g_class: Any, target: Any, scale: Any, cost: Any, start: Any, stop: Any, scratch: Any) -> Any:
    """The rows from start to stop; how many of them have a target that is none. `scratch` is as large as `scratch_size` says."""
    k, odd, e = job.classes, 0, scratch + FIRST * WIDE
    for i in range(LANES * k):
        poke(e, i, ZERO)
    for first in range(start, stop, LANES):
        n = min(LANES, stop - first)
        for r in range(LANES):
            poke(scratch, TARGET + r, ZERO)
            poke(scratch, FIXED + r, ZERO)  # ignored, until it turns out to count
            poke(scratch, WEIGHT + r, ONE)
        for r in range(n):
            t = target[first + r]
            right = t >= 0 and t < k and t != job.ignore
            odd += 0 if right or t == job.ignore else 1
            poke(scratch, TARGET + r, real(np.int32(t)) if right else -ONE)
            poke(scratch, FIXED + r, ONE if right else ZERO)
            poke(scratch, SCALE + r, scale[(first + r) * job.scale_step])
            if job.weight != 0 and right:
                poke(scratch, WEIGHT + r, peek(job.weight, t))
        gather(job.z + first * job.z_row, job.z_row, z_class, n, k, e)
        greatest(k, scratch)
        sums(k, scratch)
        prices(scratch, job.z_loss)
        for r in range(n):
            price = peek(scratch, COST + r) if peek(scratch, FIXED + r) != ZERO else ZERO
            cost[first + r] = price
        if job.g == 0:
            continue
        gradients(k, scratch)
        g = job.g + first * job.g_row
        scatter(e, g, job.g_row, g_class, n, k)
        for j in range(k, k + job.padding):
            for r in range(n):
                poke_g(g + r * job.g_row + j * g_class, 0, ZERO)
    return odd


def scratch_size(classes: int) -> int:
    """Numbers of scratch for one thread: the rows' own numbers, then their exponentials class by class."""
    return FIRST + LANES * classes


CALLED: dict[str, Callable[..., Any]] = {
    "gather": _gather,
    "scatter": _scatter,
    "greatest": _greatest,
    "sums": _sums,
    "prices": _prices,
    "gradients": _gradients,
}


@cache
def kernel(storage: str) -> Kernel:
    """The loop over rows, for logits of one storage type."""
    known = cpu_blocks.names(storage)
    known = known | {"COLUMN": LANES * known["WIDE"]}
    for name, function in CALLED.items():
        known[name] = compiled(specialised(function, f"{name}_{storage}", **known), inline=False, freedoms={"contract"})
    columns = compiled(specialised(_columns, f"columns_{storage}", **known), inline=False, freedoms={"contract"})
    return cached(columns, __file__, cpu_blocks.__file__, memory.__file__)
