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
HARDLY = 0.1
"""A cost that has lost less than this part of itself by then has hardly moved."""
SAME = 1e-9
"""Sizes that differ by less, relatively, are the same."""
WILD = 1e12
"""Beyond this a run has left everything that a sentence could say of it."""


PARTS = ("cost", "a", "delta", "gain")


@dataclass(frozen=True)
class Seen:
    """What there is to say of a run: sizes of error, cost, δ and gain by step, the error as a share of its range."""

    run: Run
    error: Float[np.ndarray, " t"]
    share: Float[np.ndarray, " t"]
    kind: str

    @classmethod
    def of(cls, run: Run) -> Seen:
        """The run, looked at. `kind` is what an error is measured by: the range, a margin's sign, or else the first error."""
        error = np.abs(np.asarray(run.output.error(run.z, np.full(run.z.shape, float(run.y)))))
        reach = run.output.activation.range
        if reach.bounded:
            return cls(run, error, error / (reach.high - reach.low), "range")
        if isinstance(run.output.cost, MarginCost):
            return cls(run, error, error, "margin")
        return cls(run, error, error / max(float(error[0]), 1e-300), "linear")

    @property
    def stalled(self) -> bool:
        """Whether the start is badly wrong and hardly corrected."""
        return bool(self.run.output.stalled(np.asarray(self.run.z[0]), np.asarray(float(self.run.y))))


def sentences(run: Run, language: str) -> dict[str, str]:
    """A sentence for each of the four curves, in light markup."""
    said, seen = texts.page("lab", language)["telling"], Seen.of(run)
    phrases = {name: said[f"{name}_{seen.kind}"] for name in ("below", "above")}
    return {part: said[key].format(**phrases, **values) for part, (key, values) in chosen(seen).items()}


def chosen(seen: Seen) -> dict[str, tuple[str, dict[str, Any]]]:
    """For each curve the sentence that fits, with its numbers."""
    wild = {part for part in PARTS if not np.all(np.abs(np.asarray(getattr(seen.run, part))) < WILD)}
    if wild - {"gain"}:
        return dict.fromkeys(PARTS, ("wild", {}))
    gain = ("gain_wild", {}) if wild else _of_gain(seen)
    return {"cost": _of_cost(seen), "a": _of_answer(seen), "delta": _of_delta(seen), "gain": gain}


def _of_cost(seen: Seen) -> tuple[str, dict[str, Any]]:
    cost, steps = np.asarray(seen.run.cost), seen.run.steps
    half = _first(cost <= cost[0] / 2)
    tenth = max(steps // EARLY, 1) if steps else 0
    lost = float((cost[0] - cost[: tenth + 1].min()) / cost[0]) if cost[0] > 0 else 0.0
    values = {
        "first": number(cost[0]), "last": number(cost[-1]), "half": half, "steps": steps, "tenth": tenth,
        "lost": f"{lost:.0%}", "most": number(cost.max()),
    }  # fmt: skip
    if cost.max() > max((1 + HARDLY) * cost[0], HARDLY):
        return "cost_more", values
    if cost[0] == 0:
        return "cost_none", values
    if seen.share[0] < RIGHT:
        return "cost_right", values
    if half is None:
        return "cost_never", values
    if half <= max(steps / EARLY, 1):
        return "cost_early", values
    return ("cost_late" if lost < HARDLY else "cost_slow"), values


def _of_answer(seen: Seen) -> tuple[str, dict[str, Any]]:
    a, steps = np.asarray(seen.run.a), seen.run.steps
    near = seen.share < 0.5
    half, last = _first(near), _first(~near[::-1])
    values = {"first": number(a[0]), "last": number(a[-1]), "half": half, "steps": steps}
    if half is None:
        return "a_never", values
    if last is not None and last < len(near) - half:  # it was near, and went away again
        return "a_swings", values
    return ("a_right" if half == 0 else "a_late" if half > max(steps / EARLY, 1) else "a_early"), values


def _of_delta(seen: Seen) -> tuple[str, dict[str, Any]]:
    delta, error = np.abs(np.asarray(seen.run.delta)), seen.error
    top = _first(delta >= delta.max() * (1 - SAME)) or 0
    values: dict[str, Any] = {
        "steps": seen.run.steps,
        "first": number(delta[0]), "error": number(error[0]), "top": top, "most": number(delta[top]),
        "error_top": number(error[top]), "error_most": number(error.max()),
    }  # fmt: skip
    if seen.share.max() > seen.share[0] + SAME:
        return ("delta_away" if error[top] > error[0] else "delta_swings"), values
    if seen.share[0] < RIGHT and delta[0] < 2 * RIGHT:
        return "delta_right", values
    if seen.stalled and error[top] > (1 - RIGHT) * error[0]:
        return "delta_stuck", values
    if np.ptp(error) <= HARDLY * error[0] and np.ptp(delta) <= HARDLY * delta[0]:
        return "delta_still", values
    if top == 0:
        return ("delta_constant" if np.ptp(delta) <= SAME * delta[0] else "delta_forward"), values
    return "delta_backward", values


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
    if gain[0] < 0:
        return "gain_away", values
    if seen.stalled:
        return ("gain_stalled" if gain.max() >= 0.1 else "gain_stuck"), values
    return ("gain_more" if gain[0] > 1 and values["first"] != "1" else "gain_less"), values


def _first(holds: Any) -> int | None:
    """The first step at which something holds."""
    return int(np.argmax(holds)) if np.any(holds) else None


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
