"""The rule about bare weighted sums where probabilities or their logarithms are wanted: by a cost, a logarithm, a distribution."""

from __future__ import annotations

from xent.doctor import goal
from xent.doctor.carrying import VIEWS, behind
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.natures import Nature
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import LOGARITHMS, layer_of, one_hot, placed
from xent.doctor.sites import Site
from xent.doctor.trace import Step, Value

LOGS = ("log", "log_", "log1p", "log2", "xlogy")
POSITIVE = ("abs", "relu", "softplus", "square")
UNDOING = VIEWS | frozenset(("log", "log_", "log2", "clamp", "clamp_min", "add"))


@rule("logits-as-probabilities", "error")
def logits_as_probabilities(case: Case) -> Found | None:
    """Weighted sums where probabilities, or their logarithms, are wanted."""
    for site in case.sites:
        if site.form in ("bce", *LOGARITHMS) and _is_bare(case, site):
            return _raw(case, site, site.input, "" if site.form == "bce" else "logarithm")
    for step in case.trace.steps:
        if step.op in LOGS and step.outs and step.call is None and step.outs[0].learns:
            found = _in_a_logarithm(case, step)
            if found is not None:
                return found
    return _refused(case)


def _is_bare(case: Case, site: Site) -> bool:
    """Whether what a cost function is given is a weighted sum, only cut off perhaps, or the logarithm of one."""
    nature = site.nature
    if nature.kind == "raw":
        return case.straight(site.input)
    if nature.kind == "log" and nature.inner == "raw":
        return case.straight(nature.z)
    cut = nature.kind == "rectified" and nature.inner != "clamp"
    return cut or (nature.kind == "tanh" and nature.low < 0) or _clamped(case, nature)


def _in_a_logarithm(case: Case, step: Step) -> Found | None:
    """A weighted sum whose logarithm meets the targets, or makes the cost nan."""
    y: Value | None
    if step.op == "xlogy":
        y, x = step.ins[0], _undone(step.ins[-1])
        bare = step.ins[-1].learns and case.straight(x) and case.of_target(y)
    else:
        nature, y, x = case.nature(step.outs[0]), _partner(step.outs[0]), _shared(case, _undone(step.ins[0]))
        bare = (nature.kind == "log" and nature.inner == "raw" and case.straight(x)) or _clamped(case, nature)
        bare = bare and (_meets_target(case, step.outs[0]) or _makes_nan(case, step))
    return _raw(case, Site("bce-by-hand", x, y, step=step, nature=case.nature(x)), x, "") if bare else None


def _makes_nan(case: Case, step: Step) -> bool:
    """Whether the cost is nan of this logarithm."""
    cost, out = case.seen.cost, step.outs[0].numbers
    of_this = bool(out.isnan().any()) and not bool(step.ins[0].numbers.isnan().any())
    return cost is not None and bool(cost.detach().isnan()) and of_this


def _shared(case: Case, value: Value) -> Value:
    """A value before it was divided by its sum."""
    nature = case.nature(value)
    return nature.z if nature.kind == "shares" else value


def _refused(case: Case) -> Found | None:
    """Weighted sums that a distribution refused as its probabilities, after it had compared them with 0 and 1."""
    if not isinstance(case.seen.error, ValueError) or "probs" not in case.seen.raised:
        return None
    for step in reversed(case.trace.steps[-12:]):
        x = _shared(case, step.ins[0]) if step.op in ("ge", "le", "gt", "lt") and step.ins else None
        if x is not None and x.learns and case.straight(x):
            return _raw(case, Site("bce-by-hand", x, step=step, nature=case.nature(x)), x, "")
    return None


def _clamped(case: Case, nature: Nature) -> bool:
    """Whether a weighted sum was only cut off at 0 and 1."""
    hard = "hard" in (nature.kind, nature.inner) and nature.step is not None and nature.step.op in ("clamp", "clamp_", "hardtanh")
    return hard and case.straight(nature.z)


def _undone(value: Value) -> Value:
    """A value before clamping, a small constant, or what only makes it positive.

    What makes it positive is looked through where nothing else uses the value, but for 1 − it: a rate, or what shares are made of,
    is used twice.
    """
    alone = len(_uses(behind(value, VIEWS))) == 1
    while (step := value.made_by) is not None and len(step.ins) == 1:
        before = step.ins[0]
        alone = alone and len(_uses(behind(before, VIEWS))) == 1
        if step.op not in ("clamp", "clamp_min", "add") and not (alone and step.op in POSITIVE):
            return value
        value = before
    return value


def _uses(value: Value) -> list[Step]:
    """What is computed from a value, seen through views; 1 − it is no other use, being what is left for the other class."""
    found = []
    for step in value.used_by:
        if step.op in VIEWS and step.outs:
            found += _uses(step.outs[0]) if step.outs[0].learns and step.op != "detach" else []
        elif step.op != "rsub" or step.argument(1, "other") != 1:
            found.append(step)
    return found


def _partner(value: Value, depth: int = 0) -> Value | None:
    """What a logarithm is multiplied by, or picked with; given numbers may be added before, as log p in p (log p − log q)."""
    for step in value.used_by:
        if step.op == "mul":
            return next((v for v in step.given if v.tensor.numel() > 1), None)
        if step.op == "gather":
            return step.ins[1]
        if step.op == "where" and value is step.argument(1):
            return step.ins[0]
        if step.op in ("sub", "rsub", "add", "neg") and depth < 3 and step.outs and len(step.learned) == 1:
            further = _partner(step.outs[0], depth + 1)
            if further is not None:
                return further
    return None


def _meets_target(case: Case, value: Value) -> bool:
    """Whether a logarithm is multiplied or picked by the targets, or is one of what they picked."""
    partner = _partner(value) or _picked_by(value) or case.nature(value).target
    return partner is not None and case.of_target(partner)


def _picked_by(value: Value) -> Value | None:
    """The indices that picked what a value was made from."""
    for _ in range(12):
        step = value.made_by
        if step is None or not step.ins or step.op not in UNDOING:
            return None
        if step.op in ("gather", "index", "take_along_dim"):
            return next((v for v in step.ins[1:] if not v.tensor.is_floating_point()), None)
        value = step.ins[0]
    return None


def _raw(case: Case, site: Site, value: Value, variant: str) -> Found:
    numbers = value.numbers.double()
    outside = float(((numbers < 0) | (numbers > 1)).double().mean()) if numbers.numel() else 0.0
    words = placed(case, site, case.nature(value)) | {"layer": layer_of(case, value)}
    target = site.target.numbers if isinstance(site.target, Value) else None
    exclusive = bool(variant) or any(case.nature(step.outs[0]).kind == "shares" for step in value.used_by if step.outs)
    if exclusive or (target is not None and (tuple(target.shape) != site.input.shape or one_hot(target) is not None)):
        axis = site.axis if site.axis is not None else max(len(value.shape) - 1, 0)
        axis = 1 if variant and site.axis is None else axis
        if target is not None and tuple(target.shape) != site.input.shape and target.ndim == len(value.shape):
            target = target.squeeze(axis)
        aim = None if target is None else goal.of_site(site, "softmax", target, axis=axis, z=value)
        cure = Cure("cross-entropy-on-logits", words, ("log-softmax-nll",), aim)
    else:
        aim = None if target is None else goal.of_site(site, "sigmoid", target, z=value)
        cure = Cure("bce-on-logits", words, ("add-sigmoid",), aim)
    least, most = (float(numbers.min()), float(numbers.max())) if numbers.numel() else (0.0, 0.0)
    return Found({**words, "least": least, "most": most, "outside": outside}, variant, cure)


ALL = (logits_as_probabilities,)
