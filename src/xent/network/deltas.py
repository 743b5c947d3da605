"""δ of each output for hard targets, fused: what the loop in `cpu` does at the last layer. From the closed forms of `outputs`.

With a hard target every squashed output sends back (a − y)·gain(p), p the probability that it gave the truth: one line for each
cost, the same on a sigmoid, on tanh and on a softmax. Names that are not defined here (real, gain, …) are filled in by
`specialised`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent import costs
from xent.activations import Identity, Sigmoid, Softmax, Tanh
from xent.kernels import compiled, held, mathematics, specialised
from xent.network import products
from xent.outputs import Output
from xent.outputs.registry import pair

# ── gain of the truth's probability p, with 1 − p known beside it; c and k are the cost's parameters ────────────────────────


def _one(p: Any, rest: Any, c: Any, k: Any) -> Any:
    return real(1)


def _slope(p: Any, rest: Any, c: Any, k: Any) -> Any:
    """The quadratic cost's gain is σ′."""
    return steepness * width * (p * rest)


def _absolute(p: Any, rest: Any, c: Any, k: Any) -> Any:
    """σ′ over the error: of a softmax twice the p of the truth."""
    return slack * p


def _poly(p: Any, rest: Any, epsilon: Any, k: Any) -> Any:
    return real(1) + epsilon * p


def _lq(p: Any, rest: Any, q: Any, k: Any) -> Any:
    return exp(q * log(p))


def _focal(p: Any, rest: Any, gamma: Any, k: Any) -> Any:
    """(1 − p)^γ·(1 + γ·pℓ/(1 − p)), of which the last part is p where p is 1."""
    near = -log(p) / rest if rest > real(0) else real(1)
    shrunk = exp(gamma * log(rest)) if gamma > real(0) else real(1)
    return shrunk * (real(1) + gamma * (p * near if p > real(0) else real(0)))


def _symmetric(p: Any, rest: Any, alpha: Any, k: Any) -> Any:
    """α + β|A|p, k = β|A|."""
    return alpha + k * p


# ── δ of one unit: z, and whether its class is the truth ────────────────────────────────────────────────────────────────────


def _squashed(z: Any, truth: Any, c: Any, k: Any) -> Any:
    s = held(steepness * z, near)
    u = exp_near(-s)
    high = real(1) / (real(1) + u)
    low = u * high
    p, rest = (high, low) if truth else (low, high)
    return (-rest if truth else rest) * (width * gain(p, rest, c, k))


def _smoothed(z: Any, truth: Any, epsilon: Any, k: Any) -> Any:
    """Cross-entropy against the smoothed target, which has 1 − ε/2 of its end."""
    s = held(steepness * z, near)
    u = exp_near(-s)
    high = real(1) / (real(1) + u)
    small, large = real(0.5) * epsilon, real(1) - real(0.5) * epsilon
    y_high, y_low = (large, small) if truth else (small, large)
    return width * (y_low * high - y_high * (u * high))


def _linear_quadratic(z: Any, truth: Any, c: Any, k: Any) -> Any:
    return z - (real(1) if truth else real(0))


def _linear_absolute(z: Any, truth: Any, c: Any, k: Any) -> Any:
    e = z - (real(1) if truth else real(0))
    return real(1) if e > real(0) else (real(-1) if e < real(0) else e)


def _rescaled(z: Any, truth: Any, big: Any, k: Any) -> Any:
    return k * (z - big) if truth else z


def _logistic(z: Any, truth: Any, c: Any, k: Any) -> Any:
    s = held(-z if truth else z, near)
    p = real(1) / (real(1) + exp_near(-s))
    return -p if truth else p


def _hinge(z: Any, truth: Any, c: Any, k: Any) -> Any:
    m = z if truth else -z
    push = real(0) if m >= real(1) else real(1)
    return -push if truth else push


def _squared_hinge(z: Any, truth: Any, c: Any, k: Any) -> Any:
    m = z if truth else -z
    push = real(0) if m >= real(1) else real(2) * (real(1) - m)
    return -push if truth else push


def _exponential(z: Any, truth: Any, c: Any, k: Any) -> Any:
    push = exp(-z if truth else z)
    return -push if truth else push


# ── the last layer: z of a batch becomes δ, in place; padding becomes 0 ─────────────────────────────────────────────────────


def _by_unit(work: Any, z0: Any, ldz: Any, labels: Any, batch: Any, classes: Any, c: Any, k: Any) -> None:
    for i in range(batch):
        row, label = z0 + i * ldz, labels[i]
        for part in range(0, ldz, lanes):  # a whole number of vectors
            for j in range(lanes):
                work[at(row + part + j)] = unit(work[at(row + part + j)], index(part + j) == index(label), c, k)
        for j in range(classes, ldz):
            work[at(row + j)] = real(0)


def _by_row(work: Any, z0: Any, ldz: Any, labels: Any, batch: Any, classes: Any, c: Any, k: Any) -> None:
    """Softmax: 1 − p of the truth is the sum of the other p, never a difference."""
    for i in range(batch):
        row = z0 + i * ldz
        top = work[at(row)]
        for j in range(1, classes):
            top = max(top, work[at(row + j)])
        for j in range(classes):
            work[at(row + j)] -= top
    for i in range(z0, z0 + batch * ldz, lanes):  # the padding too: a whole number of vectors
        for j in range(lanes):
            work[at(i + j)] = exp_near(held(work[at(i + j)], near))
    for i in range(batch):
        row, label = z0 + i * ldz, labels[i]
        of_truth, others = work[at(row + label)], real(0)
        work[at(row + label)] = real(0)
        for j in range(classes):
            others += work[at(row + j)]
        share = real(1) / (others + of_truth)
        work[at(row + label)] = of_truth
        for part in range(0, ldz, lanes):
            for j in range(lanes):
                work[at(row + part + j)] *= share
        send_back(work, row, label, classes, of_truth * share, others * share, c, k)
        for j in range(classes, ldz):
            work[at(row + j)] = real(0)


def _by_gain(work: Any, row: Any, label: Any, classes: Any, p: Any, rest: Any, c: Any, k: Any) -> None:
    """(p − y)·gain."""
    g = gain(p, rest, c, k)
    for j in range(classes):
        work[at(row + j)] *= g
    work[at(row + label)] = -rest * g


def _by_pull(work: Any, row: Any, label: Any, classes: Any, p: Any, rest: Any, c: Any, k: Any) -> None:
    """The quadratic cost: J(p − y), p_j(e_j(1 − p_j) − Σ_{i≠j} p_i e_i); the greatest wrong p is kept out of the sums."""
    top = 0 if label != 0 else classes - 1
    for j in range(classes):
        top = j if j != label and work[row + j] > work[row + top] else top
    small, squares = real(0), real(0)
    for j in range(classes):
        q = real(0) if j in (label, top) else work[row + j]
        small += q
        squares += q * q
    greatest = work[row + top] if top != label else real(0)
    for j in range(classes):
        q = work[row + j]
        off, others = (p + small, squares) if j == top else (real(1) - q, (squares - q * q) + greatest * greatest)
        work[row + j] = q * (q * off - (others - p * rest))
    work[row + label] = -p * (rest * rest + (squares + greatest * greatest))


def _by_smoothing(work: Any, row: Any, label: Any, classes: Any, p: Any, rest: Any, epsilon: Any, k: Any) -> None:
    """p − y′, the smoothed target with ε/K of every class more."""
    for j in range(classes):
        work[at(row + j)] -= epsilon / classes
    work[at(row + label)] = (real(1) - epsilon) * -rest + epsilon * (p - real(1) / classes)


GAINS: dict[type, Any] = {
    costs.CrossEntropy: _one,
    costs.Quadratic: _slope,
    costs.Absolute: _absolute,
    costs.Poly: _poly,
    costs.GeneralizedLq: _lq,
    costs.Focal: _focal,
    costs.SymmetricCrossEntropy: _symmetric,
}
UNITS: dict[type, Any] = {
    costs.Quadratic: _linear_quadratic,
    costs.Absolute: _linear_absolute,
    costs.RescaledQuadratic: _rescaled,
    costs.Logistic: _logistic,
    costs.Hinge: _hinge,
    costs.SquaredHinge: _squared_hinge,
    costs.Exponential: _exponential,
}
SCALES: dict[type, dict[str, int]] = {
    Sigmoid: {"steepness": 1, "width": 1, "slack": 1},
    Tanh: {"steepness": 2, "width": 2, "slack": 2},
    Softmax: {"slack": 2},
}


def knows(output: Output) -> bool:
    """Whether δ of this output is written down here; everything else is left to the plain twin."""
    cost, activation = output.cost, type(output.activation)
    if isinstance(cost, costs.Smooth):
        return activation in SCALES and type(cost.cost) is costs.CrossEntropy
    if type(output) is not type(pair(cost, output.activation)):
        return False
    if activation is Identity:
        return type(cost) in UNITS
    return activation in SCALES and type(cost) in (
        GAINS if activation is not Tanh else (costs.Quadratic, costs.Absolute, costs.CrossEntropy)
    )


def numbers(output: Output) -> tuple[float, float]:
    """c and k: the parameters of the cost as the lines above read them."""
    cost: Any = output.cost
    if isinstance(cost, costs.RescaledQuadratic):
        return cost.M, cost.k
    if isinstance(cost, costs.SymmetricCrossEntropy):
        return cost.alpha, -cost.beta * cost.A
    named: dict[type, str] = {costs.Poly: "epsilon", costs.GeneralizedLq: "q", costs.Focal: "gamma", costs.Smooth: "epsilon"}
    name = named.get(type(cost))
    return (getattr(cost, name) if name else 0.0), 0.0


def send_back(cost: type, activation: type, dtype: str) -> Any:
    """The compiled last layer of one output: work, z0, ldz, labels, batch, classes, c, k → None."""
    names = vars(mathematics(dtype)) | {"held": held, "lanes": products.lanes(dtype), "at": products.at}
    names["index"] = np.int32 if dtype == "float32" else np.int64  # of a number's size, so that a comparison fills a vector
    kind = f"{cost.__name__}_{activation.__name__}_{dtype}"
    names |= {name: names["real"](value) for name, value in SCALES.get(activation, {}).items()}
    if activation is not Identity and cost in GAINS:
        names["gain"] = compiled(specialised(GAINS[cost], f"gain_{kind}", **names))
    if activation is Softmax:
        part = _by_pull if cost is costs.Quadratic else _by_smoothing if cost is costs.Smooth else _by_gain
        names["send_back"] = compiled(specialised(part, f"send_back_{kind}", **names))
        return compiled(specialised(_by_row, f"delta_{kind}", **names), inline=False)
    unit = UNITS[cost] if activation is Identity else _smoothed if cost is costs.Smooth else _squashed
    names["unit"] = compiled(specialised(unit, f"unit_{kind}", **names))
    return compiled(specialised(_by_unit, f"delta_{kind}", **names), inline=False)
