"""The usual batch in one call: the same as the way for all, which other tests hold to PyTorch's results and to the definition."""

from __future__ import annotations

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import xent
from xent.bindings.torch import calling, usual
from xent.errors import TargetError
from xent.ops import cpu

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
TOLERANCE = {torch.float64: 1e-14, torch.float32: 3e-6, torch.bfloat16: 8e-3, torch.float16: 1e-3}  # a few roundings
WAYS = {
    "rows": lambda z: z,
    "columns": lambda z: z.mT.contiguous().mT,
    "every other row": lambda z: z.repeat_interleave(2, 0)[::2],
    "every other class": lambda z: z.repeat_interleave(2, 1)[:, ::2],
    "one row for all": lambda z: z[:1].expand(z.shape),
}


def logits(n, k, dtype, seed=0):
    return (4 * torch.randn(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).to(dtype)


def both(z, y, upstream=1.0, **options):
    """Cost and gradient by the one way and by the other."""
    found = []
    for way in (usual.cost, calling.cross_entropy):
        leaf = z.detach().requires_grad_()
        cost = way(leaf, y, **options)
        if cost is None:
            return None
        cost.backward(torch.full_like(cost, upstream))
        found += [(cost.detach(), leaf.grad)]
    return found


def agree(found, dtype):
    (cost, grad), (their_cost, their_grad) = found
    assert cost.dtype == their_cost.dtype
    assert grad.dtype == dtype
    wide = TOLERANCE[torch.float64 if dtype is torch.float64 else torch.float32]
    torch.testing.assert_close(cost, their_cost, rtol=wide, atol=0, equal_nan=True)
    terms = their_grad.nan_to_num().abs().max() if grad.numel() else 0.0  # with smoothing, a gradient may be a difference of such
    torch.testing.assert_close(grad, their_grad, rtol=TOLERANCE[dtype], atol=float(wide * terms), equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(
    n=st.sampled_from([1, 2, 31, 64, 65, 200]),
    k=st.sampled_from([1, 2, 10, 57, 112, 300]),
    dtype=st.sampled_from(DTYPES),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    weighted=st.booleans(),
    way=st.sampled_from(list(WAYS)),
    upstream=st.sampled_from([1.0, 0.5, -3.7]),
    ignored=st.sampled_from(["none", "some", "all"]),
    seed=st.integers(0, 99),
)
def test_as_the_way_for_all(n, k, dtype, reduction, smoothing, weighted, way, upstream, ignored, seed):
    z = WAYS[way](logits(n, k, dtype, seed))
    make = torch.Generator().manual_seed(seed)
    y = torch.randint(k, (n,), generator=make)
    if ignored != "none":
        y[torch.rand(n, generator=make) < (0.4 if ignored == "some" else 2)] = -100
    options = {"reduction": reduction, "label_smoothing": smoothing}
    if weighted:
        options["weight"] = torch.rand(k, generator=make, dtype=torch.float64).to(dtype if dtype.itemsize > 2 else torch.float32)
    found = both(z, y, upstream, **options)
    apart = k * max(dtype.itemsize, 4) > 448 or smoothing > 0  # whose classes have to lie side by side
    assert (found is None) == (apart and k > 1 and z.stride(1) != 1)
    if found:
        agree(found, dtype)


def test_what_is_infinite_and_what_is_no_number():
    z = torch.tensor([[0.0, -torch.inf, 1.0], [torch.nan, 0.0, 1.0], [1e30, -1e30, 0.0], [torch.inf, 0.0, 0.0]])
    for y in ([0, 0, 0, 1], [1, 2, 1, 0]):
        for reduction in ("none", "mean"):
            agree(both(z, torch.tensor(y), reduction=reduction), torch.float32)


def test_surely_right():
    """At a margin of 20 the truth is log1p(9 e⁻²⁰); the sum of many such rows is compensated."""
    z = torch.tensor([[20.0] + [0.0] * 9], dtype=torch.float64).expand(1000, 10)
    truth = 1000 * mpmath.log1p(9 * mpmath.exp(-20))
    assert float(usual.cost(z, torch.zeros(1000, dtype=torch.int64), reduction="sum")) == pytest.approx(float(truth), rel=1e-15)


def test_what_is_left_to_the_way_for_all():
    z, y = logits(4, 5, torch.float32), torch.tensor([0, 1, 2, 4])
    assert usual.cost(z, y) is not None
    assert usual.cost(z, y.to(torch.int32)) is None
    assert usual.cost(z, torch.softmax(z, 1)) is None
    assert usual.cost(z[None], y[None]) is None
    assert usual.cost(z, y[:3]) is None
    assert usual.cost(z, torch.tensor([0, 1, 2, 5])) is None
    assert usual.cost(z, y, reduction="batchmean") is None
    assert usual.cost(z, y, label_smoothing=[0.1]) is None
    assert usual.cost(z, y, torch.ones(5, requires_grad=True)) is None
    assert usual.cost(z, y, torch.ones(4)) is None
    assert usual.cost(z, y, [1.0] * 5) is None
    assert usual.cost(torch._neg_view(z), y) is None
    assert torch.func.vmap(xent.torch.cross_entropy)(z.expand(3, 4, 5), y.expand(3, 4)).shape == (3,)
    with pytest.raises(TargetError, match="at place 3 is 5"):
        xent.torch.cross_entropy(z, torch.tensor([0, 1, 2, 5]))


def test_the_gradient_is_laid_out_as_pytorchs():
    for way in WAYS.values():
        z = way(logits(6, 3, torch.float32)).requires_grad_()
        (ours,) = torch.autograd.grad(xent.torch.cross_entropy(z, torch.tensor([0, 1, 2, 0, 1, 2])), z)
        assert ours.stride() == torch.empty_like(z).stride()


def test_back_twice_and_saved_elsewhere():
    z, y = logits(6, 3, torch.float32).requires_grad_(), torch.tensor([0, 1, 2, 0, 1, 2])
    cost = xent.torch.cross_entropy(z, y)
    first, second = (torch.autograd.grad(cost, z, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second)
    with torch.autograd.graph.save_on_cpu():
        again = xent.torch.cross_entropy(z, y)
    torch.testing.assert_close(torch.autograd.grad(again, z)[0], first)
    assert cost.grad_fn is not None
    with torch.no_grad():
        assert xent.torch.cross_entropy(z, y).grad_fn is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [10, 200])
def test_large_batches_are_shared_out(dtype, k):
    n = 3 * cpu.GRAIN // k
    z, y = logits(n, k, dtype), torch.arange(n) % k
    y[::7] = -100
    for reduction in ("mean", "sum", "none"):
        for weight in (None, torch.linspace(0, 2, k, dtype=torch.float64 if dtype is torch.float64 else torch.float32)):
            agree(both(z, y, upstream=0.3, reduction=reduction, weight=weight), dtype)
    y[n // 2] = k
    assert usual.cost(z, y) is None
    with pytest.raises(TargetError, match=f"place {n // 2} is {k}"):
        xent.torch.cross_entropy(z, y)
