"""What linear cross-entropy is given, checked at the boundary, and how it is cut into chunks that fit the memory allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import array_api_compat as compat
import numpy as np

from xent.arrays import Array, dtype_name, namespace
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError
from xent.ops.inputs import DTYPES, Problem, check_not_empty, check_values
from xent.ops.inputs import read as read_logits
from xent.ops.options import Options

MEMORY = 64 << 20
"""Bytes of scratch where the caller names none."""
COPIES = 22
"""Arrays of a chunk's size that the plain formulas hold at once, at most."""
LOOKED_AT = 4
"""And those that a look at probability targets takes."""


@dataclass(frozen=True)
class Linear:
    """hidden (n, d), weight (K, d), bias (K,) or None, target (n,) or (n, K), all checked; and the cost of their logits.

    `whole` is the problem of all the logits, which exist there in shape and dtype only: one number, broadcast.
    """

    hidden: Array
    weight: Array
    bias: Array | None
    target: Array
    whole: Problem
    memory: int

    @property
    def lead(self) -> tuple[int, ...]:
        """The shape of the rows, as they came."""
        return tuple(self.whole.logits.shape[:-1])

    @property
    def each(self) -> Options:
        """The options of a chunk of rows: not reduced."""
        return self.whole.options.but(reduction="none", denominator=None, axis=None)

    @property
    def itemsize(self) -> int:
        """Bytes of a logit, in the dtype that is computed in."""
        return 8 if dtype_name(self.hidden) == "float64" else 4

    def part(self, logits: Array, rows: slice) -> Problem:
        """The problem of these rows, of which here are the logits."""
        return replace(self.whole, logits=logits, target=self.target[rows, ...], options=self.each)

    def chunks(self, bytes_a_row: int, *, memory: int | None = None, first: int = 0) -> Iterator[slice]:
        """The rows from `first` on, in as few chunks of one size as the memory allows."""
        stop, memory = self.hidden.shape[0], self.memory if memory is None else memory
        n = stop - first
        fitting = memory // bytes_a_row
        if fitting < 1:
            raise InputError(
                f"memory={self.memory} bytes do not hold one row: {self.weight.shape[0]} classes of {self.itemsize} bytes each "
                f"take {self.memory - memory + bytes_a_row} at least. Allow more, 64 MiB (memory=2**26) say."
            )
        size = -(-n // max(1, -(-n // fitting)))
        yield from (slice(start, min(start + size, stop)) for start in range(first, stop, max(size, 1)))


def read(hidden: Any, weight: Any, target: Any, bias: Any, memory: Any, options: Options) -> Linear:
    """The arguments as a Linear; errors say what does not fit. No value is looked at."""
    arrays = [v for v in (hidden, weight, target, bias, options.weight, options.denominator) if compat.is_array_api_obj(v)]
    xp = namespace(*arrays)
    for name, x in (("hidden", hidden), ("weight", weight), ("bias", bias)):
        if x is not None and (not compat.is_array_api_obj(x) or dtype_name(x) not in DTYPES):
            kind = str(x.dtype) if compat.is_array_api_obj(x) else type(x).__name__
            raise ArrayKindError(f"{name} is an array of {', '.join(DTYPES)} numbers, but {kind} came.")
    if weight.ndim != 2 or hidden.ndim == 0 or hidden.shape[-1] != weight.shape[1]:
        raise ShapeError(
            "linear_cross_entropy makes logits of hidden @ weight.T: hidden of shape (…, d) and weight of shape (K, d), one row a "
            f"class, but {tuple(hidden.shape)} and {tuple(weight.shape)} came."
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ShapeError(f"bias is one number per class, shape ({weight.shape[0]},), but shape {tuple(bias.shape)} came.")
    kinds = [dtype_name(x) for x in (hidden, weight, bias) if x is not None]
    if len(set(kinds)) > 1:
        raise ArrayKindError(f"hidden, weight and bias have one dtype, but {', '.join(kinds)} came: convert them to one of them.")
    if options.axis is not None:
        raise InputError(f"axis={options.axis} means nothing here: the features of hidden are on its last axis. Leave it out.")
    if isinstance(memory, bool) or not isinstance(memory, (int, np.integer)) or memory < 1:
        raise InputError(f"memory is how many bytes of scratch may be used, a whole number above 0, but {memory!r:.60} came.")
    lead, (k, d) = tuple(hidden.shape[:-1]), weight.shape
    one = xp.zeros((1,), dtype=hidden.dtype, device=compat.device(hidden))
    whole = read_logits(xp.broadcast_to(one, (*lead, k)), target, options.but(axis=-1))
    y = xp.reshape(whole.target, (prod(lead),) if whole.hard else (prod(lead), k))
    return Linear(xp.reshape(hidden, (prod(lead), d)), weight, bias, y, whole, int(memory))


def check(linear: Linear) -> None:
    """`check_values` of the whole, chunk by chunk where the targets are as many as the logits."""
    whole = linear.whole
    if whole.hard:
        check_values(whole)
        return
    check_not_empty(whole)
    for rows in linear.chunks(LOOKED_AT * linear.weight.shape[0] * linear.itemsize):
        try:
            check_values(replace(whole, target=linear.target[rows, ...], options=linear.each))
        except TargetError:
            check_values(whole)  # says how many are wrong, and where
            raise
