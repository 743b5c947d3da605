"""Squared errors: the article's quadratic cost, and the rescaled form used on linear outputs with many classes."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from jaxtyping import Float

from xent.activations import Activation, Interval
from xent.arrays import Array, namespace
from xent.costs.base import Cost, check_parameter
from xent.errors import PairError


@dataclass(frozen=True)
class Quadratic(Cost):
    """The quadratic cost: half the squared distance of the answer from the truth.

    C(a, y) = (a − y)²/2;  over several outputs ½‖a − y‖², over n samples 1/(2n) Σ‖y − a‖²

    Domain: all real a and y.  Least, 0, when a = y.  On a squashing output δ = (a − y)·σ′(z) dies with σ′: the learning
    slowdown. On a linear output δ = a − y, and nothing is wrong with it.
    Reference: the article, part 1; Nielsen (2015), chapter 3; on linear outputs Hui & Belkin (2020).

    >>> import numpy as np
    >>> Quadratic()(np.asarray([0.5]), np.asarray([0.0])), Quadratic().slope(np.asarray([0.5]), np.asarray([0.0]))
    (array([0.125]), array([0.5]))
    """

    name = "quadratic"
    usual = "sigmoid"

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return self.of_error(a - y)

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return a - y

    def of_error(self, e: Array) -> Array:
        """C of the error e = a − y, for those who know the error better than a − y tells it."""
        return e * (e / 2)


@dataclass(frozen=True)
class RescaledQuadratic(Cost):
    """The squared error of linear outputs with many classes, which pulls the right class to M with weight k.

    C(a, y) = ½[k·y·(a − M)² + (1 − y)·a²], y one-hot, one term per class

    Domain: all real a; 0 ≤ y ≤ 1.  It equals half the square of a − t with weight k·y + 1 − y around the target
    t = k·y·M/(k·y + 1 − y), so its gain is k for the right class and 1 for the others. (The published form has the mean over
    the classes in place of ½: a factor of the rate.)
    Reference: Hui & Belkin (2020), "Evaluation of neural architectures trained with square loss vs cross-entropy", §2.

    >>> import numpy as np
    >>> RescaledQuadratic(k=15, M=30)(np.asarray([28.0, 2.0]), np.asarray([1.0, 0.0]))
    array([30.,  2.])
    """

    k: float = 15.0
    M: float = 30.0

    name = "rescaled-quadratic"
    targets = Interval.closed(0, 1)

    def __post_init__(self) -> None:
        check_parameter(self.name, "k", self.k, 1e-300, inf, "weight of the right class")
        check_parameter(self.name, "M", self.M, 1e-300, inf, "target of the right class")

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        right, wrong = self._misses(a, y)
        return self.k * y * right * (right / 2) + (1 - y) * wrong * (wrong / 2)

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        right, wrong = self._misses(a, y)
        return self.k * y * right + (1 - y) * wrong

    def _misses(self, a: Array, y: Array) -> tuple[Array, Array]:
        """The distances from M and from 0, each 0 where the target has no share in it: 0·∞ is 0 here."""
        xp = namespace(a, y)
        return xp.where(y == 0, 0.0, a - self.M), xp.where(y == 1, 0.0, a)

    def weight(self, y: Array) -> Array:
        """k·y + 1 − y: what the error counts for, and the gain."""
        return self.k * y + (1 - y)

    def aim(self, y: Array) -> Array:
        return self.k * y * self.M / self.weight(y)

    def on(self, activation: Activation) -> Cost:
        if activation.range.bounded:
            raise PairError(
                f"{self}@{activation} is no output: the right class is pulled to M = {self.M:g}, which {activation} never "
                f"reaches (its answers lie in {activation.range}). Use {self}@identity."
            )
        return super().on(activation)
