"""The heart of a check: the slope against differences of the cost, δ against differences of the value, and what a wrong one is.

A mistake is named where its kind shows in the numbers: a sign, a factor, a σ′ forgotten or there twice, soft targets only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from xent.arrays import Array, quiet
from xent.checking.differences import EPS, SAFE, Derivative, central, one_sided, typical
from xent.checking.findings import Evidence, Finding
from xent.checking.probes import Points, Probes
from xent.checking.subject import Subject
from xent.costs import Labels

SATURATED = 2.0**-26
"""An answer of a sigmoid nearer to 1 than this has too few digits left for differences of a chain's value."""

FAR = 1e100
"""An answer beyond this, of an exponential say, has a square that overflows: what a cost's formula makes of it is no mistake."""


@dataclass(frozen=True)
class Comparison:
    """What a function says at some points beside what differences say, and whether each point is wrong."""

    points: Points
    came: Array
    truth: Derivative
    wrong: Array

    @property
    def known(self) -> Array:
        """Where the truth is known well enough, and large enough, to say what kind of mistake a wrong number is."""
        value, error = self.truth
        return np.isfinite(value) & np.isfinite(self.came) & (SAFE * error < 1e-3 * np.abs(value)) & (np.abs(value) > 1e-250)

    def equals(self, other: Array) -> bool:
        """Whether what came is `other`, a function of the truth or not, wherever the truth is known, a wrong place among them."""
        known = self.known & np.isfinite(other)
        with quiet():
            near = np.abs(self.came - other) <= 3e-3 * np.abs(other)
        return int(known.sum()) >= 3 and bool((known & self.wrong).any()) and bool(near[known].all())


def of_cost(subject: Subject, probes: Probes) -> Comparison:
    """The slope ∂C/∂a beside differences of the cost."""
    points = probes.of_cost
    came = along(subject.ask("slope", points.x, points.y), points.way)
    return _compare(points, came, lambda x, y: subject.ask("cost", x, y))


def of_output(subject: Subject, probes: Probes) -> Comparison:
    """δ = ∂C/∂z beside differences of the value, where the value has digits enough."""
    points = probes.of_output
    points = points[_readable(subject, probes, points)]
    came = along(subject.ask("delta", points.x, points.y), points.way)
    return _compare(points, came, lambda x, y: subject.ask("value", x, y))


def along(x: Array, way: Array) -> Array:
    """A gradient along the direction in which each point is looked at."""
    if x.ndim == 1:
        return x * way
    return np.where(way == 0, 0.0, x * np.where(way == 0, 1.0, way)).sum(axis=-1)


def _readable(subject: Subject, probes: Probes, points: Points) -> Array:
    """Where differences of the value mean something: everywhere for a formula of its own, else where a is not yet rounded."""
    if subject.own_value:
        return np.ones(len(points), dtype=bool)
    low, high = probes.domain.low, probes.domain.high
    fine = np.ones(len(points), dtype=bool)
    for sign in (-1, 1):  # the points of the stencil too
        room = points.room[:, None] if subject.vector else points.room
        a = subject.predict(points.x + sign * room * points.way)
        fine &= ~((np.abs(a) > FAR).any(axis=-1) if subject.vector else np.abs(a) > FAR)
        for end in (low, high):
            if np.isfinite(end) and end != 0:
                near = np.abs(a - end) < SATURATED
                fine &= ~(near.any(axis=-1) if subject.vector else near)
    return fine


def _compare(points: Points, came: Array, f: Callable[[Array, Array], Array]) -> Comparison:
    def moved(some: Points) -> Callable[[Array], Array]:
        return lambda t: f(some.x + (t[:, None] if some.x.ndim > 1 else t) * some.way, some.y)

    grain = _grain(f, points)
    truth = central(moved(points), points.room, grain)
    wrong = _differs(came, truth)
    accused = np.flatnonzero(wrong)
    if accused.size:  # heard again at smaller steps, between which no corner may lie
        some = points[accused]
        wrong[accused] &= _differs(came[accused], central(moved(some), some.room / 64, grain))
        accused = np.flatnonzero(wrong)
    if accused.size:  # a corner has a slope on either side, and any number between the two is right
        some = points[accused]
        left, right = (one_sided(moved(some), sign * some.room, grain) for sign in (-1, 1))
        with quiet():
            slack = np.maximum(left.tolerance(came[accused]), right.tolerance(came[accused]))
            corner = np.abs(right.value - left.value) > slack
            low, high = np.minimum(left.value, right.value) - slack, np.maximum(left.value, right.value) + slack
        truth.error[accused[corner]] = np.inf  # a point with two slopes tells nothing of the kind of mistake
        wrong[accused[corner & (came[accused] >= low) & (came[accused] <= high)]] = False
    return Comparison(points, came, truth, wrong)


def _differs(came: Array, truth: Derivative) -> Array:
    with quiet():
        return np.isfinite(truth.value) & np.isfinite(came) & (np.abs(came - truth.value) > truth.tolerance(came))


def _grain(f: Callable[[Array, Array], Array], points: Points) -> float:
    """The rounding of a number of the size that f has in the middle of its domain."""
    middle = points[points.room >= 2.0**-5]
    return EPS * typical(f(middle.x, middle.y))


# ── what kind of mistake it is ─────────────────────────────────────────────────────────────────────────────────────────


def judge(subject: Subject, seen: Comparison, what: str, *, name: str = "") -> Iterator[Finding]:
    """The finding for a function that differs from its differences, if it does."""
    if not seen.wrong.any():
        return
    sign_or_factor = _factor(seen)
    kind, words = _kind(subject, seen, what, sign_or_factor)
    yield Finding(name or kind, evidence(subject, seen, what), (("what", what), *words))


def _kind(subject: Subject, seen: Comparison, what: str, factor: float | None) -> tuple[str, tuple[tuple[str, str], ...]]:
    points = seen.points
    if factor is not None and abs(factor + 1) < 1e-3:
        return "sign", ()
    if factor is not None:
        return "factor", (("factor", _ratio(factor)),)
    if what == "delta":
        a = subject.predict(points.x)
        if seen.equals(along(subject.ask("slope", a, points.y), points.way)):
            return "sigma-forgotten", ()
        if seen.equals(_pulled_twice(subject, seen, a)):
            return "sigma-twice", ()
    elif not subject.vector and seen.equals(seen.truth.value * subject.pullback(points.x, np.ones_like(points.x))):
        return "slope-is-delta", ()
    if what == "slope" and _by_target(subject, seen):
        return "slope-of-target", ()
    if not seen.wrong[points.hard].any() and points.hard.any() and not points.hard.all():
        return "soft-targets", ()
    return ("delta" if what == "delta" else "slope"), ()


def _factor(seen: Comparison) -> float | None:
    """The one number that all of it is off by, if there is one."""
    known = seen.known
    if known.sum() < 3:
        return None
    factor = float(np.median(seen.came[known] / seen.truth.value[known]))
    return factor if factor != 0 and abs(factor - 1) > 0.01 and seen.equals(factor * seen.truth.value) else None


def _ratio(factor: float) -> str:
    for below in range(1, 13):
        if abs(factor * below - round(factor * below)) < 1e-3 and round(factor * below):
            return str(round(factor * below)) if below == 1 else f"{round(factor * below)}/{below}"
    return f"{factor:.4g}"


def _pulled_twice(subject: Subject, seen: Comparison, a: Array) -> Array:
    """The true δ with σ′ on it once more."""
    if not subject.vector:
        return subject.pullback(a, seen.truth.value)
    k = a.shape[-1]
    if len(a) % k:
        return np.full(len(a), np.nan)
    return subject.pullback(a[::k], seen.truth.value.reshape(-1, k)).ravel()


def _by_target(subject: Subject, seen: Comparison) -> bool:
    """Whether it is ∂C/∂y: read at targets that have room to either side."""
    allowed = subject.cost.targets_on(subject.activation)
    if subject.vector or isinstance(allowed, Labels):
        return False
    room = np.minimum(np.minimum(seen.points.y - allowed.low, allowed.high - seen.points.y), 1.0)
    some = room > 0
    points, step = seen.points[some], 2.0 ** np.floor(np.log2(room[some] / 4))
    truth = central(lambda t: subject.ask("cost", points.x, points.y + t), step)
    return Comparison(points, seen.came[some], truth, seen.wrong[some]).equals(truth.value)


def evidence(subject: Subject, seen: Comparison, what: str) -> Evidence:
    """The plainest point at which it is wrong: a hard target and a moderate place before an extreme one."""
    wrong = np.flatnonzero(seen.wrong)
    with quiet():
        off = np.abs(seen.came - seen.truth.value) / np.maximum(np.abs(seen.came), np.abs(seen.truth.value))
    clear = wrong[off[wrong] >= 0.5 * off[wrong].max()]
    room = seen.points.room[clear]
    plain = clear[np.lexsort((np.abs(np.log2(room) + 2), ~seen.points.hard[clear]))[0]]
    x, y = (subject.place(v[plain]) for v in (seen.points.x, seen.points.y))
    a = x if what != "delta" else subject.place(subject.predict(seen.points.x[plain : plain + 1])[0])
    return Evidence(
        a=a, y=y, z=x if what == "delta" else None, came=float(seen.came[plain]), expected=float(seen.truth.value[plain]),
        off=float(off[plain]), points=len(wrong), of=len(seen.points),
    )  # fmt: skip
