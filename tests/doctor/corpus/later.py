"""Cases that the rules once got wrong: costs spelled in yet other ways, targets that are masks, answers that are averaged."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from . import fault, healthy
from .wrong import labels, mlp, rows, yes_no


def several(n=32, k=4):
    return (torch.rand(n, k) < 0.4).float()


class Encoder(nn.Module):
    """A small transformer over token numbers, with positions."""

    def __init__(self, k=4, d=16):
        super().__init__()
        self.words, self.places = nn.Embedding(50, d), nn.Parameter(torch.zeros(12, d))
        layer = nn.TransformerEncoderLayer(d, 2, 32, dropout=0.1, batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(d, k)

    def forward(self, t):
        return self.head(self.body(self.words(t) + self.places[: t.shape[1]]).mean(1))


def sentences(n=16, t=8):
    return torch.randint(1, 50, (n, t))


def masks(n=4):
    return torch.randn(n, 1, 8, 8), (torch.rand(n, 1, 8, 8) < 0.4).float()


def segmenter(k=1, end=()):
    return nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, k, 1), *end)


# ── faults ──


@fault("probabilities-as-logits")
def a_sigmoid_written_with_tanh():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = segmenter()

        def forward(self, x):
            return 0.5 * (1 + torch.tanh(self.net(x) / 2))

    return Net(), F.binary_cross_entropy_with_logits, masks()


@fault("probabilities-as-logits")
def a_softmax_divided_by_a_temperature():
    def criterion(z, y):
        return -(F.log_softmax(z.softmax(1) / 0.5, 1) * F.one_hot(y, 3)).sum(1).mean()

    return mlp(), criterion, (rows(), labels())


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


@fault("untrained-parameters")
def rounded_answers():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return torch.round(torch.sigmoid(self.f(x)))

    return Net(), nn.MSELoss(), (rows(), yes_no()[:, None])


@fault("untrained-parameters")
def a_branch_that_is_forgotten():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(16, 3)

        def forward(self, x):
            a, b = F.relu(self.a(x)), F.relu(self.b(x))  # noqa: F841
            return self.out(torch.cat([a, a], 1))

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("untrained-parameters")
def a_tensor_built_anew():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.out = nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.out(torch.tensor(F.relu(self.a(x)).tolist()))

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("rectified-logits")
def softplus_before_a_sigmoid():
    return mlp(k=4, end=[nn.Softplus()]), nn.BCEWithLogitsLoss(), (rows(), several())


@fault("rectified-logits")
def relu_before_a_sigmoid():
    return mlp(k=1, end=[nn.ReLU(), nn.Sigmoid()]), nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("bounded-logits")
def tanh_before_cross_entropy():
    return mlp(k=5, end=[nn.Tanh()]), nn.CrossEntropyLoss(), (rows(), labels(k=5))


@fault("bounded-logits")
def a_sigmoid_between_minus_two_and_two():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=4)

        def forward(self, x):
            return F.log_softmax(4 * torch.sigmoid(self.f(x)) - 2, dim=-1)

    return Net(), F.nll_loss, (rows(), labels(k=4))


@fault("float-class-indices")
def class_numbers_of_32_bits():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels().int())


@fault("broadcast-target")
def logarithms_of_a_column():
    def criterion(p, y):
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    return mlp(k=1, end=[nn.Sigmoid()]), criterion, (rows(), yes_no())


# ── healthy ──


@healthy
def hazards_with_weights_of_zero():
    def criterion(h, b):
        t, event = b
        places = torch.arange(h.shape[1])
        at = (places == t[:, None]).float()
        return F.binary_cross_entropy(h, at * event[:, None], weight=(places < t[:, None]).float() + at)

    return mlp(k=3, end=[nn.Sigmoid()]), criterion, (rows(), (torch.arange(32) % 3, torch.ones(32)))


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
def the_mean_of_a_distribution_over_ages():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=10)

        def forward(self, x):
            return (self.f(x).softmax(1) * torch.arange(10.0)).sum(1)

    return Net(), nn.L1Loss(), (rows(), torch.rand(32) * 9)


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
def a_bounded_policy_of_wide_range():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=6)

        def forward(self, x):
            return 10 * torch.tanh(self.f(x))

    return Net(), nn.CrossEntropyLoss(), (rows(), labels(k=6))


@healthy
def a_straight_through_estimate():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.out = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x):
            h = torch.sigmoid(self.a(x))
            return self.out(h + (torch.round(h) - h).detach())

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


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
def a_mixture_of_three_gaussians():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.pi, self.mu, self.log_s = nn.Linear(8, 16), nn.Linear(16, 3), nn.Linear(16, 3), nn.Linear(16, 3)

        def forward(self, x):
            h = torch.tanh(self.f(x))
            return F.log_softmax(self.pi(h), 1), self.mu(h), self.log_s(h)

    def criterion(out, y):
        log_pi, mu, log_s = out
        each = -log_s - 0.5 * ((y[:, None] - mu) / log_s.exp()) ** 2 - 0.5 * math.log(2 * math.pi)
        return -torch.logsumexp(log_pi + each, 1).mean()

    return Net(), criterion, (rows(), torch.randn(32))


class TwoHeads(nn.Module):
    """An answer, and something beside it."""

    def __init__(self):
        super().__init__()
        self.body, self.head, self.beside = nn.Linear(8, 16), nn.Linear(16, 3), nn.Linear(16, 2)

    def forward(self, x):
        h = torch.tanh(self.body(x))
        return self.head(h), torch.tanh(self.beside(h))


@healthy
def a_second_answer_for_another_day():
    return TwoHeads(), lambda out, y: F.cross_entropy(out[0], y), (rows(), labels())


@healthy
def a_second_answer_left_by_forward():
    return TwoHeads(), nn.CrossEntropyLoss(), (rows(), labels()), lambda model, batch: (model(batch[0])[0], batch[1])


@healthy
def points_against_all_points():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(8, 30)

        def forward(self, x):
            return self.f(x).view(-1, 10, 3)

    def criterion(a, y):
        apart = ((a[:, :, None] - y[:, None]) ** 2).sum(-1)
        return apart.min(1).values.mean() + apart.min(2).values.mean()

    return Net(), criterion, (rows(12), torch.randn(12, 9, 3))


@healthy
def weights_of_samples_in_each_term():
    def criterion(z, batch):
        y, w = batch
        p = torch.sigmoid(z[:, 0])
        return -(w * y * torch.log(p + 1e-7) + w * (1 - y) * torch.log(1 - p + 1e-7)).mean()

    return mlp(k=1), criterion, (rows(), (yes_no(), 3 * torch.rand(32)))
