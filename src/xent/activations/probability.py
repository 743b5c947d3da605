"""A probability known from both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float


@dataclass(frozen=True)
class Probability:
    """p, its complement 1 − p, its surprisal ℓ = −log p and its powers p^r, each computed from z and right to its last digits.

    None of them can be had from another: at p = 1 − 1e-20 the number p is 1 and has forgotten the rest.
    """

    p: Float[Any, "*n"]
    rest: Float[Any, "*n"]
    ell: Float[Any, "*n"]
    power: Callable[[float], Float[Any, "*n"]]

    @classmethod
    def of(cls, p: Float[Any, "*n"], xp: Any) -> Probability:
        """What can be known of a probability from its rounded value p alone."""
        return cls(p, 1 - p, -xp.log(p), lambda r: p**r)
