"""What is read of xent's own criteria: the same numbers as are measured, by autograd, of PyTorch's costs on the same model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from doctor.corpus.parts import labels, mlp, rows, yes_no
from torch import nn

import xent
from xent.doctor.evidence import gather
from xent.doctor.observe import observe
from xent.torch import Criterion, CrossEntropyLoss, LinearCrossEntropyLoss, cross_entropy, diagnose


def pairing(model, criterion, batch):
    (found,) = gather(observe(model, criterion, batch, None)).pairings
    return found


def alike(ours, theirs):
    assert ours.name == theirs.name
    assert ours.hard == theirs.hard
    for part in ("z", "a", "y", "error", "worst", "delta", "correction", "gain"):
        torch.testing.assert_close(getattr(ours, part), getattr(theirs, part), rtol=2e-4, atol=1e-6)
    assert torch.equal(ours.stalled, theirs.stalled)
    assert torch.equal(ours.label, theirs.label)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"reduction": "sum"}, {"ignore_index": 1}], ids=str)
def test_cross_entropy_is_read_as_pytorchs_is_measured(options):
    torch.manual_seed(0)
    model, batch = mlp(k=4), (rows(), labels(k=4))
    theirs = pairing(model, nn.CrossEntropyLoss(**options), batch)
    alike(pairing(model, CrossEntropyLoss(**options), batch), theirs)
    alike(pairing(model, lambda z, y: cross_entropy(z, y, z_loss=0.01, **options), batch), theirs)
    alike(pairing(model, lambda z, y: xent.cross_entropy(z, y, **options), batch), theirs)


def test_the_last_layer_inside_of_the_cost_is_seen_as_the_layer_that_it_is():
    torch.manual_seed(0)
    body, criterion, batch = mlp(k=6), LinearCrossEntropyLoss(6, 4, bias=True, label_smoothing=0.2), (rows(), labels(k=4))
    whole = nn.Sequential(body, criterion.linear)
    alike(pairing(body, criterion, batch), pairing(whole, nn.CrossEntropyLoss(label_smoothing=0.2), batch))
    (finding,) = diagnose(body, criterion, (batch[0], batch[1] + 1), try_cures=False).findings
    assert finding.rule == "class-index-out-of-range"


def test_a_criterion_inside_vmap_is_read_by_what_it_computes():
    torch.manual_seed(0)
    model, batch = mlp(k=4), (rows(), labels(k=4))
    theirs = pairing(model, nn.CrossEntropyLoss(), batch)
    for cost in (F.cross_entropy, cross_entropy):
        alike(pairing(model, lambda z, y, cost=cost: torch.func.vmap(cost)(z, y).mean(), batch), theirs)


def test_a_criterion_of_several_positions_is_read_as_pytorchs_is_measured():
    torch.manual_seed(0)
    model, batch = nn.Conv1d(4, 3, 3, padding=1), (torch.randn(8, 4, 10), torch.arange(80).reshape(8, 10) % 3)
    alike(pairing(model, Criterion("cross-entropy@softmax"), batch), pairing(model, nn.CrossEntropyLoss(), batch))


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_a_squared_error_on_a_sigmoid_is_read_as_it_is_measured_by_hand(scale):
    torch.manual_seed(0)
    model, batch = mlp(k=1), (scale * rows(), yes_no()[:, None])
    theirs = pairing(model, lambda z, y: F.mse_loss(torch.sigmoid(z), y) / 2, batch)
    alike(pairing(model, Criterion("quadratic@sigmoid"), batch), theirs)


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 0.25, 8.0])], ids=["even", "weighted"])
def test_the_gain_of_a_focal_cost_is_the_slope_of_phi(weight):
    """Φ(ℓ) = (1 − p)²ℓ: φ′ = (1 − p)² + 2(1 − p)pℓ, whatever the weights."""
    torch.manual_seed(0)
    model, (x, y) = mlp(), (3 * rows(), labels())
    found = pairing(model, CrossEntropyLoss(weight, shape="focal(gamma=2)"), (x, y))
    logp = torch.log_softmax(model(x).detach().double(), dim=1)[torch.arange(len(y)), y]
    p = logp.exp()
    assert found.name == "focal(gamma=2)@softmax"
    torch.testing.assert_close(found.gain, (1 - p) ** 2 - 2 * (1 - p) * p * logp)
    alone = diagnose(model, Criterion("focal(gamma=2)@softmax"), (x, y), try_cures=False)
    assert not [u for u in alone.unchecked if u.reason in ("no-site", "no-pairing", "part")]


def test_softcap_and_temperature_are_in_the_answer():
    torch.manual_seed(0)
    model, (x, y) = mlp(), (30 * rows(), labels())
    found = pairing(model, lambda z, y: cross_entropy(z, y, softcap=5.0, temperature=0.5), (x, y))
    final = 5 * torch.tanh(model(x).detach().double() / 5) / 0.5
    torch.testing.assert_close(found.a, torch.softmax(final, dim=1))
    torch.testing.assert_close(found.gain, torch.ones(len(y), dtype=torch.float64))


def test_classes_that_do_not_exist_are_left_out():
    torch.manual_seed(0)
    model, (x, y) = mlp(k=5), (rows(), labels())
    found = pairing(model, lambda z, y: cross_entropy(z, y, valid_classes=3, label_smoothing=0.3), (x, y))
    torch.testing.assert_close(found.y, 0.7 * F.one_hot(y, 3).double() + 0.1)
    torch.testing.assert_close(found.a, torch.softmax(model(x).detach().double()[:, :3], dim=1))


def test_a_refusal_of_ours_is_explained_by_a_rule_or_told_in_its_own_words():
    several = (rows(), (torch.arange(96).reshape(32, 3) % 2).float())
    (finding,) = diagnose(mlp(), CrossEntropyLoss(), several, try_cures=False).findings
    assert finding.rule == "softmax-for-independent-labels"
    with pytest.raises(xent.errors.ModelError, match="sum to 1"):
        diagnose(mlp(), CrossEntropyLoss(), (rows(), torch.full((32, 3), 0.4)), rules=["large-logits"])


def test_the_cure_of_doubled_probabilities_is_tried_and_helps():
    torch.manual_seed(0)
    x = rows(64)
    model = mlp(end=[nn.Softmax(dim=1)])
    batch, rules = (x, x[:, :3].argmax(dim=1)), ["probabilities-as-logits"]
    (finding,) = diagnose(model, Criterion("cross-entropy@softmax"), batch, rules=rules, seconds=600).findings
    assert finding.tried.verdict == "better"
    assert "xent.torch.Criterion has its own" in finding.cure
