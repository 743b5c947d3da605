"""Right costs of grids and sequences: segmentation, boxes, taggers, language."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import healthy
from ..parts import labels, mlp, rows, yes_no


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
