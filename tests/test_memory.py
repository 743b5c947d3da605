"""What memory promises by itself; how it is read and written is shown by the loops that do (ops/test_cpu.py)."""

from __future__ import annotations

import numpy as np

from xent.memory import LINE, aligned


def test_aligned():
    for size in (1, 1000):
        array = aligned(size, np.float32)
        assert array.ctypes.data % LINE == 0
        assert array.shape == (size,)
