"""Identities that hold for drawn inputs: between outputs, between forms, and against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional

import xent
from xent.outputs import Output

LOGIT = st.floats(-200, 200)
SHARE = st.floats(0, 1)
QUICK = settings(max_examples=60, deadline=None)


def rows(classes=4):
    return hnp.arrays(float, (3, classes), elements=st.floats(-200, 200))


@QUICK
@given(LOGIT, SHARE)
def test_a_sigmoid_is_a_softmax_of_two_classes(z, y):
    for name in ("cross-entropy", "focal(gamma=1.5)", "poly", "lq", "symmetric-cross-entropy", "smooth(cross-entropy)"):
        one, two = xent.output(f"{name}@sigmoid"), xent.output(f"{name}@softmax")
        pair, target = np.asarray([0.0, z]), np.asarray([1 - y, y])
        np.testing.assert_allclose(one.value(z, y), two.value(pair, target), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(one.delta(z, y), two.delta(pair, target)[1], rtol=1e-9, atol=1e-12)


@QUICK
@given(LOGIT, SHARE)
def test_tanh_is_a_sigmoid_of_twice_z(z, y):
    tanh, sigmoid = xent.output("cross-entropy@tanh"), xent.output("cross-entropy@sigmoid")
    np.testing.assert_allclose(tanh.value(z, 2 * y - 1), sigmoid.value(2 * z, y), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(tanh.delta(z, 2 * y - 1), 2 * sigmoid.delta(2 * z, y), rtol=1e-9, atol=1e-14)


@QUICK
@given(LOGIT, st.sampled_from([-1.0, 1.0]))
def test_the_two_forms_of_the_article_are_one_cost(s, y):
    signed, plain = xent.output("logistic@identity"), xent.output("cross-entropy@sigmoid")
    np.testing.assert_allclose(signed.value(s, y), plain.value(s, (y + 1) / 2), rtol=1e-14)
    np.testing.assert_allclose(signed.delta(s, y), plain.delta(s, (y + 1) / 2), rtol=1e-14)


@QUICK
@given(rows(), st.floats(-1e6, 1e6), st.integers(0, 3))
def test_a_common_offset_changes_nothing(z, offset, k):
    """Where the sums are exact; there the results have the same bits."""
    z, offset = np.round(z * 16) / 16, np.round(offset * 16) / 16
    y = np.full(3, k)
    for output in (o for o in xent.catalogue() if o.activation.vector):
        np.testing.assert_array_equal(output.value(z + offset, y), output.value(z, y))
        np.testing.assert_array_equal(output.delta(z + offset, y), output.delta(z, y))


@QUICK
@given(rows(), st.integers(0, 3))
def test_softmax_deltas_sum_to_zero(z, k):
    for output in (o for o in xent.catalogue() if o.activation.vector):
        delta = output.delta(z, np.full(3, k))
        np.testing.assert_allclose(delta.sum(axis=-1), 0, atol=1e-14 * (1 + np.abs(delta).sum()))


@QUICK
@given(st.floats(-30, 30), SHARE)
def test_cross_entropy_is_least_at_the_truth_and_there_the_entropy(z, y):
    """Gibbs: the mean surprisal of y under any answer is at least the entropy of y."""
    entropy = -sum(p * np.log(p) for p in (y, 1 - y) if p > 0)
    assert xent.output("cross-entropy@sigmoid").value(z, y) >= entropy * (1 - 1e-12) - 1e-12
    if 0 < y < 1:
        met = np.log(y) - np.log1p(-y)
        assert xent.output("cross-entropy@sigmoid").value(met, y) == pytest.approx(entropy, abs=1e-12)


@QUICK
@given(st.floats(-30, 30), SHARE, st.floats(0, 1))
def test_smoothing_is_the_cost_of_the_smoothed_target(z, y, epsilon):
    for beneath in ("cross-entropy", "quadratic", "focal", "absolute"):
        smooth, plain = xent.output(f"smooth({beneath}, epsilon={epsilon})@sigmoid"), xent.output(f"{beneath}@sigmoid")
        moved = (1 - epsilon) * y + epsilon / 2
        np.testing.assert_allclose(smooth.value(z, y), plain.value(z, moved), rtol=1e-9, atol=1e-14)
        rounded = (np.clip(moved + n * 2.0**-52, 0, 1) for n in (0, -4, 4))  # a = y′ is a corner: rounding decides on its side
        assert any(np.isclose(smooth.delta(z, y), plain.delta(z, t), rtol=1e-7, atol=1e-14) for t in rounded)


@pytest.mark.parametrize("output", xent.catalogue(), ids=str)
def test_the_chain_rule_gives_the_same_where_it_can(output):
    """The plain twin: the default of `Output`, at z where nothing has cancelled yet."""
    z = np.linspace(-3, 3, 12)
    if output.activation.vector:
        z, y = z.reshape(3, 4), np.asarray([0, 3, 2])
    else:
        allowed = output.cost.targets_on(output.activation)
        y = np.resize([-1.0, 1.0] if hasattr(allowed, "values") else [0.0, 0.3, 1.0], 12)
    plain = Output(output.cost, output.activation)
    np.testing.assert_allclose(output.value(z, y), plain.value(z, y), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(output.delta(z, y), plain.delta(z, y), rtol=1e-11, atol=1e-14)
    if "identity" not in str(output) or "quadratic" in str(output):
        np.testing.assert_allclose(output.error(z, y), plain.error(z, y), rtol=1e-11, atol=1e-14)


@QUICK
@given(rows(), st.integers(0, 3), st.floats(0, 0.5))
def test_torch_agrees(z, k, epsilon):
    """torch.nn's own costs as oracle, at margins where they are still right."""
    z = torch.tensor(z).clamp(-10, 10)
    index, label = torch.full((3,), k), torch.tensor([[0.0, 1.0, 0.5, 1.0]] * 3, dtype=torch.double)
    for name, expected in {
        "cross-entropy@softmax": functional.cross_entropy(z, index, reduction="none"),
        f"smooth(cross-entropy, epsilon={epsilon})@softmax": functional.cross_entropy(
            z, index, reduction="none", label_smoothing=epsilon
        ),
    }.items():
        torch.testing.assert_close(xent.output(name).value(z, index), expected, rtol=1e-9, atol=1e-10)
    for name, expected in {
        "cross-entropy@sigmoid": functional.binary_cross_entropy_with_logits(z, label, reduction="none"),
        "quadratic@identity": functional.mse_loss(z, label, reduction="none") / 2,
        "absolute@identity": functional.l1_loss(z, label, reduction="none"),
        "quadratic@sigmoid": functional.mse_loss(torch.sigmoid(z), label, reduction="none") / 2,
    }.items():
        torch.testing.assert_close(xent.output(name).value(z, label), expected, rtol=1e-9, atol=1e-10)
    signed = torch.where(label > 0.5, 1.0, -1.0).double()
    torch.testing.assert_close(
        xent.output("logistic@identity").value(z, signed), functional.soft_margin_loss(z, signed, reduction="none")
    )


def test_the_traps_of_single_precision():
    """What others lose is kept: with 10 classes at a margin of 20 the cost is 1.86e-8 and not 0."""
    z = np.zeros((1, 10), dtype=np.float32)
    z[0, 0] = 20
    output = xent.output("cross-entropy@softmax")
    assert output.value(z, np.asarray([0]))[0] == pytest.approx(9 * np.exp(-20.0), rel=1e-6)
    assert output.delta(z, np.asarray([0]))[0, 0] == pytest.approx(-9 * np.exp(-20.0), rel=1e-6)
    sigmoid = xent.output("cross-entropy@sigmoid")
    far = np.asarray([16.7, 40.0, -28.0, -35.0], dtype=np.float32)
    np.testing.assert_allclose(sigmoid.delta(far, np.zeros(4))[:2], 1, rtol=1e-6)
    np.testing.assert_allclose(sigmoid.delta(far, np.ones(4))[2:], -1, rtol=1e-6)


def test_the_traps_are_there():
    """PyTorch's own, in single precision, as the texts tell them: 0 or 6 % off, and gradients that are gone or too small."""
    z = torch.zeros(3, 10)
    z[:, 0] = torch.tensor([16.0, 17.0, 20.0])
    near, *sure = functional.cross_entropy(z, torch.zeros(3, dtype=torch.int64), reduction="none").tolist()
    assert abs(near / (9 * np.exp(-16)) - 1) == pytest.approx(0.06, abs=0.005)
    assert sure == [0.0, 0.0]
    for y, at, cost, slope in ((0.0, 16.7, 100.0, 0.0), (1.0, -28.0, 28.0, -0.69), (1.0, -35.0, 35.0, -6e-4)):
        logit = torch.tensor(at, requires_grad=True)
        found = functional.binary_cross_entropy(torch.sigmoid(logit), torch.tensor(y))
        found.backward()
        assert (found.item(), logit.grad.item()) == pytest.approx((cost, slope), rel=0.06)
