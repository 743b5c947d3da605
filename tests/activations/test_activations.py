"""Activations: the pullback against autodiff and mpmath, ranges, inverses, far ends, ties."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xent.activations import Identity, Interval, ReLU, Sigmoid, Softmax, Softplus, Tanh
from xent.arrays import quiet
from xent.errors import InputError

ALL = [Sigmoid(), Tanh(), Softmax(), Identity(), Softplus(), ReLU()]
Z = np.asarray([[0.0, 0.3, -1.2, 2.0], [-8.0, 5.0, 0.1, 0.1], [1e-9, -1e-9, 3.0, -3.0]])
EXACT = {
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "identity": lambda z: z,
    "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
    "relu": lambda z: max(z, 0),
}


@pytest.mark.parametrize("activation", ALL, ids=str)
def test_pullback_is_the_vector_jacobian_product(activation, lib):
    g = np.linspace(-1, 2, 12).reshape(3, 4)
    zt = torch.tensor(Z, requires_grad=True)
    (expected,) = torch.autograd.grad(activation(zt), zt, torch.tensor(g))
    pulled = activation.pullback(activation(lib.make(Z)), lib.make(g))
    np.testing.assert_allclose(lib.back(pulled), expected.numpy(), rtol=1e-12, atol=1e-12)
    _, vjp = jax.vjp(activation, jnp.asarray(Z))
    np.testing.assert_allclose(np.asarray(vjp(jnp.asarray(g))[0]), expected.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", [a for a in ALL if not a.vector], ids=str)
@pytest.mark.parametrize("z", [0.0, 1e-300, -1e-17, 0.49, 0.51, -16.7, 40.0, -40.0, 700.0, -700.0])
def test_values(activation, z, lib):
    with mpmath.workdps(700):
        exact = float(EXACT[activation.name](mpmath.mpf(z)))
    assert float(lib.back(activation(lib.make(np.asarray([z]))))[0]) == pytest.approx(exact, rel=1e-15, abs=0)


@pytest.mark.parametrize("activation", ALL, ids=str)
def test_nan_stays_nan_and_infinity_goes_to_the_end(activation, lib):
    with quiet():
        a = lib.back(activation(lib.make(np.asarray([[np.nan, 0.0], [np.inf, 0.0], [0.0, -np.inf]]))))
    assert np.isnan(a[0, 0])
    if activation.vector:
        np.testing.assert_array_equal(a[1:], [[1, 0], [1, 0]])
    else:
        assert (a[1, 0], a[2, 1]) == (activation.range.high, activation.range.low)


@given(st.floats(-15, 15))
def test_inverses(z):
    for activation in (Sigmoid(), Tanh(), Identity(), Softplus()):
        a = activation(np.asarray(z))
        assert float(activation(activation.inverse(a))) == pytest.approx(float(a), rel=1e-12, abs=1e-300)


def test_softmax_rows_sum_to_one_and_have_no_inverse():
    np.testing.assert_allclose(Softmax()(Z).sum(axis=-1), 1, rtol=1e-15)
    with pytest.raises(InputError, match="no inverse"):
        Softmax().inverse(Z)


def test_intervals():
    unit = Interval.open(0, 1)
    assert 0.5 in unit
    assert 0 not in unit
    assert 0 in unit.closure
    assert Interval.closed(0, 1).covers(unit)
    assert not unit.covers(Interval.open(-1, 1))
    assert unit.bounded
    assert not ReLU().range.bounded
    assert repr(ReLU().range) == "[0, ∞)"
