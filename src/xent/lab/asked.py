"""What a page asks for: its settings as an object, with what comes of them.

Every page, export and script is made from the same settings, so that a figure downloaded is the figure seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from xent.errors import InputError, UnknownNameError
from xent.lab.own import NONE, Own
from xent.lab.values import Asked, choice, language, number, numbers, outputs, whole
from xent.neuron import Neuron, Run, tables
from xent.neuron.mapping import PLANES, StallMap, stall_map
from xent.outputs import Output, curves
from xent.owned import blamed, insist_on_shape

MOST_STEPS = 5000


# ── the neuron ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class NeuronAsked:
    """Some outputs and how each is to learn; `target` is a share of the way from an output's low hard target to its high one."""

    outputs: tuple[Output, ...]
    starts: tuple[Neuron, ...]
    x: float
    target: float
    rates: tuple[float, ...]
    steps: int
    language: str

    @classmethod
    def of(cls, asked: Asked, own: Own = NONE) -> NeuronAsked:
        """The settings of the neuron page."""
        chosen = tuple(outputs(asked, own))
        for one in chosen:
            if one.activation.vector:
                raise InputError(f"a neuron has one output, and {one} needs one per class: use {one.cost.name}@sigmoid.")
        rate = number(asked, "rate", 0.15, 1e-9)
        each = str(asked.get("rates", "")).split(",") if asked.get("rates") else []
        rates = [number({"rate": text}, "rate", rate, 1e-9) for text in each[: len(chosen)]]
        rates += [rate] * (len(chosen) - len(rates))
        x = number(asked, "x", 1.0)
        starts = tuple(_start(asked, one, x) for one in chosen)
        target, steps = number(asked, "target", 0.0, 0.0, 1.0), whole(asked, "steps", 300, 0, MOST_STEPS)
        return cls(chosen, starts, x, target, tuple(rates), steps, language(asked))

    @property
    def targets(self) -> list[float]:
        """Each output's own target."""
        return [curves.target_at(one, self.target) for one in self.outputs]

    def run(self, side: int) -> Run:
        """What one of the outputs does; a ModelError of one sentence where a user's own cannot."""
        start, output = self.starts[side], self.outputs[side]
        with blamed([output], self.language):
            run = start.learn(self.x, self.targets[side], output=output, rate=self.rates[side], steps=self.steps)
        insist_on_shape(output, {"cost": run.cost, "slope": run.delta}, (self.steps + 1,), self.language)
        return run

    def runs(self) -> dict[str, Run]:
        """What each of the outputs does, by its label."""
        return {label: self.run(side) for side, label in enumerate(tables.labels(self.outputs))}


def _start(asked: Asked, one: Output, x: float) -> Neuron:
    """Where a neuron starts: its weighted input z, its first answer or that as a share of the range, a draw, or w and b."""
    if asked.get("z"):
        return Neuron.from_input(number(asked, "z", 0.0), x)
    if asked.get("first"):
        return Neuron.from_output(number(asked, "first", 0.98), x=x, activation=one.activation)
    if asked.get("share"):
        reach = one.activation.range
        if not reach.bounded:
            raise InputError(f"{one} answers in {reach}, which has no share: give a first answer instead.")
        answer = reach.low + number(asked, "share", 0.98, 0.0, 1.0) * (reach.high - reach.low)
        return Neuron.from_output(answer, x=x, activation=one.activation)
    if asked.get("seed"):
        drawn = Neuron.random(seed=whole(asked, "seed", 0, 0, 10**9))
        return Neuron(float(drawn.w), float(drawn.b))
    return Neuron(number(asked, "w", 2.0), number(asked, "b", 2.0))


# ── the costs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class CostsAsked:
    """Some outputs, the target as a share of the way from low to high, and what their curves are read along."""

    outputs: tuple[Output, ...]
    target: float
    along: str
    language: str

    @classmethod
    def of(cls, asked: Asked, own: Own = NONE) -> CostsAsked:
        """The settings of the page of costs."""
        share, along = number(asked, "target", 0.0, 0.0, 1.0), choice(asked, "along", curves.WAYS)
        return cls(tuple(outputs(asked, own)), share, along, language(asked))

    def curve(self, side: int) -> curves.Curve:
        """The curve of one of the outputs; a ModelError of one sentence where a user's own has none."""
        output = self.outputs[side]
        with blamed([output], self.language):
            curve = curves.overlaid(output, self.target, self.along)
        insist_on_shape(output, {"cost": curve.cost, "slope": curve.slope, "delta": curve.delta}, curve.x.shape, self.language)
        return curve


# ── the stall map ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class MapAsked:
    """Some outputs, each with its target, and the plane of starts to put them through."""

    outputs: tuple[Output, ...]
    targets: tuple[float, ...]
    how: dict[str, Any]
    language: str

    @classmethod
    def of(cls, asked: Asked, own: Own = NONE) -> MapAsked:
        """The settings of the stall map."""
        chosen = tuple(outputs(asked, own))
        plane = choice(asked, "plane", PLANES)
        share = number(asked, "target", 0.0, 0.0, 1.0)
        how = {
            "plane": plane,
            "size": whole(asked, "size", 256, 2, 512),
            "span": _span(asked, plane),
            "x": number(asked, "x", 1.0),
            "rate": number(asked, "rate", 0.15, 1e-9),
            "steps": whole(asked, "steps", 300, 0, MOST_STEPS),
            "learned": number(asked, "learned", 0.1, 1e-9, 1.0),
        }
        return cls(chosen, tuple(curves.target_at(one, share) for one in chosen), how, language(asked))

    def one(self, side: int) -> StallMap:
        """The map of one output; a ModelError of one sentence where a user's own has none."""
        output, y = self.outputs[side], self.targets[side]
        with blamed([output], self.language):
            found = stall_map([output], y=y, **self.how)
        insist_on_shape(output, {"slope": found.sweeps[str(output)].a}, (self.how["size"],) * 2, self.language)
        return found

    def map(self) -> StallMap:
        """The maps of all outputs side by side."""
        maps = [self.one(side) for side in range(len(self.outputs))]
        return maps[0].beside(*maps[1:])


def _span(asked: Asked, plane: str) -> tuple[float, float] | None:
    if plane == "rate" or not asked.get("span"):
        return None
    far = number(asked, "span", 6.0, 0.1, 1e3)
    return -far, far


# ── the race ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SETS = ("digits", "iris", "wine", "breast_cancer")


@dataclass(frozen=True)
class RaceAsked:
    """A race within what a page may start. `data` is the name of a bundled set, or of a file that was dropped on the page."""

    data: str
    target: str | None
    outputs: tuple[Output, ...]
    choices: dict[str, Any]
    language: str

    @classmethod
    def of(cls, asked: Asked, own: Own = NONE) -> RaceAsked:
        """The settings of the race."""
        data = str(asked.get("data", "")) or SETS[1]
        if data not in SETS and not re.fullmatch(r"[0-9a-f]{16}/[\w.-]{1,80}\.csv", data):
            raise UnknownNameError("data set", data[:80], SETS)
        hidden = numbers(asked, "hidden", "10", 3, 0, 300)
        if any(n != int(n) for n in hidden):
            raise InputError("hidden layers have whole numbers of units, such as 30 or 100,30; 0 for none.")
        rates = numbers(asked, "rates", "", 12, 1e-6, 1e3)
        choices = {
            "hidden": [int(n) for n in hidden if n],
            "rates": rates or None,
            "seeds": whole(asked, "seeds", 10, 1, 50),
            "epochs": whole(asked, "epochs", 10, 1, 200),
            "batch": whole(asked, "batch", 10, 1, 1000),
            "activation": choice(asked, "activation", ("sigmoid", "tanh", "relu", "softplus")),
            "optimiser": choice(asked, "optimiser", ("sgd", "momentum", "adam")),
        }
        target = str(asked.get("target", ""))[:200] or None
        return cls(data, None if data in SETS else target, tuple(outputs(asked, own, RACING)), choices, language(asked))


RACING = "quadratic@sigmoid,cross-entropy@sigmoid,cross-entropy@softmax"
