"""Intervals and tests against scipy's; Holm's correction by its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xent.errors import UnknownNameError
from xent.racing.statistics import bootstrap_t, enough, holm, paired, sign_flip, student
from xent.racing.words import seeds_needed

differences = st.lists(st.floats(-100, 100).map(lambda v: round(v, 3)), min_size=2, max_size=10)


@settings(deadline=None, max_examples=50)
@given(differences)
def test_students_interval(d):
    x = np.asarray(d)
    error = stats.sem(x)
    theirs = stats.t.interval(0.95, len(x) - 1, x.mean(), error) if error > 0 else (x.mean(), x.mean())
    np.testing.assert_allclose(student(x, 0.95), theirs, rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=8))
def test_sign_flip_is_scipys_permutation_test(d):
    x = np.asarray(d, float)
    theirs = stats.permutation_test(
        (x, np.zeros_like(x)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert sign_flip(x) == pytest.approx(theirs.pvalue)


def test_sign_flip_of_many_pairs_is_drawn():
    x = np.random.default_rng(0).normal(0.3, 1, 40)
    assert sign_flip(x) == pytest.approx(stats.ttest_1samp(x, 0).pvalue, abs=0.01)
    assert sign_flip(x) == sign_flip(x)
    assert sign_flip(np.full(40, 1e-3)) < 1e-4


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(ps):
    """Adjusted p of the i-th smallest: the greatest of (m − j + 1)·p_j for j ≤ i, at most 1."""
    order = np.argsort(ps, kind="stable")
    for i, place in enumerate(order):
        wanted = max(min(1.0, (len(ps) - j) * ps[order[j]]) for j in range(i + 1))
        assert holm(ps)[place] == pytest.approx(wanted)


def test_bootstrap_t_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = sum(low <= 1 <= high for low, high in (bootstrap_t(rng.exponential(size=15), 0.9, 400) for _ in range(300)))
    assert 0.83 < hits / 300 < 0.96  # skewed samples: Student's has 0.84 here


def test_bootstrap_t_of_differences_that_differ_by_rounding_only():
    for value in (0.1, 1 / 3, 7e-3):
        assert bootstrap_t(np.full(6, value), 0.95) == pytest.approx((value, value))
    assert bootstrap_t(np.asarray([0.9 - 0.8, 0.8 - 0.7, 0.7 - 0.6, 0.6 - 0.5]), 0.95) == pytest.approx((0.1, 0.1))


def test_of_too_few_pairs_to_resample_students_interval_is_given():
    for d in ([0.1, 0.2], [0.1, 0.2, 0.25]):
        assert bootstrap_t(np.asarray(d), 0.95) == student(np.asarray(d), 0.95)
    low, high = bootstrap_t(np.asarray([0.1, 0.2, 0.25, 0.2]), 0.95)
    assert low < 0.1
    assert high > 0.2


def test_of_one_pair_or_of_equal_ones():
    assert paired([0.5]).p == 1.0
    assert (paired([0.5]).low, paired([0.5]).high) == (-np.inf, np.inf)
    same = paired([0.0] * 6, interval="bootstrap-t")
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
    with pytest.raises(UnknownNameError, match="did you mean 'bootstrap-t'"):
        paired([1, 2], interval="bootstrap")


@pytest.mark.parametrize("comparisons", [1, 3, 6, 10])
def test_seeds_needed(comparisons):
    n = seeds_needed(comparisons)
    assert enough(n, comparisons)
    assert not enough(n - 1, comparisons)
    assert holm([2 * 0.5**n] * comparisons)[0] <= 0.05
