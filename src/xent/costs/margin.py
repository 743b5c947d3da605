"""Costs of the margin m = ys of a score s, with labels y = ±1: the article's other form of cross-entropy, and its rivals."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float

from xent.activations import Activation, Softplus
from xent.arrays import Array, namespace
from xent.costs.base import Cost, Labels
from xent.errors import PairError


class MarginCost(Cost):
    """C = f(m), m = y·s, y ∈ {−1, +1}: a subclass gives f and f′.

    Read against a = σ(m), the probability that a sigmoid would give the truth: the error is a − 1 = −σ(−m), the gain
    −f′(m)/σ(−m).
    """

    targets = Labels((-1.0, 1.0))

    @abstractmethod
    def of_margin(self, m: Array, xp: Any) -> Array:
        """f(m)."""

    @abstractmethod
    def slope_of_margin(self, m: Array, xp: Any) -> Array:
        """f′(m), which is never positive."""

    def gain_of_margin(self, m: Array, xp: Any) -> Array:
        """−f′(m)/σ(−m) = −f′(m)(1 + e^m), 0 where f′ is."""
        slope = self.slope_of_margin(m, xp)
        return xp.where(slope == 0, 0.0, -slope * (1 + xp.exp(xp.where(slope == 0, 0.0, m))))

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return self.of_margin(y * a, namespace(a, y))

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return y * self.slope_of_margin(y * a, namespace(a, y))

    def on(self, activation: Activation) -> Cost:
        if activation.range != self.answers:
            raise PairError(
                f"{self}@{activation} is no output: {self} wants a margin without bounds, but {activation} answers with numbers "
                f"in {activation.range}. Use {self}@identity, with labels −1 and +1."
            )
        return self


@dataclass(frozen=True)
class Logistic(MarginCost):
    """Cross-entropy in its other form, for labels ±1: −log P(y|x) with P(y|x) = g(ys).

    L = log(1 + e^(−ys))

    Domain: all real s; y ∈ {−1, +1}.  Towards −ys when badly wrong, towards 0 when surely right.  Its gain is 1.
    Reference: the article, part 2 (announced there); Hastie, Tibshirani & Friedman (2009), §10.6.

    >>> import numpy as np
    >>> Logistic()(np.asarray([0.0, -100.0]), np.asarray([1.0, 1.0]))
    array([  0.69314718, 100.        ])
    """

    name = "logistic"

    def of_margin(self, m: Array, xp: Any) -> Array:
        return Softplus()(-m)

    def slope_of_margin(self, m: Array, xp: Any) -> Array:
        return -1 / (1 + xp.exp(m))

    def gain_of_margin(self, m: Array, xp: Any) -> Array:
        return xp.where(m == m, 1.0, m)


@dataclass(frozen=True)
class Hinge(MarginCost):
    """The hinge: wrong or not right by enough costs as much as is missing.

    L = max(0, 1 − ys)

    Domain: all real s; y ∈ {−1, +1}.  Its slope is −1 below a margin of 1 and 0 from there on.
    Reference: Cortes & Vapnik (1995).

    >>> import numpy as np
    >>> Hinge()(np.asarray([0.25, 3.0]), np.asarray([-1.0, 1.0]))
    array([1.25, 0.  ])
    """

    name = "hinge"

    def of_margin(self, m: Array, xp: Any) -> Array:
        return xp.where(m >= 1, 0.0, 1 - m)

    def slope_of_margin(self, m: Array, xp: Any) -> Array:
        return xp.where(m >= 1, 0.0, xp.where(m < 1, -1.0, m))


@dataclass(frozen=True)
class SquaredHinge(MarginCost):
    """The squared hinge: smooth where the hinge has its corner.

    L = max(0, 1 − ys)²

    Domain: all real s; y ∈ {−1, +1}.
    Reference: Chang, Hsieh & Lin (2008).

    >>> import numpy as np
    >>> SquaredHinge()(np.asarray([0.5, 3.0]), np.asarray([-1.0, 1.0]))
    array([2.25, 0.  ])
    """

    name = "squared-hinge"

    def of_margin(self, m: Array, xp: Any) -> Array:
        missing = xp.where(m >= 1, 0.0, 1 - m)
        return missing * missing

    def slope_of_margin(self, m: Array, xp: Any) -> Array:
        return -2 * xp.where(m >= 1, 0.0, 1 - m)


@dataclass(frozen=True)
class Exponential(MarginCost):
    """The exponential cost, AdaBoost's: it grows without measure when wrong, and so outliers rule.

    L = e^(−ys)

    Domain: all real s; y ∈ {−1, +1}.  Its gain is 1/p_y = 1 + e^(−m).
    Reference: Friedman, Hastie & Tibshirani (2000).

    >>> import numpy as np
    >>> Exponential()(np.asarray([0.0, -2.0]), np.asarray([1.0, 1.0])).round(6)
    array([1.      , 7.389056])
    """

    name = "exponential"

    def of_margin(self, m: Array, xp: Any) -> Array:
        return xp.exp(-m)

    def slope_of_margin(self, m: Array, xp: Any) -> Array:
        return -xp.exp(-m)

    def gain_of_margin(self, m: Array, xp: Any) -> Array:
        return 1 + xp.exp(-m)
