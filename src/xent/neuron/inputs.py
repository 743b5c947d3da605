"""What a neuron is given: numbers that are finite, rates that are positive, steps that are whole; errors that say so."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from xent.arrays import Array, as_array, is_float, widen
from xent.errors import InputError


def numbers(name: str, value: Any, xp: Any) -> Array:
    """A finite array of floats."""
    array = as_array(value, xp)
    array = widen(array, xp) if is_float(array) else xp.astype(array, xp.float64)
    if not bool(xp.all(xp.isfinite(array))):
        came = value.item() if getattr(value, "ndim", None) == 0 else value
        raise InputError(f"{name} must be finite, but {came!r:.60} came.")
    return array


def positive(name: str, value: float) -> float:
    """A positive finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not isfinite(value) or value <= 0:
        raise InputError(f"{name} is a positive finite number, but {value!r} came.")
    return float(value)


def whole(name: str, value: int) -> int:
    """A whole number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise InputError(f"{name} is a whole number of at least 0, but {value!r} came.")
    return int(value)
