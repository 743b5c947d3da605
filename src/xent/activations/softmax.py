"""Softmax: K logits to K probabilities, p_j = e^(z_j) / Σ_k e^(z_k), over the last axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float

from xent.activations.base import Activation, Interval
from xent.activations.probability import Probability
from xent.arrays import Array, difference, greatest, namespace, product, total, total_of_others


@dataclass(frozen=True)
class Softmax(Activation):
    """p_j = e^(z_j) / Σ_k e^(z_k) over the last axis; a common offset of the logits changes nothing.

    >>> import numpy as np
    >>> Softmax()(np.asarray([1e6, 1e6, 1e6 - 1.0]))
    array([0.4223188, 0.4223188, 0.1553624])
    """

    name = "softmax"
    range = Interval.open(0, 1)
    vector = True

    def __call__(self, z: Float[Any, "*n k"]) -> Float[Any, "*n k"]:
        return self.classes(z).p

    def pullback(self, a: Float[Any, "*n k"], g: Float[Any, "*n k"]) -> Float[Any, "*n k"]:
        return pull(a, 1 - a, g, namespace(a, g))

    def classes(self, z: Float[Any, "*n k"]) -> Probability:
        """The probability of every class, with its complement, its surprisal and its powers.

        With k the place of the greatest logit and d_j = z_j − z_k kept with its rounding error: R = Σ_{j≠k} e^(d_j) holds all
        that can be small, and p_j = e^(d_j)/(1 + R), 1 − p_k = R/(1 + R), −log p_j = log(1 + R) − d_j lose nothing of it.
        k is an index, not a function of z, so autodiff sees an analytic formula and is right at ties and at z = 0.
        """
        xp = namespace(z)
        top, high, low = below_top(z, xp)
        return shares(top, high, low, xp)[0]


def below_top(z: Array, xp: Any) -> tuple[Array, Array, Array]:
    """(mask of the greatest logit, z_j − z_k, the rounding error of that difference); 0 at the greatest itself."""
    top = greatest(z, xp)
    high, low = difference(z, total(xp.where(top, z, 0.0), xp)[..., None], xp)
    return top, xp.where(top, 0.0, high), xp.where(top, 0.0, low)


def shares(top: Array, high: Array, low: Array, xp: Any) -> tuple[Probability, Array]:
    """The probabilities of classes that stand high + low below the top one, and R = Σ_{j≠k} e^(d_j)."""
    e = xp.exp(high) * (1 + low)
    others = total(xp.where(top, 0.0, e), xp)[..., None]
    return probability(top, high, low, e, others, xp), others[..., 0]


def probability(top: Array, high: Array, low: Array, e: Array, others: Array, xp: Any) -> Probability:
    """What is known of e/(1 + others): e = e^(high + low) of any classes, `top` where one is the greatest, others = R."""
    whole = 1 + others

    def power(r: float) -> Array:
        scaled, error = product(r, high, xp)
        return xp.exp(scaled) * (1 + (error + r * low)) / whole**r

    p = e / whole
    rest = xp.where(top, others / whole, 1 - p)  # p ≤ ½ off the top
    return Probability(p, rest, (xp.log1p(others) - low) - high, power)


def pull(p: Array, rest: Array, g: Array, xp: Any) -> Array:
    """Softmax's vector-Jacobian product p_j(g_j − Σ_k p_k g_k), with 1 − p_j given: p_j(g_j(1−p_j) − Σ_{k≠j} p_k g_k)."""
    return p * (g * rest - total_of_others(p * g, xp))
