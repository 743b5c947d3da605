"""The absolute error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float

from xent.arrays import Array, namespace, sign
from xent.costs.base import Cost


@dataclass(frozen=True)
class Absolute(Cost):
    """The absolute error: the distance of the answer from the truth.

    C(a, y) = |a − y|;  over several outputs Σ_j |a_j − y_j|

    Domain: all real a and y.  Least, 0, when a = y, where its slope is taken as 0.  On a squashing output it stalls as the
    quadratic cost does; after a softmax it is bounded by 2 and so robust against wrong labels, and under-fits.
    Reference: Ghosh, Kumar & Sastry (2017).

    >>> import numpy as np
    >>> Absolute()(np.asarray([0.25, 1.0]), np.asarray([1.0, 1.0])), Absolute().slope(np.asarray([0.25]), np.asarray([1.0]))
    (array([0.75, 0.  ]), array([-1.]))
    """

    name = "absolute"
    usual = "sigmoid"

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return self.of_error(a - y)

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return sign(a - y, namespace(a, y))

    def of_error(self, e: Array) -> Array:
        """C of the error e = a − y, for those who know the error better than a − y tells it."""
        return sign(e, namespace(e)) * e  # libraries differ on the derivative of abs at 0
