"""Costs of a margin y·s by hand: hinge, logistic, exponential."""

from __future__ import annotations

from xent.doctor.carrying import VIEWS
from xent.doctor.natures import Natures
from xent.doctor.sites.site import Site
from xent.doctor.sites.weights import of_batch
from xent.doctor.trace import Step, Value

SHIFTING = VIEWS | {"neg", "rsub", "add", "sub", "mul"}
FORMS = {"softplus": "logistic", "relu": "hinge", "clamp_min": "hinge", "clamp": "hinge", "exp": "exponential"}


def margins(steps: list[Step], natures: Natures) -> list[Site]:
    """Where something of the batch meets an answer in a margin."""
    sites = []
    for step in steps:
        found = margin(step.ins[0]) if step.op in FORMS and step.ins and step.ins[0].learns else None
        if found is None or not of_batch(found[1]):
            continue
        s, y, where = found
        log1p = step.op == "exp" and any(user.op in ("log1p", "add") for user in step.outs[0].used_by)
        sites.append(Site("logistic" if log1p else FORMS[step.op], s, y, step=where, nature=natures.of(s)))
    return sites


def margin(value: Value) -> tuple[Value, Value, Step] | None:
    """(s, y, where) if a value is a margin ±(y·s), shifted or scaled by constants."""
    for _ in range(4):
        step = value.made_by
        if step is None or len(step.learned) != 1:
            return None
        (s,), given = step.learned, step.given
        if step.op == "mul" and len(given) == 1 and given[0].tensor.numel() > 1:
            return s, given[0], step
        if step.op not in SHIFTING:
            return None
        value = s
    return None
