"""Cross-entropy on logits laid out for XLA: the twin of `ops.plain` that `bindings.jax` computes with.

The same formulas in the form that XLA fuses: one pass over the logits for the greatest, one for the sums, one for the gradient.
No argmax and no tree of halves, which XLA neither fuses nor vectorises: the greatest logit is known by its value, ties are sorted
out in the sums, and what belongs to a class index is gathered, or computed once a row. Values only: derivatives are the business
of the rules in `jax`, and of the plain formulas where more than the first is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax

from xent.activations import Probability
from xent.activations.softmax import probability
from xent.arrays import Array, difference, widen
from xent.ops import plain, reduction
from xent.ops.inputs import Problem, slack


@dataclass(frozen=True)
class Row:
    """What a softmax makes of each row of the final logits, shapes (…, 1), and what is needed to ask for any of its classes."""

    problem: Problem
    most: Array
    """The greatest logit after the softcap, before the temperature."""
    others: Array
    """R = Σ_{j≠k} e^(z_j − z_k), k the greatest."""
    lse: Array

    def of(self, z: Array) -> Probability:
        """The probability of classes with these logits (after the softcap)."""
        high, low = self.depth(z)
        return probability(z == self.most, high, low, jnp.exp(high) * (1 + low), self.others, jnp)

    def depth(self, z: Array) -> tuple[Array, Array]:
        """How far below the greatest final logit, with the rounding error; exactly 0 at the greatest."""
        return _depth(z, self.most, self.problem.options.temperature)


def costs(problem: Problem) -> Array:
    """As `plain.costs`."""
    row = _row(problem)
    cost = _cost_of_class(row) if _one_class(problem) else _cost_of_shares(row)
    if problem.options.z_loss:
        cost = cost + problem.options.z_loss * row.lse[..., 0] ** 2
    kept = reduction.kept(problem)
    return cost if kept is None else jnp.where(kept, cost, 0.0)


def deltas(problem: Problem) -> Array:
    """As `plain.deltas`."""
    options, row = problem.options, _row(problem)
    p = row.of(_final(problem))
    delta = _delta_of_class(row, p) if _one_class(problem) else _delta_of_shares(row, p)
    if options.z_loss:
        delta = delta + 2 * options.z_loss * row.lse * p.p
    if options.temperature != 1:
        delta = delta / options.temperature
    if options.softcap is not None:
        delta = delta * plain.cap_slope(_given(problem), options.softcap, jnp)
    kept = reduction.kept(problem)
    delta = delta if kept is None else jnp.where(kept[..., None], delta, 0.0)
    padding = problem.logits.shape[-1] - problem.classes
    return jnp.pad(delta, [(0, 0)] * (delta.ndim - 1) + [(0, padding)]) if padding else delta


# ── the softmax ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _given(problem: Problem) -> Array:
    return widen(problem.logits, jnp)[..., : problem.classes]


def _final(problem: Problem) -> Array:
    """The logits after the softcap, of the classes that exist; rows that are ignored hold 0."""
    z, kept = _given(problem), reduction.kept(problem)
    z = z if kept is None else jnp.where(kept[..., None], z, 0.0)
    return plain.capped(z, problem.options.softcap, jnp)


def _depth(z: Array, most: Array, t: float) -> tuple[Array, Array]:
    high, low = difference(z, most, jnp)
    high, low = jnp.where(z == most, 0.0, high), jnp.where(z == most, 0.0, low)
    return (high, low) if t == 1 else plain.divided(high, low, t, jnp)


def _row(problem: Problem) -> Row:
    z, t = _final(problem), problem.options.temperature
    most = jnp.max(z, axis=-1, keepdims=True)
    high, low = _depth(z, most, t)
    e = jnp.exp(high) * (1 + low)
    below = jnp.sum(jnp.where(z == most, 0.0, e), axis=-1, keepdims=True)
    whole = jnp.sum(e, axis=-1, keepdims=True)
    others = jnp.where(whole < 1.5, below, whole - 1)  # with ties at the top the whole is 2 at least
    others = jnp.where(jnp.isinf(most), jnp.nan, others)  # +∞ on top, or nothing but masks: no softmax
    return Row(problem, most, others, most / t + jnp.log1p(others))


# ── class indices: one class a row has all of the target ───────────────────────────────────────────────────────────────


def _one_class(problem: Problem) -> bool:
    return problem.hard and not problem.options.label_smoothing


def _target(row: Row) -> tuple[Array, Probability, Array]:
    """The target's place (0 if there is no such class), its probability and its weight, nan if there is no such class."""
    problem, y = row.problem, row.problem.target[..., None]
    there = (y >= 0) & (y < problem.classes)
    place = jnp.where(there, y, 0)
    p = row.of(plain.capped(widen(jnp.take_along_axis(problem.logits, place, axis=-1), jnp), problem.options.softcap, jnp))
    weight = jnp.ones_like(row.lse) if problem.weight is None else problem.weight[place]
    return place, p, jnp.where(there, weight, jnp.nan)


def _cost_of_class(row: Row) -> Array:
    _, p, weight = _target(row)
    return (weight * plain.guarded(row.problem.options.phi.phi, p, weight, jnp))[..., 0]


def _delta_of_class(row: Row, p: Probability) -> Array:
    """φ′(ℓ_y)·(p − y)."""
    place, of_target, weight = _target(row)
    c = weight * plain.guarded(row.problem.options.phi.phi_slope, of_target, weight, jnp)
    hot = lax.broadcasted_iota(place.dtype, p.p.shape, p.p.ndim - 1) == place
    return jnp.where(hot, -c * of_target.rest, p.p * c)


# ── distributions: every class has its share ───────────────────────────────────────────────────────────────────────────


def _weighted_shares(row: Row, z: Array) -> Array:
    """y_j w_j of the target as a distribution, smoothed over the classes that are not masked."""
    problem, eps = row.problem, row.problem.options.label_smoothing
    target, k = problem.target, problem.classes
    if problem.hard:
        right = (target >= 0) & (target < k)
        y = jnp.where(lax.broadcasted_iota(target.dtype, z.shape, z.ndim - 1) == target[..., None], 1.0, 0.0)
    else:
        y = target[..., :k].astype(z.dtype)
        right = jnp.all(y >= 0, axis=-1) & (jnp.abs(jnp.sum(y, axis=-1) - 1) <= slack(target, y))
    y = jnp.where(right[..., None], y, jnp.nan).astype(z.dtype)
    if eps:
        masked = z == -jnp.inf
        open = jnp.sum(jnp.where(masked, 0.0, 1.0).astype(z.dtype), axis=-1, keepdims=True)
        y = (1 - eps) * y + jnp.where(masked, 0.0, eps / open)
    return y if problem.weight is None else y * problem.weight[:k]


def _cost_of_shares(row: Row) -> Array:
    z = _final(row.problem)
    c = _weighted_shares(row, z)
    return jnp.sum(c * plain.guarded(row.problem.options.phi.phi, row.of(z), c, jnp), axis=-1)


def _delta_of_shares(row: Row, p: Probability) -> Array:
    """p_j·Σ_{k≠j} c_k − c_j(1 − p_j), c_j = y_j w_j φ′(ℓ_j)."""
    c = _weighted_shares(row, _final(row.problem))
    c = c * plain.guarded(row.problem.options.phi.phi_slope, p, c, jnp)
    return p.p * _total_of_others(c) - c * p.rest


def _total_of_others(c: Array) -> Array:
    """Σ_{k≠j} c_k for every j: subtracted from the whole, but not by a term that has more than half of it."""
    half = 0.5 * jnp.sum(jnp.abs(c), axis=-1, keepdims=True)
    great = jnp.abs(c) > half
    rest = jnp.sum(jnp.where(great, 0.0, c), axis=-1, keepdims=True)
    whole = jnp.sum(c, axis=-1, keepdims=True)
    return jnp.where(great, rest, whole - c)
