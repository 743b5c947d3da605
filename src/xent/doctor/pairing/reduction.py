"""What a cost does with its single samples: which it drops, and what it divides their sum by."""

from __future__ import annotations

import torch
from torch import Tensor

from xent.doctor.carrying import VIEWS
from xent.doctor.observe import Observation
from xent.doctor.pairing.targets import broadcasts
from xent.doctor.sites import ERRORS, Site
from xent.doctor.trace import Value

MASKING = ("mul", "mul_", "div", "where", "masked_fill", "masked_fill_", "index", "masked_select", "dot", "mv")
ONWARD = VIEWS | {"pow", "square", "abs", "neg", "mul", "add", "sub", "rsub", "smooth_l1_loss"}


def counted(seen: Observation, site: Site, shape: tuple[int, ...]) -> Tensor:
    """Which samples have another weight than 0, flat."""
    weight = site.option("weight")
    weighed = isinstance(weight, Value) and weight.tensor.numel() > 1
    found = _by_weight(site, weight, shape) if weighed else _by_hand(seen, site, shape)
    device = site.input.tensor.device
    return torch.ones(torch.Size(shape).numel(), dtype=torch.bool, device=device) if found is None else found


def _by_weight(site: Site, weight: Value, shape: tuple[int, ...]) -> Tensor | None:
    """By the weights of a call, those of classes looked up."""
    w = weight.numbers
    if site.axis is not None:
        if not isinstance(site.target, Value) or site.target.numbers.is_floating_point():
            return None
        w = w[site.target.numbers.clamp(0, len(w) - 1)]
    return (w != 0).broadcast_to(shape).flatten() if broadcasts(tuple(w.shape), shape) else None


def _by_hand(seen: Observation, site: Site, shape: tuple[int, ...]) -> Tensor | None:
    """By the gradient that comes through each single cost, where something masks them."""
    if site.form == "bce-by-hand" and site.nature.target is None and site.step is not None and site.step.op != "mul":
        return None  # its two logarithms are weighed by y and 1 − y
    each = site.call.result if site.call is not None else site.step.outs[0] if site.step is not None and site.step.outs else None
    if each is None or each.tensor.numel() != torch.Size(shape).numel() or each.tensor.numel() < 2 or not _masked(each):
        return None
    through = seen.gradient([each.tensor])[0]
    return None if through is None else (through != 0).flatten()


def _masked(value: Value, depth: int = 0) -> bool:
    """Whether some of the single costs are dropped, or multiplied by given numbers, before they are summed."""
    for step in value.used_by:
        if step.op in MASKING and any(v.tensor.numel() > 1 for v in step.given):
            return True
        if step.op in ONWARD and depth < 4 and step.outs and _masked(step.outs[0], depth + 1):
            return True
    return False


def scale(seen: Observation, site: Site, rows: int, classes: int) -> float | None:
    """How many times smaller than the sum over samples the cost is, where the call says it; None where it is to be measured."""
    call = site.call
    if call is None or call.result is None or call.result.tensor.numel() != 1:
        return None
    if any(site.option(name) is not None for name in ("weight", "pos_weight", "denominator", "softcap")):
        return None
    through = seen.gradient([call.result.tensor])[0]
    if through is None or float(through) == 0:
        return None
    reduction = site.option("reduction", "mean")
    if reduction == "sum":
        n = 1.0
    elif reduction == "batchmean":
        n = float(site.input.shape[0])
    elif reduction == "mean" and site.form == "kl":
        n = float(site.input.tensor.numel())
    else:
        n = float(rows * classes if site.form in ERRORS else rows)
    half = 2.0 if site.form == "squared" and site.option("output") is None else 1.0  # xent's has its ½
    return float(through) * half / n
