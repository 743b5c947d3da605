"""What people call: cross-entropy on logits, checked here and handed to the path that is made for the array's library."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from xent.arrays import Array, Numbers, library
from xent.ops import plain
from xent.ops.inputs import Problem, check_values, read
from xent.ops.options import Choices, Options


def cross_entropy(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> Any:
    """The cross-entropy of class indices or distributions, on logits: PyTorch's `F.cross_entropy`, exact, with more options.

    logits  floats, shape (…, K), classes on the last axis, or on `axis=`, which is said where there are three axes or more
    target  class indices: integers of the logits' shape without the class axis; or probabilities: floats of their shape

    Keywords are those of `Options`, with PyTorch's names and defaults where it has them: weight, ignore_index, label_smoothing,
    reduction, and z_loss, softcap, temperature, shape, denominator, on_empty, valid_classes, stats, axis.

    The result is an array of the same library: without axes for reduction mean and sum, of the target's rows for none; in the
    logits' dtype, in float32 for 16-bit logits. With `stats` it is a pair, the second a dictionary of arrays by name.

    Raises ShapeError, TargetError, ArrayKindError and InputError for what does not fit; inside jit and vmap, where no value can
    be looked at, a wrong target costs nan. Nothing is changed in place.
    Hard targets in float64 are within 8 ulp of 50-digit arithmetic for |z| ≤ 700.
    Reference: Bridle (1990), for softmax with cross-entropy.

    >>> import numpy as np
    >>> logits = np.asarray([[20.0] + [0.0] * 9], dtype=np.float32)  # surely right: log-sum-exp minus the logit is 0 here
    >>> print(f"{cross_entropy(logits, np.asarray([0])):.3g}")
    1.86e-08
    >>> cost, stats = cross_entropy(logits, np.asarray([3]), stats=("rank", "margin"))
    >>> float(cost), int(stats["rank"][0]), float(stats["margin"][0])
    (20.0, 3, -20.0)
    """
    if type(logits) is type(target) is np.ndarray and (usual := _usual(logits, target, options, False)):
        return usual[0]
    problem = read(logits, target, Options.of(options))
    cost, stats = _path(problem).cross_entropy(problem)
    return (cost, stats) if problem.options.stats else cost


def cross_entropy_and_grad(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> tuple[Array, ...]:
    """(cost, ∂cost/∂logits), with `stats` (cost, gradient, statistics); everything else as in `cross_entropy`.

    The gradient has the logits' shape and dtype. With reduction='none' its row i is the gradient of cost i.

    >>> import numpy as np
    >>> cost, grad = cross_entropy_and_grad(np.zeros((1, 4)), np.asarray([1]))
    >>> grad
    array([[ 0.25, -0.75,  0.25,  0.25]])
    """
    if type(logits) is type(target) is np.ndarray and (usual := _usual(logits, target, options, True)):
        return usual
    problem = read(logits, target, Options.of(options))
    cost, grad, stats = _path(problem).cross_entropy_and_grad(problem)
    grad = problem.back(grad)
    return (cost, grad, stats) if problem.options.stats else (cost, grad)


def _usual(logits: Any, target: Any, options: Any, graded: bool) -> tuple[Any, ...] | None:
    from xent.ops import cpu_usual  # Numba is loaded when first used

    return cpu_usual.of_arrays(logits, target, options, graded)


def _path(problem: Problem) -> Any:
    """The fused twin for what it knows, else the plain one, which wants the values checked beforehand."""
    if library(problem.logits) == "numpy" and problem.logits.dtype.isnative:
        from xent.ops import cpu  # Numba is loaded when first used

        if cpu.knows(problem.options, problem.hard):
            return cpu
    check_values(problem)
    return plain
