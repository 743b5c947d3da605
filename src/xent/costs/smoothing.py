"""Label smoothing: any cost, on a target moved a little towards undecided."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from jaxtyping import Float

from xent.activations import Activation, Interval
from xent.arrays import Array
from xent.costs.base import Cost, Labels, check_parameter
from xent.errors import InputError, PairError


@dataclass(frozen=True)
class Smooth(Cost):
    """Label smoothing: the cost against y′ = (1 − ε)y + ε·undecided.

    C(a, y) = cost(a, y′);  undecided is 1/K with a softmax of K classes, ½ with a sigmoid, 0 with tanh

    Domain: the cost's own; 0 ≤ ε ≤ 1.  Least when a = y′.  Error and gain are read against y′, the target really used.
    Reference: Szegedy et al. (2016), §7.

    >>> import numpy as np
    >>> from xent.costs import CrossEntropy
    >>> print(Smooth(CrossEntropy(), epsilon=0.1))
    smooth(cross-entropy, epsilon=0.1)
    """

    cost: Cost
    epsilon: float = 0.1
    undecided: float | None = field(default=0.5, repr=False, kw_only=True)
    """What a target knows nothing at; None for one class in K."""

    name = "smooth"

    def __post_init__(self) -> None:
        if not isinstance(self.cost, Cost):
            raise InputError(f"smooth wraps a cost, such as smooth(cross-entropy, epsilon=0.1), but {self.cost!r} came.")
        check_parameter(self.name, "epsilon", self.epsilon, 0, 1, "how far the target moves towards undecided")

    @property
    def usual(self) -> str:  # type: ignore[override]
        return self.cost.usual

    @property
    def answers(self) -> Interval:  # type: ignore[override]
        return self.cost.answers

    @property
    def targets(self) -> Interval | Labels:  # type: ignore[override]
        return self.cost.targets

    def on(self, activation: Activation) -> Cost:
        if isinstance(self.cost.targets, Labels):
            raise PairError(f"{self} is no cost: {self.cost} takes the labels {self.cost.targets} and nothing between them. "
                            f"Use {self.cost} without smoothing, or smooth(cross-entropy)@sigmoid.")  # fmt: skip
        if not activation.squashed:
            raise PairError(
                f"{self}@{activation} is no output: a target is smoothed between the two ends of a squashing output, and "
                f"{activation} has none. Use {self}@sigmoid or {self}@softmax, or {self.cost} without smoothing."
            )
        middle = None if activation.vector else (activation.range.low + activation.range.high) / 2
        return replace(self, cost=self.cost.on(activation), undecided=middle)

    def targets_on(self, activation: Activation) -> Interval | Labels:
        return self.cost.targets_on(activation)

    def smoothed(self, y: Array) -> Array:
        """y′ = (1 − ε)y + ε·undecided."""
        undecided = 1 / y.shape[-1] if self.undecided is None else self.undecided
        return (1 - self.epsilon) * y + self.epsilon * undecided

    def aim(self, y: Array) -> Array:
        return self.cost.aim(self.smoothed(y))

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return self.cost(a, self.smoothed(y))

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return self.cost.slope(a, self.smoothed(y))

    def __str__(self) -> str:
        return f"{self.name}({self.cost}, epsilon={self.epsilon!r})".replace(".0)", ")")


def unwrapped(cost: Cost) -> Cost:
    """The cost without any smoothing around it.

    >>> from xent.costs import Quadratic
    >>> unwrapped(Smooth(Smooth(Quadratic()))) == Quadratic()
    True
    """
    while isinstance(cost, Smooth):
        cost = cost.cost
    return cost
