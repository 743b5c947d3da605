"""Costs that are least elsewhere than at the truth."""

from __future__ import annotations

import numpy as np

from xent.activations import Interval
from xent.costs import Cost, MarginCost

from .. import faulty
from ..parts import Entropy, Squares


@faulty("truth")
class Rewarded(Squares):
    """Least where it is most wrong."""

    def __call__(self, a, y):
        return -((a - y) ** 2) / 2

    def slope(self, a, y):
        return y - a


@faulty("truth")
class LeansToTheMiddle(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2 / 2 + (a - 0.5) ** 2

    def slope(self, a, y):
        return a - y + 2 * (a - 0.5)


@faulty("truth")
class WrongSideOfTheMargin(MarginCost):
    name = "wrong-side"

    def of_margin(self, m, xp):
        return xp.log1p(xp.exp(m))

    def slope_of_margin(self, m, xp):
        return 1 / (1 + xp.exp(-m))


@faulty("indifferent")
class CategoricalOnASigmoid(Entropy):
    """−y log a forgets that 1 − a is an answer too."""

    def __call__(self, a, y):
        return -np.where(y == 0, 0, y * np.log(a))

    def slope(self, a, y):
        return -np.where(y == 0, 0, y / a)


@faulty("opposite")
class OppositeRegression(Squares):
    usual = "identity"

    def __call__(self, a, y):
        return (a + y) ** 2 / 2

    def slope(self, a, y):
        return a + y


@faulty("truth")
class LabelsFlipped(Entropy):
    def __call__(self, a, y):
        return super().__call__(a, 1 - y)

    def slope(self, a, y):
        return super().slope(a, 1 - y)


@faulty("truth")
class LogLikelihoodWithoutItsMinus(Cost):
    name, usual = "likelihood", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return np.where(y == 0, 0, y * np.log(a)).sum(axis=-1)

    def slope(self, a, y):
        return y / a
