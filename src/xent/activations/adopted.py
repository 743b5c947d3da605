"""An activation of the user's own that is no subclass of ours, and what taking in any such object needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xent.activations.base import REALS, Activation, Interval
from xent.arrays import Array
from xent.errors import InputError, an


def adopted_activation(activation: Any) -> Activation:
    """The object as an Activation: `__call__(z)`, `pullback(a, g)`; `inverse(a)`, `name`, `range` and `vector` if it has them."""
    if isinstance(activation, Activation):
        return activation
    insist(activation, "activation", "pullback", "pullback(a, g) that returns ∂C/∂z from g = ∂C/∂a")
    members: dict[str, Any] = {
        "name": name_of(activation),
        "range": interval_of(getattr(activation, "range", REALS)),
        "vector": bool(getattr(activation, "vector", False)),
        "__call__": _method(activation),
        "pullback": _method(activation.pullback),
        "own": activation,
    }
    if callable(getattr(activation, "inverse", None)):
        members["inverse"] = _method(activation.inverse)
    made: Activation = type(type(activation).__name__, (Activation,), members)()
    return made


def _method(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda self, *arrays: function(*arrays)


def name_of(own: Any) -> str:
    """What a user's own object is called."""
    return str(getattr(own, "name", None) or getattr(own, "__name__", type(own).__name__))


def interval_of(given: Any) -> Interval:
    """An interval from one of ours or a pair of numbers, the ends then out."""
    if isinstance(given, Interval):
        return given
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        raise InputError(f"an interval is a pair of numbers such as (0, 1), but {given!r} came.") from None
    return Interval.open(low, high)


def insist(own: Any, kind: str, method: str, signature: str) -> None:
    """Refuse what is not callable or lacks the method."""
    if isinstance(own, type):
        raise InputError(f"expected {an(kind)}, but the class {own.__name__} came: make one of it, {own.__name__}().")
    if not callable(own) or not callable(getattr(own, method, None)):
        raise InputError(
            f"an output is made of a cost and an activation; {an(kind)} is callable and has {signature}, but {own!r} came."
        )
