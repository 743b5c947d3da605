"""Several outputs laid over each other: cost, slope, δ and gain along the answer or the weighted input, for the lab."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xent.errors import InputError
from xent.figures.outputs import MIDDLE, PARTS, scale
from xent.figures.runs import colours, legend_shape, short
from xent.figures.style import DASHES, drawing, finish
from xent.outputs import Output, curves
from xent.outputs import output as output_named

APART = 20
"""So many times the next smaller size is far beyond it."""
LOW = 0.02
"""What is lower than this is as good as flat, and keeps no other curve out."""


def draw_outputs(
    outputs: Sequence[str | Output], *, target: float = 0.0, along: str = "answer", theme: str = "light", language: str = "en"
) -> Figure:
    """Cost, slope, δ and gain of several outputs in four panels, one line each.

    `target` is a share of the way from each output's low hard target to its high one; `along` is "answer", each output's own axis,
    or "input", the weighted input.  Values that are not finite are left out.  Raises InputError where there is no output.
    """
    chosen = [output_named(one) for one in outputs]
    if not chosen:
        raise InputError("draw_outputs needs at least one output: give a list of names.")
    with drawing(theme, language, "outputs") as house:
        drawn = [curves.overlaid(one, target, along) for one in chosen]
        colour = colours([one.cost.name for one in chosen], house.theme)
        columns, rows = legend_shape([short(str(one)) for one in chosen])
        figure, axes = house.figure(7.2, 4.9 + 0.2 * rows, "AB;CD")
        near = [
            curve
            for curve, shown in zip(drawn, _together([float(curve.x[-1] - curve.x[0]) for curve in drawn]), strict=True)
            if shown
        ]
        ends = min(curve.x[0] for curve in near), max(curve.x[-1] for curve in near)
        kinds = list(dict.fromkeys(curve.axis for curve in drawn))
        below = ", ".join(house.say(kind, classes=curves.CLASSES) for kind in kinds)
        for part, ax in zip(PARTS, axes, strict=True):
            house.panel(ax, below if part in PARTS[2:] else "", house.say(part), xlim=(round(ends[0], 2), round(ends[1], 2)))
            ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            shown = []
            for i, (one, curve) in enumerate(zip(chosen, drawn, strict=True)):
                y = np.asarray(getattr(curve, part), dtype=float)
                y = np.where(np.isfinite(y), y, np.nan)
                ax.plot(curve.x, y, color=colour[one.cost.name], ls=DASHES[i % len(DASHES)])
                edge = int(MIDDLE * len(y))
                shown.append(y[edge : len(y) - edge])
            heights = [float(np.max(np.abs(y), initial=0.0, where=np.isfinite(y))) for y in shown]
            values = np.concatenate([y for y, low in zip(shown, _together(heights), strict=True) if low])
            scale(ax, house, values[np.isfinite(values)], (0.0, 1.0) if part == "gain" else (0.0,))
        handles = [
            Line2D([], [], color=colour[one.cost.name], ls=DASHES[i % len(DASHES)], label=short(str(one)))
            for i, one in enumerate(chosen)
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False, handlelength=3)
        return finish(figure)


def _together(sizes: Sequence[float]) -> list[bool]:
    """Which of these sizes are not far beyond all smaller ones: a curve that is leaves the panel, or nothing else could be seen."""
    least = sorted(max(size, LOW) for size in sizes)
    beyond = next((b for a, b in pairwise(least) if b > APART * a), np.inf)
    return [size < beyond for size in sizes]
