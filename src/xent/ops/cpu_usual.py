"""The usual batch without ceremony: class indices on rows of logits, by `cpu_batch`, for whoever has addresses.

At 32 × 10 the kernel takes 4 µs, and at 65,536 × 10 what is around it still a third of the time: nothing may be looked at twice.
What follows from layouts and options is a `Plan`, worked out once and kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from xent.arrays import dtype_name
from xent.crew import crew
from xent.errors import XentError
from xent.memory import STORAGE, address, computed
from xent.ops import cpu_batch, cpu_columns, pages
from xent.ops.cpu_batch import GRAIN
from xent.ops.inputs import read
from xent.ops.options import Options
from xent.threads import threads

PORTION = GRAIN // 2
"""Logits of a part that costs no more to take than to count to it."""


class Plan(NamedTuple):
    """What is known of a batch before its numbers are."""

    alone: Any
    """Machine code for all of it; None where a second thread is worth it."""
    shared: cpu_batch.Shared | None
    """And for that."""
    at: int
    """Where its numbers are, in the order of `cpu_batch.PLAN`."""
    numbers: np.ndarray
    """What has their memory."""
    bytes: int
    """Of the whole gradient."""


def plan(storage: str, sizes: tuple[int, int, int, int], options: Options, steps: tuple[int, int]) -> Plan:
    """How to go about a batch of one storage type; `cpu_batch` knows the options.

    sizes   bytes from row to row and from class to class of the logits; rows; classes
    steps   of the gradient, in bytes, as the first two sizes
    """
    n, k = sizes[2:]
    part = 0 if n * k < GRAIN else grain(n, k, PORTION, 10)
    bits = [int(np.float64(x).view(np.int64)) for x in (options.label_smoothing, options.z_loss)]
    numbers = np.array([*sizes, options.ignore_index, *bits, cpu_batch.REDUCTIONS[options.reduction], *steps, part], np.int64)
    kind = storage, cpu_columns.knows(options, True, k, STORAGE[storage])
    alone, shared = (None, cpu_batch.shared(*kind)) if part else (cpu_batch.alone(*kind), None)
    return Plan(alone, shared, address(numbers), numbers, n * k * STORAGE[storage])


def run(plan: Plan, z: int, y: int, weight: int, cost: int, g: int) -> bool:
    """Cost and gradient of a batch, written; false if a target is none.

    The addresses of logits, targets (int64 side by side), weights (0 for none), cost and gradient (0 for none).
    """
    if (shared := plan.shared) is None:
        return not plan.alone(plan.at, z, y, weight, cost, g)
    past = int(g not in (0, z) and pages.past_caches(plan.bytes, g))
    return not shared.whole(plan.at, z, y, weight, cost, g, past, *crew(), shared.parts_at)


def of_arrays(z: np.ndarray, y: np.ndarray, options: dict[str, Any], graded: bool) -> tuple[Any, ...] | None:
    """(cost, gradient) of contiguous logits (N, K) or (K,); None where they have to go the way for all, wrong targets too."""
    try:
        found = _planned(z.shape, z.strides, z.dtype, y.shape, y.strides, y.dtype, tuple(options), *options.values())
    except TypeError:  # an option that cannot be kept, an array say
        return None
    if found is None:
        return None
    plan, rows, dtype = found
    cost, grad = np.empty(rows, dtype), pages.empty_like(z) if graded else None
    fine = run(plan, address(z), address(y), 0, address(cost), 0 if grad is None else address(grad))
    return (cost[()], grad) if fine else None


@lru_cache(maxsize=256, typed=True)
def _planned(
    shape: Any, strides: Any, dtype: Any, y_shape: Any, y_strides: Any, y_dtype: Any, names: Any, *values: Any
) -> tuple[Plan, tuple[int, ...], Any] | None:
    """The plan, and the cost's shape and dtype."""
    if not 1 <= len(shape) <= 2 or 0 in shape or not dtype.isnative or y_dtype != np.int64 or y_strides not in ((), (8,)):
        return None
    like, y_like = (
        np.lib.stride_tricks.as_strided(np.empty(1, d), s, t)
        for d, s, t in ((dtype, shape, strides), (y_dtype, y_shape, y_strides))
    )
    try:
        options = Options.of(dict(zip(names, values, strict=True)))
        problem = read(like, y_like, options)
    except XentError:
        return None
    if not (problem.hard and like.flags.c_contiguous and options.axis is None and cpu_batch.knows(options, True)):
        return None
    storage = dtype_name(like)
    size, k = STORAGE[storage], shape[-1]
    steps = (k * size if len(shape) == 2 else 0), size
    return (
        plan(storage, (*steps, y_like.size, k), options, steps),
        y_shape if options.reduction == "none" else (),
        np.dtype(computed(storage)),
    )


def grain(n: int, k: int, portion: int, each: int) -> int:
    """The rows of a part: so many parts for each thread, fewer where they would have fewer logits, and all of one size."""
    workers = threads()
    parts = min(each * workers, n * k // portion) // workers * workers or 1
    return -(-n // (parts * cpu_columns.LANES)) * cpu_columns.LANES if n >= parts * cpu_columns.LANES else -(-n // parts) or 1
