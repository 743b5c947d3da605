"""The usual batch without ceremony: class indices on rows of logits, by `cpu_batch`, for whoever has addresses.

At 32 × 10 the kernel takes 4 µs, and at 65,536 × 10 what is around it still a third of the time: nothing may be looked at twice.
What follows from layouts and options is a `Plan`, worked out once and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from xent.arrays import dtype_name
from xent.errors import XentError
from xent.memory import STORAGE, address, computed
from xent.ops import cpu_batch, cpu_columns, pages
from xent.ops.cpu_batch import GRAIN
from xent.ops.inputs import read
from xent.ops.options import Options
from xent.threads import threads, together

PORTION = GRAIN // 2
"""Logits of a part that costs no more to take than to count to it."""
LOOKS = 50_000
"""How often a thread that is done looks whether the others are, before it sleeps: about a millisecond."""


class Plan(NamedTuple):
    """What is known of a batch before its numbers are."""

    loop: Callable[..., int] | None
    """The whole batch, where a second thread would not be worth it."""
    shared: Callable[..., None]
    """The batch for each of several threads."""
    closed: Callable[..., int]
    """What makes one cost of their sums."""
    sizes: tuple[int, int, int, int]
    """Bytes from row to row and from class to class; rows; classes."""
    choices: tuple[int, float, float]
    """The class that is ignored, smoothing, z-loss."""
    reduction: int
    steps: tuple[int, int]
    """Of the gradient, in bytes, as the first two sizes."""
    bytes: int
    """Of the whole gradient."""
    part: int
    """Rows that a thread takes at a time."""


def plan(storage: str, sizes: tuple[int, int, int, int], options: Options, steps: tuple[int, int]) -> Plan:
    """How to go about a batch of one storage type; `cpu_batch` knows the options."""
    n, k = sizes[2:]
    few = cpu_columns.knows(options, True, k)
    return Plan(
        loop=cpu_batch.kernel(storage, few) if n * k < GRAIN else None,
        shared=cpu_batch.shared(storage, few),
        closed=cpu_batch.closed(computed(storage)),
        sizes=sizes,
        choices=cpu_batch.choices(options),
        reduction=cpu_batch.REDUCTIONS[options.reduction],
        steps=steps,
        bytes=n * k * STORAGE[storage],
        part=grain(n, k, PORTION, 16),
    )


def run(plan: Plan, where: tuple[int, int, int, int, int], held: list[Any]) -> bool:
    """Cost and gradient of a batch, written; false if a target is none.

    where    the addresses of logits, targets (int64 side by side), weights (0 for none), cost, gradient (0 for none)
    held     what has that memory: whoever is still at work when Ctrl-C ends the call keeps it; let go of when all is done
    """
    z, y, weight, cost, g = where
    if plan.loop is not None:
        return not plan.loop(z, *plan.sizes, y, weight, *plan.choices, plan.reduction, 1.0, False, cost, g, *plan.steps)
    n = plan.sizes[2]
    parts, size = -(-n // plan.part), len(cpu_batch.STATE)
    state = np.zeros(size + parts, np.int64)
    at, sums = address(state), address(state) + 8 * size
    past = g not in (0, z) and pages.past_caches(plan.bytes, g)
    given = (z, *plan.sizes, y, weight, *plan.choices, plan.reduction, past, cost, g, *plan.steps, plan.part, at, sums)

    def work(i: int, _held: Any = (held, state)) -> None:
        plan.shared(*given, i == 0, LOOKS)

    together(work, min(threads(), parts), lambda: state[cpu_batch.DONE] == n)
    held.clear()
    return not plan.closed(at, sums, parts, plan.reduction, cost)


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
    where = (address(z), address(y), 0, address(cost), 0 if grad is None else address(grad))
    return (cost[()], grad) if run(plan, where, [z, y, cost, grad]) else None


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
