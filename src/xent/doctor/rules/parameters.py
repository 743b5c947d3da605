"""The rule about parameters out of reach: cut off, flattened, forgotten, dropped, or of no module."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from torch import nn

from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.rules.base import Found, rule
from xent.doctor.trace import Step, Value

CUTTING = ("detach", "argmax", "round", "floor", "sign", "gt", "ge", "lt", "le", "_to_copy", "topk", "sort")
"""Operations that gradients do not pass."""
FLAT = ("round", "floor", "ceil", "trunc", "fix", "sign", "sgn", "heaviside")
"""Operations whose slope is 0 wherever they have one."""


@rule("untrained-parameters", "error", "cost")
def untrained_parameters(case: Case) -> Found | None:
    """Parameters that are to be trained and that no gradient can reach."""
    seen = case.seen
    if seen.cost is None:
        return None
    sizes = {n: p.numel() for n, p in seen.model.named_parameters()}
    total = sum(p.numel() for p in seen.model.parameters() if p.requires_grad)
    if not seen.cost.requires_grad:
        where = _cut(case)
        return Found({"names": "", "count": total, "of": total, "where": where}, "cost", Cure("keep-graph", {"where": where}))
    found = Reach(case)
    if found.strangers:
        shapes = ", ".join(str(list(v.shape)) for v in found.strangers[:4])
        count, where = sum(v.tensor.numel() for v in found.strangers), case.place(found.strangers[0].used_by[0].where)
        evidence = {"names": shapes, "count": count, "of": total, "where": where}
        return Found(evidence, "unregistered", Cure("register", {"names": shapes}))
    flat, step = found.flattened
    kinds = (
        (found.cut, "", "keep-graph", "", _cut(case)),
        (flat, "flat", "keep-graph", "", _at(case, step)),
        (_alone(found.unused, case), "unused", "use-or-freeze", "warning", ""),
        (_alone(found.dropped, case), "dropped", "use-or-freeze", "warning", ""),
        (found.unrecorded, "unrecorded", "freeze-or-record", "warning", ""),
    )
    for names, variant, cure, severity, where in kinds:
        if names:
            words = {"names": _listed(names), "where": where}
            evidence = {**words, "count": sum(sizes[n] for n in names), "of": total}
            others = ("straight-through",) if variant == "flat" else ()
            return Found(evidence, variant, Cure(cure, words, others), severity=severity)
    return None


class Reach:
    """How far the gradient gets: the parameters that are to be trained, by what keeps it from them."""

    def __init__(self, case: Case) -> None:
        self.case = case
        values = {v.name: v for v in case.trace.values if v.role == "param"}
        self.values = {name: values[name] for name in case.gradients if name in values}
        self.without = {name: value for name, value in self.values.items() if case.gradients[name] is None}
        """Those without any gradient."""
        self.reached = {id(v) for site in case.sites for v in case.trace.leaves(site.input)}
        if not case.sites:
            self.reached = {id(v) for out in case.seen.outputs for v in case.trace.leaves(out)}

    @property
    def unused(self) -> list[str]:
        """Parameters that nothing is computed with."""
        return [name for name, value in self.without.items() if not value.used_by]

    @property
    def cut(self) -> list[str]:
        """Parameters that something recorded is made of, and whose gradient is cut off on its way."""
        targets = [site.target for site in self.case.sites if isinstance(site.target, Value)]
        given = {id(v) for target in targets for v in self.case.trace.leaves(target)}
        recorded = {name: value for name, value in self.without.items() if _recorded(value)}
        return [
            name
            for name, value in recorded.items()
            if id(value) in self.reached or (id(value) not in given and not self._elsewhere(value))
        ]

    def _elsewhere(self, value: Value) -> bool:
        """Whether what is made of a parameter is returned beside the answer, or thrown away: no business of this cost."""
        used = [out for out in self.case.seen.outputs if any(not step.in_model for step in out.used_by)]
        return not any(value in self.case.trace.leaves(out) for out in used)

    @property
    def dropped(self) -> list[str]:
        """Parameters whose results reach neither the cost nor what the model returns."""
        ends = (*self.case.seen.outputs, *self.case.trace.returned, *self.case.ends)
        used = {id(v) for out in ends for v in self.case.trace.leaves(out)}
        return [name for name, value in self.without.items() if id(value) not in used and _recorded(value)]

    @property
    def flattened(self) -> tuple[list[str], Step | None]:
        """Parameters whose gradient is 0 throughout because all they do is rounded, and where."""
        gradients = {name: self.case.gradients[name] for name in self.values}
        zero = [name for name, g in gradients.items() if g is not None and not bool(g.any())]
        for step in self.case.trace.steps if zero else ():
            if step.op.rstrip("_") in FLAT and step.ins and step.outs and step.ins[0].learns and step.outs[0].learns:
                before = {leaf.name for leaf in self.case.trace.leaves(step.ins[0]) if leaf.role == "param"}
                if before & {*zero}:
                    return [name for name in zero if name in before], step
        return [], None

    @property
    def unrecorded(self) -> list[str]:
        """Parameters that the answer is made with, under no_grad only. A teacher that has the learner's own shapes is meant so."""
        names = [n for n, v in self.without.items() if v.used_by and id(v) in self.reached and not _recorded(v)]
        trained = Counter(tuple(g.shape) for g in self.case.gradients.values() if g is not None)
        twin = not Counter(self.values[n].shape for n in names) - trained
        return [] if twin else names

    @cached_property
    def strangers(self) -> list[Value]:
        """Leaves with gradients that the model uses and does not own."""
        return [
            v for v in self.case.trace.values
            if v.role == "constant" and v.made_by is None and v.tensor.is_leaf and v.learns and id(v) in self.reached
            and any(s.in_model for s in v.used_by) and v.tensor.numel() > 1
        ]  # fmt: skip


def _recorded(value: Value) -> bool:
    """Whether something is computed with a value that autograd records."""
    return any(step.grad for step in value.used_by)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f", … ({len(names)})" if len(names) > 4 else "")


def _alone(unused: list[str], case: Case) -> list[str]:
    """Unused parameters, without those whose siblings in a list are used: experts that this batch did not visit."""
    used = {n for n, g in case.gradients.items() if g is not None}

    def family(name: str) -> str:
        parts = name.split(".")
        places = [i for i, part in enumerate(parts) if part.isdigit()]
        holder = ".".join(parts[: places[0]]) if places else ""
        return holder if holder and isinstance(case.module(holder), nn.ModuleList) else ""

    families = {family(n) for n in used} - {""}
    return [n for n in unused if family(n) not in families or not family(n)]


def _cut(case: Case) -> str:
    """The last operation on the way to the cost that gradients do not pass."""
    for step in reversed(case.trace.steps):
        cuts = step.op in CUTTING and bool(step.outs) and bool(step.ins)
        if cuts and step.ins[0].learns and not step.outs[0].learns and step.outs[0].used_by:
            return _at(case, step)
    return ""


def _at(case: Case, step: Step | None) -> str:
    """An operation and where it ran."""
    if step is None:
        return ""
    return f"{step.op} ({case.place(step.where)})" if step.in_model else f"{step.op} (criterion)"


ALL = (untrained_parameters,)
