"""The curves of runs: one, several, several samples, no step, one step, constant, diverging, not finite."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from xent import figures, texts
from xent.errors import InputError, UnknownNameError
from xent.figures import fonts, style
from xent.neuron import Neuron

BAD = Neuron(2.0, 2.0)


def learn(output, x=1.0, y=0.0, start=BAD, **options):
    return start.learn(x, y, output=output, **{"steps": 40} | options)


def draw(runs, **options):
    """The four panels, rendered."""
    figure = figures.draw_runs(runs, **options)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert len(figure.axes) == 4
    for axes in figure.axes:
        ticks = [tick.label1 for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks() if inside(tick, axis)]
        for text in (*ticks, axes._left_title, axes.xaxis.label, *axes.texts):
            box = text.get_window_extent(canvas.get_renderer())
            assert not text.get_text() or (box.x0 >= 0 and box.x1 <= figure.bbox.x1), text.get_text()
    for legend in figure.legends:
        box = legend.get_window_extent(canvas.get_renderer())
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= max(axes.get_window_extent().y1 for axes in figure.axes)
    return figure


def inside(tick, axis):
    """Whether a tick stands within the limits; matplotlib keeps others that it does not draw."""
    low, high = sorted(axis.get_view_interval())
    return low <= tick.get_loc() <= high


def curves(figure, panel):
    """The lines of a panel that follow the steps."""
    return [line for line in figure.axes[panel].lines if line.get_transform() == figure.axes[panel].transData]


def seen(figure):
    """What is drawn lies inside the panels."""
    for axes in figure.axes:
        low, high = axes.get_ylim()
        values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
        values = values[np.isfinite(values)]
        assert np.all((values >= low) & (values <= high))


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("theme", style.THEMES)
def test_two_runs(theme, language):
    runs = {name: learn(name) for name in ("quadratic@sigmoid", "cross-entropy@sigmoid")}
    figure = draw(runs, theme=theme, language=language)
    for panel, part in enumerate(("cost", "a", "delta", "gain")):
        for line, run in zip(curves(figure, panel), runs.values(), strict=False):
            assert np.array_equal(line.get_ydata(), getattr(run, part))
    colours = style.THEMES[theme].costs
    assert [line.get_color() for line in curves(figure, 0)][:2] == [colours["quadratic"], colours["cross-entropy"]]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == list(runs)
    assert all(axes.get_yscale() == "linear" for axes in figure.axes)
    seen(figure)


def test_runs_of_one_cost_differ_by_their_dashes():
    figure = draw({str(rate): learn("cross-entropy@sigmoid", rate=rate) for rate in (0.15, 0.025, 0.005)})
    handles = figure.legends[0].legend_handles
    assert len({handle.get_color() for handle in handles}) == 1
    assert len({str(handle._unscaled_dash_pattern) for handle in handles}) == 3


def test_many_runs_with_long_labels():
    draw({f"{'long ' * 30}{i}": learn("poly@sigmoid", steps=3) for i in range(12)})
    draw({f"{i}": learn("hinge@identity", y=1.0, steps=3) for i in range(40)})


def test_several_samples_have_a_mean_and_faint_lines():
    x = np.linspace(-2, 2, 12)
    run = learn("quadratic@sigmoid", x, (x < 0) * 1.0, steps=20)
    figure = draw({"a": run, "one": learn("quadratic@sigmoid", steps=20)})
    lines = curves(figure, 0)
    assert np.array_equal(lines[12].get_ydata(), run.cost.mean(axis=1))
    assert all(line.get_alpha() < 0.5 and line.get_linewidth() < lines[12].get_linewidth() for line in lines[:12])
    assert texts.page("figures", "en")["runs"]["each"] in [t.get_text() for t in figure.legends[0].get_texts()]
    seen(figure)


def test_of_a_thousand_samples_a_few_are_drawn():
    x = np.random.default_rng(1).standard_normal(1000)
    figure = draw({"a": learn("cross-entropy@sigmoid", x, (x < 0) * 1.0, steps=5)})
    assert len(figure.axes[0].lines) < 50


@pytest.mark.parametrize("steps", [0, 1])
def test_hardly_any_step(steps):
    figure = draw({"a": learn("cross-entropy@sigmoid", steps=steps)})
    assert all(curves(figure, panel)[0].get_marker() == "o" for panel in range(4))
    seen(figure)


@pytest.mark.parametrize("output", ["quadratic@identity", "quadratic@sigmoid"])
def test_a_gain_of_none_and_a_gain_of_one_are_in_sight(output):
    figure = draw({"a": learn(output)})
    low, high = figure.axes[3].get_ylim()
    assert low == 0
    assert 1 < high < 1.2


@pytest.mark.parametrize("part", ["cost", "a", "delta", "gain"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_only_the_finite_part_is_drawn(part, bad):
    run = learn("cross-entropy@sigmoid", steps=9)
    getattr(run, part)[4] = bad
    figure = draw({"a": run})
    values = curves(figure, ("cost", "a", "delta", "gain").index(part))[0].get_ydata()
    assert np.isnan(values[4])
    assert np.isfinite(values).sum() == 9
    getattr(run, part)[:] = bad
    shown = [t.get_text() for axes in draw({"a": run}).axes for t in axes.texts]
    assert shown == [texts.page("figures", "en")["runs"]["empty"]]


def test_a_run_that_blows_up_gets_a_logarithmic_scale():
    figure = draw({"a": learn("quadratic@identity", rate=9.0, steps=500), "b": learn("quadratic@identity", rate=0.1)})
    assert [axes.get_yscale() for axes in figure.axes] == ["symlog", "symlog", "symlog", "linear"]


def test_a_cost_that_vanishes_does_not():
    figure = draw({"a": learn("quadratic@identity", rate=0.4, steps=300)})
    assert [axes.get_yscale() for axes in figure.axes] == ["linear"] * 4
    seen(figure)


def test_runs_of_different_lengths_and_outputs():
    figure = draw({"short": learn("quadratic@tanh", y=-1.0, steps=10), "long": learn("logistic@identity", y=-1.0, steps=100)})
    assert figure.axes[0].get_xlim() == (0, 100)
    seen(figure)


def test_no_font_means_english(monkeypatch):
    monkeypatch.setattr(fonts, "chinese_font", lambda: None)
    figure = draw({"a": learn("cross-entropy@sigmoid", steps=3)}, language="zh")
    assert figure.axes[3]._left_title.get_text() == texts.page("figures", "en")["common"]["gain"]


def test_wrong_calls():
    with pytest.raises(InputError, match="at least one run"):
        figures.draw_runs({})
    with pytest.raises(UnknownNameError, match="theme"):
        figures.draw_runs({"a": learn("cross-entropy@sigmoid", steps=1)}, theme="sepia")
