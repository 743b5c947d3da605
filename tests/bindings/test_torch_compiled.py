"""torch.compile with fullgraph=True: the same numbers as uncompiled, by an operator or by the formula in the graph."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import func

import xent
from xent.bindings.torch import criteria, operators
from xent.bindings.torch.compiled import arguments_of
from xent.costs import Focal

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own, within

LIGHT = "aot_eager"
"""Everything of torch.compile but the generation of code: what the graph is made of is the same."""


def drawn(shape=(6, 5, 3), dtype=torch.float32):
    z = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    y = torch.randint(shape[1], (shape[0], *shape[2:]), generator=torch.Generator().manual_seed(1))
    y.view(-1)[0] = -100
    return z, y


def agree(f, g, z, *rest, rtol=1e-5):
    ours, theirs = f(z, *rest), g(z, *rest)
    torch.testing.assert_close(ours, theirs, rtol=rtol, atol=1e-6)
    upstream = torch.randn_like(ours)
    for a, b in zip(*(torch.autograd.grad(cost, z, upstream) for cost in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=1e-6)


def test_with_inductor():
    """A model around it, all that the two share."""
    weight = torch.rand(5)

    def step(f):
        return lambda z, y: f(torch.tanh(z) * 3, y, weight=weight, label_smoothing=0.1) * 2

    agree(torch.compile(step(xent.torch.cross_entropy), fullgraph=True), step(F.cross_entropy), *drawn())


def test_shapes_that_change():
    compiled = torch.compile(lambda z, y: xent.torch.cross_entropy(z, y), fullgraph=True, dynamic=True, backend=LIGHT)
    for shape in ((6, 5, 3), (4, 7, 2), (2, 9, 9)):
        agree(compiled, F.cross_entropy, *drawn(shape))
    with torch._dynamo.config.patch(error_on_recompile=True):
        agree(compiled, F.cross_entropy, *drawn((3, 8, 5)))


def test_options_statistics_and_rows():
    def f(z, y):
        shape, weight = Focal(gamma=1.5), [0.5, 1.0, 1.0, 2.0, 0.0]  # made inside of what is compiled
        cost, stats = xent.torch.cross_entropy(
            z, y, reduction="none", shape=shape, weight=weight, z_loss=0.01, softcap=5.0, stats=("rank", "correct", "lse")
        )
        return cost, stats["lse"], stats["rank"], stats["correct"]

    z, y = drawn()
    compiled = torch.compile(f, fullgraph=True, backend=LIGHT)
    for a, b in zip(compiled(z, y), f(z, y), strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)
    agree(lambda z, y: compiled(z, y)[0], lambda z, y: f(z, y)[0], z, y)


def test_the_top_level_and_16_bits():
    z, y = drawn(dtype=torch.bfloat16)
    compiled = torch.compile(
        lambda z, y: xent.cross_entropy(z, y, axis=1, denominator=torch.tensor(7.0)), fullgraph=True, backend=LIGHT
    )
    agree(compiled, lambda z, y: F.cross_entropy(z.float(), y, reduction="sum") / 7, z, y, rtol=1e-2)
    both = torch.compile(lambda z, y: xent.cross_entropy_and_grad(z, y, axis=1), fullgraph=True, backend=LIGHT)
    for a, b in zip(both(z, y), xent.cross_entropy_and_grad(z, y, axis=1), strict=True):
        torch.testing.assert_close(a, b)


def test_a_wrong_target_raises_when_the_graph_runs():
    z, y = drawn()
    compiled = torch.compile(lambda z, y: xent.torch.cross_entropy(z, y), fullgraph=True, backend=LIGHT)
    compiled(z, y)
    with pytest.raises(xent.XentError, match="is 5"):
        compiled(z, torch.full_like(y, 5))


def test_transforms_inside():
    """Derivatives by torch.func within the graph: the formula stands there, and forward mode has its tangent."""
    z, y = drawn((4, 5))
    z, tangent = z.detach().double(), torch.randn(4, 5, dtype=torch.float64)

    def f(z, y, tangent):
        def cost(z):
            return xent.torch.cross_entropy(z, y)

        along = func.jvp(cost, (z,), (tangent,))[1]
        rows = func.vmap(lambda z, y: xent.torch.cross_entropy(z, y, ignore_index=-100))(z, y)
        return func.grad(cost)(z), along, rows

    slope, along, rows = torch.compile(f, fullgraph=True, backend=LIGHT)(z, y, tangent)
    leaf = z.requires_grad_()
    (expected,) = torch.autograd.grad(F.cross_entropy(leaf, y), leaf)
    torch.testing.assert_close(slope, expected)
    torch.testing.assert_close(along, (expected * tangent).sum())
    torch.testing.assert_close(rows[1:], F.cross_entropy(z, y, reduction="none")[1:])


def test_a_target_that_wants_a_gradient():
    z = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    y = torch.softmax(torch.randn(3, 4, dtype=torch.float64), 1).requires_grad_()
    compiled = torch.compile(lambda z, y: xent.torch.cross_entropy(z, y), fullgraph=True, backend=LIGHT)
    for a, b in zip(*(torch.autograd.grad(f(z, y), (z, y)) for f in (compiled, F.cross_entropy)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "name", ["quadratic@sigmoid", "quadratic@softmax", "poly(epsilon=2)@softmax", "smooth(cross-entropy, epsilon=0.1)@softmax"]
)
def test_criteria(name):
    criterion = xent.torch.Criterion(name, reduction="batchmean")
    z, y = drawn((4, 5))
    agree(
        torch.compile(criterion, fullgraph=True, dynamic=True, backend=LIGHT),  # which holds its parameters open
        criterion,
        z,
        torch.rand(4, 5) if "sigmoid" in name else y.clamp(min=0),
    )


class Capped:
    """A cost of a user's own: squared near the truth, linear far from it."""

    def __call__(self, a, y):
        r = abs(a - y)
        return (r <= 0.3) * 0.5 * r * r + (r > 0.3) * 0.3 * (r - 0.15)

    def slope(self, a, y):
        return (a - y).clip(-0.3, 0.3)


def test_a_criterion_of_ones_own_and_its_copies():
    """Each by a name of its own, so that no graph is taken for another's."""
    criterion = xent.torch.Criterion(xent.output(Capped(), "sigmoid"), reduction="sum")
    z, y = torch.randn(4, 5, requires_grad=True), torch.rand(4, 5).round()
    for one in (criterion, copy.deepcopy(criterion)):
        agree(torch.compile(one, fullgraph=True, backend=LIGHT), one, z, y)
    assert criteria.named(criterion._name) is criterion.output
    assert copy.deepcopy(criterion)._name != criterion._name


def test_twice_differentiated_without_a_compiler_behind():
    """Dynamo alone: the operators themselves are in autograd's graph, and their second derivatives are right."""
    z, y = drawn((4, 5))
    z = z.detach().double().requires_grad_()
    compiled = torch.compile(lambda z: xent.torch.cross_entropy(z, y, z_loss=0.1), fullgraph=True, backend="eager")
    assert torch.autograd.gradgradcheck(compiled, z)


def test_the_operators_keep_their_contracts():
    """PyTorch's own examination: schema, fake tensors, autograd, dynamic shapes."""
    z, y = drawn((6, 5))
    y = y.clamp(min=0)
    torch.library.opcheck(operators.cost, arguments_of(z, y, {"stats": ("rank", "lse")}))
    torch.library.opcheck(
        operators.slope, (torch.tensor(2.0), *arguments_of(z.detach().t().contiguous().t().requires_grad_(), y, {}))
    )


def test_costs_of_ones_own_are_refused_clearly():
    class Own(Focal):
        pass

    z, y = drawn()
    own = Own()
    with pytest.raises(Exception, match="one of your own runs uncompiled"):
        torch.compile(lambda z, y: xent.torch.cross_entropy(z, y, shape=own), fullgraph=True, backend=LIGHT)(z, y)
