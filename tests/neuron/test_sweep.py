"""Many neurons at once: step for step what one neuron does, in every library; the fused loop agrees with the plain one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from outputs.samples import targets

import xent
from xent.costs import Cost
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError

ONE_NUMBER = [o for o in xent.catalogue() if not o.activation.vector]
STARTS = np.asarray([0.6, 2.0]), np.asarray([0.9, 2.0])


@pytest.mark.parametrize(
    ("cost", "rate", "a300"),
    [
        ("quadratic", 0.15, [0.0940, 0.2028]),
        ("cross-entropy", 0.15, [0.0116, 0.0120]),
        ("cross-entropy", 0.025, [0.0810, 0.1011]),
        ("cross-entropy", 0.005, [0.4177, 0.7796]),
    ],
)
def test_the_articles_neurons(cost, rate, a300, lib):
    many = xent.sweep(*map(lib.make, STARTS), 1.0, 0.0, output=f"{cost}@sigmoid", rate=rate, steps=300)
    np.testing.assert_allclose(lib.back(many.a), a300, atol=5.1e-5)


def test_the_articles_steps():
    """The first step with a < 0.5."""
    steps = [
        xent.sweep(*STARTS, 1.0, 0.0, output=f"{cost}@sigmoid", rate=rate, learned=0.5).steps_to_learn.tolist()
        for cost, rate in (("quadratic", 0.15), ("cross-entropy", 0.15), ("cross-entropy", 0.025), ("cross-entropy", 0.005))
    ]
    assert steps == [[36, 232], [8, 17], [46, 100], [228, -1]]


@pytest.mark.parametrize("output", ONE_NUMBER, ids=str)
@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_each_neuron_learns_as_if_alone(output, kind):
    rng = np.random.default_rng(5)
    w, b, x = rng.normal(scale=2, size=(3, 2, 2))
    y = targets(output, w, kind)
    many = xent.sweep(w, b, x, y, output=output, rate=0.05, steps=25, learned=0.2)
    for place in np.ndindex(w.shape):
        run = xent.Neuron(w[place], b[place]).learn(x[place], y[place], output=output, rate=0.05, steps=25)
        alone = run.a[-1], run.w[-1], run.b[-1]
        np.testing.assert_allclose([v[place] for v in (many.a, many.w, many.b)], alone, rtol=1e-9, atol=1e-12)
        step = run.steps_to_learn(0.2)
        assert int(many.steps_to_learn[place]) == (-1 if step is None else step)
    assert "int32" in str(many.steps_to_learn.dtype)


def test_a_rate_for_each_neuron(lib):
    w = np.full((2, 2), 2.0)
    rates = np.asarray([[0.15, 0.3], [1.0, 0.01]])
    many = xent.sweep(*map(lib.make, (w, w)), 1.0, 0.0, rate=lib.make(rates), steps=30)
    for place in np.ndindex(w.shape):
        alone = xent.sweep(w[place], w[place], 1.0, 0.0, rate=rates[place], steps=30)
        assert float(many.a[place]) == pytest.approx(float(alone.a), rel=1e-12)
        assert int(many.steps_to_learn[place]) == int(alone.steps_to_learn)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 1, 5)])
def test_shapes_and_dtypes(shape, dtype, lib):
    w = lib.make(np.full(shape, 2.0, dtype))
    many = xent.sweep(w, w, 1.0, 0.0, steps=1)
    for name in ("a", "w", "b", "steps_to_learn"):
        assert tuple(getattr(many, name).shape) == shape
        assert name == "steps_to_learn" or str(getattr(many, name).dtype).endswith(dtype)
    assert type(many.a) is type(w) or shape == ()


def test_no_steps():
    many = xent.sweep([0.0, 9.0], [0.0, 0.0], 1.0, 1.0, steps=0)
    np.testing.assert_array_equal(many.steps_to_learn, [-1, 0])
    np.testing.assert_array_equal(many.w, [0.0, 9.0])


def test_the_first_step_counts_even_if_the_neuron_overshoots():
    """Identity, quadratic: the error is multiplied by 1 − 2·rate each step: −1.5 here."""
    many = xent.sweep([0.1], [0.15], 1.0, 0.0, output="quadratic@identity", rate=1.25, steps=5, learned=0.3)
    assert many.steps_to_learn.tolist() == [0]
    assert abs(many.a[0]) > 0.3


def test_a_cost_of_the_users_own():
    class Cubic(Cost):
        name = "cubic"

        def __call__(self, a, y):
            return abs(a - y) ** 3 / 3

        def slope(self, a, y):
            return (a - y) * abs(a - y)

    output = xent.output(Cubic(), "sigmoid")
    many = xent.sweep(*STARTS, 1.0, 0.0, output=output)
    run = xent.Neuron(2.0, 2.0).learn(1.0, 0.0, output=output)
    assert many.a[1] == pytest.approx(run.a[-1], rel=1e-12)


def test_the_input_stays_as_it_was():
    w, b = np.asarray([1.0, 2.0]), np.asarray([0.0, 0.0])
    xent.sweep(w, b, 1.0, 0.0)
    np.testing.assert_array_equal(w, [1.0, 2.0])
    np.testing.assert_array_equal(b, [0.0, 0.0])


TWO = np.asarray([1.0, 2.0])
WRONG = [
    ((TWO, np.zeros(3), 1.0, 0.0), {}, ShapeError, "(2,) and (3,)"),
    ((TWO, TWO, np.zeros(3), 0.0), {}, ShapeError, "x is one number"),
    ((TWO, TWO, 1.0, np.zeros((2, 1))), {}, ShapeError, "y is one number"),
    ((TWO, TWO, 1.0, 0.0), {"rate": np.ones(3)}, ShapeError, "rate is one number"),
    ((TWO, TWO, 1.0, 0.0), {"rate": np.asarray([1.0, -1.0])}, InputError, "-1.0"),
    ((TWO, TWO, 1.0, 0.0), {"rate": np.asarray([1.0, np.inf])}, InputError, "rate must be finite"),
    ((TWO, TWO, 1.0, 0.0), {"rate": float("inf")}, InputError, "inf"),
    ((TWO, TWO, 1.0, 0.0), {"rate": -1.0}, InputError, "rate"),
    ((TWO, TWO, 1.0, 0.0), {"rate": "fast"}, InputError, "'fast'"),
    ((TWO, TWO, 1.0, 0.0), {"steps": -1}, InputError, "steps"),
    ((TWO, TWO, 1.0, 0.0), {"steps": 2.5}, InputError, "steps"),
    ((TWO, TWO, 1.0, 0.0), {"steps": 2**31}, InputError, "steps"),
    ((TWO, TWO, 1.0, 0.0), {"learned": 0.0}, InputError, "learned"),
    ((TWO * np.nan, TWO, 1.0, 0.0), {}, InputError, "w must be finite"),
    ((TWO, TWO * np.inf, 1.0, 0.0), {}, InputError, "b must be finite"),
    ((TWO, TWO, 1.0, 2.0), {}, TargetError, "2.0"),
    ((TWO, TWO, 1.0, TWO), {}, TargetError, "place 1"),
    ((TWO, TWO, 1.0, 0.0), {"output": "hinge"}, TargetError, "-1"),
    ((TWO, TWO, 1.0, 0.0), {"output": "cross-entropy@softmax"}, InputError, "cross-entropy@sigmoid"),
    ((TWO, torch.ones(2), 1.0, 0.0), {}, ArrayKindError, "one library"),
    (("one", TWO, 1.0, 0.0), {}, ArrayKindError, "'one'"),
]


@pytest.mark.parametrize(("start", "how", "error", "says"), WRONG)
def test_wrong_input(start, how, error, says):
    with pytest.raises(error) as caught:
        xent.sweep(*start, **how)
    assert says in str(caught.value)
