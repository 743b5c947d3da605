"""Rules about which class numbers count: whether any does, and what a weight of 0 takes out."""

from __future__ import annotations

import torch
from torch import Tensor

from xent.doctor import goal
from xent.doctor.carrying import original
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import one_hot, said, told
from xent.doctor.sites import Site
from xent.doctor.trace import Step, Value

MASKS = ("mul", "mul_", "where", "masked_fill", "masked_fill_")
"""What a mask is laid on with."""
LOOKED_UP = ("index", "gather", "index_select", "embedding", "take")


@rule("all-ignored", "error", "target")
def all_ignored(case: Case) -> Found | None:
    """Not one target counts: the mean over nothing is nan, and nothing is learned."""
    for site in case.sites:
        if not isinstance(site.target, Value):
            continue
        words, y, index = said(site), site.target.numbers, site.option("ignore_index", -100)
        if not y.numel():
            return Found({**words, "n": 0, "index": index}, "empty", Cure("skip-empty", words))
        if site.form in ("cross-entropy", "nll") and not y.is_floating_point() and bool((y == index).all()):
            return Found({**words, "n": y.numel(), "index": index}, "", Cure("skip-empty", words))
    for step in case.trace.steps:
        if (step.in_model and case.seen.criterion is not None) or not step.outs or not step.ins:
            continue
        empty = step.op in ("mean", "nanmean") and not step.ins[0].tensor.numel() and case.batch_size
        if empty or _is_divided_by_nothing(step):
            words = told(step.op, step.ins[0])
            return Found({**words, "n": 0, "index": 0}, "empty", Cure("skip-empty", words))
    return _masked_out(case)


def _is_divided_by_nothing(step: Step) -> bool:
    """Whether a sum that learns is divided by a number of samples that is 0."""
    if step.op != "div" or len(step.ins) != 2:
        return False
    total, n = step.ins
    alone = total.tensor.numel() == n.tensor.numel() == 1
    return alone and total.learns and not n.learns and float(n.numbers) == 0


def _masked_out(case: Case) -> Found | None:
    """A mask that lets nothing through: nothing at all is learned, however the mean was kept from being nan."""
    slopes = list(case.gradients.values())
    if case.seen.cost is None or any(g is not None and bool((g != 0).any()) for g in slopes) or not slopes:
        return None
    for step in case.trace.steps:
        masks = [v for v in step.given if v.tensor.numel() > 1 and case.of_target(v)] if step.op in MASKS else []
        if not masks or not step.learned:
            continue
        if not bool((masks[0].numbers != (step.op not in ("mul", "mul_", "where"))).any()):
            words = told(step.op, target=masks[0])
            return Found({**words, "n": masks[0].tensor.numel(), "index": 0}, "masked", Cure("skip-empty", words))
    return None


@rule("zero-class-weight", "error", "target")
def zero_class_weight(case: Case) -> Found | None:
    """A class with weight 0 is in the batch: its samples teach nothing."""
    for site in case.sites:
        weight = site.option("weight")
        if isinstance(weight, Value) and isinstance(site.target, Value) and site.form in ("cross-entropy", "nll"):
            lost = torch.nonzero((weight.numbers == 0) & _present(site, len(weight.numbers))).flatten()
            if len(lost):
                return _weightless(site, lost)
    for site in case.sites:
        weight = site.option("pos_weight")
        if isinstance(weight, Value) and isinstance(site.target, Value) and site.form == "bce-logits":
            lost = weight.numbers == 0
            lost = lost & (site.target.numbers > 0) if site.alike else lost
            if bool(lost.any()):
                evidence = {**said(site), "classes": "1", "share": float(lost.double().mean())}
                return Found(evidence, "positive", Cure("real-weights", {}))
    found = (_weights_on_one_hot(case, step) if step.op == "mul" else _weights_by_hand(case, step) for step in case.trace.steps)
    return next((one for one in found if one is not None), None)


def _present(site: Site, k: int) -> Tensor:
    """Which of the classes are in the batch."""
    y: Tensor = site.target.numbers
    if not y.is_floating_point():
        counted = y[y != site.option("ignore_index", -100)]
        return torch.bincount(counted.flatten().clamp(0, k - 1), minlength=k) > 0
    if not site.alike:
        return torch.zeros(k, dtype=torch.bool, device=y.device)
    return y.movedim(site.axis or 0, -1).reshape(-1, k).sum(dim=0) > 0


def _weightless(site: Site, lost: Tensor) -> Found:
    y = site.target.numbers
    share = float("nan") if y.is_floating_point() else float(torch.isin(y, lost).double().mean())
    aim = goal.of_site(site, "softmax", y, axis=site.axis, z=original(site.input))
    return _lost(said(site), lost, share, aim)


def _lost(words: dict[str, str], classes: Tensor, share: float, aim: goal.Goal | None = None) -> Found:
    return Found({**words, "classes": ", ".join(map(str, classes.tolist())), "share": share}, "", Cure("real-weights", {}, (), aim))


def _weights_by_hand(case: Case, step: Step) -> Found | None:
    """w[y] that multiplies something that learns."""
    if step.op not in LOOKED_UP or not step.outs or not step.ins or not _is_weight(case, step.ins[0]):
        return None
    w, out = step.ins[0], step.outs[0]
    if len(w.shape) != 1 or not any(case.of_target(v) for v in step.ins[1:]) or not bool((out.numbers == 0).any()):
        return None
    if not _weighs(out):
        return None
    return _lost(told("by-hand", target=out), torch.nonzero(w.numbers == 0).flatten(), float((out.numbers == 0).double().mean()))


def _weights_on_one_hot(case: Case, step: Step) -> Found | None:
    """w times y one-hot that multiplies something that learns."""
    if len(step.ins) != 2 or not step.outs:
        return None
    w, y = step.ins if _is_weight(case, step.ins[0]) else step.ins[::-1]
    if not _is_weight(case, w) or y.learns or not case.of_target(y) or w.shape[-1:] != y.shape[-1:]:
        return None
    if w.tensor.numel() != w.shape[-1] or one_hot(y.numbers) != len(y.shape) - 1:
        return None
    rows = y.numbers.reshape(-1, y.shape[-1])
    lost = torch.nonzero((w.numbers.flatten() == 0) & (rows.sum(dim=0) > 0)).flatten()
    if not len(lost) or not _weighs(step.outs[0]):
        return None
    return _lost(told("by-hand", target=y), lost, float(rows[:, lost].double().sum(dim=1).mean()))


def _is_weight(case: Case, value: Value) -> bool:
    """Whether a value may be the weights of classes: given numbers, and not of the batch."""
    given = not value.learns and value.tensor.is_floating_point() and value.tensor.numel() > 1
    return given and (value.role in ("constant", "buffer") or case.roles(value) <= {"constant", "buffer"})


def _weighs(value: Value) -> bool:
    """Whether a value multiplies something that learns."""
    return any(step.op in ("mul", "mul_") and step.learned for step in value.used_by)


ALL = (all_ignored, zero_class_weight)
