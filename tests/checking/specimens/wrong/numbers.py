"""Clamps, lost digits, dtypes, nan and infinity."""

from __future__ import annotations

import numpy as np

from xent.activations import Interval
from xent.costs import Cost

from .. import faulty
from ..parts import Entropy, Squares


@faulty("clamped")
class ClippedEntropy(Entropy):
    def __call__(self, a, y):
        return super().__call__(np.clip(a, 1e-7, 1 - 1e-7), y)


@faulty("clamped")
class ClippedEntropyAndSlope(Entropy):
    def __call__(self, a, y):
        return super().__call__(np.clip(a, 1e-12, 1 - 1e-12), y)

    def slope(self, a, y):
        return np.where((a < 1e-12) | (a > 1 - 1e-12), 0.0, super().slope(np.clip(a, 1e-12, 1 - 1e-12), y))


@faulty("clamped")
class HeldAtAHundred(Entropy):
    """PyTorch's binary cross-entropy."""

    def __call__(self, a, y):
        return -(y * np.maximum(np.log(a), -100) + (1 - y) * np.maximum(np.log1p(-a), -100))

    def slope(self, a, y):
        return (a - y) / np.maximum(a * (1 - a), 1e-12)


@faulty("clamped")
class ClippedClasses(Cost):
    name, usual = "clipped-classes", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -y * np.log(np.clip(a, 1e-7, 1))

    def slope(self, a, y):
        return -y / np.clip(a, 1e-7, 1)


@faulty("dtype")
class Widens(Squares):
    def __call__(self, a, y):
        return (a - np.asarray(y, dtype=np.float64)) ** 2 / 2


@faulty("dtype")
class WidensByAConstant(Squares):
    def slope(self, a, y):
        return (a - y) * np.ones(1)[0]


@faulty("integers")
class Signs(Squares):
    def __call__(self, a, y):
        return np.abs(a - y)

    def slope(self, a, y):
        return (a > y).astype(int) - (a < y).astype(int)


@faulty("end")
class NanAtTheEnds(Entropy):
    """0·log 0 of a cost that says that it takes 0 and 1."""

    answers = Interval.closed(0, 1)

    def __call__(self, a, y):
        return -(y * np.log(a) + (1 - y) * np.log(1 - a))


@faulty("end")
class NanSlopeAtTheEnds(Entropy):
    answers = Interval.closed(0, 1)

    def slope(self, a, y):
        return (a - y) / (a * (1 - a))


@faulty("not-finite")
class Undefined(Squares):
    usual = "identity"

    def __call__(self, a, y):
        return np.log(np.exp((a - y) ** 2 / 2))


@faulty("float32")
class NarrowOverflow(Squares):
    """e^(1.15a) leaves float32 at a = 77."""

    usual = "identity"
    targets = Interval.closed(0, 1)

    def __call__(self, a, y):
        return (np.log1p(np.exp(1.15 * (a - y))) + np.log1p(np.exp(1.15 * (y - a)))) / 1.15

    def slope(self, a, y):
        return np.tanh(1.15 * (a - y) / 2)


@faulty("jump")
class HuberWithoutItsConstant(Squares):
    usual = "identity"

    def __call__(self, a, y):
        e = np.abs(a - y)
        return np.where(e < 1, e**2 / 2, e)

    def slope(self, a, y):
        return np.clip(a - y, -1, 1)


@faulty("clamped")
class ClippedFarInside(Entropy):
    """At 0.05, and the slope follows."""

    def __call__(self, a, y):
        return super().__call__(np.clip(a, 0.05, 0.95), y)

    def slope(self, a, y):
        return np.where((a < 0.05) | (a > 0.95), 0.0, super().slope(np.clip(a, 0.05, 0.95), y))


@faulty("clamped")
class CostHeldAtTen(Entropy):
    def __call__(self, a, y):
        return np.minimum(super().__call__(a, y), 10)

    def slope(self, a, y):
        return np.where(super().__call__(a, y) > 10, 0.0, super().slope(a, y))


@faulty("digits")
class NarrowInside(Squares):
    """float32 within, float64 again at the door."""

    def __call__(self, a, y):
        e = a.astype(np.float32) - y.astype(np.float32)
        return (e * e / 2).astype(a.dtype)


@faulty("digits")
class HalfPrecisionSlope(Squares):
    def slope(self, a, y):
        return (a - y).astype(np.float16).astype(a.dtype)


@faulty("slope")
class RoundedAnswers(Squares):
    """Differences of steps: nothing of its kind can be told but that it jumps."""

    usual = "identity"

    def __call__(self, a, y):
        return (np.round(a, 2) - y) ** 2 / 2

    def slope(self, a, y):
        return np.round(a, 2) - y


@faulty("not-finite")
class ZeroOverZero(Squares):
    """e/|e| where there is no error."""

    usual = "identity"

    def __call__(self, a, y):
        return abs(a - y)

    def slope(self, a, y):
        return (a - y) / abs(a - y)
