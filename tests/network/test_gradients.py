"""Backpropagation against PyTorch's autograd and optimisers; the fused loop against its plain twin; NumPy against torch."""

from __future__ import annotations

from itertools import cycle, product

import numpy as np
import pytest
import torch
from own_activations import Bent, Warm

import xent
from xent.activations import Sigmoid
from xent.costs import Cost
from xent.errors import InputError, UnknownNameError
from xent.network import Recipe, cpu, deltas, learner, plain, start
from xent.network.plain import State
from xent.network.recipe import OPTIMISERS, ends, targets

CATALOGUE = xent.catalogue()
HIDDEN = ("sigmoid", "tanh", "relu", "softplus")
SIZES, ROWS, BATCH, LANES = (5, 6, 4, 3), 30, 7, 2
RATES = np.asarray([0.01, 0.1])


def lanes(recipe, n=LANES, dtype=np.float64):
    """Different starts, rows and orders."""
    rng = np.random.default_rng(7)
    starts = [[0.4 * p for p in start(recipe, np.random.default_rng(s))] for s in range(n)]
    state = State.of([np.stack(p).astype(dtype) for p in zip(*starts, strict=True)])
    x, labels = rng.normal(size=(ROWS, recipe.sizes[0])).astype(dtype), rng.integers(0, recipe.sizes[-1], ROWS)
    return state, x, labels, rng.integers(0, ROWS, (n, 3, recipe.batch))


def taught_by_torch(output, recipe, state, x, labels, order, rates):
    """The same steps by autograd of the cost and torch's own optimisers, one lane after another."""
    units = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "softplus": torch.nn.functional.softplus}
    finished = []
    for lane, rate in enumerate(rates):
        parameters = [torch.tensor(p[lane], requires_grad=True) for p in state.parameters]
        groups = [{"params": parameters[::2], "weight_decay": recipe.l2}, {"params": parameters[1::2]}]
        kinds = {
            "sgd": torch.optim.SGD,
            "momentum": lambda g, lr: torch.optim.SGD(g, lr=lr, momentum=recipe.momentum),
            "adam": torch.optim.Adam,
        }
        optimiser = kinds[recipe.optimiser](groups, lr=float(rate))
        for rows in order[lane]:
            a = torch.tensor(x[rows])
            for i in range(0, len(parameters) - 2, 2):
                a = units[recipe.hidden](a @ parameters[i] + parameters[i + 1])
            z = a @ parameters[-2] + parameters[-1]
            y = torch.tensor(labels[rows])
            if not output.activation.vector:
                low, high = ends(output)
                y = torch.where(torch.nn.functional.one_hot(y, z.shape[-1]) == 1, high, low).to(z.dtype)
            cost = output.value(z, y).sum() / len(rows)
            optimiser.zero_grad()
            cost.backward()
            optimiser.step()
        finished.append([p.detach().numpy() for p in parameters])
    return [np.stack(p) for p in zip(*finished, strict=True)]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_every_output_learns_as_autograd_would_have_it(hidden, optimiser):
    recipe = Recipe(
        SIZES, hidden=hidden, optimiser=optimiser, l2=0.01, batch=BATCH, init="normal"
    )  # no bias is 0: |e| has a corner there
    for output in CATALOGUE:
        state, x, labels, order = lanes(recipe)
        ours = plain.learn(state, recipe, x, labels, order, [(output, slice(0, LANES))], RATES)
        theirs = taught_by_torch(output, recipe, state, x, labels, order, RATES)
        for mine, other in zip(ours.parameters, theirs, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9, err_msg=str(output))


def test_numpy_and_torch_arrays_learn_alike():
    for output, optimiser in zip(CATALOGUE, cycle(OPTIMISERS)):
        recipe = Recipe(SIZES, optimiser=optimiser, batch=BATCH)
        state, x, labels, order = lanes(recipe)
        teach = learner(recipe, torch.tensor(x), [(output, slice(0, LANES))])
        assert teach is plain.learn
        moved = State.of([torch.tensor(p) for p in state.parameters])
        there = teach(moved, recipe, *map(torch.tensor, (x, labels, order)), [(output, slice(0, LANES))], torch.tensor(RATES))
        here = plain.learn(state, recipe, x, labels, order, [(output, slice(0, LANES))], RATES)
        for a, b in zip(here.parameters, there.parameters, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-9, atol=1e-11, err_msg=str(output))


# ── the fused loop ──────────────────────────────────────────────────────────────────────────────────────────────────────────

KNOWN = [o for o in CATALOGUE if deltas.knows(o)]
HARD_Z = [0.0, -0.0, 1e-9, -1e-9, 0.5, 16.7, -16.7, 36.0, -36.0, 80.0, -80.0]


def test_the_whole_catalogue_is_fused():
    assert KNOWN == CATALOGUE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", KNOWN[::4], ids=str)
def test_fused_delta_is_delta(output, dtype):
    held_to_the_output(output, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", KNOWN, ids=str)
def test_every_fused_delta_is_delta(output, dtype):
    held_to_the_output(output, dtype)


def held_to_the_output(output, dtype):
    """δ at drawn and at hard logits, one class to several vectors of them: to a few units in the last place of its terms."""
    fused = deltas.send_back(type(output.cost), type(output.activation), dtype)
    rng = np.random.default_rng(1)
    numbers = [np.dtype(dtype).type(v) for v in deltas.numbers(output)]
    for classes, wide in ((2, 16), (10, 16), (33, 48)):
        z = rng.choice([*HARD_Z, *rng.normal(scale=4, size=20)], size=(64, classes)).astype(dtype)
        labels = rng.integers(0, classes, 64)
        work = np.full((64, wide), 7, dtype)
        work[:, :classes] = z
        fused(work.reshape(-1), 0, wide, labels, 64, classes, *numbers)
        expected = output.delta(z.astype(np.float64), targets(output, labels, z.astype(np.float64), np))
        eps = np.finfo(dtype).eps
        terms = np.abs(z) if output.activation.name == "identity" else output.predict(z.astype(np.float64))
        allowed = eps * (60 * np.abs(expected) + 8 * np.abs(terms)) + 60 * eps * 1e-3
        np.testing.assert_array_less(np.abs(work[:, :classes] - expected), allowed)
        assert (work[:, classes:] == 0).all()


PAIRS = [
    ("quadratic@sigmoid", "sigmoid", "sgd"),
    ("cross-entropy@softmax", "tanh", "adam"),
    ("quadratic@identity", "relu", "momentum"),
]


def twins_agree(output, recipe, dtype="float64"):
    state, x, labels, order = lanes(recipe, dtype=dtype)
    where = [(output, slice(0, LANES))]
    rates = (RATES if dtype == "float64" else RATES / 10).astype(dtype)  # rounding grows with every step
    ours = cpu.learn(state, recipe, x, labels, order, where, rates)
    other = plain.learn(state, recipe, x, labels, order, where, rates)
    assert ours.steps == other.steps
    tight = 1e-11 if dtype == "float64" else 2e-4
    for name in ("parameters", "first", "second"):
        for a, b in zip(getattr(ours, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=tight, atol=tight, err_msg=f"{output} {name}")


@pytest.mark.parametrize(("name", "hidden", "optimiser"), PAIRS)
def test_the_fused_loop_is_the_plain_one(name, hidden, optimiser):
    output = xent.output(name)
    for sizes, batch in ((SIZES, BATCH), ((1, 2), 1), ((64, 30, 10), 10), ((17, 40, 33, 2), 13)):
        twins_agree(output, Recipe(sizes, hidden=hidden, optimiser=optimiser, batch=batch, l2=0.02))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", KNOWN, ids=str)
def test_every_output_fused(output, dtype):
    twists = list(product(("sigmoid", "tanh", "relu"), OPTIMISERS))
    hidden, optimiser = twists[KNOWN.index(output) % len(twists)]
    twins_agree(output, Recipe(SIZES, hidden=hidden, optimiser="sgd" if dtype == "float32" else optimiser, batch=BATCH), dtype)


def test_a_lanes_bits_do_not_depend_on_its_company():
    """Alone, beside others, in threads, an epoch at once or in two parts."""
    recipe = Recipe((64, 30, 10), batch=10)
    output, other = xent.output("cross-entropy@softmax"), xent.output("quadratic@sigmoid")
    state, x, labels, order = lanes(recipe, 4, np.float32)
    rates = np.asarray([0.1, 0.3, 0.5, 1.0], np.float32)
    where = [(other, slice(0, 2)), (output, slice(2, 4))]
    together = cpu.learn(state, recipe, x, labels, order, where, rates)
    threads = cpu.learn(state, recipe, x, labels, order, where, rates, threads=True)
    halves = cpu.learn(
        cpu.learn(state, recipe, x, labels, order[:, :2], where, rates), recipe, x, labels, order[:, 2:], where, rates
    )
    one = State.of([p[3:] for p in state.parameters])
    alone = cpu.learn(one, recipe, x, labels, order[3:], [(output, slice(0, 1))], rates[3:])
    for p, q, r, s in zip(together.parameters, threads.parameters, halves.parameters, alone.parameters, strict=True):
        assert p.tobytes() == q.tobytes() == r.tobytes()
        assert p[3:].tobytes() == s.tobytes()


def test_an_epoch_in_pieces_is_the_same_epoch(monkeypatch):
    recipe = Recipe(SIZES, optimiser="adam", batch=BATCH)  # whose steps are counted
    state, x, labels, order = lanes(recipe)
    taught = []
    for longest in (cpu.LONGEST, 1):
        monkeypatch.setattr(cpu, "LONGEST", longest)
        taught.append(cpu.learn(state, recipe, x, labels, order, [(KNOWN[2], slice(0, LANES))], RATES))
    for whole, pieces in zip(*(one.parameters for one in taught), strict=True):
        assert whole.tobytes() == pieces.tobytes()


class Own(Cost):
    """A user's own quartic cost."""

    name, usual = "own", "sigmoid"

    def __call__(self, a, y):
        return (a - y) ** 4

    def slope(self, a, y):
        return 4 * (a - y) ** 3


def test_an_own_cost_is_left_to_the_plain_twin():
    output = xent.output(Own(), Sigmoid())
    recipe = Recipe(SIZES, batch=BATCH)
    state, x, labels, order = lanes(recipe)
    assert learner(recipe, x, [(output, slice(0, LANES))]) is plain.learn
    theirs = taught_by_torch(output, recipe, state, x, labels, order, RATES)
    ours = plain.learn(state, recipe, x, labels, order, [(output, slice(0, LANES))], RATES)
    for a, b in zip(ours.parameters, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("activation", [Warm(), Bent()])
@pytest.mark.parametrize("cost", ["quadratic", "cross-entropy"])
def test_an_own_activation_is_left_to_the_plain_twin(cost, activation):
    output = xent.output(cost, activation)
    recipe = Recipe(SIZES, batch=BATCH)
    state, x, labels, order = lanes(recipe)
    assert learner(recipe, x, [(output, slice(0, LANES))]) is plain.learn
    with np.errstate(all="ignore"):
        ours = plain.learn(state, recipe, x, labels, order, [(output, slice(0, LANES))], RATES)
    assert all(np.isfinite(p).all() for p in ours.parameters)


# ── recipes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("init", "deviation"), [("normal", 1.0), ("lecun", 0.1), ("xavier", (2 / 150) ** 0.5), ("he", 0.02**0.5), ("zero", 0.0)]
)
def test_starts_have_the_deviation_that_they_say(init, deviation):
    drawn = start(Recipe((100, 50, 3), init=init), np.random.default_rng(0))
    assert [p.shape for p in drawn] == [(100, 50), (1, 50), (50, 3), (1, 3)]
    assert drawn[0].std() == pytest.approx(deviation, rel=0.05)
    assert drawn[1].any() == (init == "normal")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sizes": (3,)}, "layers"),
        ({"sizes": (3, 0, 2)}, "at least one unit"),
        ({"hidden": "sigmod"}, "did you mean 'sigmoid'"),
        ({"hidden": "softmax"}, "one by one"),
        ({"init": "xavir"}, "did you mean 'xavier'"),
        ({"optimiser": "adm"}, "did you mean 'adam'"),
        ({"momentum": 1.0}, "momentum"),
        ({"l2": -1.0}, "l2"),
        ({"batch": 0}, "batch"),
    ],
)
def test_wrong_recipes(change, says):
    with pytest.raises((InputError, UnknownNameError), match=says):
        Recipe(**({"sizes": (3, 2)} | change))
