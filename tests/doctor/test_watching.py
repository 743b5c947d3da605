"""Watching a loop: findings come up, micro-batches are weighed, stalls are seen, and the loop is left as it was."""

from __future__ import annotations

import gc

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import xent.torch
from xent.doctor import watching
from xent.doctor.trace import Step, Value
from xent.errors import InputError
from xent.torch import watch


def loop(model, criterion, batches, *, rate=0.1, micro=1, seen=None):
    """A plain training loop: a step after every `micro` batches."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for i, (x, y) in enumerate(batches, start=1):
        criterion(model(x), y).backward()
        if i % micro == 0:
            optimizer.step()
            optimizer.zero_grad()


def batches(sizes, k=3):
    torch.manual_seed(0)
    return [(torch.randn(n, 4), torch.arange(n) % k) for n in sizes]


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss(), F.cross_entropy, lambda z, y: F.cross_entropy(z, y)])
def test_what_diagnose_finds_comes_up(criterion):
    told = []
    model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
    with watch(model, criterion, every=1, report=lambda f: told.append(f.rule)) as seen:
        loop(model, criterion, batches([16] * 3))
    assert told == [f.rule for f in seen.findings] == ["probabilities-as-logits"]
    assert not seen.ok
    assert "probabilities-as-logits" in str(seen.diagnosis)
    assert str(seen).startswith("Sequential: 3 steps watched, 3 looked at; findings: 1 (probabilities-as-logits); middle gain ")
    assert repr(seen) == f"<watch of {seen}>"
    assert "发现 1 处" in seen.text("zh")
    shown = seen._repr_html_()
    assert (shown.startswith("<p>Sequential: 3 steps"), "<svg" in shown) == (True, True)
    assert str(watch(model, criterion)) == "Sequential: 0 steps watched; not looked at yet"


def test_a_plain_function_called_through_the_watch():
    def criterion(z, y):
        return -torch.log_softmax(z, 1)[range(len(y)), y].mean()

    model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
    with watch(model, criterion, every=1) as seen:
        loop(model, seen.criterion, batches([16] * 3))
    assert [f.rule for f in seen.findings] == ["probabilities-as-logits"]


def test_a_model_with_its_own_cost():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))

        def forward(self, x, y):
            return F.cross_entropy(self.f(x), y)

    model = Own()
    optimizer = torch.optim.Adam(model.parameters())
    with watch(model) as seen:
        for x, y in batches([16] * 3):
            optimizer.zero_grad()
            model(x, y).backward()
            optimizer.step()
    assert [f.rule for f in seen.findings] == ["probabilities-as-logits"]


@pytest.mark.parametrize(("sizes", "found"), [([16, 2, 16, 2], True), ([8, 8, 8, 8], False), ([8, 7, 8, 8], False)])
def test_means_of_unequal_micro_batches(sizes, found):
    model, criterion = nn.Linear(4, 3), nn.CrossEntropyLoss()
    with watch(model, criterion, every=1) as seen:
        loop(model, criterion, batches(sizes), micro=2)
    assert ("micro-batch-mean" in {f.rule for f in seen.findings}) is found
    if found:
        finding = next(f for f in seen.findings if f.rule == "micro-batch-mean")
        assert (finding.evidence["least"], finding.evidence["most"], finding.evidence["ratio"]) == (2, 16, 8)
        assert "8 times" in finding.what()
        assert "reduction" in finding.cure


@pytest.mark.parametrize("kind", [nn.CrossEntropyLoss, xent.torch.CrossEntropyLoss], ids=["theirs", "ours"])
def test_padding_makes_micro_batches_unequal(kind):
    model, criterion = nn.Linear(4, 3), kind(ignore_index=-1)
    some = batches([8, 8])
    some[1][1][2:] = -1
    with watch(model, criterion, every=1) as seen:
        loop(model, criterion, some, micro=2)
    assert "micro-batch-mean" in {f.rule for f in seen.findings}


def test_sums_may_be_unequal():
    model, criterion = nn.Linear(4, 3), nn.CrossEntropyLoss(reduction="sum")
    with watch(model, criterion, every=1) as seen:
        loop(model, criterion, batches([16, 2]), micro=2, rate=1e-3)
    assert seen.ok


def test_learning_that_stalls_as_the_gain_falls():
    """The article's second start, on the way there: a rate so high that the sigmoid is thrown to its flat end."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    x = torch.randn(64, 4)
    y = (torch.arange(64) % 2).float()[:, None]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.MSELoss()
    with watch(model, criterion, every=1) as seen:
        for step in range(6):
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
            with torch.no_grad():
                model[0].bias.fill_(1.5 * step)
    finding = next(f for f in seen.findings if f.rule == "stalling")
    assert finding.evidence["last"] < 0.1 < finding.evidence["first"]
    assert seen.looks[1].gain > 10 * seen.looks[-1].gain
    assert "stalled" in finding.what()
    assert "停滞" in finding.what("zh")


def test_a_fault_is_told_at_the_first_step_and_then_nothing_hangs_on_the_model():
    model, criterion = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1)), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, criterion) as seen:
        for x, y in batches([16] * watching.AFTER):
            criterion(model(x), y).backward()
            optimizer.step()
            assert [f.rule for f in seen.findings] == ["probabilities-as-logits"]
            assert not [*model._forward_hooks, *model._forward_pre_hooks, *criterion._forward_pre_hooks]
    assert [look.step for look in seen.looks] == [1]


def test_looks_come_again_as_far_apart_as_they_cost(monkeypatch):
    model, criterion = nn.Linear(4, 3), nn.CrossEntropyLoss()
    asked = []
    monkeypatch.setattr(watching, "_pause", lambda moments, took: asked.append((len(moments), took)) or 5)
    with watch(model, criterion) as seen:
        loop(model, criterion, batches([16] * 40))
    n = watching.AFTER
    assert [look.step for look in seen.looks] == [1, n + 7, 2 * n + 13]
    assert {length for length, _ in asked} == {n + 2}
    assert all(took > 0 for _, took in asked)


def moments(*steps):
    """When each of these intervals ended, in seconds."""
    out = [100.0]
    for step in steps:
        out.append(out[-1] + step)
    return out


@pytest.mark.parametrize(
    ("steps", "took", "cost"),
    [
        ([0.051] + [0.001] * 8, 0.05, 0.05),  # the look, and nothing else
        ([0.061] + [0.003, 0.002] + [0.001] * 6, 0.05, 0.063),  # hooks before it, and slower steps after
        ([0.051] + [0.001] * 3 + [10.0] + [0.001] * 4, 0.05, 0.1),  # an evaluation is not the look's
        ([0.0012] + [0.001] * 8, 0.0, 0.0002),  # nothing could be looked at: the hooks alone
    ],
)
def test_a_pause_makes_a_look_a_small_share(steps, took, cost):
    assert watching._pause(moments(*steps), took) == pytest.approx(max(cost / (watching.SHARE * 0.001), watching.AFTER), abs=1)


def test_a_look_leaves_nothing_for_the_garbage_collector():
    model, criterion = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), nn.CrossEntropyLoss()
    gc.collect()
    gc.disable()
    try:
        with watch(model, criterion, every=1) as seen:
            loop(model, criterion, batches([16] * 3))
        left = [thing for thing in gc.get_objects() if type(thing) in (Value, Step)]
    finally:
        gc.enable()
    assert len(seen.looks) == 3
    assert not left


def test_training_is_the_same_with_and_without():
    def trained(watched):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))
        criterion = nn.CrossEntropyLoss()
        data = batches([16] * 6)
        torch.manual_seed(1)
        if watched:
            with watch(model, criterion, every=1):
                loop(model, criterion, data)
        else:
            loop(model, criterion, data)
        return {**model.state_dict(), "random": torch.rand(1)}

    for a, b in zip(trained(False).values(), trained(True).values(), strict=True):
        assert torch.equal(a, b)


def test_an_error_in_the_loop_passes_and_hooks_are_gone():
    model, criterion = nn.Linear(4, 3), nn.CrossEntropyLoss()

    def broken():
        with watch(model, criterion, every=1):
            criterion(model(torch.randn(2, 4)), torch.tensor([0, 1]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert not criterion._forward_pre_hooks
    assert not torch.overrides._get_current_function_mode_stack()


@pytest.mark.parametrize("every", [0, -1, 2.5, True])
def test_every_is_checked(every):
    with pytest.raises(InputError, match="every"):
        watch(nn.Linear(2, 2), nn.MSELoss(), every=every)


def test_nothing_to_train_is_said():
    with pytest.raises(InputError, match="no parameters"):
        watch(nn.ReLU(), nn.MSELoss())
