"""What the cases are made of: inputs, targets, small networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def rows(n=32, d=8):
    return torch.randn(n, d)


def mlp(d=8, k=3, hidden=16, end=()):
    return nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, k), *end)


def labels(n=32, k=3):
    return torch.arange(n) % k


def yes_no(n=32):
    return (torch.arange(n) % 2).float()


def several(n=32, k=4):
    return (torch.rand(n, k) < 0.4).float()


class Tagger(nn.Module):
    """Five classes for each of twenty tokens, classes last."""

    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(20, 8), nn.Linear(8, 5)

    def forward(self, tokens):
        return self.out(self.emb(tokens))


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


class Ending(nn.Module):
    """A small network with something by hand at its end."""

    def __init__(self, end, k=3):
        super().__init__()
        self.body, self.end = mlp(k=k), end

    def forward(self, x):
        return self.end(self.body(x))


def softmax(z):
    return z.softmax(1)


def hot(y, k=3):
    return F.one_hot(y, k).float()
