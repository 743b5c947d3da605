"""Weighted sums where probabilities, or their logarithms, are wanted."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.distributions import Bernoulli, Categorical

from .. import fault
from ..parts import hot, labels, masks, mlp, rows, segmenter, yes_no


@fault("logits-as-probabilities")
def raw_output_into_bce():
    return mlp(k=1), nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("logits-as-probabilities")
def raw_output_into_nll():
    return mlp(k=5), nn.NLLLoss(), (rows(), labels(k=5))


@fault("logits-as-probabilities")
def log_of_raw_output_by_hand():
    def criterion(a, y):
        a = a.clamp(1e-7, 1 - 1e-7)
        return -(y * a.log() + (1 - y) * (1 - a).log()).mean()

    return mlp(k=1), criterion, (rows(), yes_no()[:, None])


@fault("logits-as-probabilities")
def kl_of_raw_student():
    teacher = torch.softmax(torch.randn(32, 5), dim=1)
    return mlp(k=5), nn.KLDivLoss(reduction="batchmean"), (rows(), teacher)


@fault("logits-as-probabilities")
def nll_after_a_plain_conv():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return net, lambda z, y: F.nll_loss(z, y), (torch.randn(16, 1, 6, 6), labels(16))


@fault("logits-as-probabilities")
def the_logarithm_of_a_picked_sum():
    def criterion(a, y):
        return -torch.log(a.gather(1, y[:, None]).squeeze(1).clamp_min(1e-8)).mean()

    return mlp(k=4), criterion, (rows(), labels(k=4))


@fault("logits-as-probabilities")
def focal_cost_of_clamped_sums():
    def criterion(p, y):
        p = torch.clamp(p, 1e-6, 1 - 1e-6)
        pt = torch.where(y == 1, p, 1 - p)
        return (-((1 - pt) ** 2) * torch.log(pt)).mean()

    return segmenter(), criterion, masks()


@fault("logits-as-probabilities")
def weighted_sums_in_a_contraction():
    def criterion(z, y):
        return -torch.einsum("nk,nk->n", torch.log(z.clamp_min(1e-8)), hot(y)).mean()

    return mlp(k=3), criterion, (rows(), labels())


@fault("logits-as-probabilities")
def logarithms_of_absolute_values():
    return mlp(k=3), lambda z, y: -torch.xlogy(hot(y), z.abs()).sum(1).mean(), (rows(), labels())


@fault("logits-as-probabilities")
def a_distribution_that_refuses_logits():
    return mlp(k=1), lambda z, y: -Bernoulli(z[:, 0], validate_args=True).log_prob(y).mean(), (rows(), yes_no())


@fault("logits-as-probabilities")
def a_distribution_that_takes_logits_unasked():
    return mlp(k=3), lambda z, y: -Categorical(z, validate_args=False).log_prob(y).mean(), (rows(), labels())


@fault("logits-as-probabilities")
def rectified_on_both_sides_before_the_logarithms():
    def criterion(z, y):
        return -(y * torch.log(F.relu(z) + 1e-7) + (1 - y) * torch.log(F.relu(1 - z) + 1e-7)).mean()

    return mlp(k=1, end=[nn.Flatten(0)]), criterion, (rows(), yes_no())


@fault("logits-as-probabilities")
def rectified_logarithms_chosen_by_the_label():
    def criterion(z, y):
        p = F.relu(z)
        return -torch.where(y == 1, torch.log(p + 1e-7), torch.log((1 - p).clamp(min=1e-7))).mean()

    return mlp(k=1, end=[nn.Flatten(0)]), criterion, (rows(), yes_no())
