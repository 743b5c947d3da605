"""One contract, every output, every array library: value, δ, error and gain against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import torch
from outputs import samples

import xent

CATALOGUE = xent.catalogue()
CANONICAL = {"cross-entropy@sigmoid", "cross-entropy@tanh", "cross-entropy@softmax", "logistic@identity", "quadratic@identity"}


@cache
def truths(name: str, kind: str) -> tuple[np.ndarray, np.ndarray, list[oracle.Truth]]:
    """z, y and the exact results for each sample, computed once for all libraries."""
    output = xent.output(name)
    z = samples.inputs(output)
    y = samples.targets(output, z, kind)
    full = samples.as_distribution(y, z) if output.activation.vector else y
    return z, y, [oracle.truth(output, np.atleast_1d(a), np.atleast_1d(b)) for a, b in zip(z, full, strict=True)]


@cache
def jitted(name: str) -> Callable[..., tuple[jax.Array, jax.Array, jax.Array]]:
    """Value, δ and error as one program of XLA's, which it may reorder at will; one for all targets of a shape."""
    output = xent.output(name)
    return jax.jit(lambda z, y: (output.value(z, y), output.delta(z, y), output.error(z, y)))


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_exact_in_float64(output, kind, lib):
    """Canonical pairs with hard targets within 8 ulp of the result, everything else of the sum of its terms' sizes."""
    z, y, exact = truths(str(output), kind)
    strict = kind == "hard" and str(output) in CANONICAL
    given = lib.make(z), lib.make(y)
    ways = [[f(*given) for f in (output.value, output.delta, output.error)]]
    ways += [jitted(str(output))(*given)] if lib.name == "jax" else []
    for value, delta, error in ways:
        _check(*(lib.back(v).reshape(len(z), -1) for v in (value, delta, error)), exact, strict)


OTHER_PARAMETERS = [
    "focal(gamma=0)@sigmoid", "focal(gamma=0.5)@tanh", "focal(gamma=5)@softmax", "poly(epsilon=3)@tanh", "lq(q=1)@softmax",
    "lq(q=0.01)@softmax", "lq(q=0.3)@tanh", "smooth(focal, epsilon=0.2)@softmax", "smooth(quadratic)@tanh",
    "smooth(absolute)@sigmoid", "smooth(symmetric-cross-entropy)@softmax", "smooth(smooth(cross-entropy), epsilon=0.3)@tanh",
    "smooth(cross-entropy, epsilon=1)@softmax", "rescaled-quadratic(k=1, M=1)@identity",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("name", OTHER_PARAMETERS)
def test_exact_for_other_parameters_and_pairs(name, kind):
    z, y, exact = truths(name, kind)
    of = xent.output(name)
    _check(*(f(z, y).reshape(len(z), -1) for f in (of.value, of.delta, of.error)), exact, strict=False)


def _check(value, delta, error, exact, strict):
    for i, t in enumerate(exact):
        assert oracle.ulps(value[i, 0], t.value, None if strict else t.value_scale) <= 8, i
        for j in range(len(t.delta)):
            assert oracle.ulps(delta[i, j], t.delta[j], None if strict else t.delta_scale[j]) <= 8, i
            assert oracle.ulps(error[i, j], t.error[j], t.error_scale[j]) <= 8, i


@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_gain_is_delta_over_error(output, lib):
    """Hard targets: from the closed form, within 16 ulp, where δ and error themselves are too small to divide."""
    z, y, exact = truths(str(output), "hard")
    gain = lib.back(output.gain(lib.make(z), lib.make(y)))
    for i, t in enumerate(exact):
        expected = oracle.gain(t)
        if expected is not None:
            assert oracle.ulps(gain[i], expected) <= 16, (z[i], y[i])


@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_gain_of_soft_targets(output):
    """Soft targets: δ = error · gain, to the rounding of both."""
    z, y, exact = truths(str(output), "soft")
    gain = output.gain(z, y)
    for i, t in enumerate(exact):
        norms = [float(sum(v * v for v in part) ** 0.5) for part in (t.delta, t.error, t.delta_scale, t.error_scale)]
        signed = float(t.error[0]) if len(t.error) == 1 else norms[1]
        wanted = float(t.delta[0]) if len(t.delta) == 1 else norms[0]
        slack = 16 * 2.0**-52 * (norms[2] + abs(gain[i]) * norms[3])
        assert abs(gain[i] * signed - wanted) <= slack + 1e-300, (z[i], y[i])


@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_exact_in_float32(output, lib):
    """Hard targets at margins up to 80 and common offsets of 1e6: relative 5e-6, where probabilities have rounded to 0 and 1."""
    rng = np.random.default_rng(3)
    if output.activation.vector:
        z = np.concatenate([rng.uniform(-40, 40, (12, 4)), 1e6 + rng.uniform(-30, 30, (8, 4)), np.zeros((1, 4))])
    else:
        z = np.concatenate(
            [rng.uniform(-40 if "tanh" in str(output) else -80, 40, 24), [0.0, 16.7, -16.7, 28.0, -35.0, 40.0, -40.0]]
        )
    z = z.astype(np.float32)
    y = samples.targets(output, z, "hard")
    full = samples.as_distribution(y, z) if output.activation.vector else y
    y = y if y.dtype.kind == "i" else y.astype(np.float32)
    value, delta = (lib.back(f(lib.make(z), lib.make(y))) for f in (output.value, output.delta))
    assert value.dtype == delta.dtype == np.float32
    for i in range(len(z)):
        t = oracle.truth(output, np.atleast_1d(z[i]), np.atleast_1d(full[i]))
        strict = str(output) in CANONICAL
        assert abs(value[i] - t.value) <= 5e-6 * (abs(t.value) if strict else t.value_scale) + 1e-37, (z[i], y[i])
        for computed, true, scale in zip(np.atleast_1d(delta[i]), t.delta, t.delta_scale, strict=True):
            assert abs(computed - true) <= 5e-6 * (abs(true) if strict else scale) + 1e-37, (z[i], y[i])


def _close(computed: np.ndarray, expected: np.ndarray, scale: np.ndarray, tolerance: float) -> None:
    gap = np.abs(computed - expected)
    assert np.all(gap <= tolerance * np.maximum(np.abs(expected), scale) + 1e4 * np.finfo(expected.dtype).tiny), np.max(gap)


@cache
def slope_by_jax(name: str) -> Callable[..., jax.Array]:
    """JAX's own derivative of the sum of values, compiled; one for all targets of a shape."""
    output = xent.output(name)
    return jax.jit(jax.grad(lambda z, y: output.value(z, y).sum()))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_autodiff_of_value_is_delta(output, kind, dtype, tolerance):
    """torch's and JAX's own derivatives of `value`, with and without jit, at z = 0 too: relative, in the far tails as well."""
    z = samples.inputs(output)
    z = np.clip(z, -40, 40) if dtype == "float32" else np.clip(z, -300, 300) if output.activation.vector else z
    z, y = z.astype(dtype), samples.targets(output, z, kind)
    y = y if y.dtype.kind == "i" else y.astype(dtype)
    zt, yt = torch.tensor(z, requires_grad=True), torch.tensor(y)
    (by_torch,) = torch.autograd.grad(output.value(zt, yt).sum(), zt)
    by_func = torch.func.grad(lambda v: output.value(v, yt).sum())(zt.detach())
    by_jax = slope_by_jax(str(output))(jnp.asarray(z), jnp.asarray(y))
    delta, scale = output.delta(z, y), 0.0
    if str(output) not in CANONICAL or kind == "soft":
        full = samples.as_distribution(y, z) if output.activation.vector else y
        exact = [oracle.truth(output, np.atleast_1d(a), np.atleast_1d(b)) for a, b in zip(z, full, strict=True)]
        scale = np.asarray([[float(s) for s in t.delta_scale] for t in exact]).reshape(delta.shape)
    for computed in (by_torch.numpy(), by_func.numpy(), np.asarray(by_jax)):
        _close(computed, delta, scale, tolerance)


@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_transformed(output):
    """jit and vmap, torch's and JAX's, give what the plain call gives."""
    z = samples.inputs(output)
    y = samples.targets(output, z, "hard")

    def all_three(z, y):
        return output.value(z, y), output.delta(z, y), output.gain(z, y)

    by_jax = jax.jit(jax.vmap(all_three))(jnp.asarray(z), jnp.asarray(y))
    by_torch = torch.func.vmap(all_three)(torch.asarray(z), torch.asarray(y))
    for plain, *computed in zip(all_three(z, y), by_jax, by_torch, strict=True):
        for one in computed:
            np.testing.assert_allclose(np.asarray(one), plain, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_second_derivatives_at_zero(output):
    """Twice differentiated at z = 0 and around: equal to the central difference of δ."""
    z = np.asarray([[0.0, 0.0, 0.0], [0.4, -1.0, 2.0]]) if output.activation.vector else np.asarray([0.0, -0.7, 1.9])
    y = np.asarray([0, 2]) if output.activation.vector else np.full(3, samples.ends(output)[1])
    zt = torch.tensor(z, requires_grad=True)
    (first,) = torch.autograd.grad(output.value(zt, torch.tensor(y)).sum(), zt, create_graph=True)
    v = np.linspace(0.3, -0.8, z.size).reshape(z.shape)
    second = torch.zeros_like(zt)
    if first.requires_grad:  # not so where the slope is a constant
        (second,) = torch.autograd.grad((first * torch.tensor(v)).sum(), zt, allow_unused=True, materialize_grads=True)
    h = 1e-5
    direction = (output.delta(z + h * v, y) - output.delta(z - h * v, y)) / (2 * h)
    np.testing.assert_allclose(second.numpy(), direction, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_no_nan_for_any_finite_z(output, lib):
    extremes = [0.0, 5e-324, 1.0, -745.0, 746.0, 1e4, -1e4, 1e154, -1e200, 1e308, -1e308]
    if output.activation.vector:
        rng = np.random.default_rng(5)
        z = rng.choice(extremes, (40, 3))
    else:
        z = np.asarray(extremes)
    for kind in ("hard", "soft"):
        y = samples.targets(output, z, kind)
        for of in (output.value, output.delta, output.gain, output.error):
            assert not np.any(np.isnan(lib.back(of(lib.make(z), lib.make(y))))), of
        zt = torch.tensor(np.clip(z, -1e100, 1e100), requires_grad=True)
        (grad,) = torch.autograd.grad(output.value(zt, torch.tensor(y)).sum(), zt)
        assert not torch.any(torch.isnan(grad))


@pytest.mark.parametrize("output", [o for o in CATALOGUE if not o.activation.vector], ids=str)
def test_infinite_and_nan_inputs(output, lib):
    """±∞ give the limit (what ±1e300 give, finite or not), nan gives nan."""
    for y in samples.ends(output):
        z, target = lib.make(np.asarray([np.inf, -np.inf, np.nan])), lib.make(np.full(3, y))
        far = np.asarray([1e300, -1e300])
        for name in ("value", "delta", "gain"):
            computed, limit = lib.back(getattr(output, name)(z, target)), getattr(output, name)(far, np.full(2, y))
            limit[np.abs(limit) < 1e-250] = 0
            huge = np.abs(limit) > 1e250
            limit[huge] = np.copysign(np.inf, limit[huge])
            np.testing.assert_array_equal(computed, [*limit, np.nan], err_msg=name)


@pytest.mark.parametrize("output", [o for o in CATALOGUE if o.activation.vector], ids=str)
def test_masked_and_nan_logits(output):
    """A logit of −∞ is a class that cannot be; nan spoils its own row only."""
    z = np.asarray([[1.0, -np.inf, 2.0], [0.5, np.nan, 0.0], [1.0, 2.0, 3.0]])
    without = output.value(np.asarray([[1.0, 2.0]]), np.asarray([1]))
    value, delta = output.value(z, np.asarray([2, 0, 1])), output.delta(z, np.asarray([2, 0, 1]))
    if "smooth" not in str(output):  # a smoothed target has a share in the masked class
        np.testing.assert_allclose(value[0], without[0], rtol=1e-15)
        assert delta[0, 1] == 0
    assert np.isnan(value[1])
    assert np.isfinite(value[2])
    assert np.all(np.isfinite(delta[2]))


@cache
def truth_of_many(classes: int) -> tuple[np.ndarray, np.ndarray, list[oracle.mpf], list[dict[int, oracle.mpf]]]:
    """Logits, class indices, and the exact cost and a few exact δ of each row, for cross-entropy."""
    rng = np.random.default_rng(classes)
    z, y = 3 * rng.normal(size=(2, classes)), rng.integers(0, classes, 2)
    costs, deltas = [], []
    with oracle.mpmath.workdps(50):
        for row, k in zip(z, y, strict=True):
            e = [oracle.mpmath.exp(oracle.mpf(v)) for v in row.tolist()]
            whole = oracle.mpmath.fsum(e)
            costs.append(oracle.mpmath.log(whole) - oracle.mpf(float(row[k])))
            places = {0, classes // 2, classes - 1, int(k)}
            deltas.append({j: e[j] / whole - (1 if j == k else 0) for j in places})
    return z, y, costs, deltas


@pytest.mark.parametrize("classes", [1, 2, 1000, 128_256])
def test_many_classes(classes, lib):
    """From one class to the vocabulary of a language model, within 8 ulp."""
    z, y, costs, deltas = truth_of_many(4096 if lib.name == "strict" and classes > 4096 else classes)
    output = xent.output("cross-entropy@softmax")
    value, delta = (lib.back(f(lib.make(z), lib.make(y))) for f in (output.value, output.delta))
    for i, (cost, expected) in enumerate(zip(costs, deltas, strict=True)):
        assert oracle.ulps(value[i], cost) <= 8
        for j, exact in expected.items():
            assert oracle.ulps(delta[i, j], exact) <= 8


def test_catalogue_names_are_unique():
    names = [str(output) for output in CATALOGUE]
    assert len(set(names)) == len(names) >= 20
