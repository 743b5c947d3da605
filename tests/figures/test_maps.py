"""The stall map's figure and a sweep's: every number of panels, both themes and languages, nothing cut."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import xent
from xent import figures
from xent.neuron.mapping import stall_map

OUTPUTS = ["quadratic@sigmoid", "smooth(cross-entropy, epsilon=0.1)@sigmoid", "quadratic@tanh", "absolute@sigmoid", "lq@sigmoid"]


def nothing_cut(figure):
    FigureCanvasAgg(figure).draw()
    page = figure.bbox
    for ax in figure.axes:
        box = ax.get_tightbbox()  # with everything that is drawn around the panel
        assert page.x0 - 1 <= box.x0 < box.x1 <= page.x1 + 1
        assert page.y0 - 1 <= box.y0 < box.y1 <= page.y1 + 1


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("n", "plane"), [(1, "start"), (2, "start"), (4, "rate"), (5, "start")])
def test_maps(n, plane, theme, language):
    nothing_cut(figures.draw_map(stall_map(OUTPUTS[:n], plane=plane, size=12, steps=60), theme=theme, language=language))


def test_a_map_without_any_stuck_start_and_one_of_nothing_else():
    nothing_cut(figures.draw_map(stall_map(["cross-entropy"], size=6, span=(-6.0, -3.0))))
    nothing_cut(figures.draw_map(stall_map(["quadratic"], size=6, span=(5.0, 6.0), steps=1)))


@pytest.mark.parametrize("n", [0, 1, 500])
def test_sweeps(n):
    sweep = xent.sweep(np.linspace(-3, 6, n), np.zeros(n), 1.0, 0.0, output="quadratic@sigmoid", steps=50)
    nothing_cut(sweep.figure())
    assert sweep._repr_html_().lstrip().startswith("<svg")
