"""Derivatives by differences, each with an estimate of its own error, so that a right formula is never accused.

Central differences at a ladder of halved steps, extrapolated twice (Richardson); the error is how far neighbouring rungs
disagree, plus what rounding does to the difference. One-sided differences tell a corner from a wrong slope.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from xent.arrays import Array, quiet

RUNGS = 16
EPS = 2.0**-52
SAFE = 8.0
"""How many times its estimated error a difference is trusted to be off at most."""


class Derivative(NamedTuple):
    """A derivative and the size that its error may have."""

    value: Array
    error: Array

    def tolerance(self, came: Array) -> Array:
        """How far `came` may be from the value before it is wrong: nobody's mistake is one of 1e-6."""
        return SAFE * self.error + 1e-6 * np.maximum(np.abs(self.value), np.abs(came)) + 1e-290


def central(f: Callable[[Array], Array], step: Array, grain: float = 0.0) -> Derivative:
    """f′ at 0 of f(t), t one step for each point; terms of a row are subtracted before they are added up.

    `grain` is a rounding of f that its own size does not show: a formula with 1 − a in it cannot see an a below EPS.

    >>> d = central(lambda t: np.exp(1 + t), np.asarray([0.25]))
    >>> bool(abs(d.value[0] - np.e) < 8 * d.error[0] < 1e-9)
    True
    """
    plain, size = [], []
    for k in range(RUNGS):
        h = step * 2.0**-k
        up, down = f(h), f(-h)
        with quiet():
            plain.append(_total(up - down) / (2 * h))
            size.append((_total(np.abs(up) + np.abs(down)) + grain / EPS) / (2 * h))
    with quiet():
        once = [(4 * b - a) / 3 for a, b in pairwise(plain)]
        twice = [(16 * b - a) / 15 for a, b in pairwise(once)]
        return _best(twice, size[2:])


def one_sided(f: Callable[[Array], Array], step: Array, grain: float = 0.0) -> Derivative:
    """The derivative at 0 on the side that `step` points to."""
    plain, size, here = [], [], f(0 * step)
    for k in range(RUNGS + 6):
        h = step * 2.0**-k
        there = f(h)
        with quiet():
            plain.append(_total(there - here) / h)
            size.append((_total(np.abs(there) + np.abs(here)) + grain / EPS) / np.abs(h))
    with quiet():
        once = [2 * b - a for a, b in pairwise(plain)]
        twice = [(4 * b - a) / 3 for a, b in pairwise(once)]
        return _best(twice, size[2:])


def _best(rungs: list[Array], size: list[Array]) -> Derivative:
    """Of every point, the rung that agrees best with the two beside it."""
    table = np.stack(rungs)
    apart = np.abs(np.diff(table, axis=0))
    error = apart[:-1] + apart[1:] + 4 * EPS * np.stack(size)[1:-1]
    error = np.where(np.isfinite(error), error, np.inf)
    best = np.argmin(error, axis=0)[None]
    return Derivative(np.take_along_axis(table[1:-1], best, axis=0)[0], np.take_along_axis(error, best, axis=0)[0])


def _total(x: Array) -> Array:
    return x if x.ndim == 1 else x.sum(axis=-1)


def breaks(f: Callable[[Array, Array], Array], low: Array, high: Array, lines: Array) -> tuple[Array, Array]:
    """Where f(t, line) jumps between `low` and `high`, found by halving towards the greater change: (place, size of the jump).

    >>> place, jump = breaks(lambda t, line: 2.0 * (t > 0.3), np.asarray([0.0]), np.asarray([1.0]), np.asarray([0]))
    >>> place.round(6), jump
    (array([0.3]), array([2.]))
    """
    at_low, at_high = f(low, lines), f(high, lines)
    for _ in range(70):
        middle = (low + high) / 2
        at_middle = f(middle, lines)
        with quiet():
            lower = np.abs(at_middle - at_low) > np.abs(at_high - at_middle)
        low, at_low = np.where(lower, low, middle), np.where(lower, at_low, at_middle)
        high, at_high = np.where(lower, middle, high), np.where(lower, at_middle, at_high)
    with quiet():
        return (low + high) / 2, np.abs(at_high - at_low)


def typical(x: Array) -> float:
    """The size that the finite numbers of an array have, most of them: what small is measured against.

    >>> typical(np.asarray([1.0, -3.0, 4.0, np.inf]))
    3.0
    """
    size = np.abs(x[np.isfinite(x)])
    return float(np.median(size)) + 1e-300 if size.size else 1.0
