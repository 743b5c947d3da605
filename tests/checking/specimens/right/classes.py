"""Right costs of one probability for each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xent.activations import Interval
from xent.costs import Cost, SurprisalCost

from .. import sound


@sound("end")
class ClassesByHand(Cost):
    """One term for each row."""

    name, usual = "categorical", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -np.sum(y * np.log(a), axis=-1)

    def slope(self, a, y):
        return -y / a


@sound("end", "stalls")
class HellingerOfClasses(Cost):
    name, usual = "hellinger", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return (np.sqrt(a) - np.sqrt(y)) ** 2

    def slope(self, a, y):
        return 1 - np.sqrt(y / a)


@sound("improper", "stalls")
@dataclass(frozen=True)
class TruncatedPower(SurprisalCost):
    """Between cross-entropy and the absolute error, spelled anew."""

    q: float = 0.5
    name = "power"

    def phi(self, p, xp):
        return (1 - p.p**self.q) / self.q

    def phi_slope(self, p, xp):
        return p.p**self.q

    def phi_curvature(self, p, xp):
        return -self.q * p.p**self.q


@sound("end", "stalls", "improper")
class Tsallis(Cost):
    """Tsallis' entropy with q = 1.5: y(1 − √a)·2."""

    name, usual = "tsallis", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return y * (1 - a**0.5) / 0.5

    def slope(self, a, y):
        return -y * a**-0.5


@sound("stalls")
class SphericalScore(Cost):
    """A term for each row, whose slope by one class needs all of them."""

    name, usual = "spherical", "softmax"
    answers, targets = Interval.closed(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -np.sum(a * y, axis=-1) / np.sqrt(np.sum(a * a, axis=-1))

    def slope(self, a, y):
        size = np.sqrt(np.sum(a * a, axis=-1, keepdims=True))
        return -y / size + np.sum(a * y, axis=-1, keepdims=True) * a / size**3


@sound("stalls")
class EarthMover(Cost):
    """Of ordered classes: squares of sums up to each."""

    name, usual = "earth-mover", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return (np.cumsum(a - y, axis=-1) ** 2).sum(axis=-1) / 2

    def slope(self, a, y):
        return np.cumsum(np.cumsum(a - y, axis=-1)[..., ::-1], axis=-1)[..., ::-1]


@sound("stalls")
class Cosine(Cost):
    name, usual = "cosine", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return 1 - (a * y).sum(axis=-1) / (self.length(a) * self.length(y))[..., 0]

    def slope(self, a, y):
        both = (a * y).sum(axis=-1, keepdims=True)
        return -(y / self.length(a) - both * a / self.length(a) ** 3) / self.length(y)

    def length(self, v):
        return np.sqrt((v * v).sum(axis=-1, keepdims=True))
