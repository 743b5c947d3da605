"""Many neurons at once, all their steps fused into one loop over the neurons: Numba, in vector instructions and threads.

The twin of `plain`. A block of neurons stays in the first-level cache for all its steps; the loop over the block is what LLVM
vectorises. What is computed there stands in `recipes`. Where all neurons have one sample and one rate, w and b move along a
line, and the odds u = e^(−z) say where on it: a step needs no exponential then, only e^t − 1 of a small t (`_odds_steps`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from xent import costs
from xent.activations import Tanh
from xent.arrays import Array, quiet
from xent.kernels import Kernel, cached, compiled, mathematics, specialised
from xent.memory import aligned
from xent.neuron import plain, recipes
from xent.neuron.recipes import ACTIVATIONS, STRAIGHT, Recipe
from xent.outputs import Output
from xent.outputs.registry import pair
from xent.outputs.smoothed import Smoothed
from xent.outputs.squashed import Shares, Squashed, Symmetric
from xent.threads import share_out

BLOCK = 256
"""Neurons of a block: their numbers take at most 18 KiB, so a block's steps never leave the first-level cache."""

LONGEST = 1 << 27
"""Neurons times steps in one call of the loop, a tenth of a second: only between calls is Ctrl-C heard."""

# ── the loop ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LANES = 10 * BLOCK
W, B, A, X, RATE, EXTRA, TURN, Y, HIGH, LOW = range(0, LANES, BLOCK)
"""Where the numbers of a block stand in `lanes`: one array with known distances, which LLVM need not check for overlaps."""
ODDS_NOW, ODDS_FIRST = X, RATE
"""Where all neurons have one sample, these places are free."""

NEVER = np.int32(2**31 - 1)


FAR = 80.0
"""Logits further out than this are left to w and b: there u would leave the normal numbers."""
DEGREES = {"float32": ((0.05, 2), (0.5, 5)), "float64": ((0.05, 6), (0.5, 11))}
"""(limit, degree): the polynomial of this degree gives (e^t − 1)/t for |t| ≤ limit with an error below an eighth of an ulp of 1."""


def _learn(
    w: Any,
    b: Any,
    first: Any,
    a: Any,
    each: Any,
    sample: Any,
    steps: Any,
    learned: Any,
    c: Any,
    powers: Any,
    lanes: Any,
    soonest: Any,
) -> None:
    """Teach all neurons of w and b, in place, one block after another; a and first are written.

    `steps` says where to begin, where to end, and how many there are in all. What is not all of them is for a single block, which
    stays in `lanes` and `soonest` until its next steps.
    """
    begin, end, last = steps
    for start in range(0, w.size, BLOCK):
        size = min(BLOCK, w.size - start)
        if begin == 0:
            for i in range(size):
                lanes[W + i], lanes[B + i] = w[start + i], b[start + i]
            for row in range(each.shape[0]):
                for i in range(size):
                    lanes[X + row * BLOCK + i] = each[row, start + i]
        learn_block(lanes, soonest, sample, steps, learned, c, powers)
        if end == last:
            for i in range(size):
                w[start + i], b[start + i], a[start + i] = lanes[W + i], lanes[B + i], lanes[A + i]
                first[start + i] = soonest[i] if soonest[i] != NEVER else -1


def _learn_block(lanes: Any, soonest: Any, sample: Any, steps: Any, learned: Any, c: Any, powers: Any) -> None:
    """The steps of one block; every loop over it is a vector loop, of a length known beforehand."""
    begin, end, last = steps
    if begin == 0:
        for i in range(BLOCK):
            soonest[i] = NEVER
            _, _, _, turn, _, _, _ = numbers(lanes, sample, i)
            lanes[W + i], lanes[B + i] = turn * lanes[W + i], turn * lanes[B + i]
    take_steps(lanes, soonest, sample, steps, learned, c, powers)
    if end < last:
        return
    now = np.int32(last)
    for i in range(BLOCK):
        x, _, extra, turn, y, high, low = numbers(lanes, sample, i)
        z = lanes[W + i] * x + lanes[B + i]
        _, e = formula(z, y, high, low, extra, c)
        soonest[i] = min(soonest[i], now if abs(e) < learned else NEVER)
        lanes[A + i], lanes[W + i], lanes[B + i] = answer(turn * z), turn * lanes[W + i], turn * lanes[B + i]


def _steps(lanes: Any, soonest: Any, sample: Any, steps: Any, learned: Any, c: Any, powers: Any) -> None:
    """w and b, step after step."""
    begin, end, _ = steps
    for step in range(begin, end):
        now = np.int32(step)
        for i in range(BLOCK):
            w, b = lanes[W + i], lanes[B + i]
            x, rate, extra, _, y, high, low = numbers(lanes, sample, i)
            delta, e = formula(w * x + b, y, high, low, extra, c)
            lanes[W + i] = w - (rate * x) * delta
            lanes[B + i] = b - rate * delta
            soonest[i] = min(soonest[i], now if abs(e) < learned else NEVER)


def _odds_steps(lanes: Any, soonest: Any, sample: Any, steps: Any, learned: Any, c: Any, powers: Any) -> None:
    """The same with u = e^(−s), s = z or 2z: z falls by k·δ, k = rate·(1 + x²), so u grows by u·(e^t − 1), t = kδ or 2kδ.

    What z has fallen by in all is shared out between w and b as every step would have: x to 1.
    """
    x, _, extra, _, y, high, low = sample
    begin, end, last = steps
    if begin == 0:
        far = real(0)
        for i in range(BLOCK):
            s = steep(lanes[W + i] * x + lanes[B + i])
            far = max(far, abs(s))
            lanes[ODDS_NOW + i] = lanes[ODDS_FIRST + i] = exp_near(-within(s))
        if not far <= real(FAR):
            lanes[ODDS_FIRST] = real(0)  # which no odds are
    if lanes[ODDS_FIRST] == real(0):
        by_w_and_b(lanes, soonest, sample, steps, learned, c, powers)
        return
    for step in range(begin, end):
        now = np.int32(step)
        for i in range(BLOCK):
            u = lanes[ODDS_NOW + i]
            delta, e = odds_formula(u, y, high, low, extra, c)
            lanes[ODDS_NOW + i] = u + (u * delta) * polynomial(delta, powers)
            soonest[i] = min(soonest[i], now if abs(e) < learned else NEVER)
    if end < last:
        return
    for i in range(BLOCK):
        fallen = log(lanes[ODDS_NOW + i] / lanes[ODDS_FIRST + i]) / steep(real(1) + x * x)
        lanes[W + i] -= x * fallen
        lanes[B + i] -= fallen


def _polynomial(v: Any, coefficients: Any) -> Any:
    """Σ c_j v^j, the highest power first."""
    value = coefficients[0]
    for j in range(1, DEGREE + 1):
        value = value * v + coefficients[j]
    return value


def _of_all(lanes: Any, sample: Any, i: Any) -> Any:
    """x, rate, extra, turn, y, high and low of neuron i, where all have the same."""
    return sample


def _of_each(lanes: Any, sample: Any, i: Any) -> Any:
    return lanes[X + i], lanes[RATE + i], lanes[EXTRA + i], lanes[TURN + i], lanes[Y + i], lanes[HIGH + i], lanes[LOW + i]


@cache
def kernel(cost: type[costs.Cost], activation: type, dtype: str, alike: bool, hard: bool, degree: int = 0) -> Kernel:
    """The loop for one formula and one number type; `alike` where all neurons have the same sample and rate.

    `hard`: every target is the low end. That of the high end is its mirror image, δ(−z) with the ends exchanged being −δ(z).
    `degree`: that of the polynomial with which the odds grow; 0 where w and b are taught instead.
    """
    names = vars(mathematics(dtype)) | {"HUGE": np.dtype(dtype).type(1e30), "DEGREE": degree}
    kind = f"{cost.name}_{activation.__name__}_{dtype}_{'alike' if alike else 'each'}_{'hard' if hard else 'soft'}_{degree}"
    helpers = recipes.helpers(cost, activation, hard)
    helpers |= {"numbers": _of_all if alike else _of_each, "polynomial": _polynomial}
    for name, function in helpers.items():
        names[name] = compiled(specialised(function, f"{name}_{kind}", **names))
    names["take_steps"] = compiled(specialised(_steps, f"steps_{kind}", **names), inline=False)
    if degree:
        odds = names | {"sides": names["odds_sides"]}
        names["odds_formula"] = compiled(specialised(helpers["formula"], f"odds_formula_{kind}", **odds))
        names["by_w_and_b"] = names["take_steps"]
        names["take_steps"] = compiled(specialised(_odds_steps, f"odds_steps_{kind}", **names), inline=False)
    names["learn_block"] = compiled(specialised(_learn_block, f"learn_block_{kind}", **names), inline=False)
    learn = compiled(specialised(_learn, f"learn_{kind}".replace("-", "_"), **names), inline=False)
    return cached(learn, __file__, recipes.__file__)


def _beneath(output: Output) -> tuple[Output, costs.Smooth | None]:
    """The output under a smoothing, and that smoothing."""
    return (output.beneath, output.cost) if type(output) is Smoothed else (output, None)


def _recipe(output: Output) -> Recipe:
    return ACTIVATIONS[type(output.activation)][0][type(_beneath(output)[0].cost)]


def knows(output: Output) -> bool:
    """Whether there is a fused loop for this output: those of the catalogue with one number, smoothed or not."""
    closed, _ = _beneath(output)
    formulas, _ = ACTIVATIONS.get(type(output.activation), ({}, {}))
    return type(closed.cost) in formulas and type(closed) is type(pair(closed.cost, closed.activation))


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
    degree, powers = _growth(output, x, y, rate, dtype, hard) if alike else (0, (dtype.type(0),))
    learn = kernel(type(closed.cost), type(output.activation), dtype.name, alike, hard, degree)
    recipe = _recipe(output)
    parameter, forgetful = recipe.parameter, recipe.formula not in STRAIGHT
    numbers = dtype.type(learned), dtype.type(getattr(closed.cost, parameter) if parameter else 0)
    start_w, start_b = w.reshape(-1), b.reshape(-1)
    a, w, b = np.empty((3, n), dtype)  # one piece, for which NumPy asks for huge pages sooner
    first = np.empty(n, np.int32)
    asked = (np.broadcast_to(v, shape).reshape(-1) for v in (x, y, np.asarray(rate, dtype)))
    xs, ys, rates = asked
    lost: list[Array] = []

    def work(start: int, stop: int) -> Iterator[None]:
        lanes, soonest = aligned(LANES, dtype), np.empty(BLOCK, np.int32)
        lanes[:] = 0
        w[start:stop], b[start:stop] = start_w[start:stop], start_b[start:stop]  # a copy: read-only is another type to Numba
        for part, piece in _pieces(stop - start, steps):
            yield
            here = slice(start + part.start, start + part.stop)
            rows = np.stack([v[here] for v in each]) if each else np.empty((0, 0), dtype)
            learn(w[here], b[here], first[here], a[here], rows, sample, piece, *numbers, powers, lanes, soonest)
        if forgetful:
            with quiet():
                lost.append(start + np.flatnonzero(~np.isfinite(w[start:stop] + b[start:stop])))

    share_out(work, n, BLOCK)
    again = np.concatenate(lost) if lost else np.empty(0, np.int64)
    if again.size:
        how = output, rates[again], steps, learned, xp
        a[again], w[again], b[again], first[again] = plain.sweep(start_w[again], start_b[again], xs[again], ys[again], *how)
    return a.reshape(shape), w.reshape(shape), b.reshape(shape), first.reshape(shape)


def _pieces(n: int, steps: int) -> Iterator[tuple[slice, tuple[np.int64, np.int64, np.int64]]]:
    """What one call of the loop is given: some of n neurons, and where their steps begin and end, of how many.

    That is blocks with all of their steps, or a part of the steps of one block.
    """
    size = BLOCK * max(1, LONGEST // (BLOCK * max(steps, 1)))
    longest = max(1, min(steps, LONGEST // BLOCK))
    for start in range(0, n, size):
        for begin in range(0, max(steps, 1), longest):
            yield slice(start, min(start + size, n)), (np.int64(begin), np.int64(min(begin + longest, steps)), np.int64(steps))


def _growth(output: Output, x: Array, y: Array, rate: Any, dtype: Any, hard: bool) -> tuple[int, tuple[Any, ...]]:
    """The polynomial P, highest power first, with u·δ·P(δ) = u·(e^t − 1): its degree, 0 where the odds are not to be used.

    They serve formulas that read the logit through its sides alone, and steps so small that |t| stays below ½: the largest |δ|
    is looked for among logits that are close together.
    """
    tanh = type(output.activation) is Tanh
    if not _recipe(output).odds or (tanh and not hard):
        return 0, (dtype.type(0),)
    z = np.linspace(-40, 40, 1601)
    k = float(rate) * (1 + float(x) ** 2) * (2 if tanh else 1)
    most = 1.01 * k * float(np.max(np.abs(output.delta(z, np.full_like(z, float(y))))))
    for limit, degree in DEGREES[dtype.name]:
        if most <= limit:
            powers = _relative_growth(limit, degree) * k ** np.arange(degree + 1, 0, -1.0)
            return degree, tuple(powers.astype(dtype))
    return 0, (dtype.type(0),)


@cache
def _relative_growth(limit: float, degree: int) -> Array:
    """The polynomial nearest to (e^t − 1)/t, highest power first."""

    def exactly(t: Any) -> Any:
        return np.divide(np.expm1(t), t, out=np.ones_like(t), where=t != 0)

    near: Any = np.polynomial.Chebyshev.interpolate(exactly, degree, (-limit, limit))
    return near.convert(kind=np.polynomial.Polynomial).coef[::-1]


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
