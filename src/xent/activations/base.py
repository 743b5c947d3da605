"""What an activation is: σ, its pullback, and the interval that its answers lie in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from jaxtyping import Float

from xent.errors import InputError


@dataclass(frozen=True)
class Interval:
    """The numbers between two ends, each end in or out.

    >>> Interval.open(0, 1), 1 in Interval.open(0, 1), 1 in Interval.closed(0, 1)
    ((0, 1), False, True)
    """

    low: float
    high: float
    closed_low: bool
    closed_high: bool

    @classmethod
    def open(cls, low: float, high: float) -> Interval:
        """Both ends out."""
        return cls(low, high, False, False)

    @classmethod
    def closed(cls, low: float, high: float) -> Interval:
        """Both ends in."""
        return cls(low, high, True, True)

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return -inf < self.low and self.high < inf

    @property
    def closure(self) -> Interval:
        """The same interval with its finite ends in."""
        return Interval(self.low, self.high, self.low > -inf, self.high < inf)

    def __contains__(self, x: float) -> bool:
        above = x >= self.low if self.closed_low else x > self.low
        below = x <= self.high if self.closed_high else x < self.high
        return above and below

    def covers(self, other: Interval) -> bool:
        """Whether every number of `other` lies in this interval, ends that only a limit reaches left aside."""
        return self.low <= other.low and other.high <= self.high

    def __repr__(self) -> str:
        ends = "[" if self.closed_low else "(", "]" if self.closed_high else ")"
        return f"{ends[0]}{_number(self.low)}, {_number(self.high)}{ends[1]}"


REALS = Interval.open(-inf, inf)


def _number(x: float) -> str:
    return "−∞" if x == -inf else "∞" if x == inf else f"{x:g}"


class Activation(ABC):
    """a = σ(z), with its pullback. An own activation subclasses this and says `name` and `range`.

    `range` is the interval of one answer; `vector` says that the last axis is activated as one (softmax).
    """

    name: ClassVar[str]
    range: ClassVar[Interval]
    vector: ClassVar[bool] = False

    @property
    def squashed(self) -> bool:
        """Whether the answers are held between two finite ends, which they approach ever more slowly."""
        return self.range.bounded

    @property
    def invertible(self) -> bool:
        """Whether `inverse` finds the z of an answer."""
        return type(self).inverse is not Activation.inverse

    @abstractmethod
    def __call__(self, z: Float[Any, "*n"]) -> Float[Any, "*n"]:
        """The answer a = σ(z), of z's shape."""

    @abstractmethod
    def pullback(self, a: Float[Any, "*n"], g: Float[Any, "*n"]) -> Float[Any, "*n"]:
        """∂C/∂z from the answer a and g = ∂C/∂a: the vector-Jacobian product, g·σ′ where σ is elementwise."""

    def inverse(self, a: Float[Any, "*n"]) -> Float[Any, "*n"]:
        """The z that is answered with a; where σ has no inverse, an error says so."""
        raise InputError(f"{self} has no inverse: no z, or more than one, is answered with a given number.")

    def __str__(self) -> str:
        return self.name
