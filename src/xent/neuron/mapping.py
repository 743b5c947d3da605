"""The stall map: how many steps a neuron needs from every start of a plane, under one output or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from xent.errors import InputError, UnknownNameError
from xent.neuron.sweeping import Sweep, sweep
from xent.neuron.tables import labels
from xent.outputs import Output
from xent.outputs import output as output_named

PLANES = ("start", "rate")


@dataclass(frozen=True)
class StallMap:
    """A plane of starts and what came of each: `sweeps` holds one Sweep for each output, its arrays (vertical, horizontal).

    Plane "start" is the starting weight (horizontal) against the bias (vertical); plane "rate" is the first output against
    the learning rate.
    """

    plane: str
    horizontal: Float[Any, " h"]
    vertical: Float[Any, " v"]
    x: float
    y: float
    sweeps: dict[str, Sweep]

    def beside(self, *others: StallMap) -> StallMap:
        """This map and others of the same plane as one, for outputs that want targets of their own; y stays this one's."""
        return replace(self, sweeps={**self.sweeps, **{label: sweep for other in others for label, sweep in other.sweeps.items()}})

    def never(self, label: str) -> float:
        """The share of the starts that have not learned when the steps are over."""
        return float(np.mean(self.sweeps[label].steps_to_learn < 0))

    def median(self, label: str) -> float | None:
        """The median of the steps of those starts that had to learn and did, None where there is none."""
        steps = self.sweeps[label].steps_to_learn
        return float(np.median(steps[steps > 0])) if np.any(steps > 0) else None


def stall_map(
    outputs: Sequence[str | Output],
    *,
    plane: str = "start",
    size: int = 120,
    span: tuple[float, float] | None = None,
    x: float = 1.0,
    y: float = 0.0,
    rate: float = 0.15,
    steps: int = 300,
    learned: float = 0.1,
) -> StallMap:
    """Steps to learn over a plane of size × size starts.

    `span` is the range of both axes of the plane "start" (−6 to 6 if not given), and the range of rates, in equal ratios, of
    the plane "rate" (0.005 to 5), where `rate` is not used and each neuron starts where it first answers 0.01 to 0.99 of its
    output's range.

    >>> found = stall_map(["quadratic@sigmoid", "cross-entropy@sigmoid"], size=20)
    >>> found.never("quadratic@sigmoid") > found.never("cross-entropy@sigmoid")
    True
    """
    if plane not in PLANES:
        raise UnknownNameError("plane", plane, PLANES)
    if isinstance(size, bool) or not isinstance(size, int) or not 2 <= size <= 4000:
        raise InputError(f"a map has from 2 to 4000 starts along each side, but a size of {size!r} came.")
    chosen = [output_named(one) for one in outputs]
    if not chosen:
        raise InputError("a map shows at least one output, but none came.")
    low, high = span or ((-6.0, 6.0) if plane == "start" else (0.005, 5.0))
    if not (np.isfinite(low) and np.isfinite(high) and low < high and (plane == "start" or low > 0)):
        kind = "two numbers" if plane == "start" else "two positive rates"
        raise InputError(f"a map spans {kind}, the smaller first, but {low!r} to {high!r} came.")
    how: dict[str, Any] = {"steps": steps, "learned": learned}
    if plane == "start":
        horizontal = vertical = np.linspace(low, high, size)
        w, b = np.meshgrid(horizontal, vertical)
        sweeps = {label: sweep(w, b, x, y, output=one, rate=rate, **how) for label, one in zip(labels(chosen), chosen, strict=True)}
        return StallMap(plane, horizontal, vertical, x, y, sweeps)
    horizontal, vertical = np.linspace(0.01, 0.99, size), np.geomspace(low, high, size)
    share, rates = np.meshgrid(horizontal, vertical)
    sweeps = {}
    for label, one in zip(labels(chosen), chosen, strict=True):
        reach = one.activation.range
        if not reach.bounded:
            raise InputError(f"the plane of first outputs wants outputs between two ends, but {one} answers in {reach}: use the "
                             "plane of starting weights and biases.")  # fmt: skip
        z = one.activation.inverse(reach.low + (reach.high - reach.low) * share)
        w, b = z * x / (x * x + 1), z / (x * x + 1)
        sweeps[label] = sweep(w, b, x, y, output=one, rate=rates, **how)
    return StallMap(plane, horizontal, vertical, x, y, sweeps)
