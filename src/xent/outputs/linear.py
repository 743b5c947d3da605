"""The closed forms on a linear output, where σ′ = 1: squared and absolute errors, and the costs of a margin.

A margin cost is read against the probability a = σ(m) that a sigmoid would give the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent import costs
from xent.activations import Identity, Sigmoid
from xent.arrays import Array
from xent.outputs.base import Output


class Quadratic(Output):
    """δ = a − y: on a linear output squared error stalls nowhere."""

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        return xp.where(z == z, 1.0, z)


class RescaledQuadratic(Output):
    """δ = (k·y + 1 − y)(a − t): the gain is the weight, k for the right class and 1 for the others."""

    cost: costs.RescaledQuadratic

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        return xp.where(z == z, self.cost.weight(y), z)


class Absolute(Output):
    """δ = sign(a − y): the gain is 1/|a − y|, ∞ where they meet."""

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        return 1 / xp.abs(z - y)


@dataclass(frozen=True)
class Margin(Output):
    """f(ys): δ = y·f′(m); the error is σ(s) less the label as 0 or 1, −y·σ(−m)."""

    cost: costs.MarginCost
    activation: Identity

    def _error(self, z: Array, y: Array, xp: Any) -> Array:
        return -y * Sigmoid()(-y * z)

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        return self.cost.gain_of_margin(y * z, xp)
