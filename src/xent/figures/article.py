"""The twelve figures of the article's report, one function each.

Curves are computed by `outputs`; runs, and the numbers in words, come from the study. Nothing measured is typed in, only where a
label stands.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xent.activations import Sigmoid, Tanh
from xent.article import RATES, STARTS, STEPS, Study
from xent.errors import UnknownNameError
from xent.figures.style import BOLD, DASHES, DOTS, LARGE, THIN, House, drawing, finish, number
from xent.outputs import output

PAIR, SINGLE, WIDE, TALL = (7.2, 3.2), (5.6, 3.6), (7.2, 4.0), (7.2, 4.3)
HALVES, STEP_TICKS = (0, 0.5, 1), (0, 100, 200, 300)
ANSWERS = np.linspace(0.001, 0.999, 999)


def draw(id: str, study: Study, *, theme: str = "light", language: str = "en") -> Figure:
    """One figure of the article's report; `theme` is light or dark, `language` en or zh.

    Raises UnknownNameError for a figure or a theme that there is not.
    """
    if id not in FIGURES:
        raise UnknownNameError("figure", id, FIGURES)
    with drawing(theme, language, id) as house:
        return finish(FIGURES[id](study, house))


def quadratic(study: Study, house: House) -> Figure:
    """The cost and its δ against the output: one is largest where the other dies."""
    figure, (left, right) = house.figure(*PAIR, "AB")
    say, pair, z = house.say, output("quadratic@sigmoid"), Sigmoid().inverse(ANSWERS)
    delta = pair.delta(z, np.zeros_like(z))
    peak = int(np.argmax(delta))
    house.panel(left, say("output"), say("cost"), HALVES, (0, 0.25, 0.5), (0, 1.02), (0, 0.53))
    house.panel(right, say("output"), say("delta"), HALVES, (0, 0.05, 0.1, 0.15), (0, 1.02), (0, 0.185))
    left.plot(ANSWERS, pair.value(z, np.zeros_like(z)), color=house.quadratic)
    right.axvspan(ANSWERS[peak], 1, color=house.theme.tint, lw=0)
    right.plot(ANSWERS, delta, color=house.quadratic)
    for start in STARTS:
        run, name = study.run(start, "quadratic", RATES["same"]), say("start", n=start)
        a0, delta0 = study.words[f"q{start}_a0"], study.words[f"q{start}_delta0"]
        house.start(left, start, run.a[0], run.cost[0])
        house.start(right, start, run.a[0], run.delta[0])
        house.write(left, run.a[0] - 0.05, run.cost[0], f"{name}\n{say('at', a=a0)}", ha="right")
        house.write(right, run.a[0] - 0.035, run.delta[0] - 0.006, f"{name}\n{delta0}", rim=False, ha="right")
    house.note(right, ANSWERS[peak] - 0.03, delta[peak] + 0.012, say("peak"), ha="right")
    house.note(right, (1 + ANSWERS[peak]) / 2, 0.169, say("worse"), rim=False, ha="center")
    return figure


def two_starts(study: Study, house: House) -> Figure:
    """The quadratic cost over the steps, one panel for each start; start 1 stands faintly behind start 2."""
    figure, axes = house.figure(*PAIR, "AB")
    say = house.say
    costs = {start: study.run(start, "quadratic", RATES["same"]).cost for start in STARTS}
    for (start, cost), ax in zip(costs.items(), axes, strict=True):
        house.panel(ax, say("step"), say("cost"), STEP_TICKS, (0, 0.25, 0.5), (0, STEPS), (0, 0.55))
        ax.plot(cost, color=house.quadratic, lw=BOLD)
        house.start(ax, start, 0, cost[0])
        first, last = study.words[f"q{start}_a0"], study.words[f"q{start}_a300"]
        house.write(ax, 295, 0.525, say("from", n=start, first=first, last=last), ha="right")
    late = axes[1]
    late.plot(costs[1], color=house.quadratic, lw=THIN, ls=DASHES[1], alpha=0.6)
    house.note(late, 5, 0.045, say("start", n=1))
    half = float(output("quadratic@sigmoid").value(0.0, 0.0))  # a = ½
    below = [int(np.argmax(cost < half)) for cost in costs.values()]
    house.arrow(late, (below[0] + 5, half), (below[1] - 4, half))
    house.note(late, sum(below) / 2, half + 0.035, say("waiting", steps=below[1] - below[0]), ha="center")
    return figure


def sigmoid_slope(study: Study, house: House) -> Figure:
    """The sigmoid with both starts on it: the same Δz moves a far where the curve is steep, hardly at all where it is level."""
    figure, (ax,) = house.figure(*WIDE)
    say = house.say
    z = np.linspace(-5, 7.2, 500)
    a = Sigmoid()(z)
    house.panel(ax, say("z"), say("sigmoid"), (-4, -2, 0, 2, 4, 6), HALVES, (-5, 7.2), (0, 1.17))
    ax.fill_between(z, Sigmoid().pullback(a, np.ones_like(a)), color=house.quadratic, alpha=0.13, lw=0)
    house.write(ax, 0, 0.1, say("curve"), house.quadratic, rim=False, ha="center")
    ax.axhline(1, color=house.theme.rule, lw=0.9, ls=DOTS, zorder=0)
    ax.plot(z, a, color=house.theme.ink, lw=BOLD)
    for start, x, y, judgement in ((1, 1.7, 0.66, "steep"), (2, 4.2, 0.83, "level")):
        run = study.run(start, "quadratic", RATES["same"])
        _tangent(ax, house, start, float(run.z[0]), float(run.a[0]), float(run.gain[0]))
        house.write(ax, x, y, say("start", n=start), fontsize=LARGE)
        house.write(ax, x, y - 0.068, say("slope", slope=study.words[f"q{start}_slope"]), house.quadratic)
        house.note(ax, x, y - 0.132, say(judgement))
    return figure


def _tangent(ax: Axes, house: House, start: int, z: float, a: float, slope: float, dz: float = -1.5) -> None:
    """The tangent at a start, the triangle Δz → Δa under it, and how high σ′ is there."""
    da, colour = slope * dz, house.quadratic
    ends = np.asarray([dz - 0.4, 0.6 if start == 1 else 2.6])
    ax.plot([z, z], [0, a], color=house.theme.rule, lw=0.9, ls=DOTS, zorder=1)
    ax.fill([z, z + dz, z + dz], [a, a, a + da], color=colour, alpha=0.18, lw=0)
    ax.plot(z + ends, a + slope * ends, color=colour, lw=THIN)
    house.arrow(ax, (z, a), (z + dz, a), house.theme.ink)
    for x, foot, head in ((z, 0, slope), (z + dz, a + da, a)):
        ax.plot([x, x], [foot, head], color=colour, lw=4, solid_capstyle="butt", zorder=4)
    house.start(ax, start, z, a)
    house.write(ax, z + dz / 2, a + 0.042, house.say("dz", dz=number(dz)), ha="center")
    moved = house.say("da", da=number(round(da, 3)))
    if start == 1:
        house.write(ax, z + dz - 0.14, a + da / 2 + 0.03, moved, colour, ha="right")
    else:  # too small to stand beside: a thread leads to it
        ax.plot([z + dz, z + dz - 0.18], [a + 0.012, a + 0.085], color=house.theme.soft, lw=0.9)
        house.write(ax, z + dz - 0.12, a + 0.115, moved, colour, ha="right")


def other_activation(study: Study, house: House) -> Figure:
    """The slopes of σ and tanh, and a tanh neuron under the quadratic cost and under its own cross-entropy."""
    figure, (left, right) = house.figure(*PAIR, "AB")
    say, z = house.say, np.linspace(-5, 5, 400)
    house.panel(left, say("z"), say("slope"), (-4, -2, 0, 2, 4), (0, 0.25, 1), (-5, 5), (0, 1.05))
    for activation, name, colour, dashes, x, y in (
        (Sigmoid(), "sigmoid", house.theme.ink, DASHES[0], 2.35, 0.17),
        (Tanh(), "tanh", house.theme.soft, DASHES[1], 0.85, 0.72),
    ):
        left.plot(z, activation.pullback(activation(z), np.ones_like(z)), color=colour, ls=dashes)
        house.write(left, x, y, say(name), colour)
    house.panel(right, say("step"), say("answer"), STEP_TICKS, (-1, 0, 1), (0, STEPS), (-1.3, 1.08))
    right.axhline(-1, color=house.theme.rule, lw=0.9, ls=DOTS, zorder=0)
    house.note(right, 295, -1.16, say("target", y=number(-1)), ha="right")
    for cost, key, name, dashes, y in (
        ("quadratic", "q", say("quadratic"), DASHES[0], 0.28),
        ("cross-entropy", "c", say("own"), DASHES[1], -0.46),
    ):
        colour, below = house.theme.costs[cost], say("below", step=study.words[f"tanh_{key}_steps"])
        right.plot(study.tanh_runs[cost].a, color=colour, ls=dashes)
        house.write(right, 62, y, f"{name}\n{below}", colour, linespacing=1.35)
    return figure


def probability(study: Study, house: House) -> Figure:
    """The sigmoid read as the probability of one label, and what is left as that of the other."""
    figure, (ax,) = house.figure(*SINGLE)
    say, s = house.say, np.linspace(-6, 6, 400)
    a = Sigmoid()(s)
    house.panel(ax, say("s"), say("probability"), (-6, -3, 0, 3, 6), HALVES, (-6, 6), (0, 1.05))
    ax.plot(s, a, color=house.theme.ink, lw=BOLD)
    ax.plot(s, 1 - a, color=house.theme.soft, ls=DASHES[1], lw=BOLD)
    ax.plot([0, 0, -6], [0, 0.5, 0.5], color=house.theme.rule, lw=0.9, ls=DOTS, zorder=0)
    ax.plot(0, 0.5, "o", color=house.theme.ink, markersize=6)
    house.write(ax, 2.2, 0.8, say("one"), fontsize=LARGE)
    house.note(ax, 2.2, 0.2, say("zero"), fontsize=LARGE)
    house.write(ax, 0.45, 0.5, say("half"))
    return figure


def cost_curves(study: Study, house: House) -> Figure:
    """Cross-entropy against the answer, for both labels, with the slope at both starts."""
    figure, (ax,) = house.figure(*SINGLE)
    say, pair, z = house.say, output("cross-entropy@sigmoid"), Sigmoid().inverse(ANSWERS)
    house.panel(ax, say("answer"), say("cost"), HALVES, (0, 1, 2, 3, 4, 5), (0, 1), (0, 5.2))
    for y, name, x, dashes, align in ((1.0, "one", 0.085, DASHES[0], "left"), (0.0, "zero", 0.93, DASHES[1], "right")):
        ax.plot(ANSWERS, pair.value(z, np.full_like(z, y)), color=house.cross_entropy, ls=dashes, lw=BOLD)
        house.write(ax, x, 3.1, say(name), house.cross_entropy, ha=align, fontsize=LARGE)
    for start in STARTS:
        run = study.run(start, "cross-entropy", RATES["same"])
        house.start(ax, start, run.a[0], run.cost[0])
        slope = f"{pair.cost.slope(run.a[:1], np.zeros(1))[0]:.3g}"
        house.write(ax, run.a[0] - 0.035, run.cost[0], say("slope", n=start, slope=slope), ha="right")
    return figure


def signed_labels(study: Study, house: House) -> Figure:
    """The cost against the margin, between its straight line and the plain 0/1 error."""
    figure, (ax,) = house.figure(*SINGLE)
    say, pair, margin = house.say, output("logistic@identity"), np.linspace(-4, 4, 401)
    house.panel(ax, say("margin"), say("cost"), (-4, -2, 0, 2, 4), (0, 1, 2, 3, 4), (-4, 4), (0, 4.2))
    ax.axvline(0, color=house.theme.rule, lw=0.9, ls=DOTS, zorder=0)
    ax.plot([-4, 0], [4, 0], color=house.theme.soft, lw=THIN, ls=DASHES[2])
    ax.plot([-4, 0, 0, 4], [1, 1, 0, 0], color=house.theme.soft, lw=THIN, ls=DASHES[1], clip_on=False)
    ax.plot(margin, pair.value(margin, np.ones_like(margin)), color=house.cross_entropy, lw=BOLD)
    half = float(pair.value(0.0, 1.0))
    ax.plot(0, half, "o", color=house.cross_entropy, markersize=6)
    house.write(ax, 0.2, half + 0.1, say("half"))
    house.write(ax, -2.1, 2.75, say("logistic"), house.cross_entropy, fontsize=LARGE)
    house.note(ax, -2.75, 2.2, say("line"), ha="right")
    house.note(ax, -3.9, 0.8, say("step"))
    house.note(ax, -0.2, 3.95, say("wrong"), ha="right")
    house.note(ax, 0.2, 3.95, say("right"))
    return figure


def many_samples(study: Study, house: House) -> Figure:
    """Each sample's cost over the steps, and their mean."""
    figure, (ax,) = house.figure(*SINGLE)
    say, cost = house.say, study.many_samples.cost
    title = say("cost", n=study.words["many_n"])
    house.panel(ax, say("step"), title, STEP_TICKS, (0, 1, 2, 3, 4, 5), (0, STEPS), (0, 5.2))
    ax.plot(cost, color=house.cross_entropy, lw=THIN, alpha=0.4)
    ax.plot(np.mean(cost, axis=1), color=house.cross_entropy, lw=3.4)
    house.note(ax, 16, 3.9, say("each"))
    house.write(ax, 24, 1.35, say("mean"), house.cross_entropy, fontsize=LARGE)
    return figure


def many_classes(study: Study, house: House) -> Figure:
    """Logits, their probabilities, and the cost that the right one's probability sets."""
    figure, (logits, probabilities, cost) = house.figure(*PAIR, "ABC", (1, 1, 1.5))
    say, classes = house.say, study.many_classes
    z, p, truth = classes["z"], classes["p"], int(classes["truth"])
    _bars(logits, house, say("logits"), [number(float(v)) for v in z], z, truth, (-0.7, 2.7))
    _bars(probabilities, house, say("probabilities"), [f"{v:.3f}" for v in p], p, truth, (0, 1.02))
    for row in range(len(z)):
        name, colour = say("class", n=row + 1), house.theme.ink
        if row == truth:
            name, colour = f"{name}\n{say('right')}", house.cross_entropy
        house.write(logits, -0.78, row, name, colour, ha="right")
    house.arrow(logits, (0.52, 1.055), (1.04, 1.055), xycoords="axes fraction")
    house.note(logits, 0.78, 0.985, say("softmax"), ha="center", transform=logits.transAxes)
    house.panel(cost, say("probability"), say("cost"), HALVES, (0, 1, 2, 3, 4), (0, 1), (0, 4.2))
    curve = output("cross-entropy@sigmoid").value(Sigmoid().inverse(ANSWERS), np.ones_like(ANSWERS))
    cost.plot(ANSWERS, curve, color=house.cross_entropy)
    right, price = float(p[truth]), float(classes["cost"])
    cost.plot([right, right, 0], [0, price, price], color=house.theme.rule, lw=0.9, ls=DOTS, zorder=0)
    cost.plot(right, price, "o", color=house.cross_entropy, markersize=7)
    house.write(cost, right + 0.06, price + 0.16, say("point", p=study.words["classes_p"], cost=study.words["classes_cost"]))
    return figure


def _bars(ax: Axes, house: House, title: str, words: list[str], values: np.ndarray, truth: int, xlim: tuple[float, float]) -> None:
    """One bar a class, its number at its end, the right class in colour."""
    house.panel(ax, "", title, (), (), xlim, (len(values) - 0.4, -0.6))
    ax.spines.bottom.set_visible(False)
    ax.spines.left.set_position(("data", 0))
    for row, value in enumerate(values):
        ax.barh(row, value, height=0.36, color=house.cross_entropy if row == truth else house.theme.rule)
        house.write(ax, max(value, 0) + 0.03 * (xlim[1] - xlim[0]), row, words[row], rim=False)


def gain(study: Study, house: House) -> Figure:
    """The gain of four outputs against the answer, for y = 0."""
    figure, (ax,) = house.figure(*SINGLE)
    say, z = house.say, Sigmoid().inverse(ANSWERS)
    house.panel(ax, say("answer"), say("gain"), HALVES, (0, 0.25, 0.5, 1), (0, 1), (0, 1.36))
    for start in STARTS:
        run = study.run(start, "quadratic", RATES["same"])
        ax.plot([run.a[0]] * 2, [0, 1.28], color=house.theme.rule, lw=0.9, ls=DOTS, zorder=0)
        house.start(ax, start, run.a[0], run.gain[0])
        house.note(ax, run.a[0], 1.32, say("start", n=start), ha="center")
    for name, cost, dashes, x, y in (
        ("quadratic", "quadratic", DASHES[0], 0.37, 0.15),
        ("cross-entropy", "cross-entropy", DASHES[1], 0.2, 1.06),
        ("absolute", "absolute", DASHES[2], 0.03, 0.68),
        ("focal(gamma=2)", "focal", DASHES[3], 0.6, 0.66),
    ):
        colour = house.theme.costs[cost]
        ax.plot(ANSWERS, output(f"{name}@sigmoid").gain(z, np.zeros_like(z)), color=colour, ls=dashes)
        house.write(ax, x, y, say(cost), colour, fontsize=LARGE)
    return figure


def rates(study: Study, house: House) -> Figure:
    """Three rates on one sample, one panel for each start, and every rate of a grid on many samples."""
    figure, (*starts, grid) = house.figure(*TALL, "AC;BC", (1.35, 1))
    say = house.say
    lines = (
        ("quadratic", "same", DASHES[0], 212, 0.86),
        ("cross-entropy", "same", DASHES[1], 40, 0.275),
        ("cross-entropy", "sixth", DASHES[2], 112, 0.62),
    )
    for start, ax in zip(STARTS, starts, strict=True):
        under = say("step") if start == 2 else ""
        house.panel(ax, under, say("answer", n=start), STEP_TICKS, HALVES, (0, STEPS), (0, 1.05))
        for cost, rate, dashes, x, y in lines:
            ax.plot(study.run(start, cost, RATES[rate]).a, color=house.theme.costs[cost], ls=dashes)
            if start == 2:
                house.write(ax, x, y, say("at", cost=say(cost), rate=RATES[rate]), house.theme.costs[cost])
        house.start(ax, start, 0, study.run(start, "quadratic", RATES["same"]).a[0])
    _rate_grid(grid, study, house)
    return figure


def _rate_grid(ax: Axes, study: Study, house: House) -> None:
    """Each cost's share of wrong answers at every rate, its best rate marked."""
    say, best = house.say, study.best_rates
    ax.set_xscale("log")
    ticks = 10.0 ** np.arange(-2, 4)
    house.panel(ax, say("rate"), say("wrong", steps=STEPS), tuple(ticks), (0, 0.25, 0.5, 0.75), ylim=(0, 0.78))
    for cost, key, dashes, x, y in (("quadratic", "q", DASHES[0], 0.35, 0.5), ("cross-entropy", "c", DASHES[1], 0.009, 0.07)):
        colour, (rate, wrong) = house.theme.costs[cost], best.best(cost)
        ax.plot(best.rates, best.wrong[cost], color=colour, ls=dashes)
        ax.plot(rate, wrong, "D", color=colour, markersize=7)
        house.write(ax, x, y, f"{say(cost)}\n{say('best', rate=study.words[f'best_{key}_rate'])}", colour)


def slip(study: Study, house: House) -> Figure:
    """The right gradient and the slipped one, from both starts."""
    figure, axes = house.figure(*PAIR, "AB")
    say = house.say
    for start, ax in zip(STARTS, axes, strict=True):
        house.panel(ax, say("step"), say("answer", n=start), STEP_TICKS, HALVES, (0, STEPS), (0, 1.1))
        right, slipped = study.run(start, "cross-entropy", RATES["demo"]).a, study.slips[start].a
        ax.plot(right, color=house.cross_entropy)
        ax.plot(slipped, color=house.theme.soft, ls=DASHES[1])
        house.start(ax, start, 0, right[0])
        house.write(ax, 295, right[200] + 0.13, say("right", a=study.words[f"t{start}_a300_4"]), house.cross_entropy, ha="right")
        house.note(ax, 295, slipped[200] + 0.14, say("slipped", a=study.words[f"slip{start}"]), ha="right")
    return figure


FIGURES: dict[str, Callable[[Study, House], Figure]] = {
    "quadratic": quadratic,
    "two-starts": two_starts,
    "sigmoid-slope": sigmoid_slope,
    "other-activation": other_activation,
    "probability": probability,
    "cost-curves": cost_curves,
    "signed-labels": signed_labels,
    "many-samples": many_samples,
    "many-classes": many_classes,
    "gain": gain,
    "rates": rates,
    "slip": slip,
}

ARTICLE: tuple[str, ...] = tuple(FIGURES)
"""The ids of the figures, in the order of the report."""
