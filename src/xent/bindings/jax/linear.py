"""Linear cross-entropy on JAX arrays: a scan over chunks of rows, so that only a chunk's logits ever exist.

Each chunk is computed again when its derivatives are asked for (jax.checkpoint), so a derivative of any order and kind holds no
more than the cost does. `linear_cross_entropy_and_grad` makes the gradient on the way, with three products where grad takes four.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from types import SimpleNamespace
from typing import Any, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from xent.arrays import Array, is_concrete, widen
from xent.bindings.jax.logits import call, compiled, known, options_of, own, rules
from xent.ops import plain, reduction
from xent.ops.linear.inputs import MEMORY, Linear, check, read
from xent.ops.options import Choices, Options

COPIES = 3
"""Arrays of a chunk's size that XLA holds at once: the logits, δ, and what of them it does not fuse."""


def linear_cross_entropy(
    hidden: Array, weight: Array, target: Array, /, bias: Any = None, *, memory: int = MEMORY, **options: Unpack[Choices]
) -> Any:
    """`xent.linear_cross_entropy` for JAX: the same arguments, result and errors; differentiable as `cross_entropy` is.

    `memory` bounds the chunks; XLA, which places the arrays, may hold another copy of one.

    >>> import jax
    >>> h, W, y = jax.numpy.ones((3, 2)), jax.numpy.eye(2), jax.numpy.asarray([0, 1, 1])
    >>> print(f"{linear_cross_entropy(h, W, y):.4f}")
    0.6931
    """
    cost, stats = _run(_cost, hidden, weight, target, bias, memory, options)
    return (cost, stats) if stats else cost


def linear_cross_entropy_and_grad(
    hidden: Array, weight: Array, target: Array, /, bias: Any = None, *, memory: int = MEMORY, **options: Unpack[Choices]
) -> tuple[Any, ...]:
    """`xent.linear_cross_entropy_and_grad` for JAX: (cost, (∂hidden, ∂weight, ∂bias)), with `stats` a third.

    >>> cost, (by_hidden, by_weight, by_bias) = linear_cross_entropy_and_grad(
    ...     jax.numpy.ones((1, 2)), jax.numpy.zeros((2, 2)), jax.numpy.asarray([0])
    ... )
    >>> by_weight.tolist(), by_bias
    ([[-0.5, -0.5], [0.5, 0.5]], None)
    """
    cost, grads, stats = _run(_cost_and_grad, hidden, weight, target, bias, memory, options)
    return (cost, grads, stats) if stats else (cost, grads)


def _run(function: Any, hidden: Any, weight: Any, target: Any, bias: Any, memory: Any, choices: Any) -> Any:
    options = options_of(choices)
    arrays = [x if x is None else own(x) for x in (hidden, weight, target, bias)]
    _check(arrays, memory, options)
    return (compiled if known(options) else call)(function, memory, options.static, *arrays, options.weight, options.denominator)


def _check(arrays: list[Any], memory: Any, options: Options) -> None:
    """Shapes always, targets where they are known; the logits that they belong to exist in shape only, in no memory."""
    known: list[Linear] = []

    def seen(*traced: Any) -> None:
        h, w, y, b = traced
        linear = read(h, w, y, b, memory, options)
        next(linear.chunks(COPIES * w.shape[0] * linear.itemsize), None)
        known.append(linear)

    if any(not isinstance(x, jax.Array) for x in arrays if x is not None):
        read(arrays[0], arrays[1], arrays[2], arrays[3], memory, options)  # an error, which says what came
    jax.eval_shape(seen, *arrays)
    linear, target = known[0], arrays[2]
    if is_concrete(target):
        shapes: Any = [SimpleNamespace(shape=x.shape, dtype=x.dtype) for x in (linear.hidden, linear.weight, linear.whole.logits)]
        with jax.ensure_compile_time_eval():
            rows = jnp.reshape(target, linear.target.shape)
            check(Linear(shapes[0], shapes[1], None, rows, replace(linear.whole, logits=shapes[2], target=target), linear.memory))


def _linear(memory: int, options: Options, h: Array, w: Array, y: Array, b: Array | None, cw: Any, denominator: Any) -> Linear:
    return read(h, w, y, b, memory, replace(options, weight=cw, denominator=denominator))


def _chunked(linear: Linear) -> tuple[int, Any]:
    """The rows of a chunk, and a function that cuts an array of rows into chunks: the last one is filled up with its last row."""
    n = linear.hidden.shape[0]
    first = next(linear.chunks(COPIES * linear.weight.shape[0] * linear.itemsize), slice(0, 1))
    rows = first.stop - first.start

    def cut(x: Array) -> Array:
        filled = jnp.pad(x, [(0, -n % rows), *[(0, 0)] * (x.ndim - 1)], mode="edge") if n % rows else x
        return jnp.reshape(filled, (filled.shape[0] // rows, rows, *x.shape[1:]))

    return rows, cut


def _joined(linear: Linear, x: Array) -> Array:
    """Chunks of one number a row as the rows that came."""
    return jnp.reshape(jnp.reshape(x, (-1,))[: prod(linear.lead)], linear.lead)


def _cost(memory: int, options: Options, *arrays: Any) -> Any:
    linear = _linear(memory, options, *arrays)
    costs, _ = rules(linear.whole.hard, linear.each.static)
    _, cut = _chunked(linear)
    w, b, cw = widen(linear.weight, jnp), linear.bias, linear.whole.weight

    @jax.checkpoint
    def chunk(h: Array, y: Array) -> Any:
        z = widen(h, jnp) @ w.T + (0.0 if b is None else widen(b, jnp))
        part = replace(linear.whole, logits=z, target=y, options=linear.each)
        return costs(z, y, cw), plain.statistics(part)

    each, stats = lax.map(lambda rows: chunk(*rows), (cut(linear.hidden), cut(linear.target)))
    return reduction.reduced(linear.whole, _joined(linear, each)), {name: _joined(linear, v) for name, v in stats.items()}


def _cost_and_grad(memory: int, options: Options, *arrays: Any) -> Any:
    linear = _linear(memory, options, *arrays)
    costs, deltas = rules(linear.whole.hard, linear.each.static)
    (n, d), (rows, cut) = linear.hidden.shape, _chunked(linear)
    w, b, cw = widen(linear.weight, jnp), linear.bias, linear.whole.weight
    by = reduction.scale(linear.whole)
    by = jnp.broadcast_to(jnp.ones((), linear.whole.dtype) if by is None else by, (n,))

    def chunk(sums: Any, some: Any) -> Any:
        h, y, scale = some
        h = widen(h, jnp)
        z = h @ w.T + (0.0 if b is None else widen(b, jnp))
        part = replace(linear.whole, logits=z, target=y, options=linear.each)
        delta = reduction.scaled(part, deltas(z, y, cw), scale)
        sums = (sums[0] + delta.T @ h, sums[1] + jnp.sum(delta, axis=0))
        return sums, ((delta @ w).astype(linear.hidden.dtype), costs(z, y, cw), plain.statistics(part))

    scales = jnp.reshape(jnp.pad(by, (0, -n % rows)), (-1, rows))  # what fills up the last chunk counts nothing
    start = jnp.zeros(w.shape, w.dtype), jnp.zeros(w.shape[:1], w.dtype)
    (by_weight, by_bias), (by_hidden, each, stats) = lax.scan(chunk, start, (cut(linear.hidden), cut(linear.target), scales))
    cost = reduction.reduced(linear.whole, _joined(linear, each))
    by_hidden = jnp.reshape(jnp.reshape(by_hidden, (prod(by_hidden.shape[:2]), d))[:n], (*linear.lead, d))
    grads = by_hidden, by_weight.astype(linear.weight.dtype), None if b is None else by_bias.astype(b.dtype)
    return cost, grads, {name: _joined(linear, v) for name, v in stats.items()}
