"""The oracle: every cost and activation written down once more, straight from its definition, in mpmath.

Nothing here is stable, clever or shared with the code: probabilities come from the definition, derivatives of φ and f by
mpmath's differentiation, δ from the chain rule. Enough digits are carried that 50 are left at |z| = 700. Beside each result
stands its scale, the sum of the absolute values of the terms that it is a sum of.
"""

from __future__ import annotations

from dataclasses import dataclass

import mpmath
from mpmath import mp, mpf

import xent
from xent.activations import Identity, Sigmoid, Softmax, Tanh
from xent.costs import (
    Absolute,
    Exponential,
    Focal,
    GeneralizedLq,
    Hinge,
    Logistic,
    MarginCost,
    Poly,
    Quadratic,
    RescaledQuadratic,
    Smooth,
    SquaredHinge,
    SurprisalCost,
    SymmetricCrossEntropy,
)

DIGITS = 700


@dataclass
class Truth:
    """Exact numbers for one sample; delta and error are lists with one entry per output."""

    value: mpf
    value_scale: mpf
    delta: list[mpf]
    delta_scale: list[mpf]
    error: list[mpf]
    error_scale: list[mpf]


def truth(output: xent.Output, z: list[float], y: list[float]) -> Truth:
    """The exact value, δ and error of one sample: z and y one number each, or one per class (y a distribution)."""
    with mpmath.workdps(DIGITS):
        return _truth(output.cost, output.activation, [mpf(float(v)) for v in z], [mpf(float(v)) for v in y])


def _truth(cost, activation, z, y):
    if isinstance(cost, Smooth):
        undecided = {Softmax: mpf(1) / len(z), Sigmoid: mpf(1) / 2, Tanh: mpf(0)}[type(activation)]
        eps = mpf(cost.epsilon)
        return _truth(cost.cost, activation, z, [(1 - eps) * v + eps * undecided for v in y])
    a, jacobian = _activate(activation, z)
    value, slope = _cost(cost, activation, a, y)
    delta = [[slope_term * jacobian[k][j] for k in range(len(a)) for slope_term in slope[k]] for j in range(len(a))]
    aim = y
    if isinstance(cost, RescaledQuadratic):
        aim = [mpf(cost.k) * v * mpf(cost.M) / (mpf(cost.k) * v + 1 - v) for v in y]
    if isinstance(cost, MarginCost):  # read against σ(s), the labels as 0 and 1
        a, aim = [1 / (1 + mpmath.exp(-z[0]))], [(y[0] + 1) / 2]
    return Truth(
        mpmath.fsum(value),
        mpmath.fsum(map(abs, value)),
        [mpmath.fsum(terms) for terms in delta],
        [mpmath.fsum(map(abs, terms)) for terms in delta],
        [p - t for p, t in zip(a, aim, strict=True)],
        [abs(p) + abs(t) for p, t in zip(a, aim, strict=True)],
    )


def _activate(activation, z):
    """The answers and their Jacobian."""
    if isinstance(activation, Softmax):
        e = [mpmath.exp(v) for v in z]
        p = [v / mpmath.fsum(e) for v in e]
        return p, [[p[k] * ((1 if j == k else 0) - p[j]) for j in range(len(p))] for k in range(len(p))]
    if isinstance(activation, Sigmoid):
        a = 1 / (1 + mpmath.exp(-z[0]))
        return [a], [[a * (1 - a)]]
    if isinstance(activation, Tanh):
        a = (mpmath.exp(2 * z[0]) - 1) / (mpmath.exp(2 * z[0]) + 1)
        return [a], [[1 - a * a]]
    assert isinstance(activation, Identity)
    return z, [[mpf(1)]]


def _cost(cost, activation, a, y):
    """The terms of the value, and per output the terms of the slope ∂C/∂a."""
    pairs = list(zip(a, y, strict=True))
    if isinstance(cost, Quadratic):
        return [v for p, t in pairs for v in (p * (p - t) / 2, -t * (p - t) / 2)], [[p, -t] for p, t in pairs]
    if isinstance(cost, Absolute):
        return [v for p, t in pairs for v in (p * mpmath.sign(p - t), -t * mpmath.sign(p - t))], [
            [mpmath.sign(p - t)] for p, t in pairs
        ]
    if isinstance(cost, RescaledQuadratic):
        k, big = mpf(cost.k), mpf(cost.M)
        return (
            [k * y[0] * (a[0] - big) ** 2 / 2, (1 - y[0]) * a[0] ** 2 / 2],
            [[k * y[0] * (a[0] - big), (1 - y[0]) * a[0]]],
        )
    if isinstance(cost, MarginCost):
        f = MARGINS[type(cost)]
        m = y[0] * a[0]
        return [f(m)], [[y[0] * _slope_of_margin(cost, f, m)]]
    readings = _readings(activation, a, y)
    if isinstance(cost, SymmetricCrossEntropy):
        low = mpf(cost.A)
        charge = [max(mpmath.log(share), low) if share > 0 else low for share, _, _, _ in readings]
        value = [-mpf(cost.alpha) * share * mpmath.log(p) for share, p, _, _ in readings if share]
        value += [-mpf(cost.beta) * p * u for (_, p, _, _), u in zip(readings, charge, strict=True)]
        slope = [[] for _ in a]
        for (share, p, k, dp), u in zip(readings, charge, strict=True):
            slope[k] += [-mpf(cost.alpha) * share / p * dp, -mpf(cost.beta) * u * dp]
        return value, slope
    assert isinstance(cost, SurprisalCost)
    value, slope = [], [[] for _ in a]
    for share, p, k, dp in readings:
        if share:
            ell = -mpmath.log(p)
            value.append(share * phi(cost, ell))
            slope[k].append(-share * phi_slope(cost, ell) / p * dp)
    return value, slope


def _readings(activation, a, y):
    """(share of the target, probability, which answer it is made of, its derivative by that answer)."""
    if isinstance(activation, Softmax):
        return [(t, p, k, 1) for k, (p, t) in enumerate(zip(a, y, strict=True))]
    if isinstance(activation, Sigmoid):
        return [(y[0], a[0], 0, 1), (1 - y[0], 1 - a[0], 0, -1)]
    return [((1 + y[0]) / 2, (1 + a[0]) / 2, 0, mpf(1) / 2), ((1 - y[0]) / 2, (1 - a[0]) / 2, 0, -mpf(1) / 2)]


def phi(cost, ell):
    """φ(ℓ) from the papers."""
    p = mpmath.exp(-ell)
    if isinstance(cost, Focal):
        return (1 - p) ** mpf(cost.gamma) * ell
    if isinstance(cost, Poly):
        return ell + mpf(cost.epsilon) * (1 - p)
    if isinstance(cost, GeneralizedLq):
        return (1 - p ** mpf(cost.q)) / mpf(cost.q)
    return ell


def phi_slope(cost, ell):
    """φ′ by mpmath's own differentiation."""
    with mpmath.workdps(2 * DIGITS + 400):
        return (
            mpmath.diff(lambda x: phi(cost, x), ell, h=mpf(10) ** -(DIGITS + 300))
            if type(cost).__name__ != "CrossEntropy"
            else mpf(1)
        )


MARGINS = {
    Logistic: lambda m: mpmath.log(1 + mpmath.exp(-m)),
    Exponential: lambda m: mpmath.exp(-m),
    Hinge: lambda m: max(mpf(0), 1 - m),
    SquaredHinge: lambda m: max(mpf(0), 1 - m) ** 2,
}


def _slope_of_margin(cost, f, m):
    if isinstance(cost, Hinge):
        return mpf(-1) if m < 1 else mpf(0)
    if isinstance(cost, SquaredHinge):
        return -2 * max(mpf(0), 1 - m)
    return -1 / (1 + mpmath.exp(m)) if isinstance(cost, Logistic) else -mpmath.exp(-m)


def gain(exact: Truth) -> mpf | None:
    """‖δ‖/‖error‖, signed where there is one output; None where the error is 0."""
    with mpmath.workdps(DIGITS):
        if len(exact.error) == 1:
            return exact.delta[0] / exact.error[0] if exact.error[0] else None
        below = mpmath.sqrt(mpmath.fsum(e * e for e in exact.error))
        return mpmath.sqrt(mpmath.fsum(d * d for d in exact.delta)) / below if below else None


def ulps(computed: float, exact: mpf, scale: mpf | None = None) -> float:
    """The distance in units of the last place of float64, of the exact value or of the scale; 0 in the subnormal range."""
    scale = abs(exact) if scale is None else scale
    if scale < mpf(2) ** -1021:
        return 0.0 if abs(computed) <= 2.0**-1020 else float("inf")
    with mp.workdps(60):
        unit = mpf(2) ** (mpmath.floor(mpmath.log(scale, 2)) - 52)
        return float(abs(mpf(computed) - exact) / unit)
