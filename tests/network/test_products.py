"""The products in registers against NumPy's: every tile height, one vector, two, more and none, strides turned round."""

from __future__ import annotations

import numpy as np
import pytest

from xent.network import products


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_numpys(dtype):
    multiply = products.product(dtype)
    width = products.lanes(dtype)
    rng = np.random.default_rng(0)
    for m, vectors, depth in ((1, 1, 1), (2, 1, 5), (7, 2, 3), (13, 3, 30), (6, 5, 65), (11, 4, 0)):
        n = vectors * width
        a, b = rng.normal(size=(m, depth)).astype(dtype), rng.normal(size=(depth, n)).astype(dtype)
        exact = a.astype(np.float64) @ b.astype(np.float64)
        size = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
        c = np.full((m + 1, n), 7, dtype)
        multiply(a.reshape(-1), 0, max(depth, 1), 1, b.reshape(-1), 0, n, c.reshape(-1), 0, n, m, n, depth)
        turned = np.full((m, n), 7, dtype)
        multiply(a.T.copy().reshape(-1), 0, 1, m, b.reshape(-1), 0, n, turned.reshape(-1), 0, n, m, n, depth)
        assert (np.abs(c[:m] - exact) <= (depth + 1) * np.finfo(dtype).eps * size).all()
        assert (c[m] == 7).all()  # nothing beyond the last row is written
        assert turned.tobytes() == c[:m].tobytes()


def test_padding():
    for dtype in ("float32", "float64"):
        width = products.lanes(dtype)
        assert [products.padded(n, dtype) // width for n in (0, 1, width, width + 1)] == [0, 1, 1, 2]
