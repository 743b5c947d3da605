"""Memory for large gradients, kept for the next call: to have the system zero fresh pages takes longer than to fill them.

The gradient of 1024 × 32,000 is 131 MB. Its first write into fresh pages takes 12 ms of 24, and a training loop drops it at every
step to ask for as much again. So dropped memory is kept, marked as free for the system to take when it runs short (MADV_FREE):
as much as the last calls had in use at once, since what two large arrays in a row could not use is given back.
"""

from __future__ import annotations

import contextlib
import mmap
import weakref
from math import prod
from typing import Any

import numpy as np
from llvmlite.binding import get_host_cpu_name

LARGE = 1 << 20
"""Bytes from which memory is kept; below, malloc does the same."""
ROOM = 1.25
"""Kept memory may be so many times as large as what is asked for."""
MOST = 4
"""Pieces that are kept at most."""
HUGE, PAGE = 1 << 21, 1 << 12
"""Bytes of a huge page, and of a common one."""
ROOMY = 1 << 23
"""Bytes from which memory begins at a huge page and consists of such: of less, too much would be left over."""
ASIDE = 2048
"""Bytes, half a page."""
MARKED = 1 << 24
"""Bytes from which memory is worth telling the system that it may have it: to tell takes up to 70 µs."""
CACHED, FAR = 1 << 24, 1 << 26
"""Bytes of gradient that may still be in a cache when it is read next: CACHED in any case; FAR are in none, if not just zeroed."""
STREAMED = get_host_cpu_name().startswith("znver")
"""Whether fresh memory, zeroed by the system, is in no cache, as on AMD's processors (docs/log.md)."""


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """`numpy.empty`, in kept memory where it is large.

    >>> empty((2, 3), "float32").shape
    (2, 3)
    """
    dtype = np.dtype(dtype)
    count = prod(shape)
    piece = _piece(count * dtype.itemsize) if count * dtype.itemsize >= LARGE and hasattr(mmap, "MAP_ANONYMOUS") else None
    return np.empty(shape, dtype) if piece is None else piece.lend(dtype, count).reshape(shape)


def empty_like(array: np.ndarray) -> np.ndarray:
    """`numpy.empty_like`: the same shape and order of axes."""
    if array.nbytes < LARGE:
        return np.empty_like(array)
    if array.flags.c_contiguous:
        return empty(array.shape, array.dtype)
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return empty(tuple(array.shape[axis] for axis in order), array.dtype).transpose(np.argsort(order))


def give_back() -> None:
    """Let the system have what is kept."""
    _kept.clear()


def written(address: int) -> bool:
    """Whether the memory that begins here was in use before, and is no fresh page."""
    piece = _pieces.get(address)
    return piece is not None and piece.written


def past_caches(size: int, at: int) -> bool:
    """Whether a gradient of so many bytes is better written past the caches: too large for them, and no pages just zeroed."""
    return size > CACHED and (STREAMED or (size >= FAR and written(at)))


class _Piece(mmap.mmap):
    """Memory that is lent to one array at a time."""

    written = passed_over = False
    skip = 0
    """Bytes before the array: to a whole page and ASIDE, since arrays at equal places in their pages make the processor wait."""
    _lent: Any = None

    def lend(self, dtype: np.dtype[Any], count: int) -> np.ndarray:
        """An array of so many numbers; every view has it for its base, and so keeps it."""
        array = np.frombuffer(self, dtype, count, self.skip)
        self._lent = weakref.ref(array, self._back)
        return array

    def _back(self, _: Any) -> None:
        """Nobody looks at this memory any more."""
        self._lent, self.written = None, True
        if hasattr(mmap, "MADV_FREE") and len(self) >= MARKED:
            self.madvise(mmap.MADV_FREE)
        _kept.append(self)
        if len(_kept) > MOST:
            with contextlib.suppress(IndexError):
                _kept.pop(0)


_pieces: weakref.WeakValueDictionary[int, _Piece] = weakref.WeakValueDictionary()
"""By where their arrays begin."""
_kept: list[_Piece] = []
"""Pieces that nobody uses, the last dropped at the end. No lock, since an array may die at any moment:
who takes one out owns it."""


def _piece(size: int) -> _Piece | None:
    """Memory for so many bytes; None where there is none."""
    page = HUGE if size >= ROOMY else PAGE
    room = size + page + ASIDE
    for piece in reversed(_kept):
        if room <= len(piece) <= max(ROOM * room, room + 4 * page):
            try:
                _kept.remove(piece)
            except ValueError:
                continue  # another thread was quicker
            piece.passed_over = False
            return piece
    for piece in list(_kept):
        if piece.passed_over:
            with contextlib.suppress(ValueError):
                _kept.remove(piece)
        piece.passed_over = True
    try:
        piece = _Piece(-1, -(-room // page) * page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, ValueError, OverflowError):
        return None
    start = int(np.frombuffer(piece, np.uint8).ctypes.data)
    if page == HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        last = -start % page + (ASIDE + size) // page * page
        with contextlib.suppress(OSError):  # a system without them
            piece.madvise(mmap.MADV_HUGEPAGE)
            piece.madvise(mmap.MADV_NOHUGEPAGE, last, len(piece) - last)  # which is not all needed
    piece.skip = -start % page + ASIDE
    _pieces[start + piece.skip] = piece
    return piece
