"""Costs by themselves: C(a, y) and its slope against mpmath over their domain, and at its edges."""

from __future__ import annotations

import mpmath
import numpy as np
import oracle
import pytest
from mpmath import mpf

import xent
from xent.activations import Identity, Sigmoid
from xent.costs import Labels, SurprisalCost, SymmetricCrossEntropy
from xent.outputs.registry import COSTS

ONE_NUMBER = [o for o in xent.catalogue() if not o.activation.vector and not str(o).startswith("smooth")]


@pytest.mark.parametrize("output", ONE_NUMBER, ids=str)
def test_cost_and_slope(output, lib):
    cost, reach = output.cost, output.activation.range
    a = np.linspace(reach.low, reach.high, 13)[1:-1] if reach.bounded else np.linspace(-3, 3, 11)
    allowed = cost.targets_on(output.activation)
    ends = allowed.values if isinstance(allowed, Labels) else (allowed.low, allowed.high) if allowed.bounded else (0.0, 1.0)
    for y in (*ends, *(() if isinstance(allowed, Labels) else (0.3,))):
        ys = np.full(a.shape, float(y))
        value, slope = lib.back(cost(lib.make(a), lib.make(ys))), lib.back(cost.slope(lib.make(a), lib.make(ys)))
        with mpmath.workdps(50):
            for i in range(len(a)):
                terms, slopes = oracle._cost(cost, output.activation, [mpf(float(a[i]))], [mpf(y)])
                assert float(value[i]) == pytest.approx(float(mpmath.fsum(terms)), rel=1e-13, abs=1e-15)
                assert float(slope[i]) == pytest.approx(float(mpmath.fsum(slopes[0])), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("output", [o for o in ONE_NUMBER if o.activation.squashed], ids=str)
def test_the_right_answer_at_the_very_end_costs_nothing(output):
    """0·log 0 is 0, not nan."""
    reach = output.activation.range
    ends = np.asarray([reach.low, reach.high], dtype=float)
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(output.cost(ends, ends), [0, 0])
        assert np.all(output.cost(ends[::-1].copy(), ends) > 0)


@pytest.mark.parametrize("name", [n for n in COSTS if n != "smooth"])
def test_every_cost_says_what_it_takes(name):
    cost = COSTS[name]()
    assert cost.name == name
    assert cost.usual in ("sigmoid", "softmax", "identity")
    assert "Reference:" in type(cost).__doc__
    assert "Domain:" in type(cost).__doc__
    assert str(xent.output(cost)).endswith(f"@{cost.usual}")


def test_symmetric_cross_entropy_as_published():
    """log 0 counts as A, for the reverse part of a one-hot target: −A(1 − p_y)."""
    cost = SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4.0)
    value = xent.output(cost, "softmax").value(np.log(np.asarray([0.2, 0.3, 0.5])), 1)
    assert value == pytest.approx(-0.1 * np.log(0.3) + 4 * 0.7)


def test_a_users_own_phi_gets_the_closed_form():
    class Squared(SurprisalCost):
        """φ(ℓ) = ℓ²/2."""

        name = "squared-surprisal"

        def phi(self, p, xp):
            return p.ell**2 / 2

        def phi_slope(self, p, xp):
            return p.ell

        def phi_curvature(self, p, xp):
            return xp.ones_like(p.ell)

    output = xent.output(Squared(), "softmax")
    z = np.asarray([[60.0, 0.0, 0.0]])
    loss = -np.log(1 / (1 + 2 * np.exp(-60.0))) or 2 * np.exp(-60.0)
    assert output.value(z, np.asarray([0]))[0] == pytest.approx(loss**2 / 2, rel=1e-12)
    assert output.gain(z, np.asarray([1]))[0] == pytest.approx(60.0, rel=1e-12)
    assert xent.output(Squared(), Sigmoid()).gain(0.0, 1) == pytest.approx(np.log(2))
    with pytest.raises(xent.XentError):
        xent.output(Squared(), Identity())
