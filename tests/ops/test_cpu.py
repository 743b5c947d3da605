"""The fused loops and their plain twin agree: on drawn, extreme and odd-shaped input, from many threads and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
import torch
from ops.test_plain import COMBINATIONS, batch, row
from oracle import ulps

import xent
import xent.costs
import xent.errors
from xent.memory import address
from xent.ops import cpu, pages, plain
from xent.ops.inputs import read
from xent.ops.options import STATISTICS, Options

DIGITS = {"float64": 2e-14, "float32": 5e-6, "float16": 5e-6, "bfloat16": 5e-6}
ROUNDED = {"float64": 2e-14, "float32": 5e-6, "float16": 1e-3, "bfloat16": 8e-3}
DTYPES = {name: getattr(ml_dtypes, name, None) or np.dtype(name) for name in DIGITS}


def assert_twins(z, y, **keywords):
    """Costs, gradients and statistics of both paths; what is rounded to 16 bits may differ in the last of them."""
    problem = read(z, y, Options.of({"reduction": "none", **keywords}))
    assert cpu.knows(problem.options, problem.hard)
    fused, twin = cpu.cross_entropy_and_grad(problem), plain.cross_entropy_and_grad(problem)
    digits, rounded = DIGITS[z.dtype.name], ROUNDED[z.dtype.name]
    assert fused[0].dtype == twin[0].dtype
    assert fused[1].dtype == z.dtype
    np.testing.assert_allclose(fused[0], twin[0], rtol=digits, atol=digits * 1e-3)
    size = np.nanmax(np.abs(twin[1].astype(float)), initial=0, axis=-1, keepdims=True) * np.ones(z.shape)
    ours, theirs = fused[1].astype(float), twin[1].astype(float)
    least = 6e-8 if z.dtype == np.float16 else 1e-37  # the step of subnormal numbers
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.all((np.abs(ours - theirs) <= rounded * np.abs(theirs) + digits * size + least) | np.isnan(theirs))
    for name, value in twin[2].items():
        loose = 1e2 if name in ("error", "gain") else 10
        np.testing.assert_allclose(fused[2][name], value, rtol=loose * digits, atol=loose * digits, err_msg=name)
    np.testing.assert_array_equal(cpu.cross_entropy(problem)[0], fused[0])


KNOWN = [how for how in COMBINATIONS if how["shape"] is None or not (how["soft"] or how["smoothing"])]


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("k", [6, 70, 2500])
def test_every_option(k, dtype):
    """Few classes, one block, several blocks."""
    for seed, how in enumerate(KNOWN):
        how = how | {"classes": how["classes"] and k - 2}
        z, y, w, keywords = batch(how, seed, n=5, k=k, dtype="float32" if "16" in dtype else dtype)
        assert_twins(z.astype(DTYPES[dtype]), y, weight=w, stats=STATISTICS, **keywords)
        assert_twins(z.astype(DTYPES[dtype]), y, weight=w, **keywords)


HARD = [0.0, 1e-30, -1e-30, 16.7, -16.7, 700.0, -700.0, 1e4, -1e4, -np.inf, np.nan]


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("k", [1, 2, 3, 56, 57, 64, 65, 112, 113, 1024, 1025])
def test_hard_numbers_and_odd_sizes(k, dtype):
    rng = np.random.default_rng(k)
    for n in (0, 1, 7, 65):
        z = rng.normal(scale=5, size=(n, k))
        extreme = rng.random((n, k)) < min(0.3, 4 / k)
        z[extreme] = rng.choice(HARD, extreme.sum())
        y = rng.integers(0, k, n)
        y[::5] = -100
        with np.errstate(over="ignore"):
            assert_twins(z.astype(DTYPES[dtype]), y)
            assert_twins(z.astype(DTYPES[dtype]), y, z_loss=0.01, label_smoothing=0.1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("by", [1.0, 1e-25])
def test_few_classes_of_which_the_target_is_anywhere(dtype, by):
    """Far below the greatest, as far as exponentials of differences go, and beyond: each row as exact as alone."""
    ends = (0, 1, 17, 30.9, 31.1, 86, 200) if dtype == "float32" else (0, 1, 36, 300, 659, 661, 1400)
    z = np.random.default_rng(0).normal(scale=3, size=(70, 7)).astype(dtype)
    z[[3, 8, 20, 33, 40, 65, 69], 2] = z.max() + np.asarray(ends, dtype)
    y = np.arange(70) % 7
    digits = 2.5e-6 if dtype == "float32" else 1e-15
    cost, grad = (
        xent.cross_entropy_and_grad(z, y, reduction="sum") if by == 1 else xent.cross_entropy_and_grad(z, y, denominator=1 / by)
    )
    exact = [row(one, int(c), digits=700) for one, c in zip(z, y, strict=True)]
    assert float(abs(cost / by / sum(value for value, *_ in exact) - 1)) <= digits
    for found, (_, slopes, *_) in zip(grad, exact, strict=True):
        for g, slope in zip(found, slopes, strict=True):
            assert abs(float(g) - slope * by) <= digits * abs(slope * by) + float(np.finfo(dtype).smallest_subnormal)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_classes_one_of_which_is_no_number_or_infinite(dtype):
    """Every place of it, the target's and others: nan costs nan, +∞ too, −∞ is a mask."""
    for odd in (np.nan, np.inf, -np.inf):
        z = np.random.default_rng(0).normal(size=(64, 8)).astype(dtype)
        z[np.arange(64), np.arange(64) % 8] = odd
        y = np.arange(64) // 8
        with np.errstate(invalid="ignore"):
            assert_twins(z, y)
            cost = xent.cross_entropy(z, y, reduction="none")
        if odd > -np.inf or np.isnan(odd):
            assert np.isnan(cost).all()
        else:
            assert (np.isinf(cost) == (y == np.arange(64) % 8)).all()


def test_a_large_vocabulary():
    z = np.random.default_rng(0).normal(scale=4, size=(3, 128_256)).astype(np.float32)
    assert_twins(z, np.asarray([5, 128_255, -100]), stats=STATISTICS)
    z[0, 5] = 90  # sure
    assert_twins(z, np.asarray([5, 128_255, 0]), label_smoothing=0.1)


@pytest.mark.parametrize("k", [5, 90])
def test_any_strides(k):
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(40, 3 * k)).astype(np.float32)
    y = rng.integers(0, k, 20)
    for z in (whole[::2, :k], whole[::-2, :k], whole[:20, ::3], np.asfortranarray(whole[:20, :k]), whole[:20, k - 1 :: -1],
              np.broadcast_to(whole[:1, :k], (20, k))):  # fmt: skip
        before = z.copy()
        assert_twins(z, y)
        np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("k", [5, 90])
def test_every_axis_is_as_exact(k):
    """Not the same to the last bit: each layout has machine code of its own, which adds a row's exponentials in its own order."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(2, k, 3, 4)), rng.integers(0, k, (2, 3, 4))
    last = np.ascontiguousarray(np.moveaxis(z, 1, -1))
    exact = [row(one, int(c), digits=60)[:2] for one, c in zip(last.reshape(-1, k), y.flat, strict=True)]
    for given, axis in ((z, 1), (last, -1)):
        cost, grad = xent.cross_entropy_and_grad(given, y, axis=axis, reduction="none")
        for c, found, (value, slopes) in zip(cost.flat, np.moveaxis(grad, axis, -1).reshape(-1, k), exact, strict=True):
            assert ulps(float(c), value) <= 8
            assert max(ulps(float(g), slope) for g, slope in zip(found, slopes, strict=True)) <= 8


@pytest.mark.parametrize("k", [10, 1000])
@pytest.mark.parametrize("dtype", DIGITS)
def test_over_the_logits_with_a_scale_for_each_row(k, dtype):
    """What linear cross-entropy does with a chunk of rows: 16-bit logits as uint16."""
    rng = np.random.default_rng(0)
    z, y, scale = rng.normal(size=(9, k)).astype(DTYPES[dtype]), rng.integers(0, k, 9), rng.random(9)
    _, grad = xent.cross_entropy_and_grad(z.astype(np.float32), y, reduction="none", softcap=3.0)
    cost, view = np.empty(9, np.float64 if dtype == "float64" else np.float32), z.view(np.uint16) if "16" in dtype else z
    assert cpu.fused(view, y, Options(softcap=3.0), cost=cost, grad=view, scale=scale, storage=dtype)
    np.testing.assert_allclose(z.astype(float), grad * scale[:, None], rtol=10 * ROUNDED[dtype] + 1e-5, atol=1e-6)


def outweighed(rng, k, dtype):
    """A class that is nearly sure, and a target that is another one, of little or no weight: what is left is small."""
    z, w = rng.normal(scale=2, size=k), rng.uniform(0.1, 2, k)
    top, target = rng.choice(k, 2, replace=False)
    z[top] = z.max() + rng.uniform(3, 50)
    z -= z[top] * rng.integers(0, 2)  # then log Σ e^z is next to 0 as well
    w[rng.random(k) < rng.random()] = rng.choice([0, 1e-12])
    w[top], w[target] = 1, rng.choice([0, 1e-20, 1e-6])
    y = int(target) if rng.random() < 0.6 else np.eye(k)[target].astype(dtype)
    keywords = {"label_smoothing": float(rng.choice([0, 0.1, 0.5, 1])), "z_loss": float(rng.choice([0, 0, 1e-3]))}
    return z.astype(dtype), y, w.astype(dtype), keywords


def by_the_kernel(z, y, **keywords):
    problem = read(z[None], np.asarray([y]), Options(**keywords))
    cost, grad, _ = cpu.cross_entropy_and_grad(problem)
    assert cpu.cross_entropy(problem)[0] == cost
    return cost, grad[0]


def by_a_layer(z, y, weight, **keywords):
    """The logits are a product, z·1."""
    layer = np.ones((1, 1), z.dtype), z[:, None], np.asarray([y])
    cost, (_, grad, _) = xent.linear_cross_entropy_and_grad(*layer, weight=weight, **keywords)
    return cost, grad[:, 0]


def by_pytorch(z, y, weight, **keywords):
    leaf = torch.tensor(z[None], requires_grad=True)
    cost = xent.torch.cross_entropy(leaf, torch.tensor(np.asarray([y])), weight=torch.tensor(weight), **keywords)
    cost.backward()
    return cost.item(), leaf.grad[0].numpy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_another_class_has_the_cost_to_itself(dtype):
    """Smoothing and weights may leave the target nothing: to the last digits of the terms all the same, few classes and many."""
    rng, off = np.random.default_rng(0), []
    for k, draws in ((2, 25), (3, 25), (9, 25), (70, 8), (2100, 2)):
        for i in range(draws):
            z, y, w, keywords = outweighed(rng, k, dtype)
            smoothing, z_loss = keywords["label_smoothing"], keywords["z_loss"]
            exact, slopes, sizes, _ = row(z, y, weight=w, smoothing=smoothing, z_loss=z_loss, digits=120)
            for way in (by_the_kernel, by_pytorch, by_a_layer)[: 3 if i < 6 else 1]:
                cost, grad = way(z, y, weight=w, reduction="sum", **keywords)
                off.append(abs(float(cost) - exact) / exact if exact else abs(cost))
                off += [abs(float(g) - s) / size for g, s, size in zip(grad, slopes, sizes, strict=True) if size > 1e-30]
    assert max(off) <= 100 * np.finfo(dtype).eps


@pytest.mark.parametrize("past", [True, False])
def test_a_gradient_too_large_for_the_caches(past, monkeypatch):
    monkeypatch.setattr(pages, "STREAMED", past)
    monkeypatch.setattr(pages, "FAR", 0)
    z = np.random.default_rng(0).normal(size=(130, 33_333)).astype(np.float32)
    y = np.arange(130)
    grad = xent.cross_entropy_and_grad(z, y, reduction="none")[1]
    assert grad.nbytes > pages.CACHED
    few = [0, 64, 129]
    right = xent.cross_entropy_and_grad(z[few], y[few], reduction="none")[1]
    np.testing.assert_allclose(grad[few], right, rtol=1e-6)
    del grad  # its memory comes again, and is then no fresh page
    grad = xent.cross_entropy_and_grad(z, y, reduction="none")[1]
    assert pages.written(address(grad))
    np.testing.assert_allclose(grad[few], right, rtol=1e-6)


def test_wrong_targets_are_found_in_the_loops():
    for k in (10, 1000):
        z, y = np.zeros((4, k)), np.asarray([0, 1, k, 2])
        with pytest.raises(xent.errors.TargetError, match=f"place 2 is {k}"):
            xent.cross_entropy(z, y)
        soft = np.full((4, k), 1 / k)
        soft[3] *= 2
        with pytest.raises(xent.errors.TargetError, match="sum at place 3 is 2"):
            xent.cross_entropy(z, soft)


def test_one_row_alone_costs_one_number():
    for options in ({}, {"weight": np.ones(3)}, {"axis": 0}, {"z_loss": 0.1}):
        cost, grad = xent.cross_entropy_and_grad(np.arange(3.0), np.asarray(1), reduction="none", **options)
        assert (np.shape(cost), grad.shape) == ((), (3,))
        assert np.shape(xent.cross_entropy(np.arange(3.0), np.asarray(1), reduction="none", **options)) == ()


def test_from_many_threads_at_once():
    rng = np.random.default_rng(0)
    for shape in ((4000, 10), (300, 3000)):
        z, y = rng.normal(size=shape).astype(np.float32), rng.integers(0, shape[1], shape[0])
        alone = xent.cross_entropy_and_grad(z, y)
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda _, z=z, y=y: xent.cross_entropy_and_grad(z, y), range(16)))
        for cost, grad in together:
            assert cost == alone[0]
            np.testing.assert_array_equal(grad, alone[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_in_a_forked_child():
    code = """
import os, numpy as np, xent
z, y = np.random.default_rng(0).normal(size=(2000, 300)), np.arange(2000) % 300
before = xent.cross_entropy(z, y)  # the threads are there now
child = os.fork()
if child == 0:
    os._exit(0 if xent.cross_entropy(z, y) == before else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), xent.cross_entropy(z, y) == before)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["0", "True"]


def test_what_is_not_fused_is_left_to_the_twin():
    class Mine(type(COMBINATIONS[0]["shape"]) if COMBINATIONS[0]["shape"] else xent.costs.Focal):
        pass

    assert not cpu.knows(Options(shape=Mine()), True)
    assert not cpu.knows(Options(shape="focal(gamma=2)", label_smoothing=0.1), True)
    assert not cpu.knows(Options(shape="focal(gamma=2)"), False)
    assert cpu.knows(replace(Options(), shape=None), False)


def test_the_other_byte_order_and_memory_that_cannot_be_written():
    z, y = np.random.default_rng(0).normal(size=(4, 9)), np.arange(4)
    cost, grad = xent.cross_entropy_and_grad(z, y)
    z.flags.writeable = False
    swapped = xent.cross_entropy_and_grad(z.astype(z.dtype.newbyteorder()), y)
    assert swapped[0] == pytest.approx(cost, rel=1e-15)
    np.testing.assert_allclose(swapped[1], grad, rtol=1e-14)
    assert xent.cross_entropy(z, y) == cost
