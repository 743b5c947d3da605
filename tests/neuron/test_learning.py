"""The neuron: every row of the article's table, the mathematics of one step, starts, samples, inputs, wrong input."""

from __future__ import annotations

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import xent
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError

ONE_NUMBER = [o for o in xent.catalogue() if not o.activation.vector]
SMOOTH = [o for o in ONE_NUMBER if "hinge" not in str(o) and "absolute" not in str(o)]  # a difference may straddle a corner
STARTS = {1: (0.6, 0.9), 2: (2.0, 2.0)}

TABLE = [  # start, cost, rate, a at 0, a at 300, δ at 0, gain at 0, first step with a < 0.5, step where a falls fastest
    (1, "quadratic", 0.15, 0.8176, 0.0940, 0.12194, 0.14915, 36, 26),
    (2, "quadratic", 0.15, 0.9820, 0.2028, 0.01735, 0.01766, 232, 221),
    (1, "cross-entropy", 0.15, 0.8176, 0.0116, 0.81757, 1, 8, 3),
    (2, "cross-entropy", 0.15, 0.9820, 0.0120, 0.98201, 1, 17, 12),
    (1, "cross-entropy", 0.025, 0.8176, 0.0810, 0.81757, 1, 46, 21),
    (2, "cross-entropy", 0.025, 0.9820, 0.1011, 0.98201, 1, 100, 75),
    (1, "cross-entropy", 0.005, 0.8176, 0.4177, 0.81757, 1, 228, 108),
    (2, "cross-entropy", 0.005, 0.9820, 0.7796, 0.98201, 1, None, 299),
]
"""The known numbers of the article's experiment, as they were computed elsewhere."""


@pytest.mark.parametrize(("start", "cost", "rate", "a0", "a300", "delta0", "gain0", "below", "fastest"), TABLE)
def test_the_articles_table(start, cost, rate, a0, a300, delta0, gain0, below, fastest, lib):
    w, b = (lib.make(np.asarray(v)) for v in STARTS[start])
    run = xent.Neuron(w, b).learn(1.0, 0.0, output=f"{cost}@sigmoid", rate=rate, steps=300)
    measured = [float(v) for v in (run.a[0], run.a[300], run.delta[0], run.gain[0])]
    assert measured == pytest.approx([a0, a300, delta0, gain0], abs=5.1e-5)
    assert run.first_step(lambda a: a < 0.5) == below
    assert run.fastest_fall() == fastest


def test_start_2_under_the_quadratic_cost_on_the_way():
    a = xent.Neuron(2.0, 2.0).learn(1.0, 0.0, output="quadratic@sigmoid").a
    np.testing.assert_allclose(a[[50, 100, 150, 200, 250]], [0.976, 0.964, 0.933, 0.789, 0.357], atol=5e-4)


def test_the_largest_quadratic_delta_is_where_a_is_two_thirds():
    run = xent.Neuron(2.0, 2.0).learn(1.0, 0.0, output="quadratic@sigmoid", steps=1000)
    assert run.a[np.argmax(run.delta)] == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("rate", [0.15, 0.025, 0.005])
def test_the_cost_of_cross_entropy_falls_fastest_at_once_its_output_later(start, rate):
    run = xent.Neuron(*STARTS[start]).learn(1.0, 0.0, output="cross-entropy@sigmoid", rate=rate)
    assert np.argmin(np.diff(run.cost)) == 0
    assert run.fastest_fall() > 0


def test_a_sixth_is_the_mean_gain_of_the_quadratic_cost_over_all_answers():
    """The share of quadratic's rate that is fair to cross-entropy: ∫ a(1 − a) da from 0 to 1."""
    a = (np.arange(1000) + 0.5) / 1000
    assert np.mean(xent.output("quadratic@sigmoid").gain(np.log(a / (1 - a)), np.zeros(1000))) == pytest.approx(1 / 6, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(SMOOTH), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.01, 2))
def test_one_step_is_gradient_descent(output, w, x, rate):
    """The new weights from central differences of the mean cost, for three samples; costs without corners."""
    allowed = output.cost.targets_on(output.activation)
    y = np.asarray([-1.0, 1.0, 1.0] if hasattr(allowed, "values") else [0.0, 1.0, 0.4])
    xs, b = np.asarray([x, 0.5, -1.0]), 0.25
    run = xent.Neuron(w, b).learn(xs, y, output=output, rate=rate, steps=1)

    def cost(w_, b_):
        return np.mean([float(output.value(float(w_ * v + b_), t)) for v, t in zip(xs, y, strict=True)])

    h = 1e-6
    by_w = (cost(w + h, b) - cost(w - h, b)) / (2 * h)
    by_b = (cost(w, b + h) - cost(w, b - h)) / (2 * h)
    assert run.w[1] == pytest.approx(w - rate * by_w, rel=1e-5, abs=1e-5 * rate * (1 + abs(by_w)))
    assert run.b[1] == pytest.approx(b - rate * by_b, rel=1e-5, abs=1e-5 * rate * (1 + abs(by_b)))


def test_shapes():
    n, d, steps = 5, 3, 7
    rng = np.random.default_rng(0)
    run = xent.Neuron(np.zeros(d), 0.0).learn(rng.normal(size=(n, d)), np.asarray([0, 1, 1, 0, 1.0]), steps=steps)
    assert run.w.shape == (steps + 1, d)
    assert run.b.shape == (steps + 1,)
    for name in ("z", "a", "cost", "delta", "gain"):
        assert getattr(run, name).shape == (steps + 1, n)
    assert run.steps == steps
    one = xent.Neuron([1.0, 2.0], 0.5).learn([1.0, -1.0], 1.0, steps=2)
    assert one.w.shape == (3, 2)
    assert one.z.shape == (3,)
    assert one.z[0] == pytest.approx(1.0 - 2.0 + 0.5)
    assert xent.Neuron(1.0, 1.0).learn(1.0, 0.0, steps=0).a.shape == (1,)


def test_many_samples_average_their_deltas():
    twice = xent.Neuron(0.3, 0.1).learn([1.0, 1.0], [0.0, 0.0])
    once = xent.Neuron(0.3, 0.1).learn(1.0, 0.0)
    np.testing.assert_allclose(twice.a[:, 0], once.a, rtol=1e-12)


@pytest.mark.parametrize("make", [torch.tensor, jnp.asarray, np.asarray])
def test_the_library_and_dtype_of_the_caller(make):
    run = xent.Neuron(make(np.float32(2.0)), make(np.float32(2.0))).learn(make(np.float32(1.0)), make(np.float32(0.0)), steps=3)
    assert type(run.a) is type(make(np.zeros(4, np.float32)))
    assert "float32" in str(run.a.dtype)


@pytest.mark.parametrize(
    ("a", "activation"), [(0.98, "sigmoid"), (0.001, "sigmoid"), (-0.9, "tanh"), (17.0, "identity"), (2.0, "softplus")]
)
@pytest.mark.parametrize("x", [1.0, -2.5, [1.0, 2.0, 0.0]])
def test_a_start_from_a_wanted_output(a, activation, x):
    neuron = xent.Neuron.from_output(a, x=x, activation=activation)
    run = neuron.learn(x, 0.0, output=f"quadratic@{activation}", steps=0)
    assert float(run.a[0]) == pytest.approx(a, rel=1e-12)


def test_the_shortest_start_is_the_articles():
    neuron = xent.Neuron.from_output(float(1 / (1 + mpmath.exp(-4))), x=1.0)
    assert (float(neuron.w), float(neuron.b)) == pytest.approx((2.0, 2.0))


def test_random_starts():
    draws = [xent.Neuron.random(seed=s) for s in range(2000)]
    assert np.mean([n.w for n in draws]) == pytest.approx(0, abs=0.1)
    assert np.std([n.b for n in draws]) == pytest.approx(1, abs=0.1)
    assert xent.Neuron.random(3, seed=1).w.shape == (3,)
    assert xent.Neuron.random(seed=1, scale=0.0).w == 0


def test_the_neuron_stays_as_it_was():
    w = np.asarray([1.0, 2.0])
    xent.Neuron(w, 0.0).learn([1.0, 1.0], 0.0)
    np.testing.assert_array_equal(w, [1.0, 2.0])


def test_steps_to_learn():
    run = xent.Neuron(2.0, 2.0).learn(1.0, 0.0)
    step = run.steps_to_learn()
    assert run.a[step] < 0.1 <= run.a[step - 1]
    assert run.steps_to_learn(1e-9) is None
    margin = xent.Neuron(-2.0, 0.0).learn(1.0, 1.0, output="logistic")
    np.testing.assert_array_equal(margin.steps_to_learn(), xent.Neuron(-2.0, 0.0).learn(1.0, 1.0).steps_to_learn())


WRONG = [
    ((2.0, 2.0), (1.0, 0.0), {"rate": -1}, InputError, "rate"),
    ((2.0, 2.0), (1.0, 0.0), {"rate": 0}, InputError, "rate"),
    ((2.0, 2.0), (1.0, 0.0), {"rate": float("inf")}, InputError, "inf"),
    ((2.0, 2.0), (1.0, 0.0), {"rate": float("nan")}, InputError, "nan"),
    ((2.0, 2.0), (1.0, 0.0), {"steps": -1}, InputError, "steps"),
    ((2.0, 2.0), (1.0, 0.0), {"output": "cross-entropy@softmax"}, InputError, "cross-entropy@sigmoid"),
    ((2.0, 2.0), (1.0, 2.0), {}, TargetError, "2.0"),
    ((float("nan"), 2.0), (1.0, 0.0), {}, InputError, "w must be finite"),
    ((2.0, float("inf")), (1.0, 0.0), {}, InputError, "b must be finite"),
    ((2.0, 2.0), (float("nan"), 0.0), {}, InputError, "x must be finite"),
    (([1.0, 2.0], 0.0), (1.0, 0.0), {}, ShapeError, "(2,)"),
    ((1.0, 0.0), ([1.0, 2.0], 0.0), {}, ShapeError, "(2,)"),
    (([1.0, 2.0], [0.0, 0.0]), ([1.0, 2.0], 0.0), {}, ShapeError, "one bias"),
    (([1.0, 2.0], 0.0), (np.zeros((0, 2)), np.zeros(0)), {}, ShapeError, "at least 1"),
    ((1.0, 0.0), ("one", 0.0), {}, ArrayKindError, "'one'"),
    ((1.0, 0.0), (1.0, 0.0), {"steps": 10**12}, InputError, "1,000,000,000,000 came"),
]


@pytest.mark.parametrize(("start", "sample", "how", "error", "says"), WRONG)
def test_wrong_input(start, sample, how, error, says):
    with pytest.raises(error) as caught:
        xent.Neuron(*start).learn(*sample, **how)
    assert says in str(caught.value)


@pytest.mark.parametrize("a", [0.0, 1.0, 1.5, float("nan")])
def test_outputs_that_no_start_has(a):
    with pytest.raises(InputError, match=r"\(0, 1\)"):
        xent.Neuron.from_output(a)


def test_wrong_seeds():
    for seed in (-1,):
        with pytest.raises(InputError, match="seed"):
            xent.Neuron.random(seed=seed)
    with pytest.raises(InputError, match="scale"):
        xent.Neuron.random(seed=1, scale=-1.0)


def test_in_a_notebook():
    assert xent.Neuron(2.0, 2.0).learn(1.0, 0.0, steps=20)._repr_html_().lstrip().startswith(("<svg", "<?xml"))


def test_a_start_beyond_all_numbers_is_no_warning():
    run = xent.Neuron(2.0, 2.0).learn(1e308, 0.0, output="quadratic@sigmoid", steps=1)
    assert run.z[0] == np.inf
