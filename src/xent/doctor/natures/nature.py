"""The nature of a value: its kind, what it was made of, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent.doctor.trace import Step, Value

REACH = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softmax": (0.0, 1.0), "hard": (0.0, 1.0)}
"""Squashed answers, and where they end."""

PROBABLE = ("sigmoid", "softmax", "hard")
"""Squashed answers that are probabilities, and may stand in a logarithm."""


@dataclass(frozen=True)
class Nature:
    """What a value is: `kind` of z (a value), for softmax and its logarithm over which of this value's axes.

    kind: raw, sigmoid, tanh, softmax, hard (piecewise linear), scaled (a softmax times a number), shares (divided by their sum),
    log (of the nature `inner`), rectified, exp, exp-plus-one, max, shifted (less its max), sum-exp, log-sum-exp. `low` and `high`
    are where a squashed answer ends, after scaling. `turned` is 1 − a. `eps` softens or clamps a probability before its logarithm.
    """

    kind: str
    z: Value
    axis: int | None = None
    inner: str = ""
    low: float = 0.0
    high: float = 1.0
    turned: bool = False
    eps: float = 0.0
    picked: bool = False
    """Whether single classes were taken out of it."""
    target: Value | None = None
    """What chose between a and 1 − a, where both were put into one."""
    step: Step | None = None
    """Where the squashing ran."""

    @property
    def squashed(self) -> bool:
        """Whether it is an answer that cannot leave its range."""
        return self.kind in REACH

    @property
    def is_log(self) -> bool:
        """Whether it is the logarithm of a probability."""
        return self.kind == "log" and self.inner in PROBABLE

    @property
    def of_softmax(self) -> bool:
        """Whether it is a softmax, or made of one."""
        return "softmax" in (self.kind, self.inner)


def axis_of(value: Value, axis: Any) -> int | None:
    """An axis counted from the first; None for what is no number."""
    return axis % max(len(value.shape), 1) if isinstance(axis, int) else None


def only_axis(value: Value, axes: Any) -> int | None:
    """The axis that a list holds, or that was given alone; None for several, or all."""
    axes = [axes] if isinstance(axes, int) else axes
    return axis_of(value, axes[0]) if isinstance(axes, list | tuple) and len(axes) == 1 else None
