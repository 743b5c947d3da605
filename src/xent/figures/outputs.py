"""The curves of one output: cost, slope, δ and gain against the answer, for `xent explain` and for `Output.figure()`.

And, for `xent explain`, those of an activation: the answer and its slope against the weighted input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xent.activations import Activation
from xent.figures.style import DASHES, House, drawing, finish, number
from xent.outputs import Output, curves
from xent.outputs.curves import Curve

PARTS = ("cost", "slope", "delta", "gain")

MIDDLE = 0.06
"""What lies nearer to the ends of the axis than this may leave the panel, where it is twice as high as the rest: some costs have no
limit there."""

POLE = 30
"""So many times its usual height is as good as infinite: the panel shows a third of that."""


def draw_output(output: Output, *, theme: str = "light", language: str = "en") -> Figure:
    """Cost, slope ∂C/∂a, δ and gain of an output against its answer, one line for each hard target.

    A softmax is shown for three classes, the other two equal, against the probability of the right one; a margin cost against the
    score.  Values that are not finite are left out.
    """
    with drawing(theme, language, "outputs") as house:
        lines = [curves.curve(output, target) for target in curves.hard_targets(output)]
        figure, axes = house.figure(7.2, 5.1, "AB;CD")
        for part, ax in zip(PARTS, axes, strict=True):
            _panel(ax, house, part, lines, _colour(house, output))
        figure.legend(
            handles=[
                Line2D([], [], color=_colour(house, output), ls=DASHES[i], label=_label(house, lines, i)) for i in range(len(lines))
            ],
            loc="outside upper left",
            ncols=2,
            frameon=False,
            handlelength=3,
            title=str(output) if len(str(output)) < 70 else f"{output!s:.69}…",
            alignment="left",
        )
        return finish(figure)


def draw_activation(activation: Activation, *, theme: str = "light", language: str = "en") -> Figure:
    """The answer of an activation and its slope against the weighted input; of a softmax one of two classes."""
    with drawing(theme, language, "activations") as house:
        z = np.linspace(-6.0, 6.0, 481)
        a, slope = _activated(activation, z)
        figure, axes = house.figure(7.2, 3.0, "AB")
        names = ("p", "slope_p") if activation.vector else ("a", "slope")
        for ax, name, values in zip(axes, names, (a, slope), strict=True):
            house.panel(ax, house.say("difference" if activation.vector else "z"), house.say(name), (-6, -3, 0, 3, 6), xlim=(-6, 6))
            ax.plot(z, values, color=house.theme.ink)
            scale(ax, house, values)
        return finish(figure)


def _activated(activation: Activation, z: Float[np.ndarray, " n"]) -> tuple[Any, Any]:
    """(answer, slope) at z; of a softmax of the logits (z, 0) those of the first class."""
    if not activation.vector:
        a = np.asarray(activation(z))
        return a, np.asarray(activation.pullback(a, np.ones_like(a)))
    p = np.asarray(activation(np.stack([z, np.zeros_like(z)], axis=-1)))
    return p[..., 0], np.asarray(activation.pullback(p, np.asarray([1.0, 0.0]) * np.ones_like(p)))[..., 0]


def _colour(house: House, output: Output) -> str:
    return house.theme.costs.get(output.cost.name, house.theme.others[0])


def _label(house: House, lines: list[Curve], i: int) -> str:
    return house.say("right") if lines[i].axis == "p" else house.say("target", y=number(lines[i].target))


def _panel(ax: Axes, house: House, part: str, lines: list[Curve], colour: str) -> None:
    axis = lines[0].axis
    x = np.round(lines[0].x[[0, -1]], 2)
    named = f"{part}_{axis}"
    title = house.say(named if named in house.words else part)
    label = house.say(axis, classes=curves.CLASSES) if part in PARTS[2:] else ""
    house.panel(ax, label, title, xlim=(float(x[0]), float(x[1])))
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    whole, inner = [], []
    for line, dashes in zip(lines, DASHES, strict=False):
        y = np.asarray(getattr(line, part), dtype=float)
        ax.plot(line.x, np.where(np.isfinite(y), y, np.nan), color=colour, ls=dashes)
        edge = int(MIDDLE * len(y))
        whole.append(_finite(y))
        inner.append(_finite(y[edge : len(y) - edge]))
    values, middle = np.concatenate(whole), np.concatenate(inner)
    limited = np.max(np.abs(values), initial=0.0) <= 2 * np.max(np.abs(middle), initial=0.0)
    scale(ax, house, values if limited else middle, (0.0, 1.0) if part == "gain" else (0.0,))


def _finite(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    return np.asarray(values[np.isfinite(values)])


def scale(ax: Axes, house: House, values: Float[np.ndarray, " n"], landmarks: tuple[float, ...] = (0.0,)) -> None:
    """Limits that show the values and where 0 is; a curve with a pole keeps to the rest."""
    if not len(values):
        ax.set(yticks=(), ylim=(0, 1))
        house.note(ax, 0.5, 0.5, house.say("empty"), ha="center", transform=ax.transAxes)
        return
    size = np.abs(values)
    usual = float(np.median(size[size > 0])) if np.any(size > 0) else 1.0
    shown = values if size.max() <= POLE * usual else values[size <= POLE / 3 * usual]
    low, high = min(*shown, *landmarks), max(*shown, *landmarks)
    air = 0.06 * (high - low) or 0.5
    ax.set_ylim(low - air if low < 0 else low - air / 4, high + air)
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if low < 0 < high:
        ax.axhline(0, color=house.theme.rule, lw=0.9, zorder=0)
