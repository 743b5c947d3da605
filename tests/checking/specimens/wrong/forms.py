"""Shapes, reductions and side effects."""

from __future__ import annotations

import numpy as np

from xent.costs import Cost

from .. import faulty
from ..parts import Entropy, Squares


@faulty("reduces")
class Mean(Squares):
    def __call__(self, a, y):
        return np.mean((a - y) ** 2) / 2


@faulty("reduces")
class SumAsPythonNumber(Squares):
    def __call__(self, a, y):
        return float(np.sum((a - y) ** 2) / 2)


@faulty("reduces")
class ReducedSlope(Squares):
    def slope(self, a, y):
        return (a - y).sum(keepdims=True)


@faulty("changes")
class Mutates(Squares):
    def __call__(self, a, y):
        a -= y
        return a * a / 2


@faulty("changes")
class ClipsInPlace(Squares):
    def slope(self, a, y):
        np.clip(y, 0.1, 0.9, out=y)
        return a - y


@faulty("type")
class Lists(Squares):
    def slope(self, a, y):
        return [p - t for p, t in zip(np.ravel(a), np.ravel(y), strict=True)]


@faulty("shape")
class OuterDifference(Squares):
    def __call__(self, a, y):
        return (a[:, None] - y) ** 2 / 2


@faulty("shapes")
class OneAxisOnly(Squares):
    def slope(self, a, y):
        return np.asarray([p - t for p, t in zip(a, y, strict=True)], dtype=a.dtype)


@faulty("mixes")
class Standardised(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2 / (2 * np.max(np.abs(a)))


@faulty("random")
class Noisy(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2 / 2 + np.random.default_rng().normal(size=np.shape(a)).astype(a.dtype)


@faulty("raises")
class Raises(Squares):
    def slope(self, a, y):
        raise RuntimeError("not written yet\nsecond line")


@faulty("mixes")
class MeanOverTheBatchInTheSlope(Squares):
    def slope(self, a, y):
        return (a - y) / a.size


@faulty("name")
class Nameless(Cost):
    def __call__(self, a, y):
        return (a - y) ** 2 / 2

    def slope(self, a, y):
        return a - y


@faulty("usual")
class UsualForgotten(Entropy):
    usual = "identity"


@faulty("shape")
class SummedOverTheBatch(Squares):
    """axis=0 where −1 was meant."""

    usual = "softmax"

    def __call__(self, a, y):
        return np.sum((a - y) ** 2, axis=0)
