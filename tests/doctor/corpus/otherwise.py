"""Faults and right costs said otherwise: sums of products, distributions, masks, rectifiers and counts by hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.distributions import Bernoulli, Categorical, NegativeBinomial

from . import fault, healthy
from .wrong import labels, mlp, rows, yes_no


class Net(nn.Module):
    """A small network with something by hand at its end."""

    def __init__(self, end, k=3):
        super().__init__()
        self.body, self.end = mlp(k=k), end

    def forward(self, x):
        return self.end(self.body(x))


def softmax(z):
    return z.softmax(1)


def shares(z):
    return z / z.sum(1, keepdim=True)


def hot(y, k=3):
    return F.one_hot(y, k).float()


def all_but_the_last(k=3):
    """Class numbers that one class is missing for, so that they end one too high."""
    y = 1 + labels(k=k)
    y[0] = k
    return y


# ── faults ──


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


@fault("probabilities-as-logits")
def softmax_of_the_nodes_that_have_labels():
    def cost(model, batch):
        answers, known = model(batch["x"]), batch["known"]
        return F.cross_entropy(answers[known], batch["y"][known])

    return Net(softmax), None, {"x": rows(), "y": labels(), "known": torch.rand(32) > 0.3}, cost


@fault("probabilities-as-logits")
def exponentials_normalised_to_one():
    return Net(lambda z: F.normalize(z.exp(), p=1, dim=1)), nn.CrossEntropyLoss(), (rows(), labels())


@fault("squared-error-on-squashed-output")
def a_squared_error_as_a_scalar_product():
    def criterion(p, y):
        d = (p - hot(y)).flatten()
        return d @ d / len(y)

    return Net(torch.sigmoid), criterion, (rows(), labels())


@fault("probabilities-as-logits")
def a_sigmoid_under_a_margin_cost():
    return Net(torch.sigmoid, k=1), nn.SoftMarginLoss(), (rows(), 2 * yes_no()[:, None] - 1)


@fault("softmax-wrong-axis")
def a_softmax_over_all_pixels():
    class Pixels(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Conv2d(2, 3, 3, padding=1)

        def forward(self, x):
            z = self.c(x)
            return z.flatten(2).log_softmax(2).view_as(z)

    return Pixels(), nn.NLLLoss(), (torch.randn(2, 2, 5, 5), labels(50).view(2, 5, 5))


@fault("softmax-for-independent-labels")
def a_focal_cost_of_shared_probabilities():
    def criterion(p, y):
        p = p.clamp(1e-6, 1 - 1e-6)
        return -(y * (1 - p) ** 2 * p.log() + (1 - y) * p**2 * (1 - p).log()).mean()

    return Net(softmax), criterion, (rows(), (torch.rand(32, 3) > 0.5).float())


@fault("squared-error-on-squashed-output")
def a_brier_score_of_exponentials():
    return mlp(k=3), lambda z, y: ((z.log_softmax(1).exp() - hot(y)) ** 2).sum(1).mean(), (rows(), labels())


@fault("squared-error-on-squashed-output")
def a_squared_error_of_the_right_class_alone():
    return Net(softmax), lambda p, y: ((1 - p.gather(1, y[:, None])) ** 2).mean(), (rows(), labels())


@fault("all-ignored")
def a_mask_of_zeros_over_at_least_one():
    def criterion(z, batch):
        y, mask = batch
        return (F.cross_entropy(z, y, reduction="none") * mask).sum() / mask.sum().clamp(min=1)

    return mlp(k=3), criterion, (rows(), (labels(), torch.zeros(32)))


@fault("zero-class-weight")
def a_weight_of_zero_on_one_hot_labels():
    w = torch.tensor([1.0, 0.0, 2.0])
    return mlp(k=3), lambda z, y: -(hot(y) * w * z.log_softmax(1)).sum(1).mean(), (rows(), labels())


@fault("broadcast-target")
def a_column_times_a_row():
    return mlp(k=1), lambda z, y: F.relu(1 - (2 * y - 1) * z).square().mean(), (rows(), yes_no())


@fault("class-index-out-of-range")
def a_class_number_that_counts_from_the_end():
    return mlp(k=3), lambda z, y: -z.log_softmax(1)[range(32), y].mean(), (rows(), labels() - 1)


@fault("class-index-out-of-range")
def a_class_number_that_begins_anew():
    return mlp(k=3), lambda z, y: -torch.take_along_dim(z.log_softmax(1), y[:, None], 1).mean(), (rows(), all_but_the_last())


@fault("rectified-logits")
def logits_times_their_sign():
    return Net(lambda z: z * (z > 0)), nn.CrossEntropyLoss(), (rows(), labels())


@fault("dead-units")
def a_clamp_that_is_off():
    class Off(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 3)
            nn.init.constant_(self.a.bias, -30.0)

        def forward(self, x):
            return self.b(self.a(x).clamp(min=0))

    return Off(), nn.CrossEntropyLoss(), (rows(), labels())


# ── healthy ──


@healthy
def a_contraction_with_log_probabilities():
    return mlp(k=3), lambda z, y: -torch.einsum("nk,nk->n", z.log_softmax(1), hot(y)).mean(), (rows(), labels())


@healthy
def counts_with_a_spread_of_their_own():
    def criterion(z, y):
        return -NegativeBinomial(F.softplus(z[:, 0]) + 1e-3, logits=z[:, 1]).log_prob(y).mean()

    return mlp(k=2), criterion, (rows(), torch.poisson(torch.full((32,), 3.0)))


@healthy
def ten_throws_by_hand():
    def criterion(z, y):
        return -(y * F.logsigmoid(z) + (10 - y) * F.logsigmoid(-z)).mean()

    return mlp(k=1), criterion, (rows(), torch.randint(0, 11, (32, 1)).float())


@healthy
def a_distribution_of_probabilities():
    return Net(softmax), lambda p, y: -Categorical(probs=p).log_prob(y).mean(), (rows(), labels())


@healthy
def shares_of_positive_scores():
    def criterion(p, y):
        return -torch.log(p.clamp(1e-7, 1 - 1e-7)).gather(1, y[:, None]).mean()

    return Net(lambda z: shares(F.softplus(z))), criterion, (rows(), labels())


@healthy
def counts_of_an_absolute_rate():
    def criterion(z, y):
        return (z.abs() - y * torch.log(z.abs() + 1e-3)).mean()

    return mlp(k=1), criterion, (rows(), torch.poisson(torch.ones(32, 1)))


@healthy
def a_rate_written_twice():
    def criterion(z, batch):
        time, seen = batch
        return (time * F.softplus(z[:, 0]) - seen * torch.log(F.softplus(z[:, 0]) + 1e-8)).mean()

    return mlp(k=1), criterion, (rows(), (torch.rand(32), yes_no()))


@healthy
def quantiles_against_all_quantiles():
    def cost(model, batch):
        x, y = batch
        u = y[:, None, :] - model(x)[:, :, None]
        return ((torch.linspace(0.1, 0.9, 5)[None, :, None] - (u.detach() < 0).float()).abs() * u**2).mean()

    return mlp(k=5), None, (rows(), torch.randn(32, 5)), cost


@healthy
def picks_that_are_masked_out():
    def criterion(z, y):
        return -(z.log_softmax(1)[range(32), y] * (y >= 0)).sum() / (y >= 0).sum()

    return mlp(k=3), criterion, (rows(), torch.where(torch.rand(32) > 0.3, labels(), -1))
