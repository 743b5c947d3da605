"""Cross-entropy by hand: logarithms of a softmax or a sigmoid, and what picks or weighs them."""

from __future__ import annotations

from dataclasses import replace

from xent.doctor.carrying import complement, leads, original
from xent.doctor.natures import Nature, Natures
from xent.doctor.sites.margins import margin
from xent.doctor.sites.picks import GATHERING, picked
from xent.doctor.sites.site import Site
from xent.doctor.sites.weights import factors, of_batch, rest_of_many, unscaled
from xent.doctor.trace import Step, Value

PICKING = (*GATHERING, "mul", "nll_loss_forward", "dot", "mm", "xlogy")


def logarithms(steps: list[Step], natures: Natures) -> list[Site]:
    """A site for all logarithms of the same logits; none where a cost function took them."""
    trace = natures.trace
    groups: dict[tuple[int, str], list[Value]] = {}
    for step in trace.steps:
        if step.call is None and step.outs and step.grad:
            nature = natures.of(step.outs[0])
            if nature.is_log and step.outs[0].learns and nature.step is not None:
                groups.setdefault((original(nature.z).id, nature.inner), []).append(step.outs[0])
    taken = {original(natures.of(v).z).id for call in trace.calls for v in call.args.values() if isinstance(v, Value)}
    free = {key: logs for key, logs in groups.items() if key[0] not in taken}
    sites = [(_of_softmax if inner == "softmax" else _of_sigmoid)(logs, natures, steps) for (_, inner), logs in free.items()]
    return [site for site in sites if site is not None]


def _of_softmax(logs: list[Value], natures: Natures, steps: list[Step]) -> Site | None:
    first = natures.of(logs[0])
    z = original(first.z)
    for step in steps:
        x = next((v for v in step.learned if _is_of(natures, v, z)), None)
        if x is None or step.op not in PICKING:
            continue
        nature = natures.of(x)
        if nature.picked:
            continue
        if nature.kind == "raw" and step.op == "mul":  # log Σe^z − Σyz
            nature = Nature("log", z, first.axis, inner="softmax", step=first.step)
            if not any(of_batch(v) and v.shape == x.shape for v in step.given):
                continue
        site = picked(step, x, nature)
        if site is not None:
            return site
    for value in logs:
        nature = natures.of(value)
        y = next((f for f in factors(value) if f.shape == value.shape and of_batch(f)), None)
        if y is not None and not nature.turned and not nature.picked:
            return Site("log-weighted", value, y, first.axis, step=value.made_by, nature=nature)
    return None


def _is_of(natures: Natures, value: Value, z: Value) -> bool:
    """Whether a value is z, or its softmax, or the logarithm of that."""
    if value.id < z.id:
        return False
    nature = natures.of(value)
    return nature.kind in ("softmax", "log", "raw", "shifted") and (original(nature.z) is z or original(value) is z)


def _of_sigmoid(logs: list[Value], natures: Natures, steps: list[Step]) -> Site | None:
    straight = [v for v in logs if not natures.of(v).turned]
    turned = [v for v in logs if natures.of(v).turned]
    nature = natures.of((straight or turned)[0])
    found = margin(nature.z)
    if found is not None:
        s, y, where = found
        return Site("logistic", s, y, step=where, nature=natures.of(s))
    told = [(v, target) for v in logs if (target := natures.of(v).target) is not None] or _weighed_both(straight, turned)
    if told:
        value, target = told[0]
        return Site("bce-by-hand", value, target, step=value.made_by, nature=natures.of(value))
    if all(natures.of(v).picked for v in logs):
        site = _picked_before(nature.z, natures, steps)
        if site is not None:
            return site
    if straight and turned and any(_weighed_otherwise(v, nature.z) for v in logs):
        return None  # r log(1 − a) + y log a: a negative binomial, say
    if any(rest_of_many(f) for v in turned for f in factors(v)):
        return None  # (n − y) log(1 − a) + y log a: a binomial
    both = bool(straight and turned)
    sites = (_of_one(value, value in turned, both, natures, steps) for value in (*straight, *turned))
    return next((site for site in sites if site is not None), None)


def _weighed_both(straight: list[Value], turned: list[Value]) -> list[tuple[Value, Value]]:
    """(log a, y) where log a is weighed by y and log(1 − a) by 1 − y, whatever else weighs them."""
    against = {original(y).id for v in turned for f in factors(v) if (y := complement(f)) is not None}
    return [(v, y) for v in straight for y in factors(v) if original(y).id in against]


def _picked_before(z: Value, natures: Natures, steps: list[Step]) -> Site | None:
    """The site of probabilities that were picked before their logarithm was taken."""
    for step in steps:
        x = step.ins[0] if step.ins and step.op in GATHERING else None
        if x is not None and natures.of(x).kind == "sigmoid" and original(natures.of(x).z) is original(z):
            site = picked(step, x, natures.of(x))
            if site is not None:
                return replace(site, form="log-sigmoid-pick", both=False)
    return None


def _of_one(value: Value, turned: bool, both: bool, natures: Natures, steps: list[Step]) -> Site | None:
    """The site of a single logarithm: what picks it, or weighs it by y or, for log(1 − a), by 1 − y."""
    for step in steps:
        if value not in step.ins:
            continue
        site = picked(step, value, natures.of(value)) if step.op in ("gather", "index") and len(value.shape) > 1 else None
        if site is not None:
            return replace(site, form="log-sigmoid-pick", both=both)
        other = next(iter(step.given), None)
        if step.op == "mul" and other is not None and other.tensor.numel() > 1:
            target = complement(unscaled(other)) if turned else unscaled(other)
            if target is not None:
                return Site("bce-by-hand", value, target, step=step, nature=natures.of(value), both=both)
    return None


def _weighed_otherwise(value: Value, z: Value) -> bool:
    """Whether a logarithm is weighed by something that learns and is not made of its own logits."""
    z = original(z)
    others = [v for s in value.used_by if s.op in ("mul", "xlogy") for v in s.learned if v is not value]
    return any(not leads(v, z) for v in others if v.role != "param")
