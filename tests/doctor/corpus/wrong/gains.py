"""Errors that are badly wrong and hardly corrected."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import Ending, hot, labels, mlp, rows, softmax, yes_no


@fault("squared-error-on-squashed-output")
def the_article():
    return (
        nn.Sequential(nn.Linear(1, 1), nn.Sigmoid()),
        nn.MSELoss(),
        (torch.ones(4, 1), torch.tensor([[0.0], [1.0], [0.0], [0.0]])),
    )


@fault("squared-error-on-squashed-output")
def softmax_under_squared_error():
    return mlp(k=4, end=[nn.Softmax(dim=1)]), nn.MSELoss(), (rows(), F.one_hot(labels(k=4), 4).float())


@fault("squared-error-on-squashed-output")
def tanh_by_hand():
    def criterion(a, y):
        return 0.5 * torch.square(y - a).sum(dim=1).mean()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 12), nn.Linear(12, 1)

        def forward(self, x):
            return self.b(self.a(x).tanh()).tanh()

    return Net(), criterion, (rows(), (yes_no() * 2 - 1)[:, None])


@fault("squared-error-on-squashed-output")
def absolute_error_of_a_written_out_sigmoid():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(8, 1)

        def forward(self, x):
            return 1 / (1 + torch.exp(-self.out(x)))

    return Net(), nn.L1Loss(), (rows(), yes_no()[:, None])


@fault("dead-probability-bce")
def probabilities_rounded_to_one():
    net = mlp(k=1, end=[nn.Sigmoid()])
    with torch.no_grad():
        net[2].weight.zero_()
        net[2].bias.fill_(25.0)
    return net, nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("dead-probability-bce")
def clamped_logarithms():
    def criterion(p, y):
        p = p.clamp(1e-6, 1 - 1e-6)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    net = mlp(k=1, end=[nn.Sigmoid()])
    with torch.no_grad():
        net[2].weight.mul_(0.1)
        net[2].bias.fill_(18.0)
    return net, criterion, (rows(), yes_no()[:, None])


@fault("squared-error-on-squashed-output")
def squared_error_inside_forward_with_labels():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x, y):
            p = torch.sigmoid(self.f(x)).squeeze(-1)
            return torch.mean((y - p) ** 2)

    return Own(), None, {"x": rows(), "y": yes_no()}


@fault("squared-error-on-squashed-output")
def rmse_of_scaled_tanh():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return (torch.tanh(self.f(x)) + 1) / 2

    return Net(), lambda a, y: torch.sqrt(F.mse_loss(a, y)), (rows(), yes_no()[:, None])


@fault("squared-error-on-squashed-output")
def l2_norm_against_one_hot():
    def criterion(p, y):
        return (p - F.one_hot(y, 3)).norm(dim=1).pow(2).mean()

    return mlp(end=[nn.Softmax(dim=1)]), criterion, (rows(), labels())


@fault("squared-error-on-squashed-output")
def a_bounded_regression_that_is_stalled():
    net = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())
    with torch.no_grad():
        net[0].bias.fill_(9.0)
    return net, nn.MSELoss(), (rows(), torch.rand(32, 1) * 0.4 + 0.05)


@fault("squared-error-on-squashed-output")
def hard_sigmoid_for_classes():
    return mlp(k=1, end=[nn.Hardsigmoid()]), nn.MSELoss(), (rows(), yes_no()[:, None])


@fault("squared-error-on-squashed-output")
def softsign_for_classes():
    return mlp(k=1, end=[nn.Softsign()]), nn.MSELoss(), (rows(), (yes_no() * 2 - 1)[:, None])


@fault("squared-error-on-squashed-output")
def a_squared_error_as_a_scalar_product():
    def criterion(p, y):
        d = (p - hot(y)).flatten()
        return d @ d / len(y)

    return Ending(torch.sigmoid), criterion, (rows(), labels())


@fault("squared-error-on-squashed-output")
def a_brier_score_of_exponentials():
    return mlp(k=3), lambda z, y: ((z.log_softmax(1).exp() - hot(y)) ** 2).sum(1).mean(), (rows(), labels())


@fault("squared-error-on-squashed-output")
def a_squared_error_of_the_right_class_alone():
    return Ending(softmax), lambda p, y: ((1 - p.gather(1, y[:, None])) ** 2).mean(), (rows(), labels())


@fault("squared-error-on-squashed-output")
def an_error_for_each_side_of_a_where():
    def criterion(z, y):
        p = torch.sigmoid(z[:, 0])
        return torch.where(y == 0, p**2, (1 - p) ** 2).mean()

    return mlp(k=1), criterion, (rows(), yes_no())


@fault("squared-error-on-squashed-output")
def an_error_for_each_side_weighed_by_the_target():
    def criterion(p, y):
        return (y * (1 - p).square() + (1 - y) * p.square()).sum()

    return mlp(k=1, end=[nn.Sigmoid()]), criterion, (rows(), yes_no()[:, None])


@fault("squared-error-on-squashed-output")
def a_tanh_between_minus_one_and_one_by_where():
    def criterion(a, y):
        return torch.where(y > 0, (a - 1) ** 2, (a + 1) ** 2).mean()

    return mlp(k=1, end=[nn.Tanh(), nn.Flatten(0)]), criterion, (rows(), 2 * yes_no() - 1)
