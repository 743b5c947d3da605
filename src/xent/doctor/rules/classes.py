"""Rules about class numbers: their form, their range, their axis."""

from __future__ import annotations

import torch
from torch import Tensor

from xent.doctor import goal
from xent.doctor.carrying import numbered, places, running_axis
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case, unit_axis
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import PICKS, classes_of, one_hot, said, signed, told
from xent.doctor.sites import Site
from xent.doctor.trace import Step, Value


def _failed(case: Case, ops: tuple[str, ...]) -> Step | None:
    """The last operation, if it failed and is one of these."""
    last = case.trace.steps[-1] if case.trace.steps else None
    return last if last is not None and last.raised and last.op in ops else None


@rule("float-class-indices", "error", "target")
def float_class_indices(case: Case) -> Found | None:
    """Class numbers as floating numbers, which are read as probabilities or refused."""
    for site in case.sites:
        if not site.indexed or not isinstance(site.target, Value) or site.axis is None:
            continue
        y = site.target.numbers
        words = said(site) | {"dtype": site.target.dtype}
        evidence = {**words, "classes": classes_of(site) or 0}
        if site.raised and not y.is_floating_point() and site.alike and one_hot(y) == site.axis:
            aim = goal.of_site(site, "softmax", y.argmax(dim=site.axis), axis=site.axis)
            return Found(evidence, "one-hot", Cure("class-numbers", words, (), aim))
        narrow = bool(site.raised) and y.dtype not in (torch.int64, torch.uint8)
        column = tuple(y.shape) != site.rows
        odd = y.is_floating_point() or narrow or (bool(site.raised) and column)
        if not odd or site.alike or tuple(y.squeeze().shape) != site.rows or y.numel() != torch.Size(site.rows).numel():
            continue
        whole = not y.is_floating_point() or bool((y == y.round()).all())
        aim = goal.of_site(site, "softmax", y.reshape(site.rows).long(), axis=site.axis) if whole else None
        variant = "column" if column and not y.is_floating_point() else ""
        return Found(evidence, variant, Cure("long-targets", words, (), aim))
    return _float_indices_by_hand(case)


def _float_indices_by_hand(case: Case) -> Found | None:
    """Floating numbers that an operation refused for indices."""
    step = _failed(case, ("gather", "index", "scatter_", "scatter"))
    for value in step.ins[1:] if step is not None else ():
        if step is not None and value.tensor.is_floating_point() and case.of_target(value):
            words = told(step.op, step.ins[0], value, step.raised)
            return Found({**words, "dtype": value.dtype, "classes": step.ins[0].shape[-1]}, "", Cure("long-targets", words))
    for call in case.trace.calls:
        y = call.args.get("input")
        if call.name == "one_hot" and call.raised and isinstance(y, Value) and y.tensor.is_floating_point():
            words = told("one_hot", target=y, raised=call.raised)
            return Found({**words, "dtype": y.dtype, "classes": 0}, "", Cure("long-targets", words))
    return None


@rule("class-index-out-of-range", "error", "target")
def class_index_out_of_range(case: Case) -> Found | None:
    """Class numbers below 0 or beyond the last class."""
    for site in case.sites:
        k = site.option("valid_classes") or classes_of(site)
        if not (site.indexed or site.form == "log-pick") or k is None or not isinstance(site.target, Value):
            continue
        y = site.target.numbers
        if site.form == "log-pick":
            y = _picked_in_earnest(case, site, y)
        if y.is_floating_point() or not y.numel() or tuple(y.shape) != site.rows:
            continue  # the axes are the fault
        y = y.long()  # PyTorch cannot compare all kinds of integers
        ignored = y == site.option("ignore_index", -100)
        found = _outside(said(site), y[~ignored], k, share=float((((y < 0) | (y >= k)) & ~ignored).double().mean()))
        if found is None or signed(y):
            continue
        words, evidence, variant = found
        aim = goal.of_site(site, "softmax", y - 1, axis=site.axis) if variant else None
        return Found(evidence, variant, Cure("count-from-zero" if variant else "more-classes", words, ("more-classes",), aim))
    return _out_of_range_by_hand(case)


def _outside(words: dict[str, str], y: Tensor, k: int, *, share: float) -> tuple[dict[str, str], dict[str, object], str] | None:
    """(words, evidence, variant) where some of the class numbers that count are none; from-one where all were counted from 1."""
    if not share:
        return None
    least, most = int(y.min()), int(y.max())
    evidence = {**words, "least": least, "most": most, "last": k - 1, "share": share}
    return words, evidence, "from-one" if least >= 1 and most == k else ""


def _picked_in_earnest(case: Case, site: Site, y: Tensor) -> Tensor:
    """Class numbers that picked, without those whose pick was masked out afterwards; they count from the end below 0."""
    axis = site.axis or 0
    y = y.squeeze(axis) if y.ndim == len(site.input.shape) and y.shape[axis] == 1 else y
    if site.raised or y.is_floating_point() or bool((y >= 0).all()) or site.step is None or not site.step.outs:
        return y
    through = case.seen.gradient([site.step.outs[0].tensor])[0]
    counts = None if through is None or through.numel() != y.numel() else (through != 0).reshape(y.shape)
    return y if counts is None else torch.where(counts, y, torch.full_like(y, site.option("ignore_index", -100)))


def _out_of_range_by_hand(case: Case) -> Found | None:
    """Indices that an operation refused."""
    step = _failed(case, ("gather", "index", "scatter_", "scatter", "take_along_dim", "index_select"))
    refused: list[tuple[Value, int, str, str]] = []
    if step is not None:
        dim, shape = step.argument(1, "dim"), step.ins[0].shape
        size = shape[dim] if isinstance(dim, int) and shape else shape[-1]
        refused = [(v, size, step.op, step.raised) for v in step.ins[1:] if case.of_target(v)]
    for call in case.trace.calls:
        given, k = call.args.get("input"), call.args.get("num_classes", -1)
        if call.name == "one_hot" and call.raised and isinstance(given, Value) and isinstance(k, int) and k > 0:
            refused.append((given, k, "one_hot", call.raised))
    for value, k, op, raised in refused:
        y = value.numbers
        if y.is_floating_point() or not y.numel() or signed(y):
            continue
        found = _outside(told(op, [k], value, raised), y, k, share=float(((y < 0) | (y >= k)).double().mean()))
        if found is not None:
            words, evidence, variant = found
            return Found(evidence, variant, Cure("count-from-zero" if variant else "more-classes", words))
    return None


@rule("class-axis", "error", "target")
def class_axis(case: Case) -> Found | None:
    """Classes on another axis than the one the cost takes them from, told by where the last layer's units lie."""
    for site in case.sites:
        if (site.form not in PICKS and site.output is None) or site.axis is None or not isinstance(site.target, Value):
            continue
        shape, y = site.input.shape, site.target.shape
        if len(shape) < 2:
            continue
        whole = site.nature.is_log and site.nature.z.shape == shape
        features = case.features(site.nature.z if whole else site.input)
        found = None
        if features is not None and features[1] > 1:
            unit, n = features
            along = running_axis(unit)
            found = along if along is not None and _runs_along(unit, along, n) else None
            if shape[site.axis] == n and not _runs_along(unit, site.axis, n):
                return _axis_found(case, site, found, n)
        if y not in (site.rows, shape) and y == shape[:-1] and len(shape) > 2:
            return _axis_found(case, site, len(shape) - 1, shape[-1])
        if site.raised and found is not None and found != site.axis and y == (*shape[:found], *shape[found + 1 :]):
            return _axis_found(case, site, found, shape[found])
    return None


def _runs_along(unit: Tensor, axis: int, n: int) -> bool:
    return unit.shape[axis] == n and bool((unit == places(unit, axis)).all())


def _axis_found(case: Case, site: Site, axis: int | None, n: int) -> Found:
    """Classes lie on this axis; on none, where they are mixed with others."""
    y, step, aim = site.target.numbers, case.weighted(site.input), None
    evidence = {**said(site), "axis": str(site.axis), "classes": n, "found": "mixed" if axis is None else str(axis)}
    words = {key: str(value) for key, value in evidence.items()}
    if axis is not None:
        aim = goal.of_site(site, "softmax", y, axis=axis)
        return Found(evidence, "", Cure("move-axis", words, (), aim))
    if step is not None:
        z = step.outs[0]
        aim = goal.arranged(z, numbered(z), "softmax", y, unit_axis(step))
    return Found(evidence, "mixed", Cure("flatten-classes", words, (), aim))


ALL = (float_class_indices, class_index_out_of_range, class_axis)
