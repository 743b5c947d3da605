"""Logits in the memory of ∂W, and products that are added: the same numbers, and no more memory than was allowed."""

from __future__ import annotations

import os
import signal
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

import xent
from xent.ops import pages
from xent.ops.linear import blas, cpu
from xent.ops.linear.inputs import read
from xent.ops.options import Options

# rows, features, classes, memory; and how it goes
SIZES = {
    "all rows lent": (20, 24, 20_000, 2**20),
    "more rows than features": (40, 24, 20_000, 2**20),
    "as many": (24, 24, 13_000, 3 * 2**18),
    "few rows, no span in another's way": (10, 100, 20_000, 2**19),
    "whole blocks": (12, 16, 16_384, 2**19),
    "parts of the gradient by hidden not until the gap has room": (700, 300, 6000, 20 * 2**20),
}
OPTIONS = {
    "plain": {},
    "all that act on a row": {"label_smoothing": 0.1, "softcap": 5.0, "z_loss": 0.1, "temperature": 1.3, "valid": 7},
    "none, statistics": {
        "reduction": "none",
        "stats": ("rank", "entropy", "gain", "lse", "margin", "error", "log_prob", "correct"),
    },
    "focal": {"shape": "focal(gamma=2)", "reduction": "sum"},
    "distributions": {"soft": True, "z_loss": 0.1},
}
TOLERANCE = {"float64": 1e-11, "float32": 2e-4, "bfloat16": 2e-2, "float16": 4e-3}


def drawn(n, d, k, dtype="float64", soft=False):
    rng = np.random.default_rng(n * k)
    kind = getattr(ml_dtypes, dtype, dtype)
    h, w, b = (rng.standard_normal(shape).astype(kind) for shape in ((n, d), (k, d), (k,)))
    y = rng.integers(0, k - 8, n)
    y[3] = -100
    return h, w, (rng.dirichlet(np.ones(k), n) if soft else y), b


def a_pass(h, w, y, b, memory):
    return cpu.Pass(read(h, w, y, b, memory, Options()), (True, True, b is not None), None, workers=2)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_the_logits_in_the_gradients_memory(size, options):
    n, d, k, memory = SIZES[size]
    options = dict(OPTIONS[options])
    soft = options.pop("soft", False)
    if "valid" in options:
        options["valid_classes"] = k - options.pop("valid")
    h, w, y, b = drawn(n, d, k, soft=soft)
    memory += soft * 2**19  # a row of shares is held as well
    assert a_pass(h, w, y, b, memory)._lendable() >= min(n, d)
    found = xent.linear_cross_entropy_and_grad(h, w, y, b, memory=memory, **options)
    cost, delta, *stats = xent.cross_entropy_and_grad(h @ w.T + b, y, **options)
    near = {"rtol": TOLERANCE["float64"], "atol": TOLERANCE["float64"]}
    for ours, true in zip((found[0], *found[1]), (cost, delta @ w, delta.T @ h, delta.sum(0)), strict=True):
        np.testing.assert_allclose(ours, true, **near)
    alone = xent.linear_cross_entropy(h, w, y, b, memory=memory, **options)
    np.testing.assert_allclose(alone[0] if stats else alone, cost, **near)
    for name in options.get("stats", ()):
        np.testing.assert_allclose(found[2][name], stats[0][name], **near)


def test_no_gradient_is_written_over_a_delta_that_is_needed():
    """Where the spans stand: whole units of half a block at least, of as many rows as fit, each of its ∂W no more than the gap."""
    rng = np.random.default_rng(0)
    several = 0
    for _ in range(300):
        n, d, k = (int(2**x) for x in rng.uniform((3, 1, 9), (9, 8, 13)))
        memory = int(2.0 ** rng.uniform(18, 23))
        turned = np.zeros((d, n)).T if rng.random() < 0.3 else np.zeros((n, d))
        its = a_pass(turned, np.zeros((k, d)), np.zeros(n, int), None, memory)
        rows = its._lendable()
        assert rows == n or not its._widths(rows + 1)
        if not rows:
            continue
        widths = its._widths(rows)
        assert sum(widths) == k
        assert rows * widths[-1] <= memory / 8
        start, at = k * d - rows * (k - widths[-1]), 0
        for width in widths[:-1]:
            assert (at + width) * d <= start + at * rows
            assert width % cpu.cpu.UNIT == 0
            assert width >= 512 or at + width == k - widths[-1]
            at += width
        several += len(widths) > 3
    assert several > 20


@pytest.mark.parametrize("workers", ["one", "several"])
@pytest.mark.parametrize("size", SIZES)
def test_only_what_is_wanted_by_one_thread_or_several(size, workers, monkeypatch):
    monkeypatch.setattr(cpu, "WORTH", 2**60 if workers == "one" else 1)
    n, d, k, memory = SIZES[size]
    h, w, y, b = drawn(n, d, k)
    linear = read(h, w, y, b, memory, Options())
    costs, delta = xent.cross_entropy_and_grad(h @ w.T + b, y, reduction="none")
    expected = delta @ w, delta.T @ h, delta.sum(0)
    for wants in ((True, True, True), (False, True, False), (True, False, True)):
        found, _, grads = cpu.through(linear, wants, None)
        np.testing.assert_allclose(found, costs, rtol=1e-11, atol=1e-11)
        for ours, true, wanted in zip(grads, expected, wants, strict=True):
            assert (ours is None) != wanted
            if wanted:
                np.testing.assert_allclose(ours, true, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_dtype(dtype):
    h, w, y, b = drawn(20, 24, 20_000, dtype)
    assert a_pass(h, w, y, b, 2**20)._lendable() == (20 if dtype == "float32" else 0)  # 16-bit weights are widened fewer at a time
    found = xent.linear_cross_entropy_and_grad(h, w, y, b, memory=2**20)
    wide = [x.astype(np.float64) for x in (h, w, b)]
    cost, delta = xent.cross_entropy_and_grad(wide[0] @ wide[1].T + wide[2], y)
    for ours, true in zip((found[0], *found[1]), (cost, delta @ wide[1], delta.T @ wide[0], delta.sum(0)), strict=True):
        size = np.abs(true).max()
        np.testing.assert_allclose(np.asarray(ours, np.float64), true, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * size)


def test_the_other_byte_order_alone_or_mixed():
    h, w, y, b = drawn(20, 24, 50)
    cost, grads = xent.linear_cross_entropy_and_grad(h, w, y, b)
    swapped = [x.astype(x.dtype.newbyteorder()) for x in (h, w, b)]
    for hidden, weight, bias in (swapped, (h, swapped[1], b), (swapped[0], w, b)):
        found = xent.linear_cross_entropy_and_grad(hidden, weight, y, bias)
        assert found[0] == pytest.approx(cost, rel=1e-14)
        for ours, true in zip(found[1], grads, strict=True):
            np.testing.assert_allclose(ours, true, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_without_features_only_the_bias_speaks(dtype):
    _, _, y, b = drawn(20, 1, 50, dtype)
    h, w = np.zeros((20, 0), b.dtype), np.zeros((50, 0), b.dtype)
    cost, (by_hidden, by_weight, by_bias) = xent.linear_cross_entropy_and_grad(h, w, y, b)
    true, delta = xent.cross_entropy_and_grad(np.broadcast_to(b.astype(np.float64), (20, 50)), y)
    assert (by_hidden.shape, by_weight.shape) == ((20, 0), (50, 0))
    assert float(cost) == pytest.approx(float(true), rel=TOLERANCE[dtype])
    np.testing.assert_allclose(by_bias.astype(np.float64), delta.sum(axis=0), atol=TOLERANCE[dtype])


def test_what_is_infinite_or_no_number_stays_in_its_row():
    h, w, y, _ = drawn(20, 24, 20_000)
    h[5], h[7] = np.nan, np.inf
    cost, (by_hidden, _, _) = xent.linear_cross_entropy_and_grad(h, w, y, memory=2**20, reduction="none")
    others = np.arange(20) != 5
    assert np.isnan(cost[5])
    assert np.isnan(by_hidden[5]).all()
    assert np.isfinite(cost[others & (np.arange(20) != 7)]).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bias", [False, True])
def test_no_more_than_the_memory_beyond_the_gradients(size, bias, monkeypatch):
    """Once with hidden vectors that are copied, and several threads."""
    monkeypatch.setattr(pages, "LARGE", 2**60)  # all of it comes from malloc, where it is counted
    if bias:
        monkeypatch.setattr(cpu, "WORTH", 1)
    n, d, k, memory = SIZES[size]
    h, w, y, b = drawn(n, d, k)
    given = (np.asfortranarray(h), w, y, b) if bias else (h, w, y)
    xent.linear_cross_entropy_and_grad(*given, memory=memory)
    tracemalloc.start()
    try:
        _, grads = xent.linear_cross_entropy_and_grad(*given, memory=memory)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - sum(g.nbytes for g in grads if g is not None) <= memory + 2**15  # Python's own objects


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_no_more_than_the_memory_for_the_cost_alone(dtype, monkeypatch):
    """The logits pass by; 64 rows of 20,000 would take 5 MiB, and 16-bit numbers are widened on the way."""
    monkeypatch.setattr(pages, "LARGE", 2**60)
    h, w, y, b = drawn(64, 24, 20_000, dtype)
    cost = xent.linear_cross_entropy(h, w, y, b, memory=2**20)
    tracemalloc.start()
    try:
        xent.linear_cross_entropy(h, w, y, b, memory=2**20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2**20 + 2**15
    wide = [x.astype(np.float64) for x in (h, w, b)]
    np.testing.assert_allclose(
        cost, xent.cross_entropy(wide[0] @ wide[1].T + wide[2], y), rtol=2e-6 if dtype != "float64" else 1e-13
    )


def test_the_cost_alone_of_what_is_infinite_masked_or_no_number():
    """As `xent.cross_entropy` has it, class by class: bias may mask a class, and mask the target."""
    h, w, y, b = drawn(20, 24, 20_000)
    b[:9000], b[9500] = -np.inf, -np.inf
    y[:6] = 9500, 3, 10_000, -100, 9999, 12_000
    h[8], h[9] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        z = h @ w.T + b
        for options in ({}, {"temperature": 2.0, "z_loss": 0.1, "weight": np.arange(20_000.0) % 3}):
            ours = xent.linear_cross_entropy(h, w, y, b, reduction="none", **options)
            np.testing.assert_allclose(ours, xent.cross_entropy(z, y, reduction="none", **options), rtol=1e-12)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("turned", [False, True])
def test_products_are_added(known, dtype, turned, monkeypatch):
    """As NumPy's product and sum do it, by NumPy's own BLAS and without it; out may be rows of a wider matrix."""
    if not known:
        monkeypatch.setattr(blas, "_gemm", lambda kind: None)
        monkeypatch.setattr(blas, "BLOCK", 256)
    rng = np.random.default_rng(0)
    for m, n, k in ((1, 1, 1), (7, 5, 3), (65, 33, 129), (1, 6, 4), (6, 1, 4), (6, 4, 1)):
        a, b, wide = (rng.standard_normal(shape).astype(dtype) for shape in ((k, m) if turned else (m, k), (k, n), (m, n + 2)))
        a, out = a.T if turned else a, wide[:, :n]
        for lying in (*layouts(b), np.broadcast_to(b[0], b.shape)):
            expected = out + a @ lying
            blas.add_product(a, lying, out)
            np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)


def layouts(x):
    """The same matrix as it may lie in memory: by rows, by columns, with gaps, backwards."""
    rows, columns = np.repeat(x, 2, axis=0)[::2], np.repeat(x, 3, axis=1)[:, ::3]
    return [x, np.asfortranarray(x), rows, columns, x[::-1, ::-1].copy()[::-1, ::-1]]


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_weights_of_any_strides(dtype):
    """Products that are made in pieces, of weights that BLAS cannot read as rows."""
    h, w, y, _ = drawn(32, 48, 40_000, dtype)
    true = xent.linear_cross_entropy_and_grad(h, w, y, memory=2**21)[1]
    for weight in layouts(w)[1:]:
        ours = xent.linear_cross_entropy_and_grad(h, weight, y, memory=2**21)[1]
        np.testing.assert_allclose(ours[0], true[0], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        np.testing.assert_allclose(ours[1], true[1], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_fork_at_any_moment():
    """A child that is made while its parent's threads have BLAS for themselves, and hold the lock, waits for none of them."""
    h, w, y, _ = drawn(300, 64, 2000)
    count = blas._openblas("scipy_openblas_get_num_threads64_")
    before = count()
    with blas.threads_of_our_own(), blas._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            cost = xent.linear_cross_entropy_and_grad(h, w, y)[0]
            os._exit(0 if np.isfinite(cost) and count() == before else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert count() == before


def test_numpys_own_blas_is_found():
    """In NumPy's wheels, which is what pip installs."""
    assert "openblas" in str(np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"])
    assert blas._gemm("f") is not None
