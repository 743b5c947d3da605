"""Every cost that is a function φ of the surprisal ℓ = −log p_y of the truth: cross-entropy's family.

A surprisal cost needs the answer as probabilities, and reads it in one of three forms, which the activation decides:
a sigmoid's answer a is the probability of 1 and 1 − a that of 0 (Bernoulli); tanh's is (1 + a)/2 for +1 and (1 − a)/2 for −1;
softmax's is one probability per class (categorical).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from jaxtyping import Float

from xent.activations import Activation, Interval, Probability
from xent.arrays import Array, namespace
from xent.costs.base import Cost, check_parameter
from xent.errors import PairError


@dataclass(frozen=True)
class Form:
    """How an answer is read as probabilities: triples (share of the target, probability, its derivative by a)."""

    name: str
    answers: Interval
    targets: Interval
    read: Callable[[Array, Array], list[tuple[Array, Array, float]]]


def _bernoulli(a: Array, y: Array) -> list[tuple[Array, Array, float]]:
    return [(y, a, 1.0), (1 - y, 1 - a, -1.0)]


def _tanh(a: Array, y: Array) -> list[tuple[Array, Array, float]]:
    return [((1 + y) / 2, (1 + a) / 2, 0.5), ((1 - y) / 2, (1 - a) / 2, -0.5)]


def _categorical(a: Array, y: Array) -> list[tuple[Array, Array, float]]:
    return [(y, a, 1.0)]


BERNOULLI = Form("Bernoulli", Interval.open(0, 1), Interval.closed(0, 1), _bernoulli)
TANH = Form("tanh", Interval.open(-1, 1), Interval.closed(-1, 1), _tanh)
CATEGORICAL = Form("categorical", Interval.open(0, 1), Interval.closed(0, 1), _categorical)


def form_for(cost: Cost, activation: Activation) -> Form:
    """The form in which `activation`'s answers are probabilities; an error says why where they are none."""
    if activation.vector:
        return CATEGORICAL
    for form in (BERNOULLI, TANH):
        if form.answers.covers(activation.range):
            return form
    raise PairError(
        f"{cost}@{activation} is no output: {cost.name} takes the logarithm of a probability, but {activation} answers with "
        f"numbers in {activation.range}. Use {cost}@sigmoid (one probability) or {cost}@softmax (one per class); for labels "
        "±1 on a linear output use logistic@identity."
    )


@dataclass(frozen=True)
class SurprisalCost(Cost):
    """C(a, y) = Σ_j y_j φ(ℓ_j), ℓ_j = −log p_j: a subclass gives φ and its first two derivatives.

    With a softmax δ_j = p_j·Σ_k c_k − c_j, where c_j = y_j φ′(ℓ_j); for a hard target that is φ′(ℓ_y)·(p − y), so the gain
    is φ′(ℓ_y).
    """

    # a factory, since torch.compile does not know a default's own home where a cost is made inside of what it compiles
    form: Form = field(default_factory=lambda: BERNOULLI, repr=False, kw_only=True)

    usual = "softmax"

    @property
    def answers(self) -> Interval:  # type: ignore[override]
        return self.form.answers

    @property
    def targets(self) -> Interval:  # type: ignore[override]
        return self.form.targets

    def on(self, activation: Activation) -> Cost:
        return replace(self, form=form_for(self, activation))

    @abstractmethod
    def phi(self, p: Probability, xp: Any) -> Array:
        """φ(ℓ), with whatever of p, 1 − p, ℓ and p^r makes it exact."""

    @abstractmethod
    def phi_slope(self, p: Probability, xp: Any) -> Array:
        """φ′(ℓ)."""

    @abstractmethod
    def phi_curvature(self, p: Probability, xp: Any) -> Array:
        """φ″(ℓ), which the gain needs where the error and δ vanish together."""

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(a, y)
        terms = [weighted(share, self.phi(Probability.of(p, xp), xp), xp) for share, p, _ in self.form.read(a, y)]
        return terms[0] + terms[1] if len(terms) == 2 else terms[0]

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(a, y)
        read = self.form.read(a, y)
        terms = [-dp * weighted(share, self.phi_slope(Probability.of(p, xp), xp) / p, xp) for share, p, dp in read]
        return terms[0] + terms[1] if len(terms) == 2 else terms[0]


def weighted(share: Array, x: Array, xp: Any) -> Array:
    """share·x, with 0·∞ = 0: what has no share in the target costs nothing."""
    return share * xp.where(share == 0, 0.0, x)


@dataclass(frozen=True)
class Focal(SurprisalCost):
    """The focal cost: cross-entropy turned down where the answer is right already.

    φ(ℓ) = (1 − p)^γ ℓ;  φ′(ℓ) = (1 − p)^γ + γ(1 − p)^(γ−1) p ℓ

    Domain: 0 < a < 1, 0 ≤ y ≤ 1, γ ≥ 0 (0 is cross-entropy).  For hard targets least, 0, when right; for soft ones the least
    is not at a = y.
    Reference: Lin, Goyal, Girshick, He & Dollár (2017).

    >>> import numpy as np
    >>> round(float(Focal(gamma=2.0)(np.asarray(0.5), np.asarray(1.0))), 6)  # ¼ log 2
    0.173287
    """

    gamma: float = 2.0

    name = "focal"

    def __post_init__(self) -> None:
        check_parameter(self.name, "gamma", self.gamma, 0, inf, "how much right answers are turned down")

    def phi(self, p: Probability, xp: Any) -> Array:
        return self._damping(p, xp) * p.ell

    def phi_slope(self, p: Probability, xp: Any) -> Array:
        odds = xp.where(p.rest > 0, p.ell / xp.where(p.rest > 0, p.rest, 1.0), 1.0)  # ℓ/(1 − p), 1 where p = 1
        return self._damping(p, xp) * (1 + self.gamma * weighted(p.p, odds, xp))

    def phi_curvature(self, p: Probability, xp: Any) -> Array:
        q, gamma = xp.where(p.rest > 0, p.rest, 1.0), self.gamma
        pull = 2 * q * p.p + (gamma - 1) * p.p * weighted(p.p, p.ell, xp) - q * weighted(p.p, p.ell, xp)
        return xp.where(p.rest > 0, gamma * q ** (gamma - 2) * pull, 0.0)

    def _damping(self, p: Probability, xp: Any) -> Array:
        """(1 − p)^γ, kept from the infinite derivative that it has at p = 1 for γ < 1, where it is 0 anyway."""
        if self.gamma == 0:
            return xp.ones_like(p.rest)
        return xp.where(p.rest > 0, xp.where(p.rest > 0, p.rest, 1.0) ** self.gamma, p.rest)


@dataclass(frozen=True)
class Poly(SurprisalCost):
    """Poly-1: cross-entropy with the first term of its series in 1 − p reweighted.

    φ(ℓ) = ℓ + ε(1 − p);  φ′(ℓ) = 1 + ε p

    Domain: 0 < a < 1, 0 ≤ y ≤ 1, ε ≥ −1 (0 is cross-entropy).  For soft targets the least is not at a = y.
    Reference: Leng et al. (2022), "PolyLoss".

    >>> import numpy as np
    >>> round(float(Poly(epsilon=1.0)(np.asarray(0.5), np.asarray(1.0))), 6)
    1.193147
    """

    epsilon: float = 1.0

    name = "poly"

    def __post_init__(self) -> None:
        check_parameter(self.name, "epsilon", self.epsilon, -1, inf, "weight of 1 − p")

    def phi(self, p: Probability, xp: Any) -> Array:
        return p.ell + self.epsilon * p.rest

    def phi_slope(self, p: Probability, xp: Any) -> Array:
        # 1 + εp, of two terms that are never negative
        return 1 + self.epsilon * p.p if self.epsilon > 0 else (1 + self.epsilon) - self.epsilon * p.rest

    def phi_curvature(self, p: Probability, xp: Any) -> Array:
        return -self.epsilon * p.p


@dataclass(frozen=True)
class GeneralizedLq(SurprisalCost):
    """Generalised Lq: from cross-entropy (q → 0) to the absolute error (q = 1), for wrong labels.

    φ(ℓ) = (1 − p^q)/q;  φ′(ℓ) = p^q

    Domain: 0 < a < 1, 0 ≤ y ≤ 1, 0 < q ≤ 1.  Bounded by 1/q, and so it gives up on badly wrong samples: its gain is p^q.
    Reference: Zhang & Sabuncu (2018).

    >>> import numpy as np
    >>> round(float(GeneralizedLq(q=1.0)(np.asarray(0.25), np.asarray(1.0))), 6)
    0.75
    """

    q: float = 0.7

    name = "lq"

    def __post_init__(self) -> None:
        check_parameter(self.name, "q", self.q, 1e-300, 1, "0 is cross-entropy, 1 the absolute error")

    def phi(self, p: Probability, xp: Any) -> Array:
        x = -self.q * p.ell
        near, far = xp.where(x > -1, x, 0.0), xp.where(x > -1, 0.0, x)
        return -xp.where(x > -1, xp.expm1(near), xp.exp(far) - 1) / self.q  # autodiff of expm1 is e^x − 1 + 1: bad far out

    def phi_slope(self, p: Probability, xp: Any) -> Array:
        return p.power(self.q)

    def phi_curvature(self, p: Probability, xp: Any) -> Array:
        return -self.q * p.power(self.q)
