"""Targets that the cost gives no meaning to, or that lie beside the answers otherwise than they should."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import Encoder, labels, mlp, rows, sentences, yes_no


@fault("target-outside-domain")
def pixels_of_255_under_bce():
    x = torch.randint(0, 256, (8, 1, 6, 6)).float()
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    return net, nn.BCEWithLogitsLoss(), (x / 255, x)


@fault("target-outside-domain")
def standardised_targets_behind_a_sigmoid():
    return mlp(k=1, end=[nn.Sigmoid()]), nn.MSELoss(), (rows(), torch.randn(32, 1))


@fault("target-outside-domain")
def teacher_logits_as_kl_target():
    net = mlp(k=5, end=[nn.LogSoftmax(dim=1)])
    return net, nn.KLDivLoss(reduction="batchmean"), (rows(), torch.randn(32, 5) * 3)


@fault("signed-labels")
def minus_one_and_one_under_bce():
    return mlp(k=1), F.binary_cross_entropy_with_logits, (rows(), (yes_no() * 2 - 1)[:, None])


@fault("signed-labels")
def minus_one_as_a_class():
    return mlp(k=2), nn.CrossEntropyLoss(), (rows(), labels(k=2) * 2 - 1)


@fault("broadcast-target")
def column_against_row_mse():
    return mlp(k=1), nn.MSELoss(), (rows(), torch.randn(32))


@fault("broadcast-target")
def column_against_row_by_hand():
    return mlp(k=1), lambda a, y: ((a - y) ** 2).mean(), (rows(), torch.randn(32))


@fault("broadcast-target")
def bce_refuses_a_column():
    return mlp(k=1), nn.BCEWithLogitsLoss(), (rows(), yes_no())


@fault("single-class-batch")
def a_batch_of_one_class():
    return mlp(), nn.CrossEntropyLoss(), (rows(), torch.full((32,), 2))


@fault("broadcast-target")
def smooth_l1_of_a_squeezed_target():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return self.f(x)

    return Net(), nn.SmoothL1Loss(), (rows(), torch.randn(32, 1)), lambda m, b: (m(b[0]), b[1].squeeze())


@fault("broadcast-target")
def target_column_against_squeezed_answers():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return self.f(x).squeeze(1)

    return Net(), lambda a, y: (a - y).abs().mean(), (rows(), torch.randn(32, 1))


@fault("target-outside-domain")
def percentages_as_soft_targets():
    y = torch.softmax(torch.randn(32, 4), 1) * 100
    return mlp(k=4), nn.CrossEntropyLoss(), (rows(), y)


@fault("target-outside-domain")
def relu_output_for_signed_values():
    return mlp(k=1, end=[nn.ReLU()]), nn.MSELoss(), (rows(), torch.randn(32, 1) * 2)


@fault("target-outside-domain")
def zero_one_labels_under_soft_margin():
    return mlp(k=1), nn.SoftMarginLoss(), (rows(), yes_no()[:, None])


@fault("signed-labels")
def minus_one_and_one_by_hand():
    def criterion(z, y):
        p = torch.sigmoid(z).squeeze(1)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    return mlp(k=1), criterion, (rows(), yes_no() * 2 - 1)


@fault("signed-labels")
def focal_cost_of_signed_labels():
    def criterion(z, y):
        p = z.sigmoid()
        return -(y * (1 - p) ** 2 * torch.log(p + 1e-8) + (1 - y) * p**2 * torch.log(1 - p + 1e-8)).mean()

    return mlp(k=1), criterion, (rows(), yes_no()[:, None] * 2 - 1)


@fault("signed-labels")
def softplus_of_signed_labels():
    return mlp(k=1), lambda z, y: (F.softplus(z[:, 0]) - y * z[:, 0]).mean(), (rows(), yes_no() * 2 - 1)


@fault("broadcast-target")
def softplus_of_a_column():
    return Encoder(k=1), lambda z, y: (F.softplus(z) - z * y).mean(), (sentences(), yes_no(16))


@fault("broadcast-target")
def log_cosh_of_a_column():
    return mlp(k=1), lambda a, y: torch.log(torch.cosh(a - y)).mean(), (rows(), torch.randn(32))


@fault("broadcast-target")
def a_refused_difference_over_time():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 1)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    return Net(), lambda a, y: torch.abs(a - y).mean(), (torch.randn(12, 5, 4), torch.randn(12, 5))


@fault("broadcast-target")
def logarithms_of_a_column():
    def criterion(p, y):
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    return mlp(k=1, end=[nn.Sigmoid()]), criterion, (rows(), yes_no())


@fault("broadcast-target")
def a_column_times_a_row():
    return mlp(k=1), lambda z, y: F.relu(1 - (2 * y - 1) * z).square().mean(), (rows(), yes_no())
