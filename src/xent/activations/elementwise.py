"""The elementwise activations: sigmoid, tanh and identity for outputs, softplus and ReLU for hidden layers.

No formula here takes |z|: its derivative at 0 is whatever autodiff makes of it. `_fold` picks one of two formulas that
are both right around z = 0, so every derivative is right there too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from jaxtyping import Float

from xent.activations.base import REALS, Activation, Interval
from xent.activations.probability import Probability
from xent.arrays import Array, namespace, product


def _fold(z: Array, xp: Any) -> tuple[Array, Array]:
    """(z ≥ 0, z without its sign): −z where z < 0."""
    positive = z >= 0
    return positive, xp.where(positive, z, -z)


class Squashing(Activation):
    """A sigmoid between two ends: σ(z) = low + (high − low)·g(steepness·z), with g(s) = 1/(1 + e^(−s)).

    g(s) is read as the probability that the truth is the high end; `sides` gives it without cancellation in either tail.
    """

    steepness: float

    def sides(self, z: Float[Any, "*n"]) -> tuple[Probability, Probability]:
        """The probability of the high end and of the low end, each with its complement and its logarithm.

        With s = steepness·z and t = e^(−|s|): g(s) and g(−s) are 1/(1+t) and t/(1+t), −log g(±s) = max(∓s, 0) + log(1+t).
        """
        xp = namespace(z)
        s = self.steepness * z
        positive, size = _fold(s, xp)
        t = xp.exp(-size)
        likely, unlikely = 1 / (1 + t), t / (1 + t)
        above, below = xp.where(positive, likely, unlikely), xp.where(positive, unlikely, likely)
        softness = xp.log1p(t)

        def power(r: float, on_likely_side: Array) -> Array:
            high, low = product(r, size, xp)
            return xp.where(on_likely_side, 1.0, xp.exp(-high) * (1 - low)) / (1 + t) ** r

        return (
            Probability(above, below, xp.where(positive, 0.0, -s) + softness, lambda r: power(r, positive)),
            Probability(below, above, xp.where(positive, s, 0.0) + softness, lambda r: power(r, ~positive)),
        )


@dataclass(frozen=True)
class Sigmoid(Squashing):
    """σ(z) = 1/(1 + e^(−z)): ½ at 0, towards 0 and 1 at the ends; its slope is σ′ = a(1−a), at most ¼.

    >>> import numpy as np
    >>> Sigmoid()(np.asarray([-40.0, 0.0, 40.0]))
    array([4.24835426e-18, 5.00000000e-01, 1.00000000e+00])
    """

    name = "sigmoid"
    range = Interval.open(0, 1)
    steepness = 1.0

    def __call__(self, z: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return self.sides(z)[0].p

    def pullback(self, a: Float[Any, "*n"], g: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return g * a * (1 - a)

    def inverse(self, a: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(a)
        return xp.log(a) - xp.log1p(-a)  # the log-odds


@dataclass(frozen=True)
class Tanh(Squashing):
    """tanh(z) = 2g(2z) − 1, between −1 and 1; its slope is 1 − a², at most 1.

    >>> import numpy as np
    >>> Tanh()(np.asarray([0.0, 20.0]))
    array([0., 1.])
    """

    name = "tanh"
    range = Interval.open(-1, 1)
    steepness = 2.0

    def __call__(self, z: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(z)
        above, _ = self.sides(z)
        near = (z > -0.5) & (z < 0.5)
        return xp.where(near, xp.tanh(xp.where(near, z, 0.0)), above.p - above.rest)  # autodiff's 1 − a² forgets the tails

    def pullback(self, a: Float[Any, "*n"], g: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return g * (1 - a) * (1 + a)

    def inverse(self, a: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return namespace(a).atanh(a)


@dataclass(frozen=True)
class Identity(Activation):
    """σ(z) = z: a linear output, whose slope is 1 everywhere. It never stalls.

    >>> import numpy as np
    >>> Identity()(np.asarray([2.5]))
    array([2.5])
    """

    name = "identity"
    range = REALS

    def __call__(self, z: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return z

    def pullback(self, a: Float[Any, "*n"], g: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return g

    def inverse(self, a: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return a


@dataclass(frozen=True)
class Softplus(Activation):
    """softplus(z) = log(1 + e^z), for hidden layers and positive outputs; its slope is g(z) = 1 − e^(−a).

    >>> import numpy as np
    >>> Softplus()(np.asarray([-700.0, 0.0, 700.0]))
    array([9.85967654e-305, 6.93147181e-001, 7.00000000e+002])
    """

    name = "softplus"
    range = Interval.open(0, inf)

    def __call__(self, z: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(z)
        positive, size = _fold(z, xp)
        return xp.where(positive, z, 0.0) + xp.log1p(xp.exp(-size))

    def pullback(self, a: Float[Any, "*n"], g: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return -g * namespace(a).expm1(-a)

    def inverse(self, a: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(a)
        return a + xp.log(-xp.expm1(-a))


@dataclass(frozen=True)
class ReLU(Activation):
    """max(z, 0), for hidden layers; its slope is 1 where z > 0 and 0 elsewhere, at 0 too.

    >>> import numpy as np
    >>> ReLU()(np.asarray([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """

    name = "relu"
    range = Interval(0, inf, True, False)

    def __call__(self, z: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(z)
        return xp.where(z > 0, z, xp.where(z <= 0, 0.0, z))  # the last z is nan

    def pullback(self, a: Float[Any, "*n"], g: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(a, g)
        return xp.where(a > 0, g, 0.0 * g)
