"""What cross-entropy on logits is given, checked at the boundary: what can be seen of shapes and dtypes first, values apart.

`read` looks at no value and so works inside jit, vmap and torch.compile; `check_values` looks, and is called where values can be
seen. Where they cannot, a wrong target costs nan (see `plain`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import array_api_compat as compat

from xent.arrays import Array, as_array, dtype_name, is_bool, is_concrete, is_float, is_integer, moved, namespace, total, widen
from xent.errors import ArrayKindError, InputError, ShapeError
from xent.ops.options import NEVER, Options
from xent.outputs.targets import insist

DTYPES = ("float64", "float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Problem:
    """Logits and targets that fit each other, their class axis last, and the options.

    The logits keep their dtype; `hard` says that the targets are class indices (integers of shape (…)), else they are
    probabilities (floats of shape (…, K)). `weight` is of the dtype that is computed in.
    """

    logits: Array
    target: Array
    hard: bool
    weight: Array | None
    options: Options
    xp: Any

    @property
    def classes(self) -> int:
        """The number of classes that exist."""
        return self.options.valid_classes or int(self.logits.shape[-1])

    @property
    def dtype(self) -> Any:
        """The dtype that is computed in, and that costs have: float32 for 16-bit logits."""
        return self.xp.float32 if dtype_name(self.logits) in ("float16", "bfloat16") else self.logits.dtype

    def back(self, x: Array) -> Array:
        """An array like the logits, its class axis where the caller's is."""
        return x if self.options.axis is None else moved(x, -1, self.options.axis, self.xp)


def read(logits: Any, target: Any, options: Options) -> Problem:
    """The arguments as a Problem; errors say what does not fit. No value is looked at."""
    xp = namespace(logits, target, *(v for v in (options.weight, options.denominator) if compat.is_array_api_obj(v)))
    z = _logits(logits, target, xp)
    y = as_array(target, xp, z)
    axis = _axis(z, options.axis)
    k = z.shape[axis]
    if k == 0:
        raise ShapeError(
            f"cross_entropy needs at least one class, but axis {axis} of the logits, shape {tuple(z.shape)}, is empty."
        )
    if options.valid_classes is not None and options.valid_classes > k:
        raise InputError(f"valid_classes={options.valid_classes}, but the logits have only {k} classes (shape {tuple(z.shape)}).")
    hard = _is_hard(z, y, axis)
    if options.axis is not None and axis != z.ndim - 1:
        z = moved(z, axis, -1, xp)
        y = y if hard else moved(y, axis, -1, xp)
    if hard and dtype_name(y) not in ("int32", "int64"):  # the others hold no −100, or are no places for some libraries
        y = xp.astype(y, xp.asarray(0).dtype)
    problem = Problem(z, y, hard, None, options, xp)
    return problem if options.weight is None else Problem(z, y, hard, _weight(problem), options, xp)


def check_values(problem: Problem) -> None:
    """Raise for targets that are none, as far as values can be seen, and for a batch that is empty against `on_empty='raise'`."""
    check_not_empty(problem)
    y, k, xp, options = problem.target, problem.classes, problem.xp, problem.options
    if not is_concrete(y) or prod(y.shape) == 0:
        return
    if problem.hard:
        ignored = y == options.ignore_index
        ignoring = "" if options.ignore_index == NEVER else f", or are ignore_index={options.ignore_index}"
        rule = f"class indices run from 0 to {k - 1} ({_counted(problem)}){ignoring}"
        insist(y, ignored | ((y >= 0) & (y < k)), rule, xp)
        return
    y = widen(y, xp)
    insist(y, (y >= 0) & xp.isfinite(y), "probability targets are between 0 and 1", xp)
    whole = total(y[..., :k], xp)
    over = "" if options.valid_classes is None else f" that exist ({_counted(problem)})"
    rule = f"probability targets sum to 1 over the classes{over}"
    insist(whole, xp.abs(whole - 1) <= slack(problem.target), rule, xp, what="sum")


def slack(*arrays: Array) -> float:
    """How far from 1 a distribution's sum may be: rounded probabilities do not sum to 1 exactly. The coarsest dtype decides."""
    names = [dtype_name(x) for x in arrays]
    return max(1e-6 if "64" in name else 1e-3 if "32" in name else 1e-2 for name in names)


def check_not_empty(problem: Problem) -> None:
    """Raise for a mean of nothing, where `on_empty='raise'`."""
    y, options, xp = problem.target, problem.options, problem.xp
    if options.on_empty != "raise" or options.reduction != "mean" or options.denominator is not None:
        return
    if not is_concrete(y):
        raise InputError("on_empty='raise' has to look at the targets, which are hidden while a function is compiled or mapped: "
                         "use 'nan' or 'zero' there.")  # fmt: skip
    rows = prod(problem.logits.shape[:-1])
    ignored = y == options.ignore_index
    if problem.hard and problem.weight is not None and is_concrete(problem.weight):
        known = (y >= 0) & (y < problem.classes)
        weights = xp.reshape(xp.take(problem.weight, xp.reshape(xp.where(known, y, 0), (-1,)), axis=0), y.shape)
        ignored = ignored | (known & (weights == 0))
    if rows == 0 or (problem.hard and bool(xp.all(ignored))):
        of_weight = "" if problem.weight is None else " or of a class of weight 0"
        what = "there are no rows" if rows == 0 else f"all {rows} targets are ignore_index={options.ignore_index}{of_weight}"
        raise InputError(f"the mean cost of nothing: {what}, and on_empty='raise' was asked for (nan and zero are the others).")


def _counted(problem: Problem) -> str:
    k, valid = problem.logits.shape[-1], problem.options.valid_classes
    return f"the logits have {k} classes" if valid is None else f"valid_classes={valid} of {k}"


def _logits(logits: Any, target: Any, xp: Any) -> Array:
    """The logits as an array of floats that can be computed with."""
    if compat.is_array_api_obj(logits):
        z = logits
    else:
        z = as_array(logits, xp, target if compat.is_array_api_obj(target) else None)
        z = z if is_float(z) else xp.astype(z, xp.float64)
    if dtype_name(z) not in DTYPES:
        raise ArrayKindError(f"logits are {', '.join(DTYPES)} numbers, but their dtype is {z.dtype}: convert them, to float32 say.")
    return z


def _axis(z: Array, axis: int | None) -> int:
    if z.ndim == 0:
        raise ShapeError("cross_entropy needs a class axis, but the logits are one number.")
    if axis is None and z.ndim > 2:
        raise ShapeError(f"logits of shape {tuple(z.shape)} have {z.ndim} axes: say which one holds the classes, "
                         "axis=-1 for the last, axis=1 for PyTorch's (N, C, …).")  # fmt: skip
    if axis is not None and not -z.ndim <= axis < z.ndim:
        raise ShapeError(f"axis={axis} does not exist: the logits have {z.ndim} axes, shape {tuple(z.shape)}.")
    return -1 if axis is None else axis % z.ndim


def _is_hard(z: Array, y: Array, axis: int) -> bool:
    """Whether the targets are class indices; the dtype decides."""
    axis %= z.ndim
    rows = (*z.shape[:axis], *z.shape[axis + 1 :])
    if is_integer(y) and tuple(y.shape) == tuple(rows):
        return True
    if is_float(y) and tuple(y.shape) == tuple(z.shape):
        return False
    kind = "integers" if is_integer(y) else "booleans" if is_bool(y) else str(y.dtype) if not is_float(y) else "floats"
    raise ShapeError(
        f"logits of shape {tuple(z.shape)} take class indices (integers of shape {tuple(rows)}) or probabilities (floats of "
        f"shape {tuple(z.shape)}), but {kind} of shape {tuple(y.shape)} came. Nothing is broadcast."
    )


def _weight(problem: Problem) -> Array:
    z, xp = problem.logits, problem.xp
    w = as_array(problem.options.weight, xp, z)
    if tuple(w.shape) != (z.shape[-1],):
        raise ShapeError(f"weight is one number per class, shape ({z.shape[-1]},), but shape {tuple(w.shape)} came.")
    if not (is_float(w) or is_integer(w) or is_bool(w)):
        raise ArrayKindError(f"weight is one real number per class, but its dtype is {w.dtype}: convert it, to float32 say.")
    return xp.astype(w, problem.dtype)
