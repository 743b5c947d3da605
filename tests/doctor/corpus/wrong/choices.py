"""Choices over the wrong axis, among one class, or where none or several may be right."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import Encoder, Ending, labels, mlp, rows, sentences, several, softmax, yes_no


@fault("one-class-softmax")
def softmax_over_one_unit():
    return mlp(k=1, end=[nn.Softmax(dim=1)]), nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("one-class-softmax")
def cross_entropy_on_one_unit():
    return mlp(k=1), nn.CrossEntropyLoss(), (rows(), torch.zeros(32, dtype=torch.long))


@fault("softmax-wrong-axis")
def log_softmax_over_the_batch():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp(k=4)

        def forward(self, x):
            return F.log_softmax(self.body(x), dim=0)

    return Net(), nn.NLLLoss(), (rows(), labels(k=4))


@fault("softmax-wrong-axis")
def softmax_over_time():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(20, 8)
            self.rnn = nn.GRU(8, 16, batch_first=True)
            self.out = nn.Linear(16, 4)

        def forward(self, tokens):
            h, _ = self.rnn(self.emb(tokens))
            return self.out(h).log_softmax(dim=1)

    return Tagger(), lambda p, y: F.nll_loss(p.reshape(-1, 4), y.reshape(-1)), (torch.randint(20, (6, 7)), torch.randint(4, (6, 7)))


@fault("softmax-wrong-axis")
def one_hot_against_softmax_over_batch():
    def criterion(z, y):
        return -(y * torch.log(torch.softmax(z, 0))).sum(1).mean()

    return mlp(), criterion, (rows(), F.one_hot(labels(), 3).float())


@fault("sigmoid-for-exclusive-classes")
def bce_for_one_of_many():
    return mlp(k=5), nn.BCEWithLogitsLoss(), (rows(), F.one_hot(labels(k=5), 5).float())


@fault("sigmoid-for-exclusive-classes")
def sigmoid_head_picked_by_hand():
    def criterion(z, y):
        return -torch.log(torch.sigmoid(z).gather(1, y[:, None])).mean()

    return mlp(k=4), criterion, (rows(), labels(k=4))


@fault("softmax-for-independent-labels")
def cross_entropy_on_several_labels():
    y = (torch.rand(32, 6) > 0.5).float()
    return mlp(k=6), nn.CrossEntropyLoss(), (rows(), y)


@fault("softmax-for-independent-labels")
def softmax_into_bce_for_tags():
    y = (torch.rand(32, 6) > 0.6).float()
    return mlp(k=6, end=[nn.Softmax(1)]), nn.BCELoss(), (rows(), y)


@fault("softmax-wrong-axis")
def implicit_axis_of_a_3d_output():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.out = nn.Embedding(20, 8), nn.Linear(8, 5)

        def forward(self, t):
            return nn.LogSoftmax(dim=0)(self.out(self.emb(t)))

    return Net(), lambda p, y: F.nll_loss(p.transpose(1, 2), y), (torch.randint(20, (6, 7)), torch.randint(5, (6, 7)))


@fault("softmax-wrong-axis")
def exponentials_over_the_batch():
    def criterion(z, y):
        e = z.exp()
        p = e / e.sum(0)
        return -p[torch.arange(len(y)), y].log().mean()

    return mlp(), criterion, (rows(), labels())


@fault("one-class-softmax")
def log_softmax_over_one_unit():
    return mlp(k=1, end=[nn.LogSoftmax(dim=1)]), nn.NLLLoss(), (rows(), torch.zeros(32, dtype=torch.long))


@fault("sigmoid-for-exclusive-classes")
def sigmoid_module_with_one_hot():
    return mlp(k=4, end=[nn.Sigmoid()]), nn.BCELoss(), (rows(), F.one_hot(labels(k=4), 4).float())


@fault("sigmoid-for-exclusive-classes")
def softplus_minus_the_right_logit():
    def criterion(z, y):
        hot = torch.zeros_like(z).scatter_(1, y[:, None], 1.0)
        return (F.softplus(z) - hot * z).sum(1).mean()

    return Encoder(), criterion, (sentences(), labels(16, 4))


@fault("softmax-for-independent-labels")
def log_sum_exp_minus_several_logits():
    y = several()
    y[:, 2] = 1
    return mlp(k=4), lambda z, y: (torch.logsumexp(z, 1) - (z * y).sum(1)).mean(), (rows(), y)


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

    return Ending(softmax), criterion, (rows(), (torch.rand(32, 3) > 0.5).float())
