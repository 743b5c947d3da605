"""The sentence beside each curve: what this run, with these numbers, shows. Chosen by what happened, never by what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from xent import explaining, texts
from xent.costs import MarginCost
from xent.neuron import Run

RIGHT = 0.1
"""An error below this part of the range is nearly right: nothing is asked of a start that has it."""
EARLY = 10
"""What happens within this part of the steps happens at once."""
WILD = 1e12
"""Beyond this a run has left everything that a sentence could say of it."""


PARTS = ("cost", "a", "delta", "gain")


@dataclass(frozen=True)
class Seen:
    """What there is to say of a run: sizes of error, cost, δ and gain by step, the error as a share of its range."""

    run: Run
    error: Float[np.ndarray, " t"]
    share: Float[np.ndarray, " t"]

    @classmethod
    def of(cls, run: Run) -> Seen:
        """The run, looked at; where answers have no ends the range is the first error."""
        error = np.abs(np.asarray(run.output.error(run.z, np.full(run.z.shape, float(run.y)))))
        reach = run.output.activation.range
        whole = (
            reach.high - reach.low
            if reach.bounded
            else 1.0
            if isinstance(run.output.cost, MarginCost)
            else max(float(error[0]), 1e-300)
        )
        return cls(run, error, error / whole)

    @property
    def stalled(self) -> bool:
        """Whether the start is badly wrong and hardly corrected."""
        return bool(self.run.output.stalled(np.asarray(self.run.z[0]), np.asarray(float(self.run.y))))

    def first(self, holds: Any) -> int | None:
        """The first step at which something holds."""
        return int(np.argmax(holds)) if np.any(holds) else None


def sentences(run: Run, language: str) -> dict[str, str]:
    """A sentence for each of the four curves, in light markup."""
    said, seen = texts.page("lab", language)["telling"], Seen.of(run)
    if not all(np.all(np.abs(np.asarray(getattr(run, part))) < WILD) for part in PARTS):
        return dict.fromkeys(PARTS, said["wild"])
    return {part: said[key].format(**values) for part, (key, values) in _chosen(seen).items()}


def _chosen(seen: Seen) -> dict[str, tuple[str, dict[str, Any]]]:
    """For each curve the sentence that fits, with its numbers."""
    return {"cost": _of_cost(seen), "a": _of_answer(seen), "delta": _of_delta(seen), "gain": _of_gain(seen)}


def _of_cost(seen: Seen) -> tuple[str, dict[str, Any]]:
    cost, steps = np.asarray(seen.run.cost), seen.run.steps
    half = seen.first(cost <= cost[0] / 2)
    tenth = max(steps // EARLY, 1) if steps else 0
    values = {"first": number(cost[0]), "last": number(cost[-1]), "half": half, "steps": steps, "tenth": tenth}
    values["lost"] = f"{(cost[0] - cost[tenth]) / cost[0]:.0%}" if cost[0] > 0 else "0%"
    if seen.share[0] < RIGHT:
        return "cost_right", values
    if half is None:
        return "cost_never", values
    return ("cost_late" if half > steps / EARLY else "cost_early"), values


def _of_answer(seen: Seen) -> tuple[str, dict[str, Any]]:
    a, steps = np.asarray(seen.run.a), seen.run.steps
    half = seen.first(seen.share < 0.5)
    values = {"first": number(a[0]), "last": number(a[-1]), "half": half, "steps": steps}
    if half is None:
        return "a_never", values
    return ("a_right" if half == 0 else "a_late" if half > steps / EARLY else "a_early"), values


def _of_delta(seen: Seen) -> tuple[str, dict[str, Any]]:
    delta = np.abs(np.asarray(seen.run.delta))
    top = int(np.argmax(delta))
    stuck = seen.stalled and seen.error[top] > (1 - RIGHT) * seen.error[0]
    values: dict[str, Any] = {
        "steps": seen.run.steps,
        "first": number(delta[0]), "error": number(seen.error[0]), "top": top, "most": number(delta[top]),
        "error_top": number(seen.error[top]),
    }  # fmt: skip
    if seen.share[0] < RIGHT:
        return "delta_right", values
    if stuck:
        return "delta_stuck", values
    if delta[top] == delta[0]:
        return ("delta_constant" if np.ptp(delta) <= 1e-9 * delta[0] else "delta_forward"), values
    return ("delta_backward" if seen.error[top] < seen.error[0] else "delta_away"), values


def _of_gain(seen: Seen) -> tuple[str, dict[str, Any]]:
    gain = np.asarray(seen.run.gain)
    values = {
        "first": number(gain[0]),
        "last": number(gain[-1]),
        "most": number(gain.max()),
        "share": f"{number(100 * float(gain[0]))}%",
    }
    if np.all(np.abs(gain - 1) < 1e-12):
        return "gain_one" if seen.run.output.activation.squashed else "gain_linear", values
    if seen.stalled:
        return "gain_stalled", values
    return ("gain_less" if gain[0] < 1 else "gain_more"), values


def number(x: float) -> str:
    """A number as a sentence says it, a very small or large one by its power of ten.

    >>> number(0.0173), number(6.144e-06), number(-2.5e7)
    ('0.0173', '6.14×10⁻⁶', '−2.5×10⁷')
    """
    if x == 0 or 1e-4 <= abs(x) < 1e6:
        return explaining.number(x)
    digits, _, power = f"{x:.3g}".partition("e") if "e" in f"{x:.3g}" else f"{x:.2e}".partition("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{explaining.number(float(digits))}×10{raised}"
