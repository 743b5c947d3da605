"""What people call: linear cross-entropy, checked here and handed to the path that is made for the array's library."""

from __future__ import annotations

from typing import Any, Unpack

from xent.arrays import Array, Numbers, library, quiet
from xent.ops import reduction
from xent.ops.inputs import check_not_empty
from xent.ops.linear import plain
from xent.ops.linear.inputs import MEMORY, Linear, check, read
from xent.ops.options import Choices, Options


def linear_cross_entropy(
    hidden: Array, weight: Array, target: Numbers, /, bias: Array | None = None, *, memory: int = MEMORY, **options: Unpack[Choices]
) -> Any:
    """`cross_entropy(hidden @ weight.T + bias, target, **options)`, without ever holding the logits.

    hidden  floats of shape (…, d): what the last layer is given
    weight  (K, d), one row a class, as in PyTorch's Linear; bias (K,) or None
    target  class indices: integers of shape (…); or probabilities: floats of shape (…, K)
    memory  how many bytes of scratch may be used beyond the arrays that come and go; 64 MiB if nothing is said

    hidden, weight and target are given by place, so that the keyword `weight=` is that of `cross_entropy`, one number per class;
    so are all other keywords but axis, which means nothing here. Rows go through in chunks that fit into `memory`. The result is
    that of `cross_entropy`, to rounding, its gradients are in `linear_cross_entropy_and_grad`.

    Raises as `cross_entropy` does, and InputError for a memory that does not hold one row of logits.
    Reference: Wijmans et al. (2025), "Cut Your Losses in Large-Vocabulary Language Models".

    >>> import numpy as np
    >>> h, W, y = np.ones((3, 2)), np.asarray([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]), np.asarray([0, 1, 2])
    >>> linear_cross_entropy(h, W, y, reduction="none").round(3)
    array([4.036, 4.036, 0.036])
    """
    linear = read(hidden, weight, target, bias, memory, Options.of(options))
    cost, _, stats = run(linear, (False, False, False))
    return (cost, stats) if linear.each.stats else cost


def linear_cross_entropy_and_grad(
    hidden: Array, weight: Array, target: Numbers, /, bias: Array | None = None, *, memory: int = MEMORY, **options: Unpack[Choices]
) -> tuple[Any, ...]:
    """(cost, (∂hidden, ∂weight, ∂bias)), with `stats` (cost, gradients, statistics); the rest as in `linear_cross_entropy`.

    The gradients have the arrays' shapes and dtype; ∂bias is None without a bias. 16-bit gradients are summed in float32, which
    takes a float32 array of each one's shape besides `memory`, and rounded once. With reduction='none' they are those of the sum
    of all rows, since the weights are shared by the rows.

    >>> import numpy as np
    >>> cost, (by_hidden, by_weight, by_bias) = linear_cross_entropy_and_grad(np.ones((1, 2)), np.zeros((2, 2)), np.asarray([0]))
    >>> by_weight, by_bias
    (array([[-0.5, -0.5], [ 0.5,  0.5]]), None)
    """
    linear = read(hidden, weight, target, bias, memory, Options.of(options))
    cost, grads, stats = run(linear, (True, True, linear.bias is not None))
    return (cost, grads, stats) if linear.each.stats else (cost, grads)


def run(linear: Linear, wants: plain.Wants) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The reduced cost, the gradients that are wanted and the statistics, shaped as the arguments."""
    xp = linear.whole.xp
    with quiet():
        costs, stats, grads = through(linear, wants, reduction.scale(linear.whole) if any(wants) else None)
        cost = reduction.reduced(linear.whole, xp.reshape(costs, linear.lead))
    shapes = (*linear.lead, linear.weight.shape[1]), linear.weight.shape, linear.weight.shape[:1]
    grads = [
        g if g is None else xp.reshape(xp.astype(g, linear.weight.dtype, copy=False), s) for g, s in zip(grads, shapes, strict=True)
    ]
    return cost, tuple(grads), {name: xp.reshape(v, linear.lead) for name, v in stats.items()}


def through(linear: Linear, wants: plain.Wants, scale: Any) -> tuple[Any, dict[str, Any], list[Any]]:
    """`plain.through` or its fused twin, for what that knows."""
    check_not_empty(linear.whole)
    given = [x for x in (linear.hidden, linear.weight, linear.bias) if x is not None]
    if library(linear.hidden) == "numpy" and all(x.dtype.isnative for x in given):
        from xent.ops.linear import cpu  # Numba is loaded when first used

        if cpu.knows(linear):
            return cpu.through(linear, wants, scale)
    check(linear)
    return plain.through(linear, wants, scale)
