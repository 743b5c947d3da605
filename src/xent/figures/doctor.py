"""The picture of a diagnosis: each sample's error against its correction, with the line of gain 1; and what a cure brought."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xent.doctor.cure import Tried
from xent.doctor.diagnosis import Diagnosis
from xent.doctor.picture import Picture
from xent.figures.style import DASHES, House, drawing, finish

MARKERS = "osD^vP"
CLASSES = len(MARKERS)
"""More classes than this share the last marker."""


def draw_diagnosis(diagnosis: Diagnosis, *, theme: str = "light", language: str = "en") -> Figure:
    """Error ‖a − y‖ against correction ‖δ‖, one point a sample, coloured by class; the line is gain 1."""
    picture = diagnosis.picture
    with drawing(theme, language, "doctor") as house:
        figure, (ax,) = house.figure(5.6, 4.0)
        if not picture.n:
            ax.set_axis_off()
            house.note(ax, 0.5, 0.5, house.say("empty"), ha="center", transform=ax.transAxes)
            return finish(figure)
        most = float(picture.error.max()) * 1.06 or 1.0
        top = max(most, min(float(picture.correction.max()) * 1.06, 1.6 * most))
        house.panel(ax, house.say("error"), house.say("correction"), xlim=(0, most), ylim=(-0.02 * top, top))
        _line(ax, house, most, top)
        _points(ax, house, picture, top)
        title = (
            picture.name if picture.stalled == 0 else house.say("stalled", name=picture.name, n=picture.stalled, of=picture.wrong)
        )
        figure.suptitle(title, x=0.02, ha="left", fontsize=10, color=house.theme.ink)
        return finish(figure)


def _line(ax: Axes, house: House, most: float, top: float) -> None:
    """Gain 1, where a healthy pairing lies, and gain 0.1, under which a badly wrong sample is stalled."""
    end = min(most, top)
    ax.plot([0, end], [0, end], color=house.theme.ink, lw=1.4, zorder=2)
    house.write(ax, 0.72 * end, 0.72 * end + 0.05 * top, house.say("one"), ha="right")
    ax.plot([0, most], [0, 0.1 * most], color=house.theme.rule, ls=DASHES[1], lw=1.2, zorder=2)
    house.note(ax, most, 0.1 * most + 0.035 * top, house.say("tenth"), ha="right")


def _points(ax: Axes, house: House, picture: Picture, top: float) -> None:
    colours = (*house.theme.costs.values(), *house.theme.others)
    classes = np.unique(picture.label)
    for i, label in enumerate(classes[:CLASSES]):
        mine = picture.label == label if i < CLASSES - 1 else picture.label >= label
        more = i == CLASSES - 1 and len(classes) > CLASSES
        ax.scatter(
            picture.error[mine], np.minimum(picture.correction[mine], top), s=22, marker=MARKERS[i], color=colours[i], alpha=0.75,
            linewidths=0, zorder=4, label=house.say("others" if more else "class", n=int(label)), clip_on=False,
        )  # fmt: skip
    if len(classes) > 1:
        ax.legend(loc="upper left", frameon=False, handletextpad=0.2, borderaxespad=0.1, labelcolor=house.theme.soft)


def draw_trial(tried: Tried, *, theme: str = "light", language: str = "en") -> Figure:
    """Mean log-probability of the target over the steps, old and new, each at its best rate."""
    with drawing(theme, language, "doctor") as house:
        figure, (ax,) = house.figure(5.6, 3.0)
        house.panel(ax, house.say("step"), house.say("log"), [tried.steps * i / 4 for i in range(5)], xlim=(0, tried.steps))
        runs = [("new", tried.new, house.cross_entropy, DASHES[0])]
        runs += [("old", tried.old, house.quadratic, DASHES[1])] if tried.old is not None else []
        for name, run, colour, dashes in runs:
            ax.plot(run.log_probability, color=colour, ls=dashes, label=house.say(name, rate=f"{run.rate:g}"))
        ax.legend(loc="lower right", frameon=False, labelcolor=house.theme.ink)
        return finish(figure)
