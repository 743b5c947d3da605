"""The closed forms on a softmax: J = diag(p) − ppᵀ is applied by hand, and no difference of two near numbers is left.

With 1 − p_j known beside p_j, the error is p_j·Σ_{k≠j} y_k − y_j(1 − p_j), and δ of a slope g is
p_j(g_j(1 − p_j) − Σ_{k≠j} p_k g_k): both exact where the answer is nearly right. y is one
distribution a row; a row is hard when one class has all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent import costs
from xent.activations import Softmax
from xent.activations.softmax import pull
from xent.arrays import Array, norm, sign, total, total_of_others
from xent.costs.surprisal import weighted
from xent.outputs.base import Output, ratio


@dataclass(frozen=True)
class Softmaxed(Output):
    """What every closed form on a softmax shares."""

    activation: Softmax

    def _error(self, z: Array, y: Array, xp: Any) -> Array:
        p = self.activation.classes(z)
        return p.p * total_of_others(y, xp) - y * p.rest

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        """The closed form for hard targets; ‖δ‖/‖p − y‖ for soft ones, with ∞ where only the error vanishes."""
        hard = xp.max(y, axis=-1) == total(y, xp)
        soft = ratio(self._delta(z, y, xp), self._error(z, y, xp), self._gain_where_met(z, y, xp), xp)
        return xp.where(hard, self._gain_of_truth(z, y, xp), soft)

    def _gain_of_truth(self, z: Array, y: Array, xp: Any) -> Array:
        """The gain for hard targets."""
        raise NotImplementedError

    def _gain_where_met(self, z: Array, y: Array, xp: Any) -> Array | float:
        """The gain for a soft target where error and δ vanish together."""
        raise NotImplementedError


class Quadratic(Softmaxed):
    """δ = J(p − y): p multiplies every part of it, so what the softmax is sure is wrong is hardly corrected."""

    cost: costs.Quadratic

    def _value(self, z: Array, y: Array, xp: Any) -> Array:
        return total(self.cost.of_error(self._error(z, y, xp)), xp)

    def _delta(self, z: Array, y: Array, xp: Any) -> Array:
        p = self.activation.classes(z)
        return pull(p.p, p.rest, self._error(z, y, xp), xp)

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        """‖Je‖/‖e‖; where e = 0 its root mean square over the directions of e, ‖J‖/√(K−1) (one direction for two classes)."""
        p = self.activation.classes(z)
        rows = p.p * xp.sqrt(p.rest * p.rest + total_of_others(p.p * p.p, xp))
        met = norm(rows, xp) / max(z.shape[-1] - 1, 1) ** 0.5
        return ratio(self._delta(z, y, xp), self._error(z, y, xp), met, xp)


class Absolute(Softmaxed):
    """δ = J·sign(p − y); the signs are taken less 1: softmax ignores the constant, and only the truth is left."""

    cost: costs.Absolute

    def _value(self, z: Array, y: Array, xp: Any) -> Array:
        """Σ|e_j| = 2Σ max(−e_j, 0), since the errors sum to 0: for a hard target 2(1 − p_y), and so its derivatives are exact."""
        e = self._error(z, y, xp)
        return 2 * total(xp.where(e < 0, -e, xp.where(e >= 0, 0.0, e)), xp)

    def _delta(self, z: Array, y: Array, xp: Any) -> Array:
        p = self.activation.classes(z)
        return pull(p.p, p.rest, sign(self._error(z, y, xp), xp) - 1, xp)

    def _gain_of_truth(self, z: Array, y: Array, xp: Any) -> Array:
        return 2 * total(y * self.activation.classes(z).p, xp)

    def _gain_where_met(self, z: Array, y: Array, xp: Any) -> float:
        return float("inf")  # |e| has a corner there


@dataclass(frozen=True)
class Surprisal(Softmaxed):
    """φ(ℓ): with c_j = y_j φ′(ℓ_j), δ_j = p_j·Σ_{k≠j} c_k − c_j(1 − p_j)."""

    cost: costs.SurprisalCost

    def _value(self, z: Array, y: Array, xp: Any) -> Array:
        return total(weighted(y, self.cost.phi(self.activation.classes(z), xp), xp), xp)

    def _delta(self, z: Array, y: Array, xp: Any) -> Array:
        p = self.activation.classes(z)
        c = weighted(y, self.cost.phi_slope(p, xp), xp)
        return p.p * total_of_others(c, xp) - c * p.rest

    def _gain_of_truth(self, z: Array, y: Array, xp: Any) -> Array:
        return total(weighted(y, self.cost.phi_slope(self.activation.classes(z), xp), xp), xp)

    def _gain_where_met(self, z: Array, y: Array, xp: Any) -> Array:
        p = self.activation.classes(z)
        return total(weighted(y, self.cost.phi_slope(p, xp) + self.cost.phi_curvature(p, xp), xp), xp)


class CrossEntropy(Surprisal):
    """The canonical pair: δ = p − y, gain 1."""

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        return xp.where(xp.any(z != z, axis=-1), float("nan"), xp.ones_like(z[..., 0]))


class Symmetric(Softmaxed):
    """Symmetric cross-entropy: δ = α(p − y) + βJ·u(y), u taken less its greatest value, |A| for a hard target.

    Softmax ignores the constant, and only the truth is left.
    """

    cost: costs.SymmetricCrossEntropy

    def _value(self, z: Array, y: Array, xp: Any) -> Array:
        p = self.activation.classes(z)
        reverse = total(p.p * self.cost.reverse_weight(y, xp), xp)
        return self.cost.alpha * total(weighted(y, p.ell, xp), xp) + self.cost.beta * reverse

    def _delta(self, z: Array, y: Array, xp: Any) -> Array:
        p = self.activation.classes(z)
        u = self.cost.reverse_weight(y, xp)
        reverse = pull(p.p, p.rest, u - xp.max(u, axis=-1, keepdims=True), xp)
        return self.cost.alpha * self._error(z, y, xp) + self.cost.beta * reverse

    def _gain_of_truth(self, z: Array, y: Array, xp: Any) -> Array:
        return self.cost.alpha - self.cost.beta * self.cost.A * total(y * self.activation.classes(z).p, xp)

    def _gain_where_met(self, z: Array, y: Array, xp: Any) -> float:
        return self.cost.alpha
