"""Linear cross-entropy on tensors: that of the logits, tied into autograd; PyTorch's own agrees."""

from __future__ import annotations

import definition
import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

import xent
from xent.costs import SurprisalCost
from xent.errors import ArrayKindError, ShapeError, TargetError, UnknownNameError
from xent.ops.linear import cpu

torch.set_num_threads(1)
RNG = np.random.default_rng(3)
N, D, K = 6, 4, definition.CLASSES
H, W, B = RNG.standard_normal((N, D)), 2 * RNG.standard_normal((K, D)), RNG.standard_normal(K)
HARD, SOFT = (torch.tensor(definition.sample(soft)[1]) for soft in (False, True))


def arrays(dtype=torch.float64, wanted=(True, True, True)):
    return [torch.tensor(x, dtype=dtype, requires_grad=w) for x, w in zip((H, W, B), wanted, strict=True)]


def close(ours, true, tolerance=1e-12):
    np.testing.assert_allclose(ours.detach().double().numpy(), np.asarray(true, np.float64), rtol=tolerance, atol=tolerance)


def true_grads(y, upstream=1.0, **case):
    delta = definition.gradient(H @ W.T + B, y.numpy(), upstream, **case)
    return delta @ W, delta.T @ H, delta.sum(axis=0)


@pytest.mark.parametrize("case", definition.pairwise(), ids=definition.named)
def test_options_and_any_upstream(case):
    case = dict(case)
    y = SOFT if case.pop("soft") else HARD
    ours = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in case.items()}
    h, w, b = arrays()
    cost = xent.linear_cross_entropy(h, w, y, b, **ours)
    close(cost, definition.cost(H @ W.T + B, y.numpy(), **case))
    upstream = RNG.standard_normal(N) if case["reduction"] == "none" else 1.3
    for again in (True, False):  # a second time from the same graph
        grads = torch.autograd.grad(cost, (h, w, b), torch.as_tensor(upstream, dtype=torch.float64), retain_graph=again)
        for ours_, true in zip(grads, true_grads(y, upstream, **case), strict=True):
            close(ours_, true)


@pytest.mark.parametrize("y", [HARD, SOFT], ids=["hard", "soft"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_pytorchs_own_agrees(y, reduction):
    weight = torch.tensor(definition.WEIGHT)
    results = []
    for f in (xent.torch.linear_cross_entropy, F.linear_cross_entropy):
        h, w, b = arrays()
        cost = f(h, w, y, linear_bias=b, weight=weight, reduction=reduction, label_smoothing=0.1)
        results.append((cost, *torch.autograd.grad(cost.sum(), (h, w, b))))
    for ours, theirs in zip(*results, strict=True):
        close(ours, theirs.detach())


@pytest.mark.parametrize("out", [(), (3, 2)])
def test_the_module_takes_pytorchs_arguments_and_state(out):
    theirs = torch.nn.LinearCrossEntropyLoss(D, K, out_features=out, bias=True, dtype=torch.float64, ignore_index=2)
    ours = xent.torch.LinearCrossEntropyLoss(D, K, out_features=out, bias=True, dtype=torch.float64, ignore_index=2)
    ours.load_state_dict(theirs.state_dict())
    y = torch.tensor(RNG.integers(0, K, (N, *out)))
    costs = [module(torch.tensor(H), y) for module in (ours, theirs)]
    close(costs[0], costs[1].detach())
    for cost in costs:
        cost.backward()
    close(ours.linear.weight.grad, theirs.linear.weight.grad)
    with pytest.raises(ShapeError, match="one number per class"):
        xent.torch.LinearCrossEntropyLoss(D, K, weight=torch.ones(2))


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True)])
def test_what_is_frozen_is_not_computed(wanted, monkeypatch):
    seen, through = [], cpu.through

    def noting(problem, wants, scale):
        seen.append(tuple(wants))
        return through(problem, wants, scale)

    monkeypatch.setattr(cpu, "through", noting)
    h, w, b = arrays(wanted=wanted)
    xent.linear_cross_entropy(h, w, HARD, b).backward()
    assert seen == [wanted]
    for x, true, want in zip((h, w, b), true_grads(HARD), wanted, strict=True):
        assert (x.grad is not None) == want
        if want:
            close(x.grad, true)
    with torch.no_grad():
        xent.linear_cross_entropy(h, w, HARD, b)
    assert seen[1] == (False, False, False)


def test_first_and_second_derivatives_are_those_of_differences():
    h, w, b = arrays()
    f = lambda h, w, b: xent.linear_cross_entropy(h, w, HARD, b, z_loss=0.1, temperature=0.7)  # noqa: E731
    assert torch.autograd.gradcheck(f, (h, w, b))
    assert torch.autograd.gradgradcheck(f, (h, w, b))


def test_tied_weights_get_the_sum_of_both_gradients():
    words = torch.tensor([0, 3, 1, 6, 2, 2])
    grads = []
    for f in (xent.linear_cross_entropy, lambda h, w, y: F.cross_entropy(h @ w.T, y)):
        w = torch.tensor(W, requires_grad=True)
        f(w[words], w, HARD).backward()
        grads.append(w.grad)
    close(grads[0], grads[1])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, on the first use of forward mode
def test_transformations():
    h, w, b = (x.detach() for x in arrays())
    f = lambda h: xent.linear_cross_entropy(h, w, HARD, b)  # noqa: E731
    true = true_grads(HARD)[0]
    tangent = torch.tensor(RNG.standard_normal(H.shape))
    close(torch.func.grad(f)(h), true)
    close(torch.func.jvp(f, (h,), (tangent,))[1], (true * tangent.numpy()).sum())
    close(torch.func.vmap(torch.func.grad(f))(torch.stack([h, h]))[1], true)
    for reentrant in (True, False):
        x = h.clone().requires_grad_()
        checkpoint(f, x, use_reentrant=reentrant).backward()
        close(x.grad, true)


class Mine(SurprisalCost):
    """A φ of one's own, with a number to learn."""

    def __init__(self, size):
        super().__init__()
        object.__setattr__(self, "size", size)

    def phi(self, p, xp):
        return self.size * p.ell

    def phi_slope(self, p, xp):
        return self.size + 0 * p.ell

    def phi_curvature(self, p, xp):
        return 0 * p.ell


def test_autograd_keeps_no_logits_whatever_the_options():
    """Those that the kernel does not know, a φ that learns, targets and weights that are differentiated: chunks are made anew."""
    n, k, d, memory = 40, 300, 3, 22 * 8 * 300 * 4
    make = torch.Generator().manual_seed(0)
    h, w = (torch.randn(shape, d, generator=make, dtype=torch.float64, requires_grad=True) for shape in (n, k))
    soft = torch.rand(n, k, generator=make, dtype=torch.float64)
    soft = (soft / soft.sum(-1, keepdim=True)).requires_grad_()
    hard = torch.randint(k, (n,), generator=make)
    by_class, size = torch.rand(k, dtype=torch.float64, requires_grad=True), torch.tensor(1.5, requires_grad=True)
    kept = []

    def keep(x):
        kept.append(x)
        return x

    for y, options, others in (
        (soft.detach(), {"shape": "focal(gamma=2)"}, ()),
        (soft.detach(), {"stats": "lse", "reduction": "none"}, ()),
        (soft, {}, (soft,)),
        (hard, {"weight": by_class}, (by_class,)),
        (hard, {"shape": Mine(size)}, (size,)),
    ):
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            cost = xent.linear_cross_entropy(h, w, y, memory=memory, **options)
        assert all(x.numel() < n * k for x in kept if x.untyped_storage().data_ptr() != y.untyped_storage().data_ptr())
        true = xent.cross_entropy(h @ w.T, y, **options)
        costs = [one[0] if "stats" in options else one for one in (cost, true)]
        found = [torch.autograd.grad(one.sum(), (h, w, *others)) for one in costs]
        for ours, theirs in zip(*found, strict=True):
            close(ours, theirs)


def test_a_checkpoint_holds_no_gradients(monkeypatch):
    """What runs under it runs once more before it goes back: there the gradients are made, and not twice."""
    seen, through = [], cpu.through

    def noting(problem, wants, scale):
        seen.append(tuple(wants))
        return through(problem, wants, scale)

    monkeypatch.setattr(cpu, "through", noting)
    h, w, b = arrays()
    checkpoint(lambda h: xent.linear_cross_entropy(h, w, HARD, b), h, use_reentrant=False).backward()
    assert seen == [(False,) * 3, (False,) * 3, (True,) * 3]
    for x, true in zip((h, w, b), true_grads(HARD), strict=True):
        close(x.grad, true)


COMPILED = {
    "mean": (HARD, {}),
    "rows, statistics": (HARD, {"reduction": "none", "stats": ("lse", "rank"), "z_loss": 0.1}),
    "formulas": (SOFT, {"shape": "focal(gamma=2)", "reduction": "sum"}),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", COMPILED)
def test_compiled_in_one_graph_without_the_logits(case, dtype):
    """To the bit what runs uncompiled; a frozen bias has no gradient; and no array of the graph is as large as the logits."""
    y, options = COMPILED[case]
    sizes, results = [], []

    def looking(graph, _):
        sizes.extend(v.numel() for n in graph.graph.nodes if isinstance(v := n.meta.get("example_value"), torch.Tensor))
        return graph

    torch._dynamo.reset()
    h, w, b = arrays(dtype, (True, True, False))
    for run in (
        lambda h, w: xent.linear_cross_entropy(h, w, y, b, **options),
        torch.compile(lambda h, w: xent.linear_cross_entropy(h, w, y, b, **options), fullgraph=True, backend="aot_eager"),
        torch.compile(lambda h, w: xent.linear_cross_entropy(h, w, y, b, **options), fullgraph=True, backend=looking),
    ):
        found = run(h, w)
        cost, stats = found if "stats" in options else (found, {})
        upstream = torch.linspace(1, 2, cost.numel(), dtype=cost.dtype).reshape(cost.shape)
        results.append((cost, *torch.autograd.grad(cost, (h, w), upstream), *stats.values()))
    assert all(size < N * K or size == y.numel() for size in sizes)
    for uncompiled, *others in zip(*results, strict=True):
        for one in others:
            assert one.dtype == uncompiled.dtype
            assert torch.equal(one.nan_to_num(), uncompiled.nan_to_num())


def test_compiled_with_shapes_that_change_the_gradients_alone_and_second_derivatives():
    torch._dynamo.reset()
    f = torch.compile(lambda h, w, y: xent.torch.linear_cross_entropy(h, w, y), fullgraph=True, dynamic=True, backend="aot_eager")
    h, w, b = arrays()
    for rows in (6, 4, 5):
        some, y = h.detach()[:rows].requires_grad_(), HARD[:rows]
        close(f(some, w, y), xent.torch.linear_cross_entropy(some, w, y).detach())
    both = torch.compile(lambda h, w, b: xent.linear_cross_entropy_and_grad(h, w, HARD, b), fullgraph=True, backend="eager")
    for ours, true in zip(both(h, w, b)[1], true_grads(HARD), strict=True):
        close(ours, true)
    twice = torch.compile(lambda h: xent.linear_cross_entropy(h, w, HARD), fullgraph=True, backend="eager")
    results = []
    for run in (twice, lambda h: F.cross_entropy(h @ w.T, HARD)):
        (grad,) = torch.autograd.grad(run(h), h, create_graph=True)
        results.append(torch.autograd.grad(grad.square().sum(), (h, w)))
    for ours, theirs in zip(*results, strict=True):
        close(ours, theirs)


def test_autocast_leaves_the_formulas_alone_too():
    h, w, _ = arrays(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wanted = SOFT.clone().requires_grad_()
        costs = [xent.linear_cross_entropy(h, w, y, **o) for y, o in ((SOFT, {"shape": "lq(q=0.7)"}), (wanted, {}))]
    close(costs[0], definition.cost(H @ W.T, SOFT.numpy(), shape="lq(q=0.7)"), 1e-5)
    close(costs[1], definition.cost(H @ W.T, SOFT.numpy()), 1e-5)


def test_autocast_takes_the_widest_dtype():
    w = torch.tensor(W, dtype=torch.float32, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cost = xent.linear_cross_entropy(torch.tensor(H, dtype=torch.bfloat16), w, HARD)
    cost.backward()
    assert w.grad.dtype == torch.float32
    h = torch.tensor(H, dtype=torch.bfloat16).double().numpy()
    close(cost, definition.cost(h @ W.T, HARD.numpy()), 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_16_bits_are_rounded_once(dtype):
    h, w, b = arrays(dtype)
    wide = [x.detach().double().numpy() for x in (h, w, b)]
    (xent.linear_cross_entropy(h, w, HARD, b) / 3).backward()
    delta = definition.gradient(wide[0] @ wide[1].T + wide[2], HARD.numpy()) / 3
    for x, true in zip((h, w, b), (delta @ wide[1], delta.T @ wide[0], delta.sum(axis=0)), strict=True):
        assert x.grad.dtype == dtype
        np.testing.assert_allclose(x.grad.double(), true, rtol=torch.finfo(dtype).eps / 1.99, atol=1e-6)


def test_what_is_ignored_stays_0_whatever_comes_from_above():
    h, w, b = arrays()
    (xent.linear_cross_entropy(h, w, HARD, b) * torch.inf).backward()
    assert not h.grad[HARD == -100].any()
    assert not h.grad[HARD != -100].isfinite().all()


def test_statistics_errors_and_odd_memory():
    h, w, b = arrays()
    _cost, stats = xent.linear_cross_entropy(h, w, HARD, b, stats=("lse", "correct"))
    kept = HARD != -100
    close(stats["lse"][kept], np.log(np.exp(H @ W.T + B).sum(axis=1))[kept.numpy()])
    assert stats["correct"].dtype == torch.bool
    _, grads = xent.linear_cross_entropy_and_grad(h.detach().T.contiguous().T, w, HARD, b)
    for ours, true in zip(grads, true_grads(HARD), strict=True):
        close(ours, true)
    assert xent.linear_cross_entropy(h.reshape(2, 3, D), w, HARD.reshape(2, 3), reduction="none").shape == (2, 3)
    with pytest.raises(TargetError, match="class indices run"):
        xent.torch.linear_cross_entropy(h, w, torch.full((N,), 9))
    with pytest.raises(UnknownNameError, match="linear_bias"):
        xent.torch.linear_cross_entropy(torch.ones(2, 3), torch.ones(4, 3), torch.tensor([0, 1]), bias=torch.ones(4))
    with pytest.raises(ArrayKindError, match="input is a tensor here, but list"):
        xent.torch.cross_entropy([[1.0, 2.0]], torch.tensor([0]))
    with pytest.raises(ArrayKindError, match="float64, float32"):
        xent.torch.linear_cross_entropy(h, w.float(), HARD)
