"""Right costs of numbers: regression, densities, ranges, pictures, policies."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import healthy
from ..parts import labels, mlp, rows


@healthy
def quantile_regression():
    q = torch.tensor([0.1, 0.5, 0.9])

    def criterion(a, y):
        e = y[:, None] - a
        return torch.maximum(q * e, (q - 1) * e).mean()

    return mlp(k=3), criterion, (rows(), torch.randn(32))


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
def pixels_scaled_by_a_sigmoid():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(8, 8)

        def forward(self, x):
            return 255 * torch.sigmoid(self.f(x))

    return Net(), nn.MSELoss(), (rows(), torch.rand(32, 8) * 255)


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
def quantiles_against_all_quantiles():
    def cost(model, batch):
        x, y = batch
        u = y[:, None, :] - model(x)[:, :, None]
        return ((torch.linspace(0.1, 0.9, 5)[None, :, None] - (u.detach() < 0).float()).abs() * u**2).mean()

    return mlp(k=5), None, (rows(), torch.randn(32, 5)), cost


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
def regression_to_a_rating():
    class Rating(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return 1 + 4 * torch.sigmoid(self.f(x)).squeeze(-1)

    return Rating(), nn.MSELoss(), (rows(), 1 + 4 * torch.rand(32))


@healthy
def policy_gradient():
    def criterion(z, y):
        actions, advantage = y
        return -(torch.distributions.Categorical(logits=z).log_prob(actions) * advantage).mean()

    return mlp(k=4), criterion, (rows(), (labels(k=4), torch.randn(32)))


@healthy
def squared_error_between_two_answers():
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=4)

        def forward(self, a, b):
            return torch.sigmoid(self.f(a)), torch.sigmoid(self.f(b))

    return Siamese(), lambda out, _: F.mse_loss(out[0], out[1]), ((rows(), rows()), torch.zeros(32))
