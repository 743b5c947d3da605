"""Cross-entropy on logits against its definition in mpmath, against PyTorch's, and against its own derivatives."""

from __future__ import annotations

from itertools import product

import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from libraries import LIBRARIES
from ops.exact import row
from oracle import ulps

import xent
from xent.costs import Focal, GeneralizedLq, Poly, SurprisalCost
from xent.ops.options import STATISTICS

CHOICES = {
    "soft": [False, True],
    "weight": [False, True],
    "smoothing": [0.0, 0.2],
    "z_loss": [0.0, 0.05],
    "softcap": [None, 4.0],
    "temperature": [1.0, 0.7],
    "shape": [None, Focal(gamma=1.5), Poly(epsilon=2.0), GeneralizedLq(q=0.6)],
    "classes": [None, 4],
}


def pairs(how):
    """Every pair of values of two options that a combination has."""
    return {(a, str(how[a]), b, str(how[b])) for k, a in enumerate(how) for b in list(how)[k + 1 :]}


def pairwise(choices):
    """Combinations in which every pair of values of every two options occurs, found greedily."""
    everything = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    sets = [pairs(how) for how in everything]
    missing, found = set.union(*sets), []
    while missing:
        best = max(range(len(sets)), key=lambda i, left=missing: len(sets[i] & left))
        found.append(everything[best])
        missing = missing - sets[best]
    return found


COMBINATIONS = pairwise(CHOICES)


def batch(how, seed=0, n=4, k=6, dtype="float64"):
    """Logits, targets and keywords for one combination; a row is ignored where targets are indices, one has a masked class."""
    rng = np.random.default_rng(seed)
    z, w = rng.normal(scale=3, size=(n, k)).astype(dtype), rng.uniform(0.2, 2, k).astype(dtype)
    z[1, 2] = -np.inf
    classes = how["classes"] or k
    if how["soft"]:
        y = rng.random((n, k)).astype(dtype)
        y[1, 2] = 0
        y[:, classes:] = 0
        y /= y.sum(axis=1, keepdims=True)
    else:
        y = rng.integers(0, classes, n)
        y[1], y[2] = 3, -100
    keywords = {
        "label_smoothing": how["smoothing"], "z_loss": how["z_loss"], "softcap": how["softcap"],
        "temperature": how["temperature"], "shape": how["shape"], "valid_classes": how["classes"],
    }  # fmt: skip
    return z, y, w if how["weight"] else None, keywords


def truth(z, y, w, how):
    """Costs and gradients of the rows, and the gradients' scales, from the oracle."""
    options = {name: how[name] for name in ("smoothing", "z_loss", "softcap", "temperature", "shape", "classes")}
    costs, grads, scales = np.zeros(len(z)), np.zeros(z.shape), np.zeros(z.shape)
    for i in range(len(z)):
        if y.ndim == 1 and y[i] == -100:
            continue
        cost, grad, scale, _ = row(z[i], int(y[i]) if y.ndim == 1 else y[i], weight=w, digits=60, **options)
        costs[i], grads[i], scales[i] = float(cost), [float(g) for g in grad], [float(s) for s in scale]
    return costs, grads, scales


@pytest.mark.parametrize("how", COMBINATIONS, ids=lambda how: "-".join(f"{v}" for v in how.values()))
def test_every_pair_of_options(how, lib):
    z, y, w, keywords = batch(how)
    costs, grads, scales = truth(z, y, w, how)
    weight = None if w is None else lib.make(w)
    kept = np.ones(len(z)) if how["soft"] else (y != -100)
    whole = {"none": 1.0, "sum": 1.0, "mean": kept.sum() if w is None or how["soft"] else w[y[y >= 0]].sum()}
    if lib.name == "jax":  # which compiles each anew: "none", and the others in turn
        whole.pop(("sum", "mean")[COMBINATIONS.index(how) % 2])
    for reduction, by in whole.items():
        cost, grad = xent.cross_entropy_and_grad(lib.make(z), lib.make(y), weight=weight, reduction=reduction, **keywords)
        np.testing.assert_allclose(lib.back(cost), costs if reduction == "none" else costs.sum() / by, rtol=4e-15)
        if lib.name != "jax" or reduction != "none":
            alone = xent.cross_entropy(lib.make(z), lib.make(y), weight=weight, reduction=reduction, **keywords)
            np.testing.assert_allclose(lib.back(alone), lib.back(cost), rtol=1e-15)
        assert np.all(np.abs(lib.back(grad) - grads / by) <= 4e-15 * scales / by)


@pytest.mark.parametrize("how", COMBINATIONS[::3], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_narrow_dtypes(how, dtype):
    z, y, w, keywords = batch(how, dtype="float32")
    z = torch.tensor(z).to(getattr(torch, dtype))
    costs, grads, _ = truth(z.double().numpy(), y, w, how)
    weight = None if w is None else torch.tensor(w)
    cost, grad = xent.cross_entropy_and_grad(z, torch.tensor(y), weight=weight, reduction="none", **keywords)
    assert cost.dtype == torch.float32
    assert grad.dtype == z.dtype
    np.testing.assert_allclose(cost.numpy(), costs, rtol=3e-6)
    close = {"float32": 3e-6, "float16": 1e-3, "bfloat16": 4e-3}[dtype]
    np.testing.assert_allclose(grad.float().numpy(), grads, rtol=close, atol=close * 1e-2)


SIZES = [0.0, 1e-30, -1e-30, 16.7, -16.7, 300.0, -300.0, 700.0, -700.0, 36.0, -36.0]
logit_rows = st.lists(st.one_of(st.sampled_from(SIZES), st.floats(-700, 700)), min_size=1, max_size=8)


@pytest.mark.parametrize("name", ["numpy", "torch"])
@settings(max_examples=40, deadline=None)
@given(z=logit_rows, draw=st.integers(0, 7))
def test_hard_targets_to_the_last_digits(name, z, draw):
    """float64, within 8 ulp of the exact cost and of each exact derivative, through the plain and the fused path."""
    lib, y = LIBRARIES[name], draw % len(z)
    cost, grad = xent.cross_entropy_and_grad(lib.make(np.asarray([z])), lib.make(np.asarray([y])))
    exact, slopes, _, _ = row(z, y)
    assert ulps(float(cost), exact) <= 8
    assert max(ulps(float(g), s) for g, s in zip(lib.back(grad)[0], slopes, strict=True)) <= 8


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("k", [2, 10, 200])
def test_float32_at_confident_answers(name, k):
    """Margins to 80 and a common offset of 1e6: relative 5e-6 where log-sum-exp minus the logit has nothing left."""
    lib = LIBRARIES[name]
    for margin, offset in product((0.0, 1.0, 16.0, 20.0, 50.0, 80.0), (0.0, 1e6, -1e6)):
        z = np.zeros((2, k), np.float32)
        z[0, 1], z[1, 0] = margin, -margin
        z += np.float32(offset)
        y = np.asarray([1, 0])
        cost, grad = xent.cross_entropy_and_grad(lib.make(z), lib.make(y), reduction="none")
        for i in range(2):
            exact, slopes, _, _ = row(z[i], int(y[i]), digits=60)
            assert abs(float(cost[i]) / float(exact) - 1) <= 5e-6
            np.testing.assert_allclose(lib.back(grad)[i], [float(s) for s in slopes], rtol=5e-6)


@pytest.mark.parametrize(("weighted", "smoothing", "soft"), list(product([False, True], [0.0, 0.3], [False, True])))
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_as_pytorchs(weighted, smoothing, soft, reduction, lib):
    z, y, w, _ = batch(
        {
            "soft": soft,
            "weight": weighted,
            "smoothing": 0,
            "z_loss": 0,
            "softcap": None,
            "temperature": 1,
            "shape": None,
            "classes": None,
        }
    )
    z[1, 2] = 0.5
    leaf, upstream = torch.tensor(z, requires_grad=True), np.random.default_rng(1).random(len(z))
    weight = None if w is None else torch.tensor(w)
    theirs = torch.nn.functional.cross_entropy(leaf, torch.tensor(y), weight=weight, reduction=reduction, label_smoothing=smoothing)
    theirs.backward(torch.tensor(upstream) if reduction == "none" else None)
    weight = None if w is None else lib.make(w)
    cost, grad = xent.cross_entropy_and_grad(
        lib.make(z), lib.make(y), weight=weight, reduction=reduction, label_smoothing=smoothing
    )
    np.testing.assert_allclose(lib.back(cost), theirs.detach().numpy(), rtol=1e-12)
    grad = lib.back(grad) * (upstream[:, None] if reduction == "none" else 1)
    np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-11, atol=1e-15)


def test_layouts_as_pytorchs(lib):
    rng = np.random.default_rng(0)
    for shape in ((3, 5), (3, 5, 4), (2, 5, 3, 2)):
        z, y = rng.normal(size=shape), rng.integers(0, 5, (shape[0], *shape[2:]))
        leaf = torch.tensor(z, requires_grad=True)
        theirs = torch.nn.functional.cross_entropy(leaf, torch.tensor(y))
        theirs.backward()
        cost, grad = xent.cross_entropy_and_grad(lib.make(z), lib.make(y), axis=1)
        np.testing.assert_allclose(lib.back(cost), theirs.item(), rtol=1e-13)
        np.testing.assert_allclose(lib.back(grad), leaf.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("soft", [False, True])
def test_statistics(soft, lib):
    how = {
        "soft": soft,
        "weight": True,
        "smoothing": 0.2,
        "z_loss": 0.1,
        "softcap": 6.0,
        "temperature": 1.3,
        "shape": None,
        "classes": 5,
    }
    z, y, w, keywords = batch(how, n=6)
    _, stats = xent.cross_entropy(lib.make(z), lib.make(y), weight=lib.make(w), stats=STATISTICS, **keywords)
    stats = {name: lib.back(v) for name, v in stats.items()}
    assert set(stats) == set(STATISTICS)  # in whatever order: JAX sorts what it returns
    capped = np.where(np.isinf(z), -np.inf, 6 * np.tanh(z / 6))[:, :5]
    for i in range(6):
        if not soft and y[i] == -100:
            assert stats["rank"][i] == -1
            assert not stats["correct"][i]
            assert all(np.isnan(stats[name][i]) for name in ("lse", "log_prob", "entropy", "margin", "gain", "error"))
            continue
        target = int(y[i]) if not soft else int(np.argmax(y[i]))
        options = {name: how[name] for name in ("smoothing", "softcap", "temperature", "classes")}
        exact = row(z[i], target if not soft else y[i], digits=60, **options)[3]
        for name, value in exact.items():
            assert stats[name][i] == pytest.approx(float(value), rel=1e-13)
        others = np.delete(capped[i], target)
        assert stats["margin"][i] == pytest.approx((capped[i, target] - others.max()) / 1.3, rel=1e-13)
        assert stats["rank"][i] == (others > capped[i, target]).sum()
        assert stats["correct"][i] == (np.argmax(capped[i]) == target)
        assert stats["gain"][i] == pytest.approx(1)


def test_gain_of_a_shape_is_its_slope(lib):
    """‖δ‖/‖p − y‖ = φ′(ℓ) for a class index: the gain of the output of the same name."""
    z, y = np.random.default_rng(0).normal(scale=3, size=(5, 7)), np.arange(5)
    for name in ("focal(gamma=2)", "poly(epsilon=1)", "lq(q=0.7)"):
        _, stats = xent.cross_entropy(lib.make(z), lib.make(y), shape=name, stats="gain")
        np.testing.assert_allclose(lib.back(stats["gain"]), xent.output(f"{name}@softmax").gain(z, y), rtol=1e-13)


def test_ties_are_ranked_by_index(lib):
    z = np.asarray([[1.0, 2.0, 2.0, 2.0]] * 4)
    _, stats = xent.cross_entropy(lib.make(z), lib.make(np.arange(4)), stats=("rank", "correct"))
    np.testing.assert_array_equal(lib.back(stats["rank"]), [3, 0, 1, 2])
    np.testing.assert_array_equal(lib.back(stats["correct"]), [False, True, False, False])


def test_micro_batches_with_a_denominator_are_the_full_batch(lib):
    rng = np.random.default_rng(0)
    z, y, w = rng.normal(size=(12, 5)), rng.integers(0, 5, 12), rng.random(5)
    y[[1, 4, 5, 6, 7]] = -100
    cost, grad = xent.cross_entropy_and_grad(lib.make(z), lib.make(y), weight=lib.make(w))
    by = w[y[y >= 0]].sum()
    parts = [
        xent.cross_entropy_and_grad(lib.make(z[i : i + 4]), lib.make(y[i : i + 4]), weight=lib.make(w), denominator=by)
        for i in (0, 4, 8)  # the second has no row that counts
    ]
    assert sum(float(c) for c, _ in parts) == pytest.approx(float(cost), rel=1e-14)
    np.testing.assert_allclose(np.concatenate([lib.back(g) for _, g in parts]), lib.back(grad), rtol=1e-14)


@pytest.mark.parametrize("shape", [(0, 4), (3, 4)])
def test_a_mean_of_nothing(shape, lib):
    z, y = lib.make(np.ones(shape)), lib.make(np.full(shape[0], -100))
    assert np.isnan(float(xent.cross_entropy(z, y)))
    cost, grad = xent.cross_entropy_and_grad(z, y, on_empty="zero")
    assert float(cost) == 0
    assert not np.any(lib.back(grad))
    assert not np.any(lib.back(xent.cross_entropy_and_grad(z, y)[1]))
    assert float(xent.cross_entropy(z, y, denominator=3.0)) == 0
    with pytest.raises(xent.XentError, match="on_empty"):
        xent.cross_entropy(z, y, on_empty="raise")


def test_masked_classes_and_broken_rows(lib):
    inf, nan = np.inf, np.nan
    z = np.asarray([[1.0, -inf, 2.0], [1.0, -inf, 2.0], [nan, 0.0, 1.0], [-inf] * 3, [inf, 0.0, 0.0], [nan, inf, -inf]])
    y = np.asarray([0, 1, 1, 0, 1, -100])
    cost, grad = (lib.back(v) for v in xent.cross_entropy_and_grad(lib.make(z), lib.make(y), reduction="none"))
    alone = np.log1p(np.exp(1.0))
    np.testing.assert_allclose(cost, [alone, inf, nan, nan, nan, 0])
    p = 1 / (1 + np.exp(1.0))
    np.testing.assert_allclose(grad[:2], [[p - 1, 0, 1 - p], [p, -1, 1 - p]])
    assert np.isnan(grad[2:5]).all()
    np.testing.assert_array_equal(grad[5], 0)
    assert np.isnan(float(xent.cross_entropy(lib.make(z), lib.make(y))))


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("soft", [False, True])
def test_broken_rows_have_no_statistics(soft, k, lib):
    """Whichever class it is that breaks them, the target's too."""
    z = np.zeros((6, k))
    z[[0, 1, 2], [0, -1, -1]] = np.nan, np.nan, np.inf
    z[3] = -np.inf
    y = np.eye(k)[np.zeros(6, int)] if soft else np.zeros(6, int)
    stats = xent.cross_entropy(lib.make(z), lib.make(y), stats=STATISTICS)[1]
    for name, value in stats.items():
        broken, whole = np.split(lib.back(value), [4])
        assert {"rank": broken == -1, "correct": ~broken.astype(bool)}.get(name, np.isnan(broken)).all(), name
        assert not np.isnan(whole).any(), name


def test_valid_classes_are_as_if_the_rest_were_masked(lib):
    z, y = np.random.default_rng(0).normal(size=(3, 6)), np.arange(3)
    masked = np.where(np.arange(6) < 4, z, -np.inf)
    for how in ({}, {"label_smoothing": 0.1}, {"softcap": 2.0, "z_loss": 0.1}):
        padded = xent.cross_entropy_and_grad(lib.make(z), lib.make(y), valid_classes=4, **how)
        other = xent.cross_entropy_and_grad(lib.make(masked), lib.make(y), **how)
        for ours, theirs in zip(padded, other, strict=True):
            np.testing.assert_allclose(lib.back(ours), lib.back(theirs), rtol=1e-14)


class Cubic(SurprisalCost):
    """φ = ℓ³/3, a user's own."""

    name = "cubic"

    def phi(self, p, xp):
        return p.ell**3 / 3

    def phi_slope(self, p, xp):
        return p.ell**2

    def phi_curvature(self, p, xp):
        return 2 * p.ell


def test_a_shape_of_the_users_own(lib):
    z, y = np.random.default_rng(0).normal(size=(3, 6)), np.arange(3)
    cost, grad = xent.cross_entropy_and_grad(lib.make(z), lib.make(y), shape=Cubic(), reduction="none")
    ell = xent.cross_entropy(z, y, reduction="none")
    np.testing.assert_allclose(lib.back(cost), ell**3 / 3, rtol=1e-14)
    np.testing.assert_allclose(
        lib.back(grad), xent.cross_entropy_and_grad(z, y, reduction="none")[1] * ell[:, None] ** 2, rtol=1e-13
    )


class Steep(Cubic):
    """φ = e^ℓ = 1/p, which is ∞ where p is small."""

    def phi(self, p, xp):
        return xp.exp(p.ell)

    def phi_slope(self, p, xp):
        return xp.exp(p.ell)


@pytest.mark.parametrize("softly", [False, True])
def test_a_shape_that_is_infinite_where_no_target_is(softly, lib):
    """What has no share costs nothing, though φ be ∞ there; nor has what weighs nothing."""
    z, y, w = np.asarray([[0.0, 1.0, -800.0], [0.0, 1.0, 2.0]]), np.asarray([0, 2]), np.asarray([1.0, 1.0, 0.0])
    target = lib.make(np.eye(3)[y] if softly else y)
    cost, grad = xent.cross_entropy_and_grad(lib.make(z), target, shape=Steep(), reduction="none", weight=lib.make(w))
    np.testing.assert_allclose(lib.back(cost), [1 + np.e, 0], rtol=1e-14)
    np.testing.assert_allclose(lib.back(grad), [[-np.e, np.e, 0], [0, 0, 0]], rtol=1e-14)
    if lib.name == "torch":
        logits = torch.asarray(z).requires_grad_()
        xent.torch.cross_entropy(logits, target, shape=Steep(), reduction="none", weight=lib.make(w)).sum().backward()
        torch.testing.assert_close(logits.grad, grad)


# ── differentiated, mapped and compiled by their libraries ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", COMBINATIONS[::2], ids=str)
def test_the_gradient_is_what_pytorch_makes_of_the_formula(how):
    z, y, w, keywords = batch(how)
    leaf, weight = torch.tensor(z, requires_grad=True), None if w is None else torch.tensor(w)
    xent.cross_entropy(leaf, torch.tensor(y), weight=weight, **keywords).backward()
    _, grad = xent.cross_entropy_and_grad(torch.tensor(z), torch.tensor(y), weight=weight, **keywords)
    np.testing.assert_allclose(grad.numpy(), leaf.grad.numpy(), rtol=1e-10, atol=1e-15)


def test_twice_differentiated_and_mapped_by_pytorch():
    z = torch.tensor(np.random.default_rng(0).normal(size=(3, 4)), requires_grad=True)
    y = torch.tensor([0, -100, 3])

    def f(z):
        return xent.cross_entropy(z, y, shape=Focal(gamma=2.0), softcap=3.0, z_loss=0.1, label_smoothing=0.1)

    assert torch.autograd.gradgradcheck(f, (z,))
    rows = torch.func.vmap(lambda z, y: xent.cross_entropy(z[None], y[None], reduction="sum"))(z, y)
    np.testing.assert_allclose(rows.detach(), xent.cross_entropy(z.detach(), y, reduction="none"), rtol=1e-14)


def test_under_jax_jit():
    z, y = np.random.default_rng(0).normal(size=(3, 4)), np.asarray([0, -100, 3])
    both = jax.jit(lambda z, y: xent.cross_entropy_and_grad(z, y, softcap=3.0, temperature=0.7, label_smoothing=0.1))
    cost, grad = xent.cross_entropy_and_grad(z, y, softcap=3.0, temperature=0.7, label_smoothing=0.1)
    np.testing.assert_allclose(both(z, y)[0], cost, rtol=1e-13)
    np.testing.assert_allclose(both(z, y)[1], grad, rtol=1e-12)
    assert np.isnan(both(z, y + 9)[0])  # no value can be looked at: a wrong target costs nan
