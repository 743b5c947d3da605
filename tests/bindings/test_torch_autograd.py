"""Every way in which PyTorch takes derivatives, of cross-entropy and of criteria."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import func
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

import xent
from xent.bindings.torch import fused

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own, within

Y = torch.tensor([0, 1, -100, 4])
SOFT = torch.softmax(torch.linspace(-1, 1, 20, dtype=torch.float64).view(4, 5), 1)
GIVEN = {
    "plain": {},
    "weights and smoothing": {"weight": torch.linspace(0.5, 1.5, 5, dtype=torch.float64), "label_smoothing": 0.1},
    "capped": {"softcap": 3.0, "z_loss": 0.1, "temperature": 1.3, "valid_classes": 5},
    "focal": {"shape": "focal(gamma=2)"},
}
REDUCTIONS = ("mean", "sum", "none")


def logits(seed=0, dtype=torch.float64, shape=(4, 5)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype).requires_grad_()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", GIVEN)
def test_first_and_second_derivatives(name, reduction):
    """Against differences: backward, batched backward, forward mode, and backward twice."""
    for y in (Y, SOFT):

        def f(z, y=y):
            return xent.torch.cross_entropy(z, y, reduction=reduction, **GIVEN[name])

        assert gradcheck(f, logits(), check_forward_ad=True, check_batched_grad=True)
        assert gradgradcheck(f, logits())


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_second_derivatives_are_torchs(reduction):
    z = logits()
    upstream = torch.randn(4 if reduction == "none" else (), dtype=torch.float64).abs().requires_grad_()
    found = []
    for f in (xent.torch.cross_entropy, F.cross_entropy):
        (first,) = torch.autograd.grad(f(z, Y, reduction=reduction), z, upstream, create_graph=True)
        found.append(torch.autograd.grad((first**2).sum(), (z, upstream)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_forward_mode_in_a_drawn_direction():
    z, tangent = logits().detach(), logits(1).detach()
    for name, given in GIVEN.items():

        def f(z, given=given):
            return xent.torch.cross_entropy(z, Y, **given)

        (slope,) = torch.autograd.grad(f(leaf := z.clone().requires_grad_()), leaf)
        with forward_ad.dual_level():
            out = forward_ad.unpack_dual(f(forward_ad.make_dual(z, tangent))).tangent
        assert out is not None, name
        torch.testing.assert_close(out, (slope * tangent).sum())
        torch.testing.assert_close(func.jvp(f, (z,), (tangent,))[1], (slope * tangent).sum())


def test_torch_func():
    z = logits().detach()
    y = Y.clamp(min=0)

    def f(f, z, y=y):
        return f(z, y)

    ours, theirs = (lambda z, y=y, f=f: f(z, y) for f in (xent.torch.cross_entropy, F.cross_entropy))
    for transform in (func.grad, func.jacrev, func.jacfwd, func.hessian, lambda f: func.vmap(func.grad(f), in_dims=(0, 0))):
        takes_rows = transform not in (func.grad, func.jacrev, func.jacfwd, func.hessian)
        arguments = (z, y) if takes_rows else (z,)
        torch.testing.assert_close(transform(ours)(*arguments), transform(theirs)(*arguments))
    _, pull = func.vjp(ours, z)
    torch.testing.assert_close(pull(torch.tensor(2.0, dtype=torch.float64))[0], 2 * func.grad(theirs)(z))
    many, of_many = torch.randn(3, 2, 5, dtype=torch.float64), torch.tensor([[0, 1], [2, 3], [4, 0]])
    one_by_one = torch.stack([F.cross_entropy(*pair) for pair in zip(many, of_many, strict=True)])
    torch.testing.assert_close(func.vmap(xent.torch.cross_entropy)(many, of_many), one_by_one)
    wide, of_wide = torch.randn(3, 2, 5, 4), torch.randint(5, (3, 2, 4))  # the classes not last
    for cost in (xent.torch.cross_entropy, xent.torch.Criterion("quadratic@softmax")):
        expected = torch.stack([func.grad(cost)(*pair) for pair in zip(wide, of_wide, strict=True)])
        torch.testing.assert_close(func.vmap(func.grad(cost))(wide, of_wide), expected)


def test_a_wrong_target_under_vmap_costs_nan_and_under_grad_raises():
    z, y = logits().detach(), torch.tensor([0, 9, 1, 2])
    costs = func.vmap(xent.torch.cross_entropy)(z, y)
    assert costs.isnan().tolist() == [False, True, False, False]
    with pytest.raises(xent.XentError, match="place 1 is 9"):
        func.grad(lambda z: xent.torch.cross_entropy(z, y))(z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_going_back_twice(reduction, dtype):
    """The gradient that the first pass hands out, and scales, is not the second's."""
    z = logits(dtype=dtype)
    cost = xent.torch.cross_entropy(z, Y, reduction=reduction)
    upstream = torch.full_like(cost, 0.5)
    (first,) = torch.autograd.grad(cost, z, upstream, retain_graph=True)
    kept = first.clone()
    (second,) = torch.autograd.grad(cost, z, upstream, retain_graph=True)
    assert first.data_ptr() != second.data_ptr()
    assert torch.equal(first, kept)
    assert torch.equal(second, kept)
    cost.backward(upstream, retain_graph=True)
    cost.backward(upstream)
    torch.testing.assert_close(z.grad, 2 * kept)


def test_one_gradient_for_two_uses():
    """Two costs of the same logits, and their sum: nothing is scaled in place under another's hands."""
    z = logits()
    a, b = xent.torch.cross_entropy(z, Y), xent.torch.cross_entropy(z, SOFT)
    (both,) = torch.autograd.grad(3 * a + 5 * b + 7 * a, z)
    x, w = F.cross_entropy(z, Y), F.cross_entropy(z, SOFT)
    torch.testing.assert_close(both, torch.autograd.grad(10 * x + 5 * w, z)[0])


def test_logits_may_be_overwritten_after_the_cost_as_with_torchs():
    for f in (xent.torch.cross_entropy, F.cross_entropy):
        z = logits()
        inner = z * 1
        cost = f(inner, Y)
        inner.zero_()
        cost.backward()
        torch.testing.assert_close(z.grad, torch.autograd.grad(F.cross_entropy(z, Y), z)[0])
    again = xent.torch.cross_entropy(inner := z * 1, Y)
    again.backward(retain_graph=True)
    inner.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        again.backward()


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_what_is_ignored_stays_0_whatever_comes_from_above(bad):
    for dtype in (torch.float64, torch.bfloat16):
        z = logits(dtype=dtype)
        for reduction in REDUCTIONS:
            cost = xent.torch.cross_entropy(z, Y, reduction=reduction)
            (grad,) = torch.autograd.grad(cost, z, torch.full_like(cost, bad))
            assert (grad[2] == 0).all()
            assert not grad[0].isfinite().any()


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_checkpointing(reentrant, reduction):
    z = logits()

    def f(z):
        return xent.torch.cross_entropy(2 * z, Y, reduction=reduction).sum()

    checkpoint(f, z, use_reentrant=reentrant).backward()
    torch.testing.assert_close(z.grad, torch.autograd.grad(F.cross_entropy(2 * z, Y, reduction=reduction).sum(), z)[0])


def test_what_is_kept_goes_through_saved_tensor_hooks(monkeypatch):
    """And no gradient is kept beside it: that is the memory which checkpointing frees."""
    kept = []
    z = logits()
    with (
        torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or len(kept) - 1, lambda i: kept[i]),
        monkeypatch.context() as m,
    ):
        m.setattr(fused, "fresh", None)
        cost = xent.torch.cross_entropy(z, Y)
    assert {tuple(x.shape) for x in kept} == {(4, 5), (4,)}
    torch.testing.assert_close(torch.autograd.grad(cost, z)[0], torch.autograd.grad(F.cross_entropy(z, Y), z)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast(dtype):
    layer = torch.nn.Linear(6, 5)
    x = torch.randn(4, 6)
    with torch.autocast("cpu", dtype=dtype):
        z = layer(x)
        cost = xent.torch.cross_entropy(z, Y)
        (grad,) = torch.autograd.grad(cost, z, retain_graph=True)
        (twice,) = torch.autograd.grad(xent.torch.cross_entropy(z, Y, shape="lq", label_smoothing=0.1), z, create_graph=True)
    assert (z.dtype, cost.dtype, grad.dtype, twice.dtype) == (dtype, torch.float32, dtype, dtype)
    exact = z.detach().double().requires_grad_()
    expected = F.cross_entropy(exact, Y)
    torch.testing.assert_close(cost.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(grad.double(), torch.autograd.grad(expected, exact)[0], rtol=5e-3, atol=1e-6)
    cost.backward()
    assert layer.weight.grad is not None


def test_no_gradient_wanted(monkeypatch):
    """Forward only: no memory for a gradient is asked for."""
    z = logits()
    expected = F.cross_entropy(z, Y).detach()
    monkeypatch.setattr(fused, "fresh", None)
    with torch.no_grad():
        torch.testing.assert_close(xent.torch.cross_entropy(z, Y), expected)
    with torch.inference_mode():
        torch.testing.assert_close(xent.torch.cross_entropy(z * 1, Y), expected)
    torch.testing.assert_close(xent.torch.cross_entropy(z.detach(), Y), expected)


def test_deterministic_mode():
    z = logits()
    torch.use_deterministic_algorithms(True)
    try:
        grads = [torch.autograd.grad(xent.torch.cross_entropy(z, Y), z)[0] for _ in range(2)]
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(*grads)


def test_many_threads_at_once():
    z = torch.randn(256, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.arange(256)
    leaf = z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(F.cross_entropy(leaf, y), leaf)
    found = []

    def work():
        own = z.clone().requires_grad_()
        xent.torch.cross_entropy(own, y).backward()
        found.append(own.grad)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 6
    for grad in found:
        torch.testing.assert_close(grad, expected)


class Tagged(torch.Tensor):
    """A subclass that does nothing."""


def test_subclasses_fakes_and_recordings_go_through_the_formula():
    z = logits()
    torch.testing.assert_close(
        xent.torch.cross_entropy(z.detach().as_subclass(Tagged), Y).as_subclass(torch.Tensor), F.cross_entropy(z, Y).detach()
    )
    recorded = make_fx(lambda z, y: xent.torch.cross_entropy(z, y))(z.detach(), Y)
    other = logits(3).detach()
    torch.testing.assert_close(recorded(other, Y), F.cross_entropy(other, Y))
    meta = xent.torch.cross_entropy(torch.empty(4, 5, device="meta"), torch.empty(4, dtype=torch.long, device="meta"))
    assert (meta.shape, meta.device.type) == ((), "meta")
    h, w, y = (torch.empty(shape, device="meta") for shape in ((4, 3), (5, 3), (4,)))
    meta = xent.torch.linear_cross_entropy(h, w, y.long(), reduction="none")
    assert (meta.shape, meta.device.type) == ((4,), "meta")
    with torch._subclasses.FakeTensorMode():
        assert xent.torch.cross_entropy(torch.empty(4, 5), torch.zeros(4, dtype=torch.long), reduction="none").shape == (4,)


def test_negative_views_are_read_right():
    z = torch.view_as_complex(torch.randn(4, 5, 2, dtype=torch.float64)).conj().imag  # PyTorch keeps the sign apart
    assert z.is_neg()
    torch.testing.assert_close(xent.torch.cross_entropy(z, Y), F.cross_entropy(z, Y))
