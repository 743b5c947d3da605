"""Rules about what lies before the output: units that no longer move, gradients that fade or grow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from xent.doctor import goal
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case, Layer, original_parameter
from xent.doctor.rules.base import Found, rule
from xent.doctor.trace import Step

SATURATED = 0.1
"""σ′ below this share of its greatest value."""
MOST = 0.5
"""So many of the units may be saturated or dead."""
FADES, GROWS = 1e-3, 1e3
CUT_OFF = ("relu", "clamp_min", "clamp", "threshold", "hardtanh")
"""Rectifiers that are 0 below 0."""


def _hidden(case: Case, kinds: tuple[str, ...]) -> list[Step]:
    """Where activations of these natures are made inside of the model: not the answer itself, and no gates."""
    ends = [n for site in case.sites for n in (site.nature, case.nature(site.nature.z))]
    answers = {n.step.index for n in ends if n.step is not None}
    inside = [s for s in case.trace.steps if s.in_model and s.outs and s.call is None and s.outs[0].learns]
    steps = [s for s in inside if (n := case.nature(s.outs[0])).step is s and n.kind in kinds]
    returned = {v.id for v in case.seen.outputs}
    hidden = [s for s in steps if s.index not in answers and s.outs[0].id not in returned and s.outs[0].tensor.numel() > 1]
    return [s for s in hidden if not _gate(s)]


def _gate(step: Step) -> bool:
    """Whether an activation multiplies something else that learns."""
    return any(s.op in ("mul", "mul_") and sum(v.learns and bool(v.shape) for v in s.ins) > 1 for s in step.outs[0].used_by)


@rule("saturated-units", "warning", "layers")
def saturated_units(case: Case) -> Found | None:
    """Hidden sigmoids or tanhs at their flat ends: σ′ passes almost nothing on."""
    worst: tuple[float, Step, float] | None = None
    for step in _hidden(case, ("sigmoid", "tanh")):
        if step.outs[0].overwritten:
            continue
        a, squash = step.outs[0].numbers.double(), case.nature(step.outs[0]).kind
        slope = 4 * a * (1 - a) if squash == "sigmoid" else 1 - a * a
        share = float((slope < SATURATED).double().mean())
        if share > MOST and (worst is None or share > worst[0]):
            worst = (share, step, float(slope.mean()))
    if worst is None:
        return None
    share, step, mean_slope = worst
    squash, z = case.nature(step.outs[0]).kind, case.nature(step.outs[0]).z
    made = case.weighted(z) if not step.op.endswith("_") else None
    size = float(made.outs[0].numbers.double().square().mean().sqrt()) if made is not None else 0.0
    scale = 1 / size if size > 1 else 0.1
    words = {"where": case.place(step.where), "squash": squash, "scale": f"{scale:.2g}"}
    words["layer"] = case.place(made.where) if made is not None else words["where"]
    prepare = _changed(case, [made], lambda p: p.mul_(scale)) if made is not None else None
    high = float((step.outs[0].numbers > (0.5 if squash == "sigmoid" else 0)).double().mean())
    return Found(
        {**words, "share": share, "slope": mean_slope, "high": high}, "",
        Cure("smaller-weights", words, ("normalise", "relu"), _aim(case) if prepare else None, prepare),
    )  # fmt: skip


@rule("dead-units", "warning", "layers")
def dead_units(case: Case) -> Found | None:
    """Rectified units that are zero for every sample: no gradient reaches what lies before them."""
    worst: tuple[float, Step, int, int] | None = None
    for step in _hidden(case, ("rectified",)):
        out = step.outs[0]
        if out.overwritten or len(out.shape) < 2 or case.nature(out).inner not in CUT_OFF:
            continue
        source = case.weighted(case.nature(out).z) if not step.op.endswith("_") else None
        channels = len(out.shape) > 3 if source is None else source.op == "convolution"
        axis = 1 if channels else len(out.shape) - 1
        rows = out.numbers.movedim(axis, -1).reshape(-1, out.shape[axis])
        if len(rows) < 8:
            continue
        dead = (rows == 0).all(dim=0)
        share = float(dead.double().mean())
        if share > MOST and (worst is None or share > worst[0]):
            worst = (share, step, int(dead.sum()), dead.numel())
    if worst is None:
        return None
    share, step, count, of = worst
    nature = case.nature(step.outs[0])
    words = {"where": case.place(step.where), "squash": nature.inner}
    made = case.weighted(nature.z) if not step.op.endswith("_") else None
    prepare = _changed(case, [made], _drawn) if made is not None else None
    cure = Cure("revive", words, ("leaky", "normalise"), _aim(case) if prepare else None, prepare)
    return Found({**words, "share": share, "count": count, "of": of}, "", cure)


def _aim(case: Case) -> goal.Goal | None:
    """What the main pairing is to learn: the measure for changes that lie before it."""
    return goal.of_pairing(case.main) if case.main is not None and case.main.squash != "margin" else None


def _changed(case: Case, steps: list[Step], change: Callable[[Tensor], object]) -> Callable[[nn.Module], None] | None:
    """A change of the starting weights of these layers, for a trial."""
    own = {n for n, p in case.seen.model.named_parameters() if p.requires_grad}
    names = {found.name for step in steps for v in step.ins if (found := original_parameter(v)) is not None} & own
    if not names:
        return None

    def prepare(model: nn.Module) -> None:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in names:
                    change(parameter)

    return prepare


def _drawn(p: Tensor) -> None:
    """Weights anew with variance 1/inputs (2/inputs gives a rectifier its half back), biases 0."""
    if p.ndim > 1:
        torch.nn.init.kaiming_uniform_(p)
    else:
        p.zero_()


def _even(p: Tensor) -> None:
    """Weights with variance 1/inputs, biases 0."""
    if p.ndim > 1:
        torch.nn.init.normal_(p, std=p[0].numel() ** -0.5)
    else:
        p.zero_()


def _ends(case: Case) -> tuple[Layer, Layer, float, int] | None:
    """The first and the last layer and how many times harder the first is pushed, where there are enough layers to say."""
    layers = [layer for layer in case.layers if layer.push > 0]
    if len(layers) < 4:
        return None
    last = layers[-1]
    first = max(layers[: max(1, len(layers) // 4)], key=lambda layer: layer.push)  # keys and queries get little at the start
    return first, last, first.push / last.push, len(layers)


def _weight_of_first(case: Case) -> float:
    """How much a change of the first layers by their own size does, beside one of the last: ‖δ‖·‖z‖, which no scale changes."""
    layers = [layer for layer in case.layers if layer.push > 0]
    first = max(layer.push * layer.norm for layer in layers[: max(1, len(layers) // 4)])
    return first / max(layers[-1].push * layers[-1].norm, 1e-300)


@rule("vanishing-gradient", "warning", "gradient", "layers")
def vanishing_gradient(case: Case) -> Found | None:
    """What reaches the first layers is a thousandth of what the last one gets."""
    ends = _ends(case)
    if ends is None or not ends[2] < FADES or not _weight_of_first(case) < FADES:
        return None
    first, last, ratio, n = ends
    words = {"first": case.place(first.name), "last": case.place(last.name)}
    prepare = _changed(case, [layer.step for layer in case.layers], _even)
    cure = Cure("let-through", words, ("normalise", "relu"), _aim(case) if prepare else None, prepare)
    return Found({**words, "ratio": ratio, "layers": n}, "", cure)


@rule("exploding-gradient", "warning", "gradient", "layers")
def exploding_gradient(case: Case) -> Found | None:
    """What reaches the first layers is a thousand times what the last one gets, or the whole gradient is out of scale."""
    ends = _ends(case)
    sizes = [g.double().norm() for g in case.gradients.values() if g is not None]
    whole = float(torch.stack(sizes).norm()) if sizes else 0.0
    if ends is not None and ends[2] > GROWS:
        first, last, ratio, n = ends
        words = {"first": case.place(first.name), "last": case.place(last.name)}
        prepare = _changed(case, [layer.step for layer in case.layers], _even)
        return Found(
            {**words, "ratio": ratio, "layers": n, "norm": whole},
            "",
            Cure("even-weights", words, ("clip", "normalise"), _aim(case) if prepare else None, prepare),
        )
    if GROWS * 10 < whole < float("inf"):
        size = float(torch.stack([p.detach().double().norm() for p in case.seen.model.parameters()]).norm())
        words = {"first": "", "last": ""}
        return Found(
            {**words, "ratio": whole / max(size, 1e-30), "layers": 0, "norm": whole},
            "whole",
            Cure("scale-targets", words, ("clip",)),
        )
    return None


ALL = (saturated_units, dead_units, vanishing_gradient, exploding_gradient)
