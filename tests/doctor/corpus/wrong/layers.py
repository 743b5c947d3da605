"""Parameters out of reach, units that no longer move, gradients that fade or grow."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import labels, mlp, rows, yes_no


@fault("untrained-parameters")
def detached_features():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Linear(16, 3)

        def forward(self, x):
            return self.head(self.body(x).detach())

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("untrained-parameters")
def layers_in_a_plain_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = [nn.Linear(8, 8) for _ in range(2)]
            self.out = nn.Linear(8, 3)

        def forward(self, x):
            for layer in self.hidden:
                x = torch.relu(layer(x))
            return self.out(x)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("untrained-parameters")
def cost_of_the_decisions():
    return mlp(k=1), lambda z, y: ((z > 0).float() - y).pow(2).mean().requires_grad_(), (rows(), yes_no()[:, None])


@fault("saturated-units")
def tanh_far_out():
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    with torch.no_grad():
        net[0].weight.mul_(40)
    return net, nn.CrossEntropyLoss(), (rows(), labels())


@fault("dead-units")
def a_relu_that_is_off():
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    with torch.no_grad():
        net[0].bias.fill_(-20)
    return net, nn.CrossEntropyLoss(), (rows(), labels())


@fault("vanishing-gradient")
def twelve_sigmoids():
    layers = [m for _ in range(12) for m in (nn.Linear(16, 16), nn.Sigmoid())]
    return nn.Sequential(nn.Linear(8, 16), *layers, nn.Linear(16, 3)), nn.CrossEntropyLoss(), (rows(), labels())


@fault("exploding-gradient")
def a_recurrence_that_grows():
    class Rnn(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp, self.rec, self.out = nn.Linear(4, 12), nn.Linear(12, 12), nn.Linear(12, 1)
            with torch.no_grad():
                self.rec.weight.copy_(2.5 * torch.eye(12))

        def forward(self, x):
            h = torch.zeros(len(x), 12)
            for t in range(x.shape[1]):
                h = self.rec(h) + self.inp(x[:, t])
            return self.out(h)

    return Rnn(), nn.MSELoss(), (torch.randn(8, 12, 4), torch.randn(8, 1))


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


@fault("untrained-parameters")
def a_detour_through_numpy():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp()

        def forward(self, x):
            return torch.from_numpy(self.f(x).detach().numpy())

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


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


@fault("dead-units")
def a_clamp_that_is_off():
    class Off(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 3)
            nn.init.constant_(self.a.bias, -30.0)

        def forward(self, x):
            return self.b(self.a(x).clamp(min=0))

    return Off(), nn.CrossEntropyLoss(), (rows(), labels())
