"""Which output wins, by how much and how sure: on accuracy at the last epoch, and on epochs to the goal, each its own answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from xent.racing.plan import Plan
from xent.racing.statistics import enough, holm, paired

LEVEL = 0.05
ACCURACY, EPOCHS = "accuracy", "epochs"


@dataclass(frozen=True)
class Comparison:
    """Two sides, the better mean first: difference in favour of the first, interval, p and p after Holm's correction."""

    better: int
    worse: int
    difference: float
    low: float
    high: float
    p: float
    holm: float

    @property
    def shown(self) -> bool:
        """Whether a difference was shown: the test says that there is one, and the interval of its size leaves 0 out."""
        return self.unlikely and self.low > 0

    @property
    def unlikely(self) -> bool:
        """Whether chance alone would seldom do as much, by the sign-flip test after Holm's correction."""
        return self.holm <= LEVEL


@dataclass(frozen=True)
class Answer:
    """The answer to one question: the sides in their order with their means, every pair, and the winner if there is one.

    `question` is "accuracy" (higher is better) or "epochs" (lower is better). A side that diverged on any seed is no winner.
    `winner` is the side that beats every other one that did not diverge; None where that was not shown, and `tied` are then the
    sides from which the best was not shown to differ. `enough` says whether so few seeds could have shown anything.
    """

    question: str
    rating: str
    order: tuple[int, ...]
    means: tuple[float | None, ...]
    pairs: tuple[Comparison, ...]
    winner: int | None
    tied: tuple[int, ...]
    diverged: tuple[int, ...]
    seeds: int
    enough: bool
    never: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The answers of a race; `goal` is the accuracy that epochs are counted to, `interval` the kind that every pair has."""

    labels: tuple[str, ...]
    goal: float
    answers: tuple[Answer, ...]
    interval: str = "t"

    def answer(self, question: str = ACCURACY, rating: str = "own") -> Answer:
        """One answer: of accuracy or epochs, at each output's own rate or at the shared one."""
        return next(a for a in self.answers if (a.question, a.rating) == (question, rating))

    @property
    def winner(self) -> str | None:
        """Which output has the best test accuracy at its own best rate; None where no difference was shown."""
        won = self.answer().winner
        return None if won is None else self.labels[won]

    def numbers(self) -> dict[str, Any]:
        """The verdict as plain data."""
        return {
            "goal": self.goal,
            "labels": list(self.labels),
            "interval": self.interval,
            "answers": [asdict(answer) for answer in self.answers],
        }

    def __str__(self) -> str:
        from xent.racing.words import sentences

        return "\n".join(sentences(self, "en"))


def epochs_to(goal: float, table: pl.DataFrame, epochs: int) -> pl.DataFrame:
    """The first epoch with that test accuracy of each (side, seed); one more than there were for those that never had it."""
    reached = pl.when(pl.col("accuracy") >= goal).then(pl.col("epoch")).min().fill_null(epochs + 1)
    return table.group_by("side", "seed", maintain_order=True).agg(reached.cast(pl.Float64).alias("value"))


def judge(plan: Plan, table: pl.DataFrame, goal: float, *, interval: str = "t") -> Verdict:
    """The verdict on the judged lanes: rows with side, seed, epoch, accuracy, diverged, own and shared."""
    answers = []
    for rating in ("own", "shared"):
        lanes = table.filter(pl.col(rating)).sort("side", "seed", "epoch")
        last = lanes.filter(pl.col("epoch") == plan.epochs)
        lost = tuple(sorted(last.filter(pl.col("diverged"))["side"].unique().to_list()))
        accuracy = last.select("side", "seed", pl.col("accuracy").fill_null(0.0).alias("value"))
        waits = epochs_to(goal, lanes, plan.epochs)
        never = tuple(sorted(waits.filter(pl.col("value") > plan.epochs)["side"].unique().to_list()))
        answers.append(_answer(ACCURACY, rating, accuracy, 1, lost, interval))
        answers.append(_answer(EPOCHS, rating, waits, -1, lost, interval, never))
    return Verdict(plan.labels, goal, tuple(answers), interval)


def _answer(
    question: str, rating: str, values: pl.DataFrame, sign: int, lost: tuple[int, ...], interval: str, never: tuple[int, ...] = ()
) -> Answer:
    """Every pair compared, and whether one side beats all others."""
    sides = sorted(values["side"].unique().to_list())
    scores = {s: values.filter(pl.col("side") == s).sort("seed")["value"].to_numpy() for s in sides}
    n = min(map(len, scores.values()))
    order = tuple(sorted(sides, key=lambda s: (s in lost, -sign * float(np.mean(scores[s])), s)))
    pairs = [(a, b, paired(sign * (scores[a] - scores[b]), interval=interval)) for a, b in combinations(order, 2)]
    corrected = holm([one.p for _, _, one in pairs])
    compared = tuple(
        Comparison(a, b, one.mean, one.low, one.high, one.p, p) for (a, b, one), p in zip(pairs, corrected, strict=True)
    )
    first = order[0]
    mine = [c for c in compared if c.better == first]
    rivals = [c for c in mine if c.worse not in lost] or mine
    unbeaten = tuple(c.worse for c in rivals if not c.shown)
    won = bool(rivals) and first not in lost and not unbeaten
    means = tuple(float(np.mean(scores[s])) if s not in lost or question == EPOCHS else None for s in order)
    return Answer(question, rating, order, means, compared, first if won else None, unbeaten, lost, n,
                  enough(n, len(pairs)), never)  # fmt: skip
