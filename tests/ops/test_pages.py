"""Memory for gradients is used again, never while somebody looks at it, and not hoarded."""

from __future__ import annotations

import mmap
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest

import xent
from xent.ops import pages

pytestmark = pytest.mark.skipif(not hasattr(mmap, "MAP_ANONYMOUS"), reason="this system has no anonymous memory of its own")
MANY = pages.LARGE // 4
"""Numbers of float32 whose memory is kept."""


@pytest.fixture(autouse=True)
def nothing_kept():
    pages.give_back()
    yield
    pages.give_back()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint16", ml_dtypes.bfloat16])
def test_dropped_memory_is_lent_again(dtype):
    first = pages.empty((MANY, 2), dtype)
    at = first.ctypes.data
    assert not pages.written(at)
    del first
    again = pages.empty((2, MANY), dtype)
    assert again.shape == (2, MANY)
    assert again.dtype == dtype
    assert again.flags.writeable
    assert again.ctypes.data == at
    assert pages.written(at)


def test_whoever_holds_a_view_holds_the_memory():
    whole = pages.empty((MANY,), np.float32)
    whole[:] = 1
    view = whole[3:-3:2].view(np.int32)
    del whole
    other = pages.empty((MANY,), np.float32)
    other[:] = 2
    assert (view == np.float32(1).view(np.int32)).all()


def test_what_the_next_call_cannot_use_is_given_back():
    pieces = [pages.empty((MANY * n,), np.float32) for n in (8, 9, 10, 11, 12, 13)]
    del pieces
    assert len(pages._kept) == pages.MOST
    pages.empty((MANY * 100,), np.float32)
    assert len(pages._kept) == pages.MOST  # who comes in between, comes once
    pages.empty((MANY * 1000,), np.float32)
    assert [len(piece) >= 4 * MANY * 100 for piece in pages._kept] == [True, True]


def test_small_arrays_are_numpys():
    assert pages.empty((2, 3), np.float32).base is None
    assert pages.empty((0,), np.float32).shape == (0,)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_order_of_axes(order):
    like = np.empty((6, 200, 300)).transpose(order)
    assert pages.empty_like(like).strides == np.empty_like(like).strides


def test_a_gradient_that_is_kept_stays_as_it_is():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(600, 700)).astype(np.float32), rng.integers(0, 700, 600)
    first = xent.cross_entropy_and_grad(z, y)[1]
    before = first.copy()
    for shift in range(5):
        xent.cross_entropy_and_grad(z + shift * z[::-1], y)
    np.testing.assert_array_equal(first, before)


def test_from_many_threads():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(16, 500, 600)).astype(np.float32), rng.integers(0, 600, (16, 500))
    alone = [xent.cross_entropy_and_grad(z[i], y[i])[1].copy() for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: xent.cross_entropy_and_grad(z[i % 16], y[i % 16])[1], range(64)))
    for i, grad in enumerate(together):
        np.testing.assert_array_equal(grad, alone[i % 16])


def test_memory_that_another_thread_takes_meanwhile_is_not_kept():
    class Meanwhile:
        """Among the kept pieces, something at whose sight another thread takes the first of them."""

        written = False
        passed_over = property(lambda self: bool(taken or taken.append(pages._kept.pop(0))), lambda self, value: None)

        def __len__(self):
            return 0

    taken = []
    piece = pages.empty((MANY,), np.float32)
    del piece
    pages._kept.append(Meanwhile())
    pages.empty((MANY * 100,), np.float32)
    assert taken
    assert not any(kept is taken[0] for kept in pages._kept)


@pytest.mark.parametrize("shape", [(MANY // 8, 8), (MANY // 1000, 1000)])
def test_the_next_call_has_the_memory_of_the_last(shape):
    z, y = np.zeros(shape, np.float32), np.zeros(shape[0], int)
    for options in ({}, {"softcap": 30.0}):  # by the two ways in which threads share a batch
        assert len({xent.cross_entropy_and_grad(z, y, **options)[1].ctypes.data for _ in range(30)}) == 1
