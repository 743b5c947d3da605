"""CrossEntropyLoss as torch.nn's, and any output as a criterion whose gradient is its δ."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import func, nn
from torch.autograd import forward_ad, gradcheck, gradgradcheck

import xent
from xent.bindings.torch.criteria import name_of, named
from xent.errors import InputError, ShapeError, TargetError, UnknownNameError
from xent.ops.options import NAMES, Options

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own, within

OUTPUTS = xent.catalogue()


def sample(output, dtype=torch.float64):
    """Logits with a 0 among them, and a target of every kind that the output takes."""
    make = torch.Generator().manual_seed(0)
    if output.activation.vector:
        z = torch.randn(4, 3, generator=make, dtype=dtype)
        return z.requires_grad_(), torch.tensor([0, 1, 2, 1])
    z = torch.cat([torch.randn(5, generator=make, dtype=dtype), torch.zeros(1, dtype=dtype)]).view(3, 2)
    low = -1.0 if "margin" in str(type(output.cost).__mro__).lower() or output.activation.range.low == -1 else 0.0
    return z.requires_grad_(), torch.tensor([[1.0, low], [low, 1.0], [1.0, low]], dtype=dtype)


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_a_criterions_gradient_is_delta(output):
    z, y = sample(output)
    value, delta = output.value(z.detach(), y), output.delta(z.detach(), y)
    for reduction, cost, upstream in (
        ("none", value, None),
        ("sum", value.sum(), 1.0),
        ("mean", value.mean(), 1 / value.numel()),
        ("batchmean", value.sum() / len(z), 1 / len(z)),
    ):
        criterion = xent.torch.Criterion(output, reduction)
        found = criterion(z, y)
        torch.testing.assert_close(found, cost, rtol=1e-12, atol=1e-14)
        by = torch.rand_like(found)
        (grad,) = torch.autograd.grad(found, z, by)
        weight = by * upstream if upstream else by.unsqueeze(-1) if output.activation.vector else by
        torch.testing.assert_close(grad, delta * weight, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_a_criterion_differentiates_twice_and_forward(output):
    z, y = sample(output)
    criterion = xent.torch.Criterion(str(output))
    z = (z.detach() + 0.05).requires_grad_()  # off the corners of hinge and absolute
    assert gradcheck(criterion, (z, y), check_forward_ad=True)
    assert gradgradcheck(criterion, (z, y))
    tangent = torch.randn_like(z)
    with forward_ad.dual_level():
        out = forward_ad.unpack_dual(criterion(forward_ad.make_dual(z.detach(), tangent), y)).tangent
    torch.testing.assert_close(out, (func.grad(criterion)(z.detach(), y) * tangent).sum())


def test_names_and_layouts():
    criterion = xent.torch.Criterion("focal(gamma=2)@softmax", reduction="sum")
    assert criterion.output == xent.output("focal(gamma=2)@softmax")
    assert repr(criterion) == "Criterion('focal(gamma=2)@softmax', reduction='sum')"
    z, y = torch.randn(2, 5, 3), torch.randint(5, (2, 3))
    for name in ("focal@softmax", "quadratic@softmax"):
        of_torch, last = xent.torch.Criterion(name, "none"), xent.torch.Criterion(name, "none", axis=-1)
        torch.testing.assert_close(of_torch(z, y), last(z.movedim(1, -1), y))
        torch.testing.assert_close(of_torch(z[0, :, 0], y[0, 0]), of_torch(z, y)[0, 0])
    torch.testing.assert_close(xent.torch.Criterion("cross-entropy@softmax")(z, y), nn.functional.cross_entropy(z, y))
    targets = torch.rand(2, 5, 3)
    torch.testing.assert_close(
        xent.torch.Criterion("cross-entropy")(z, targets), nn.functional.binary_cross_entropy_with_logits(z, targets)
    )


def test_16_bit_logits():
    z = torch.randn(4, 3).bfloat16().requires_grad_()
    for name, y in (("quadratic@sigmoid", torch.rand(4, 3)), ("quadratic@softmax", torch.tensor([0, 1, 2, 0]))):
        cost = xent.torch.Criterion(name, "sum")(z, y)
        assert cost.dtype is torch.float32
        (grad,) = torch.autograd.grad(cost, z)
        assert grad.dtype is torch.bfloat16
        expected = xent.output(name).delta(z.detach().double(), y.double() if y.is_floating_point() else y)
        torch.testing.assert_close(grad.double(), expected, rtol=4e-3, atol=1e-6)


class Fourth(xent.Cost):
    """A cost of one's own."""

    name = "fourth"

    def __call__(self, a, y):
        return (a - y) ** 4 / 4

    def slope(self, a, y):
        return (a - y) ** 3


def test_a_cost_of_ones_own():
    criterion = xent.torch.Criterion(xent.output(Fourth(), "sigmoid"), "sum")
    assert named(name_of(criterion.output)) is criterion.output
    z = torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(criterion, (z, torch.rand(4, dtype=torch.float64)))


class ByAutograd(Fourth):
    """Whose slope is asked of PyTorch."""

    name = "by-autograd"

    def slope(self, a, y):
        a = a.detach().requires_grad_()
        return torch.autograd.grad(self(a, y).sum(), a)[0]


def test_a_slope_by_autograd_in_a_backward_pass():
    z, y = torch.tensor([0.5, -2.0], dtype=torch.float64, requires_grad=True), torch.tensor([0.0, 1.0], dtype=torch.float64)
    grads = [
        torch.autograd.grad(xent.torch.Criterion(xent.output(kind(), "sigmoid"), "sum")(z, y), z)[0]
        for kind in (Fourth, ByAutograd)
    ]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (UnknownNameError, "quadratic", lambda: xent.torch.Criterion("quadratik@sigmoid")),
        (InputError, "reduction is one of", lambda: xent.torch.Criterion("hinge", "average")),
        (InputError, "no class axis", lambda: xent.torch.Criterion("hinge", axis=1)),
        (ShapeError, "Nothing is broadcast", lambda: xent.torch.Criterion("quadratic@sigmoid")(torch.zeros(3), torch.zeros(3, 1))),
        (
            TargetError,
            r"is -100\.|is -100 |is -100$",
            lambda: xent.torch.Criterion("focal")(torch.zeros(1, 3), torch.tensor([-100])),
        ),
        (TargetError, "is 2", lambda: xent.torch.Criterion("hinge")(torch.zeros(1), torch.tensor([2.0]))),
        (InputError, "deprecated", lambda: xent.torch.CrossEntropyLoss(reduce=True)),
        (InputError, "label_smoothing", lambda: xent.torch.CrossEntropyLoss(label_smoothing=2)),
        (UnknownNameError, "z_loss", lambda: xent.torch.CrossEntropyLoss(zloss=2)),
    ],
)
def test_errors(kind, words, call):
    with pytest.raises(kind, match=words):
        call()


def test_the_module_is_torchs():
    z, y = torch.randn(6, 5, 3), torch.randint(5, (6, 3))
    weight = torch.rand(5)
    given = {"weight": weight, "ignore_index": 2, "reduction": "sum", "label_smoothing": 0.1}
    theirs = nn.CrossEntropyLoss(**given)
    ours = xent.torch.CrossEntropyLoss(**{**given, "weight": weight.clone()})
    torch.testing.assert_close(ours(z, y), theirs(z, y))
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight"]
    ours.load_state_dict({"weight": 2 * weight})
    torch.testing.assert_close(ours(z, y), 2 * theirs(z, y))
    assert list(xent.torch.CrossEntropyLoss().state_dict()) == list(nn.CrossEntropyLoss().state_dict()) == []
    for module in (ours, theirs):
        assert (module.ignore_index, module.reduction, module.label_smoothing) == (2, "sum", 0.1)
        module.reduction, module.ignore_index, module.label_smoothing = "none", -100, 0.0
    torch.testing.assert_close(ours(z, y), 2 * theirs(z, y))


def test_options_are_attributes_that_are_checked():
    z, y = torch.randn(6, 5), torch.randint(5, (6,))
    linear = xent.torch.LinearCrossEntropyLoss(5, 7)
    for module in (xent.torch.CrossEntropyLoss(), linear):
        for name in NAMES:
            if name != "weight" and (module is not linear or name != "ignore_index"):
                assert getattr(module, name) == getattr(Options(), name)
        module.z_loss, module.denominator = 0.5, torch.tensor(3.0)
        logits = z @ linear.linear.weight.T if module is linear else z
        torch.testing.assert_close(module(z, y), xent.torch.cross_entropy(logits, y, z_loss=0.5, denominator=3.0))
        with pytest.raises(InputError, match="takes none"):
            module.reduction = "sum"
        with pytest.raises(InputError, match="of at least 0"):
            module.z_loss = -1
        assert (module.reduction, module.z_loss) == ("mean", 0.5)
    assert (linear.ignore_index, linear.num_classes, linear.out_features) == (None, 7, ())
    for criterion in (xent.torch.Criterion("quadratic@sigmoid"), xent.torch.Criterion("focal@softmax")):
        criterion.reduction = "avg"
        with pytest.raises(InputError, match="reduction is one of"):
            criterion(z, z.sigmoid() if "sigmoid" in str(criterion) else y)


@pytest.mark.parametrize(
    "module", [xent.torch.CrossEntropyLoss(torch.rand(5), z_loss=0.1, shape="focal"), xent.torch.Criterion("lq@softmax")], ids=repr
)
def test_modules_are_copied_and_saved(module):
    z, y = torch.randn(6, 5), torch.randint(5, (6,))
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for other in (copy.deepcopy(module), torch.load(file, weights_only=False)):
        torch.testing.assert_close(other(z, y), module(z, y))


def test_statistics_from_the_module():
    _, stats = xent.torch.CrossEntropyLoss(stats="correct")(torch.eye(3), torch.arange(3))
    assert stats["correct"].all()
