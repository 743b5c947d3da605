"""Linear cross-entropy equals cross-entropy of the logits, whatever the options and however the rows are cut."""

from __future__ import annotations

import tracemalloc

import definition
import ml_dtypes
import numpy as np
import pytest
import torch
from libraries import LIBRARIES

import xent
from xent.costs import Focal
from xent.errors import ArrayKindError, ShapeError, TargetError, XentError
from xent.ops import linear
from xent.ops.linear import calling, cpu, plain
from xent.ops.options import Options

RNG = np.random.default_rng(3)
N, D, K = 6, 4, definition.CLASSES
H, W, B = RNG.standard_normal((N, D)), 2 * RNG.standard_normal((K, D)), RNG.standard_normal(K)


def target(soft: bool) -> np.ndarray:
    return definition.sample(soft)[1]


def true_grads(case, y, h=H, w=W, b=B):
    delta = definition.gradient(h @ w.T + (0 if b is None else b), y, **case)
    return delta @ w, delta.T @ h, delta.sum(axis=0)


def close(ours, true, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(ours, np.float64), np.asarray(true, np.float64), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", definition.pairwise(), ids=definition.named)
@pytest.mark.parametrize("name", ["numpy", "strict", "torch"])
def test_every_pair_of_options(case, name):
    case, lib = dict(case), LIBRARIES[name]
    y = target(case.pop("soft"))
    ours = {key: lib.make(v) if isinstance(v, np.ndarray) else v for key, v in case.items()}
    for bias in (None, B):
        args = [lib.make(x) for x in (H, W, y)] + ([] if bias is None else [lib.make(bias)])
        cost, grads = xent.linear_cross_entropy_and_grad(*args, **ours)
        z = H @ W.T + (0 if bias is None else bias)
        close(lib.back(cost), definition.cost(z, y, **case))
        close(lib.back(xent.linear_cross_entropy(*args, **ours)), definition.cost(z, y, **case))
        for grad, true in zip(grads[: len(args) - 1 if bias is not None else 2], true_grads(case, y, b=bias), strict=False):
            close(lib.back(grad), true)
        assert (grads[2] is None) == (bias is None)


def in_chunks_of(rows, monkeypatch):
    """From now on so many rows fit; the chunks are noted."""
    seen, chunks = [], linear.inputs.Linear.chunks

    def fitting(self, bytes_a_row, *, memory=None, first=0):
        cut = list(chunks(self, 1, memory=rows, first=first))
        seen.extend(cut)
        return iter(cut)

    monkeypatch.setattr(linear.inputs.Linear, "chunks", fitting)
    return seen


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 6, 100])
@pytest.mark.parametrize("path", [plain, cpu], ids=["plain", "cpu"])
def test_every_size_of_chunks(path, rows, monkeypatch):
    """One row, uneven, all, more than there are: the same numbers, and no chunk larger than asked."""
    case = {"label_smoothing": 0.1, "z_loss": 0.05, "weight": definition.WEIGHT}
    problem = linear.inputs.read(H, W, target(False), B, 1 << 20, Options(**case))
    seen = in_chunks_of(rows, monkeypatch)
    scale = np.asarray(0.3)
    costs, _, grads = path.through(problem, (True, True, True), scale)
    case["reduction"] = "none"
    close(costs, definition.cost(H @ W.T + B, target(False), **case))
    for grad, true in zip(grads, true_grads(case, target(False)), strict=True):
        close(grad, 0.3 * true)
    assert all(s.stop - s.start <= rows for s in seen)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("rows", [4, 100])
def test_every_dtype(dtype, rows, monkeypatch):
    """16-bit arrays are computed in float32, gradients summed there and rounded once: chunks of rows, blocks of three classes."""
    in_chunks_of(rows, monkeypatch)
    monkeypatch.setattr(cpu, "BLOCK", 3 * D * 4)
    kind = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    h, w, b = (x.astype(kind) for x in (H, W, B))
    wide = [np.asarray(x, np.float64) for x in (h, w, b)]
    y = target(False)
    cost, grads = xent.linear_cross_entropy_and_grad(h, w, y, b)
    assert cost.dtype == np.float32
    close(cost, definition.cost(wide[0] @ wide[1].T + wide[2], y), 1e-5)
    for grad, true in zip(grads, true_grads({}, y, *wide), strict=True):
        assert grad.dtype == kind
        close(grad, true, 1e-5 if dtype == "float32" else float(ml_dtypes.finfo(kind).eps))


def test_torchs_linear_cross_entropy_agrees():
    h, w, b = (torch.tensor(x, requires_grad=True) for x in (H, W, B))
    weight = definition.WEIGHT
    for y in (target(False), target(True)):
        for reduction in ("mean", "sum"):
            case = {"weight": weight, "label_smoothing": 0.2, "reduction": reduction}
            theirs = torch.nn.functional.linear_cross_entropy(
                h, w, torch.tensor(y), linear_bias=b, weight=torch.tensor(weight), label_smoothing=0.2, reduction=reduction
            )
            cost, grads = xent.linear_cross_entropy_and_grad(H, W, y, B, **case)
            close(cost, theirs.detach())
            for ours, true in zip(grads, torch.autograd.grad(theirs, (h, w, b)), strict=True):
                close(ours, true)


def test_statistics_are_those_of_the_logits(monkeypatch):
    in_chunks_of(4, monkeypatch)
    names = ("lse", "log_prob", "entropy", "rank", "correct", "margin", "error")
    for y in (target(False), target(True)):
        cost, grads, ours = xent.linear_cross_entropy_and_grad(H, W, y, B, stats=names)
        assert len(grads) == 3
        _, true = xent.cross_entropy(H @ W.T + B, y, stats=names)
        again = xent.linear_cross_entropy(H, W, y, B, stats=names)
        close(cost, again[0])
        for name in names:
            close(ours[name], true[name])
            close(again[1][name], true[name])


def test_hidden_of_any_shape_and_stride():
    h = RNG.standard_normal((2, 3, D))
    y = RNG.integers(0, K, (2, 3))
    cost, grads = xent.linear_cross_entropy_and_grad(h, W, y, reduction="none")
    flat, flat_grads = xent.linear_cross_entropy_and_grad(h.reshape(6, D), W, y.reshape(6), reduction="none")
    assert cost.shape == (2, 3)
    assert grads[0].shape == h.shape
    close(cost.reshape(6), flat)
    close(grads[0].reshape(6, D), flat_grads[0])
    backwards = np.asfortranarray(H)[::-1]
    wide = np.zeros((K, 2 * D))
    wide[:, ::2] = W
    _, grads = xent.linear_cross_entropy_and_grad(backwards, wide[:, ::2], target(False)[::-1], B)
    for ours, true in zip(grads, true_grads({}, target(False)), strict=True):
        close(ours[::-1] if ours.shape == H.shape else ours, true)
    one = xent.linear_cross_entropy(H[0], W, np.asarray(2))
    close(one, definition.cost(H[:1] @ W.T, np.asarray([2])))


def test_only_what_is_wanted_is_computed():
    problem = linear.inputs.read(H, W, target(False), B, 1 << 26, Options())
    _, all_of_them, _ = calling.run(problem, (True, True, True))
    for wants in ((True, False, False), (False, True, False), (False, False, True), (False, True, True)):
        for path in (plain, cpu):
            _, _, grads = path.through(problem, wants, np.asarray(0.2))
            assert [g is not None for g in grads] == list(wants)
            for grad, full in zip(grads, all_of_them, strict=True):
                if grad is not None:
                    close(grad, full)  # five rows count: a mean is a fifth


@pytest.mark.parametrize("options", [{"stats": ("gain", "lse")}, {"shape": "lq(q=0.7)", "softcap": 3.0, "z_loss": 0.1}], ids=str)
def test_the_formulas_keep_to_the_memory_too(options):
    """Probability targets are as many as the logits: to look at them whole would take as much again."""
    n, k, d, memory = 120, 3000, 40, 2**21
    h, w, y = RNG.standard_normal((n, d)), RNG.standard_normal((k, d)), RNG.dirichlet(np.ones(k), n)
    for function in (xent.linear_cross_entropy, xent.linear_cross_entropy_and_grad):
        function(h, w, y, memory=memory, **options)
        tracemalloc.start()
        try:
            function(h, w, y, memory=memory, **options)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= memory + h.nbytes + w.nbytes
    y[117, 5], y[40] = -1.0, 0.0
    with pytest.raises(TargetError, match=r"between 0 and 1, but the target at place \(117, 5\) is -1.0"):
        xent.linear_cross_entropy(h, w, y, memory=memory, **options)


def test_nothing_at_all():
    cost, grads = xent.linear_cross_entropy_and_grad(H[:0], W, np.zeros(0, int), B, reduction="sum")
    assert cost == 0
    for grad, like in zip(grads, (H[:0], W, B), strict=True):
        np.testing.assert_array_equal(grad, np.zeros_like(like))
    assert np.isnan(xent.linear_cross_entropy(H, W, np.full(N, -100)))
    cost, grads = xent.linear_cross_entropy_and_grad(H, W, np.full(N, -100), on_empty="zero")
    assert cost == 0
    assert not grads[1].any()


class Mine(Focal):
    """Focal, as far as the kernel can tell no cost that it knows."""


@pytest.mark.parametrize("lib", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize("options", [{}, {"shape": Mine(gamma=2)}], ids=["fused", "plain"])
def test_no_rows_have_everything_that_some_have(options, lib):
    h, w, y = lib.make(H[:0]), lib.make(W), lib.make(np.zeros(0, int))
    cost, grads, stats = xent.linear_cross_entropy_and_grad(h, w, y, reduction="none", stats=("lse", "rank"), **options)
    assert [tuple(x.shape) for x in (cost, *grads[:2], *stats.values())] == [(0,), (0, D), (K, D), (0,), (0,)]
    if lib.name == "torch":
        h.requires_grad_()
        xent.linear_cross_entropy(h, w, y, reduction="sum", **options).backward()
        assert h.grad.shape == (0, D)


def test_a_shape_of_ones_own():
    y = target(False)
    close(xent.linear_cross_entropy(H, W, y, shape=Mine(gamma=2)), xent.linear_cross_entropy(H, W, y, shape="focal(gamma=2)"))


def test_errors_say_what_came():
    y = target(False)
    for args, kind, said in (
        ((H, W.T, y), ShapeError, "hidden @ weight.T"),
        ((H, W, y, B[:2]), ShapeError, "one number per class, shape \\(7,\\)"),
        ((H, W.astype(np.float32), y), ArrayKindError, "float64, float32"),
        ((H, torch.tensor(W), y), ArrayKindError, "numpy and torch"),
        ((H.astype(int), W, y), ArrayKindError, "hidden is an array"),
        ((H.tolist(), W, y), ArrayKindError, "list came"),
        ((H, W, y[:3]), ShapeError, "Nothing is broadcast"),
        ((H, W, np.where(y >= 0, 7, y)), TargetError, "class indices run from 0 to 6"),
        ((H, W, np.abs(target(True)) * 2), TargetError, "sum to 1"),
    ):
        with pytest.raises(kind, match=said):
            xent.linear_cross_entropy(*args)
    for options, said in (
        ({"memory": 100}, "memory=100 bytes do not hold one row: 7 classes of 8 bytes"),
        ({"memory": 0}, "whole number above 0"),
        ({"memory": "64M"}, "'64M' came"),
        ({"axis": 1}, "axis=1 means nothing here"),
        ({"label_smooting": 0.1}, "label_smoothing"),
    ):
        with pytest.raises(XentError, match=said):
            xent.linear_cross_entropy(H, W, y, **options)
    with pytest.raises(XentError, match="do not hold one row"):
        xent.linear_cross_entropy(*(torch.tensor(x) for x in (H, W, y)), memory=100)


def test_inputs_are_not_changed():
    copies = [x.copy() for x in (H, W, B)]
    xent.linear_cross_entropy_and_grad(H, W, target(False), B)
    for before, after in zip(copies, (H, W, B), strict=True):
        np.testing.assert_array_equal(before, after)
