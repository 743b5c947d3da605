"""Costs that are a function of z less yz, by hand: log(1 + e^z) − yz of a sigmoid, e^z − yz of counts."""

from __future__ import annotations

from xent.doctor.carrying import VIEWS, complement, negated, original
from xent.doctor.natures import Natures
from xent.doctor.sites.site import Site
from xent.doctor.sites.weights import of_batch, unscaled
from xent.doctor.trace import Step, Value

CUT = {"relu", "clamp_min", "clamp", "maximum"}
WHOLE = {"softplus", "logaddexp"}
OF_Z = CUT | WHOLE | {"exp", "log1p", "abs"}


def partitions(steps: list[Step], natures: Natures) -> list[Site]:
    """Where z is multiplied by a target, and the rest is there as well."""
    rest: dict[int, set[str]] = {}
    for step in steps:
        if step.op in OF_Z:
            for z in step.learned:
                inside = negated(z)
                rest.setdefault(original(z if inside is None else inside).id, set()).add(step.op)
    sites: dict[int, Site] = {}
    for step in (step for step in steps if step.op == "mul"):
        learned, given = step.learned, [v for v in step.given if v.tensor.numel() > 1]
        if len(learned) != 1 or len(given) != 1 or not of_batch(given[0]) or complement(given[0]) is not None:
            continue
        z, there = learned[0], rest.get(original(learned[0]).id, set())
        of_pair = _softplus_pair(z, steps)
        if (there & WHOLE or ("abs" in there and there & CUT)) and _opposite(step.outs[0]):
            form = "bce-logits"
        elif there == {"exp"} and natures.of(z).kind == "raw" and not _in_a_sum(z, steps):
            form = "poisson"
        elif of_pair is not None:
            form, z = "bce-logits", of_pair
        else:
            continue
        sites.setdefault(original(z).id, Site(form, z, unscaled(given[0]), step=step, nature=natures.of(z)))
    return list(sites.values())


def _opposite(product: Value) -> bool:
    """Whether yz is taken from log(1 + e^z), in whatever form, without a factor at either."""
    for step in product.used_by:
        others = [v for v in step.ins if v is not product]
        if not step.outs:
            continue
        if step.op in VIEWS or step.op == "neg":
            return _opposite(step.outs[0])
        if step.op not in ("sub", "rsub", "add") or not others or step.argument(2, "alpha", 1) != 1:
            continue
        made = others[0].made_by
        parts = [v.made_by for v in (others[0], *(made.ins if made is not None and made.op in ("add", "sub") else ()))]
        if any(p is not None and p.op in WHOLE | CUT for p in parts):
            return True
    return False


def _in_a_sum(z: Value, steps: list[Step]) -> bool:
    """Whether e^z goes on into log(1 + e^z), or is divided by, as in a softmax."""
    powers = [s.outs[0] for s in steps if s.op == "exp" and s.ins and original(s.ins[0]) is original(z)]
    onward = [(v, s) for v in powers for s in v.used_by if s.outs and s.op in ("log1p", "add", "div", "log", "sum")]
    return any(len(s.outs[0].shape) >= len(v.shape) for v, s in onward)


def _softplus_pair(value: Value, steps: list[Step]) -> Value | None:
    """z where a value is log(1 + e^−z), and log(1 + e^z) is there beside it."""
    made = value.made_by
    z = negated(made.ins[0]) if made is not None and made.op == "softplus" else None
    return z if z is not None and any(s.op == "softplus" and original(s.ins[0]) is original(z) for s in steps) else None
