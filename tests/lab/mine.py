"""Costs and outputs as a user writes them, for the lab to be started with: right ones, and ones that fail here and there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import xent
from xent.activations import Sigmoid


class Hellinger:
    """Distance between square roots of probabilities.

    More of it here.
    """

    answers, targets = (0, 1), (0, 1)

    def __call__(self, a, y):
        return 1 - np.sqrt(a * y) - np.sqrt((1 - a) * (1 - y))

    def slope(self, a, y):
        return 0.5 * np.sqrt((1 - y) / (1 - a)) - 0.5 * np.sqrt(y / a)


@dataclass(frozen=True)
class Power(xent.Cost):
    """|a − y|^k / k."""

    k: float = 3.0
    name = "power"
    usual = "sigmoid"

    def __call__(self, a, y):
        return abs(a - y) ** self.k / self.k

    def slope(self, a, y):
        return np.sign(a - y) * abs(a - y) ** (self.k - 1)


class Quadratic(Hellinger):
    """Called as one of xent's is."""


class Turned(Hellinger):
    def slope(self, a, y):
        return -super().slope(a, y)


class Picky(Hellinger):
    """Raises in a stretch of answers that no check looks at, and where many networks learn at once."""

    def slope(self, a, y):
        if np.any((np.asarray(a) > 0.9004) & (np.asarray(a) < 0.9005)) or np.ndim(a) > 2:
            raise ValueError("not today")
        return super().slope(a, y)


class Holes(Hellinger):
    """nan in a stretch of answers that no check looks at."""

    def slope(self, a, y):
        return np.where((a > 0.9001) & (a < 0.9030), np.nan, super().slope(a, y))


class Flat(Hellinger):
    """Lays planes out in a row."""

    def slope(self, a, y):
        return np.ravel(super().slope(a, y)) if np.ndim(a) == 2 else super().slope(a, y)


class Bent:
    """An activation that is a sigmoid, with no inverse."""

    name, range = "bent", (0, 1)

    def __call__(self, z):
        return Sigmoid()(z)

    def pullback(self, a, g):
        return Sigmoid().pullback(a, g)


steep = Power(5.0)
whole = xent.output("quadratic", Bent())
