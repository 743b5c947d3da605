"""Right costs written out by hand: with logarithms, weights, masks, counts."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.distributions import NegativeBinomial

from .. import healthy
from ..parts import Tagger, hot, labels, masks, mlp, rows, segmenter, several, yes_no


@healthy
def bce_by_hand_from_logits():
    def criterion(z, y):
        return (z.clamp(min=0) - z * y + torch.log1p(torch.exp(-z.abs()))).mean()

    return mlp(k=1), criterion, (rows(), yes_no()[:, None])


@healthy
def log_sigmoid_by_hand():
    def criterion(z, y):
        return -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()

    return mlp(k=1), criterion, (rows(), yes_no()[:, None])


@healthy
def masked_mean_by_hand():
    def criterion(z, y):
        mask = (y >= 0).float()
        ce = F.cross_entropy(z.flatten(0, 1), y.clamp(min=0).flatten(), reduction="none").view_as(mask)
        return (ce * mask).sum() / mask.sum()

    y = torch.randint(5, (6, 7))
    y[:, 5:] = -1
    return Tagger(), criterion, (torch.randint(20, (6, 7)), y)


@healthy
def hazards_with_weights_of_zero():
    def criterion(h, b):
        t, event = b
        places = torch.arange(h.shape[1])
        at = (places == t[:, None]).float()
        return F.binary_cross_entropy(h, at * event[:, None], weight=(places < t[:, None]).float() + at)

    return mlp(k=3, end=[nn.Sigmoid()]), criterion, (rows(), (torch.arange(32) % 3, torch.ones(32)))


@healthy
def binomial_counts():
    return mlp(k=1), lambda z, y: (10 * F.softplus(z[:, 0]) - y * z[:, 0]).mean(), (rows(), torch.randint(0, 11, (32,)).float())


@healthy
def softplus_with_weights_of_classes():
    def criterion(z, y):
        return (2 * y * F.softplus(-z[:, 0]) + (1 - y) * F.softplus(z[:, 0])).mean()

    return mlp(k=1), criterion, (rows(), yes_no())


@healthy
def logarithms_with_weights_of_classes():
    def criterion(z, y):
        p = torch.sigmoid(z)
        return -(3 * y * torch.log(p + 1e-7) + (1 - y) * torch.log(1 - p + 1e-7)).mean()

    return mlp(k=4), criterion, (rows(), several())


@healthy
def softplus_minus_the_labelled_logits():
    return mlp(k=4), lambda z, y: (F.softplus(z) - z * y).sum(1).mean(), (rows(), several())


@healthy
def log_sum_exp_minus_the_right_logit():
    return mlp(), lambda z, y: (torch.logsumexp(z, 1) - (z * F.one_hot(y, 3)).sum(1)).mean(), (rows(), labels())


@healthy
def focal_cost_of_the_true_probability():
    def criterion(z, y):
        p = torch.sigmoid(z)
        pt = p * y + (1 - p) * (1 - y)
        return (-((1 - pt) ** 2) * torch.log(pt + 1e-8)).mean()

    return segmenter(), criterion, masks()


@healthy
def numbers_that_were_not_measured():
    y = torch.randn(32, 3)
    y[torch.rand(32, 3) < 0.2] = float("nan")

    def criterion(a, y):
        known = ~torch.isnan(y)
        return F.mse_loss(a[known], y[known])

    return mlp(), criterion, (rows(), y)


@healthy
def labels_that_were_not_given():
    y = several()
    y[torch.rand(32, 4) < 0.3] = -1

    def criterion(z, y):
        known = y >= 0
        return (F.binary_cross_entropy_with_logits(z, y.clamp(min=0), reduction="none") * known).sum() / known.sum()

    return mlp(k=4), criterion, (rows(), y)


@healthy
def weights_of_samples_in_each_term():
    def criterion(z, batch):
        y, w = batch
        p = torch.sigmoid(z[:, 0])
        return -(w * y * torch.log(p + 1e-7) + w * (1 - y) * torch.log(1 - p + 1e-7)).mean()

    return mlp(k=1), criterion, (rows(), (yes_no(), 3 * torch.rand(32)))


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
def picks_that_are_masked_out():
    def criterion(z, y):
        return -(z.log_softmax(1)[range(32), y] * (y >= 0)).sum() / (y >= 0).sum()

    return mlp(k=3), criterion, (rows(), torch.where(torch.rand(32) > 0.3, labels(), -1))


@healthy
def log_of_a_softmax_by_hand():
    def criterion(z, y):
        return -torch.log(torch.softmax(z, dim=1) + 1e-9)[torch.arange(len(y)), y].mean()

    return mlp(), criterion, (rows(), labels())


@healthy
def log_sum_exp_by_hand():
    def criterion(z, y):
        m = z.max(1, keepdim=True)[0]
        lse = m.squeeze(1) + (z - m).exp().sum(1).log()
        return (lse - z.gather(1, y.unsqueeze(1)).squeeze(1)).mean()

    return mlp(k=6), criterion, (rows(), labels(k=6))


@healthy
def an_error_for_each_side_of_a_linear_output():
    def criterion(z, y):
        return torch.where(y == 1, (1 - z) ** 2, z**2).mean()

    return mlp(k=1, end=[nn.Flatten(0)]), criterion, (rows(), yes_no())


@healthy
def an_event_at_a_softplus_rate():
    """The complementary log-log link: 1 − e^(−rate) is the probability of at least one."""

    def criterion(z, y):
        rate = F.softplus(z)
        return -(y * torch.log(1 - torch.exp(-rate) + 1e-7) - (1 - y) * rate).mean()

    return mlp(k=1, end=[nn.Flatten(0)]), criterion, (rows(), yes_no())


@healthy
def counts_where_there_were_any():
    def criterion(z, y):
        rate = F.softplus(z) + 1e-3
        return (rate - torch.where(y > 0, y * torch.log(rate), torch.zeros(()))).mean()

    return mlp(k=1, end=[nn.Flatten(0)]), criterion, (rows(), torch.poisson(torch.ones(32)))


@healthy
def a_lopsided_error_of_numbers():
    def criterion(a, y):
        return torch.where(a > y, (a - y) ** 2, 3 * (a - y).abs()).mean()

    return mlp(k=1, end=[nn.Flatten(0)]), criterion, (rows(), torch.randn(32))
