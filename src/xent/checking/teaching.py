"""What a cost teaches: where it is least, whether its correction dies, and where it has corners and jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from xent.arrays import Array, quiet
from xent.checking.differences import breaks, typical
from xent.checking.edges import targets_of
from xent.checking.findings import Evidence, Finding
from xent.checking.probes import CLASSES, Probes
from xent.checking.subject import Subject
from xent.costs import Labels

SLACK = 1e-9


def least(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, bool]]:
    """Where the cost is least: (finding, whether it is a problem). A hard target must be learned; a soft one may be missed."""
    if probes.activation.vector:
        yield from _least_of_rows(subject, probes)
    elif isinstance(probes.allowed, Labels):
        yield from _least_of_labels(subject, probes)
    elif probes.domain.bounded:
        yield from _least_between_ends(subject, probes)
    else:
        yield from _least_without_bounds(subject, probes)


def _curve(subject: Subject, a: Array, y: float) -> Array:
    """C over a, ∞ where it is no number."""
    cost = subject.total_cost(a, np.full(a.shape, y))
    return np.where(np.isnan(cost), np.inf, cost)


def _flat(cost: Array) -> bool:
    return bool(np.isfinite(cost).all() and np.ptp(cost) <= 1e-13 * np.abs(cost).max())


def _grid(probes: Probes) -> Array:
    low, high = probes.domain.low, probes.domain.high
    even = np.linspace(low, high, 515)[1:-1] if probes.domain.bounded else np.linspace(max(low, -30) + 2.0**-6, min(high, 30), 1921)
    return np.unique(np.concatenate([probes.answers, even]))


def _least_between_ends(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, bool]]:
    low, high = probes.domain.low, probes.domain.high
    soft: Finding | None = None
    for y, hard in zip(*probes.targets, strict=True):
        aim = float(subject.aim(np.asarray([y]))[0])
        grid = np.unique(np.append(_grid(probes), aim)) if low < aim < high else _grid(probes)
        cost = _curve(subject, grid, y)
        at, best = int(np.argmin(np.abs(grid - aim))), int(np.argmin(cost))
        if hard and _flat(cost):
            yield Finding("indifferent", Evidence(y=float(y), came=float(cost[at])), (("y", f"{y:g}"),)), True
            continue
        if not cost[at] > cost[best] + SLACK * (typical(cost) + abs(cost[best])):
            continue
        seen = Evidence(a=float(grid[best]), y=float(y), came=float(cost[best]), expected=float(cost[at]))
        if hard and aim == y:
            yield Finding("truth", seen, (("best", f"{grid[best]:.4g}"), ("y", f"{y:g}"))), True
            return
        soft = soft or Finding("improper", seen, (("best", f"{grid[best]:.4g}"), ("y", f"{aim:g}")))
    if soft:
        yield soft, False


def _least_without_bounds(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, bool]]:
    """A greater target must have a greater best answer: at the target itself, or on a scale of its own, such as a logarithm's."""
    first, last, links = [], [], []
    y_all = np.sort(probes.targets[0])
    for y in y_all:
        aim = float(subject.aim(np.asarray([y]))[0])
        grid = np.unique(np.append(_grid(probes), aim)) if probes.domain.low < aim < probes.domain.high else _grid(probes)
        cost = _curve(subject, grid, float(y))
        within = np.flatnonzero(cost <= cost.min() + SLACK * (typical(cost) + abs(cost.min())))
        first.append(grid[within[0]])
        last.append(grid[within[-1]])
        at = int(np.argmin(np.abs(grid - aim)))
        if cost[at] > cost[within[0]] + 1e-6 * (typical(cost) + abs(cost[within[0]])):
            seen = Evidence(a=float(grid[within[0]]), y=float(y), came=float(cost[within[0]]), expected=float(cost[at]))
            links.append(Finding("scale", seen, (("best", f"{grid[within[0]]:.4g}"), ("y", f"{aim:g}"))))
    for i in range(len(y_all) - 1):
        if first[i] > last[i + 1]:
            words = (
                ("y", f"{y_all[i]:g}"),
                ("best", f"{first[i]:.4g}"),
                ("other", f"{y_all[i + 1]:g}"),
                ("less", f"{last[i + 1]:.4g}"),
            )
            yield Finding("opposite", Evidence(), words), True
            return
    if links:
        yield links[len(links) // 2], False


def _least_of_labels(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, bool]]:
    labels, grid = probes.targets[0], _grid(probes)
    nearest = labels[np.argmin(np.abs(grid[:, None] - labels), axis=1)]
    for y in labels:
        cost = _curve(subject, grid, float(y))
        if _flat(cost):
            yield Finding("indifferent", Evidence(y=float(y), came=float(cost[0])), (("y", f"{y:g}"),)), True
            continue
        right, wrong = cost[nearest == y].min(), cost[nearest != y].min()
        if right > wrong + SLACK * (typical(cost) + abs(wrong)):
            best = float(grid[np.argmin(cost)])
            seen = Evidence(a=best, y=float(y), came=float(wrong), expected=float(right))
            yield Finding("truth", seen, (("best", f"{best:.4g}"), ("y", f"{y:g}"))), True
            return


def _least_of_rows(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, bool]]:
    soft: Finding | None = None
    for y, hard in zip(*probes.distributions(), strict=True):
        aim = subject.aim(y[None])[0]
        inner = np.where(aim < 2.0**-40, 2.0**-40, aim)
        inner = inner / inner.sum()
        beside = [(1 - s) * inner + s * v for s in (2.0**-3, 2.0**-6, 2.0**-9) for v in np.eye(CLASSES)]
        rows = np.concatenate([inner[None], probes.rows(), beside])
        cost = subject.total_cost(rows, np.tile(y, (len(rows), 1)))
        cost = np.where(np.isnan(cost), np.inf, cost)
        best = int(np.argmin(cost))
        if not cost[0] > cost[best] + 1e-8 * (typical(cost) + abs(cost[best])):
            continue
        shown = [", ".join(f"{v:.3g}" for v in row) for row in (rows[best], aim)]
        seen = Evidence(a=subject.place(rows[best]), y=subject.place(y), came=float(cost[best]), expected=float(cost[0]))
        words = (("best", f"({shown[0]})"), ("y", f"({shown[1]})"))
        if hard and np.array_equal(aim, y):
            yield Finding("truth", seen, words), True
            return
        soft = soft or Finding("improper", seen, words)
    if soft:
        yield soft, False


def stalls(subject: Subject, probes: Probes) -> Iterator[Finding]:
    """The learning slowdown: squashed, badly wrong, and hardly corrected. Told at an error of about 0.98 of the range."""
    if not probes.activation.squashed:
        return
    out, targets = subject.output, targets_of(probes)
    reach = probes.activation.range.high - probes.activation.range.low
    size = np.linspace(0.25, 12, 48)
    for y in targets[0][targets[1]]:
        for sign in (-1.0, 1.0):
            z = sign * (size[:, None] * (np.eye(CLASSES)[0] - y) if subject.vector else size)
            target = np.broadcast_to(y, z.shape).copy()
            z_, y_ = subject.make(z), subject.make(target)
            stalled, gain, error = (subject.back(subject.call(f, z_, y_)) for f in (out.stalled, out.gain, out.error))
            if stalled.any():
                error = np.abs(error).max(axis=-1) if subject.vector else np.abs(error)
                i = int(np.argmin(np.where(stalled, np.abs(error - 0.98 * reach), np.inf)))
                a = subject.predict(z[i : i + 1])[0]
                seen = Evidence(a=subject.place(a), y=subject.place(y), z=subject.place(z[i]), came=None)
                yield Finding("stalls", seen, (("gain", f"{gain[i]:.3g}"), ("error", f"{error[i]:.3g}")))
                return


# ── corners and jumps ──────────────────────────────────────────────────────────────────────────────────────────────────


def rough(subject: Subject, probes: Probes) -> Iterator[tuple[Finding, bool]]:
    """Jumps of the cost (a problem: no slope can see them) and corners of it (a remark)."""
    at = _line(probes)
    y = targets_of(probes)[0]

    def cost(t: Array, line: Array) -> Array:
        return subject.total_cost(at(t), y[line])

    def slope(t: Array, line: Array) -> Array:
        s = subject.ask("slope", at(t), y[line])
        return s[:, 0] - s[:, 1] if subject.vector else s

    for what, f, rule in (("cost", cost, "jump"), ("slope", slope, "corner")):
        place, jump, line, size = _breaks(f, probes, len(y))
        with quiet():
            broken = np.isfinite(jump) & (jump > 1e-6 * size)
        if broken.any():
            among = np.flatnonzero(broken & (jump > 0.9 * jump[broken].max()))
            i = int(among[np.argmin(np.abs(y[line[among]]).reshape(len(among), -1).max(axis=1))])
            a = at(np.round(place[i : i + 1], 12))[0]
            seen = Evidence(a=subject.place(a), y=subject.place(y[line[i]]))
            words = (("what", what), ("size", f"{jump[i]:.3g}"), ("a", _row(a)), ("y", _row(y[line[i]])))
            yield Finding(rule, seen, words), rule == "jump"
            if rule == "jump":
                return


def _row(x: Array) -> str:
    return f"({', '.join(f'{v:.3g}' for v in x)})" if np.ndim(x) else f"{float(x):.3g}"


def _line(probes: Probes) -> Callable[[Array], Array]:
    """The answers at t: t itself, or a row in which the first class has t."""
    if not probes.activation.vector:
        return lambda t: t
    return lambda t: np.stack([t, 0.75 * (1 - t), 0.25 * (1 - t)], axis=-1)


def _breaks(f: Callable[[Array, Array], Array], probes: Probes, lines: int) -> tuple[Array, Array, Array, Array]:
    """The places of greatest bend on every line, followed down to a jump if there is one."""
    low, high = (0.0, 1.0) if probes.activation.vector else (probes.domain.low, probes.domain.high)
    margin = (high - low) / 64 if np.isfinite(high - low) else 2.0**-6
    t = np.linspace(max(low + margin, -25.0), min(high - margin, 25.0), 770)
    line = np.repeat(np.arange(lines), len(t))
    values = f(np.tile(t, lines), line).reshape(lines, -1)
    with quiet():
        bend = np.abs(np.diff(values, n=2, axis=1))
    bend = np.where(np.isfinite(bend), bend, 0.0)
    top = np.argsort(-bend, axis=1)[:, :6]
    chosen = np.repeat(np.arange(lines), top.shape[1])
    place, jump = breaks(f, t[top.ravel()], t[top.ravel() + 2], chosen)
    return place, jump, chosen, np.abs(values[chosen, top.ravel()]) + typical(values)
