"""The fused twin of `plain` for NumPy arrays, and for the memory of other libraries seen through NumPy: Numba, in threads.

`fused` is the whole of it for whoever has arrays to be written to: it takes logits of any strides, 16-bit ones as uint16 with
the name of their type, writes cost and gradient where it is told (over the logits, if wanted), and multiplies each row's gradient
by a number of its own. Long rows go to `cpu_rows`, where a row is a vector; rows of few classes to `cpu_columns`, where a vector
is made of rows; `cpu_blocks` has the loops that both are made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite.binding import get_host_cpu_name

from xent.arrays import Array, dtype_name, quiet
from xent.costs import Focal, GeneralizedLq, Poly
from xent.memory import STORAGE, address, aligned, computed
from xent.ops import cpu_batch, cpu_blocks, cpu_columns, cpu_rows, pages, plain, reduction
from xent.ops.cpu_batch import GRAIN
from xent.ops.inputs import Problem, check_not_empty, check_values, slack
from xent.ops.options import Options
from xent.threads import share_out, threads, together

SHAPES = {type(None): (cpu_blocks.PLAIN, ""), Focal: (cpu_blocks.FOCAL, "gamma"), Poly: (cpu_blocks.POLY, "epsilon"),
          GeneralizedLq: (cpu_blocks.LQ, "q")}  # fmt: skip
CACHED, FAR = 1 << 24, 1 << 26
"""Bytes of gradient that may still be in a cache when it is read next: CACHED in any case; FAR are in none, if not just zeroed."""
STREAMED = get_host_cpu_name().startswith("znver")
"""Whether fresh memory, zeroed by the system, is in no cache, as on AMD's processors (docs/log.md)."""
PORTION = GRAIN // 2
"""Logits of a part that costs no more to take than to count to it."""
LOOKS = 50_000
"""How often a thread that is done looks whether the others are, before it sleeps: about a millisecond."""
NONE = np.zeros(0, np.int64)
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
    few = cpu_columns.knows(options, True, z.shape[-1])
    return few or all(v is None or v.strides[-1] == v.itemsize for v in (z, grad))


def at_once(
    z: np.ndarray, target: np.ndarray, options: Options, *, grad: np.ndarray | None, weight: np.ndarray | None, storage: str
) -> Any:
    """The reduced cost of class indices, and the gradient in `grad`, each part in one call; None if a target is none.

    Arguments as in `fused`, where `straight` holds.
    """
    k, dtype = z.shape[-1], np.dtype(computed(storage))
    few = cpu_columns.knows(options, True, k)
    y, weight = np.ascontiguousarray(target, np.int64), None if weight is None else np.ascontiguousarray(weight, dtype)
    z_at, z_row, z_class = _steps(z)
    g_at, g_row, g_class = (0, 0, 0) if grad is None else _steps(grad)
    y_at, w_at = address(y), 0 if weight is None else address(weight)
    n, choices, how = y.size, cpu_batch.choices(options), cpu_batch.REDUCTIONS[options.reduction]
    cost = np.empty(y.shape if how == cpu_batch.NONE else (), dtype)
    if n * k < GRAIN:
        loop = cpu_batch.kernel(storage, few)
        odd = loop(z_at, z_row, z_class, n, k, y_at, w_at, *choices, how, 1.0, False, address(cost), g_at, g_row, g_class)
        return None if odd else cost[()]
    where, steps = (z_at, y_at, w_at, address(cost), g_at), (g_row, g_class)
    held = [z, y, weight, grad, cost]
    past = grad is not None and g_at != z_at and past_caches(grad.nbytes, g_at)
    found = in_parts((storage, few), (z_row, z_class, n, k), choices, how, past, where, steps, held)
    return found if found is None or how != cpu_batch.NONE else cost


def in_parts(key: Any, sizes: Any, choices: Any, how: int, past: bool, where: Any, steps: Any, held: list[Any]) -> Any:
    """`at_once` by addresses, in threads: the sum or the mean of the costs, None if a target is none.

    key      storage type, and whether rows are of few classes
    sizes    bytes from row to row of the logits and from class to class; rows; classes
    where    the addresses of logits, targets, weights (0 for none), costs (used where nothing is reduced), gradient (0 for none)
    steps    as the first two sizes, of the gradient
    held     what has that memory: whoever is still at work when Ctrl-C ends the call keeps it; let go of when all is done
    """
    n, k = sizes[2:]
    z, y, weight, cost, g = where
    rows, state = _grain(n, k, PORTION, 16), np.zeros(len(cpu_batch.STATE), np.int64)
    sums = np.zeros(-(-n // rows))
    given = (z, *sizes, y, weight, *choices, how, past, cost, g, *steps, rows, address(state), address(sums))
    loop = cpu_batch.shared(*key)

    def work(i: int, _held: Any = (held, state, sums)) -> None:
        loop(*given, i == 0, LOOKS)

    together(work, min(threads(), sums.size), lambda: state[cpu_batch.DONE] == n)
    held.clear()
    if state[cpu_batch.ODD]:
        return None
    with quiet():
        return np.dtype(computed(key[0])).type(sums.sum() / state.view(np.float64)[cpu_batch.BY])


def _steps(x: np.ndarray) -> tuple[int, int, int]:
    """Where a mergeable array begins, and the bytes from row to row and from class to class."""
    return address(x), x.strides[-2] if x.ndim > 1 else 0, x.strides[-1]


def past_caches(size: int, at: int) -> bool:
    """Whether a gradient of so many bytes is better written past the caches: too large for them, and no pages just zeroed."""
    return size > CACHED and (STREAMED or (size >= FAR and pages.written(at)))


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


def fused_in_spans(
    z: np.ndarray, span: int, rows: slice, target: np.ndarray, options: Options, *,
    cost: np.ndarray, scale: Any, weight: Any, stats: np.ndarray, here: bool,
) -> bool:  # fmt: skip
    """`fused` with the gradient over the logits z (n, K), whose memory holds all rows of `span` classes, then of the next.

    The rows that are meant are `rows`; target, cost, scale and stats are theirs.
    """
    scale = np.ones(1, cost.dtype) if scale is None else np.ascontiguousarray(scale, cost.dtype).reshape(-1)
    return _rows(z, target, options, cost, z, scale, weight, dtype_name(z), stats, here, span, rows.start)


def _rows(
    z: Any, y: Any, options: Options, cost: Any, grad: Any, scale: Any, weight: Any, storage: str, stats: Any, here: bool,
    span: int = 0, first: int = 0,
) -> bool:  # fmt: skip
    """`fused` for a matrix; with spans, for as many of its rows as there are costs, from `first` on."""
    n, k, size, dtype = len(cost), z.shape[1], STORAGE[storage], cost.dtype
    hard, real, classes = y.ndim == 1, dtype.type, options.valid_classes or z.shape[1]
    kind, parameter = SHAPES[type(options.shape)]
    weight = None if weight is None else np.ascontiguousarray(weight, dtype)
    past = grad is not None and address(grad) != address(z) and past_caches(grad.nbytes, address(grad))
    shared = (
        0 if weight is None else address(weight), classes, k - classes, options.ignore_index,
        past, int(scale.size > 1),
        real(slack(y, cost)), real(options.label_smoothing), real(options.z_loss), real(options.softcap or 0),
        real(options.temperature), kind, real(getattr(options.shape, parameter) if parameter else 0),
    )  # fmt: skip
    few = not span and cpu_columns.knows(options, hard, classes)
    loop = (cpu_columns if few else cpu_rows).kernel(storage)
    scratch_size = cpu_columns.scratch_size(classes) if few else cpu_rows.scratch_size(classes, not hard)
    apart = not few and any(v is not None and k > 1 and v.strides[1] != size for v in (z, grad))
    y = np.ascontiguousarray(y, np.int64) if hard else y
    wrong: list[int] = []

    def run(start: int, stop: int) -> None:
        own = slice(start, stop)
        zs, gs = (z, grad) if span else (z[own], None if grad is None else grad[own])
        if apart:
            zs, gs = np.ascontiguousarray(zs), None if gs is None else np.empty(zs.shape, zs.dtype)
        ys = y[own]
        if not hard and (ys.dtype != dtype or ys.strides[1] != dtype.itemsize):
            ys = np.ascontiguousarray((ys.astype(np.uint32) << 16).view(np.float32) if ys.dtype == np.uint16 else ys, dtype)
        where = (
            address(zs), zs.strides[0], *((0, 0) if hard else (address(ys), ys.strides[0])),
            *((0, 0) if gs is None else (address(gs), gs.strides[0])),
        )  # fmt: skip
        job, scratch = cpu_rows.Job._make((*where, *shared, span, len(z), first + start)), aligned(scratch_size, dtype)
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
        piece = max(16, PIECE // (k * size)) if apart else stop - start
        for first in range(start, stop, max(piece, 1)):
            run(first, min(first + piece, stop))

    if here:
        work(0, n)
    else:
        share_out(work, n, _grain(n, k, GRAIN, 4))
    return not wrong


def _grain(n: int, k: int, portion: int, each: int) -> int:
    """The rows of a part: so many parts for each thread, fewer where they would have fewer logits, and all of one size."""
    workers = threads()
    parts = min(each * workers, n * k // portion) // workers * workers or 1
    return -(-n // (parts * cpu_columns.LANES)) * cpu_columns.LANES if n >= parts * cpu_columns.LANES else -(-n // parts) or 1


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
