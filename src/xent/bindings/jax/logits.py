"""Cross-entropy on JAX arrays, under jit, grad, jvp, vmap, scan, checkpoint and any mixture of them.

One rule says it all: the tangent of a row's cost is Σ_j δ_j·ż_j, δ in closed form. JAX transposes it for grad, whatever comes
from upstream, and differentiates it again where a second derivative is asked for. The numbers come from `xla`; what the rule
does not know (the derivative of δ, and those by probability targets and class weights) comes from the plain formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from xent.arrays import Array, Numbers, quiet
from xent.bindings.jax import xla
from xent.errors import InputError
from xent.ops import plain, reduction
from xent.ops.inputs import Problem, check_values, read
from xent.ops.options import Choices, Options


def cross_entropy(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> Any:
    """`xent.cross_entropy` for JAX: the same arguments, result and errors; NumPy arrays and numbers are taken as JAX's own.

    Differentiable any number of times, by logits, probability targets, class weights, and through every statistic that is no
    whole number; compiled by itself when called outside of `jax.jit`. What cannot be looked at while it is traced is not
    checked: there a wrong target costs nan.

    >>> import jax
    >>> z = jax.numpy.asarray([[20.0] + [0.0] * 9])
    >>> print(f"{cross_entropy(z, jax.numpy.asarray([0])):.3g}")
    1.86e-08
    >>> jax.grad(cross_entropy)(z, jax.numpy.asarray([0]), reduction="sum")[0, 1] > 0
    Array(True, dtype=bool)
    """
    problem = _problem(logits, target, options)
    cost, stats = _run(_cost, problem)
    return (cost, stats) if problem.options.stats else cost


def cross_entropy_and_grad(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> tuple[Any, ...]:
    """`xent.cross_entropy_and_grad` for JAX: (cost, ∂cost/∂logits), with `stats` (cost, gradient, statistics).

    >>> cost, grad = cross_entropy_and_grad(jax.numpy.zeros((1, 4)), jax.numpy.asarray([1]))
    >>> grad.tolist()
    [[0.25, -0.75, 0.25, 0.25]]
    """
    problem = _problem(logits, target, options)
    cost, grad, stats = _run(_cost_and_grad, problem)
    grad = problem.back(grad)
    return (cost, grad, stats) if problem.options.stats else (cost, grad)


# ── between Python and XLA ─────────────────────────────────────────────────────────────────────────────────────────────


def _problem(logits: Any, target: Any, choices: Any) -> Problem:
    """The arguments, checked as far as they can be seen now."""
    problem = read(own(logits), own(target), options_of(choices))
    with jax.ensure_compile_time_eval():  # what is known is looked at, also while a function around it is traced
        check_values(problem)
    return problem


def options_of(choices: Any) -> Options:
    """The keywords as Options, class weights as JAX's."""
    options = Options.of({name: own(v) if name == "weight" else v for name, v in choices.items()})
    if not -(2**31) <= options.ignore_index < 2**31 and jnp.asarray(0).dtype == jnp.int32:
        raise InputError(f"ignore_index={options.ignore_index} fits no integer of JAX's here, which have 32 bits: take one near 0, "
                         "or switch jax_enable_x64 on.")  # fmt: skip
    return options


def own(x: Any) -> Any:
    """NumPy arrays and numbers as JAX's; masked arrays and other libraries' as they are, for an error that names them."""
    ours = isinstance(x, (np.ndarray, np.generic, int, float, list, tuple)) and not isinstance(x, np.ma.MaskedArray)
    return jnp.asarray(x) if ours else x


def _run(function: Callable[..., Any], problem: Problem) -> Any:
    options = problem.options
    run = compiled if known(options) else call
    return run(function, problem.hard, options.static, problem.logits, problem.target, problem.weight, options.denominator)


def call(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), for `compiled`."""
    return function(*args)


compiled = jax.jit(call, static_argnums=(0, 1, 2))
"""A function of (hard, options, *arrays), compiled for each value of the first two."""


def known(options: Options) -> bool:
    """Whether equal options mean equal formulas: a φ of the caller's own may hold more than its fields, and is not cached."""
    return options.shape is None or type(options.shape).__module__.startswith("xent.")


def _of(hard: bool, options: Options, z: Array, y: Array, w: Array | None, denominator: Any = None) -> Problem:
    return Problem(z, y, hard, w, replace(options, denominator=denominator), jnp)


def _cost(hard: bool, options: Options, z: Array, y: Array, w: Array | None, denominator: Any) -> Any:
    problem = _of(hard, options, z, y, w, denominator)
    stats = plain.statistics(problem) if options.stats else {}
    return reduction.reduced(problem, rules(hard, options)[0](z, y, w)), stats


def _cost_and_grad(hard: bool, options: Options, z: Array, y: Array, w: Array | None, denominator: Any) -> Any:
    problem = _of(hard, options, z, y, w, denominator)
    cost, stats = _cost(hard, options, z, y, w, denominator)
    grad = reduction.scaled(problem, rules(hard, options)[1](z, y, w), reduction.scale(problem))
    return cost, grad.astype(z.dtype), stats


# ── the rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def rules(hard: bool, options: Options) -> tuple[Any, Any]:
    """(costs, deltas) of rows as functions of z, y and w that know their derivatives, whatever is done with the rows."""
    bare = replace(options, denominator=None, reduction="none", stats=(), axis=None, on_empty="nan")  # all that rows depend on
    return _cached_rules(hard, bare) if known(bare) else _make_rules(hard, bare)


def _make_rules(hard: bool, options: Options) -> tuple[Any, Any]:
    problem = partial(_of, hard, options)

    @jax.custom_jvp
    def costs(z: Array, y: Array, w: Array | None) -> Array:
        return xla.costs(problem(z, y, w))

    @jax.custom_jvp
    def deltas(z: Array, y: Array, w: Array | None) -> Array:
        return xla.deltas(problem(z, y, w))

    def costs_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
        (z, y, w), (dz, *others) = primals, tangents
        cost = costs(z, y, w)
        tangent = jnp.zeros_like(cost)
        if not isinstance(dz, SymbolicZero):
            tangent += jnp.sum(deltas(z, y, w) * dz.astype(cost.dtype), axis=-1)
        if not all(isinstance(d, SymbolicZero) for d in others if d is not None):
            tangent += _tangent(lambda z, y, w: plain.costs(problem(z, y, w)), primals, (None, *others))
        kept = reduction.kept(problem(z, y, w))
        return cost, tangent if kept is None else jnp.where(kept, tangent, 0.0)

    def deltas_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
        return deltas(*primals), _tangent(lambda *args: plain.deltas(problem(*args)), primals, tangents)

    costs.defjvp(costs_rule, symbolic_zeros=True)
    deltas.defjvp(deltas_rule, symbolic_zeros=True)
    return costs, deltas


_cached_rules = cache(_make_rules)


def _tangent(f: Callable[..., Array], primals: Any, tangents: Any) -> Array:
    """The tangent of f by those arguments that have one."""
    moving = [i for i, t in enumerate(tangents) if t is not None and not isinstance(t, SymbolicZero)]

    def moved(*some: Array) -> Array:
        args = list(primals)
        for i, x in zip(moving, some, strict=True):
            args[i] = x
        return f(*args)

    with quiet():
        return jax.jvp(moved, tuple(primals[i] for i in moving), tuple(tangents[i] for i in moving))[1]
