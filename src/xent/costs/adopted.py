"""A cost of the user's own that is no subclass of ours: whatever has the right methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float

from xent.activations import Interval
from xent.activations.adopted import insist, interval_of, name_of
from xent.activations.base import REALS
from xent.arrays import Array
from xent.costs.base import Cost, Labels

_ENDS = (("tanh", Interval.open(-1, 1)), ("sigmoid", Interval.open(0, 1)))


@dataclass(frozen=True)
class AdoptedCost(Cost):
    """A cost from any object with `__call__(a, y)` and `slope(a, y)`; `name`, `usual`, `answers` and `targets` if it has them.

    One that says what answers it takes, but not its usual activation, is used on the one that answers so.
    """

    own: Any = field(repr=False)

    @property
    def name(self) -> str:  # type: ignore[override]
        return name_of(self.own)

    @property
    def usual(self) -> str:  # type: ignore[override]
        fits = next((name for name, reach in _ENDS if self.answers.covers(reach) and self.answers.bounded), "identity")
        return str(getattr(self.own, "usual", fits))

    @property
    def answers(self) -> Interval:  # type: ignore[override]
        return interval_of(getattr(self.own, "answers", REALS))

    @property
    def targets(self) -> Interval | Labels:  # type: ignore[override]
        targets = getattr(self.own, "targets", REALS)
        return targets if isinstance(targets, Labels) else interval_of(targets)

    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*m"]:
        return self.own(a, y)

    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        return self.own.slope(a, y)

    def aim(self, y: Array) -> Array:
        return self.own.aim(y) if hasattr(self.own, "aim") else y


def adopted_cost(cost: Any) -> Cost:
    """The object as a Cost; an error says what it lacks.

    >>> class Cubic:
    ...     def __call__(self, a, y): return abs(a - y) ** 3 / 3
    ...     def slope(self, a, y): return (a - y) * abs(a - y)
    >>> print(adopted_cost(Cubic()))
    Cubic
    """
    if isinstance(cost, Cost):
        return cost
    insist(cost, "cost", "slope", "slope(a, y) that returns ∂C/∂a")
    return AdoptedCost(cost)
