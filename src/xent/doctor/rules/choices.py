"""Rules about the choice between classes: over which axis, among how many, and whether exactly one of them is right."""

from __future__ import annotations

import math

import torch

from xent.doctor import goal
from xent.doctor.carrying import carry, numbered
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import binary, multi_hot, one_hot, placed, width
from xent.doctor.sites import Site
from xent.doctor.trace import Value

BCE = ("bce", "bce-logits", "bce-by-hand")


@rule("one-class-softmax", "error")
def one_class_softmax(case: Case) -> Found | None:
    """A softmax over one class answers 1, whatever the logits."""
    for site in case.sites:
        nature, axis, shape = site.nature, site.axis, site.input.shape
        step = nature.step if nature.of_softmax else None
        if step is not None:
            dim = step.argument(1, "dim")
            axis = dim if isinstance(dim, int) else nature.axis
            shape = step.ins[0].shape if step.op in ("_softmax", "_log_softmax") else nature.z.shape
        elif not site.indexed or site.form == "multi-margin":
            continue
        if axis is None or not shape or axis >= len(shape) or shape[axis] != 1:
            continue
        words, z, aim = placed(case, site), nature.z if step is not None else site.input, None
        if isinstance(site.target, Value):
            y = site.target.numbers
            if y.numel() == z.tensor.numel() and binary(y):
                aim = goal.arranged(z, numbered(z).reshape(-1), "sigmoid", y.reshape(-1), None)
        return Found({**words, "n": z.tensor.numel()}, "", Cure("one-logit-bce", words, ("two-classes",), aim))
    return None


@rule("softmax-wrong-axis", "error")
def softmax_wrong_axis(case: Case) -> Found | None:
    """A softmax that shares out one unit among samples or positions instead of classes."""
    for site in case.sites:
        nature = site.nature
        ran = nature.axis if nature.of_softmax else None
        if site.form == "cross-entropy" and len(site.input.shape) == 1 and ran is None:
            if _is_choice_among_samples(case, site):
                return _among_samples(case, site)
            continue
        wanted = _wanted_axis(case, site)
        if wanted is None or wanted >= len(site.input.shape) or ran == wanted:
            continue
        if ran is not None:
            size = site.input.shape[ran]
        elif nature.step is not None and _shared_out_over_others(site, wanted):
            ran = nature.step.argument(1, "dim") % len(nature.z.shape)
            size = nature.z.shape[ran]
        else:
            continue
        words, aim = placed(case, site), None
        if isinstance(site.target, Value):
            aim = goal.of_site(site, "softmax", site.target.numbers, axis=wanted, z=nature.z)
        evidence = {**words, "ran": ran, "wanted": wanted, "size": size, "classes": site.input.shape[wanted]}
        return Found(evidence, "", Cure("right-axis", {**words, "wanted": str(wanted)}, ("drop-squashing",), aim))
    return None


def _is_choice_among_samples(case: Case, site: Site) -> bool:
    """Whether one logit a sample meets one number a sample in a cross-entropy."""
    return site.alike and site.target.tensor.is_floating_point() and site.input.shape[0] == case.batch_size > 1


def _among_samples(case: Case, site: Site) -> Found:
    words, y = placed(case, site), site.target.numbers
    aim = goal.of_site(site, "sigmoid", y) if binary(y) else None
    evidence = {**words, "ran": 0, "size": site.input.shape[0]}
    return Found(evidence, "samples", Cure("one-logit-bce", words, ("two-classes",), aim))


def _shared_out_over_others(site: Site, wanted: int) -> bool:
    """Whether elements along the wanted axis belong to different sums of the softmax, which ran before a reshape."""
    step = site.nature.step
    if step is None or step.op not in ("_softmax", "_log_softmax") or site.nature.picked:
        return False
    out, axis = step.outs[0], step.argument(1, "dim") % len(step.outs[0].shape)
    rest = [n for i, n in enumerate(out.shape) if i != axis]
    group = torch.arange(math.prod(rest)).reshape(rest).unsqueeze(axis).expand(out.shape).contiguous()
    moved = carry(out, site.input, group.to(out.tensor.device))
    return moved is not None and bool((moved != moved.select(wanted, 0).unsqueeze(wanted)).any())


def _wanted_axis(case: Case, site: Site) -> int | None:
    """The axis of the classes, as the targets tell it."""
    if site.form in ("nll", "cross-entropy", "log-pick"):
        return site.axis
    if not isinstance(site.target, Value):
        return None
    told = case.nature(site.target)
    if told.kind == "softmax" and told.axis is not None:
        return told.axis
    y, ran = site.target.numbers.double(), site.nature.axis
    if not site.alike or y.ndim < 2 or ran is None or not bool((y >= 0).all()):
        return None
    sums = [i for i in range(y.ndim) if y.shape[i] > 1 and bool(((y.sum(dim=i) - 1).abs() < 1e-4).all())]
    return sums[0] if len(sums) == 1 and sums[0] != ran else None


@rule("sigmoid-for-exclusive-classes", "warning", "pairing")
def sigmoid_for_exclusive_classes(case: Case) -> Found | None:
    """One sigmoid a class where exactly one is right: a choice (one-vs-rest), unless the wrong ones are never pushed down."""
    for site in case.sites:
        if site.form == "log-sigmoid-pick" and site.nature.inner == "hard":
            continue  # a probability of some other making, clamped
        if site.form == "log-sigmoid-pick" or (site.form in ("nll", "log-pick") and site.nature.inner == "sigmoid"):
            return _unopposed(case, site)
        axis = one_hot(site.target.numbers) if site.form in BCE and site.alike else None
        if axis is None or not case.of_target(site.target) or site.nature.kind == "softmax":
            continue
        p = case.pairing(site)
        if p is not None and len(p.z) < site.input.tensor.numel():
            continue  # where some do not count, as behind a time of death, they are no classes
        y, words = site.target.numbers, placed(case, site)
        opposed = site.both or site.form != "bce-by-hand"
        aim = goal.of_site(site, "softmax", y.double().argmax(dim=axis), axis=axis, z=site.logits)
        evidence = {**words, "classes": y.shape[axis], "n": y.numel() // y.shape[axis]}
        cure = Cure("cross-entropy-on-logits", words, ("keep-one-vs-rest",), aim)
        return Found(evidence, "" if opposed else "unopposed", cure, severity="warning" if opposed else "error")
    return None


def _unopposed(case: Case, site: Site) -> Found:
    """Only the right class's logarithm is in the cost."""
    words, aim = placed(case, site), None
    axis = site.axis if site.axis is not None else len(site.input.shape) - 1
    if isinstance(site.target, Value):
        y = site.target.numbers
        y = y.squeeze(axis) if y.ndim == len(site.input.shape) and y.shape[axis] == 1 else y
        aim = goal.of_site(site, "softmax", y, axis=axis, z=site.nature.z)
    evidence = {**words, "classes": width(site), "n": site.input.tensor.numel() // max(width(site), 1)}
    return Found(evidence, "unopposed", Cure("cross-entropy-on-logits", words, (), aim), severity="error")


@rule("softmax-for-independent-labels", "error", "pairing")
def softmax_for_independent_labels(case: Case) -> Found | None:
    """A softmax, whose answers sum to one, for labels of which several or none may be true."""
    for site in case.sites:
        nature, softmax = site.nature, site.nature.of_softmax
        if (not softmax and site.form != "cross-entropy") or not site.alike:
            continue
        axis = nature.axis if softmax and nature.axis is not None else site.axis
        y, z = site.target.numbers, nature.z if softmax else site.input
        share = multi_hot(y, axis) if axis is not None and y.ndim > 1 else None
        if share is None or case.similarities(z):
            continue
        words, aim = placed(case, site), goal.of_site(site, "sigmoid", y, z=z)
        evidence = {**words, "share": share, "mean": float(y.double().sum(dim=axis).mean())}
        return Found(evidence, "", Cure("bce-on-logits", words, ("add-sigmoid",), aim))
    return None


ALL = (one_class_softmax, softmax_wrong_axis, sigmoid_for_exclusive_classes, softmax_for_independent_labels)
