"""The figures of a race: learning curves, gain and stalled share over the epochs, rates, calibration, confusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from xent.errors import UnknownNameError
from xent.figures.runs import colours
from xent.figures.style import DASHES, SMALL, House, drawing, finish, number
from xent.outputs import looks
from xent.racing import Race

PARTS = ("accuracy", "gain", "rates", "calibration", "confusion")

BAND = (0.1, 0.9)

SEVERAL = 14
"""Up to so many classes a confusion matrix has room for its numbers."""

LONGEST = 10
"""Letters of a class's name beside a confusion matrix."""

LETTERS = 100
"""Letters of a legend's row, a line's picture counting as 8."""


@dataclass(frozen=True)
class Side:
    """How one output looks in every panel."""

    place: int
    label: str
    colour: str
    dashes: Any


def draw_race(race: Race, *, theme: str = "light", language: str = "en") -> Figure:
    """Accuracy, gain, stalled share and rates of all outputs in four panels."""
    with drawing(theme, language, "race") as house:
        sides = _sides(race, house)
        figure, (a, b, c, d) = house.figure(7.6, 5.6 + 0.2 * _legend_rows(sides), "AB;CD")
        _accuracy(a, house, race, sides)
        _curves(b, house, race, sides, "gain", house.say("gain_wrong"))
        _curves(c, house, race, sides, "stalled", house.say("stalled"))
        _rates(d, house, race, sides)
        _legend(figure, sides)
        return finish(figure)


def draw_race_part(part: str, race: Race, *, theme: str = "light", language: str = "en") -> Figure:
    """One of the report's figures: accuracy, gain, rates, calibration or confusion."""
    if part not in PARTS:
        raise UnknownNameError("figure of a race", part, PARTS)
    with drawing(theme, language, "race", "".join(race.data.classes)) as house:
        sides = [side for side in _sides(race, house) if part != "calibration" or _bins(race, side)]
        rows = 0.2 * _legend_rows(sides)
        if part == "confusion":
            figure, (ax,) = house.figure(4.6, 4.2)
            _confusion(ax, house, race)
        elif part == "gain":
            figure, (a, b) = house.figure(7.6, 3.1 + rows, "AB")
            _curves(a, house, race, sides, "gain", house.say("gain_wrong"))
            _curves(b, house, race, sides, "stalled", house.say("stalled"))
            _legend(figure, sides)
        else:
            draw: dict[str, Callable[[Axes, House, Race, list[Side]], None]]
            draw = {"accuracy": _accuracy, "rates": _rates, "calibration": _calibration}
            figure, (ax,) = house.figure(*((4.6, 4.4) if part == "calibration" else (7.6, 3.6 + rows)))
            draw[part](ax, house, race, sides)
            _legend(figure, sides, columns=1 if part == "calibration" else None)
        return finish(figure)


def _sides(race: Race, house: House) -> list[Side]:
    """Colour is the cost, dashes are the activation."""
    colour, dashes = colours([o.cost.name for o in race.outputs], house.theme), looks.dashes(race.outputs, len(DASHES))
    named = zip(race.plan.labels, race.outputs, dashes, strict=True)
    return [Side(place, label, colour[o.cost.name], DASHES[d]) for place, (label, o, d) in enumerate(named)]


def _legend_rows(sides: list[Side]) -> int:
    return -(-len(sides) // _legend_columns(sides))


def _legend_columns(sides: list[Side]) -> int:
    return max(1, min(len(sides), LETTERS // (max((len(s.label) for s in sides), default=0) + 8)))


def _legend(figure: Figure, sides: list[Side], columns: int | None = None) -> None:
    handles = [Line2D([], [], color=s.colour, ls=s.dashes, label=s.label) for s in sides]
    figure.legend(handles=handles, loc="outside upper left", ncols=columns or _legend_columns(sides), frameon=False, handlelength=3)


def _by_epoch(race: Race, side: Side, name: str) -> np.ndarray:
    """(epochs + 1, seeds) at the output's own rate, nan where there is no number."""
    mine = race.table.filter(pl.col("own") & (pl.col("side") == side.place)).sort("epoch", "seed")
    return mine[name].fill_null(np.nan).to_numpy().astype(float).reshape(race.plan.epochs + 1, -1)


def _summary(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and band over the seeds, nan where no seed has a number."""
    some = np.isfinite(values).any(axis=1)
    filled = np.where(some[:, None], values, 0.0)
    mean, low, high = np.nanmean(filled, axis=1), *np.nanquantile(filled, BAND, axis=1)
    return tuple(np.where(some, v, np.nan) for v in (mean, low, high))  # type: ignore[return-value]


def _curves(ax: Axes, house: House, race: Race, sides: list[Side], name: str, title: str) -> list[np.ndarray]:
    """Mean and band of every output against the epoch."""
    house.panel(ax, house.say("epoch"), title, xlim=(0, race.plan.epochs))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    means, epochs = [], np.arange(race.plan.epochs + 1)
    for side in sides:
        mean, low, high = _summary(_by_epoch(race, side, name))
        ax.fill_between(epochs, low, high, color=side.colour, alpha=0.13, lw=0)
        ax.plot(epochs, mean, color=side.colour, ls=side.dashes)
        means.append(mean)
    shown = np.concatenate(means)
    shown = shown[np.isfinite(shown)]
    if name != "accuracy":
        top = float(shown.max()) if shown.size else 0.0
        ax.set_ylim(0, max(top * 1.06, 0.05))
    if not shown.size:
        house.write(ax, 0.5, 0.5, house.say("empty"), house.theme.soft, ha="center", transform=ax.transAxes)
    return means


def _accuracy(ax: Axes, house: House, race: Race, sides: list[Side]) -> None:
    """From where the outputs are once they have left the start to the best; the goal as a thin line."""
    means = _curves(ax, house, race, sides, "accuracy", house.say("accuracy"))
    shown = np.concatenate([m[max(1, race.plan.epochs // 10) :] for m in means])
    shown = shown[np.isfinite(shown)]
    if not shown.size:
        return
    goal = race.verdict.goal
    low, high = min(float(shown.min()), goal), max(float(shown.max()), goal)
    ax.set_ylim(max(0.0, low - 0.03), min(1.005, high + 0.02))
    ax.axhline(goal, color=house.theme.rule, lw=0.9, zorder=0)
    house.note(ax, race.plan.epochs, goal, house.say("goal", goal=f"{goal:.0%}"), ha="right", va="bottom")


def _rates(ax: Axes, house: House, race: Race, sides: list[Side]) -> None:
    """Accuracy in tuning against the rate, a dot at the rate picked."""
    ax.set_xscale("log")
    house.panel(ax, house.say("rate"), house.say("tuned"))
    ax.xaxis.set_minor_locator(NullLocator())
    if race.tuning is None:
        ax.set(xticks=(), yticks=())
        house.write(ax, 0.5, 0.5, house.say("empty"), house.theme.soft, ha="center", transform=ax.transAxes)
        return
    last = race.tuning.filter(pl.col("epoch") == race.plan.epochs)
    for side in sides:
        mine = last.filter(pl.col("side") == side.place).group_by("rate").agg(pl.col("accuracy").fill_null(0.0).mean()).sort("rate")
        ax.plot(mine["rate"], mine["accuracy"], color=side.colour, ls=side.dashes)
        best = mine.filter(pl.col("rate") == race.picked.own[side.place])
        ax.plot(best["rate"], best["accuracy"], "o", color=side.colour, markersize=6, clip_on=False, zorder=5)
    rates = sorted(last["rate"].unique().to_list())
    keep = rates if len(rates) < 8 else rates[:: -(-len(rates) // 7)]
    ax.xaxis.set_major_locator(FixedLocator(keep))
    least = float(last["accuracy"].fill_null(0.0).min())  # type: ignore[arg-type]
    bottom = max(0.0, least - 0.05) if least > 0.5 else 0.0
    ax.set_ylim(bottom, 1 + 0.02 * (1 - bottom))
    if len(rates) > 1:
        ax.axvline(race.picked.shared, color=house.theme.rule, lw=0.9, zorder=0)
        said = house.say("shared", rate=number(race.picked.shared))
        house.note(ax, race.picked.shared, bottom + 0.05 * (1 - bottom), said, rotation=90, va="bottom", ha="right")


def _own_last(race: Race, place: int) -> pl.DataFrame:
    return race.last.filter((pl.col("side") == place) & (pl.col("rate") == race.picked.own[place]))


def _bins(race: Race, side: Side) -> list[list[float]]:
    """Bins of confidence of each seed; none where an output is no probability."""
    return _own_last(race, side.place)["bins"].drop_nulls().to_list()


def _calibration(ax: Axes, house: House, race: Race, sides: list[Side]) -> None:
    """The share that was right against the confidence, over all seeds; bins with few rows are faint."""
    house.panel(ax, house.say("confidence"), house.say("right"), (0, 0.5, 1), (0, 0.5, 1), (0, 1), (0, 1))
    ax.set_aspect("equal")
    ax.plot([0, 1], [0, 1], color=house.theme.rule, lw=0.9, zorder=0)
    house.note(ax, 0.03, 0.1, house.say("perfect"), rotation=45, rotation_mode="anchor", va="bottom")
    for side in sides:
        counts, right, sure = np.asarray(_bins(race, side)).sum(0).reshape(-1, 3).T
        some = counts >= max(5, 0.002 * counts.sum())
        ax.plot(
            sure[some] / counts[some],
            right[some] / counts[some],
            color=side.colour,
            ls=side.dashes,
            marker="o",
            markersize=3.5,
            clip_on=False,
        )


def winner(race: Race) -> int:
    """The side whose confusion is shown: the winner, or the one with the best mean."""
    return race.verdict.answer().order[0]


def _confusion(ax: Axes, house: House, race: Race) -> None:
    """Percent of each true class that was taken for each class."""
    k = race.plan.classes
    kept = _own_last(race, winner(race))["confusion"].drop_nulls()
    counts = np.asarray(kept.to_list(), float).sum(0).reshape(k, k) if len(kept) else np.zeros((k, k))
    share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    theme = house.theme
    shades = LinearSegmentedColormap.from_list("tint", [theme.background, house.cross_entropy])
    ax.imshow(np.sqrt(share / 100), cmap=shades, vmin=0, vmax=1)
    house.panel(ax, house.say("guessed"), house.say("truth"))
    names = [" ".join(c.split()) for c in race.data.classes]
    names = [c if len(c) <= LONGEST else c[: LONGEST - 1] + "…" for c in names]
    if k <= SEVERAL:
        slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 2 else {}
        ax.set_xticks(range(k), names, parse_math=False, **slanted)
        ax.set_yticks(range(k), names, parse_math=False)
        for i, j in np.ndindex(k, k):
            if share[i, j] >= 0.05:
                text = f"{share[i, j]:.0f}" if share[i, j] >= 9.95 else f"{share[i, j]:.1f}"
                colour = theme.background if share[i, j] > 40 else theme.ink
                house.write(ax, j, i, text, colour, ha="center", rim=False, fontsize=SMALL - (1.5 if k > 5 else 0))
    else:
        ax.set(xticks=(), yticks=())
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
