"""Rules about numbers: finite, precise enough, of the size that a start should have."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

import xent.outputs
from xent.doctor import goal
from xent.doctor.carrying import VIEWS
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case, original_parameter
from xent.doctor.pairing import Pairing
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import layer_of
from xent.doctor.trace import Step, Value

HALF = (torch.float16, torch.bfloat16)
ODD = (1.25, 1.75)
"""An initial cost is far off when it lies this many nats, and this many times, above that of knowing nothing."""


@rule("non-finite", "error")
def non_finite(case: Case) -> Found | None:
    """Nan or infinity, and the first operation that made it from finite numbers."""
    seen = case.seen
    if seen.cost is not None and math.isfinite(float(seen.cost.detach())) and not _broken(case):
        return None  # what is not finite was masked out
    for value in case.trace.values:
        if (
            value.made_by is None
            and value.tensor.is_floating_point()
            and value.role in ("x", "y", "batch", "param")
            and value.used_by
        ):
            bad = ~torch.isfinite(value.numbers)
            if bool(bad.any()):
                named = value.name or value.role
                evidence = {"what": named, "count": int(bad.sum()), "of": bad.numel(), "where": ""}
                return Found(evidence, "given" if value.role != "param" else "weights", None, "needs-data")
    if seen.cost is None:
        return None
    broken = not math.isfinite(float(seen.cost.detach()))
    gradients = _broken(case)
    step = next((s for s in case.trace.steps if s.outs and s.grad and _makes_nan(s)), None)
    evidence = {"what": "cost" if broken else "gradient", "count": len(gradients), "of": len(case.gradients),
                "where": step.op if step else "", "module": case.place(step.where) if step else ""}  # fmt: skip
    return Found(evidence, "made" if broken else "gradient", Cure("keep-finite", {k: str(v) for k, v in evidence.items()}))


def _broken(case: Case) -> list[Tensor]:
    return [g for g in case.gradients.values() if g is not None and not bool(torch.isfinite(g).all())]


def _makes_nan(step: Step) -> bool:
    def bad(t: Tensor) -> bool:
        return t.is_floating_point() and t.numel() > 0 and not bool(torch.isfinite(t).all())

    fresh = any(bad(v.numbers) for v in step.outs) and not any(bad(v.numbers) for v in step.ins)
    return fresh and step.op not in ("masked_fill", "masked_fill_", "full", "full_like", "empty", "where", "empty_like")


@rule("low-precision-cost", "warning", "cost")
def low_precision_cost(case: Case) -> Found | None:
    """Logarithms, exponentials and sums of the cost in 16 bits."""
    for site in case.sites:
        steps = [
            *(site.call.inner if site.call else ()),
            *([site.nature.step] if site.nature.step else []),
            *([site.step] if site.step else []),
        ]
        for step in steps:
            if step.op in VIEWS or not step.ins:
                continue
            low = next((v for v in step.ins if v.learns and v.tensor.dtype in HALF), None)
            if low is None or not any(o.tensor.dtype in HALF for o in step.outs):
                continue
            words = {"dtype": low.dtype, "where": step.op}
            p = case.pairing(site)
            aim = goal.of_pairing(p) if p is not None and p.squash != "margin" else None
            cure = Cure("float-cost", words, ("autocast",), aim)
            return Found({**words, "digits": 2 if low.dtype == "bfloat16" else 3, "off": _error_of(case, low)}, "", cure)
    return None


def _error_of(case: Case, value: Value) -> float:
    cost = case.seen.cost
    return float(torch.finfo(value.tensor.dtype).eps) * abs(float(cost.detach())) if cost is not None else 0.0


def _cross_entropies(case: Case) -> list[Pairing]:
    return [p for p in case.pairings if p.name.startswith("cross-entropy") and p.fits]


@rule("large-logits", "warning", "pairing")
def large_logits(case: Case) -> Found | None:
    """Logits so far apart that nearly every answer is sure, right or wrong."""
    for p in _cross_entropies(case):
        z = torch.where(torch.isfinite(p.z) & ~_masked(p.z), p.z, float("nan"))
        spread = z.abs() if not p.vector else _largest(z) - _smallest(z)
        middle = float(spread.nanmedian())
        limit = 20.0 if not p.vector else 40.0
        if not middle > limit:
            continue
        words = {"layer": layer_of(case, p.z_value)}
        scale = (4.0 if not p.vector else 8.0) / middle
        aim = goal.of_pairing(p)
        prepare = _scaled(case, p, scale)
        evidence = {**words, "spread": middle, "limit": limit, "wrong": int(p.wrong.sum()), "n": len(p.error)}
        return Found(
            evidence,
            "",
            Cure("scale-logits", {**words, "scale": f"{scale:.2g}"}, ("temperature",), aim if prepare else None, prepare),
        )
    return None


def _masked(z: Tensor) -> Tensor:
    """Answers that were taken out of the choice: the same least number again and again, far below all others."""
    least = z.amin()
    lowest = z == least
    apart = bool(lowest.any()) and bool((z[~lowest] > least + 1000).all())
    return lowest if apart and int(lowest.sum()) > 1 and z.ndim == 2 else torch.zeros_like(lowest)


def _largest(z: Tensor) -> Tensor:
    return torch.nan_to_num(z, nan=-math.inf).amax(dim=-1)


def _smallest(z: Tensor) -> Tensor:
    return torch.nan_to_num(z, nan=math.inf).amin(dim=-1)


def _last(case: Case, p: Pairing) -> tuple[str, str]:
    """The names of the weight and the bias of the layer that makes the logits; empty where there is none."""
    step = case.weighted(p.z_value)
    if step is None:
        return "", ""
    names = [found.name for v in step.ins if (found := original_parameter(v)) is not None]
    shapes = dict(case.seen.model.named_parameters())
    weight = next((n for n in names if n in shapes and shapes[n].ndim > 1), "")
    bias = next((n for n in names if n in shapes and shapes[n].ndim == 1), "")
    if not bias and weight.endswith("weight") and weight[:-6] + "bias" in shapes:
        bias = weight[:-6] + "bias"
    return weight, bias


def _scaled(case: Case, p: Pairing, scale: float) -> Callable[[nn.Module], None] | None:
    weight, bias = _last(case, p)
    if not weight:
        return None

    def prepare(model: nn.Module) -> None:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in (weight, bias):
                    parameter.mul_(scale)

    return prepare


def _frequencies(p: Pairing) -> Tensor:
    """How often each class is right; for a sigmoid (0, 1)."""
    if p.vector:
        return p.y.mean(dim=0)
    share = p.y.mean() if p.squash == "sigmoid" else (p.y.mean() + 1) / 2
    return torch.stack([1 - share, share])


def _entropy(f: Tensor) -> float:
    return float(-(f * torch.log(f.clamp_min(1e-300))).sum())


@rule("initial-cost", "warning", "pairing")
def initial_cost(case: Case) -> Found | None:
    """A cost far above what an answer of nothing but the classes' frequencies would cost."""
    for p in _cross_entropies(case):
        if len(p.error) < 4 or not case.given(p.site):
            continue
        cost = float(xent.outputs.output(p.name).value(p.z, p.y).mean())
        frequencies = _frequencies(p)
        ignorant = math.log(len(frequencies))
        if not (cost > ignorant + ODD[0] and cost > ODD[1] * ignorant):
            continue
        words = {"layer": layer_of(case, p.z_value)}
        prepare = _scaled(case, p, 0.1)
        evidence = {
            **words,
            "cost": cost,
            "entropy": _entropy(frequencies),
            "ignorant": ignorant,
            "n": len(p.error),
            "classes": len(frequencies),
        }
        aim = goal.of_pairing(p) if prepare else None
        return Found(evidence, "", Cure("scale-logits", {**words, "scale": "0.1"}, ("zero-last",), aim, prepare))
    return None


@rule("output-bias", "warning", "pairing")
def output_bias(case: Case) -> Found | None:
    """Unequal classes, and a start that does not know it: the first steps only learn the bias."""
    for p in _cross_entropies(case):
        n = len(p.error)
        if not case.given(p.site) or not p.hard:
            continue
        f, mean = _frequencies(p), p.a.mean(dim=0) if p.vector else torch.stack([1 - p.a.mean(), p.a.mean()])
        k = len(f)
        if n < max(20, 5 * k) or float(f.max()) >= 1:
            continue
        f0, m0 = f.clamp(1 / (2 * n), 1), mean.clamp(1e-12, 1)
        gap = float((f0 * (f0 / m0).log()).sum()) - (k - 1) / (2 * n)
        unequal = float(f.max()) > (0.85 if k == 2 else 2 / k)
        if not unequal or not gap > 0.25:
            continue
        _, bias = _last(case, p)
        start = f0.log() - f0.log().mean() if p.vector else torch.log(f0[1] / f0[0]).reshape(1)
        offset = start if p.vector else start - torch.log(m0[1] / m0[0])
        words = {
            "layer": layer_of(case, p.z_value),
            "bias": bias,
            "values": ", ".join(f"{v:.2f}" for v in start[:6].tolist()) + (", …" if len(start) > 6 else ""),
        }
        prepare = _biased(bias, start, offset) if bias else None
        aim = goal.of_pairing(p) if prepare else None
        evidence = {
            **words,
            "share": float(f.max()),
            "said": float(mean[int(f.argmax())]),
            "gap": gap,
            "n": n,
            "class": int(f.argmax()),
        }
        return Found(evidence, "", Cure("set-bias" if bias else "add-bias", words, (), aim, prepare))
    return None


def _biased(name: str, start: Tensor, offset: Tensor) -> Callable[[nn.Module], None] | None:
    def prepare(model: nn.Module) -> None:
        with torch.no_grad():
            bias = dict(model.named_parameters())[name]
            if bias.numel() == start.numel():
                bias.copy_(start.to(bias.dtype))
            else:
                bias.add_(offset.to(bias.dtype).mean())

    return prepare


ALL = (non_finite, low_precision_cost, large_logits, initial_cost, output_bias)
