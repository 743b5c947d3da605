"""The closed forms on sigmoid and tanh: σ′ is cancelled by hand, and no difference of two near numbers is left.

The answer is read as the probability p of the high end, known from both sides, and the target as its shares of the two ends,
y_high + y_low = 1. Then a − y = width·(y_low·p − y_high·(1 − p)), exact where the neuron is nearly right, and
σ′ = steepness·width·p(1 − p), exact in both tails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from xent import costs
from xent.activations import Probability, Squashing
from xent.arrays import Array, sign
from xent.costs.surprisal import weighted
from xent.outputs.base import Output


class Shares(NamedTuple):
    """A target, and how much of it belongs to the high and to the low end; each rounded by itself."""

    y: Array
    high: Array
    low: Array


@dataclass(frozen=True)
class Squashed(Output):
    """What every closed form on sigmoid or tanh shares."""

    activation: Squashing

    @property
    def _width(self) -> float:
        return self.activation.range.high - self.activation.range.low

    def _shares(self, y: Array | Shares) -> Shares:
        reach = self.activation.range
        return y if isinstance(y, Shares) else Shares(y, (y - reach.low) / self._width, (reach.high - y) / self._width)

    def _smoothed(self, y: Array | Shares, smooth: costs.Smooth, xp: Any) -> Shares:
        share, epsilon = self._shares(y), smooth.epsilon
        high, low = ((1 - epsilon) * part + epsilon / 2 for part in (share.high, share.low))
        return Shares(smooth.smoothed(share.y), high, low)

    def _error(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        above, _ = self.activation.sides(z)
        share = self._shares(y)
        error = self._width * (share.low * above.p - share.high * above.rest)
        if self.activation.range.low == 0:
            return error
        inner = xp.abs(share.y) <= 0.5  # around tanh's 0 the answer and the target may both be smaller than their shares
        return xp.where(inner, self.activation(z) - share.y, error)

    def _slope(self, z: Array) -> Array:
        """σ′(z)."""
        above, _ = self.activation.sides(z)
        return self.activation.steepness * self._width * (above.p * above.rest)


class Quadratic(Squashed):
    """δ = (a − y)·σ′, so the gain is σ′: the learning slowdown itself."""

    cost: costs.Quadratic

    def _value(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return self.cost.of_error(self._error(z, y, xp))

    def _delta(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return self._error(z, y, xp) * self._slope(z)

    def _gain(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return self._slope(z)


class Absolute(Squashed):
    """δ = sign(a − y)·σ′, so the gain is σ′/|a − y|."""

    cost: costs.Absolute

    def _value(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return self.cost.of_error(self._error(z, y, xp))

    def _delta(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return sign(self._error(z, y, xp), xp) * self._slope(z)

    def _gain(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        """σ′/|a − y| with p(1 − p) divided out, so that nothing underflows: steepness/|y_low/(1 − p) − y_high/p|."""
        above, _ = self.activation.sides(z)
        share = self._shares(y)
        to_low = xp.where(share.low == 0, 0.0, share.low / above.rest)
        to_high = xp.where(share.high == 0, 0.0, share.high / above.p)
        return self.activation.steepness / xp.abs(to_low - to_high)


@dataclass(frozen=True)
class Surprisal(Squashed):
    """φ(ℓ): with c = y·φ′(ℓ) for either end, δ = steepness·(c_low·p − c_high·(1 − p)): a softmax of two classes, (0, z)."""

    cost: costs.SurprisalCost

    def _sides(self, z: Array, y: Array | Shares) -> tuple[tuple[Array, Probability], tuple[Array, Probability]]:
        """(share of the target, probability) of the high end and of the low end."""
        above, below = self.activation.sides(z)
        share = self._shares(y)
        return (share.high, above), (share.low, below)

    def _value(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        high, low = (weighted(share, self.cost.phi(p, xp), xp) for share, p in self._sides(z, y))
        return high + low

    def _delta(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        (y_high, above), (y_low, below) = self._sides(z, y)
        c_high = weighted(y_high, self.cost.phi_slope(above, xp), xp)
        c_low = weighted(y_low, self.cost.phi_slope(below, xp), xp)
        return self.activation.steepness * (c_low * above.p - c_high * above.rest)

    def _gain(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        """φ′(ℓ_y) for a hard target; for a soft one δ/(a − y), with ±∞ where only the error vanishes, φ′ + φ″ where δ does too."""
        sides = self._sides(z, y)
        slope, bend = (
            sum(weighted(share, derivative(p, xp), xp) for share, p in sides)
            for derivative in (self.cost.phi_slope, self.cost.phi_curvature)
        )
        hard = (sides[0][0] == 0) | (sides[1][0] == 0)
        e, delta = self._error(z, y, xp), self._delta(z, y, xp)
        return xp.where(hard, slope, xp.where((e == 0) & (delta == 0), slope + bend, delta / e))


class CrossEntropy(Surprisal):
    """The canonical pair: δ = a − y, gain 1."""

    def _delta(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return self._error(z, y, xp)

    def _gain(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return xp.where(z == z, 1.0, z)


class Symmetric(Squashed):
    """Symmetric cross-entropy on a sigmoid: δ = α(a − y) + βσ′·(u(y_high) − u(y_low))."""

    cost: costs.SymmetricCrossEntropy

    def _value(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        share, (above, below) = self._shares(y), self.activation.sides(z)
        forward = weighted(share.high, above.ell, xp) + weighted(share.low, below.ell, xp)
        reverse = above.p * self.cost.reverse_weight(share.high, xp) + below.p * self.cost.reverse_weight(share.low, xp)
        return self.cost.alpha * forward + self.cost.beta * reverse

    def _delta(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        return self.cost.alpha * self._error(z, y, xp) + self.cost.beta * self._slope(z) * self._pull(y, xp)

    def _pull(self, y: Array | Shares, xp: Any) -> Array:
        share = self._shares(y)
        return self.cost.reverse_weight(share.high, xp) - self.cost.reverse_weight(share.low, xp)

    def _gain(self, z: Array, y: Array | Shares, xp: Any) -> Array:
        """α + β|A|p_y for a hard target, α + βσ′(u − u′)/(a − y) for a soft one."""
        share, (above, _) = self._shares(y), self.activation.sides(z)
        of_truth = -self.cost.A * xp.where(share.low == 0, above.p, above.rest)
        pull = self._pull(y, xp)
        reverse = xp.where(pull == 0, 0.0, self._slope(z) * pull / self._error(z, y, xp))
        return self.cost.alpha + self.cost.beta * xp.where((share.high == 0) | (share.low == 0), of_truth, reverse)
