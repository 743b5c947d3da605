"""Cross-entropy in its three forms, and the symmetric cross-entropy that adds the reverse one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from jaxtyping import Float

from xent.activations import Activation, Interval, Probability
from xent.arrays import Array, namespace
from xent.costs.base import Cost, check_parameter
from xent.costs.surprisal import BERNOULLI, TANH, Form, SurprisalCost, form_for
from xent.errors import PairError


@dataclass(frozen=True)
class CrossEntropy(SurprisalCost):
    """Cross-entropy of the truth y relative to the answer a: the mean surprisal −log p of what is true.

    sigmoid (Bernoulli):    C(a, y) = −[y log a + (1−y) log(1−a)]
    tanh:                   C(a, y) = −½[(1+y) log((1+a)/2) + (1−y) log((1−a)/2)]
    softmax (categorical):  C(a, y) = −Σ_j y_j log a_j,  −log a_y for a hard target

    Domain: 0 < a < 1, 0 ≤ y ≤ 1 (tanh: −1 to 1).  Least when a = y; there it is the entropy of y, 0 for a hard target.
    In all three σ′ cancels: δ = a − y, the gain is 1.
    Reference: Good (1952), §2; the article, part 2.

    >>> import numpy as np
    >>> float(CrossEntropy()(np.asarray(0.5), np.asarray(1.0)))
    0.6931471805599453
    """

    name = "cross-entropy"
    usual = "sigmoid"

    def phi(self, p: Probability, xp: Any) -> Array:
        return p.ell

    def phi_slope(self, p: Probability, xp: Any) -> Array:
        return xp.ones_like(p.p)

    def phi_curvature(self, p: Probability, xp: Any) -> Array:
        return xp.zeros_like(p.p)


@dataclass(frozen=True)
class SymmetricCrossEntropy(Cost):
    """Symmetric cross-entropy: α times cross-entropy plus β times the reverse one, in which log 0 counts as A.

    C(a, y) = α·(−Σ_j y_j log a_j) + β·(−Σ_j a_j max(log y_j, A))

    Domain: 0 < a < 1, 0 ≤ y ≤ 1, A < 0.  For hard targets the second part is β|A|(1 − p_y), so the gain is α + β|A| p_y: it
    leans on the samples that are believed already, and so on wrong labels less.
    Reference: Wang et al. (2019), "Symmetric cross entropy for robust learning with noisy labels".

    >>> import numpy as np
    >>> cost = SymmetricCrossEntropy(alpha=1.0, beta=1.0, A=-4.0)
    >>> round(float(cost(np.asarray(0.5), np.asarray(1.0))), 6)  # log 2 + 4·½
    2.693147
    """

    alpha: float = 0.1
    beta: float = 1.0
    A: float = -4.0
    form: Form = field(default=BERNOULLI, repr=False, kw_only=True)

    name = "symmetric-cross-entropy"
    usual = "softmax"
    answers = Interval.open(0, 1)
    targets = Interval.closed(0, 1)

    def __post_init__(self) -> None:
        check_parameter(self.name, "alpha", self.alpha, 0, inf, "weight of cross-entropy")
        check_parameter(self.name, "beta", self.beta, 0, inf, "weight of the reverse cross-entropy")
        check_parameter(self.name, "A", self.A, -1e300, -1e-300, "what log 0 counts as")

    def on(self, activation: Activation) -> Cost:
        form = form_for(self, activation)
        if form is TANH:
            raise PairError(f"{self}@{activation} is no output: its reverse part is defined for probabilities. "
                            f"Use {self}@sigmoid or {self}@softmax.")  # fmt: skip
        return replace(self, form=form)

    @property
    def forward(self) -> CrossEntropy:
        """The cross-entropy that α weighs."""
        return CrossEntropy(form=self.form)

    def reverse_weight(self, y: Array, xp: Any) -> Array:
        """u(y) = −max(log y, A): what the reverse cross-entropy charges for an answer of 1."""
        low = y <= 0
        log = xp.where(low, self.A, xp.log(xp.where(low, 1.0, y)))
        return -xp.where(log < self.A, self.A, log)

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(a, y)
        reverse = [p * self.reverse_weight(share, xp) for share, p, _ in self.form.read(a, y)]
        return self.alpha * self.forward(a, y) + self.beta * (reverse[0] + reverse[1] if len(reverse) == 2 else reverse[0])

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        xp = namespace(a, y)
        reverse = [dp * self.reverse_weight(share, xp) for share, _, dp in self.form.read(a, y)]
        return self.alpha * self.forward.slope(a, y) + self.beta * (reverse[0] + reverse[1] if len(reverse) == 2 else reverse[0])
