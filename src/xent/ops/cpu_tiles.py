"""Costs of rows whose logits are made where they are seen, 64 rows and a few classes at a time, and are gone.

The logits of a block stay in the first-level cache until their exponentials are summed: none is ever written to memory. They come
of our own product; what is carried along, and the options, are those of `cpu_passing`.
Names that are not defined here (peek, exp_towards, …) are filled in by `specialised`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from xent import memory
from xent.kernels import Kernel, cached, compiled, specialised
from xent.memory import address, aligned
from xent.ops import cpu_passing, cpu_product
from xent.ops.cpu_product import LANES
from xent.ops.options import Options

SUM, GREATEST, BASE, FIRST = range(0, 4 * LANES, LANES)
"""Where the rows' own numbers stand in scratch, before the logits."""


def fits(n: int) -> bool:
    """Whether n rows go this way, if `cpu_product.fits` their features: few rows only fill up the last 64."""
    return -n % LANES <= n // 16


class Tiles(cpu_passing.Passing):
    """`Passing` for rows of hidden vectors: `multiply` them by the weights of all classes in turn, then ask for their `costs`."""

    def __init__(self, hidden: np.ndarray, target: np.ndarray, options: Options, weight: np.ndarray | None) -> None:
        super().__init__(target, options, weight, hidden.dtype, -(-len(hidden) // LANES) * LANES)
        self.packed = cpu_product.packed(hidden, aligned(self.carried.shape[1] * hidden.shape[1], self.real))

    def sharing(self) -> Tiles:
        """Another of the same rows, for another thread."""
        other = object.__new__(Tiles)
        other.__dict__.update(self.__dict__, carried=self.begun(self.carried.shape[1]))
        return other

    def multiply(self, matrix: np.ndarray, bias: np.ndarray | None, at: int) -> None:
        """Take in the classes from `at` on: their weights (classes, d), each side by side, and their biases."""
        *what, scratch = cpu_product.weights(matrix, bias, self.packed)
        _kernel(self.real.__name__)(
            *what, scratch, np.empty(FIRST, self.real), at, address(self.target), len(self.target), *self.held,
            address(self.carried), self.carried.shape[1],
        )  # fmt: skip


def bytes_taken(d: int, workers: int, itemsize: int) -> tuple[int, int]:
    """Memory that the workers take for themselves, and for each 64 rows: packed, and what is carried along."""
    return itemsize * workers * (FIRST + cpu_product.SCRATCH), itemsize * LANES * (d + 3 * workers)


# ── the loops ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _multiplied(
    w: Any, w_step: Any, bias: Any, size: Any, room: Any, h: Any, d: Any, scratch: Any,
    own: Any, at: Any, y: Any, n: Any, cap: Any, t: Any, carried: Any, places: Any,
) -> None:  # fmt: skip
    """The classes from `at` on, `room` at a time, for all rows."""
    e, lanes = np.int64(scratch.ctypes.data), np.int64(own.ctypes.data)
    for first in range(0, size, room):
        some = min(room, size - first)
        for row in range(0, n, LANES):
            block(w, w_step, bias, first, some, h + row * d * WIDE, d, e)
            if cap != ZERO:
                for i in range(LANES * some):
                    poke(e, i, capped(peek(e, i), cap))
            m = carried + row * WIDE
            s, z_t = m + places * WIDE, m + 2 * places * WIDE
            taken(e, at + first, some, y + row * 8, min(LANES, n - row), z_t)
            if t == ONE:
                if not towards(e, some, m, s, lanes):
                    below(e, some, t, m, s, lanes)
            else:
                below_divided(e, some, t, m, s, lanes)


def _taken(e: Any, first: Any, size: Any, y: Any, rows: Any, z_t: Any) -> None:
    """The targets' logits, if among these classes, put by and masked."""
    found = 0
    for r in range(rows):
        pivot = peek_whole(y, r) - first
        found += (pivot >= 0) & (pivot < size)
    if found > 0:
        for r in range(rows):
            pivot = peek_whole(y, r) - first
            if 0 <= pivot < size:
                poke(z_t, r, peek(e + pivot * COLUMN, r))
                poke(e + pivot * COLUMN, r, NINF)


def _towards(e: Any, size: Any, m: Any, s: Any, lanes: Any) -> Any:
    """Take in the logits, measured against the greatest so far; false, and nothing done, where one is far beyond it."""
    for r in range(LANES):
        poke(lanes, SUM + r, ZERO)
        poke(lanes, GREATEST + r, peek(m, r))
    for j in range(size):
        for r in range(LANES):
            x = peek(e + j * COLUMN, r)
            high, low = gap(x, peek(m, r))
            poke(lanes, SUM + r, peek(lanes, SUM + r) + exp_towards(high, low))
            poke(lanes, GREATEST + r, larger(peek(lanes, GREATEST + r), x))
    far = ZERO
    for r in range(LANES):
        far = plus(far, ZERO if peek(lanes, SUM + r) < BEYOND else ONE)
    if far > ZERO:
        return False
    for r in range(LANES):
        top = peek(lanes, GREATEST + r)
        high, low = gap(peek(m, r), top)
        poke(s, r, (peek(s, r) + peek(lanes, SUM + r)) * exp_of_two(high, low))
        poke(m, r, top)
    return True


def _below(e: Any, size: Any, t: Any, m: Any, s: Any, lanes: Any) -> None:
    """Take in the logits, measured against the greatest of all, these included."""
    for r in range(LANES):
        poke(lanes, GREATEST + r, peek(m, r))
    for j in range(size):
        for r in range(LANES):
            poke(lanes, GREATEST + r, larger(peek(lanes, GREATEST + r), peek(e + j * COLUMN, r)))
    for r in range(LANES):
        before, top = peek(m, r), peek(lanes, GREATEST + r)
        base = top if top > NINF else ZERO
        high, low = divided(*gap(before, base), t) if DIVIDED else gap(before, base)
        x = exp_below(high, low)
        poke(s, r, peek(s, r) * x if before > NINF else peek(s, r))
        poke(m, r, top)
        poke(lanes, BASE + r, base)
    for j in range(size):
        for r in range(LANES):
            apart = gap(peek(e + j * COLUMN, r), peek(lanes, BASE + r))
            high, low = divided(*apart, t) if DIVIDED else apart
            poke(s, r, peek(s, r) + exp_below(high, low))


@cache
def _kernel(dtype: str) -> Kernel:
    """`_multiplied` for one number type."""
    known = cpu_product.names(dtype) | {"peek_whole": memory.peek_whole}
    called: list[tuple[str, Callable[..., Any], bool]] = [
        ("taken", _taken, False), ("towards", _towards, False), ("below", _below, False), ("below_divided", _below, True),
    ]  # fmt: skip
    for name, function, divided in called:
        one = specialised(function, f"{name}_{dtype}", **known, DIVIDED=divided)
        known[name] = compiled(one, inline=False, freedoms={"contract"})
    multiplied = compiled(specialised(_multiplied, f"multiplied_{dtype}", **known), inline=False, freedoms={"contract"})
    return cached(multiplied, __file__, *cpu_product.FILES)
