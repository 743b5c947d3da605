"""Linear cross-entropy on JAX arrays: that of the logits, and its derivatives, whatever is done to it."""

from __future__ import annotations

from functools import partial

import definition
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xent
import xent.jax
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError

RNG = np.random.default_rng(3)
N, D, K = 6, 4, definition.CLASSES
H, W, B = RNG.standard_normal((N, D)), 2 * RNG.standard_normal((K, D)), RNG.standard_normal(K)
HARD, SOFT = (definition.sample(soft)[1] for soft in (False, True))
FOUR_ROWS = 3 * 8 * K * 4


def close(ours, true, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(ours, np.float64), np.asarray(true, np.float64), rtol=tolerance, atol=tolerance)


def true_grads(y, upstream=1.0, h=H, w=W, b=B, **case):
    delta = definition.gradient(h @ w.T + b, y, upstream, **case)
    return delta @ w, delta.T @ h, delta.sum(axis=0)


@pytest.mark.parametrize("case", definition.pairwise()[1:8:2], ids=definition.named)
@pytest.mark.parametrize("memory", [FOUR_ROWS, 1 << 26])
def test_options(case, memory):
    case = dict(case)
    y = SOFT if case.pop("soft") else HARD
    f = partial(xent.jax.linear_cross_entropy, memory=memory, **case)
    upstream = RNG.standard_normal(N) if case["reduction"] == "none" else 1.3

    @jax.jit
    def run(h, w, b):
        cost, back = jax.vjp(lambda h, w, b: f(h, w, y, b), h, w, b)
        return cost, back(jnp.asarray(upstream)), xent.jax.linear_cross_entropy_and_grad(h, w, y, b, memory=memory, **case)

    cost, grads, (same, plain_grads) = run(H, W, B)
    close(cost, definition.cost(H @ W.T + B, y, **case))
    close(same, cost)
    for ours, true in zip(grads, true_grads(y, upstream, **case), strict=True):
        close(ours, true)
    for ours, true in zip(plain_grads, true_grads(y, **case), strict=True):
        close(ours, true)


def test_the_top_level_takes_jax_arrays_and_statistics_come_too():
    h, w, y = (jnp.asarray(x) for x in (H, W, HARD))
    cost, grads, stats = xent.linear_cross_entropy_and_grad(h, w, y, stats=("lse", "rank"), memory=FOUR_ROWS)
    assert isinstance(cost, jax.Array)
    assert grads[2] is None
    _, true = xent.cross_entropy(H @ W.T, HARD, stats=("lse", "rank"))
    for name, value in stats.items():
        close(value, true[name])
    same, again = xent.linear_cross_entropy(h, w, y, stats="lse")
    close(same, cost)
    close(again["lse"], true["lse"])


def test_second_derivatives_tangents_and_maps():
    h = jnp.asarray(H)
    f = partial(xent.jax.linear_cross_entropy, memory=FOUR_ROWS)
    direct = lambda h: xent.jax.cross_entropy(h @ W.T, HARD)  # noqa: E731
    tangent = jnp.asarray(RNG.standard_normal(H.shape))
    close(jax.jvp(lambda h: f(h, W, HARD), (h,), (tangent,))[1], jax.jvp(direct, (h,), (tangent,))[1])
    curve = jax.jit(jax.grad(lambda h: (jax.grad(f)(h, W, HARD) * tangent).sum()))
    close(curve(h), jax.grad(lambda h: (jax.grad(direct)(h) * tangent).sum())(h))
    each = jax.vmap(jax.grad(f), in_axes=(0, None, None))(jnp.stack([h, 2 * h]), W, HARD)
    close(each[1], jax.grad(f)(2 * h, W, HARD))


def test_a_tied_weight_has_the_sum_of_both_gradients():
    words = jnp.asarray([0, 3, 1, 6, 2, 2])
    tied = jax.grad(lambda w: xent.jax.linear_cross_entropy(w[words], w, HARD, memory=FOUR_ROWS))(jnp.asarray(W))
    close(tied, jax.grad(lambda w: xent.jax.cross_entropy(w[words] @ w.T, HARD))(jnp.asarray(W)))


def test_the_logits_of_all_rows_never_exist():
    """No array of the compiled gradient has n × K numbers, nor has the whole of its scratch the bytes."""
    n, k, d = 512, 4096, 8
    args = jnp.ones((n, d)), jnp.ones((k, d)), jnp.zeros(n, int)
    f = partial(xent.jax.linear_cross_entropy, memory=1 << 20)
    for function in (f, jax.grad(f), partial(xent.jax.linear_cross_entropy_and_grad, memory=1 << 20)):
        scratch = jax.jit(function).lower(*args).compile().memory_analysis().temp_size_in_bytes
        assert scratch < 3 << 20 < n * k * 8


def test_16_bits_are_summed_in_32():
    h, w = (jnp.asarray(x, jnp.bfloat16) for x in (H, W))
    wide = [np.asarray(x, np.float64) for x in (h, w)]
    cost, grads = xent.jax.linear_cross_entropy_and_grad(h, w, HARD, memory=FOUR_ROWS)
    by_grad = jax.grad(partial(xent.jax.linear_cross_entropy, memory=FOUR_ROWS), argnums=(0, 1))(h, w, HARD)
    assert cost.dtype == jnp.float32
    for ours, also, true in zip(grads, by_grad, true_grads(HARD, h=wide[0], w=wide[1], b=0.0), strict=False):
        assert ours.dtype == also.dtype == jnp.bfloat16
        close(ours, true, 2**-7)
        close(also, true, 2**-7)


def test_errors():
    with pytest.raises(ShapeError, match=r"hidden @ weight\.T"):
        xent.jax.linear_cross_entropy(H, W.T, HARD)
    with pytest.raises(TargetError, match="class indices run from 0 to 6"):
        xent.jax.linear_cross_entropy(H, W, np.full(N, 7))
    with pytest.raises(InputError, match="do not hold one row"):
        xent.jax.linear_cross_entropy(H, W, HARD, memory=10)
    with pytest.raises(ArrayKindError, match="hidden is an array"):
        xent.jax.linear_cross_entropy(H.astype(int), W, HARD)
    assert np.isnan(jax.jit(xent.jax.linear_cross_entropy)(H, W, np.full(N, 7)))


def test_no_features():
    _, grads = xent.jax.linear_cross_entropy_and_grad(H[:, :0], W[:, :0], HARD, B)
    close(grads[2], definition.gradient(np.tile(B, (N, 1)), HARD).sum(axis=0))
    assert (grads[0].shape, grads[1].shape) == ((N, 0), (K, 0))


def test_no_rows():
    cost, grads = xent.jax.linear_cross_entropy_and_grad(H[:0], W, HARD[:0], B, reduction="sum")
    assert cost == 0
    assert not grads[1].any()
