"""The stall map, one panel an output on one colour scale; and what share of many neurons has learned by each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xent.figures.style import BOLD, House, drawing, finish, number
from xent.neuron.mapping import StallMap
from xent.neuron.sweeping import Sweep

COLUMNS = 3


def draw_map(stalls: StallMap, *, theme: str = "light", language: str = "en") -> Figure:
    """Colour says how many steps a start needs; hatched and outlined are the starts that never learn in the steps given."""
    with drawing(theme, language, "map") as house:
        labels = list(stalls.sweeps)
        columns = min(len(labels), 2 if len(labels) == 4 else COLUMNS)
        rows = -(-len(labels) // columns)
        width = {1: 4.4, 2: 7.2}.get(columns, 8.6)
        figure = Figure(figsize=(width, 3.0 * rows + 0.3), layout="constrained")
        panels = [figure.add_subplot(rows, columns, place) for place in range(1, len(labels) + 1)]
        images = [_panel(ax, house, stalls, label) for ax, label in zip(panels, labels, strict=True)]
        bar = figure.colorbar(images[0], ax=panels, shrink=0.85, aspect=30, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(house.say("steps"))
        return finish(figure)


def _panel(ax: Axes, house: House, stalls: StallMap, label: str) -> Any:
    sweep = stalls.sweeps[label]
    steps = np.where(sweep.steps_to_learn < 0, np.nan, sweep.steps_to_learn)
    x, y = ("w", "b") if stalls.plane == "start" else ("first", "rate")
    house.panel(ax, house.say(x), "")
    title = label if len(label) <= 26 else label.replace("@", "\n@")
    ax.set_title(f"{title}\n{house.say('never', share=f'{stalls.never(label):.0%}', steps=sweep.steps)}", fontsize="medium")
    ax.set_ylabel(house.say(y))
    image = ax.pcolormesh(stalls.horizontal, stalls.vertical, steps, cmap=_colours(), vmin=0, vmax=sweep.steps, rasterized=True)
    if stalls.plane == "rate":
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda v, _: number(float(v)))
    else:
        ax.set_aspect("equal")
        ax.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
        ax.yaxis.set_major_locator(MaxNLocator(4, symmetric=True))
    lost = (sweep.steps_to_learn < 0).astype(float)
    if lost.any():
        filled = ax.contourf(
            stalls.horizontal, stalls.vertical, lost, levels=[0.5, 1.5], colors=[house.theme.tint], hatches=["////"]
        )
        filled.set(edgecolor=house.theme.rule, linewidth=0)  # the hatches have the colour of the edge
    if 0 < lost.mean() < 1:
        ax.contour(stalls.horizontal, stalls.vertical, lost, levels=[0.5], colors=[house.quadratic], linewidths=BOLD)
    for side in ("top", "right"):
        ax.spines[side].set_visible(True)
    return image


def _colours() -> ListedColormap:
    """Dark for quick and bright for slow, told apart by every eye and in grey: cividis."""
    from matplotlib import colormaps

    colours = colormaps["cividis"]
    return ListedColormap(colours(np.linspace(0, 1, 256)))


def draw_sweep(sweep: Sweep, *, theme: str = "light", language: str = "en") -> Figure:
    """The share of the neurons that have learned by each step."""
    with drawing(theme, language, "map") as house:
        figure, (ax,) = house.figure(5.6, 3.6)
        steps = np.asarray(sweep.steps_to_learn).reshape(-1)
        learned = np.bincount(steps[steps >= 0], minlength=sweep.steps + 1).cumsum() / max(steps.size, 1)
        house.panel(ax, house.say("step"), house.say("learned", level=number(sweep.learned)), ylim=(0, 1.02), yticks=(0, 0.5, 1))
        ax.set_xlim(0, max(sweep.steps, 1))
        colour = house.theme.costs.get(sweep.output.cost.name, house.theme.others[0])
        ax.plot(learned, color=colour, lw=BOLD)
        never = house.say("never", share=f"{float(np.mean(steps < 0)) if steps.size else 0:.0%}", steps=sweep.steps)
        house.write(ax, 0.98 * max(sweep.steps, 1), 0.08, f"{sweep.output}\n{never}", colour, ha="right")
        return finish(figure)
