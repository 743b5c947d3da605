"""The cost alone by a product of our own: what it is by BLAS, whatever comes, and within its memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import xent
from xent import memory
from xent.ops import cpu_product, cpu_tiles
from xent.ops.linear.inputs import MEMORY

pytestmark = pytest.mark.skipif(not memory.WIDE, reason="this processor has no vectors of 64 bytes")
NEAR = {"float32": {"rtol": 2e-5, "atol": 2e-5}, "float64": {"rtol": 1e-12, "atol": 1e-12}}
OPTIONS = {
    "plain": {},
    "all": {"softcap": 5.0, "temperature": 1.3, "z_loss": 0.1},
    "padded": {"valid_classes": 1, "temperature": 0.7},
    "weights, none": {"weight": True, "reduction": "none"},
    "sum": {"reduction": "sum", "softcap": 3.0},
}


@pytest.fixture
def multiplied(monkeypatch):
    """The calls of `multiply`: their classes."""
    calls, multiply = [], cpu_tiles.Tiles.multiply
    monkeypatch.setattr(cpu_tiles.Tiles, "multiply", lambda self, w, b, at: calls.append((at, len(w))) or multiply(self, w, b, at))
    return calls


def drawn(n, d, k, dtype, scale=1.0):
    rng = np.random.default_rng(n * d * k)
    h, w, b = ((scale * rng.standard_normal(shape)).astype(dtype) for shape in ((n, d), (k, d), (k,)))
    y = rng.integers(0, k, n)
    y[::7] = -100
    return h, w, y, b


def by_the_logits(h, w, y, b=None, **options):
    with np.errstate(invalid="ignore", over="ignore"):
        z = h.astype("float64") @ w.astype("float64").T + (0 if b is None else b)
        return xent.cross_entropy(z, y, **options)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("size", [(64, 1, 1), (128, 3, 5), (1000, 64, 97), (316, 33, 700), (64, 300, 2000)], ids=str)
def test_what_it_is_by_the_logits(size, dtype, options, multiplied):
    h, w, y, b = drawn(*size, dtype, scale=size[1] ** -0.25)
    options = dict(OPTIONS[options])
    if options.pop("weight", False):
        options["weight"] = np.linspace(0, 2, size[2]).astype(dtype)
    if "valid_classes" in options:
        options["valid_classes"] = max(1, size[2] - 5)
        y[y >= options["valid_classes"]] = 0
    for bias in (None, b):
        found = xent.linear_cross_entropy(h, w, y, bias, **options)
        np.testing.assert_allclose(found, by_the_logits(h, w, y, bias, **options), **NEAR[dtype])
        assert found.dtype == dtype
    assert {at for at, _ in multiplied} >= {0}


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("way", ["ours", "by BLAS"])
def test_far_beyond_what_came_before(dtype, way, monkeypatch):
    """Each block's logits are far above those before it, and masks and no numbers among them: as by the logits."""
    if way != "ours":
        monkeypatch.setattr(cpu_tiles, "fits", lambda *_: False)
    h, w, y, b = drawn(128, 4, 3000, dtype)
    b[:] = np.arange(3000) // 96 * (40 if dtype == "float32" else 700)
    b[::11], b[17] = -np.inf, 1e30
    h[5], h[6, 0] = np.inf, np.nan
    for bias in (b, -b[::-1]):
        found = xent.linear_cross_entropy(h, w, y, bias, reduction="none")
        true = by_the_logits(h, w, y, bias, reduction="none").astype(dtype)
        np.testing.assert_allclose(found, true, rtol=NEAR[dtype]["rtol"], atol=NEAR[dtype]["atol"])


def test_any_strides(multiplied):
    h, w, y, b = drawn(128, 12, 300, "float32")
    true = by_the_logits(h[:, ::2], w[::-3, :6], y % 100, b[::3])
    for hidden in (h[:, ::2], np.asfortranarray(h[:, ::2]), np.ascontiguousarray(h[:, ::2])):
        assert xent.linear_cross_entropy(hidden, w[::-3, :6], y % 100, b[::3]) == pytest.approx(true, rel=1e-5)
    assert multiplied
    multiplied.clear()
    assert xent.linear_cross_entropy(h[:, ::2], np.asfortranarray(w[::-3, :6]), y % 100, b[::3]) == pytest.approx(true, rel=1e-5)
    assert not multiplied  # each weight's numbers have to lie side by side


@pytest.mark.parametrize("panels", [0, 1, 3])
def test_within_the_memory(panels, multiplied, monkeypatch):
    """As many rows at once as it holds; by BLAS where that is not one panel."""
    n, d, k = 640, 40, 3000
    h, w, y, _ = drawn(n, d, k, "float32")
    monkeypatch.setattr("xent.ops.linear.cpu.threads", lambda: 2)
    monkeypatch.setattr("xent.ops.linear.cpu.WORTH", 0)
    fixed, each = cpu_tiles.bytes_taken(d, 2, 4)
    xent.linear_cross_entropy(h, w, y)
    multiplied.clear()
    allowed = fixed + panels * each + each // 2
    tracemalloc.start()
    try:
        cost = xent.linear_cross_entropy(h, w, y, memory=allowed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert cost == pytest.approx(by_the_logits(h, w, y), rel=1e-5)
    assert peak <= allowed + 2**16  # costs, options and the like
    assert sum(at == 0 for at, _ in multiplied) == (0 if not panels else -(-n // (64 * panels)))


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("size", [(128, 64, 5000), (128, 30, 20_001), (100, 30, 5000)], ids=str)
def test_the_logits_whose_gradient_is_wanted(size, dtype, monkeypatch):
    """Of chunks of whole panels; in spans too, and of any number of classes. By BLAS otherwise: the same."""
    h, w, y, b = drawn(*size, dtype, scale=size[1] ** -0.25)
    monkeypatch.setattr("xent.ops.linear.cpu.threads", lambda: 2)
    monkeypatch.setattr("xent.ops.linear.cpu.WORTH", 0)
    made, logits = [], cpu_product.logits
    monkeypatch.setattr(cpu_product, "logits", lambda p, m, bias, z: made.append(z.shape) or logits(p, m, bias, z))
    z = h.astype("float64") @ w.astype("float64").T
    for bias in (None, b):
        cost, delta = xent.cross_entropy_and_grad(z if bias is None else z + bias, y, z_loss=0.1, softcap=4.0)
        found, grads = xent.linear_cross_entropy_and_grad(h, w, y, bias, z_loss=0.1, softcap=4.0, memory=h.itemsize * 2**21)
        assert found == pytest.approx(cost, rel=NEAR[dtype]["rtol"])
        for ours, true in zip(grads, (delta @ w, delta.T @ h, delta.sum(axis=0)), strict=True):
            if ours is not None:
                np.testing.assert_allclose(ours, true, rtol=0, atol=NEAR[dtype]["atol"] * np.abs(true).max())
    assert bool(made) == (size[0] % 64 == 0)


def test_every_class_once_and_few_rows_by_blas(multiplied):
    h, w, y, _ = drawn(1024, 16, 5000, "float32")
    xent.linear_cross_entropy(h, w, y)
    places = sorted(multiplied)
    assert [at for at, _ in places] == np.cumsum([0, *(size for _, size in places)]).tolist()[:-1]
    assert sum(size for _, size in places) == 5000
    assert len(places) > 1  # shared out
    multiplied.clear()
    for rows in (1, 40, 65, 100):
        xent.linear_cross_entropy(h[:rows], w, y[:rows])
    assert not multiplied
    assert not cpu_product.fits(100_000, "float32")
    assert cpu_product.fits(4096, "float32")
    assert cpu_tiles.bytes_taken(4096, 64, 4)[0] + cpu_tiles.bytes_taken(4096, 64, 4)[1] < MEMORY
