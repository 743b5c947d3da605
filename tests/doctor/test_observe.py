"""Nothing is touched, whatever happens; and what cannot be diagnosed says why."""

from __future__ import annotations

import copy
import random
import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from xent.errors import ArrayKindError, InputError, ModelError, UnknownNameError
from xent.torch import diagnose, watch

X, Y = torch.randn(8, 4), torch.arange(8) % 3

LAYERS = {
    "dropout": lambda: nn.Dropout(0.5),
    "norm": lambda: nn.BatchNorm1d(6),
    "relu": lambda: nn.ReLU(inplace=True),
    "spectral": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6)),
    "linear": lambda: nn.Linear(6, 6),
    "sigmoid": nn.Sigmoid,
}


class Rude(nn.Module):
    """Changes whatever it can, and may raise."""

    def __init__(self, raises):
        super().__init__()
        self.raises, self.seen = raises, 0
        self.register_buffer("count", torch.zeros(()))
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x):
        self.count += 1
        self.seen += 1
        with torch.no_grad():
            self.weight.mul_(1.5)
        torch.rand(1)
        random.random()
        np.random.rand()  # noqa: NPY002
        x.add_(1)
        self.eval()
        if self.raises:
            raise KeyError("rude")
        return x * self.weight


def state(model, x, y):
    """All that must stay."""
    return (
        {k: v.clone() for k, v in model.state_dict().items()},
        {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()},
        [m.training for m in model.modules()],
        [list(m._forward_hooks.values()) + list(m._forward_pre_hooks.values()) for m in model.modules()],
        [p.requires_grad for p in model.parameters()],
        torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), x.clone(), y.clone(),  # noqa: NPY002
    )  # fmt: skip


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple) and a and not isinstance(a[0], int | bool):
        return len(a) == len(b) and all(same(p, q) for p, q in zip(a, b, strict=True))
    return a == b


def in_place_after_its_like(names):
    """relu(inplace=True) writes over what a ReLU or a sigmoid before it keeps for its own gradient: backward() itself refuses."""
    kept = [name for name in names if name != "dropout"]
    return any(b == "relu" and a in ("relu", "sigmoid") for a, b in pairwise(kept))


@settings(max_examples=20, deadline=None)
@example(names=["relu", "relu"], training=False, with_gradients=False, frozen=False, rude="no", cost="wrong", through_closure=False)
@given(
    names=st.lists(st.sampled_from(sorted(LAYERS)), max_size=4),
    training=st.booleans(),
    with_gradients=st.booleans(),
    frozen=st.booleans(),
    rude=st.sampled_from(["no", "yes", "raises"]),
    cost=st.sampled_from(["good", "raises", "wrong"]),
    through_closure=st.booleans(),
)
def test_everything_stays_as_it_was(names, training, with_gradients, frozen, rude, cost, through_closure):
    torch.manual_seed(1)
    layers = [LAYERS[name]() for name in names]
    model = nn.Sequential(nn.Linear(4, 6), *layers, nn.Linear(6, 3), *([Rude(rude == "raises")] if rude != "no" else []))
    model[0].weight.requires_grad_(not frozen)
    calls = []
    model.register_forward_hook(lambda m, a, out: None)
    x, y = torch.randn(8, 4), torch.arange(8) % 3
    if with_gradients:
        for p in model.parameters():
            p.grad = torch.randn_like(p)
    model.train(training)

    def criterion(z, target):
        calls.append(1)
        if cost == "raises":
            raise ValueError("mine")
        out = F.cross_entropy(z, target.float() if cost == "wrong" else target)
        if through_closure:  # a regulariser that reaches for the original
            model.train()
            out = out + 1e-3 * model(torch.zeros(2, 4)).sum()
        return out

    before = state(model, x, y)
    try:
        diagnose(model, criterion, (x, y), try_cures=cost == "wrong")
    except (ModelError, KeyError):
        assert rude == "raises" or cost == "raises" or in_place_after_its_like(names)
    assert same(before, state(model, x, y))


@dataclass
class Output:
    """As Hugging Face returns it."""

    logits: torch.Tensor
    hidden: torch.Tensor | None = None


class Wrapped(nn.Linear):
    def forward(self, x):
        return Output(super().forward(x).softmax(1))


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss(), F.cross_entropy, lambda o, y: F.cross_entropy(o.logits, y)])
def test_logits_inside_of_an_output_are_found(criterion):
    found = diagnose(Wrapped(4, 3), criterion, (X, Y), try_cures=False).findings
    assert [f.rule for f in found] == ["probabilities-as-logits"]


def test_inside_of_inference_mode():
    model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))
    with torch.inference_mode():
        assert not diagnose(model, nn.CrossEntropyLoss(), (X, Y), try_cures=False).ok
        made = nn.Linear(4, 3)
        with pytest.raises(InputError, match="inference_mode"):
            diagnose(made, nn.CrossEntropyLoss(), (X, Y))


def test_a_criterion_and_its_parameters_stay():
    class Margin(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.calls = nn.Parameter(torch.ones(())), 0

        def forward(self, z, y):
            self.calls += 1
            return F.cross_entropy(z * self.scale, y)

    criterion = Margin()
    diagnose(nn.Linear(4, 3), criterion, (torch.randn(8, 4), torch.arange(8) % 3))
    assert criterion.calls == 0
    assert criterion.scale.grad is None
    assert float(criterion.scale.detach()) == 1


def test_a_graph_kept_in_the_model_is_no_hindrance():
    model = nn.Linear(4, 3)
    model.last = model(torch.randn(8, 4))  # deepcopy refuses tensors in the middle of a graph
    assert diagnose(model, nn.CrossEntropyLoss(), (torch.randn(8, 4), torch.arange(8) % 3)).ok


class NoTensor(nn.Linear):
    def forward(self, x):
        return [3, None]


class Raises(nn.Linear):
    def forward(self, x):
        raise OverflowError("my own words")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((nn.Linear(4, 3), None, (X,)), InputError, "no criterion.*tensor of shape"),
        ((nn.Linear(4, 3), nn.CrossEntropyLoss(), (X.to("meta"), Y)), InputError, r"on cpu.*on meta.*\.to\('cpu'\)"),
        ((nn.Linear(4, 3, device="meta"), nn.CrossEntropyLoss(), (X.to("meta"), Y)), InputError, "meta device.*no numbers"),
        ((nn.Linear(4, 3).requires_grad_(False), nn.CrossEntropyLoss(), (X, Y)), InputError, "frozen"),
        ((nn.ReLU(), nn.CrossEntropyLoss(), (X, Y)), InputError, "no parameters"),
        ((NoTensor(4, 3), nn.CrossEntropyLoss(), (X, Y)), InputError, "a list of 2 and no tensor"),
        ((Raises(4, 3), nn.CrossEntropyLoss(), (X, Y)), ModelError, "^OverflowError: my own words"),
        ((nn.Linear(4, 3), lambda z, y: z / [], (X, Y)), ModelError, "^TypeError: unsupported operand"),
        ((nn.Linear(4, 3), lambda z, y: "seven", (X, Y)), InputError, "returned a str"),
        ((nn.Linear(4, 3), nn.CrossEntropyLoss(), X), InputError, "pair \\(x, y\\).*forward="),
        ((nn.Linear(4, 3), nn.CrossEntropyLoss(), ([1.0], 2)), InputError, "holds no tensor"),
        ((torch.sigmoid, nn.CrossEntropyLoss(), (X, Y)), ArrayKindError, "torch.nn.Module"),
        ((nn.Linear(4, 3), nn.CrossEntropyLoss, (X, Y)), ArrayKindError, r"write CrossEntropyLoss\(\)"),
        ((nn.LazyLinear(3), nn.CrossEntropyLoss(), (X, Y)), InputError, "lazy"),
        ((nn.Linear(4, 3), nn.CrossEntropyLoss(), (X, Y[:7])), ModelError, r"^ValueError.*shape \(8, 3\).*forward="),
        ((nn.Linear(4, 3), "cross-entropy", (X, Y)), ArrayKindError, "criterion.*str"),
    ],
)  # fmt: skip
def test_what_cannot_be_diagnosed_says_why(arguments, kind, message):
    with pytest.raises(kind, match=f"(?s){message}"):
        diagnose(*arguments)


def test_an_unknown_rule_is_named():
    with pytest.raises(UnknownNameError, match="class-axis"):
        diagnose(nn.Linear(4, 3), nn.CrossEntropyLoss(), (X, Y), rules=["class-axes"])


def test_any_batch_through_forward():
    model = nn.Bilinear(4, 4, 3)
    batch = {"left": X, "right": [X], "label": Y}
    for forward in (
        lambda m, b: (m(b["left"], b["right"][0]), b["label"]),
        lambda m, b: F.cross_entropy(m(b["left"], b["right"][0]), b["label"]),
    ):
        criterion = nn.CrossEntropyLoss() if forward(model, batch).__class__ is tuple else None
        assert diagnose(model, criterion, batch, forward=forward).picture.name == "cross-entropy@softmax"


def test_a_batch_of_the_users_own_class_stays():
    @dataclass
    class Batch:
        x: torch.Tensor
        y: torch.Tensor

    def forward(model, batch):
        batch.x.mul_(2)
        return model(batch.x), batch.y

    batch = Batch(X.clone(), Y)
    assert diagnose(nn.Linear(4, 3), nn.CrossEntropyLoss(), batch, forward=forward).picture.n == len(Y)
    assert torch.equal(batch.x, X)


@pytest.mark.slow
def test_a_model_that_is_compiled_is_looked_through():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        model = torch.compile(nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)))
    assert [f.rule for f in diagnose(model, nn.CrossEntropyLoss(), (X, Y), try_cures=False).findings] == ["probabilities-as-logits"]


def test_a_model_that_is_scripted_is_looked_into_and_its_weights_are_changed_for_a_trial():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own: scripting is deprecated
        doubled, far = (torch.jit.script(nn.Sequential(nn.Linear(4, 3), *end)) for end in ([nn.Softmax(1)], []))
    (finding,) = diagnose(doubled, nn.CrossEntropyLoss(), (X, Y), try_cures=False).findings
    assert finding.rule == "probabilities-as-logits"
    (finding,) = diagnose(far, nn.CrossEntropyLoss(), (1000 * X, Y), rules=["large-logits"], seconds=600).findings
    assert finding.tried is not None, finding.untried


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint64], ids=str)
def test_class_numbers_in_any_integers_break_no_rule(dtype):
    found = diagnose(nn.Linear(4, 3), nn.CrossEntropyLoss(), (X, Y.to(dtype)), try_cures=False)
    assert "broke" not in {u.reason for u in found.unchecked}, found.unchecked
    assert [f.rule for f in found.findings] == ([] if dtype is torch.uint8 else ["float-class-indices"])


class Checkpointed(nn.Module):
    """Its middle leaves nothing in the graph until the backward pass."""

    def __init__(self, end):
        super().__init__()
        self.first, self.middle, self.end, self.reentrant = nn.Linear(4, 6), nn.Linear(6, 3), end, True

    def forward(self, x):
        return self.end(checkpoint(self.middle, torch.tanh(self.first(x)), use_reentrant=self.reentrant))


def test_what_lies_behind_a_reentrant_checkpoint_is_trained():
    batch, rules = (X, Y), ["untrained-parameters", "vanishing-gradient", "probabilities-as-logits"]
    healthy = diagnose(Checkpointed(nn.Identity()), nn.CrossEntropyLoss(), batch, rules=rules)
    assert not healthy.findings
    assert {u.reason for u in healthy.unchecked} == {"shallow"}
    model, found = Checkpointed(nn.Softmax(1)), []
    for model.reentrant in (True, False):
        found += diagnose(model, nn.CrossEntropyLoss(), batch, rules=rules, seconds=600).findings
    assert [f.rule for f in found] == 2 * ["probabilities-as-logits"]
    behind, plain = (f.tried for f in found)
    for one, other in ((behind.old, plain.old), (behind.new, plain.new)):  # a trial teaches the middle as well
        assert one.log_probability == pytest.approx(other.log_probability, rel=1e-3)


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=str)
def test_nested_tensors_inside_of_a_model_and_not_in_the_batch(layout):
    class Ragged(nn.Linear):
        def forward(self, x):
            rows = torch.nested.as_nested_tensor([*x[:, None]], layout=layout)
            return torch.nested.to_padded_tensor(super().forward(rows), 0.0)[:, 0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own: nested tensors are in the prototype stage
        found = diagnose(Ragged(4, 3), nn.CrossEntropyLoss(), (X, Y))
        assert found.picture.name == "cross-entropy@softmax"
        assert "broke" not in {u.reason for u in found.unchecked}
        with pytest.raises(InputError, match="nested"):
            diagnose(nn.Linear(4, 3), nn.CrossEntropyLoss(), (torch.nested.as_nested_tensor([X, X], layout=layout), Y))


def test_a_training_goes_on_where_the_watch_fails():
    class Odd(nn.Linear):
        def __deepcopy__(self, memo):
            return None

    model, criterion = Odd(4, 3), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, criterion) as seen:
        criterion(model(X), Y).backward()
        with pytest.warns(UserWarning, match="watch could not look at this step"):
            optimizer.step()
    assert not seen.looks


def test_watch_leaves_the_model_alone_too():
    model = nn.Linear(4, 3)
    hooks = copy.copy(model._forward_hooks), copy.copy(model._forward_pre_hooks)
    with watch(model, nn.CrossEntropyLoss()):
        model(X)
    assert (model._forward_hooks, model._forward_pre_hooks) == hooks
