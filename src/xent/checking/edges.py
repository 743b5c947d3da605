"""What happens far out: overflow and nan inside the domain, the domain's ends themselves, and a logarithm held at a clamp."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from xent.arrays import Array, quiet
from xent.checking.findings import Evidence, Finding
from xent.checking.probes import CLASSES, Points, Probes
from xent.checking.subject import Subject

HUGE = 1e100
"""A number beyond this may overflow by right one step further on."""
FAR32 = 80.0
"""The margin up to which float32 is expected to hold."""


def inside(subject: Subject, points: Points, what: str) -> Iterator[Finding]:
    """nan or an infinite number inside the domain, where the neighbours say that the truth is finite."""
    result = subject.ask(what, points.x, points.y)
    bad = ~np.isfinite(result)
    rows = bad.any(axis=-1) if bad.ndim > 1 else bad
    finite = np.abs(result[~bad])
    rows &= np.isnan(result).any(axis=-1) if result.ndim > 1 and finite.max(initial=0) > HUGE else True
    if result.ndim == 1 and finite.max(initial=0) > HUGE:
        rows &= np.isnan(result)
    if rows.any():
        i = int(np.flatnonzero(rows)[np.argmin(_size(points.x[rows]))])
        came = result[i] if result.ndim == 1 else result[i][bad[i]][0]
        seen = Evidence(**_at(subject, what, points.x[i], points.y[i]), came=float(came), points=int(rows.sum()), of=len(points))
        yield Finding("not-finite", seen, (("what", what),))


def _size(x: Array) -> Array:
    return np.abs(x) if x.ndim == 1 else np.abs(x).max(axis=-1)


def _at(subject: Subject, what: str, x: Array, y: Array) -> dict[str, Any]:
    place = subject.place(x)
    return {"z": place, "y": subject.place(y)} if what in ("value", "delta") else {"a": place, "y": subject.place(y)}


def narrow(subject: Subject, probes: Probes, what: str) -> Iterator[Finding]:
    """float32 overflowing where float64 has a moderate number."""
    points = probes.of_output if what in ("value", "delta") else probes.of_cost
    ends = [end for end in (probes.domain.low, probes.domain.high) if np.isfinite(end)]
    fine = np.maximum(_size(points.x), _size(points.x - points.y)) <= FAR32
    if what in ("cost", "slope"):
        for end in ends:
            near = np.abs(points.x - end) < 2.0**-20
            fine &= ~(near.any(axis=-1) if near.ndim > 1 else near)
    else:
        fine &= (_size(points.x) <= 12) | (subject.own_value if what == "value" else subject.own_delta)
    some = points[fine]
    wide = subject.ask(what, some.x, some.y)
    slim = subject.ask(what, some.x.astype(np.float32), some.y.astype(np.float32))
    lost = np.isfinite(wide) & (np.abs(wide) < 1e30) & ~np.isfinite(slim)
    rows = lost.any(axis=-1) if lost.ndim > 1 else lost
    if rows.any():
        i = int(np.flatnonzero(rows)[np.argmin(_size(some.x[rows]))])
        came, expected = (float(v[i] if v.ndim == 1 else v[i][lost[i]][0]) for v in (slim, wide))
        seen = Evidence(
            **_at(subject, what, some.x[i], some.y[i]), came=came, expected=expected, points=int(rows.sum()), of=len(some)
        )
        yield Finding("float32", seen, (("what", what),))


# ── the ends ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def approaches(probes: Probes, first: float = 3.0) -> list[tuple[Array, Array, Array, bool]]:
    """Ways to an end of the domain: (the end, distances, the answers at them, whether the cost says that it takes the end).

    Distances are halved from 2^−first of the width on.
    """
    ways = []
    if probes.activation.vector:
        taken = 1.0 in probes.cost.answers and 0.0 in probes.cost.answers
        distance = 2.0 ** -np.arange(first, 50.0)
        for j in range(CLASSES):
            vertex, rest = np.eye(CLASSES)[j], (1 - np.eye(CLASSES)[j]) / (CLASSES - 1)
            ways.append((vertex, distance, vertex + distance[:, None] * (rest - vertex), taken))
        return ways
    for end, inward in ((probes.domain.low, 1.0), (probes.domain.high, -1.0)):
        if np.isfinite(end):
            width = probes.domain.high - probes.domain.low if probes.domain.bounded else 1.0
            deepest = 500.0 if end == 0 else 50.0
            distance = width * 2.0 ** -np.arange(first, deepest)
            ways.append((np.asarray(end, dtype=float), distance, end + inward * distance, end in probes.cost.answers))
    return ways


def targets_of(probes: Probes) -> tuple[Array, Array]:
    """Targets, and which are hard."""
    return probes.distributions() if probes.activation.vector else probes.targets


def ends(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, bool]]:
    """nan (0·log 0), or a number that the cost does not run towards, exactly at an end; and whether the cost takes that end."""
    for what in ("cost", "slope"):
        for end, distance, near, taken in approaches(probes):
            for y in targets_of(probes)[0]:
                before = _toward(subject, what, near, y)
                at = _toward(subject, what, end[None], y)[0]
                late, later, last = (before[np.searchsorted(-distance, -(2.0**-k))] for k in (24, 36, 46))
                with quiet():
                    slack = 1e-5 * (np.abs(before[:4]).max(axis=0) + np.abs(last))
                    settles = np.isfinite(last) & (np.abs(last - later) <= slack) & (np.abs(later - late) <= slack)
                    off = ~np.isfinite(at) if what == "slope" else ~(np.abs(at - last) <= 2 * slack)  # slopes may have corners
                    wrong = np.isnan(at) | (settles & off)
                if wrong.any():
                    i = int(np.flatnonzero(wrong)[0]) if wrong.ndim else 0
                    came, limit, known = (float(np.ravel(v)[i]) for v in (at, last, settles))
                    seen = Evidence(
                        a=subject.place(end), y=subject.place(y), came=came, expected=round(limit, 9) if known else None
                    )
                    yield Finding("end", seen, (("what", what),)), taken
                    break
            else:
                continue
            break


def _toward(subject: Subject, what: str, a: Array, y: Array) -> Array:
    """The cost of each sample, or the slope of each output, on the way to an end."""
    target = np.broadcast_to(y, a.shape).copy()
    return subject.total_cost(a, target) if what == "cost" else subject.ask("slope", a, target)


# ── clamps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def clamped(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, float]]:
    """A cost that grows and grows as the answer gets worse, and then, next to the end, not at all; and the clamp's distance."""
    for end, distance, near, _ in approaches(probes, first=1.0):
        for y in targets_of(probes)[0][targets_of(probes)[1]]:
            if not probes.activation.vector and np.all(y == end):
                continue
            cost = _toward(subject, "cost", near, y)
            stop = _stop(cost)
            if stop is not None:
                kept = float(distance[stop])
                seen = Evidence(a=subject.place(near[-1]), y=subject.place(y), came=float(cost[-1]))
                yield Finding("clamped", seen, (("distance", f"{kept:.2g}"), ("end", _end(end)))), kept
                return


def softened(subject: Subject, probes: Probes) -> Iterator[Finding]:
    """A logarithm of a + ε: it keeps its pace down to ε, and there loses it by half at every halving of the distance."""
    for end, distance, near, _ in approaches(probes):
        for y in targets_of(probes)[0][targets_of(probes)[1]]:
            cost = _toward(subject, "cost", near, y)
            with quiet():
                grown = np.abs(np.diff(cost))
                pace = np.where(grown[:-1] > 1e-9 * np.abs(cost[2:]), grown[1:] / grown[:-1], np.nan)
                lost = np.flatnonzero((pace[:-1] < 0.6) & (pace[1:] < 0.6))
                kept = pace[3 : lost[0]] if lost.size else pace[:0]
                steady = np.isfinite(cost).all() and np.count_nonzero(kept > 0.97) >= 5 and grown[3] > 1e-3 * np.abs(cost[3])
            if steady:
                at = int(lost[0])
                seen = Evidence(a=subject.place(near[-1]), y=subject.place(y), came=float(cost[-1]))
                yield Finding("softened", seen, (("distance", f"{distance[at]:.1g}"), ("end", _end(end))))
                return


def clamped_output(subject: Subject, probes: Probes) -> Iterator[Finding]:
    """The same for an output's own value: it grows with |z|, and then stops."""
    if not subject.own_value:
        return
    size = np.arange(2.0, 701.0, 2.0)
    y, hard = targets_of(probes)
    for target in y[hard]:
        for sign in (-1.0, 1.0):
            z = sign * (size[:, None] * np.eye(CLASSES)[0] if subject.vector else size)
            value = subject.ask("value", z, np.broadcast_to(target, z.shape).copy())
            stop = _stop(value)
            if stop is not None:
                seen = Evidence(z=subject.place(z[-1]), y=subject.place(target), came=float(value[-1]))
                yield Finding("clamped-value", seen, (("z", f"{sign * size[stop]:g}"),))
                return


def _stop(cost: Array) -> int | None:
    """Where a growing sequence stops at once, having lost nothing of its pace before; None if it does not.

    A bounded cost comes to rest too, but slowly: each of its increments is a fraction of the one before.
    """
    with quiet():
        grown = np.abs(np.diff(cost))
    flat = grown <= 1e-12 * np.abs(cost[1:])
    if not np.isfinite(cost).all() or not flat[-1]:
        return None
    moving = np.flatnonzero(~flat)
    if moving.size < 3 or moving[-1] + 3 > len(flat):
        return None
    last = int(moving[-1])  # the clamp lies in this interval, which has a part of the pace
    before = grown[max(last - 3, 0) : last]
    steady = len(before) > 1 and before[-1] > 0.75 * before[0]
    return last if steady and before[-1] > 1e-4 * np.abs(cost[last]) else None


def _end(end: Array) -> str:
    return f"{float(end):g}" if end.ndim == 0 else "0"


# ── where a rounded answer leaves a chain ──────────────────────────────────────────────────────────────────────────────


def rounded(subject: Subject, probes: Probes) -> Iterator[Finding]:
    """Where the chain rule has nothing left, because the answer is rounded to its end: what a closed form is for."""
    if subject.own_delta or not probes.activation.squashed:
        return
    y, hard = targets_of(probes)
    for size in np.arange(2.0, 101.0, 2.0):
        for target in y[hard]:
            z = size * (np.eye(CLASSES)[:1] if subject.vector else np.ones(1))
            delta = subject.ask("delta", z, np.broadcast_to(target, z.shape).copy())
            value = subject.ask("value", z, np.broadcast_to(target, z.shape).copy())
            if not (np.isfinite(delta).all() and np.isfinite(value).all()):
                bad, came = ("delta", delta) if not np.isfinite(delta).all() else ("value", value)
                first = came[~np.isfinite(came)][0]
                seen = Evidence(z=subject.place(z[0]), y=subject.place(target), came=float(first))
                yield Finding("rounded", seen, (("what", bad), ("z", f"{size:g}")))
                return
