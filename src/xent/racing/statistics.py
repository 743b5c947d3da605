"""Two sides compared seed by seed: an interval for the mean difference, and how often chance alone would do as much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from xent.errors import UnknownNameError

EXACT = 16
"""Up to so many pairs every assignment of signs is counted; beyond, DRAWS of them are drawn."""

DRAWS = 100_000
INTERVALS = ("t", "bootstrap-t")

FEWEST = 4
"""Pairs from which the bootstrap-t interval covers as often as it says: of normal differences 95% do, of 3 pairs 82%, of 2 none."""


@dataclass(frozen=True)
class Paired:
    """The mean of paired differences, its interval and the p of the sign-flip test."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def paired(d: Sequence[float] | Float[np.ndarray, " n"], *, level: float = 0.95, interval: str = "t") -> Paired:
    """Differences of one pair for each seed.

    >>> paired([1.0, 2.0, 3.0, 4.0, 5.0]).p  # all of one sign: 2 of the 2⁵ assignments
    0.0625
    """
    if interval not in INTERVALS:
        raise UnknownNameError("interval", interval, INTERVALS)
    x = np.asarray(d, np.float64)
    low, high = (student if interval == "t" else bootstrap_t)(x, level)
    return Paired(float(x.mean()), low, high, sign_flip(x), len(x))


def student(x: Float[np.ndarray, " n"], level: float) -> tuple[float, float]:
    """Student's interval: mean ± t·s/√n. Of one pair it is the whole line."""
    from scipy import stats

    if len(x) < 2:
        return -np.inf, np.inf
    half = float(stats.t.ppf(0.5 + level / 2, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5)
    return float(x.mean() - half), float(x.mean() + half)


def bootstrap_t(x: Float[np.ndarray, " n"], level: float, draws: int = 10_000) -> tuple[float, float]:
    """The bootstrap-t interval: Student's, with the quantiles of t taken from resampled differences.

    Resamples without spread say nothing of t and are left out; below four pairs too little is left, and Student's quantiles
    stand in. Reference: Efron & Tibshirani (1993), chapter 12.
    """
    if len(x) < FEWEST:
        return student(x, level)
    least = 1e-12 * np.abs(x).max()  # below, a spread is rounding
    if x.std() <= least:
        return float(x.mean()), float(x.mean())
    rng = np.random.default_rng(0)  # the same differences have the same interval
    drawn = x[rng.integers(len(x), size=(draws, len(x)))]
    spread = drawn.std(axis=1, ddof=1)
    kept = spread > least
    t = (drawn[kept].mean(axis=1) - x.mean()) / (spread[kept] / len(x) ** 0.5)
    below, above = np.quantile(t, [0.5 - level / 2, 0.5 + level / 2])
    error = x.std(ddof=1) / len(x) ** 0.5
    return float(x.mean() - above * error), float(x.mean() - below * error)


def sign_flip(x: Float[np.ndarray, " n"]) -> float:
    """The share of all assignments of signs whose mean is at least as far from 0, two-sided: exact up to 16 pairs.

    Valid for any distribution that is symmetric under the null hypothesis that the two sides are alike.
    Reference: Fisher (1935), "The Design of Experiments", §21.
    """
    n, seen = len(x), abs(x.sum())
    slack = 1e-12 * np.abs(x).sum()  # sums in another order are the same sums
    if n <= EXACT:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float(np.mean(np.abs(signs @ x) >= seen - slack))
    rng = np.random.default_rng(0)
    hits = sum(int(np.sum(np.abs((1 - 2 * rng.integers(2, size=(DRAWS // 10, n))) @ x) >= seen - slack)) for _ in range(10))
    return (hits + 1) / (DRAWS + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's correction: the p of each of several tests, none of which may be wrong with more than the level's probability.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    adjusted, least = [1.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = least
    return adjusted


def enough(n: int, comparisons: int, level: float = 0.05) -> bool:
    """Whether n pairs can show anything at all: the least p that they can reach is 2/2ⁿ, before Holm's correction.

    >>> enough(5, 1), enough(6, 1)
    (False, True)
    """
    return comparisons * 2.0 ** (1 - n) <= level
