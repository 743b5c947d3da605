"""out += a·b by the BLAS that NumPy itself uses: NumPy can only make a product, and would add it in a second pass.

Where ∂W gains with every chunk of rows, that pass reads and writes all of it once more, by one thread. NumPy's wheels bring
OpenBLAS, whose gemm adds while it multiplies; it is called here as NumPy calls it, by the same threads. Where there is another
BLAS, or other names, the product is made in blocks that stay in a cache, and added.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from xent.memory import address

ROWS, PLAIN, TRANSPOSED = 101, 111, 112
"""cblas: the order of a matrix in memory, and its use."""
BLOCK = 1 << 20
"""Bytes of a product that is made at a time where it has to be added in a second pass."""


def add_product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out += a·b; a or its transpose, b and out have rows that lie side by side, all of one dtype, float32 or float64."""
    gemm = _gemm(out.dtype.char)
    if gemm is None:
        size = max(1, BLOCK // (out.shape[1] * out.itemsize))
        for start in range(0, len(out), size):
            out[start : start + size] += a[start : start + size] @ b
        return
    turned = a.strides[1] != a.itemsize
    a = a.T if turned else a
    places = ((address(x), max(x.strides[0] // x.itemsize, x.shape[1])) for x in (a, b, out))  # the step of one row may be any
    (at_a, step_a), (at_b, step_b), (at, step) = places
    how = TRANSPOSED if turned else PLAIN
    gemm(ROWS, how, PLAIN, *out.shape, len(b), 1.0, at_a, step_a, at_b, step_b, 1.0, at, step)


@cache
def _gemm(kind: str) -> Callable[..., Any] | None:
    """cblas_?gemm of NumPy's own OpenBLAS; None where it is not found."""
    from threadpoolctl import threadpool_info

    letter, real = {"f": ("s", ctypes.c_float), "d": ("d", ctypes.c_double)}[kind]
    for library in threadpool_info():
        if library["internal_api"] == "openblas" and "numpy.libs" in library["filepath"].replace("\\", "/"):
            found = getattr(ctypes.CDLL(library["filepath"]), f"scipy_cblas_{letter}gemm64_", None)
            if found is not None:
                size, where, choice = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int
                found.argtypes = [choice] * 3 + [size] * 3 + [real, where, size, where, size, real, where, size]
                found.restype = None
                return found  # type: ignore[no-any-return]
    return None
