"""out += a·b by the BLAS that NumPy itself uses: NumPy can only make a product, and would add it in a second pass.

Where ∂W gains with every chunk of rows, that pass reads and writes all of it once more, by one thread. NumPy's wheels bring
OpenBLAS, whose gemm adds while it multiplies; it is called here as NumPy calls it, by the same threads. Where there is another
BLAS, or other names, the product is made in blocks that stay in a cache, and added.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import numpy as np

from xent.memory import address
from xent.threads import threads

ROWS, PLAIN, TRANSPOSED = 101, 111, 112
"""cblas: the order of a matrix in memory, and its use."""
BLOCK = 1 << 20
"""Bytes of a product that is made at a time where it has to be added in a second pass."""


def add_product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out += a·b, all of one dtype, float32 or float64, of any strides; fast where BLAS can read them as they lie."""
    gemm, lying = _gemm(out.dtype.char), [_lying(x) for x in (a, b, out)]
    if gemm is None or not all(lying) or lying[2][0] != PLAIN:
        size = max(1, BLOCK // (out.shape[1] * out.itemsize))
        for start in range(0, len(out), size):
            out[start : start + size] += a[start : start + size] @ b
        return
    (how_a, *at_a), (how_b, *at_b), (_, *at) = lying
    gemm(ROWS, how_a, how_b, *out.shape, len(b), 1.0, *at_a, *at_b, 1.0, *at)


def _lying(x: np.ndarray) -> tuple[int, ...]:
    """How BLAS is told of a matrix whose rows or columns lie side by side: PLAIN or TRANSPOSED, where, the step; () if not."""
    for how, rows in ((PLAIN, x), (TRANSPOSED, x.T)):
        (n, size), (step, each) = rows.shape, (s // x.itemsize if s % x.itemsize == 0 else -1 for s in rows.strides)
        if (each == 1 or size < 2) and (step >= size or n < 2):
            return how, address(x), max(step if n > 1 else 0, size, 1)  # the step of one row may be any
    return ()


@contextmanager
def threads_of_our_own() -> Iterator[int]:
    """How many threads may share products out among themselves while this lasts, each with a BLAS of one thread; 1 for none.

    OpenBLAS's own threads wait wide awake for 26 ms after each product, in the way of whoever computes in between. Its number of
    threads is one for the whole process: the first that comes here sets it to 1, and the last that goes puts it back.
    """
    global _inside, _before
    get, put = _openblas("scipy_openblas_get_num_threads64_"), _openblas("scipy_openblas_set_num_threads64_")
    if get is None or put is None:
        yield 1
        return
    with _lock:
        _before = _before if _inside else int(get())
        _inside += 1
        allowed = min(_before, threads())
        put(1)
    try:
        yield allowed
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                put(_before)


_lock, _inside, _before = threading.Lock(), 0, 0


def _leave_behind() -> None:
    """A child has none of the threads that had set the number: it is as before, and nobody holds the lock."""
    global _lock, _inside
    put = _openblas("scipy_openblas_set_num_threads64_") if _before and (_inside or _lock.locked()) else None
    _lock, _inside = threading.Lock(), 0
    if put is not None:
        put(_before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_behind)


@cache
def _gemm(kind: str) -> Callable[..., Any] | None:
    """cblas_?gemm of NumPy's own OpenBLAS; None where it is not found."""
    letter, real = {"f": ("s", ctypes.c_float), "d": ("d", ctypes.c_double)}[kind]
    found: Any = _openblas(f"scipy_cblas_{letter}gemm64_")
    if found is not None:
        size, where, choice = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int
        found.argtypes = [choice] * 3 + [size] * 3 + [real, where, size, where, size, real, where, size]
        found.restype = None
    return cast("Callable[..., Any] | None", found)


@cache
def _openblas(name: str) -> Any:
    """A function of NumPy's own OpenBLAS; None where there is none of that name."""
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["internal_api"] == "openblas" and "numpy.libs" in library["filepath"].replace("\\", "/"):
            return getattr(ctypes.CDLL(library["filepath"]), name, None)
    return None
