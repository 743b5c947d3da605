"""The oracle of the ops: one row of cross-entropy on logits with every option, straight from the definition, in mpmath."""

from __future__ import annotations

import mpmath
from mpmath import mpf
from oracle import phi, phi_slope

from xent.costs import CrossEntropy


def row(z, y, *, weight=None, smoothing=0.0, z_loss=0.0, softcap=None, temperature=1.0, shape=None, classes=None, digits=700):
    """(cost, gradient, the sum of the absolute values of each gradient's terms, statistics); y an index or a distribution."""
    with mpmath.workdps(digits):
        return _row([mpf(float(v)) for v in z], y, weight, smoothing, z_loss, softcap, temperature, shape, classes)


def _row(z, y, weight, smoothing, z_loss, softcap, temperature, shape, classes):
    full, v = len(z), classes or len(z)
    cost_of = CrossEntropy() if shape is None else shape
    final, slope = [], []
    for x in z[:v]:
        masked = x == -mpmath.inf
        u = None if softcap is None or masked else mpmath.tanh(x / mpf(softcap))
        final.append((x if u is None else mpf(softcap) * u) / mpf(temperature))
        slope.append((mpf(1) if softcap is None else mpf(0) if masked else 1 - u * u) / mpf(temperature))
    alive = [x != -mpmath.inf for x in final]
    powers = [mpmath.exp(x) if a else mpf(0) for x, a in zip(final, alive, strict=True)]
    lse = mpmath.log(mpmath.fsum(powers))
    p = [e / mpmath.fsum(powers) for e in powers]
    given = [mpf(j == y) for j in range(v)] if isinstance(y, int) else [mpf(float(x)) for x in y[:v]]
    eps, count = mpf(smoothing), sum(alive)
    aim = [(1 - eps) * t + (eps / count if a else 0) for t, a in zip(given, alive, strict=True)]
    w = [mpf(1)] * v if weight is None else [mpf(float(x)) for x in weight[:v]]
    share = [t * x for t, x in zip(aim, w, strict=True)]
    ell = [-mpmath.log(q) if q else mpmath.inf for q in p]
    cost = mpmath.fsum(c * phi(cost_of, e) for c, e in zip(share, ell, strict=True) if c) + mpf(z_loss) * lse**2
    c = [s * phi_slope(cost_of, e) if s else mpf(0) for s, e in zip(share, ell, strict=True)]
    pull = 2 * mpf(z_loss) * lse
    grad, scale, all_c, all_p = [], [], mpmath.fsum(c), mpmath.fsum(p)  # so many digits are carried that a difference keeps enough
    for j in range(v):
        others, rest = all_c - c[j], all_p - p[j]
        grad.append((p[j] * others - c[j] * rest + pull * p[j]) * slope[j])
        scale.append((p[j] * abs(others) + abs(c[j]) * rest + abs(pull) * p[j]) * slope[j])
    stats = {
        "lse": lse,
        "log_prob": -mpmath.fsum(t * e for t, e in zip(given, ell, strict=True) if t),
        "entropy": mpmath.fsum(q * e for q, e in zip(p, ell, strict=True) if q),
        "error": mpmath.sqrt(mpmath.fsum((q - t) ** 2 for q, t in zip(p, aim, strict=True))),
    }
    pad = [mpf(0)] * (full - v)
    return cost, grad + pad, scale + pad, stats
