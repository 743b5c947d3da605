"""The measured gain is that of the formulas, however the cost is written and reduced."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import xent
from xent.doctor import diagnose, evidence
from xent.doctor.observe import observe
from xent.doctor.pairing import measured


def pairing(model, criterion, x, y):
    """The one pairing of a case."""
    (found,) = evidence.gather(observe(model, criterion, (x, y), None)).pairings
    return found


class Given(nn.Module):
    """Logits that are parameters: the numbers are known."""

    def __init__(self, z, squash):
        super().__init__()
        self.z, self.squash = nn.Parameter(z), squash

    def forward(self, x):
        return self.squash(self.z * x)


REDUCED = {
    "mean": lambda a, y: F.mse_loss(a, y),
    "sum": lambda a, y: F.mse_loss(a, y, reduction="sum"),
    "none": lambda a, y: F.mse_loss(a, y, reduction="none").mean(),
    "accumulated": lambda a, y: F.mse_loss(a, y) / 8,
    "half": lambda a, y: 0.5 * ((a - y) ** 2).sum(),
    "by hand": lambda a, y: (y - a).square().mean(),
}


@pytest.mark.parametrize("reduction", REDUCED)
def test_the_gain_of_a_squared_error_on_a_sigmoid_is_its_slope(reduction):
    z = torch.linspace(-6, 6, 24, dtype=torch.float64)
    y = (torch.arange(24) % 2).double()
    p = pairing(Given(z, torch.sigmoid), REDUCED[reduction], torch.ones(()).double(), y)
    assert p.name == "quadratic@sigmoid"
    torch.testing.assert_close(p.gain, torch.sigmoid(z) * (1 - torch.sigmoid(z)), rtol=1e-9, atol=0)
    torch.testing.assert_close(p.stalled, xent.output("quadratic@sigmoid").stalled(z, y))


@pytest.mark.parametrize(
    ("cost", "squash"),
    [
        (lambda z, y: F.cross_entropy(z, y), nn.Identity()),
        (lambda z, y: F.cross_entropy(z, y, reduction="sum") / 7, nn.Identity()),
        (lambda z, y: F.nll_loss(z, y), nn.LogSoftmax(dim=1)),
        (lambda p, y: -torch.log(p)[range(len(y)), y].sum(), nn.Softmax(dim=1)),
        (lambda z, y: (torch.logsumexp(z, 1) - z.gather(1, y[:, None])[:, 0]).mean(), nn.Identity()),
    ],
)
def test_the_gain_of_cross_entropy_is_one(cost, squash):
    torch.manual_seed(0)
    z, y = 4 * torch.randn(20, 5, dtype=torch.float64), torch.arange(20) % 5
    p = pairing(Given(z, squash), cost, torch.ones(()).double(), y)
    assert p.name == "cross-entropy@softmax"
    torch.testing.assert_close(p.gain, torch.ones(20, dtype=torch.float64), rtol=1e-9, atol=0)
    torch.testing.assert_close(p.delta, p.a - p.y, rtol=1e-7, atol=1e-12)


def test_the_articles_second_start():
    """Error 0.98 arrives with gain 0.0177, 57 times slowed."""
    model = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid())
    with torch.no_grad():
        model[0].weight.fill_(2.0)
        model[0].bias.fill_(2.0)
    diagnosis = diagnose(model, nn.MSELoss(), (torch.ones(1, 1), torch.zeros(1, 1)))
    (finding,) = (f for f in diagnosis.findings if f.rule == "squared-error-on-squashed-output")
    assert finding.evidence["error"] == pytest.approx(0.98201379, rel=1e-6)
    assert finding.evidence["gain"] == pytest.approx(0.01766271, rel=1e-5)
    assert finding.evidence["slowed"] == pytest.approx(56.616, rel=1e-4)
    assert "57 times" not in finding.what()  # three digits are shown
    assert "56.6 times slowed" in finding.what()
    assert diagnosis.picture.stalled == 1


def test_the_gain_of_an_opaque_cost_is_measured():
    """A cost that no operation shows, known by its δ alone."""

    class Hidden(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, y):
            n = z.detach().numpy()
            e = torch.from_numpy(n - n.max(1, keepdims=True)).exp()
            p = e / e.sum(1, keepdim=True)
            ctx.save_for_backward(p, y)
            return torch.tensor(float(-p[range(len(y)), y].log().mean()), dtype=z.dtype)

        @staticmethod
        def backward(ctx, g):
            p, y = ctx.saved_tensors
            return g * (p - F.one_hot(y, p.shape[1])) / len(y), None

    z, y = torch.randn(20, 5, dtype=torch.float64), torch.arange(20) % 5
    p = pairing(Given(z, nn.Identity()), Hidden.apply, torch.ones(()).double(), y)
    assert p.name == "cross-entropy@softmax"
    torch.testing.assert_close(p.gain, torch.ones(20, dtype=torch.float64), rtol=1e-9, atol=0)


def test_xents_own_costs_are_followed():
    output = xent.output("cross-entropy@softmax")
    diagnosis = diagnose(nn.Linear(4, 3), lambda z, y: output.value(z, y).mean(), (torch.randn(32, 4), torch.arange(32) % 3))
    assert diagnosis.ok, str(diagnosis)
    assert diagnosis.picture.name == "cross-entropy@softmax"


def test_of_a_large_output_rows_are_taken(monkeypatch):
    """As of a language model: a gain of 1 needs the reduction over all rows, not over those that are looked at."""
    monkeypatch.setattr(measured, "MOST", 50)
    z, y = torch.randn(40, 5, dtype=torch.float64), torch.arange(40) % 5
    y[::4] = -100
    p = pairing(Given(z, nn.Identity()), nn.CrossEntropyLoss(), torch.ones(()).double(), y)
    assert len(p.z) <= 10
    torch.testing.assert_close(p.gain, torch.ones(len(p.z), dtype=torch.float64), rtol=1e-9, atol=0)
