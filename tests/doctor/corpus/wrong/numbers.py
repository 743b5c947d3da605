"""Numbers that are not finite, not precise, or not of the size that a start should have."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import labels, mlp, rows


@fault("non-finite")
def a_nan_in_the_inputs():
    x = rows()
    x[3, 2] = float("nan")
    return mlp(), nn.CrossEntropyLoss(), (x, labels())


@fault("non-finite")
def square_root_at_zero():
    def criterion(z, y):
        return (z - y).abs().sqrt().mean() + torch.log((z - z.detach()).abs()).mean() * 0

    return mlp(k=1), criterion, (rows(), torch.randn(32, 1))


@fault("low-precision-cost")
def cost_in_bfloat16():
    return mlp(k=10).bfloat16(), nn.CrossEntropyLoss(), (rows().bfloat16(), labels(k=10))


@fault("large-logits")
def a_temperature_too_small():
    return mlp(k=10), lambda z, y: F.cross_entropy(z / 0.001, y), (rows(), labels(k=10))


@fault("initial-cost")
def weights_drawn_too_wide():
    net = mlp(k=10, hidden=64)
    for p in net.parameters():
        nn.init.normal_(p)
    return net, nn.CrossEntropyLoss(), (rows(), labels(k=10))


@fault("output-bias")
def one_positive_in_a_hundred():
    return mlp(k=1), nn.BCEWithLogitsLoss(), (rows(200), (torch.arange(200) % 100 == 0).float()[:, None])


@fault("output-bias")
def one_class_almost_always():
    y = torch.zeros(200, dtype=torch.long)
    y[::50] = 1
    y[1::60] = 2
    return mlp(), nn.CrossEntropyLoss(), (rows(200), y)


@fault("non-finite")
def a_weight_gone_to_infinity():
    net = mlp()
    with torch.no_grad():
        net[2].weight[0, 0] = float("inf")
    return net, nn.CrossEntropyLoss(), (rows(), labels())


@fault("non-finite")
def the_slope_of_a_root_at_zero():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(8, 8, bias=False)

        def forward(self, x):
            return torch.sqrt((self.f(x) ** 2).sum(1))

    x = rows()
    x[5] = 0
    return Net(), nn.MSELoss(), (x, torch.rand(32) * 5)
