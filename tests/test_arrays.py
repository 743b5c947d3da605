"""Formulas that are at home in one library, asked from others."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import xent
from xent.arrays import asked
from xent.costs import Cost


class OfNumpy(Cost):
    """Huber's cost, with NumPy's functions alone: given tensors, they fail or answer with another kind of array."""

    name, usual = "huber", "sigmoid"

    def __call__(self, a, y):
        e = np.abs(a - y)
        return np.where(e < 0.5, e**2 / 2, 0.5 * (e - 0.25))

    def slope(self, a, y):
        return np.clip(np.asarray(a - y), -0.5, 0.5)


class OfTorch(Cost):
    name, usual = "huber", "sigmoid"

    def __call__(self, a, y):
        return torch.nn.functional.huber_loss(a, y, reduction="none", delta=0.5)

    def slope(self, a, y):
        return torch.clamp(a - y, -0.5, 0.5)


class OfJax(Cost):
    name, usual = "huber", "sigmoid"

    def __call__(self, a, y):
        e = jnp.abs(a - y)
        return jnp.where(e < 0.5, e**2 / 2, 0.5 * (e - 0.25))

    def slope(self, a, y):
        return jnp.clip(a - y, -0.5, 0.5)


OWN = [OfNumpy(), OfTorch(), OfJax()]


@pytest.mark.parametrize("cost", OWN, ids=lambda c: type(c).__name__)
def test_a_cost_of_one_library_works_on_every_array(cost, lib):
    z, y = np.asarray([-3.0, 0.25, 2.0], np.float32), np.asarray([0.0, 1.0, 0.5], np.float32)
    output = xent.output(cost)
    a = 1 / (1 + np.exp(-z))
    value, delta = (f(lib.make(z), lib.make(y)) for f in (output.value, output.delta))
    assert type(value) is type(lib.make(z))
    assert str(value.dtype).endswith("float32")
    e = np.abs(a - y)
    np.testing.assert_allclose(lib.back(value), np.where(e < 0.5, e**2 / 2, 0.5 * (e - 0.25)), rtol=1e-5)
    np.testing.assert_allclose(lib.back(delta), np.clip(a - y, -0.5, 0.5) * a * (1 - a), rtol=1e-5)


@pytest.mark.parametrize("cost", OWN, ids=lambda c: type(c).__name__)
def test_where_a_built_in_one_works(cost):
    """A neuron, a sweep, figures, label smoothing and a criterion, whose gradient is δ."""
    output = xent.output(cost)
    run = xent.Neuron(2.0, 2.0).learn(1.0, 0.0, output=output, steps=5)
    many = xent.sweep(np.asarray([2.0]), np.asarray([2.0]), 1.0, 0.0, output=output, steps=5)
    assert many.a[0] == pytest.approx(run.a[-1], rel=1e-6)
    assert output.figure().axes
    smoothed = xent.output(xent.costs.Smooth(cost, epsilon=0.2))
    assert float(smoothed.delta(np.asarray(0.0), np.asarray(1.0))) == pytest.approx(0.25 * -0.4)
    z = torch.tensor([2.0, -1.0], requires_grad=True)
    y = torch.tensor([0.0, 1.0])
    xent.torch.Criterion(output, reduction="sum")(z, y).backward()
    torch.testing.assert_close(z.grad, output.delta(z.detach(), y))


def test_copies_carry_no_derivative_and_say_so():
    """Where one is recorded, the formula's own error is what comes: no silent 0."""
    z = torch.tensor([2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="grad"):
        xent.output(OfNumpy()).value(z, torch.tensor([0.0]))


def test_its_own_error_is_what_is_raised():
    def fails(a):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asked(fails, np.zeros(2))
