"""Right costs of classes: soft and several labels, focal and smoothed, distilled, averaged, with a margin."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.distributions import Categorical

from .. import healthy
from ..parts import Ending, labels, mlp, rows, softmax, yes_no


def shares(z):
    return z / z.sum(1, keepdim=True)


@healthy
def softcapped_logits():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=6)

        def forward(self, x):
            return 30 * torch.tanh(self.f(x) / 30)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels(k=6))


@healthy
def cosine_classifier():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.w = nn.Linear(8, 6), nn.Parameter(torch.randn(4, 6))

        def forward(self, x):
            return 5 * F.normalize(self.f(x), dim=1) @ F.normalize(self.w, dim=1).T

    return Net(), nn.CrossEntropyLoss(), (rows(), labels(k=4))


@healthy
def prototypes():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.p = mlp(k=6), nn.Parameter(torch.randn(4, 6))

        def forward(self, x):
            return -((self.f(x)[:, None, :] - self.p[None]) ** 2).sum(-1)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels(k=4))


@healthy
def ordinal_thresholds():
    y = torch.arange(32) % 5
    levels = (y[:, None] > torch.arange(4)).float()
    return mlp(k=4), nn.BCEWithLogitsLoss(), (rows(), levels)


@healthy
def quality_focal():
    def criterion(z, y):
        p = z.sigmoid()
        return ((y - p).abs().pow(2) * F.binary_cross_entropy_with_logits(z, y, reduction="none")).mean()

    return mlp(k=1), criterion, (rows(), torch.rand(32, 1))


@healthy
def word_vectors():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.u, self.v = nn.Embedding(20, 8), nn.Embedding(20, 8)

        def forward(self, c, pos, neg):
            u = self.u(c)
            return (u * self.v(pos)).sum(-1), torch.einsum("nd,nkd->nk", u, self.v(neg))

    def criterion(out, _):
        return -(F.logsigmoid(out[0]).mean() + F.logsigmoid(-out[1]).mean())

    return Skip(), criterion, ((torch.randint(20, (16,)), torch.randint(20, (16,)), torch.randint(20, (16, 4))), torch.zeros(16))


@healthy
def evidence_of_counts():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return torch.exp(self.f(x)).squeeze(1)

    return Net(), lambda rate, y: (rate - y * torch.log(rate)).mean(), (rows(), torch.poisson(torch.full((32,), 2.0)))


@healthy
def entropy_bonus():
    def criterion(z, y):
        logp = z.log_softmax(-1)
        return F.nll_loss(logp, y) - 0.01 * -(logp.exp() * logp).sum(-1).mean()

    return mlp(k=4), criterion, (rows(), labels(k=4))


@healthy
def mixed_up_labels():
    def criterion(z, y):
        return 0.7 * F.cross_entropy(z, y) + 0.3 * F.cross_entropy(z, y.flip(0))

    return mlp(k=4), criterion, (rows(), labels(k=4))


@healthy
def dense_focal_detector():
    def criterion(z, y):
        p = z.sigmoid()
        cost = -(y * (1 - p) ** 2 * F.logsigmoid(z) + (1 - y) * p**2 * F.logsigmoid(-z))
        return cost.sum() / y.sum().clamp(min=1)

    return nn.Conv2d(3, 4, 1), criterion, (torch.randn(2, 3, 5, 5), (torch.rand(2, 4, 5, 5) > 0.8).float())


@healthy
def two_models_averaged():
    class Ensemble(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = mlp(), mlp()

        def forward(self, x):
            return ((self.a(x).softmax(1) + self.b(x).softmax(1)) / 2).log()

    return Ensemble(), nn.NLLLoss(), (rows(), labels())


@healthy
def softmax_only_when_asked():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.softmax = mlp(), nn.Softmax(1)

        def forward(self, x):
            z = self.f(x)
            return z, self.softmax(z)

    return Net(), lambda out, y: F.cross_entropy(out[0], y), (rows(), labels())


@healthy
def a_softmax_by_name_alone():
    class Softmax(nn.Softmax):
        def forward(self, x):
            return 2 * x

    return mlp(end=[Softmax(dim=1)]), nn.CrossEntropyLoss(), (rows(), labels())


@healthy
def z_loss_beside_cross_entropy():
    def criterion(z, y):
        return F.cross_entropy(z, y) + 1e-4 * (torch.logsumexp(z, -1) ** 2).mean()

    return mlp(), criterion, (rows(), labels())


@healthy
def logits_of_a_teacher_matched():
    return mlp(), nn.MSELoss(), (rows(), 5 * torch.randn(32, 3))


@healthy
def rare_labels_with_a_positive_weight():
    return mlp(k=4), nn.BCEWithLogitsLoss(pos_weight=torch.full((4,), 3.0)), (rows(), (torch.rand(32, 4) > 0.6).float())


@healthy
def an_average_of_three_softmaxes():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.all = nn.ModuleList([mlp() for _ in range(3)])

        def forward(self, x):
            return torch.stack([f(x).softmax(1) for f in self.all]).mean(0).log()

    return Net(), nn.NLLLoss(), (rows(), labels())


@healthy
def the_mean_of_a_distribution_over_ages():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=10)

        def forward(self, x):
            return (self.f(x).softmax(1) * torch.arange(10.0)).sum(1)

    return Net(), nn.L1Loss(), (rows(), torch.rand(32) * 9)


@healthy
def a_distribution_of_probabilities():
    return Ending(softmax), lambda p, y: -Categorical(probs=p).log_prob(y).mean(), (rows(), labels())


@healthy
def shares_of_positive_scores():
    def criterion(p, y):
        return -torch.log(p.clamp(1e-7, 1 - 1e-7)).gather(1, y[:, None]).mean()

    return Ending(lambda z: shares(F.softplus(z))), criterion, (rows(), labels())


@healthy
def plain_classifier():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels())


@healthy
def squared_error_on_linear_outputs_for_classes():
    return mlp(k=4), nn.MSELoss(), (rows(), F.one_hot(labels(k=4), 4).float())


@healthy
def log_softmax_with_nll():
    return mlp(end=[nn.LogSoftmax(dim=1)]), nn.NLLLoss(), (rows(), labels())


@healthy
def bce_on_soft_targets():
    return mlp(k=2, end=[nn.Sigmoid()]), nn.BCELoss(), (rows(), torch.rand(32, 2))


@healthy
def several_labels():
    y = (torch.rand(32, 6) > 0.5).float()
    return mlp(k=6), nn.BCEWithLogitsLoss(), (rows(), y)


@healthy
def smoothed_labels():
    return mlp(k=5), nn.CrossEntropyLoss(label_smoothing=0.1), (rows(), labels(k=5))


@healthy
def smoothing_by_hand():
    def criterion(z, y):
        logp = F.log_softmax(z, dim=-1)
        return (0.9 * -logp.gather(1, y[:, None]).squeeze(1) + 0.1 * -logp.mean(dim=-1)).mean()

    return mlp(k=5), criterion, (rows(), labels(k=5))


@healthy
def distillation():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.student, self.teacher = mlp(k=5), mlp(k=5, hidden=32)

        def forward(self, x):
            with torch.no_grad():
                t = self.teacher(x)
            return self.student(x), t

    def criterion(both, y):
        s, t = both
        soft = F.kl_div(F.log_softmax(s / 2, 1), F.softmax(t / 2, 1), reduction="batchmean") * 4
        return 0.5 * soft + 0.5 * F.cross_entropy(s, y)

    return Pair(), criterion, (rows(), labels(k=5))


@healthy
def distillation_with_detach():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.student, self.teacher = mlp(k=5), mlp(k=5)

        def forward(self, x):
            return self.student(x), self.teacher(x).detach()

    def criterion(both, y):
        s, t = both
        return F.kl_div(s.log_softmax(1), t.log_softmax(1), log_target=True, reduction="batchmean")

    return Pair(), criterion, (rows(), labels(k=5))


@healthy
def focal_by_hand():
    def criterion(z, y):
        ce = F.cross_entropy(z, y, reduction="none")
        return ((1 - torch.exp(-ce)) ** 2 * ce).mean()

    return mlp(), criterion, (rows(), labels())


@healthy
def binary_focal_on_probabilities():
    def criterion(p, y):
        pt = p * y + (1 - p) * (1 - y)
        return (-((1 - pt) ** 2) * torch.log(pt)).mean()

    return mlp(k=1, end=[nn.Sigmoid()]), criterion, (rows(), yes_no()[:, None])


@healthy
def hinge_on_signed_labels():
    return mlp(k=1), lambda s, y: torch.relu(1 - y * s).mean(), (rows(), (yes_no() * 2 - 1)[:, None])


@healthy
def logistic_on_signed_labels():
    return mlp(k=1), lambda s, y: F.softplus(-y * s.squeeze(1)).mean(), (rows(), yes_no() * 2 - 1)


@healthy
def weights_for_rare_classes():
    return mlp(), nn.CrossEntropyLoss(weight=torch.tensor([0.2, 1.0, 3.0])), (rows(), labels())


@healthy
def mixture_of_softmaxes():
    class Mix(nn.Module):
        def __init__(self):
            super().__init__()
            self.pi, self.parts = nn.Linear(8, 2), nn.ModuleList([nn.Linear(8, 5) for _ in range(2)])

        def forward(self, x):
            w = self.pi(x).softmax(1)
            return sum(w[:, i : i + 1] * part(x).softmax(1) for i, part in enumerate(self.parts)).log()

    return Mix(), nn.NLLLoss(), (rows(), labels(k=5))
