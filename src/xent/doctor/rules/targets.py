"""Rules about targets: what they may be, and how they lie beside the answers."""

from __future__ import annotations

import torch
from torch import Tensor

from xent.doctor import goal
from xent.doctor.carrying import VIEWS
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import ELEMENTWISE, NEAR, PICKS, PROBABLE, binary, layer_of, multi_hot, said, signed, told
from xent.doctor.sites import ERRORS, Site
from xent.doctor.trace import Value


@rule("signed-labels", "error", "target")
def signed_labels(case: Case) -> Found | None:
    """Labels −1 and 1 under a cost that wants 0 and 1."""
    for site in case.sites:
        if not isinstance(site.target, Value):
            continue
        y = site.target.numbers
        squashed = site.form in ERRORS and site.nature.squashed and site.nature.low >= 0
        if not (site.form in PROBABLE or squashed or site.form in PICKS) or not signed(y):
            continue
        if site.form in PICKS and site.option("ignore_index", -100) == -1:
            continue
        words = said(site)
        fixed = (y + 1) / 2
        aim = None
        if site.form in PICKS:
            aim = goal.of_site(site, "softmax", fixed.long(), axis=site.axis)
        elif site.form in PROBABLE:
            aim = goal.of_site(site, "sigmoid", fixed, z=site.logits) if site.alike else None
        share = float((y == -1).double().mean())
        return Found({**words, "share": share}, "", Cure("zero-one-labels", words, ("soft-margin",), aim))
    return None


@rule("target-outside-domain", "error", "target")
def target_outside_domain(case: Case) -> Found | None:
    """Targets that the cost gives no meaning to, or that the output can never reach."""
    for site in case.sites:
        if not isinstance(site.target, Value) or not site.target.tensor.numel():
            continue
        domain = _domain(site)
        if domain is None:
            continue
        low, high, variant = domain
        y = site.target.numbers.double()
        if site.form == "kl" and site.option("log_target"):
            y = y.exp()
        if not bool(torch.isfinite(y).all()) or signed(y):
            continue
        if variant == "labels":
            if binary(y) and bool((y == 0).any()):
                return _unsigned(case, site, y)
            continue
        reach = high - low if high < float("inf") else 1.0
        outside = float(((y < low - NEAR * reach) | (y > high + NEAR * reach)).double().mean())
        sums_off = variant == "distribution" and not outside and _sums_off(site, y)
        if not outside and not sums_off:
            continue
        words, share = said(site), 1.0 if sums_off else outside
        evidence = {**words, "least": float(y.min()), "most": float(y.max()), "low": low, "high": high, "share": share}
        key = {"distribution": "make-distribution", "reach": "linear-output"}.get(variant, "scale-targets")
        cure = Cure(key, words, ("scale-targets",) if variant == "reach" else (), _scaled_goal(site, variant))
        return Found(evidence, "sums" if sums_off else variant, cure)
    return None


def _unsigned(case: Case, site: Site, y: Tensor) -> Found:
    """Labels 0 and 1 under a cost of a margin."""
    words = {**said(site), "layer": layer_of(case, site.input)}
    evidence = {**words, "least": 0.0, "most": 1.0, "low": -1.0, "high": 1.0, "share": float((y == 0).double().mean())}
    return Found(evidence, "labels", Cure("signed-for-margin", words, ("bce-on-logits",)))


def _sums_off(site: Site, y: Tensor) -> bool:
    """Whether shares between 0 and 1 do not sum to 1 over the classes; labels of which several are true are another fault."""
    axis = site.nature.axis if site.nature.axis is not None else site.axis
    if axis is None or axis >= y.ndim:
        return False
    sums = y.sum(dim=axis)
    return bool(((sums - 1).abs() > 1e-2)[sums != 0].any()) and multi_hot(y, axis) is None and not binary(y)


def _scaled_goal(site: Site, variant: str) -> goal.Goal | None:
    """The cost with its targets brought into their domain: between 0 and 1, or to a sum of 1 over the classes."""
    if not site.alike:
        return None
    y, z, axis = site.target.numbers.double(), site.logits, site.class_axis
    if variant == "probability" and bool(y.max() > y.min()):
        return goal.of_site(site, "sigmoid", (y - y.min()) / (y.max() - y.min()), z=z)
    if variant == "distribution" and axis is not None and bool((y >= 0).all()):
        return goal.of_site(site, "softmax", y / y.sum(dim=axis, keepdim=True).clamp_min(1e-12), axis=axis, z=z)
    return None


def _domain(site: Site) -> tuple[float, float, str] | None:
    """(least, greatest, what for) of the targets that a cost takes; None where every number will do."""
    if site.form in PROBABLE:
        return 0.0, 1.0, "probability"
    if site.form in ("cross-entropy", "kl", "log-weighted"):
        soft = site.alike and site.target.tensor.is_floating_point() and site.form != "log-weighted"
        return (0.0, 1.0, "distribution") if soft else None
    if site.form == "poisson":
        return 0.0, float("inf"), "count"
    if site.form in ("logistic", "hinge", "hinge-embedding", "exponential"):
        return -1.0, 1.0, "labels"
    if site.form in ERRORS and site.alike:
        nature = site.nature
        if nature.squashed:
            return nature.low, nature.high, "reach"
        if (nature.kind == "rectified" and nature.inner in ("relu", "softplus", "threshold", "clamp")) or nature.kind == "exp":
            return 0.0, float("inf"), "reach"
    return None


@rule("broadcast-target", "error", "target")
def broadcast_target(case: Case) -> Found | None:
    """Answers (N, 1) against targets (N,): every answer is compared with every target."""
    for site in case.sites:
        if site.form not in ELEMENTWISE or site.indexed or not isinstance(site.target, Value):
            continue
        a, y = site.input.shape, site.target.shape
        if a == y or not _crossed(a, y, bool(site.raised)) or (_spread(site.input) and _spread(site.target)):
            continue
        words = said(site)
        same = torch.Size(a).numel() == torch.Size(y).numel()
        aim = None
        if same:
            numbers = site.target.numbers.reshape(a)
            squash = {"bce": "sigmoid", "bce-logits": "sigmoid", "bce-by-hand": "sigmoid"}.get(site.form, "identity")
            if site.form in ERRORS and site.nature.squashed:
                squash = "sigmoid" if site.nature.kind == "sigmoid" and binary(numbers) else ""
            z = site.logits if squash == "sigmoid" else site.input
            aim = goal.of_site(site, squash, numbers, z=z) if squash else None
        n = torch.Size(y).numel()
        return Found({**words, "n": n, "pairs": n * torch.Size(a).numel()}, "raised" if site.raised else "",
                     Cure("same-shape", {**words, "shape": str(list(a))}, (), aim))  # fmt: skip
    return _crossed_by_hand(case)


def _crossed_by_hand(case: Case) -> Found | None:
    """Answers and targets with another number of axes, subtracted or multiplied, in whatever cost; or refused by PyTorch."""
    for step in case.trace.steps:
        difference = step.op in ("sub", "rsub", "sub_")
        product = step.op in ("mul", "div") and not step.in_model and step.func is not None
        if not (difference or product) or len(step.ins) != 2 or step.call is not None:
            continue
        a, y = step.ins if step.ins[0].learns else step.ins[::-1]
        if not a.learns or y.learns or not case.of_target(y) or len(a.shape) == len(y.shape) == 0:
            continue
        if len(a.shape) == len(y.shape) or not _crossed(a.shape, y.shape, bool(step.raised)) or 1 not in (*a.shape, *y.shape):
            continue
        if product and (_spread(a) or _spread(y)):
            continue
        n = torch.Size(y.shape).numel()
        words = told("by-hand", a, y, step.raised)
        return Found({**words, "n": n, "pairs": n * torch.Size(a.shape).numel()}, "raised" if step.raised else "",
                     Cure("same-shape", {**words, "shape": str(list(a.shape))}))  # fmt: skip
    return None


def _spread(value: Value) -> bool:
    """Whether a value was given another axis by hand: where both sides were, all pairs are meant."""
    while value.made_by is not None and value.made_by.ins and value.made_by.op in VIEWS:
        if value.made_by.op == "unsqueeze":
            return True
        value = value.made_by.ins[0]
    return False


def _crossed(a: tuple[int, ...], y: tuple[int, ...], raised: bool) -> bool:
    """Whether broadcasting puts samples of one beside samples of the other; or would, had PyTorch not refused."""
    squeezed = [tuple(n for n in shape if n != 1) for shape in (a, y)]
    if raised:
        return squeezed[0] == squeezed[1] and a != y
    try:
        out = tuple(torch.broadcast_shapes(a, y))
    except RuntimeError:
        return False
    if torch.Size(out).numel() <= max(torch.Size(a).numel(), torch.Size(y).numel()):
        return False
    return squeezed[0] == squeezed[1] or (bool(squeezed[0]) and bool(squeezed[1]) and squeezed[0][0] == squeezed[1][0])


@rule("single-class-batch", "warning", "target")
def single_class_batch(case: Case) -> Found | None:
    """Every target of the batch is the same class: the data were not shuffled, say."""
    for pairing in case.pairings:
        site = pairing.site
        if not case.given(site) or len(pairing.label) < 4 or not pairing.hard:
            continue
        if not pairing.vector and len(site.input.shape) > 1 and max(site.input.shape[1:]) > 1:
            continue  # several labels a sample
        if bool((pairing.label == pairing.label[0]).all()):
            words = said(site)
            return Found({**words, "n": len(pairing.label), "classes": int(pairing.label[0])}, "", None, "needs-data")
    return None


ALL = (target_outside_domain, signed_labels, broadcast_target, single_class_batch)
