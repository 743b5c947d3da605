"""What outputs take and refuse: shapes, targets, dtypes, axes, weights, libraries; and that every message says what to do."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from libraries import LIBRARIES
from outputs import samples

import xent
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError

CATALOGUE = xent.catalogue()
SOFTMAX = [o for o in CATALOGUE if o.activation.vector]
ELEMENTWISE = [o for o in CATALOGUE if not o.activation.vector]


@pytest.mark.parametrize("output", ELEMENTWISE, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_elementwise_shapes(output, shape):
    z, y = np.full(shape, 0.3), np.full(shape, samples.ends(output)[1])
    for result in (output.predict(z), output.value(z, y), output.delta(z, y), output.gain(z, y), output.error(z, y)):
        assert np.shape(result) == shape


@pytest.mark.parametrize("output", SOFTMAX, ids=str)
@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 3), (2, 0, 4), (2, 3, 1)])
def test_softmax_shapes(output, shape):
    z, y = np.full(shape, 0.3), np.zeros(shape[:-1], dtype=int)
    assert output.predict(z).shape == output.delta(z, y).shape == output.error(z, y).shape == shape
    assert np.shape(output.value(z, y)) == np.shape(output.gain(z, y)) == np.shape(output.alignment(z, y)) == shape[:-1]


@pytest.mark.parametrize("output", SOFTMAX, ids=str)
def test_softmax_on_another_axis(output, lib):
    z = np.random.default_rng(0).normal(size=(2, 5, 3))
    index, soft = np.asarray([[0, 4, 2], [1, 1, 3]]), np.random.default_rng(1).dirichlet(np.ones(5), (2, 3))
    for y, y_there in ((index, index), (soft, np.moveaxis(soft, -1, 1))):
        here, there = (lib.make(np.moveaxis(z, 1, -1)), lib.make(y)), (lib.make(z), lib.make(y_there))
        np.testing.assert_array_equal(lib.back(output.value(*there, axis=1)), lib.back(output.value(*here)))
        np.testing.assert_array_equal(lib.back(output.gain(*there, axis=1)), lib.back(output.gain(*here)))
        np.testing.assert_array_equal(lib.back(output.delta(*there, axis=1)), np.moveaxis(lib.back(output.delta(*here)), -1, 1))


@pytest.mark.parametrize("output", CATALOGUE, ids=str)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_16_bits_are_computed_in_32(output, half):
    z = torch.as_tensor(np.clip(samples.inputs(output), -60, 60)[:8]).to(getattr(torch, half))
    y = torch.as_tensor(samples.targets(output, z.double().numpy(), "hard"))
    wide = z.float()
    assert output.value(z, y).dtype == torch.float32
    assert torch.equal(output.value(z, y), output.value(wide, y))
    assert output.delta(z, y).dtype == z.dtype
    assert torch.equal(output.delta(z, y), output.delta(wide, y).to(z.dtype))


@pytest.mark.parametrize("name", ["numpy", "torch", "strict"])  # JAX's are seen in the contract, without compiling all again
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", CATALOGUE, ids=str)
def test_results_have_the_dtype_of_z(output, dtype, name):
    lib = LIBRARIES[name]
    z = np.clip(samples.inputs(output), -60, 60)[:4].astype(dtype)
    y = samples.targets(output, z, "hard")
    for of in (output.value, output.delta, output.gain, output.error):
        assert lib.back(of(lib.make(z), lib.make(y))).dtype == dtype


def test_integer_and_boolean_labels_are_fine_for_elementwise_outputs(lib):
    output = xent.output("cross-entropy@sigmoid")
    z = lib.make(np.asarray([0.5, -1.0]))
    expected = lib.back(output.value(z, lib.make(np.asarray([1.0, 0.0]))))
    for y in (np.asarray([1, 0]), np.asarray([True, False])):
        np.testing.assert_array_equal(lib.back(output.value(z, lib.make(y))), expected)


def test_python_numbers():
    output = xent.output("cross-entropy@sigmoid")
    assert output.value(0.0, 1) == pytest.approx(np.log(2))
    assert output.predict(0) == 0.5
    assert xent.output("cross-entropy@softmax").value([0.0, 0.0], 1) == pytest.approx(np.log(2))


def test_inputs_are_left_unchanged():
    for output in CATALOGUE:
        z = samples.inputs(output)
        y = samples.targets(output, z, "soft")
        before = z.copy(), y.copy()
        output.value(z, y), output.delta(z, y), output.gain(z, y), output.stalled(z, y)
        np.testing.assert_array_equal(z, before[0])
        np.testing.assert_array_equal(y, before[1])


def test_strided_inputs():
    output = xent.output("cross-entropy@softmax")
    z = np.random.default_rng(0).normal(size=(6, 8))
    y = np.arange(6) % 4
    np.testing.assert_array_equal(output.value(z[::-2, ::2], y[::-2]), output.value(z[::-2, ::2].copy(), y[::-2].copy()))
    expanded = torch.zeros(1, 4).expand(5, 4)
    assert output.delta(expanded, torch.zeros(5, dtype=torch.long)).shape == (5, 4)


WRONG = [
    ("cross-entropy@sigmoid", 0.0, 1.5, TargetError, ["[0, 1]", "1.5"]),
    ("cross-entropy@sigmoid", [0.0, 1.0], [0.5, -0.1], TargetError, ["place 1", "-0.1"]),
    ("cross-entropy@tanh", 0.0, 1.1, TargetError, ["[-1, 1]"]),
    ("quadratic@sigmoid", 0.0, 2.0, TargetError, ["[0, 1]"]),
    ("quadratic@sigmoid", 0.0, float("nan"), TargetError, ["nan"]),
    ("quadratic@identity", 0.0, float("inf"), TargetError, ["inf"]),
    ("hinge@identity", 0.0, 0.0, TargetError, ["{-1, +1}"]),
    ("logistic@identity", [0.0, 0.0], [1.0, 0.5], TargetError, ["{-1, +1}", "place 1"]),
    ("quadratic@sigmoid", [0.0, 1.0], [[0.0], [1.0]], ShapeError, ["(2,)", "(2, 1)", "broadcast"]),
    ("quadratic@sigmoid", [0.0, 1.0], 0.0, ShapeError, ["(2,)", "()"]),
    ("cross-entropy@softmax", [[0.0, 1.0]], [2], TargetError, ["0 to 1", "2"]),
    ("cross-entropy@softmax", [[0.0, 1.0]], [-1], TargetError, ["0 to 1", "-1"]),
    ("cross-entropy@softmax", [[0.0, 1.0]], [[0, 1]], ShapeError, ["indices", "(1,)", "distributions", "(1, 2)"]),
    ("cross-entropy@softmax", [[0.0, 1.0]], [0.5], ShapeError, ["indices", "floats of shape (1,)"]),
    ("cross-entropy@softmax", [[0.0, 1.0]], [[0.5, 0.6]], TargetError, ["sum"]),
    ("cross-entropy@softmax", [[0.0, 1.0]], [[1.5, -0.5]], TargetError, ["between 0 and 1"]),
    ("cross-entropy@softmax", 0.0, 0, ShapeError, ["class axis"]),
    ("cross-entropy@softmax", [[]], [0], ShapeError, ["class axis"]),
    ("quadratic@sigmoid", np.asarray([1, 2]), np.asarray([0.0, 1.0]), ArrayKindError, ["int64", "float32 or float64"]),
    ("quadratic@sigmoid", np.asarray([1j]), np.asarray([0.0]), ArrayKindError, ["complex"]),
    ("quadratic@sigmoid", "two", 0.0, ArrayKindError, ["str"]),
    ("quadratic@sigmoid", [[1.0], [2.0, 3.0]], 0.0, ArrayKindError, ["list"]),
]


@pytest.mark.parametrize(("name", "z", "y", "error", "says"), WRONG, ids=lambda v: str(v)[:40])
def test_refused_with_the_reason(name, z, y, error, says):
    for method in ("value", "delta", "gain", "error"):
        with pytest.raises(error) as caught:
            getattr(xent.output(name), method)(z, y)
        for words in says:
            assert words in str(caught.value)


def test_arrays_of_two_libraries_are_refused():
    with pytest.raises(ArrayKindError, match=r"numpy and torch|torch and numpy"):
        xent.output("quadratic@sigmoid").value(np.zeros(2), torch.zeros(2))


def test_axis_is_refused_where_there_is_none():
    with pytest.raises(InputError, match="elementwise"):
        xent.output("quadratic@sigmoid").value(np.zeros(2), np.zeros(2), axis=0)
    with pytest.raises(ShapeError, match="axis=2"):
        xent.output("cross-entropy@softmax").value(np.zeros((2, 2)), np.zeros(2, dtype=int), axis=2)


def test_wrong_targets_become_nan_where_values_are_hidden():
    """Under jit and vmap nothing can raise; a wrong number must not look right either."""
    softmax, sigmoid = xent.output("cross-entropy@softmax"), xent.output("cross-entropy@sigmoid")
    value = jax.jit(softmax.value)(jnp.zeros((2, 3)), jnp.asarray([1, 7]))
    assert value[0] == pytest.approx(np.log(3))
    assert jnp.isnan(value[1])
    value = jax.jit(softmax.value)(jnp.zeros((2, 3)), jnp.asarray([[0.5, 0.5, 0.0], [0.5, 0.5, 0.5]]))
    assert jnp.isfinite(value[0])
    assert jnp.isnan(value[1])
    value = torch.func.vmap(sigmoid.value)(torch.zeros(2), torch.tensor([0.5, 1.5]))
    assert torch.isfinite(value[0])
    assert torch.isnan(value[1])


@pytest.mark.parametrize("output", [o for o in CATALOGUE if "identity" not in str(o) or "hinge" in str(o)], ids=str)
def test_weights(output):
    z = samples.inputs(output)[-6:] % 10
    y = samples.targets(output, z, "hard")
    by_sample = np.linspace(0, 2, 6)
    np.testing.assert_allclose(output.value(z, y, sample_weight=by_sample), by_sample * output.value(z, y))
    spread = by_sample[:, None] if output.activation.vector else by_sample
    np.testing.assert_allclose(output.delta(z, y, sample_weight=by_sample), spread * output.delta(z, y))
    by_class = np.asarray([0.5, 2.0, 3.0, 5.0])[: z.shape[-1] if output.activation.vector else 2]
    index = y if output.activation.vector else (y == samples.ends(output)[1]).astype(int)
    np.testing.assert_allclose(output.value(z, y, class_weight=by_class), by_class[index] * output.value(z, y))


def test_weights_against_torch():
    z, y, w = (
        torch.randn(7, 4, dtype=torch.double),
        torch.tensor([0, 1, 2, 3, 1, 1, 0]),
        torch.tensor([1.0, 2.0, 0.5, 3.0]).double(),
    )
    expected = torch.nn.functional.cross_entropy(z, y, weight=w, reduction="none")
    torch.testing.assert_close(xent.output("cross-entropy@softmax").value(z, y, class_weight=w), expected)


def test_wrong_weights():
    output = xent.output("cross-entropy@softmax")
    z, y = np.zeros((2, 3)), np.asarray([0, 1])
    with pytest.raises(ShapeError, match="3 classes"):
        output.value(z, y, class_weight=np.ones(2))
    with pytest.raises(ShapeError, match=r"sample_weight .* \(2,\)"):
        output.value(z, y, sample_weight=np.ones(3))
    with pytest.raises(InputError, match="no classes"):
        xent.output("quadratic@identity").value(np.zeros(2), np.zeros(2), class_weight=[1.0, 2.0])
    with pytest.raises(ArrayKindError):
        output.value(z, y, class_weight=torch.ones(3))


def test_stalled():
    """The design's definition: squashed, error above half the range, gain below 0.1; linear outputs never stall."""
    z = np.asarray([2.0, 4.0, -4.0])
    y = np.zeros(3)
    np.testing.assert_array_equal(xent.output("quadratic@sigmoid").stalled(z, y), [False, True, False])
    np.testing.assert_array_equal(xent.output("quadratic@sigmoid").stalled(z, y, gain=0.2), [True, True, False])
    np.testing.assert_array_equal(xent.output("quadratic@sigmoid").stalled(z, y, error=0.99), [False, False, False])
    for name in ("cross-entropy@sigmoid", "quadratic@identity"):
        assert not np.any(xent.output(name).stalled(z, y))
    assert not np.any(xent.output("hinge@identity").stalled(z, np.ones(3)))
    assert xent.output("quadratic@softmax").stalled(np.asarray([9.0, 0.0, 0.0]), 1)
    assert not xent.output("cross-entropy@softmax").stalled(np.asarray([9.0, 0.0, 0.0]), 1)


def test_alignment():
    z, y = np.asarray([[3.0, 0.0, -1.0]]), np.asarray([1])
    assert xent.output("cross-entropy@softmax").alignment(z, y)[0] == pytest.approx(1)
    assert xent.output("focal@softmax").alignment(z, y)[0] == pytest.approx(1)
    aligned = xent.output("quadratic@softmax").alignment(z, y)[0]
    output = xent.output("quadratic@softmax")
    e, d = output.error(z, y)[0], output.delta(z, y)[0]
    assert aligned == pytest.approx(e @ d / np.linalg.norm(e) / np.linalg.norm(d))
    np.testing.assert_array_equal(xent.output("quadratic@sigmoid").alignment(np.asarray([1.0, -1.0]), np.zeros(2)), [1, 1])
