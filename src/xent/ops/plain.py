"""Cross-entropy on logits as the maths reads, for arrays of any library: the reference that the fast files are held to.

    logits z → softcap → temperature → classes that exist → p = softmax → C_i = Σ_j y_j w_j φ(ℓ_j) + λ lse²,  ℓ_j = −log p_j

    δ_j = p_j·Σ_{k≠j} c_k − c_j(1 − p_j) + 2λ·lse·p_j,  c_j = y_j w_j φ′(ℓ_j);  then the slopes of temperature and softcap

Everything is made of the difference from the greatest logit, kept with its rounding error, so that confident answers and common
offsets lose nothing. No Python branch looks at a value: torch and JAX can differentiate these formulas, twice, map and compile
them. Rows that are ignored are cut off before anything is computed, so that not even nan in them matters; a wrong target whose
value could not be checked beforehand costs nan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

from xent.activations import Probability, Softmax, Tanh
from xent.activations.softmax import below_top, shares
from xent.arrays import Array, greatest, hot, norm, product, quiet, total, total_of_others, widen
from xent.costs.surprisal import weighted
from xent.ops import reduction
from xent.ops.inputs import Problem, slack
from xent.outputs.registry import pair


@dataclass(frozen=True)
class Final:
    """The logits that the softmax sees, over the classes that exist, and what it makes of them."""

    z: Array
    """After the softcap, before the temperature: in the order of the final logits."""
    depth: Array
    """The final logits less the greatest."""
    masked: Array
    p: Probability
    lse: Array


def costs(problem: Problem) -> Array:
    """The cost of each row, shape (…), 0 where it is ignored; not reduced."""
    with quiet():
        return _costs(problem, _final(problem))


def deltas(problem: Problem) -> Array:
    """∂(cost of the row)/∂logits, of the logits' shape, 0 where the row is ignored or a class does not exist."""
    with quiet():
        return _deltas(problem, _final(problem))


def statistics(problem: Problem) -> dict[str, Array]:
    """The statistics that the options name, one number a row: nan, rank −1 and not correct where a row is ignored or holds nan.

    lse       log Σ_j e^(z_j) of the final logits
    log_prob  log p of the target; of a distribution y (before any smoothing) Σ_j y_j log p_j
    entropy   −Σ_j p_j log p_j
    rank      the target's place among the classes by falling logit, ties by index; 0 is the first. A distribution's target is
              its greatest class
    correct   rank = 0: what argmax finds is the target
    margin    the target's final logit less the greatest of the others; ∞ where there are no others
    gain      ‖δ‖₂/‖p − y‖₂ of φ alone, without weights and z-loss, against the smoothed target
    error     ‖p − y‖₂, against the smoothed target
    """
    if not problem.options.stats:
        return {}
    with quiet():
        return _statistics(problem, _final(problem))


def cross_entropy(problem: Problem) -> tuple[Array, dict[str, Array]]:
    """The reduced cost and the statistics."""
    with quiet():
        final = _final(problem)
        return reduction.reduced(problem, _costs(problem, final)), _statistics(problem, final)


def cross_entropy_and_grad(problem: Problem) -> tuple[Array, Array, dict[str, Array]]:
    """The reduced cost, its gradient by the logits in their dtype, and the statistics."""
    with quiet():
        final = _final(problem)
        cost = reduction.reduced(problem, _costs(problem, final))
        grad = reduction.scaled(problem, _deltas(problem, final), reduction.scale(problem))
        return cost, problem.xp.astype(grad, problem.logits.dtype, copy=False), _statistics(problem, final)


# ── the formulas ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _final(problem: Problem) -> Final:
    xp, options = problem.xp, problem.options
    z = widen(problem.logits, xp)[..., : problem.classes]
    kept = reduction.kept(problem)
    z = z if kept is None else xp.where(kept[..., None], z, 0.0)
    masked = z == float("-inf")
    z = capped(z, options.softcap, xp)
    top, high, low = below_top(z, xp)
    most = total(xp.where(top, z, 0.0), xp)
    most = xp.where(xp.isfinite(most), most, float("nan"))  # +∞ or nan on top, or nothing but masks: no softmax
    high = xp.where(xp.isfinite(most)[..., None], high, float("nan"))
    if options.temperature != 1:
        high, low = divided(high, low, options.temperature, xp)
    p, others = shares(top, high, low, xp)
    return Final(z, high, masked, p, most / options.temperature + xp.log1p(others))


def capped(z: Array, size: float | None, xp: Any) -> Array:
    """size·tanh(z/size), and −∞ where a class is masked; z itself without a softcap."""
    if size is None:
        return z
    masked = z == float("-inf")
    return xp.where(masked, float("-inf"), size * Tanh()(xp.where(masked, 0.0, z) / size))


def cap_slope(z: Array, size: float, xp: Any) -> Array:
    """tanh′ = 4g(2u)·g(−2u), u = z/size; 0 where a class is masked."""
    masked = z == float("-inf")
    above, _ = Tanh().sides(xp.where(masked, 0.0, z) / size)
    return xp.where(masked, 0.0, 4 * (above.p * above.rest))


def divided(high: Array, low: Array, t: float, xp: Any) -> tuple[Array, Array]:
    """(high + low)/t as a rounded value and the rest: q + (high − q·t + low)/t."""
    q = high / t
    back, error = product(t, q, xp)
    rest = ((high - back) - error + low) / t
    return q, xp.where(xp.isfinite(rest), rest, 0.0)


def _truth(problem: Problem, final: Final) -> tuple[Array, Array]:
    """The target as a distribution over the classes that exist, as given and smoothed over those that are not masked."""
    xp, target, eps = problem.xp, problem.target, problem.options.label_smoothing
    ones = xp.ones_like(final.p.p)
    if problem.hard:
        right = ((target >= 0) & (target < problem.classes)) | (target == problem.options.ignore_index)
        y = xp.where(hot(target, final.z, xp), ones, xp.zeros_like(ones))
        y = xp.where(right[..., None], y, float("nan"))
    else:
        y = xp.astype(target[..., : problem.classes], ones.dtype)
        right = xp.all(y >= 0, axis=-1) & (xp.abs(total(y, xp) - 1) <= slack(target, y))
        y = xp.where(right[..., None], y, float("nan"))
    if eps == 0:
        return y, y
    share = total(xp.where(final.masked, 0.0, ones), xp)[..., None]
    return y, (1 - eps) * y + xp.where(final.masked, 0.0, eps / share)


def _shares(problem: Problem, final: Final) -> Array:
    """y_j w_j of the smoothed target."""
    _, y = _truth(problem, final)
    return y if problem.weight is None else y * problem.weight[: problem.classes]


def guarded(f: Callable[..., Array], p: Probability, c: Array, xp: Any) -> Array:
    """f(p), one of φ and φ′, at ½ where that would be ∞ and the class has no share: it costs nothing, whatever φ says of it."""
    bare = (c == 0) & (xp.isinf(p.ell) | (xp.isfinite(p.ell) & ~xp.isfinite(f(p, xp))))

    def mended(v: Array, stand_in: float) -> Array:
        return xp.where(bare, stand_in, v)

    return f(Probability(mended(p.p, 0.5), mended(p.rest, 0.5), mended(p.ell, log(2)), lambda r: mended(p.power(r), 0.5**r)), xp)


def _costs(problem: Problem, final: Final) -> Array:
    xp, options = problem.xp, problem.options
    c = _shares(problem, final)
    cost = total(c * guarded(options.phi.phi, final.p, c, xp), xp)
    if options.z_loss:
        cost = cost + options.z_loss * final.lse**2
    kept = reduction.kept(problem)
    return cost if kept is None else xp.where(kept, cost, 0.0)


def _deltas(problem: Problem, final: Final) -> Array:
    xp, options, p = problem.xp, problem.options, final.p
    c = _shares(problem, final)
    c = c * guarded(options.phi.phi_slope, p, c, xp)
    delta = p.p * total_of_others(c, xp) - c * p.rest
    if options.z_loss:
        delta = delta + 2 * options.z_loss * final.lse[..., None] * p.p
    delta = delta / options.temperature
    if options.softcap is not None:
        delta = delta * cap_slope(widen(problem.logits, xp)[..., : problem.classes], options.softcap, xp)
    kept = reduction.kept(problem)
    delta = delta if kept is None else xp.where(kept[..., None], delta, 0.0)
    padding = problem.logits.shape[-1] - problem.classes
    return xp.concat([delta] + [xp.zeros_like(delta[..., :1])] * padding, axis=-1) if padding else delta


def _statistics(problem: Problem, final: Final) -> dict[str, Array]:
    if not problem.options.stats:
        return {}
    xp, p, names = problem.xp, final.p, problem.options.stats
    given, y = _truth(problem, final)
    right = xp.where(given == given, given, 0.0)
    there = hot(problem.target, final.z, xp) if problem.hard else greatest(right, xp)
    height = xp.max(xp.where(there, final.z, float("-inf")), axis=-1)[..., None]
    index = xp.argmax(xp.astype(there, xp.int32), axis=-1)[..., None]
    places = xp.arange(final.z.shape[-1], device=getattr(final.z, "device", None))
    before = (final.z > height) | ((final.z == height) & (places < index))
    seen = final.lse == final.lse
    kept = reduction.kept(problem)
    seen = seen if kept is None else seen & kept
    rank = xp.where(seen, xp.sum(xp.astype(before, xp.int32), axis=-1, dtype=xp.int32), -1)
    unit = pair(problem.options.phi, Softmax())
    made: dict[str, Callable[[], Array]] = {
        "lse": lambda: final.lse,
        "log_prob": lambda: -total(weighted(given, p.ell, xp), xp),
        "entropy": lambda: total(weighted(p.p, p.ell, xp), xp),
        "rank": lambda: rank,
        "correct": lambda: rank == 0,
        "margin": lambda: _margin(final.depth, there, xp),
        "gain": lambda: unit._gain(final.depth, y, xp),
        "error": lambda: norm(unit._error(final.depth, y, xp), xp),
    }
    stats = {name: made[name]() for name in names}
    return {name: v if name in ("rank", "correct") else xp.where(seen, v, float("nan")) for name, v in stats.items()}


def _margin(depth: Array, there: Array, xp: Any) -> Array:
    of_target = xp.max(xp.where(there, depth, float("-inf")), axis=-1)
    return of_target - xp.max(xp.where(there, float("-inf"), depth), axis=-1)
