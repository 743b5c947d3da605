"""What the fused loops over neurons compute: δ and the error of each output, from `outputs.squashed` and `outputs.linear`.

What does not change from step to step is taken out: the shares of the target, computed beforehand. A formula reads its logit
through `sides`, so that a loop may hold the logit as it likes: as z, or as the odds u = e^(−z).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent import costs
from xent.activations import Identity, Sigmoid, Tanh
from xent.kernels import held

# ── p, 1 − p and the error; σ(z) ───────────────────────────────────────────────────────────────────────────────────────
# A target is y with its shares `high` and `low` of the two ends (of a margin cost's label, as 0 or 1). Names that are not
# defined here (real, exp, sides, …) are filled in by `specialised`.


def _within(s: Any) -> Any:
    """s held to where e^s and e^(−s) are normal numbers: p is right to the last digit there, and beyond it is the edge's."""
    return held(s, near)


def _sigmoid_sides(z: Any, y: Any, high: Any, low: Any) -> Any:
    """(s, p, 1 − p, error) of one sigmoid: with u = e^(−s), p = 1/(1 + u) and 1 − p = u·p."""
    u = exp_near(-within(z))
    p = real(1) / (real(1) + u)
    rest = u * p
    return z, p, rest, mix(low, p, high, rest)


def _odds_sides(u: Any, y: Any, high: Any, low: Any) -> Any:
    """The same from u itself. Formulas that look at s, the first number, cannot be used with it."""
    p = real(1) / (real(1) + u)
    rest = u * p
    return u, p, rest, mix(low, p, high, rest)


def _odds_tanh_end_sides(u: Any, y: Any, high: Any, low: Any) -> Any:
    """The same of a tanh, u = e^(−2z), where the target is the low end."""
    p = real(1) / (real(1) + u)
    return u, p, u * p, p + p


def _tanh_sides(z: Any, y: Any, high: Any, low: Any) -> Any:
    """The same with s = 2z, where the error is twice as wide; near 0 it is a − y, as answer and target may both be small."""
    s, p, rest, e = sigmoid_sides(z + z, y, high, low)
    return s, p, rest, answer(z) - y if abs(y) <= real(0.5) else e + e


def _tanh_end_sides(z: Any, y: Any, high: Any, low: Any) -> Any:
    """The same where the target is the low end."""
    s, p, rest, e = sigmoid_sides(z + z, y, high, low)
    return s, p, rest, e + e


def _mixed(low: Any, above: Any, high: Any, below: Any) -> Any:
    """What belongs to either end, by its share in the target."""
    return low * above - high * below


def _low_alone(low: Any, above: Any, high: Any, below: Any) -> Any:
    """The same where the target is the low end."""
    return above


def _sigmoid_answer(z: Any) -> Any:
    t = exp(-abs(z))
    return (real(1) if z >= real(0) else t) / (real(1) + t)


def _tanh_answer(z: Any) -> Any:
    power, tail = exp_parts(within(real(-2) * z))
    minus = power * tail + (power - real(1))
    return -minus / (minus + real(2)) if minus < real(1) else real(2) / (minus + real(2)) - real(1)


def _identity_answer(z: Any) -> Any:
    return z


# ── (δ, error) of each output ──────────────────────────────────────────────────────────────────────────────────────────
# `slope` is σ′ over p(1 − p), `steep` the steepness; `extra` is a third number made of the target.


def _quadratic(z: Any, y: Any, high: Any, low: Any, extra: Any, c: Any) -> Any:
    _, p, rest, e = sides(z, y, high, low)
    return e * slope(p * rest), e


def _absolute(z: Any, y: Any, high: Any, low: Any, extra: Any, c: Any) -> Any:
    _, p, rest, e = sides(z, y, high, low)
    return sign(e) * slope(p * rest), e


def _cross_entropy(z: Any, y: Any, high: Any, low: Any, extra: Any, c: Any) -> Any:
    _, _, _, e = sides(z, y, high, low)
    return e, e


def _symmetric(z: Any, y: Any, high: Any, low: Any, extra: Any, alpha: Any) -> Any:
    """`extra` is β(u(y_high) − u(y_low))."""
    _, p, rest, e = sides(z, y, high, low)
    return alpha * e + (p * rest) * extra, e


def _surprisal(z: Any, y: Any, high: Any, low: Any, extra: Any, c: Any) -> Any:
    """φ(ℓ): δ = steepness·(c_low·p − c_high·(1 − p)), c = share·φ′(ℓ)."""
    s, p, rest, e = sides(z, y, high, low)
    c_high, c_low = phi_slopes(s, p, rest, c)
    return steep(mix(low, c_low * p, high, c_high * rest)), e


def _poly_slopes(s: Any, p: Any, rest: Any, epsilon: Any) -> Any:
    """φ′ = 1 + εp, of two terms that are never negative, for either end."""
    if epsilon > real(0):
        return real(1) + epsilon * p, real(1) + epsilon * rest
    return (real(1) + epsilon) - epsilon * rest, (real(1) + epsilon) - epsilon * p


def _lq_slopes(s: Any, p: Any, rest: Any, q: Any) -> Any:
    """φ′ = p^q = e^(−qℓ)."""
    ell_high, ell_low = surprisals(s, p, rest)
    return exp(-q * ell_high), exp(-q * ell_low)


def _focal_slopes(s: Any, p: Any, rest: Any, gamma: Any) -> Any:
    """φ′ = (1 − p)^γ·(1 + γ·pℓ/(1 − p)), where (1 − p)^γ = e^(−γℓ) with the other end's ℓ."""
    ell_high, ell_low = surprisals(s, p, rest)
    near_high, near_low = surprisals(within(s), p, rest)  # finite, so that p·ℓ is 0 where p is
    return (
        exp(-gamma * ell_low) * (real(1) + gamma * (p * (near_high / rest))),
        exp(-gamma * ell_high) * (real(1) + gamma * (rest * (near_low / p))),
    )


def _surprisals(s: Any, p: Any, rest: Any) -> Any:
    """−log p and −log(1 − p): max(∓s, 0) + log(1 + t), t = e^(−|s|) the ratio of the two. The size of s is kept finite: 0·∞."""
    softness = log1p(rest / p if s > real(0) else p / rest)
    bound = -HUGE if s < -HUGE else HUGE if s > HUGE else s
    return (real(0) if s > real(0) else -bound) + softness, (bound if s > real(0) else real(0)) + softness


def _linear_quadratic(z: Any, y: Any, high: Any, low: Any, extra: Any, c: Any) -> Any:
    return z - y, z - y


def _linear_absolute(z: Any, y: Any, high: Any, low: Any, extra: Any, c: Any) -> Any:
    return sign(z - y), z - y


def _rescaled(z: Any, y: Any, high: Any, low: Any, extra: Any, big: Any) -> Any:
    """`high` and `low` are k·y and 1 − y, `extra` is the target t."""
    right = real(0) if high == real(0) else z - big
    wrong = real(0) if low == real(0) else z
    return high * right + low * wrong, z - extra


def _margin(z: Any, y: Any, high: Any, low: Any, extra: Any, c: Any) -> Any:
    """f(m), m = yz: δ = y·f′(m); the error is that of a sigmoid."""
    _, _, _, e = sides(z, y, high, low)
    return y * margin_slope(y * z), e


def _hinge_slope(m: Any) -> Any:
    return real(0) if m >= real(1) else (real(-1) if m < real(1) else m)


def _squared_hinge_slope(m: Any) -> Any:
    return real(-2) * (real(0) if m >= real(1) else real(1) - m)


def _exponential_slope(m: Any) -> Any:
    return -exp(-m)


def _once(v: Any) -> Any:
    return v


def _twice(v: Any) -> Any:
    return v + v


def _four_times(v: Any) -> Any:
    return real(4) * v


def _sign(v: Any) -> Any:
    return real(1) if v > real(0) else (real(-1) if v < real(0) else v)


@dataclass(frozen=True)
class Recipe:
    """How an output is computed here: names of functions above, and what stands for the names that they use."""

    formula: Any
    parts: dict[str, Any]
    parameter: str = ""
    odds: bool = False
    """Whether the formula looks at p and 1 − p alone, not at the logit beside them: then `sides` may take the odds for it."""


SQUASHED = {
    costs.Quadratic: Recipe(_quadratic, {}, odds=True),
    costs.Absolute: Recipe(_absolute, {}, odds=True),
    costs.CrossEntropy: Recipe(_cross_entropy, {}, odds=True),
    costs.SymmetricCrossEntropy: Recipe(_symmetric, {}, "alpha", odds=True),
    costs.Poly: Recipe(_surprisal, {"phi_slopes": _poly_slopes}, "epsilon", odds=True),
    costs.GeneralizedLq: Recipe(_surprisal, {"phi_slopes": _lq_slopes}, "q"),
    costs.Focal: Recipe(_surprisal, {"phi_slopes": _focal_slopes}, "gamma"),
}
STRAIGHT = (_linear_quadratic, _linear_absolute, _rescaled)
"""Formulas without a sigmoid. The others forget a nan in z: neurons whose w or b overflowed are left to the plain twin."""
LINEAR = {
    costs.Quadratic: Recipe(_linear_quadratic, {}),
    costs.Absolute: Recipe(_linear_absolute, {}),
    costs.RescaledQuadratic: Recipe(_rescaled, {}, "M"),
    costs.Logistic: Recipe(_cross_entropy, {}, odds=True),
    costs.Hinge: Recipe(_margin, {"margin_slope": _hinge_slope}),
    costs.SquaredHinge: Recipe(_margin, {"margin_slope": _squared_hinge_slope}),
    costs.Exponential: Recipe(_margin, {"margin_slope": _exponential_slope}),
}
ACTIVATIONS: dict[type, tuple[dict[Any, Recipe], dict[str, Any]]] = {
    Sigmoid: (SQUASHED, {"answer": _sigmoid_answer, "slope": _once, "steep": _once}),
    Tanh: (SQUASHED, {"answer": _tanh_answer, "slope": _four_times, "steep": _twice}),
    Identity: (LINEAR, {"answer": _identity_answer, "slope": _once, "steep": _once}),
}


def helpers(cost: type[costs.Cost], activation: type, hard: bool) -> dict[str, Any]:
    """The functions that a formula and its loop name, `formula` itself the last: each stands behind those that it names."""
    formulas, parts = ACTIVATIONS[activation]
    recipe, tanh = formulas[cost], activation is Tanh
    first = {"within": _within, "sign": _sign, "surprisals": _surprisals, "mix": _low_alone if hard else _mixed}
    last = {"sigmoid_sides": _sigmoid_sides, "odds_sides": _odds_tanh_end_sides if tanh else _odds_sides}
    last["sides"] = _sigmoid_sides if not tanh else _tanh_end_sides if hard else _tanh_sides
    return first | parts | last | recipe.parts | {"formula": recipe.formula}
