"""Costs of rows whose logits pass by, some classes at a time, and are gone: three numbers a row are carried along.

For class indices and no gradient; the formulas are those of `cpu_rows`, whose blocks these are. m is the greatest logit so far, s
the sum of e^((z − m)/T) over all classes, both without the target's, z_t the target's logit. A block is measured against the m of
those before it, so that it is read once; where it goes far beyond that, it is read again.
Names that are not defined here (peek, load, …) are filled in by `specialised`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from xent import memory
from xent.kernels import Kernel, cached, compiled, specialised
from xent.memory import address, aligned
from xent.ops import cpu_blocks
from xent.ops.cpu_blocks import BLOCK, STEP
from xent.ops.options import Options
from xent.threads import share_out


def knows(options: Options, hard: bool) -> bool:
    """Whether three numbers are enough: class indices, no smoothing, no φ, no statistics, no z-loss that weights leave alone."""
    plain = options.shape is None and options.label_smoothing == 0 and (options.z_loss == 0 or options.weight is None)
    return hard and plain and not options.stats


class Passing:
    """The rows of `target`: `see` their logits from class `at` on, all classes in turn, then ask for their `costs`."""

    def __init__(self, target: np.ndarray, options: Options, weight: np.ndarray | None, dtype: Any, places: int = 0) -> None:
        self.target = np.ascontiguousarray(target, np.int64)
        self.options = options
        self.weight = np.zeros(0, dtype) if weight is None else np.ascontiguousarray(weight, dtype)
        self.real = real = np.dtype(dtype).type
        self.carried = self.begun(places or len(target))
        self.fold, self.settle, self.join = _kernels(real.__name__)
        self.held = real(options.softcap or 0), real(options.temperature)

    def begun(self, places: int) -> np.ndarray:
        """What is carried along of so many rows, before the first class: m, s and z_t."""
        carried = np.full((3, places), -np.inf, self.real)
        carried[1] = 0
        return carried

    def see(self, z: np.ndarray, at: int, here: bool) -> None:
        """Logits (rows, some classes) that lie side by side; the targets' are overwritten. `here`: by the calling thread alone."""
        size = z.shape[1]

        def work(start: int, stop: int) -> None:
            scratch = aligned(2 * BLOCK, self.real)
            self.fold(address(z), z.strides[0], at, size, self.target, *self.held, self.carried, start, stop, address(scratch))

        if here:
            work(0, len(z))
        else:
            share_out(work, len(z), max(1, (1 << 16) // max(size, 1)))

    def merge(self, others: Sequence[Passing]) -> None:
        """Take in what others have seen of the same rows: other classes."""
        for other in others:
            self.join(self.carried, other.carried, self.held[1])

    def costs(self, out: np.ndarray) -> None:
        """Their costs, not reduced; 0 where the target is ignored."""
        o = self.options
        self.settle(self.carried, self.target, self.weight, o.ignore_index, self.held[1], self.real(o.z_loss), out)


def _fold(
    z: Any, z_row: Any, first: Any, size: Any, target: Any, cap: Any, t: Any, carried: Any, start: Any, stop: Any, scratch: Any
) -> None:
    """The classes from `first` on, for the rows from start to stop."""
    v, e = scratch, scratch + BLOCK * WIDE
    simple = cap == ZERO and t == ONE
    for row in range(start, stop):
        m, s, z_t, pivot = carried[0, row], carried[1, row], carried[2, row], target[row] - first
        for at in range(0, size, BLOCK):
            n = min(BLOCK, size - at)
            here = z + row * z_row + at * SIZE
            if at <= pivot < at + n:
                z_t = peek_z(here, pivot - at)
                z_t = z_t if cap == ZERO else capped(z_t, cap)
                poke_g(here, pivot - at, NINF)
            some, most = powers(here, m, n) if simple and m > NINF else (NAN, NINF)
            if some < BEYOND:
                s += some
                if most > m:
                    m, s = most, s * exp_of_gap(m, most, t)
                continue
            width = (n + STEP - 1) // STEP * STEP
            most = load(here, n, width, v) if cap == ZERO else load_capped(here, n, width, cap, v)
            if most > m:
                s = s * exp_of_gap(m, most, t) if m > NINF else s
                m = most
            base = m if m > NINF else ZERO
            if t == ONE:
                s += exponentials(v, base, width, e)
            else:
                s += exponentials_divided(v, base, t, width, e)
        carried[0, row], carried[1, row], carried[2, row] = m, s, z_t


def _powers(z: Any, m: Any, n: Any) -> Any:
    """Σ e^(z − m), BEYOND at least where a logit is far beyond m, or nan; and the greatest logit."""
    s, most = ZERO, NINF
    for i in range(n):
        x = peek_z(z, i)
        high, low = gap(x, m)
        s = plus(s, exp_towards(high, low))
        most = larger(most, x)
    return s, most


def _settle(carried: Any, target: Any, weight: Any, ignore: Any, t: Any, z_loss: Any, out: Any) -> None:
    """What the rows come to."""
    for row in range(len(out)):
        m, s, z_t = carried[0, row], carried[1, row], carried[2, row]
        if z_t > m:
            m, s = z_t, s * exp_of_gap(m, z_t, t)
        if target[row] == ignore:
            out[row] = ZERO
        elif not (m > NINF and m < -NINF):
            out[row] = NAN  # +∞ on top, or nothing but masks: no softmax
        else:
            w = weight[target[row]] if len(weight) else ONE
            _, _, log_total, depth = settled(m, s, z_t, t)
            lse = m / t + log_total
            price = w * log_total + (w * depth if w > ZERO else ZERO)
            out[row] = price + (z_loss * lse * lse if z_loss > ZERO else ZERO)


def _join(carried: Any, more: Any, t: Any) -> None:
    """What was carried of other classes, taken in."""
    for row in range(carried.shape[1]):
        m, s, z_t = carried[0, row], carried[1, row], carried[2, row]
        most, some, other = more[0, row], more[1, row], more[2, row]
        if most > m:
            m, s, most, some = most, some, m, s
        if most > NINF:
            s += some * exp_of_gap(most, m, t)
        carried[0, row], carried[1, row], carried[2, row] = m, s, z_t if other == NINF else other


@cache
def _kernels(dtype: str) -> list[Kernel]:
    """`_fold`, `_settle` and `_join` for one number type."""
    known, made = cpu_blocks.names(dtype), []
    known["powers"] = compiled(specialised(_powers, f"powers_{dtype}", **known), inline=False, freedoms={"contract"})
    functions: dict[str, Callable[..., Any]] = {"fold": _fold, "settle": _settle, "join": _join}
    for name, function in functions.items():
        one = compiled(specialised(function, f"{name}_{dtype}", **known), inline=False, freedoms={"contract"})
        made.append(cached(one, __file__, cpu_blocks.__file__, memory.__file__))
    return made
