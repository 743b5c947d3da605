"""The functions of the binding announce themselves to PyTorch's modes and subclasses, as PyTorch's own functions do."""

from __future__ import annotations

import pytest
import torch
from torch.overrides import TorchFunctionMode

import xent
from xent.torch import Criterion, CrossEntropyLoss, LinearCrossEntropyLoss, cross_entropy, linear_cross_entropy

Z = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]])
Y = torch.tensor([1, 2])


class Seen(TorchFunctionMode):
    """Keeps what is called."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


class Named(torch.Tensor):
    """A subclass that does nothing of its own."""


@pytest.mark.parametrize(
    "criterion",
    [CrossEntropyLoss(label_smoothing=0.1), cross_entropy, xent.cross_entropy, Criterion("quadratic@softmax"), Criterion("focal")],
    ids=["module", "function", "array function", "criterion", "criterion on logits"],
)
def test_a_mode_sees_one_call_with_its_arguments_and_the_cost_is_the_same(criterion):
    with Seen() as seen:
        cost = criterion(Z, Y)
    ours = [call for call in seen.calls if getattr(call[0], "__module__", "").startswith("xent")]
    assert len(ours) == 1
    assert ours[0][1][0] is Z
    assert ours[0][1][1] is Y
    assert torch.equal(cost, criterion(Z, Y))


def test_the_options_are_told():
    with Seen() as seen:
        cross_entropy(Z, Y, torch.ones(3), softcap=5.0, reduction="sum")
    func, _, options = seen.calls[-1]
    assert func is cross_entropy
    assert (options["softcap"], options["reduction"], options["ignore_index"]) == (5.0, "sum", -100)


@pytest.mark.parametrize("function", [xent.linear_cross_entropy, linear_cross_entropy], ids=["array function", "function"])
def test_so_does_the_last_layer_with_its_cost(function):
    w = torch.tensor([[1.0, 2.0, 0.0], [0.5, 0.0, -1.0], [0.0, 1.0, 1.0]], requires_grad=True)
    with Seen() as seen:
        cost = function(Z, w, Y, softcap=5.0)
    ((func, args, options),) = seen.calls
    assert func.__module__.startswith("xent")
    assert all(ours is given for ours, given in zip(args, (Z, w, Y), strict=False))
    assert options["softcap"] == 5.0
    assert torch.equal(cost, function(Z, w, Y, softcap=5.0))
    hidden = Z.as_subclass(Named)
    cost = linear_cross_entropy(hidden, w, Y, softcap=5.0)
    assert type(cost) is Named
    ours, plain = (torch.autograd.grad(c, w)[0].as_subclass(torch.Tensor) for c in (cost, function(Z, w, Y, softcap=5.0)))
    torch.testing.assert_close(ours, plain)
    module = LinearCrossEntropyLoss(3, 3)
    with Seen() as seen:
        module(Z, Y)
    assert seen.calls[-1][0] is linear_cross_entropy


@pytest.mark.parametrize("criterion", [cross_entropy, Criterion("quadratic@softmax")], ids=["function", "criterion"])
def test_a_subclass_is_handed_on_and_differentiated(criterion):
    z = Z.as_subclass(Named).requires_grad_()
    cost = criterion(z, Y)
    assert type(cost) is Named
    cost.backward()
    leaf = Z.clone().requires_grad_()
    criterion(leaf, Y).backward()
    torch.testing.assert_close(z.grad.as_subclass(torch.Tensor), leaf.grad)


def test_under_a_default_device_the_gradient_flows():
    z = Z.clone().requires_grad_()
    with torch.device("cpu"):
        cross_entropy(z, Y, stats="correct")[0].backward()
    assert z.grad is not None
