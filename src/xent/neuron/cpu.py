"""Many neurons at once, all their steps fused into one loop over the neurons: Numba, in vector instructions and threads.

The twin of `plain`. A block of neurons stays in the first-level cache for all its steps; the loop over the block is what LLVM
vectorises. δ and the error of each output stand here once more, from the closed forms of `outputs.squashed` and
`outputs.linear`, with what does not change from step to step taken out: the shares of the target, computed beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from xent import costs
from xent.activations import Identity, Sigmoid, Tanh
from xent.arrays import Array, quiet
from xent.kernels import Kernel, aligned, cached, compiled, held, mathematics, share_out, specialised
from xent.neuron import plain
from xent.outputs import Output
from xent.outputs.registry import pair
from xent.outputs.smoothed import Smoothed
from xent.outputs.squashed import Shares, Squashed, Symmetric

BLOCK = 256
"""Neurons of a block: their numbers take at most 18 KiB, so a block's steps never leave the first-level cache."""

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


SQUASHED = {
    costs.Quadratic: Recipe(_quadratic, {}),
    costs.Absolute: Recipe(_absolute, {}),
    costs.CrossEntropy: Recipe(_cross_entropy, {}),
    costs.SymmetricCrossEntropy: Recipe(_symmetric, {}, "alpha"),
    costs.Poly: Recipe(_surprisal, {"phi_slopes": _poly_slopes}, "epsilon"),
    costs.GeneralizedLq: Recipe(_surprisal, {"phi_slopes": _lq_slopes}, "q"),
    costs.Focal: Recipe(_surprisal, {"phi_slopes": _focal_slopes}, "gamma"),
}
STRAIGHT = (_linear_quadratic, _linear_absolute, _rescaled)
"""Formulas without a sigmoid. The others forget a nan in z: neurons whose w or b overflowed are left to the plain twin."""
LINEAR = {
    costs.Quadratic: Recipe(_linear_quadratic, {}),
    costs.Absolute: Recipe(_linear_absolute, {}),
    costs.RescaledQuadratic: Recipe(_rescaled, {}, "M"),
    costs.Logistic: Recipe(_cross_entropy, {}),
    costs.Hinge: Recipe(_margin, {"margin_slope": _hinge_slope}),
    costs.SquaredHinge: Recipe(_margin, {"margin_slope": _squared_hinge_slope}),
    costs.Exponential: Recipe(_margin, {"margin_slope": _exponential_slope}),
}
ACTIVATIONS: dict[type, tuple[dict[Any, Recipe], dict[str, Any]]] = {
    Sigmoid: (SQUASHED, {"answer": _sigmoid_answer, "slope": _once, "steep": _once}),
    Tanh: (SQUASHED, {"answer": _tanh_answer, "slope": _four_times, "steep": _twice}),
    Identity: (LINEAR, {"answer": _identity_answer, "slope": _once, "steep": _once}),
}

# ── the loop ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LANES = 10 * BLOCK
W, B, A, X, RATE, EXTRA, TURN, Y, HIGH, LOW = range(0, LANES, BLOCK)
"""Where the numbers of a block stand in `lanes`: one array with known distances, which LLVM need not check for overlaps."""

NEVER = np.int32(2**31 - 1)


def _learn(w: Any, b: Any, first: Any, a: Any, each: Any, sample: Any, steps: Any, learned: Any, c: Any, lanes: Any) -> None:
    """Teach all neurons of w and b, in place, one block after another; a and first are written."""
    soonest = np.empty(BLOCK, np.int32)
    for start in range(0, w.size, BLOCK):
        size = min(BLOCK, w.size - start)
        for i in range(size):
            lanes[W + i], lanes[B + i] = w[start + i], b[start + i]
        for row in range(each.shape[0]):
            for i in range(size):
                lanes[X + row * BLOCK + i] = each[row, start + i]
        learn_block(lanes, soonest, sample, steps, learned, c)
        for i in range(size):
            w[start + i], b[start + i], a[start + i] = lanes[W + i], lanes[B + i], lanes[A + i]
            first[start + i] = soonest[i] if soonest[i] != NEVER else -1


def _learn_block(lanes: Any, soonest: Any, sample: Any, steps: Any, learned: Any, c: Any) -> None:
    """All steps of one block; every loop over it is a vector loop, of a length known beforehand."""
    for i in range(BLOCK):
        soonest[i] = NEVER
        _, _, _, turn, _, _, _ = numbers(lanes, sample, i)
        lanes[W + i], lanes[B + i] = turn * lanes[W + i], turn * lanes[B + i]
    for step in range(steps):
        now = np.int32(step)
        for i in range(BLOCK):
            w, b = lanes[W + i], lanes[B + i]
            x, rate, extra, _, y, high, low = numbers(lanes, sample, i)
            delta, e = formula(w * x + b, y, high, low, extra, c)
            lanes[W + i] = w - (rate * x) * delta
            lanes[B + i] = b - rate * delta
            soonest[i] = min(soonest[i], now if abs(e) < learned else NEVER)
    now = np.int32(steps)
    for i in range(BLOCK):
        x, _, extra, turn, y, high, low = numbers(lanes, sample, i)
        z = lanes[W + i] * x + lanes[B + i]
        _, e = formula(z, y, high, low, extra, c)
        soonest[i] = min(soonest[i], now if abs(e) < learned else NEVER)
        lanes[A + i], lanes[W + i], lanes[B + i] = answer(turn * z), turn * lanes[W + i], turn * lanes[B + i]


def _of_all(lanes: Any, sample: Any, i: Any) -> Any:
    """x, rate, extra, turn, y, high and low of neuron i, where all have the same."""
    return sample


def _of_each(lanes: Any, sample: Any, i: Any) -> Any:
    return lanes[X + i], lanes[RATE + i], lanes[EXTRA + i], lanes[TURN + i], lanes[Y + i], lanes[HIGH + i], lanes[LOW + i]


@cache
def kernel(cost: type[costs.Cost], activation: type, dtype: str, alike: bool, hard: bool) -> Kernel:
    """The loop for one formula and one number type; `alike` where all neurons have the same sample and rate.

    `hard`: every target is the low end. That of the high end is its mirror image, δ(−z) with the ends exchanged being −δ(z).
    """
    recipes, parts = ACTIVATIONS[activation]
    recipe = recipes[cost]
    names = vars(mathematics(dtype)) | {"HUGE": np.dtype(dtype).type(1e30)}
    kind = f"{cost.name}_{activation.__name__}_{dtype}_{'alike' if alike else 'each'}_{'hard' if hard else 'soft'}"
    helpers = {"within": _within, "sign": _sign, "surprisals": _surprisals, "mix": _low_alone if hard else _mixed, **parts}
    helpers |= {"sigmoid_sides": _sigmoid_sides, "sides": _sigmoid_sides}
    if activation is Tanh:
        helpers["sides"] = _tanh_end_sides if hard else _tanh_sides
    helpers |= recipe.parts | {"formula": recipe.formula, "numbers": _of_all if alike else _of_each}
    for name, function in helpers.items():
        names[name] = compiled(specialised(function, f"{name}_{kind}", **names))
    names["learn_block"] = compiled(specialised(_learn_block, f"learn_block_{kind}", **names), inline=False)
    return cached(compiled(specialised(_learn, f"learn_{kind}".replace("-", "_"), **names), inline=False), __file__)


def _beneath(output: Output) -> tuple[Output, costs.Smooth | None]:
    """The output under a smoothing, and that smoothing."""
    return (output.beneath, output.cost) if type(output) is Smoothed else (output, None)


def knows(output: Output) -> bool:
    """Whether there is a fused loop for this output: those of the catalogue with one number, smoothed or not."""
    closed, _ = _beneath(output)
    recipes, _ = ACTIVATIONS.get(type(output.activation), ({}, {}))
    return type(closed.cost) in recipes and type(closed) is type(pair(closed.cost, closed.activation))


def sweep(
    w: Array, b: Array, x: Array, y: Array, output: Output, rate: float | Array, steps: int, learned: float, xp: Any
) -> tuple[Array, Array, Array, Array]:
    """As `plain.sweep`, for NumPy arrays of float32 or float64 and an output that this file `knows`."""
    dtype, shape, n = w.dtype, w.shape, w.size
    closed, _ = _beneath(output)
    target, hard = _target(output, y)
    columns = [np.asarray(v, dtype) for v in (x, rate, *target)]
    alike = all(v.ndim == 0 for v in columns)
    sample = tuple(v[()] if alike else dtype.type(0) for v in columns)
    each = [] if alike else [np.broadcast_to(v, shape).reshape(-1) for v in columns]
    learn = kernel(type(closed.cost), type(output.activation), dtype.name, alike, hard)
    recipe = ACTIVATIONS[type(output.activation)][0][type(closed.cost)]
    parameter, forgetful = recipe.parameter, recipe.formula not in STRAIGHT
    numbers = np.int64(steps), dtype.type(learned), dtype.type(getattr(closed.cost, parameter) if parameter else 0)
    start_w, start_b = w.reshape(-1), b.reshape(-1)
    w, b = start_w.copy(), start_b.copy()
    a, first = np.empty(n, dtype), np.empty(n, np.int32)
    asked = (np.broadcast_to(v, shape).reshape(-1) for v in (x, y, np.asarray(rate, dtype)))
    xs, ys, rates = asked

    def work(start: int, stop: int) -> None:
        part = slice(start, stop)
        rows = np.stack([v[part] for v in each]) if each else np.empty((0, 0), dtype)
        lanes = aligned(LANES, dtype)
        lanes[:] = 0
        learn(w[part], b[part], first[part], a[part], rows, sample, *numbers, lanes)
        with quiet():
            lost = start + np.flatnonzero(~np.isfinite(w[part] + b[part])) if forgetful else ()
        if len(lost):
            again = plain.sweep(start_w[lost], start_b[lost], xs[lost], ys[lost], output, rates[lost], steps, learned, xp)
            a[lost], w[lost], b[lost], first[lost] = again

    share_out(work, n, BLOCK)
    return a.reshape(shape), w.reshape(shape), b.reshape(shape), first.reshape(shape)


def _target(output: Output, y: Array) -> tuple[tuple[Array, ...], bool]:
    """(extra, turn, y, high, low) as the formulas above read them, and whether all targets are hard, turned to the low end."""
    closed, smooth = _beneath(output)
    cost: Any = closed.cost
    none, once = np.zeros_like(y), np.ones_like(y)
    if isinstance(closed, Squashed):
        share = closed._shares(y) if smooth is None else closed._smoothed(y, smooth, np)
    elif isinstance(cost, costs.MarginCost):
        share = Shares(y, (1 + y) / 2, (1 - y) / 2)
    elif isinstance(cost, costs.RescaledQuadratic):
        return (cost.aim(y), once, y, cost.k * y, 1 - y), False
    else:
        return (none, once, y, none, none), False
    turn = once
    hard = bool(np.all((share.high == 0) | (share.low == 0)))
    if hard:
        turn = np.where(share.low == 0, -once, once)
        end = closed.activation.range.low if isinstance(closed, Squashed) else -1.0
        share = Shares(end * once, none, once)
    extra = cost.beta * closed._pull(share, np) if isinstance(closed, Symmetric) else none
    return (extra, turn, *share), hard
