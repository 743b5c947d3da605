"""What a cost is: C(a, y) per output, its slope ∂C/∂a, and the domain, targets and usual activation as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import Field, dataclass, fields, is_dataclass
from math import isfinite
from typing import Any, ClassVar

from jaxtyping import Float

from xent.activations import Activation, Interval
from xent.activations.base import REALS
from xent.arrays import Array
from xent.errors import InputError, PairError


@dataclass(frozen=True)
class Labels:
    """A few allowed targets, such as −1 and +1."""

    values: tuple[float, ...]

    def __contains__(self, y: float) -> bool:
        return y in self.values

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{v:+g}" for v in self.values) + "}"


class Cost(ABC):
    """C(a, y), never reduced. An own cost subclasses this and gives `__call__` and `slope`.

    A cost is a sum over outputs: given arrays it returns each output's term, of their shape. (A cost of a whole softmax
    vector that is no such sum may return the shape without the last axis.)

    Data on the class, which tests, messages and the catalogue read: `name`; `usual`, the activation that a bare name takes;
    `answers`, the interval of a; `targets`, the allowed y. Parameters are dataclass fields and appear in the name.
    """

    name: ClassVar[str]
    usual: ClassVar[str] = "identity"
    answers: Interval = REALS
    targets: Interval | Labels = REALS

    @abstractmethod
    def __call__(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        """C(a, y), one term per output."""

    @abstractmethod
    def slope(self, a: Float[Any, "*n"], y: Float[Any, "*n"]) -> Float[Any, "*n"]:
        """∂C/∂a, of a's shape."""

    def on(self, activation: Activation) -> Cost:
        """This cost as it reads the answers of `activation`; an error says why where the two do not belong together."""
        if not self.answers.covers(activation.range):
            other = f"Use {self}@{self.usual}." if self.usual != activation.name else "Say another activation, or set `usual`."
            raise PairError(
                f"{self}@{activation} is no output: {self} needs answers in {self.answers}, but {activation} answers with "
                f"numbers in {activation.range}. {other}"
            )
        return self

    def targets_on(self, activation: Activation) -> Interval | Labels:
        """The targets that make sense with `activation`: those of the cost that the answers can reach or approach."""
        if isinstance(self.targets, Labels):
            return self.targets
        reach, own = activation.range.closure, self.targets
        if not own.covers(reach):
            return own
        return Interval(reach.low, reach.high, reach.closed_low and reach.low in own, reach.closed_high and reach.high in own)

    def aim(self, y: Array) -> Array:
        """The target that the cost really uses, against which the error is read: y itself, unless the cost moves it."""
        return y

    def __str__(self) -> str:
        given = [f"{f.name}={plain(getattr(self, f.name))}" for f in parameters(type(self))]
        return f"{self.name}({', '.join(given)})" if given else self.name


def parameters(cost: type[Cost]) -> list[Field[Any]]:
    """The parameters of a cost: its dataclass fields, those for internal use left out."""
    return [f for f in fields(cost) if f.repr] if is_dataclass(cost) else []


def plain(x: object) -> str:
    """A parameter as it stands in a name: 2 for 2.0."""
    return repr(x).removesuffix(".0") if isinstance(x, float) else str(x)


def check_parameter(cost: str, name: str, value: float, low: float, high: float, meaning: str) -> None:
    """Refuse a parameter outside [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or not low <= value <= high:
        limits = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        raise InputError(f"{cost}: {name} ({meaning}) is a number {limits}, but {value!r} came.")
