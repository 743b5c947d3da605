"""Unusual networks under usual costs: gates, heads, experts, frozen and scripted parts."""

from __future__ import annotations

import math
import warnings

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import healthy
from ..parts import labels, mlp, rows


class TwoHeads(nn.Module):
    """An answer, and something beside it."""

    def __init__(self):
        super().__init__()
        self.body, self.head, self.beside = nn.Linear(8, 16), nn.Linear(16, 3), nn.Linear(16, 2)

    def forward(self, x):
        h = torch.tanh(self.body(x))
        return self.head(h), torch.tanh(self.beside(h))


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
def a_scripted_model():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(mlp()), nn.CrossEntropyLoss(), (rows(), labels())


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
def a_second_answer_for_another_day():
    return TwoHeads(), lambda out, y: F.cross_entropy(out[0], y), (rows(), labels())


@healthy
def a_second_answer_left_by_forward():
    return TwoHeads(), nn.CrossEntropyLoss(), (rows(), labels()), lambda model, batch: (model(batch[0])[0], batch[1])


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
