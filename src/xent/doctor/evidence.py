"""The case: all that the rules look at, gathered once from an observation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from xent.doctor import pairing, sites
from xent.doctor.carrying import ELEMENTWISE, MIXING, MOST, VIEWS, carry, original, places
from xent.doctor.contracted import contractions
from xent.doctor.natures import Nature, Natures
from xent.doctor.observe import Observation
from xent.doctor.pairing import Pairing, Unseen
from xent.doctor.pairing.opaque import opaque
from xent.doctor.sites import Site
from xent.doctor.trace import Step, Trace, Value

EACH_BY_ITSELF = ELEMENTWISE | VIEWS
SEEN_THROUGH = VIEWS | {"_weight_norm_interface", "mul", "div"}
"""What may stand between a parameter and the layer that uses it."""


@dataclass(frozen=True, eq=False)
class Layer:
    """An operation with a weight of the model, in the order of the run, and ‖∂cost/∂its output‖."""

    step: Step
    name: str
    push: float
    norm: float


@dataclass(eq=False)
class Case:
    """What was seen, read: natures, sites, pairings, layers. `unread` says of which sites no pairing could be read, and why."""

    seen: Observation
    natures: Natures
    sites: list[Site]
    pairings: list[Pairing] = field(default_factory=list)
    unread: list[tuple[Site, str]] = field(default_factory=list)

    @property
    def trace(self) -> Trace:
        """The trace."""
        return self.seen.trace

    @property
    def main(self) -> Pairing | None:
        """The pairing of most samples whose gain means something."""
        known = [p for p in self.pairings if not p.name.startswith("other")] or self.pairings
        return max(known, key=lambda p: p.z.numel(), default=None)

    def nature(self, value: Value) -> Nature:
        """What a value is."""
        return self.natures.of(value)

    def pairing(self, site: Site) -> Pairing | None:
        """The pairing that was read at a site."""
        return next((p for p in self.pairings if p.site is site), None)

    @cached_property
    def batch_size(self) -> int:
        """The number of samples, by the first axis of the targets, or of the inputs."""
        leaves = [v for v in self.trace.values if v.role in ("y", "x", "batch") and v.made_by is None and v.shape]
        leaves.sort(key=lambda v: v.role != "y")
        return leaves[0].shape[0] if leaves else 0

    @cached_property
    def ends(self) -> list[Value]:
        """The cost, and all that a cost was made from: inputs and targets of the sites."""
        cost = self.seen.cost
        named = [v for site in self.sites for v in (site.input, site.target) if isinstance(v, Value)]
        return [*named, *([self.trace.value(cost)] if cost is not None and self.trace.knows(cost) else [])]

    def roles(self, thing: Any) -> set[str]:
        """The roles of what a value was made from."""
        return self.trace.sources(thing) if isinstance(thing, Value) else {"constant"}

    def of_target(self, thing: Any) -> bool:
        """Whether a value was made from the batch's targets, or from a batch that is not divided into x and y."""
        return bool(self.roles(thing) & {"y", "batch"})

    def from_targets(self, site: Site) -> bool:
        """Whether the target of a site came from the batch's targets (and not, as in a GAN, from nowhere or from the inputs)."""
        roles = self.roles(site.target)
        if "y" in roles:
            same_as_x = [v for v in self.trace.leaves(site.target) if v.role == "y" and self._is_input(v)]
            return not same_as_x
        return "batch" in roles and "param" not in roles  # what a model said of them is no target of the batch

    def unreachable(self, site: Site) -> bool:
        """Whether targets lie outside of what a squashed answer can reach."""
        if not isinstance(site.target, Value) or not site.nature.squashed or not site.target.tensor.numel():
            return False
        if site.indexed and site.target.shape != site.input.shape:
            return False  # class numbers
        y, nature = site.target.numbers.double(), site.nature
        near = 1e-3 * (nature.high - nature.low)
        return bool((y < nature.low - near).any() or (y > nature.high + near).any())

    def given(self, site: Site) -> bool:
        """Whether a site's targets are the batch's and its logits are the model's to learn: a frozen judge's are neither."""
        step = self.weighted(site.logits)
        own = [p for v in step.ins if (p := original_parameter(v)) is not None] if step is not None else []
        return self.from_targets(site) and (not own or any(p.learns for p in own))

    def has_logarithm(self, z: Value) -> bool:
        """Whether the logarithm of the squashed z is in the cost too, so that what squares it is a factor and no cost."""
        z = original(z)
        steps = (s for s in self.trace.steps if s.outs and s.outs[0].learns and (s.call is None or "output" not in s.call.args))
        logs = [s.outs[0] for s in steps if (n := self.nature(s.outs[0])).is_log and original(n.z) is z]
        return any(user.op not in ("exp", "detach", *VIEWS) for log in logs for user in log.used_by)

    def _is_input(self, value: Value) -> bool:
        twins = [v for v in self.trace.values if v.role == "x" and v.made_by is None and v.shape == value.shape and v is not value]
        return any(v.tensor.dtype == value.tensor.dtype and torch.equal(v.numbers, value.numbers) for v in twins)

    def straight(self, value: Value) -> bool:
        """Whether a value comes from a layer's weighted sum with nothing but reshapes, norms and scales by numbers after it."""
        return self.weighted(value) is not None

    def weighted(self, value: Value) -> Step | None:
        """The layer that a value comes straight from."""
        for _ in range(40):
            step = value.made_by
            if step is None or not step.ins:
                return None
            if step.op in MIXING and (self._weight(step) or "norm" in step.op):
                if "norm" not in step.op:
                    return step
                value = step.ins[0]
                continue
            learned = [v for v in step.ins if v.learns and v.role != "param"]
            if step.op in VIEWS or step.op in ("native_dropout", "_to_copy", "masked_fill", "mean", "_adaptive_avg_pool2d"):
                value = step.ins[0]
            elif step.op in ("add", "add_", "sub", "mul", "div") and len(learned) == 1:
                value = learned[0]
            else:
                return None
        return None

    def similarities(self, value: Value) -> bool:
        """Whether a value holds products of two learned answers with each other: what its axes count are samples, not classes."""
        for _ in range(40):
            step = value.made_by
            if step is None or not step.ins:
                return False
            if step.op in ("mm", "bmm", "matmul", "_cdist_forward"):
                return not self._weight(step) and sum(v.learns for v in step.ins) > 1
            learned = [v for v in step.ins if v.learns and v.role != "param"]
            if step.op not in EACH_BY_ITSELF or len(learned) != 1:
                return False
            value = learned[0]
        return False

    def _weight(self, step: Step) -> bool:
        return any(original_parameter(v) is not None for v in step.ins)

    def features(self, value: Value) -> tuple[Tensor, int] | None:
        """Which output unit of the last layer each element of a value belongs to, and how many there are."""
        step = self.weighted(value)
        if step is None or step.op in ("embedding", "mkldnn_rnn_layer") or not step.outs:
            return None
        out, axis = step.outs[0], unit_axis(step)
        if out.tensor.numel() > MOST or len(out.shape) < 2:
            return None
        moved = carry(out, value, places(out.tensor, axis).contiguous())
        return None if moved is None else (moved, out.shape[axis])

    @cached_property
    def layers(self) -> list[Layer]:
        """The model's layers and how hard the cost pushes on each."""
        steps = [s for s in self.trace.steps if s.in_model and s.op in MIXING and s.outs and self._weight(s) and "norm" not in s.op]
        steps = [s for s in steps if s.op != "embedding" and _measurable(s.outs[0])]
        pushes = self.seen.gradient([s.outs[0].tensor for s in steps])
        made = []
        for step, push in zip(steps, pushes, strict=True):
            if push is not None:
                made.append(Layer(step, step.where, float(push.double().norm()), float(step.outs[0].numbers.double().norm())))
        return made

    @cached_property
    def gradients(self) -> dict[str, Tensor | None]:
        """∂cost/∂parameter by name, of those that can be trained."""
        named = {name: p for name, p in self.seen.model.named_parameters() if p.requires_grad}
        return dict(zip(named, self.seen.gradient([*named.values()]), strict=True))

    def module(self, where: str) -> nn.Module | None:
        """The module of that name."""
        return dict(self.seen.model.named_modules()).get(where)  # scripted modules have no get_submodule

    def place(self, where: str) -> str:
        """A module's name and class, as a person would look it up."""
        module = self.module(where)
        if module is None:
            return where
        path = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in where.split(".")) if where else ""
        return f"model{path} ({type(module).__name__})"


def _measurable(value: Value) -> bool:
    """Whether the gradient reaches a value that is still there, and has one shape."""
    return value.learns and not value.overwritten and not value.tensor.is_nested


def unit_axis(layer: Step) -> int:
    """The axis of a layer's units."""
    return 1 if layer.op == "convolution" else len(layer.outs[0].shape) - 1


def original_parameter(value: Value) -> Value | None:
    """The parameter that a value is, seen through views."""
    for _ in range(8):
        if value.role == "param":
            return value
        if value.made_by is None or value.made_by.op not in SEEN_THROUGH:
            return None
        value = value.made_by.ins[0]
    return None


def gather(seen: Observation) -> Case:
    """The case of an observation."""
    contractions(seen.trace)
    natures = Natures(seen.trace)
    own = seen.criterion is None or seen.forward is not None
    found = sites.find(seen.trace, natures, own=own)
    case = Case(seen, natures, found)
    for site in found:
        try:
            case.pairings.append(pairing.read(seen, site))
        except Unseen as why:
            case.unread.append((site, str(why)))
    if not case.pairings and seen.cost is not None and all(site.by_hand for site in found):
        leaves = [v for v in seen.trace.values if v.made_by is None and v.role in ("y", "batch")]
        shapes = {answer.shape for answer in seen.outputs}
        made = [v for v in seen.trace.values if v.made_by and not v.learns and v.shape in shapes and case.of_target(v)]
        targets = [*leaves, *made[:4]]  # one-hot labels, say
        hidden = opaque(seen, natures, seen.outputs, targets)
        if hidden is not None:
            case.sites.append(hidden)
            case.pairings.append(pairing.read(seen, hidden))
    return case
