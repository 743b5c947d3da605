"""The curves of an output along its answers: where they run, and that they ask the library."""

import numpy as np
import pytest

import xent
from xent.outputs import curves

EVERY = [*xent.catalogue(), xent.output("quadratic@relu"), xent.output("absolute@softplus"), xent.output("focal@tanh")]


@pytest.mark.parametrize("output", EVERY, ids=str)
def test_curves_are_whole_and_true(output):
    for target in curves.hard_targets(output):
        drawn = curves.curve(output, target, points=41)
        assert len({len(getattr(drawn, part)) for part in ("x", "error", "cost", "slope", "delta", "gain")}) == 1
        assert np.isfinite(drawn.cost).all()
        met = drawn.error == 0
        ratio = np.abs(drawn.delta[~met] / drawn.error[~met])
        assert np.allclose(np.abs(drawn.gain[~met]), ratio, rtol=1e-7)


@pytest.mark.parametrize("output", [o for o in EVERY if curves.axis(o) in "as"], ids=str)
def test_slope_and_delta_are_derivatives_of_the_cost(output):
    """Along the answer the slope is dC/da; times da/dz it is δ."""
    for target in curves.hard_targets(output):
        x = np.asarray([-0.7, 0.3, 0.6]) if output.activation.range.low < 0 else np.asarray([0.2, 0.5, 0.8])
        step = 1e-6
        at, after, before = (curves.along(output, target, x + d) for d in (0, step, -step))
        assert np.allclose(at.slope, (after.cost - before.cost) / (2 * step), rtol=1e-5, atol=1e-7)
        assert np.allclose(at.delta, output.activation.pullback(x, at.slope), rtol=1e-10)


@pytest.mark.parametrize("output", EVERY, ids=str)
def test_samples_get_more_wrong(output):
    if curves.axis(output) != "z":
        assert np.all(np.diff(np.abs(curves.samples(output).error)) > 0)
        assert np.all(np.diff(curves.samples(output).cost) > 0)


def test_the_right_class_of_three():
    drawn = curves.along(xent.output("quadratic@softmax"), 1.0, np.asarray([0.2]))
    assert drawn.error == pytest.approx(0.8)
    assert drawn.cost == pytest.approx(0.5 * (0.8**2 + 2 * 0.4**2))
