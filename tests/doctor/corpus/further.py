"""Cases written after the rules: other spellings of the same faults, other ways of being right."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from . import fault, healthy
from .wrong import labels, mlp, rows, yes_no

# ── faults ──


@fault("probabilities-as-logits")
def softmax_returned_beside_other_things():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=4)

        def forward(self, x):
            z = self.f(x)
            return {"probs": F.softmax(z, 1), "hidden": z.detach()}

    return Net(), lambda out, y: F.cross_entropy(out["probs"], y), (rows(), labels(k=4))


@fault("probabilities-as-logits")
def softmax_with_cross_entropy_by_hand():
    def criterion(p, y):
        return -F.log_softmax(p, dim=1).gather(1, y.view(-1, 1)).mean()

    return mlp(end=[nn.Softmax(1)]), criterion, (rows(), labels())


@fault("probabilities-as-logits")
def tagger_with_softmax_and_padding():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.out = (
                nn.Embedding(30, 8),
                nn.LSTM(8, 8, batch_first=True, bidirectional=True),
                nn.Linear(16, 5),
            )

        def forward(self, t):
            h, _ = self.rnn(self.emb(t))
            return torch.softmax(self.out(h), -1)

    def criterion(p, y):
        return F.cross_entropy(p.permute(0, 2, 1), y, ignore_index=-1)

    y = torch.randint(5, (4, 6))
    y[:, 4:] = -1
    return Tagger(), criterion, (torch.randint(30, (4, 6)), y)


@fault("probabilities-as-logits")
def own_cost_inside_of_the_model():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.sm, self.ce = mlp(), nn.Softmax(dim=-1), nn.CrossEntropyLoss()

        def forward(self, x, y):
            p = self.sm(self.f(x))
            return self.ce(p, y), p

    return Own(), None, (rows(), labels())


@fault("probabilities-as-logits")
def in_place_sigmoid():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return self.f(x).sigmoid_()

    return Net(), F.binary_cross_entropy_with_logits, (rows(), yes_no()[:, None])


@fault("logits-as-probabilities")
def nll_after_a_plain_conv():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return net, lambda z, y: F.nll_loss(z, y), (torch.randn(16, 1, 6, 6), labels(16))


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


@fault("class-index-out-of-range")
def one_hot_of_too_many():
    def criterion(z, y):
        return -(F.one_hot(y, 3) * F.log_softmax(z, 1)).sum(1).mean()

    return mlp(k=3), criterion, (rows(), labels(k=3) + 1)


@fault("class-index-out-of-range")
def gather_beyond_the_end():
    return mlp(k=3), lambda z, y: -F.log_softmax(z, 1).gather(1, y[:, None]).mean(), (rows(), labels(k=5))


@fault("class-axis")
def soft_targets_on_the_last_axis():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.out = nn.Embedding(20, 8), nn.Linear(8, 5)

        def forward(self, t):
            return self.out(self.emb(t))

    y = F.one_hot(torch.randint(5, (6, 5)), 5).float()
    return Tagger(), nn.CrossEntropyLoss(), (torch.randint(20, (6, 5)), y)


@fault("class-axis")
def transposed_logits():
    return mlp(k=4), lambda z, y: F.cross_entropy(z.T, y), (rows(), labels(k=4))


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


@fault("untrained-parameters")
def prediction_through_data():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.b(torch.relu(self.a(x).data))

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("untrained-parameters")
def a_layer_that_is_never_called():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.c(torch.relu(self.a(x)))

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("rectified-logits")
def functional_relu_on_the_logit():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 1)

        def forward(self, x):
            return F.relu(self.b(F.relu(self.a(x))))[:, 0]

    return Net(), nn.BCEWithLogitsLoss(), (rows(), yes_no())


@fault("signed-labels")
def minus_one_and_one_by_hand():
    def criterion(z, y):
        p = torch.sigmoid(z).squeeze(1)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    return mlp(k=1), criterion, (rows(), yes_no() * 2 - 1)


@fault("zero-class-weight")
def positive_weight_of_zero():
    return mlp(k=1), nn.BCEWithLogitsLoss(pos_weight=torch.tensor([0.0])), (rows(), yes_no()[:, None])


@fault("sigmoid-for-exclusive-classes")
def sigmoid_module_with_one_hot():
    return mlp(k=4, end=[nn.Sigmoid()]), nn.BCELoss(), (rows(), F.one_hot(labels(k=4), 4).float())


@fault("non-finite")
def a_weight_gone_to_infinity():
    net = mlp()
    with torch.no_grad():
        net[2].weight[0, 0] = float("inf")
    return net, nn.CrossEntropyLoss(), (rows(), labels())


@fault("probabilities-as-logits")
def softmax_then_dropout():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp()

        def forward(self, x):
            return F.dropout(F.softmax(self.f(x), 1), 0.1)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("probabilities-as-logits")
def yes_and_no_side_by_side():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            p = torch.sigmoid(self.f(x))
            return torch.cat([1 - p, p], dim=1)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels(k=2))


@fault("probabilities-as-logits")
def probabilities_averaged_over_time():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(8, 3)

        def forward(self, x):
            return self.f(x).softmax(-1).mean(dim=1)

    return Net(), nn.CrossEntropyLoss(), (torch.randn(32, 5, 8), labels())


@fault("squared-error-on-squashed-output")
def hard_sigmoid_for_classes():
    return mlp(k=1, end=[nn.Hardsigmoid()]), nn.MSELoss(), (rows(), yes_no()[:, None])


@fault("untrained-parameters")
def a_detour_through_numpy():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp()

        def forward(self, x):
            return torch.from_numpy(self.f(x).detach().numpy())

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("float-class-indices")
def one_hot_targets_left_as_integers():
    return mlp(), nn.CrossEntropyLoss(), (rows(), F.one_hot(labels(), 3))


@fault("float-class-indices")
def class_numbers_as_a_column():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels()[:, None])


@fault("squared-error-on-squashed-output")
def softsign_for_classes():
    return mlp(k=1, end=[nn.Softsign()]), nn.MSELoss(), (rows(), (yes_no() * 2 - 1)[:, None])


@fault("class-axis")
def channels_last_segmentation():
    class Seg(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Conv2d(1, 4, 1)

        def forward(self, x):
            return self.net(x).permute(0, 2, 3, 1)

    return Seg(), nn.CrossEntropyLoss(), (torch.randn(2, 1, 5, 5), torch.randint(4, (2, 5, 5)))


# ── healthy ──


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
def two_heads():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.kind, self.size = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(16, 1)

        def forward(self, x):
            h = F.gelu(self.body(x))
            return self.kind(h), self.size(h).squeeze(-1)

    def criterion(out, y):
        kind, size = out
        return F.cross_entropy(kind, y[0]) + 0.3 * F.huber_loss(size, y[1])

    return Net(), criterion, (rows(), (labels(k=4), torch.randn(32)))


@healthy
def quantile_regression():
    q = torch.tensor([0.1, 0.5, 0.9])

    def criterion(a, y):
        e = y[:, None] - a
        return torch.maximum(q * e, (q - 1) * e).mean()

    return mlp(k=3), criterion, (rows(), torch.randn(32))


@healthy
def ordinal_thresholds():
    y = torch.arange(32) % 5
    levels = (y[:, None] > torch.arange(4)).float()
    return mlp(k=4), nn.BCEWithLogitsLoss(), (rows(), levels)


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
def pointer_over_positions():
    class Span(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.qa = nn.Embedding(20, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 2)

        def forward(self, t):
            a, b = self.qa(self.rnn(self.emb(t))[0]).split(1, dim=-1)
            return a.squeeze(-1), b.squeeze(-1)

    def criterion(out, y):
        return (F.cross_entropy(out[0], y[:, 0]) + F.cross_entropy(out[1], y[:, 1])) / 2

    return Span(), criterion, (torch.randint(20, (6, 9)), torch.randint(9, (6, 2)))


@healthy
def masked_mean_by_hand():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.out = nn.Embedding(20, 8), nn.Linear(8, 5)

        def forward(self, t):
            return self.out(self.emb(t))

    def criterion(z, y):
        mask = (y >= 0).float()
        ce = F.cross_entropy(z.flatten(0, 1), y.clamp(min=0).flatten(), reduction="none").view_as(mask)
        return (ce * mask).sum() / mask.sum()

    y = torch.randint(5, (6, 7))
    y[:, 5:] = -1
    return Tagger(), criterion, (torch.randint(20, (6, 7)), y)


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
def experts():
    class Moe(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.experts = nn.Linear(8, 6), nn.ModuleList([nn.Linear(8, 3) for _ in range(6)])

        def forward(self, x):
            w = self.gate(x).softmax(-1)
            top, which = w.topk(1, dim=-1)
            out = torch.zeros(len(x), 3)
            for i, expert in enumerate(self.experts):
                mine = which[:, 0] == i
                if mine.any():
                    out = out.index_add(0, mine.nonzero()[:, 0], expert(x[mine]) * top[mine])
            return out

    return Moe(), nn.CrossEntropyLoss(), (rows(8), labels(8))


@healthy
def low_rank_adapter():
    class Lora(nn.Module):
        def __init__(self):
            super().__init__()
            self.base = nn.Linear(8, 3).requires_grad_(False)
            self.a, self.b = nn.Parameter(torch.randn(8, 2) * 0.1), nn.Parameter(torch.zeros(2, 3))

        def forward(self, x):
            return self.base(x) + x @ self.a @ self.b

    return Lora(), nn.CrossEntropyLoss(), (rows(), labels())


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
def ranking_pairs():
    class Rank(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, a, b):
            return self.f(a).squeeze(1), self.f(b).squeeze(1)

    return Rank(), lambda o, y: F.margin_ranking_loss(o[0], o[1], y, margin=0.1), ((rows(), rows()), yes_no() * 2 - 1)


@healthy
def ctc():
    class Speech(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.LSTM(6, 8), nn.Linear(8, 5)

        def forward(self, x):
            return self.out(self.rnn(x)[0]).log_softmax(2)

    def criterion(p, y):
        return F.ctc_loss(p, y, torch.full((3,), 12), torch.full((3,), 4))

    return Speech(), criterion, (torch.randn(12, 3, 6), torch.randint(1, 5, (3, 4)))


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
def denoising_with_noise_as_target():
    class Diffusion(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(d=8, k=8)

        def forward(self, x):
            noise = torch.randn_like(x)
            return self.f(0.8 * x + 0.6 * noise), noise

    return Diffusion(), lambda out, _: F.mse_loss(*out), (rows(), torch.zeros(32))


@healthy
def bounded_control():
    class Actor(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=2)

        def forward(self, x):
            return torch.tanh(self.f(x))

    return Actor(), nn.MSELoss(), (rows(), torch.rand(32, 2) * 1.6 - 0.8)


@healthy
def depth_in_a_range():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())
    return net, lambda a, y: F.l1_loss(a * 10, y), (torch.randn(2, 1, 6, 6), torch.rand(2, 1, 6, 6) * 10)


@healthy
def a_scripted_model():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(mlp()), nn.CrossEntropyLoss(), (rows(), labels())


@healthy
def dense_focal_detector():
    def criterion(z, y):
        p = z.sigmoid()
        cost = -(y * (1 - p) ** 2 * F.logsigmoid(z) + (1 - y) * p**2 * F.logsigmoid(-z))
        return cost.sum() / y.sum().clamp(min=1)

    return nn.Conv2d(3, 4, 1), criterion, (torch.randn(2, 3, 5, 5), (torch.rand(2, 4, 5, 5) > 0.8).float())


@healthy
def boxes_objects_and_classes():
    def criterion(z, y):
        box, there, kind = y
        return (
            F.mse_loss(z[:, :2].sigmoid(), box)
            + F.binary_cross_entropy_with_logits(z[:, 2], there)
            + F.cross_entropy(z[:, 3:], kind)
        )

    return mlp(k=6), criterion, (rows(), (torch.rand(32, 2), yes_no(), labels()))


@healthy
def clipped_policy():
    def criterion(z, y):
        action, before, advantage = y
        ratio = (z.log_softmax(1).gather(1, action[:, None]).squeeze(1) - before).exp()
        return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()

    return mlp(k=4), criterion, (rows(), (labels(k=4), torch.full((32,), -1.4), torch.randn(32)))


@healthy
def values_of_the_actions_taken():
    def criterion(q, y):
        return F.smooth_l1_loss(q.gather(1, y[0][:, None]).squeeze(1), y[1])

    return mlp(k=4), criterion, (rows(), (labels(k=4), torch.randn(32)))


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
def codebook_with_a_straight_through():
    class Vq(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc, self.dec, self.codes = nn.Linear(8, 4), nn.Linear(4, 8), nn.Embedding(6, 4)

        def forward(self, x):
            z = self.enc(x)
            q = self.codes.weight[torch.cdist(z, self.codes.weight).argmin(1)]
            return self.dec(z + (q - z).detach()), z, q

    def criterion(out, x):
        again, z, q = out
        return F.mse_loss(again, x) + F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())

    x = rows()
    return Vq(), criterion, (x, x)


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
def mixture_of_gaussians():
    class Mdn(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=6)

        def forward(self, x):
            return self.f(x).chunk(3, dim=1)

    def criterion(out, y):
        weight, mean, log_s = out
        return -torch.logsumexp(weight.log_softmax(1) - log_s - 0.5 * ((y[:, None] - mean) / log_s.exp()) ** 2, 1).mean()

    return Mdn(), criterion, (rows(), torch.randn(32))


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
def pixels_scaled_by_a_sigmoid():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(8, 8)

        def forward(self, x):
            return 255 * torch.sigmoid(self.f(x))

    return Net(), nn.MSELoss(), (rows(), torch.rand(32, 8) * 255)


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
