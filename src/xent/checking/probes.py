"""Where to look: answers and targets of a domain, dense towards its ends, and the same for weighted inputs.

All answers are short binary fractions, so that a step up or down from them, even one next to an end, is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

from xent.activations import Activation, Interval
from xent.arrays import Array
from xent.costs import Cost, Labels

CLASSES = 3
DEEP = (50, 75, 100, 160, 250, 500)
NEAR = (1, 2, 3, 5, 7, 10, 14, 20, 24, 27, 30, 34, 40)
EVEN = np.arange(1, 128) / 128
"""Evenly from end to end: a mistake in a stretch of the domain is one, too."""
REAL = (0.0, 2.0**-10, 0.5, 1.0, 2.0, 3.5, 9.0, 20.0, 80.0, 300.0, 600.0)


@dataclass(frozen=True)
class Points:
    """Places to look from, each with the direction to look in (1, or one class up and another down) and the room there is."""

    x: Array
    y: Array
    way: Array
    room: Array
    hard: Array
    """Whether the target is hard: an end of the targets, a label, one class."""

    def __getitem__(self, chosen: Any) -> Points:
        return Points(self.x[chosen], self.y[chosen], self.way[chosen], self.room[chosen], self.hard[chosen])

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Probes:
    """The points for a cost on an activation."""

    cost: Cost
    activation: Activation

    @cached_property
    def domain(self) -> Interval:
        """The answers that the activation gives and the cost takes."""
        takes, gives = self.cost.answers, self.activation.range
        low, high = max(takes.low, gives.low), min(takes.high, gives.high)
        return Interval(low, high, low in takes and low > -inf, high in takes and high < inf)

    @cached_property
    def allowed(self) -> Interval | Labels:
        """The targets that make sense here."""
        return self.cost.targets_on(self.activation)

    @cached_property
    def answers(self) -> Array:
        """Answers inside the domain of one output, from end to end."""
        low, high = self.domain.low, self.domain.high
        drawn = np.floor(np.random.default_rng(0).random(24) * 2**20) / 2**20
        if low == -inf and high == inf:
            return np.unique(np.concatenate([REAL, np.negative(REAL), 8 * drawn - 4, 16 * EVEN - 8]))
        if low == -inf or high == inf:
            steps = np.concatenate(
                [2.0 ** -np.asarray(NEAR + (DEEP if self._zero else ())), REAL[2:], 8 * drawn + 2.0**-20, 8 * EVEN]
            )
            return np.unique(low + steps if high == inf else high - steps)
        width = high - low
        near = width * 2.0 ** -np.asarray(NEAR)
        deep = width * 2.0 ** -np.asarray(DEEP)
        parts: list[Any] = [
            low + near,
            high - near,
            low + width * np.maximum(drawn, 2.0**-20),
            low + width * EVEN,
            deep if low == 0 else [],
            -deep if high == 0 else [],
        ]
        return np.unique(np.concatenate([np.asarray(part, dtype=float) for part in parts]))

    @property
    def _zero(self) -> bool:
        return 0 in (self.domain.low, self.domain.high)

    @cached_property
    def targets(self) -> tuple[Array, Array]:
        """Targets of one output, and whether each is hard."""
        if isinstance(self.allowed, Labels):
            return np.asarray(self.allowed.values, dtype=float), np.ones(len(self.allowed.values), dtype=bool)
        low, high = self.allowed.low, self.allowed.high
        if self.allowed.bounded:
            inside = low + (high - low) * np.asarray([2.0**-8, 0.25, 0.5, 0.875])
            ends = [end for end in (low, high) if end in self.allowed]
            y = np.concatenate([ends, inside])
            return y, np.isin(y, ends)
        y = np.asarray([-20.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, 20.0])
        y = np.concatenate([y, [low + 0.25] if low > -inf else [], [high - 0.25] if high < inf else []])
        y = np.unique([v for v in y if v in self.allowed])
        return y, np.ones(len(y), dtype=bool)

    @cached_property
    def of_cost(self) -> Points:
        """Where the slope is looked at."""
        return self._rows_of_answers() if self.activation.vector else self._answers_and_targets()

    @cached_property
    def of_output(self) -> Points:
        """Where δ is looked at, out to |z| = 700."""
        if self.activation.vector:
            return self._rows_of_logits()
        z = np.unique([s * x for s in (-1, 1) for x in (*REAL, 0.25, 5.0, 12.0, 16.0, 24.0, 32.0, 36.0, 40.0, 100.0, 700.0)])
        y, hard = self.targets
        return Points(
            np.repeat(z, len(y)), np.tile(y, len(z)), np.ones(len(z) * len(y)), _room(np.maximum(np.abs(np.repeat(z, len(y))), 1)),
            np.tile(hard, len(z)),
        )  # fmt: skip

    def _answers_and_targets(self) -> Points:
        y, hard = self.targets
        beside = [(v + d, v, h) for v, h in zip(y, hard, strict=True) for d in (-(2.0**-8), 0, 2.0**-8) if self._inside(v + d)]
        a = np.concatenate([np.repeat(self.answers, len(y)), [v for v, _, _ in beside]])
        target = np.concatenate([np.tile(y, len(self.answers)), [v for _, v, _ in beside]])
        to_end = np.minimum(a - self.domain.low, self.domain.high - a)
        to_truth = np.where(a == target, np.inf, np.abs(a - target))
        return Points(
            a,
            target,
            np.ones(len(a)),
            _room(np.minimum(np.minimum(to_end, to_truth), np.maximum(np.abs(a), 1))),
            np.concatenate([np.tile(hard, len(self.answers)), [h for _, _, h in beside]]).astype(bool),
        )

    def _inside(self, a: float) -> bool:
        return self.domain.low < a < self.domain.high

    def distributions(self) -> tuple[Array, Array]:
        """Targets of a row of classes, and whether each is hard."""
        soft = np.asarray([[0.5, 0.25, 0.25], [0.125, 0.625, 0.25], [0.9375, 0.0625, 0.0]])
        return np.concatenate([np.eye(CLASSES), soft]), np.arange(CLASSES + len(soft)) < CLASSES

    def rows(self) -> Array:
        """Answers of a row of classes, each a short binary fraction, their sum 1."""
        small = 2.0 ** -np.asarray((2, 4, 7, 10, 16, 24, 32, 40))
        drawn = np.floor(np.random.default_rng(1).dirichlet(np.ones(CLASSES), 16) * 2**20) / 2**20 + 2.0**-20
        first = np.concatenate([[(s, s / 2) for s in small], [(s, 0.125) for s in small], drawn[:, :2]])
        rows = np.column_stack([1 - first.sum(axis=1), first])
        return np.concatenate([np.roll(rows, shift, axis=1) for shift in range(CLASSES)])

    def _rows_of_answers(self) -> Points:
        """Every row with every target, each class but the greatest moved up, the greatest down by as much: the sum stays 1."""
        rows, (y, hard) = self.rows(), self.distributions()
        ways, base = [], []
        for i, row in enumerate(rows):
            top = int(np.argmax(row))
            for j in set(range(CLASSES)) - {top}:
                base.append(i)
                ways.append(np.eye(CLASSES)[j] - np.eye(CLASSES)[top])
        a, way = rows[base], np.asarray(ways)
        moved = np.min(np.where(way != 0, a, 1.0), axis=1)
        n = len(a)
        return Points(
            np.repeat(a, len(y), axis=0), np.tile(y, (n, 1)), np.repeat(way, len(y), axis=0),
            _room(np.repeat(moved, len(y))), np.tile(hard, n),
        )  # fmt: skip

    def _rows_of_logits(self) -> Points:
        """Every row with every target, each class moved by itself."""
        draw = np.random.default_rng(2)
        far = [[s, 0.0, -1.0] for s in (0.0, 1.0, 5.0, 12.0, 20.0, 30.0, 40.0, 100.0, 300.0, 600.0)]
        rows = np.concatenate([np.zeros((1, CLASSES)), draw.normal(0, 2, (12, CLASSES)), far, [[0.0, 30.0, 30.0]]])
        rows = np.concatenate([rows, np.roll(rows, 1, axis=1)])
        y, hard = self.distributions()
        base = np.repeat(np.repeat(rows, len(y), axis=0), CLASSES, axis=0)
        way = np.tile(np.eye(CLASSES), (len(rows) * len(y), 1))
        return Points(
            base, np.repeat(np.tile(y, (len(rows), 1)), CLASSES, axis=0), way,
            _room(np.maximum(np.abs(np.sum(base * way, axis=1)), 1)), np.repeat(np.tile(hard, len(rows)), CLASSES),
        )  # fmt: skip


def _room(distance: Array) -> Array:
    """The first step to take: a power of two, at most a quarter of the distance."""
    return 2.0 ** np.floor(np.log2(distance / 4))
