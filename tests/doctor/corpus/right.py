"""Healthy models: unusual, but right."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from . import healthy
from .wrong import labels, mlp, rows, yes_no


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
def bce_on_soft_targets():
    return mlp(k=2, end=[nn.Sigmoid()]), nn.BCELoss(), (rows(), torch.rand(32, 2))


@healthy
def several_labels():
    y = (torch.rand(32, 6) > 0.5).float()
    return mlp(k=6), nn.BCEWithLogitsLoss(), (rows(), y)


@healthy
def attention_inside():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            w = torch.softmax(self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(8), dim=-1)
            return self.head(self.out(w @ self.v(x)).mean(1))

    return Block(), nn.CrossEntropyLoss(), (torch.randn(16, 5, 8), labels(16))


@healthy
def sigmoid_gates():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.g, self.out = nn.Linear(8, 16), nn.Linear(8, 16), nn.Linear(16, 1)

        def forward(self, x):
            return self.out(torch.tanh(self.a(x)) * torch.sigmoid(self.g(x)))

    return Gated(), nn.MSELoss(), (rows(), torch.randn(32, 1))


@healthy
def gate_at_the_very_end():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.g = nn.Linear(8, 2), nn.Linear(8, 2)

        def forward(self, x):
            return self.a(x) * torch.sigmoid(self.g(x))

    return Gated(), nn.SmoothL1Loss(), (rows(), torch.randn(32, 2))


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
def poisson_counts():
    return mlp(k=1), nn.PoissonNLLLoss(), (rows(), torch.poisson(torch.full((32, 1), 3.0)))


@healthy
def huber_on_softplus():
    return mlp(k=1, end=[nn.Softplus()]), nn.HuberLoss(), (rows(), torch.rand(32, 1) * 5)


@healthy
def autoencoder_into_the_unit_interval():
    x = torch.rand(32, 12)
    net = nn.Sequential(nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 12), nn.Sigmoid())
    return net, nn.MSELoss(), (x, x)


@healthy
def autoencoder_of_images_with_tanh():
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Tanh()
    )  # fmt: skip
    return net, F.l1_loss, (x, x.clone())


@healthy
def variational_autoencoder():
    class Vae(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc, self.mu, self.logvar, self.dec = nn.Linear(12, 8), nn.Linear(8, 2), nn.Linear(8, 2), nn.Linear(2, 12)

        def forward(self, x):
            h = torch.relu(self.enc(x))
            mu, logvar = self.mu(h), self.logvar(h)
            z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
            return torch.sigmoid(self.dec(z)), mu, logvar

    def criterion(out, x):
        recon, mu, logvar = out
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return F.binary_cross_entropy(recon, x, reduction="sum") + kl

    x = torch.rand(16, 12)
    return Vae(), criterion, (x, x)


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


@healthy
def segmentation():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    return net, nn.CrossEntropyLoss(), (torch.randn(2, 3, 6, 6), torch.randint(4, (2, 6, 6)))


@healthy
def segmentation_flattened_rightly():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 1))

    def criterion(z, y):
        return F.cross_entropy(z.permute(0, 2, 3, 1).reshape(-1, 4), y.reshape(-1))

    return net, criterion, (torch.randn(2, 3, 6, 6), torch.randint(4, (2, 6, 6)))


@healthy
def dice_on_sigmoid():
    def criterion(z, y):
        p = z.sigmoid()
        return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)

    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    return net, criterion, (torch.randn(2, 1, 6, 6), (torch.rand(2, 1, 6, 6) > 0.5).float())


@healthy
def keypoint_heatmaps():
    class Pose(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))

        def forward(self, x):
            return self.net(x).flatten(2).flatten(0, 1)

    return Pose(), nn.CrossEntropyLoss(), (torch.randn(4, 1, 5, 5), torch.randint(25, (12,))), None


@healthy
def tagger_transposed():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.out = nn.Embedding(20, 8), nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 5)

        def forward(self, tokens):
            h, _ = self.rnn(self.emb(tokens))
            return self.out(h).transpose(1, 2)

    y = torch.randint(5, (6, 7))
    y[:, 5:] = -100
    return Tagger(), nn.CrossEntropyLoss(), (torch.randint(20, (6, 7)), y)


@healthy
def language_model_shifted():
    class Lm(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(11, 16)
            layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.1)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(16, 11, bias=False)
            self.head.weight = self.emb.weight
            nn.init.normal_(self.emb.weight, std=0.02)

        def forward(self, tokens):
            mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
            return self.head(self.body(self.emb(tokens), mask=mask, is_causal=True))

    def criterion(z, y):
        return F.cross_entropy(z[:, :-1].reshape(-1, 11), y[:, 1:].reshape(-1))

    t = torch.randint(11, (4, 9))
    return Lm(), criterion, (t, t)


@healthy
def model_with_its_own_cost():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp()

        def forward(self, x, y=None):
            z = self.f(x)
            return {"loss": F.cross_entropy(z, y), "logits": z}

    return Own(), None, {"x": rows(), "y": labels()}


@healthy
def gaussian_with_its_variance():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=2)

        def forward(self, x):
            mean, raw = self.f(x).chunk(2, dim=1)
            return mean, F.softplus(raw) + 1e-3

    def criterion(out, y):
        mean, var = out
        return (0.5 * (torch.log(var) + (y - mean) ** 2 / var)).mean()

    return Net(), criterion, (rows(), torch.randn(32, 1))


@healthy
def hinge_on_signed_labels():
    return mlp(k=1), lambda s, y: torch.relu(1 - y * s).mean(), (rows(), (yes_no() * 2 - 1)[:, None])


@healthy
def logistic_on_signed_labels():
    return mlp(k=1), lambda s, y: F.softplus(-y * s.squeeze(1)).mean(), (rows(), yes_no() * 2 - 1)


@healthy
def regression_to_a_rating():
    class Rating(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return 1 + 4 * torch.sigmoid(self.f(x)).squeeze(-1)

    return Rating(), nn.MSELoss(), (rows(), 1 + 4 * torch.rand(32))


@healthy
def residual_with_zero_last():
    class Res(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp, self.out = nn.Linear(8, 16), nn.Linear(16, 3)
            self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16)) for _ in range(4)])
            for b in self.blocks:
                nn.init.zeros_(b[2].weight)
            nn.init.zeros_(self.out.weight)

        def forward(self, x):
            h = self.inp(x)
            for b in self.blocks:
                h = h + b(h)
            return self.out(h)

    return Res(), nn.CrossEntropyLoss(), (rows(), labels())


@healthy
def frozen_backbone():
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    net[0].requires_grad_(False)
    return net, nn.CrossEntropyLoss(), (rows(), labels())


@healthy
def weights_for_rare_classes():
    return mlp(), nn.CrossEntropyLoss(weight=torch.tensor([0.2, 1.0, 3.0])), (rows(), labels())


@healthy
def policy_gradient():
    def criterion(z, y):
        actions, advantage = y
        return -(torch.distributions.Categorical(logits=z).log_prob(actions) * advantage).mean()

    return mlp(k=4), criterion, (rows(), (labels(k=4), torch.randn(32)))


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


@healthy
def squared_error_between_two_answers():
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=4)

        def forward(self, a, b):
            return torch.sigmoid(self.f(a)), torch.sigmoid(self.f(b))

    return Siamese(), lambda out, _: F.mse_loss(out[0], out[1]), ((rows(), rows()), torch.zeros(32))
