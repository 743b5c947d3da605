"""What a data set is: rows of numbers, a class for each row, and the story of how they came about."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from xent.errors import InputError

LARGEST = 1e100
"""A feature's numbers are smaller than this, so that their squares can be summed."""


@dataclass(frozen=True)
class Data:
    """Rows and their classes.

    x is (rows, features), nan where a value is missing; y is (rows,), the place of each row's class in `classes`. `scaling` says
    what `split` does with the numbers: "standard" brings each feature to mean 0 and deviation 1 as the training part has them,
    "none" leaves them. `test` marks the rows that the files themselves set apart for the test. `notes` tell how the file's columns
    became these numbers; each is a key of the texts and its values. `asked` is what `load` was called with.
    """

    name: str
    x: Float[np.ndarray, "n d"] = field(repr=False)
    y: Int[np.ndarray, " n"] = field(repr=False)
    classes: tuple[str, ...]
    features: tuple[str, ...] = field(repr=False)
    scaling: str = "standard"
    notes: tuple[tuple[str, dict[str, Any]], ...] = field(default=(), repr=False)
    test: Bool[np.ndarray, " n"] | None = field(default=None, repr=False)
    asked: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        n = len(self.y)
        if self.x.ndim != 2 or len(self.x) != n:
            raise InputError(f"{self.name}: one row of numbers for each class label, but x has shape {self.x.shape} and y has {n}.")
        if n and not 0 <= self.y.min() <= self.y.max() < len(self.classes):
            raise InputError(
                f"{self.name}: y holds the places of the classes, 0 to {len(self.classes) - 1}, but {self.y.min()} to "
                f"{self.y.max()} came."
            )
        if n == 0 or self.x.shape[1] == 0:
            raise InputError(f"{self.name} is empty: it has {n} rows and {self.x.shape[1]} features.")
        if not -LARGEST < np.fmin.reduce(self.x, axis=None, initial=0) <= np.fmax.reduce(self.x, axis=None, initial=0) < LARGEST:
            row, column = np.argwhere(np.abs(self.x) >= LARGEST)[0]
            said = "infinite" if np.isinf(self.x[row, column]) else f"{self.x[row, column]:g}, too large to compute with,"
            raise InputError(
                f"{self.name}: {self.features[column]!r} is {said} in row {row + 1}. Remove the row or mend the value."
            )
        if len(self.classes) < 2:
            raise InputError(f"{self.name} has one class only, {self.classes[0]!r}: there is nothing to tell apart.")
        if len(self.classes) > n / 3:
            raise InputError(
                f"{self.name} has {len(self.classes)} classes in {n} rows, too few rows of each to learn and to judge: "
                "is the target column really a class? Numbers that vary freely are no classes."
            )

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the numbers, the classes and the preparation: two sets that share it are the same."""
        seen = hashlib.sha256(repr((self.x.shape, self.classes, self.features, self.scaling)).encode())
        for part in (np.ascontiguousarray(self.x, np.float64), np.ascontiguousarray(self.y, np.int64)):
            seen.update(part.tobytes())
        if self.test is not None:
            seen.update(np.ascontiguousarray(self.test).tobytes())
        return seen.hexdigest()


def coded(labels: Sequence[Any] | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels as places in a sorted tuple of their names; whole numbers sort as numbers.

    >>> coded(["b", "a", "b"])
    (array([1, 0, 1]), ('a', 'b'))
    >>> coded(np.asarray([10.0, 9.0]))
    (array([1, 0]), ('9', '10'))
    """
    found, places = np.unique(np.asarray(labels), return_inverse=True)
    return places.reshape(-1).astype(np.int64), tuple(_name(label) for label in found.tolist())


def _name(label: Any) -> str:
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
