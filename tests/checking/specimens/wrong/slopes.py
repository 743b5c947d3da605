"""Slopes that are not the derivative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xent.activations import Interval
from xent.costs import Cost, MarginCost, SurprisalCost

from .. import faulty
from ..parts import Entropy, Squares
from ..right.classes import EarthMover
from ..right.yes_no import Heated


@faulty("sign")
class TurnedRound(Squares):
    def slope(self, a, y):
        return y - a


@faulty("factor")
class HalfForgotten(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2


@faulty("factor")
class MeanOverOutputs(Squares):
    usual = "softmax"

    def slope(self, a, y):
        return (a - y) / a.shape[-1]


@faulty("slope")
class ClippedSlopeOnly(Entropy):
    def slope(self, a, y):
        return super().slope(np.clip(a, 1e-6, 1 - 1e-6), y)


@faulty("slope-is-delta")
class SlopeOfTheBook(Entropy):
    """a − y is ∂C/∂z, not ∂C/∂a."""

    def slope(self, a, y):
        return a - y


@faulty("slope-is-delta")
class SlopeOfTheBookForClasses(Cost):
    name, usual = "categorical", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -np.where(y == 0, 0, y * np.log(a))

    def slope(self, a, y):
        return a - y


@faulty("slope")
class WrongPower(Squares):
    def __call__(self, a, y):
        return (a - y) ** 4 / 4

    def slope(self, a, y):
        return (a - y) ** 3 * (1 + 1e-4 * a)


@faulty("soft-targets")
class HardOnly(Entropy):
    def slope(self, a, y):
        return np.where(y > 0.5, -1 / a, 1 / (1 - a))


@faulty("sign")
class MarginSlopeWithoutItsMinus(MarginCost):
    name = "margin-sign"

    def of_margin(self, m, xp):
        return xp.exp(-m)

    def slope_of_margin(self, m, xp):
        return xp.exp(-m)


@faulty("slope")
@dataclass(frozen=True)
class WrongPhi(SurprisalCost):
    """φ = ℓ², with a slope that forgets the chain."""

    name = "squared-surprisal"

    def phi(self, p, xp):
        return p.ell**2

    def phi_slope(self, p, xp):
        return 2 * p.ell * p.p

    def phi_curvature(self, p, xp):
        return 2 + 0 * p.p


@faulty("slope")
class SlopeHeldAtFive(Entropy):
    """Gradient clipping in the wrong place."""

    def slope(self, a, y):
        return np.clip(super().slope(a, y), -5, 5)


@faulty("slope")
class DeadStretch(Squares):
    """Right but between 0.70 and 0.72."""

    def slope(self, a, y):
        return np.where((a > 0.70) & (a < 0.72), 0.0, a - y)


@faulty("slope-of-target")
class ByTheTarget(Entropy):
    """log((1 − a)/a) is ∂C/∂y."""

    def slope(self, a, y):
        return np.log1p(-a) - np.log(a)


@faulty("slope")
class QuotientRuleForgotten(Cost):
    """Dice's overlap, its denominator taken for a constant."""

    name, usual = "dice", "softmax"
    answers, targets = Interval.closed(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return 1 - 2 * np.sum(a * y, axis=-1) / (np.sum(a * a, axis=-1) + np.sum(y * y, axis=-1))

    def slope(self, a, y):
        return -2 * y / (np.sum(a * a, axis=-1, keepdims=True) + np.sum(y * y, axis=-1, keepdims=True))


@faulty("factor")
class TemperatureOutside(Heated):
    """The slope forgets that the score is divided by 3."""

    def slope(self, a, y):
        return 0.5 + 0.5 * np.tanh(a / 6) - y


@faulty("slope")
class FocalFactorForgotten(Entropy):
    """(1 − a)² taken for a constant."""

    def __call__(self, a, y):
        return -(y * (1 - a) ** 2 * np.log(a) + (1 - y) * a**2 * np.log1p(-a))

    def slope(self, a, y):
        return -y * (1 - a) ** 2 / a + (1 - y) * a**2 / (1 - a)


@faulty("slope")
class HuberSignForgotten(Squares):
    usual = "identity"

    def __call__(self, a, y):
        e = abs(a - y)
        return np.where(e < 1, e * e / 2, e - 0.5)

    def slope(self, a, y):
        return np.where(abs(a - y) < 1, a - y, np.ones_like(a))


@faulty("slope")
class HingeEverywhere(MarginCost):
    """The slope of the wrong side, on the right one too."""

    name = "hinge-everywhere"

    def of_margin(self, m, xp):
        return xp.maximum(1 - m, 0 * m)

    def slope_of_margin(self, m, xp):
        return -1 + 0 * m


@faulty("slope")
class DivergenceTurned(Entropy):
    """The slope of KL(a‖y) beside the cost KL(y‖a)."""

    targets = Interval.open(0, 1)

    def __call__(self, a, y):
        return y * np.log(y / a) + (1 - y) * np.log((1 - y) / (1 - a))

    def slope(self, a, y):
        return np.log(a / y) - np.log((1 - a) / (1 - y))


@faulty("slope")
class AnswerTakenForALogit(Entropy):
    def slope(self, a, y):
        return 1 / (1 + np.exp(-a)) - y


@faulty("slope")
class EarthMoverForward(EarthMover):
    """The sums up to each class, where those from each class on are wanted."""

    def slope(self, a, y):
        return np.cumsum(a - y, axis=-1)
