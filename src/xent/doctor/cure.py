"""The cure, tried: from the same weights on the same batch, old and new each at the best of a few rates, on one measure.

A cure is text (code for this model) and, where it can be run, a goal on the logits (`goal`) or a change of the starting weights
(`prepare`). It is run without touching the user's code: the model runs as it is, and the new cost is taken from its logits.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from xent.doctor import guard
from xent.doctor.goal import Goal
from xent.doctor.observe import Observation, cost_of, scalar, slopes
from xent.doctor.trace import named

RATES = (0.02, 0.1, 0.5, 2.0, 8.0)
STEPS = 20


@dataclass(frozen=True)
class Cure:
    """What to change: a text of `texts` with this model's names in it, alternatives, and how to try it."""

    key: str
    words: dict[str, str] = field(default_factory=dict)
    alternatives: tuple[str, ...] = ()
    goal: Goal | None = field(default=None, repr=False)
    prepare: Callable[[nn.Module], None] | None = field(default=None, repr=False)
    """Changes the starting weights; the cost then stays as it was."""


@dataclass(frozen=True)
class Curve:
    """One training run: accuracy and mean log-probability of the target at each step, before any update first."""

    rate: float
    accuracy: tuple[float, ...]
    log_probability: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean log-probability over the steps: how well, and how soon."""
        return sum(self.log_probability) / len(self.log_probability)


@dataclass(frozen=True)
class Tried:
    """Both runs at their best rates. `old` is None where the old cost cannot be run at all."""

    old: Curve | None
    new: Curve
    steps: int

    @property
    def verdict(self) -> str:
        """better, same or worse: whether the cure helped on this batch, by the mean over the steps."""
        if self.old is None:
            return "better"
        margin = 0.02 * abs(self.old.mean) + 0.005
        gained = self.new.mean - self.old.mean
        return "better" if gained > margin else "worse" if gained < -margin else "same"


class Tap(TorchDispatchMode):
    """Catches the output of one operation: the n-th of its name in the run."""

    def __init__(self, n: int, place: int, name: str) -> None:
        super().__init__()
        self.n, self.place, self.name, self.now = n, place, name, -1
        self.caught: Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if named(func) != self.name:
            return out
        self.now += 1
        if self.now == self.n:
            self.caught = [t for t in tree_leaves(out) if isinstance(t, Tensor)][self.place]
        return out


class CannotTry(Exception):  # noqa: N818 - nothing went wrong
    """Why a cure could not be tried: a key of the texts."""


def attempt(
    seen: Observation, cure: Cure, *, rates: tuple[float, ...] = RATES, steps: int = STEPS, until: float = math.inf
) -> Tried:
    """Old and new, each at its best rate; raises CannotTry with the reason. `until` is a moment of time.perf_counter."""
    goal = cure.goal
    if goal is None or goal.z.made_by is None or goal.z.overwritten:
        raise CannotTry("no-goal")
    runs = Runs(seen, goal, rates, steps, until)
    old = runs.best(None, own=True) if seen.cost is not None and seen.cost.requires_grad else None
    new = runs.best(cure.prepare, own=cure.prepare is not None)
    if new is None:
        raise CannotTry("not-finite")
    return Tried(old, new, steps)


@dataclass(frozen=True, eq=False)
class Runs:
    """Training runs from the observed weights on the observed batch, towards one goal."""

    seen: Observation
    goal: Goal
    rates: tuple[float, ...]
    steps: int
    until: float

    def best(self, prepare: Callable[[nn.Module], None] | None, *, own: bool) -> Curve | None:
        """The run at the best rate, under the user's own cost or that of the goal; None if none stays finite."""
        curves = [self.at(rate, prepare, own=own) for rate in self.rates]
        finite = [c for c in curves if c is not None and math.isfinite(c.log_probability[-1])]
        return max(finite, key=lambda c: c.mean, default=None)

    def at(self, rate: float, prepare: Callable[[nn.Module], None] | None, *, own: bool) -> Curve | None:
        """Gradient descent; None for a run that leaves the finite numbers."""
        model, criterion, forward = copy.deepcopy(self.seen.start)
        torch.manual_seed(0)
        if prepare is not None:
            prepare(model)
        learning = [
            p for thing in (model, criterion) if isinstance(thing, nn.Module) for p in thing.parameters() if p.requires_grad
        ]
        scores: list[tuple[float, float]] = []
        for step in range(self.steps + 1):
            if time.perf_counter() > self.until:
                raise CannotTry("time")
            cost, z = self.cost(model, criterion, forward, own=own)
            scores.append(self.goal.score(z))
            if not math.isfinite(scores[-1][1]) or not math.isfinite(float(cost.detach())):
                return None
            if step < self.steps:
                _descend(learning, cost, rate)
        return Curve(rate, tuple(a for a, _ in scores), tuple(p for _, p in scores))

    def cost(self, model: Any, criterion: Any, forward: Any, *, own: bool) -> tuple[Tensor, Tensor]:
        """(cost, z): the user's own cost, or that of the goal on the logits that were caught."""
        made = self.goal.z.made_by
        assert made is not None
        n = sum(step.ran == made.ran for step in self.seen.trace.steps[: made.index])
        tap = Tap(n, made.outs.index(self.goal.z), made.ran)
        cost = None
        try:
            with torch.enable_grad(), tap:
                cost = cost_of(model, criterion, guard.copied_batch(self.seen.fresh), forward)
        except Exception as error:
            if own or tap.caught is None:
                raise CannotTry("raises") from error
        z = tap.caught
        if z is None or tuple(z.shape) != self.goal.z.shape:
            raise CannotTry("moved")
        if not own:
            return self.goal.cost(z), z
        mine = scalar(cost)
        if not mine.requires_grad:
            raise CannotTry("raises")
        return mine, z


def _descend(learning: list[nn.Parameter], cost: Tensor, rate: float) -> None:
    try:
        found = slopes(cost, learning)
    except RuntimeError as error:  # an activation in place over what the one before it keeps: PyTorch itself refuses
        raise CannotTry("raises") from error
    with torch.no_grad():
        for parameter, slope in zip(learning, found, strict=True):
            if slope is not None:
                parameter.sub_(rate * slope)
