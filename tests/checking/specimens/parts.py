"""Right costs, of which others break one thing each."""

from __future__ import annotations

import numpy as np

from xent.activations import Interval
from xent.costs import Cost


class Squares(Cost):
    """Right; what follows breaks one thing each."""

    name, usual = "squares", "sigmoid"

    def __call__(self, a, y):
        return (a - y) ** 2 / 2

    def slope(self, a, y):
        return a - y


class Entropy(Cost):
    """Right."""

    name, usual = "entropy", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -np.where(y == 0, 0, y * np.log(a)) - np.where(y == 1, 0, (1 - y) * np.log1p(-a))

    def slope(self, a, y):
        return -np.where(y == 0, 0, y / a) + np.where(y == 1, 0, (1 - y) / (1 - a))
