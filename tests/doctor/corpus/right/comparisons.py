"""Right costs that compare answers with each other: contrastive, ranking, adversarial, with a teacher."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import healthy
from ..parts import labels, mlp, rows, sentences, yes_no


@healthy
def wasserstein_critic():
    return mlp(k=1), lambda d, y: (d.squeeze(1) * y).mean(), (rows(), yes_no() * 2 - 1)


@healthy
def student_of_a_frozen_encoder():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x):
            with torch.no_grad():
                h = torch.tanh(self.encoder(x))
            return self.head(h)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@healthy
def two_views_with_a_stopped_gradient():
    class SimSiam(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.h = mlp(k=6), nn.Linear(6, 6)

        def forward(self, a, b):
            za, zb = self.f(a), self.f(b)
            return self.h(za), self.h(zb), za.detach(), zb.detach()

    def criterion(out, _):
        pa, pb, za, zb = out
        return -(F.cosine_similarity(pa, zb).mean() + F.cosine_similarity(pb, za).mean()) / 2

    return SimSiam(), criterion, ((rows(), rows()), torch.zeros(32))


@healthy
def ranking_pairs():
    class Rank(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, a, b):
            return self.f(a).squeeze(1), self.f(b).squeeze(1)

    return Rank(), lambda o, y: F.margin_ranking_loss(o[0], o[1], y, margin=0.1), ((rows(), rows()), yes_no() * 2 - 1)


@healthy
def views_of_one_batch():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=8)

        def forward(self, x):
            return F.normalize(self.f(x))

    def criterion(z, _):
        sim = (z @ z.T / 0.5).masked_fill(torch.eye(len(z)).bool(), float("-inf"))
        return F.cross_entropy(sim, torch.arange(len(z)) ^ 1)

    return Net(), criterion, (rows(), torch.zeros(32))


@healthy
def two_views_against_all_others():
    def criterion(z, _):
        n = len(z)
        alike = (z @ z.T / 0.5).masked_fill(torch.eye(n, dtype=torch.bool), -1e9)
        return F.cross_entropy(alike, (torch.arange(n) + n // 2) % n)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=8)

        def forward(self, x):
            return F.normalize(self.f(x), dim=1)

    return Net(), criterion, (rows(), torch.zeros(1))


@healthy
def contrast_with_all_of_a_class():
    def criterion(z, y):
        z = F.normalize(z, dim=1)
        eye = torch.eye(len(z), dtype=torch.bool)
        alike = (z @ z.T / 0.1).masked_fill(eye, -1e9)
        logs = alike - alike.logsumexp(1, keepdim=True)
        positive = (y[:, None] == y[None]) & ~eye
        return -((logs * positive).sum(1) / positive.sum(1)).mean()

    return mlp(k=8), criterion, (rows(), labels())


@healthy
def a_generator_before_a_frozen_judge():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.make = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 6), nn.Tanh())
            self.judge = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)).requires_grad_(False)

        def forward(self, x):
            return self.judge(self.make(x))

    return Net(), nn.BCEWithLogitsLoss(), (rows(), torch.ones(32, 1))


@healthy
def a_teacher_that_follows():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.learner = mlp()
            self.teacher = copy.deepcopy(self.learner)

        def forward(self, x):
            with torch.no_grad():
                told = self.teacher(x + 0.1 * torch.randn_like(x)).softmax(1)
            return self.learner(x), told

    return Net(), lambda out, y: F.cross_entropy(out[0], y) + F.mse_loss(out[0].softmax(1), out[1]), (rows(), labels())


@healthy
def pictures_and_words_one_against_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 16), nn.Embedding(50, 16)
            self.t, self.bias = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(-6.0))

        def forward(self, x, t):
            return self.t.exp() * F.normalize(self.a(x), dim=1) @ F.normalize(self.b(t).mean(1), dim=1).T + self.bias

    def criterion(z):
        return -F.logsigmoid((2 * torch.eye(len(z)) - 1) * z).sum(1).mean()

    return Net(), criterion, (rows(16), sentences()), lambda model, batch: (model(*batch),)


@healthy
def least_squares_discriminator():
    return mlp(k=1), lambda d, y: 0.5 * ((d - 1) ** 2).mean(), (rows(), torch.zeros(32))


@healthy
def gan_generator():
    class Gan(nn.Module):
        def __init__(self):
            super().__init__()
            self.g = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8), nn.Tanh())
            self.d = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

        def forward(self, z):
            return self.d(self.g(z))

    def forward(model, z):
        return model(z)

    def criterion(fake):
        return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))

    return Gan(), criterion, torch.randn(16, 4), forward


@healthy
def gan_discriminator_squared():
    net = mlp(k=1, end=[nn.Sigmoid()])

    def criterion(d, y):
        return F.mse_loss(d[:16], torch.ones(16, 1)) + F.mse_loss(d[16:], torch.zeros(16, 1))

    return net, criterion, (rows(), torch.zeros(32))


@healthy
def contrastive_pairs():
    class Clip(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.scale = nn.Linear(8, 6), nn.Linear(5, 6), nn.Parameter(torch.tensor(2.0))

        def forward(self, a, b):
            u, v = F.normalize(self.a(a), dim=1), F.normalize(self.b(b), dim=1)
            return self.scale.exp() * u @ v.T

    def criterion(sim, _):
        n = torch.arange(len(sim))
        return (F.cross_entropy(sim, n) + F.cross_entropy(sim.T, n)) / 2

    return Clip(), criterion, ((rows(12), torch.randn(12, 5)), torch.zeros(12))


@healthy
def contrastive_by_hand():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=6)

        def forward(self, x):
            z = F.normalize(self.f(x), dim=1)
            return z[::2] @ z[1::2].T / 0.5

    def criterion(sim, _):
        return -(F.log_softmax(sim, 0).diagonal().mean() + F.log_softmax(sim, 1).diagonal().mean())

    return Encoder(), criterion, (rows(), torch.zeros(32))


@healthy
def triplet():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=4)

        def forward(self, a, p, n):
            return self.f(a), self.f(p), self.f(n)

    def criterion(out, _):
        return F.triplet_margin_loss(*out)

    return Net(), criterion, ((rows(8), rows(8), rows(8)), torch.zeros(8))
