"""The curves of one run or several: cost, output, δ and gain against the step, for `xent neuron` and for `Run.figure()`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from xent.arrays import quiet
from xent.errors import InputError
from xent.figures.style import DASHES, House, Theme, drawing, finish
from xent.neuron import Run
from xent.outputs import looks

PARTS = ("cost", "a", "delta", "gain")

DRAWABLE = 1e250
"""Beyond this matplotlib's own arithmetic overflows: as good as infinite."""

BLOW_UP = 1e3
"""A curve that rises so far above 1 and above its usual height leaves nothing to see on a plain scale."""

FAINT = 40
"""So many samples stand behind their mean; more would only make a smear."""

LEGEND_LETTERS, PICTURE_LETTERS = 96, 11
"""How many letters fit into one row of the legend, and for how many the picture of a line counts."""


@dataclass(frozen=True)
class Line:
    """How a run looks in all four panels."""

    label: str
    run: Run
    colour: str
    dashes: Any


def draw_runs(runs: dict[str, Run], *, theme: str = "light", language: str = "en") -> Figure:
    """One line for each labelled run in four panels; of several samples the mean, and faintly the samples.

    Values that are not finite are left out.  Raises InputError where there is no run.
    """
    if not runs:
        raise InputError("draw_runs needs at least one run: give a dictionary of label and Run.")
    with drawing(theme, language, "runs") as house:
        lines = _lines(runs, house.theme)
        handles = _legend(lines, house)
        columns, rows = legend_shape([str(handle.get_label()) for handle in handles])
        figure, axes = house.figure(7.2, 4.9 + 0.2 * rows, "AB;CD")
        for part, ax in zip(PARTS, axes, strict=True):
            _panel(ax, house, part, lines)
        figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False, handlelength=3)
        return finish(figure)


def _lines(runs: dict[str, Run], theme: Theme) -> list[Line]:
    """A colour for each cost, the house's own where it has one, and dashes for each run, which come round after five."""
    colour = colours([run.output.cost.name for run in runs.values()], theme)
    return [Line(label, run, colour[run.output.cost.name], DASHES[i % len(DASHES)]) for i, (label, run) in enumerate(runs.items())]


def colours(costs: Iterable[str], theme: Theme) -> dict[str, str]:
    """The colour of each cost: the house's own where it has one, and for others the next of those that are left."""
    shown = theme.costs | {f"other-{i}": colour for i, colour in enumerate(theme.others)}
    return {cost: shown[name] for cost, name in looks.colours(costs).items()}


def _panel(ax: Axes, house: House, part: str, lines: list[Line]) -> None:
    curves = {line.label: _curves(getattr(line.run, part)) for line in lines}
    steps = max(line.run.steps for line in lines)
    names = {"cost": house.say("cost"), "a": house.say("output"), "delta": house.say("delta"), "gain": house.say("gain")}
    house.panel(ax, house.say("step") if part in PARTS[2:] else "", names[part], xlim=(0, steps) if steps else (-0.5, 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]) if steps else FixedLocator([0]))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    for line in lines:
        samples, mean = curves[line.label]
        ax.plot(samples, color=line.colour, lw=0.8, alpha=0.3)
        marker = "o" if len(mean) < 3 else None  # a line of one point cannot be seen
        ax.plot(mean, color=line.colour, ls=line.dashes, marker=marker, markersize=5, clip_on=False)
    _scale(ax, part, house, lines, np.concatenate([values.ravel() for pair in curves.values() for values in pair]))


def _curves(values: Float[Any, "t *n"]) -> tuple[Float[np.ndarray, "t k"], Float[np.ndarray, " t"]]:
    """(samples to draw faintly, their mean), nan where there is nothing to draw."""
    table = np.asarray(values, dtype=np.float64)
    table = table.reshape(len(table), -1)
    with quiet():
        mean = np.mean(table, axis=1)
    few = np.unique(np.linspace(0, table.shape[1] - 1, FAINT).astype(int))
    return _drawable(table[:, few if len(few) > 1 else []]), _drawable(mean)


def _drawable(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.where(np.abs(values) < DRAWABLE, values, np.nan)


def _scale(ax: Axes, part: str, house: House, lines: list[Line], values: Float[np.ndarray, " n"]) -> None:
    """Limits that show every value and, where they mean something, 0, 1 and the ends of the activation."""
    values = values[np.isfinite(values)]
    if not len(values):
        ax.set(yticks=(), ylim=(0, 1))
        house.write(ax, 0.5, 0.5, house.say("empty"), house.theme.soft, ha="center", transform=ax.transAxes)
        return
    size = np.abs(values)
    if size.max() > BLOW_UP * max(1.0, float(np.median(size))):
        _logarithmic(ax, values)
        return
    low, high = _ends([*values, *_landmarks(part, lines)])
    ax.set_ylim(low, high)
    if low < 0 < high:
        ax.axhline(0, color=house.theme.rule, lw=0.9, zorder=0)


def _logarithmic(ax: Axes, values: Float[np.ndarray, " n"]) -> None:
    """A scale that is plain from −1 to 1 and logarithmic beyond; ticks at 0, at the outermost power of ten and half way to it."""
    power = int(np.log10(np.max(np.abs(values))))
    formatter = ax.yaxis.get_major_formatter()
    ax.set_yscale("symlog", linthresh=1.0)
    powers = [sign * 10.0**p for sign in (-1, 1) for p in (power, power // 2)]
    ax.yaxis.set_major_locator(FixedLocator([0.0, *(tick for tick in powers if values.min() <= tick <= values.max())]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(formatter)


def _landmarks(part: str, lines: list[Line]) -> Iterable[float]:
    if part == "a":
        ranges = [line.run.output.activation.range for line in lines]
        return [float(end) for r in ranges if r.bounded for end in (r.low, r.high)]
    return (0.0, 1.0) if part == "gain" else (0.0,)


def _ends(values: list[float]) -> tuple[float, float]:
    """The least and the greatest with a little air, none below a plain 0."""
    low, high = float(min(values)), float(max(values))
    air = 0.06 * (high - low) or 0.5
    return (low if low == 0 else low - air), high + air


def _legend(lines: list[Line], house: House) -> list[Line2D]:
    """A picture for each run and, where there are several samples, one for the faint lines."""
    handles = [Line2D([], [], color=line.colour, ls=line.dashes, label=short(line.label)) for line in lines]
    if any(line.run.a.ndim > 1 for line in lines):
        handles.append(Line2D([], [], color=house.theme.soft, lw=0.8, alpha=0.6, label=house.say("each")))
    return handles


def legend_shape(labels: list[str]) -> tuple[int, int]:
    """(columns, rows) of a legend that keeps within the figure's width."""
    columns = max(1, min(len(labels), LEGEND_LETTERS // (max(map(len, labels)) + PICTURE_LETTERS)))
    return columns, -(-len(labels) // columns)


def short(label: str, letters: int = 72) -> str:
    """A label that fits into a row of the legend."""
    return label if len(label) <= letters else label[: letters - 1] + "…"
