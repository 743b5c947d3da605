"""Many neurons at once: step for step what one neuron does, in every library; the fused loop agrees with the plain one."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import torch
from outputs.samples import targets

import xent
from xent.activations import Sigmoid
from xent.costs import Cost, Quadratic, Smooth
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError
from xent.neuron import cpu, plain

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
    many = plain.sweep(w, b, x, y, output, 0.05, 25, 0.2, np)
    for place in np.ndindex(w.shape):
        run = xent.Neuron(w[place], b[place]).learn(x[place], y[place], output=output, rate=0.05, steps=25)
        alone = run.a[-1], run.w[-1], run.b[-1]
        np.testing.assert_allclose([v[place] for v in many[:3]], alone, rtol=1e-12, atol=1e-15)
        step = run.steps_to_learn(0.2)
        assert many[3][place] == (-1 if step is None else step)


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
        assert str(getattr(many, name).dtype).endswith("int32" if name == "steps_to_learn" else dtype)
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


# ── the fused loop and its plain twin ──────────────────────────────────────────────────────────────────────────────────

ROUGH = ("absolute", "hinge")  # δ jumps: where it does, two right computations may land a step apart
EXTREME = [0.0, 1e-30, -1e-30, 0.5, -2.0, 16.7, -16.7, 88.0, -104.0, 700.0, -700.0, 1e4, -1e4]
SMOOTH = ["smooth(focal(gamma=0.5), epsilon=0.3)@sigmoid", "smooth(quadratic, epsilon=0.1)@tanh", "lq(q=0.01)@sigmoid",
          "smooth(symmetric-cross-entropy, epsilon=0.2)@sigmoid", "focal(gamma=0)@tanh", "poly(epsilon=-1)@tanh"]  # fmt: skip
FUSED = [*ONE_NUMBER, *map(xent.output, SMOOTH)]


def starts(size: int, dtype: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """w, b and x: every pair of extremes first, drawn ones after them."""
    rng = np.random.default_rng(seed)
    w, b = (v.ravel() for v in np.meshgrid(EXTREME, EXTREME))
    w, b = (np.concatenate([v, rng.normal(scale=3, size=size)])[:size] for v in (w, b))
    x = rng.normal(size=size)
    return w.astype(dtype), b.astype(dtype), x.astype(dtype)


def both(w, b, x, y, output, rate=0.15, steps=20, learned=0.1):
    """Fused and plain, and the plain steps for a slightly lower and a slightly higher bar, between which the fused must lie."""
    assert cpu.knows(output)
    arrays = w, b, *(np.asarray(v, w.dtype) for v in (x, y))
    fused = cpu.sweep(*arrays, output, rate, steps, learned, np)
    slack = 2e-4 if w.dtype == np.float32 else 1e-9
    low, high = (plain.sweep(*arrays, output, rate, steps, learned * (1 + s), np)[3] for s in (slack, -slack))
    return fused, plain.sweep(*arrays, output, rate, steps, learned, np), low, high


def assert_twins(fused, twin, low, high, w, b, rate=0.15, x=1.0, rough=False):
    """Equal but for rounding: that of the numbers, and that of w·x + b, whose terms may be far greater than their sum."""
    digits, eps = 2e-5 if w.dtype == np.float32 else 1e-10, np.finfo(w.dtype).eps
    terms = (np.abs(w) + np.abs(b)) * (1 + np.abs(x))
    jump = 2 * rate * (1 + np.abs(x)) ** 2 if rough else 0
    for name, ours, theirs in zip("awb", fused, twin, strict=False):
        assert ours.dtype == w.dtype
        with np.errstate(invalid="ignore"):
            close = np.abs(ours - theirs) <= jump + digits * (1 + np.abs(theirs)) + 4 * eps * terms
        same = close | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        assert same.all(), (name, ours[~same][:5], theirs[~same][:5], w[~same][:5], b[~same][:5])
    never = 2**31 - 1
    ours, low, high = (np.where(v < 0, never, v) for v in (fused[3], low, high))
    wrong = ~((low <= ours) & (ours <= high))
    assert not wrong.any() or rough, (ours[wrong][:5], low[wrong][:5], high[wrong][:5])


def every_kernel():
    """Each output with one number type and one kind of target by default, with all of them among the slow tests: they compile."""
    for i, output in enumerate(FUSED):
        for j, (dtype, kind) in enumerate(product(("float32", "float64"), ("soft", "hard"))):
            yield pytest.param(
                output, dtype, kind, marks=[] if j == 3 * (i % 2) else pytest.mark.slow, id=f"{output}-{dtype}-{kind}"
            )


@pytest.mark.parametrize(("output", "dtype", "kind"), list(every_kernel()))
def test_fused_and_plain_agree(output, dtype, kind):
    """Every neuron with a sample of its own."""
    w, b, x = starts(300, dtype)
    rough = any(name in str(output) for name in ROUGH)
    y = targets(output, w.astype(float), kind).astype(dtype)
    assert_twins(*both(w, b, x, y, output), w, b, x=x, rough=rough)


@pytest.mark.parametrize("size", [0, 1, 7, 255, 1025])
def test_odd_sizes_one_sample_for_all(size):
    for output in map(xent.output, ("quadratic", "cross-entropy")):
        w, b, _ = starts(size, "float32")
        for y in (0.0, 1.0, 0.25):
            assert_twins(*both(w, b, 1.0, y, output, steps=50), w, b)


def odds_kernels():
    """Each output that is taught through its odds, with either length of polynomial; the rest of the grid is slow: it compiles."""
    costs = [
        "quadratic",
        "cross-entropy",
        "absolute",
        "poly(epsilon=-1)",
        "symmetric-cross-entropy",
        "smooth(quadratic, epsilon=0.1)",
    ]
    names = [*(f"{c}@sigmoid" for c in costs), *(f"{c}@tanh" for c in costs if "symmetric" not in c), "logistic@identity"]
    for i, (name, dtype, rate) in enumerate(product(names, ("float32", "float64"), (0.01, 0.1))):
        first = name in ("quadratic@sigmoid", "cross-entropy@tanh") and i % 4 in (0, 3)
        yield pytest.param(xent.output(name), dtype, rate, marks=[] if first else pytest.mark.slow, id=f"{name}-{dtype}-{rate}")


@pytest.mark.parametrize(("output", "dtype", "rate"), list(odds_kernels()))
def test_taught_through_their_odds(output, dtype, rate):
    """Where all neurons have one sample, for starts within ±79: each end as target, and one between where the odds serve it."""
    z = np.random.default_rng(3).uniform(-79, 79, size=700)
    z[:8] = 0.0, 79.0, -79.0, 1e-3, 2.0, -2.0, 40.0, -40.0
    unit = output.activation.name
    w = np.asarray(z / (4 if unit == "tanh" else 2), dtype)
    for y in (0.0 if unit == "sigmoid" else -1.0, 1.0, 0.5)[: 2 if unit == "identity" else 3]:
        degree, _ = cpu._growth(output, np.asarray(1.0), np.asarray(y), rate, w.dtype, y != 0.5)
        assert degree > 0 or rate == 0.1 or (unit == "tanh" and y == 0.5)
        assert_twins(*both(w, w, 1.0, y, output, rate=rate, steps=120), w, w, rate=rate, rough="absolute" in str(output))


def test_a_neuron_that_gets_no_correction_stays_exactly_where_it_is():
    w = np.asarray([20.0, -39.5, 17.25], np.float32)
    many = cpu.sweep(w, w, np.float32(1), np.float32(0), xent.output("quadratic@sigmoid"), 0.15, 1000, np.float32(0.1), np)
    np.testing.assert_array_equal(many[1], w)
    np.testing.assert_array_equal(many[2], w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [30.0, 1e5, 1e30])
def test_large_rates_and_excursions_to_infinity(dtype, rate):
    w, b, x = starts(200, dtype)
    for output in map(xent.output, ("cross-entropy@sigmoid", "quadratic@identity", "exponential@identity")):
        y = targets(output, w.astype(float), "hard").astype(dtype)
        fused, twin, *_ = both(w, b, x, y, output, rate=rate, steps=3)
        for ours, theirs in zip(fused, twin, strict=True):
            np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
            np.testing.assert_array_equal(np.isinf(ours), np.isinf(theirs))
        if str(output) == "exponential@identity":  # its formula forgets a nan in z; the neurons concerned must not look learned
            lost = ~(np.isfinite(twin[1]) & np.isfinite(twin[2]))
            assert lost.any()
            np.testing.assert_array_equal(fused[3][lost], twin[3][lost])


def test_strides_and_axes():
    w, b, x = (v.reshape(10, 6)[::2, ::-1] for v in starts(60, "float64"))
    many = xent.sweep(w, b, x, 0.0, steps=5)
    flat = xent.sweep(w.ravel(), b.ravel(), x.ravel(), np.zeros(30), steps=5)
    assert many.a.shape == w.shape
    np.testing.assert_array_equal(many.a.ravel(), flat.a)
    np.testing.assert_array_equal(many.steps_to_learn.ravel(), flat.steps_to_learn)


def test_steps_in_pieces_are_the_same_steps(monkeypatch):
    """Small steps along the odds, far starts and large steps by w and b, a rate for each neuron; a neuron that left the numbers."""
    w, b, _ = starts(600, "float32")
    w[300:] *= 100
    asked = [("cross-entropy@sigmoid", 0.0, 0.15), ("cross-entropy@sigmoid", 0.0, np.full_like(w, 0.2)), ("exponential", 1.0, 0.5)]
    whole, parts = [], []
    for found, longest in ((whole, cpu.LONGEST), (parts, 7 * cpu.BLOCK), (parts, 1)):
        monkeypatch.setattr(cpu, "LONGEST", longest)
        for output, y, rate in asked:
            many = xent.sweep(w, b, 1.0, y, output=output, rate=rate, steps=50)
            found.append([v.tobytes() for v in (many.a, many.w, many.b, many.steps_to_learn)])
    assert parts == whole * 2


def test_the_catalogue_is_fused_and_costs_of_the_users_own_are_not():
    class Mine(Quadratic):
        def slope(self, a, y):
            return 2 * (a - y)

    class Other(Sigmoid):
        pass

    assert all(map(cpu.knows, FUSED))
    assert not cpu.knows(xent.output(Mine(), "sigmoid"))
    assert not cpu.knows(xent.output(Quadratic(), Other()))
    assert not cpu.knows(xent.output("quadratic@softplus"))
    assert not cpu.knows(xent.output(Smooth(Mine()), "sigmoid"))


def test_from_many_threads_at_once():
    w, b, _ = starts(20_000, "float32")
    alone = xent.sweep(w, b, 1.0, 0.0, steps=20)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: xent.sweep(w, b, 1.0, 0.0, steps=20), range(24)))
    for many in together:
        np.testing.assert_array_equal(many.a, alone.a)
        np.testing.assert_array_equal(many.steps_to_learn, alone.steps_to_learn)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_in_a_forked_child():
    """In a process of its own: the tests' process has other libraries' threads."""
    code = """
import os, numpy as np, xent
w = np.linspace(-3, 3, 20_000)
before = xent.sweep(w, w, 1.0, 0.0, steps=5).a  # the threads are there now
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(xent.sweep(w, w, 1.0, 0.0, steps=5).a, before) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(xent.sweep(w, w, 1.0, 0.0, steps=5).a, before))
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["0", "True"]


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
