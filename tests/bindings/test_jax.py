"""Cross-entropy on JAX arrays: right numbers and right derivatives under every transformation, and optax agrees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import definition
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
import torch
from jax.test_util import check_grads

import xent
import xent.jax
from xent.costs import SurprisalCost
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError, UnknownNameError

RNG = np.random.default_rng(5)
Z, Y = (jnp.asarray(x) for x in definition.sample(soft=False))
SOFT = jnp.asarray(definition.sample(soft=True)[1])
BARE = {"reduction": "none"}


def close(ours, true, tolerance=1e-13):
    np.testing.assert_allclose(np.asarray(ours, np.float64), np.asarray(true, np.float64), rtol=tolerance, atol=tolerance)


# ── the numbers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_case(case, dtype, tolerance):
    """The cost, its gradient by jit and grad for a drawn upstream, and by `cross_entropy_and_grad`."""
    case = dict(case)
    z, y = definition.sample(case.pop("soft"))
    z = np.asarray(jnp.asarray(z, dtype), np.float64)  # as the dtype sees it
    ours = {name: jnp.asarray(v) if name == "weight" and v is not None else v for name, v in case.items()}
    upstream = RNG.standard_normal(len(z)) if case["reduction"] == "none" else 1.7

    @jax.jit
    def run(z):
        cost, back = jax.vjp(lambda z: xent.jax.cross_entropy(z, jnp.asarray(y), **ours), z)
        return cost, back(jnp.asarray(upstream, cost.dtype))[0], *xent.jax.cross_entropy_and_grad(z, jnp.asarray(y), **ours)

    cost, grad, same, plain_grad = run(jnp.asarray(z, dtype))
    assert cost.dtype == same.dtype == (jnp.float64 if dtype == "float64" else jnp.float32)
    assert grad.dtype == plain_grad.dtype == dtype
    rounding = tolerance if "16" not in dtype else float(jnp.finfo(dtype).eps)
    close(cost, definition.cost(z, y, **case), tolerance)
    close(same, definition.cost(z, y, **case), tolerance)
    close(grad, definition.gradient(z, y, upstream, **case), rounding)
    close(plain_grad, definition.gradient(z, y, **case), rounding)


@pytest.mark.parametrize("case", definition.pairwise(), ids=definition.named)
def test_every_pair_of_options(case):
    check_case(case, "float64", 1e-13)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_dtype(dtype):
    for case in definition.pairwise()[1:4:2]:
        check_case(case, dtype, 2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", definition.every()[::7], ids=definition.named)
def test_all_options_together(case):
    check_case(case, "float64", 1e-13)


@partial(jax.jit, static_argnames="dtype")
def value_and_grad(z, y, dtype=None):
    return jax.vmap(jax.value_and_grad(xent.jax.cross_entropy))(z, y)


def ulps(computed, exact):
    return float(abs(mpmath.mpf(float(computed)) - exact) / mpmath.mpf(float(np.spacing(np.abs(computed))))) if computed else 0.0


def test_confident_answers_keep_their_last_digits():
    """Hard targets in float64: cost and each δ within 8 ulp of 50 digits for |z| ≤ 700, whichever class is the target."""
    rng = np.random.default_rng(0)
    z = np.stack([rng.uniform(-s, s, 6) for s in (1e-8, 1, 30, 350, 700) for _ in range(8)])
    y = rng.integers(0, 6, len(z))
    y[::2] = z[::2].argmax(axis=1)
    cost, grad = value_and_grad(jnp.asarray(z), jnp.asarray(y))
    with mpmath.workdps(700):
        for i in range(len(z)):
            e = [mpmath.exp(mpmath.mpf(v)) for v in z[i].tolist()]
            p = [v / sum(e) for v in e]
            assert ulps(cost[i], -mpmath.log(p[y[i]])) <= 8
            for j in range(6):
                true = p[j] - (j == y[i])
                if abs(true) > 1e-300:  # subnormal results excepted
                    assert ulps(grad[i, j], true) <= 8


def test_float32_at_margins_up_to_80_and_with_a_common_offset():
    margins = np.asarray([0.5, 8, 16, 17, 20, 40, 80], np.float32)
    z = np.zeros((len(margins), 10))
    z[:, 3] = margins
    true = np.log1p(9 * np.exp(-margins.astype(np.float64)))
    for offset in (0.0, 1e6):
        moved = (z + offset).astype(np.float32)
        exact = true if offset == 0 else np.log1p(9 * np.exp(-(moved[:, 3] - moved[:, 0]).astype(np.float64)))
        cost, grad = value_and_grad(jnp.asarray(moved), jnp.full(len(z), 3))
        np.testing.assert_allclose(cost, exact, rtol=5e-6)
        np.testing.assert_allclose(grad[:, 3], np.expm1(-exact), rtol=5e-6)


def test_many_classes_lose_nothing_in_the_sum():
    z = RNG.standard_normal((4, 128_256)).astype(np.float32)
    exact = np.log(np.exp(z.astype(np.float64)).sum(axis=1)) - z[:, 7]
    np.testing.assert_allclose(value_and_grad(jnp.asarray(z), jnp.full(4, 7))[0], exact, rtol=5e-7)


def test_masked_classes_nan_and_infinity_stay_in_their_rows():
    z = Z.at[0, 3].set(-jnp.inf).at[3, 1].set(jnp.nan).at[4].set(-jnp.inf)
    y = Y.at[0].set(0).at[1].set(0)
    cost, grad = xent.jax.cross_entropy_and_grad(z, y, **BARE)
    seen = np.asarray([0, 1, 5])
    without = np.delete(np.asarray(z[:1]), 3, axis=1)
    close(cost[0], definition.cost(without, np.asarray([0]), **BARE)[0])
    close(np.delete(grad[0], 3), definition.gradient(without, np.asarray([0]), **BARE)[0])
    assert grad[0, 3] == 0
    assert np.isfinite(cost[seen]).all()
    assert np.isnan(cost[np.asarray([3, 4])]).all()
    assert np.isfinite(grad[seen]).all()
    assert np.isnan(grad[3]).all()
    assert xent.jax.cross_entropy(z, Y.at[0].set(3), **BARE)[0] == jnp.inf
    assert jnp.isnan(xent.jax.cross_entropy(z.at[0, 1].set(jnp.inf), y, **BARE)[0])
    smooth, grad = xent.jax.cross_entropy_and_grad(z[:1], y[:1], label_smoothing=0.1)
    close(smooth, definition.cost(without, np.asarray([0]), label_smoothing=0.1))
    assert np.isfinite(grad).all()


def test_optax_agrees():
    z, y = Z[:2], Y[:2]
    close(xent.jax.cross_entropy(z, y, **BARE), optax.softmax_cross_entropy_with_integer_labels(z, y))
    close(xent.jax.cross_entropy(Z, SOFT, **BARE), optax.softmax_cross_entropy(Z, SOFT))
    hot = jax.nn.one_hot(y, z.shape[1])
    smooth = xent.jax.cross_entropy(z, y, label_smoothing=0.2, **BARE)
    close(smooth, optax.softmax_cross_entropy(z, optax.smooth_labels(hot, 0.2)))
    close(xent.jax.cross_entropy(z, y, shape="poly(epsilon=2)", **BARE), optax.losses.poly_loss_cross_entropy(z, hot, epsilon=2.0))
    where = jnp.asarray([[True] * 5 + [False] * 2] * 6)
    close(xent.jax.cross_entropy(Z, SOFT, valid_classes=5, **BARE), optax.softmax_cross_entropy(Z, SOFT, where=where))


# ── transformations ────────────────────────────────────────────────────────────────────────────────────────────────────

TARGETS = {"hard": (Y, {}), "soft": (SOFT, {"valid_classes": 5, "temperature": 0.7, "z_loss": 0.1, "shape": "focal(gamma=2)"})}


@pytest.mark.parametrize("kind", TARGETS)
def test_second_derivatives_are_the_differences_of_the_first(kind):
    y, options = TARGETS[kind]
    hessian = jax.jit(jax.hessian(lambda z: xent.jax.cross_entropy(z, y, **options)))(Z)
    for place in ((0, 0), (1, 3), (5, 2)):
        h = np.zeros(Z.shape)
        h[place] = 1e-5
        ahead, behind = (definition.gradient(np.asarray(Z) + d, np.asarray(y), **options) for d in (h, -h))
        close(hessian[:, :, *place], (ahead - behind) / 2e-5, 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_derivatives_of_every_order_forward_and_backward(kind):
    y, options = TARGETS[kind]
    check_grads(jax.jit(lambda z: xent.jax.cross_entropy(z, y, **options)), (Z,), order=3, modes=["fwd", "rev"])


def test_the_second_derivative_is_that_of_softmax():
    """The Hessian of the cost is diag(p) − ppᵀ, of a confident answer too."""
    z = jnp.asarray([0.3, 40.0, -2.0])
    hessian = jax.jit(jax.hessian(lambda z: xent.jax.cross_entropy(z, jnp.asarray(1))))(z)
    with mpmath.workdps(50):
        e = [mpmath.exp(mpmath.mpf(v)) for v in z.tolist()]
        p = [v / sum(e) for v in e]
        true = [[float(a * ((i == j) - b)) for j, b in enumerate(p)] for i, a in enumerate(p)]
    np.testing.assert_allclose(hessian, true, rtol=1e-14)


def test_jvp_linearize_and_vjp_agree_for_a_drawn_tangent_and_upstream():
    tangent, upstream = jnp.asarray(RNG.standard_normal(Z.shape)), jnp.asarray(RNG.standard_normal(len(Z)))
    f = partial(xent.jax.cross_entropy, target=Y, label_smoothing=0.1, **BARE)
    rows = definition.gradient(np.asarray(Z), np.asarray(Y), label_smoothing=0.1, **BARE)
    cost, moved = jax.jvp(f, (Z,), (tangent,))
    close(cost, definition.cost(np.asarray(Z), np.asarray(Y), label_smoothing=0.1, **BARE))
    close(moved, (rows * tangent).sum(axis=1))
    close(jax.linearize(f, Z)[1](tangent), moved)
    close(jax.vjp(f, Z)[1](upstream)[0], rows * upstream[:, None])


def test_vmap_scan_checkpoint_and_grad_in_any_order():
    true = definition.gradient(np.asarray(Z), np.asarray(Y), reduction="sum")

    def batched(z):
        return jax.vmap(xent.jax.cross_entropy)(z, Y).sum()

    def scanned(z):
        def step(c, row):
            return c + xent.jax.cross_entropy(row[0], row[1], reduction="sum"), None

        return jax.lax.scan(step, 0.0, (z, Y))[0]

    f = partial(xent.jax.cross_entropy, reduction="sum")
    ignored = jnp.where(Y == -100, 1.0, 0.0)  # the mean over one row that is ignored is nan
    close(jax.vmap(jax.grad(f))(Z, Y), true)
    close(jax.jit(jax.grad(scanned))(Z), true)
    close(jax.grad(jax.checkpoint(f))(Z, Y), true)
    assert jnp.isnan(batched(Z))
    close(jax.grad(lambda z: jax.vmap(partial(f, reduction="mean", on_empty="zero"))(z, Y).sum())(Z), true * (1 - ignored)[:, None])


def test_targets_weights_and_denominator_have_derivatives_too():
    z, y = np.asarray(Z), np.asarray(Y)
    w = definition.WEIGHT
    by_weight = jax.grad(lambda w: xent.jax.cross_entropy(Z, Y, weight=w))(jnp.asarray(w))
    close(by_weight, definition.by_complex_step(lambda w: definition.cost(z, y, weight=w), w))
    by_target = jax.grad(lambda t: xent.jax.cross_entropy(Z, t, label_smoothing=0.2))(SOFT)
    close(by_target, definition.by_complex_step(lambda t: definition.cost(z, t, label_smoothing=0.2), np.asarray(SOFT)))
    by_denominator = jax.grad(lambda d: xent.jax.cross_entropy(Z, Y, denominator=d))(jnp.asarray(4.0))
    close(by_denominator, -definition.cost(z, y, reduction="sum") / 16)
    both = jax.jacfwd(jax.grad(lambda z, w: xent.jax.cross_entropy(z, Y, weight=w, reduction="sum")), argnums=1)(Z, jnp.asarray(w))
    close(both @ jnp.asarray(w), definition.gradient(z, y, weight=w, reduction="sum"))  # linear in the weights


def test_statistics_and_their_derivatives():
    names = ("lse", "log_prob", "entropy", "rank", "correct", "margin")
    z, y = np.asarray(Z[3:]), np.asarray(Y[3:])
    cost, stats = jax.jit(lambda z: xent.jax.cross_entropy(z, Y[3:], stats=names))(Z[3:])
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    of_target = np.take_along_axis(z, y[:, None], 1)
    close(cost, definition.cost(z, y))
    close(stats["lse"], np.log(np.exp(z).sum(axis=1)))
    close(stats["log_prob"], np.log(np.take_along_axis(p, y[:, None], 1))[:, 0])
    close(stats["entropy"], -(p * np.log(p)).sum(axis=1))
    np.testing.assert_array_equal(stats["rank"], (z > of_target).sum(axis=1))
    np.testing.assert_array_equal(stats["correct"], z.argmax(axis=1) == y)
    slope = jax.grad(lambda z: xent.jax.cross_entropy(z, Y[3:], stats="entropy")[1]["entropy"].sum())(Z[3:])
    close(slope, -p * (np.log(p) + stats["entropy"][:, None]))


def test_ignored_rows_have_gradient_zero_whatever_they_hold_and_whatever_comes_from_upstream():
    z = Z.at[2].set(jnp.nan)
    for options in ({}, {"z_loss": 0.1, "softcap": 5.0, "label_smoothing": 0.1}):
        f = partial(xent.jax.cross_entropy, target=Y, **BARE, **options)
        _, back = jax.vjp(f, z)
        grad = back(jnp.ones(len(z)).at[2].set(jnp.nan))[0]
        assert (grad[2] == 0).all()
        assert np.isfinite(grad).all()
    nothing = jnp.full(len(Z), -100)
    cost, grad = jax.value_and_grad(xent.jax.cross_entropy)(Z, nothing)
    assert jnp.isnan(cost)
    assert (grad == 0).all()
    cost, grad = jax.value_and_grad(partial(xent.jax.cross_entropy, on_empty="zero"))(Z, nothing)
    assert cost == 0
    assert (grad == 0).all()


def test_the_class_axis_may_be_anywhere():
    z = jnp.moveaxis(jnp.stack([Z, Z + 1, 2 * Z]), -1, 1)  # (3, 7, 6)
    y = jnp.stack([Y, Y, Y])
    f = partial(xent.jax.cross_entropy, axis=1, reduction="sum")
    whole = jax.grad(f)(z, y)
    assert whole.shape == z.shape
    for i in range(3):
        close(whole[i].T, definition.gradient(np.asarray(z[i].T), np.asarray(Y), reduction="sum"))
    close(xent.jax.cross_entropy_and_grad(z, y, axis=1, reduction="sum")[1], whole)


def test_micro_batches_add_up():
    parts = sum(jax.grad(xent.jax.cross_entropy)(Z[half], Y[half], denominator=5.0).sum() for half in (slice(3), slice(3, 6)))
    close(parts, jax.grad(xent.jax.cross_entropy)(Z, Y).sum())


# ── what comes in ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_top_level_takes_jax_arrays_by_the_same_rule():
    for f in (xent.cross_entropy, xent.jax.cross_entropy):
        assert "custom_jvp_call" in str(jax.make_jaxpr(f)(Z, Y))
        close(jax.grad(f)(Z, Y), definition.gradient(np.asarray(Z), np.asarray(Y)))
    cost, grad = xent.cross_entropy_and_grad(Z, Y)
    assert isinstance(cost, jax.Array)
    assert isinstance(grad, jax.Array)


def test_numpy_arrays_are_taken_as_jaxs_own():
    cost = xent.jax.cross_entropy(np.asarray(Z), np.asarray(Y), weight=definition.WEIGHT)
    assert isinstance(cost, jax.Array)
    close(cost, definition.cost(np.asarray(Z), np.asarray(Y), weight=definition.WEIGHT))


def test_without_64_bits_nothing_is_asked_for_that_has_them():
    """JAX's usual state, in which it would warn, and warnings are errors here."""
    with jax.enable_x64(False):
        z, soft, y = jnp.zeros((2, 3)), jnp.full((2, 3), 1 / 3), jnp.asarray([0, 2], "uint32")
        for target in (soft, y):
            close(jax.grad(xent.jax.cross_entropy)(z, target, denominator=4.0).sum(), 0, 1e-6)
            close(xent.jax.cross_entropy(z, target), np.log(3), 1e-6)
        with pytest.raises(InputError, match="32 bits"):
            xent.jax.cross_entropy(z, y, ignore_index=2**40)


def test_wrong_targets_raise_where_they_can_be_seen_and_cost_nan_where_not():
    wrong = Y.at[4].set(7)
    with pytest.raises(TargetError, match=r"place 4 is 7"):
        xent.jax.cross_entropy(Z, wrong)
    with pytest.raises(TargetError, match=r"place 4 is 7"):  # the logits are traced, the targets known
        jax.jit(lambda z: xent.jax.cross_entropy(z, wrong))(Z)
    cost, grad = jax.jit(partial(xent.jax.cross_entropy_and_grad, **BARE))(Z, wrong)
    np.testing.assert_array_equal(np.isnan(cost), np.arange(6) == 4)
    np.testing.assert_array_equal(np.isnan(grad).all(axis=1), np.arange(6) == 4)
    cost = jax.jit(partial(xent.jax.cross_entropy, **BARE))(Z, SOFT.at[3].multiply(2.0))
    np.testing.assert_array_equal(np.isnan(cost), np.arange(6) == 3)
    nothing = jnp.full(len(Z), -100)
    for f in (xent.jax.cross_entropy, lambda z, y, **o: jax.jit(lambda z: xent.jax.cross_entropy(z, y, **o))(z)):
        with pytest.raises(InputError, match="all 6 targets are ignore_index"):
            f(Z, nothing, on_empty="raise")
    with pytest.raises(InputError, match="hidden while a function is compiled"):
        jax.jit(partial(xent.jax.cross_entropy, on_empty="raise"))(Z, nothing)


def test_what_does_not_fit_is_named():
    with pytest.raises(ArrayKindError, match="torch"):
        xent.jax.cross_entropy(Z, torch.zeros(6, dtype=torch.int64))
    with pytest.raises(ShapeError, match="Nothing is broadcast"):
        xent.jax.cross_entropy(Z, Y[:3])
    with pytest.raises(ArrayKindError, match="int64"):
        xent.jax.cross_entropy(Y[None], Y[:1])
    with pytest.raises(ShapeError, match="weight is one number per class"):
        xent.jax.cross_entropy(Z, Y, weight=jnp.ones(3))
    with pytest.raises(UnknownNameError, match="label_smoothing"):
        xent.jax.cross_entropy(Z, Y, label_smooting=0.1)


def test_a_shape_of_ones_own_is_not_mistaken_for_another():
    """Two that compare equal, since what tells them apart is no field, are compiled apart."""

    class Scaled(SurprisalCost):
        def __init__(self, by):
            super().__init__()
            object.__setattr__(self, "by", by)

        def phi(self, p, xp):
            return self.by * p.ell

        def phi_slope(self, p, xp):
            return self.by * xp.ones_like(p.ell)

        def phi_curvature(self, p, xp):
            return xp.zeros_like(p.ell)

    once, twice = (xent.jax.cross_entropy_and_grad(Z, Y, shape=Scaled(by)) for by in (1.0, 2.0))
    close(twice[0], 2 * once[0])
    close(twice[1], 2 * once[1])


@dataclass(frozen=True)
class Layout:
    n: int
    k: int


@pytest.mark.parametrize("layout", [Layout(0, 3), Layout(3, 1), Layout(1, 2)], ids=str)
def test_odd_sizes(layout):
    z, y = jnp.ones((layout.n, layout.k)), jnp.zeros(layout.n, int)
    cost, grad = jax.value_and_grad(partial(xent.jax.cross_entropy, reduction="sum"))(z, y)
    close(cost, layout.n * np.log(layout.k))
    close(grad, np.ones(z.shape) / layout.k - np.eye(layout.k)[np.zeros(layout.n, int)])


def test_one_sample_without_a_batch():
    close(jax.grad(xent.jax.cross_entropy)(jnp.zeros(4), jnp.asarray(1)), [0.25, -0.75, 0.25, 0.25])
