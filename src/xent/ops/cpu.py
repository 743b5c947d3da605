"""The fused twin of `plain` for NumPy arrays, and for the memory of other libraries seen through NumPy: Numba, in threads.

`fused` is the whole of it for whoever has arrays to be written to: it takes logits of any strides, 16-bit ones as uint16 with
the name of their type, writes cost and gradient where it is told (over the logits, if wanted), and multiplies each row's gradient
by a number of its own. Long rows go to `cpu_rows`, where a row is a vector; rows of few classes to `cpu_columns`, where a vector
is made of rows; `cpu_blocks` has the loops that both are made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.arrays import Array, dtype_name, quiet
from xent.costs import Focal, GeneralizedLq, Poly
from xent.memory import STORAGE, address, aligned, computed
from xent.ops import cpu_batch, cpu_blocks, cpu_columns, cpu_rows, cpu_usual, pages, plain, reduction
from xent.ops.cpu_batch import GRAIN
from xent.ops.inputs import Problem, check_not_empty, check_values, slack
from xent.ops.options import Options
from xent.threads import share_out

SHAPES = {type(None): (cpu_blocks.PLAIN, ""), Focal: (cpu_blocks.FOCAL, "gamma"), Poly: (cpu_blocks.POLY, "epsilon"),
          GeneralizedLq: (cpu_blocks.LQ, "q")}  # fmt: skip
NONE = np.zeros(0, np.int64)
UNIT = 64
"""Classes of which whole multiples make a span."""
PIECE = 1 << 20
"""Bytes of logits that are copied at a time where the classes do not lie side by side."""


def knows(options: Options, hard: bool) -> bool:
    """Whether these options are fused: all but a φ of the user's own, and φ on smoothed or probability targets."""
    return type(options.shape) in SHAPES and (options.shape is None or (hard and options.label_smoothing == 0))


def cross_entropy(problem: Problem) -> tuple[Array, dict[str, Array]]:
    """As `plain.cross_entropy`, for NumPy arrays."""
    return _computed(problem, None)


def cross_entropy_and_grad(problem: Problem) -> tuple[Array, Array, dict[str, Array]]:
    """As `plain.cross_entropy_and_grad`, for NumPy arrays."""
    grad = pages.empty_like(problem.logits)
    cost, stats = _computed(problem, grad)
    return cost, grad, stats


def _computed(problem: Problem, grad: Any) -> tuple[Array, dict[str, Array]]:
    """The cost and the statistics of the batch; its gradient in `grad`, if there is one."""
    options, storage = problem.options, dtype_name(problem.logits)
    z, written = (v.view(np.uint16) if storage == "bfloat16" and v is not None else v for v in (problem.logits, grad))
    if problem.hard and straight(z, written, options):
        cost = at_once(z, problem.target, options, grad=written, weight=problem.weight, storage=storage)
        if cost is None:
            check_values(problem)
        return cost, {}
    check_not_empty(problem)
    costs = np.empty(z.shape[:-1], computed(storage))
    by_row = problem.hard and bool(options.stats)
    table = np.empty((costs.size if by_row else 0, len(cpu_rows.STATISTICS)), costs.dtype)
    with quiet():
        by = reduction.divisor(problem)
        scale = None if grad is None else reduction.scale(problem, by)
        asked: Any = {"cost": costs, "grad": written, "scale": scale, "weight": problem.weight, "storage": storage, "stats": table}
        if not fused(z, problem.target, options, **asked):
            check_values(problem)
        stats = named(table, options.stats, costs.shape) if by_row else plain.statistics(problem)
        return reduction.reduced(problem, costs, by), stats


def straight(z: np.ndarray, grad: np.ndarray | None, options: Options) -> bool:
    """Whether `at_once` has these options, on a matrix like this one."""
    if not z.size or not cpu_batch.knows(options, True) or not all(v is None or _mergeable(v) for v in (z, grad)):
        return False
    few = cpu_columns.knows(options, True, z.shape[-1], z.itemsize)
    return few or all(v is None or v.strides[-1] == v.itemsize for v in (z, grad))


def at_once(
    z: np.ndarray, target: np.ndarray, options: Options, *, grad: np.ndarray | None, weight: np.ndarray | None, storage: str
) -> Any:
    """The reduced cost of class indices, and the gradient in `grad`, each part in one call; None if a target is none.

    Arguments as in `fused`, where `straight` holds.
    """
    dtype = np.dtype(computed(storage))
    y, weight = np.ascontiguousarray(target, np.int64), None if weight is None else np.ascontiguousarray(weight, dtype)
    cost = np.empty(np.shape(target) if options.reduction == "none" else (), dtype)  # y has an axis where the target has none
    made = cpu_usual.plan(storage, (*_steps(z), y.size, z.shape[-1]), options, (0, 0) if grad is None else _steps(grad))
    weight_at, grad_at = 0 if weight is None else address(weight), 0 if grad is None else address(grad)
    return cost[()] if cpu_usual.run(made, address(z), address(y), weight_at, address(cost), grad_at) else None


def _steps(x: np.ndarray) -> tuple[int, int]:
    """The bytes from row to row and from class to class of a mergeable array."""
    return x.strides[-2] if x.ndim > 1 else 0, x.strides[-1]


def named(table: np.ndarray, names: Any, shape: tuple[int, ...]) -> dict[str, Array]:
    """The statistics that were asked for, of the columns that `fused` has written."""
    columns = {name: table[:, i].reshape(shape) for i, name in enumerate(cpu_rows.STATISTICS)}
    columns["rank"] = columns["rank"].astype(np.int32)
    columns["correct"] = columns["rank"] == 0
    return {name: columns[name] for name in names}


def fused(
    z: np.ndarray,
    target: np.ndarray,
    options: Options,
    *,
    cost: np.ndarray,
    grad: np.ndarray | None = None,
    scale: Any = None,
    weight: np.ndarray | None = None,
    storage: str | None = None,
    stats: np.ndarray | None = None,
    here: bool = False,
) -> bool:
    """Cost and gradient of every row, not reduced; false if a target is none (its cost is nan, its gradient not written).

    z       (…, K), any strides; bfloat16 (and float16, if liked) as uint16 or int16, `storage` its name
    target  integers (…) or floats (…, K), as `inputs.read` leaves them; bfloat16 as uint16
    cost    (…), contiguous, in the type computed in (float32 for 16-bit z): written
    grad    z's shape and type, any strides, z itself if wanted: written; None where no gradient is wanted
    scale   what each row's gradient is multiplied by: None for 1, one number, or (…)
    weight  (K,), in the type computed in
    stats   (rows, 7), contiguous, or (0, 7): written, one column for each of `cpu_rows.STATISTICS`; class indices only
    here    by the calling thread alone, which is one of several that share the work
    """
    storage = storage or dtype_name(z)
    dtype = np.dtype(computed(storage))
    stats = np.empty((0, len(cpu_rows.STATISTICS)), dtype) if stats is None else stats
    scale = np.ones(1, dtype) if scale is None else np.ascontiguousarray(scale, dtype).reshape(-1)
    ok, at = True, 0
    for part in _runs(z, None if grad is None else grad):
        rows = z[part].size // z.shape[-1] if part else cost.size
        places = slice(at, at + rows)
        at += rows
        k = z.shape[-1]
        two = [None if v is None else _flat(v[part]) for v in (z, grad)]
        hard = target.ndim < z.ndim
        y = target[part].reshape(-1) if hard else _flat(target[part]) if _mergeable(target[part]) else target[part].reshape(-1, k)
        its = stats[places] if len(stats) else stats
        ok &= _rows(
            two[0], y, options, cost.reshape(-1)[places], two[1], scale[places] if scale.size > 1 else scale, weight, storage, its,
            here,
        )  # fmt: skip
    return ok


def table(spans: list[np.ndarray]) -> np.ndarray:
    """What the kernel is told of logits that lie in spans (n, classes), one after another, each of its own memory.

    All but the last are whole multiples of UNIT, and half a block at least.
    """
    ends = np.cumsum([z.shape[1] for z in spans])
    told = [(address(z) - (end - z.shape[1]) * z.itemsize, z.strides[0], end) for z, end in zip(spans, ends, strict=True)]
    return np.repeat(np.asarray(told, np.int64), [-(-z.shape[1] // UNIT) for z in spans], axis=0)


def fused_in_spans(
    spans: np.ndarray, first: int, target: np.ndarray, options: Options, *,
    cost: np.ndarray, scale: Any, weight: Any, stats: np.ndarray, here: bool,
) -> bool:  # fmt: skip
    """`fused` with the gradient over the logits, in spans as the `table` says.

    The rows that are meant are those from `first` on; target, cost, scale and stats are theirs.
    """
    scale = np.ones(1, cost.dtype) if scale is None else np.ascontiguousarray(scale, cost.dtype).reshape(-1)
    z = np.broadcast_to(cost[:1, None], (len(cost), spans[-1, -1]))
    return _rows(z, target, options, cost, z, scale, weight, dtype_name(z), stats, here, spans, first)


def _rows(
    z: Any, y: Any, options: Options, cost: Any, grad: Any, scale: Any, weight: Any, storage: str, stats: Any, here: bool,
    spans: np.ndarray | None = None, first: int = 0,
) -> bool:  # fmt: skip
    """`fused` for a matrix; with spans, for as many rows as there are costs, from `first` on: there z has but shape and dtype."""
    n, k, size, dtype = len(cost), z.shape[1], STORAGE[storage], cost.dtype
    hard, real, classes = y.ndim == 1, dtype.type, options.valid_classes or z.shape[1]
    kind, parameter = SHAPES[type(options.shape)]
    weight = None if weight is None else np.ascontiguousarray(weight, dtype)
    past = grad is not None and address(grad) != address(z) and pages.past_caches(grad.nbytes, address(grad))
    shared = (
        0 if weight is None else address(weight), classes, k - classes, options.ignore_index,
        past, int(scale.size > 1),
        real(slack(y, cost)), real(options.label_smoothing), real(options.z_loss), real(options.softcap or 0),
        real(options.temperature), kind, real(getattr(options.shape, parameter) if parameter else 0),
    )  # fmt: skip
    few = spans is None and cpu_columns.knows(options, hard, classes, size)
    loop = (cpu_columns if few else cpu_rows).kernel(storage)
    scratch_size = cpu_columns.scratch_size(classes) if few else cpu_rows.scratch_size(classes, not hard, spans is not None)
    lying = (0, 0) if spans is None else (UNIT, address(spans))
    apart = not few and spans is None and any(v is not None and k > 1 and v.strides[1] != size for v in (z, grad))
    y = np.ascontiguousarray(y, np.int64) if hard else y
    other = not hard and (y.dtype != dtype or y.strides[1] != dtype.itemsize)
    wrong: list[int] = []

    def run(start: int, stop: int) -> None:
        own = slice(start, stop)
        zs, gs = z[own], None if grad is None else grad[own]
        if apart:
            zs, gs = np.ascontiguousarray(zs), None if gs is None else np.empty(zs.shape, zs.dtype)
        ys = y[own]
        if other:
            ys = np.ascontiguousarray((ys.astype(np.uint32) << 16).view(np.float32) if ys.dtype == np.uint16 else ys, dtype)
        where = (
            address(zs), zs.strides[0], *((0, 0) if hard else (address(ys), ys.strides[0])),
            *((0, 0) if gs is None else (address(gs), gs.strides[0])),
        )  # fmt: skip
        job, scratch = cpu_rows.Job._make((*where, *shared, *lying, first + start)), aligned(scratch_size, dtype)
        its = scale[own] if scale.size > 1 else scale
        if few:
            steps = zs.strides[1], 0 if gs is None else gs.strides[1]
            found = loop(job, *steps, ys, its, cost[own], 0, stop - start, address(scratch))
        else:
            table = stats[own] if len(stats) else stats
            found = loop(job, ys if hard else NONE, its, cost[own], table, 0, stop - start, address(scratch))
        if found:
            wrong.append(found)
        if apart and gs is not None:
            grad[own] = gs

    def work(start: int, stop: int) -> None:
        piece = PIECE // (k * dtype.itemsize) if other else max(16, PIECE // (k * size)) if apart else stop - start
        for first in range(start, stop, max(piece, 1)):
            run(first, min(first + piece, stop))

    if here:
        work(0, n)
    else:
        share_out(work, n, cpu_usual.grain(n, k, GRAIN, 4))
    return not wrong


def _mergeable(x: np.ndarray) -> bool:
    """Whether all axes but the last are one axis in memory."""
    return all(x.strides[i] == x.strides[i + 1] * x.shape[i + 1] for i in range(x.ndim - 2)) or x.size == 0


def _flat(x: np.ndarray) -> np.ndarray:
    """The matrix of the rows, the same memory; `_mergeable` was asked before."""
    if x.ndim == 2:
        return x
    rows = x.size // x.shape[-1]
    step = x.strides[-2] if x.ndim > 1 else 0
    return np.lib.stride_tricks.as_strided(x, (rows, x.shape[-1]), (step, x.strides[-1]))


def _runs(z: np.ndarray, grad: np.ndarray | None) -> list[tuple[int, ...]]:
    """The leading indices at which z (and the gradient) are matrices of rows: usually one, the empty index."""
    lead: list[tuple[int, ...]] = [()]
    depth = 0
    while not all(v is None or _mergeable(v[(0,) * depth]) for v in (z, grad)):
        lead = [(*index, i) for index in lead for i in range(z.shape[depth])]
        depth += 1
    return lead
