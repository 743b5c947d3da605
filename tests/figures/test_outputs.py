"""The figure of an output: four panels, both targets, everything in sight, both themes and languages."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import xent
from xent import figures, texts
from xent.activations import Softmax, Tanh
from xent.errors import UnknownNameError
from xent.figures import style
from xent.outputs.curves import hard_targets

EVERY = [
    "quadratic@tanh",
    "quadratic@softmax",
    "cross-entropy@sigmoid",
    "symmetric-cross-entropy@sigmoid",
    "smooth(cross-entropy)@tanh",
    "absolute@identity",
    "rescaled-quadratic",
    "hinge",
    "exponential",
    "quadratic@relu",
]
"""Every kind of axis, and the curves that are hard to show: poles, jumps, no limit at an end, two targets unlike each other."""


def rendered(figure):
    """The figure, with every label inside it."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        for text in (axes._left_title, axes.xaxis.label, *axes.texts):
            box = text.get_window_extent(canvas.get_renderer())
            assert not text.get_text() or (box.x0 >= 0 and box.x1 <= figure.bbox.x1), text.get_text()
    return figure


@pytest.mark.parametrize("name", EVERY)
def test_every_output_is_drawn(name):
    output = xent.output(name)
    figure = output.figure()
    targets = hard_targets(output)
    assert len(figure.axes) == 4
    assert len(figure.legends[0].get_texts()) == len(targets)
    for axes in figure.axes:
        drawn = [line for line in axes.lines if len(line.get_xdata()) > 2]
        assert len(drawn) == len(targets)
        low, high = axes.get_ylim()
        seen = [np.mean((y >= low) & (y <= high)) for y in (np.asarray(line.get_ydata()) for line in drawn)]
        assert min(seen) >= 0.5
        assert low <= 0 <= high


def test_the_curves_are_the_library_s():
    output = xent.output("quadratic@sigmoid")
    cost, slope, delta, gain = (axes.lines[0] for axes in output.figure().axes)
    a = np.asarray(cost.get_xdata())
    assert np.allclose(cost.get_ydata(), a**2 / 2)
    assert np.allclose(slope.get_ydata(), a)
    assert np.allclose(delta.get_ydata(), a**2 * (1 - a))
    assert np.allclose(gain.get_ydata(), a * (1 - a))


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("theme", style.THEMES)
@pytest.mark.parametrize("name", ["cross-entropy@sigmoid", "focal@softmax", "hinge"])
def test_themes_and_languages(name, theme, language):
    figure = rendered(figures.draw_output(xent.output(name), theme=theme, language=language))
    assert figure.get_facecolor()[:3] == pytest.approx(
        tuple(int(style.THEMES[theme].background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )


@pytest.mark.parametrize("activation", [Tanh(), Softmax()], ids=str)
def test_activations_are_drawn(activation):
    figure = rendered(figures.draw_activation(activation, language="zh"))
    answer, slope = (axes.lines[0] for axes in figure.axes)
    z = np.asarray(answer.get_xdata())
    assert np.allclose(np.gradient(answer.get_ydata(), z)[1:-1], slope.get_ydata()[1:-1], atol=1e-3)


def test_a_long_name_and_a_wrong_theme():
    rendered(xent.output("smooth(symmetric-cross-entropy(alpha=0.123456789, beta=1.23456789, A=-4.5), epsilon=0.123456)").figure())
    with pytest.raises(UnknownNameError, match="theme"):
        xent.output("hinge").figure(theme="sepia")
