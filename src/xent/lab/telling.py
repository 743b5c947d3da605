"""The sentence beside each curve: what this run, with these numbers, shows. Chosen by what happened, never by what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from xent import texts
from xent.explaining import number
from xent.neuron import Run

RIGHT = 0.1
"""An error below this part of the range is nearly right: nothing is asked of a start that has it."""
EARLY = 10
"""What happens within this part of the steps happens at once."""


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
        whole = reach.high - reach.low if reach.bounded else 1.0 if _is_margin(run) else max(float(error[0]), 1e-300)
        return cls(run, error, error / whole)

    def first(self, holds: Any) -> int | None:
        """The first step at which something holds."""
        return int(np.argmax(holds)) if np.any(holds) else None


def sentences(run: Run, language: str) -> dict[str, str]:
    """A sentence for each of the four curves, in light markup."""
    said, seen = texts.page("lab", language)["telling"], Seen.of(run)
    if not all(np.all(np.isfinite(np.asarray(getattr(run, part)))) for part in ("cost", "a", "delta", "gain")):
        return dict.fromkeys(("cost", "a", "delta", "gain"), said["not_finite"])
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
    values = {
        "first": number(delta[0]), "error": number(seen.error[0]), "top": top, "most": number(delta[top]),
        "error_top": number(seen.error[top]),
    }  # fmt: skip
    if seen.share[0] < RIGHT:
        return "delta_right", values
    if delta[top] <= delta[0] * 1.001:
        return ("delta_constant" if np.ptp(delta) <= 1e-9 * delta[0] else "delta_forward"), values
    return ("delta_backward" if seen.error[top] < seen.error[0] else "delta_away"), values


def _of_gain(seen: Seen) -> tuple[str, dict[str, Any]]:
    gain = np.asarray(seen.run.gain)
    values = {"first": number(gain[0]), "last": number(gain[-1]), "most": number(gain.max()), "share": f"{gain[0]:.1%}"}
    if np.all(np.abs(gain - 1) < 1e-12):
        return "gain_one", values
    y = np.full(seen.run.z.shape, float(seen.run.y))
    if bool(np.asarray(seen.run.output.stalled(seen.run.z, y))[0]):
        return "gain_stalled", values
    return ("gain_less" if gain[0] < 1 else "gain_more"), values


def _is_margin(run: Run) -> bool:
    from xent.costs import MarginCost

    return isinstance(run.output.cost, MarginCost)
