"""Rules about class numbers: their form, their range, their axis, their weights, and whether any of them counts."""

from __future__ import annotations

import torch
from torch import Tensor

from xent.doctor import goal
from xent.doctor.carrying import original, running_axis
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import PICKS, classes_of, one_hot, said, signed
from xent.doctor.sites import Site
from xent.doctor.trace import Step, Value

MASKS = ("mul", "mul_", "where", "masked_fill", "masked_fill_")
"""What a mask is laid on with."""


@rule("float-class-indices", "error", "target")
def float_class_indices(case: Case) -> Found | None:
    """Class numbers as floating numbers, which are read as probabilities or refused."""
    for site in case.sites:
        if not site.indexed or not isinstance(site.target, Value) or site.axis is None:
            continue
        y, shape = site.target.numbers, site.input.shape
        rest = (*shape[: site.axis], *shape[site.axis + 1 :])
        words = said(case, site) | {"dtype": str(y.dtype).rpartition(".")[2]}
        if site.raised and not y.is_floating_point() and tuple(y.shape) == shape and one_hot(y) == site.axis:
            aim = goal.of_site(case, site, "softmax", y.argmax(dim=site.axis), axis=site.axis)
            return Found({**words, "classes": classes_of(site) or 0}, "one-hot", Cure("class-numbers", words, (), aim))
        narrow = bool(site.raised) and y.dtype not in (torch.int64, torch.uint8)
        form = y.is_floating_point() or narrow or (bool(site.raised) and tuple(y.shape) != rest)
        if not form or tuple(y.shape) == shape or y.numel() != torch.Size(rest).numel() or tuple(y.squeeze().shape) != rest:
            continue
        whole = not y.is_floating_point() or bool((y == y.round()).all())
        aim = goal.of_site(case, site, "softmax", y.reshape(rest).long(), axis=site.axis) if whole else None
        variant = "column" if tuple(y.shape) != rest and not y.is_floating_point() else ""
        return Found({**words, "classes": classes_of(site) or 0}, variant, Cure("long-targets", words, (), aim))
    step = _failed(case, ("gather", "index", "scatter_", "scatter"))
    if step is not None:
        for value in step.ins[1:]:
            if value.tensor.is_floating_point() and case.roles(value) & {"y", "batch"}:
                words = {
                    "cost": step.op,
                    "input": str(list(step.ins[0].shape)),
                    "target": str(list(value.shape)),
                    "raised": step.raised,
                }
                return Found({**words, "dtype": str(value.tensor.dtype).rpartition(".")[2], "classes": step.ins[0].shape[-1]}, "",
                             Cure("long-targets", words))  # fmt: skip
    for call in case.trace.calls:
        given = call.args.get("input")
        if call.name == "one_hot" and call.raised and isinstance(given, Value) and given.tensor.is_floating_point():
            words = {"cost": "one_hot", "input": "", "target": str(list(given.shape)), "raised": call.raised}
            return Found(
                {**words, "dtype": str(given.tensor.dtype).rpartition(".")[2], "classes": 0}, "", Cure("long-targets", words)
            )
    return None


def _failed(case: Case, ops: tuple[str, ...]) -> Step | None:
    """The last operation, if it failed and is one of these."""
    last = case.trace.steps[-1] if case.trace.steps else None
    return last if last is not None and last.raised and last.op in ops else None


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
        if y.is_floating_point() or not y.numel() or tuple(y.shape) == site.input.shape:
            continue
        ignored = y == site.option("ignore_index", -100)
        outside = ((y < 0) | (y >= k)) & ~ignored
        if not bool(outside.any()) or signed(y):
            continue
        shape = site.input.shape
        rest = (*shape[: site.axis], *shape[(site.axis or 0) + 1 :])
        if tuple(y.shape) != rest:
            continue  # the axes are the fault
        words = said(case, site)
        counted = y[~ignored]
        from_one = int(counted.min()) >= 1 and int(counted.max()) == k
        aim = goal.of_site(case, site, "softmax", y - 1, axis=site.axis) if from_one else None
        evidence = {
            **words,
            "least": int(counted.min()),
            "most": int(counted.max()),
            "last": k - 1,
            "share": float(outside.double().mean()),
        }
        return Found(
            evidence,
            "from-one" if from_one else "",
            Cure("count-from-zero" if from_one else "more-classes", words, ("more-classes",), aim),
        )
    return _out_of_range_by_hand(case)


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
    step = _failed(case, ("gather", "index", "scatter_", "scatter", "take_along_dim", "index_select"))
    seen: list[tuple[Tensor, int, str, str]] = []
    if step is not None:
        place = step.argument(1, "dim")
        size = step.ins[0].shape[place] if isinstance(place, int) and step.ins[0].shape else step.ins[0].shape[-1]
        seen = [(v.numbers, size, step.op, step.raised) for v in step.ins[1:] if case.roles(v) & {"y", "batch"}]
    for call in case.trace.calls:
        y, k = call.args.get("input"), call.args.get("num_classes", -1)
        if call.name == "one_hot" and call.raised and isinstance(y, Value) and isinstance(k, int) and k > 0:
            seen.append((y.numbers, k, "one_hot", call.raised))
    for y, k, op, raised in seen:
        if not y.is_floating_point() and y.numel() and bool(((y < 0) | (y >= k)).any()) and not signed(y):
            words = {"cost": op, "input": str([k]), "target": str(list(y.shape)), "raised": raised}
            evidence = {**words, "least": int(y.min()), "most": int(y.max()), "last": k - 1,
                        "share": float(((y < 0) | (y >= k)).double().mean())}  # fmt: skip
            from_one = int(y.min()) >= 1 and int(y.max()) == k
            return Found(evidence, "from-one" if from_one else "", Cure("count-from-zero" if from_one else "more-classes", words))
    return None


@rule("class-axis", "error", "target")
def class_axis(case: Case) -> Found | None:
    """Classes on another axis than the one the cost takes them from, told by where the last layer's units lie."""
    for site in case.sites:
        if (
            (site.form not in PICKS and site.output is None)
            or site.axis is None
            or not isinstance(site.target, Value)
            or len(site.input.shape) < 2
        ):
            continue
        shape, y = site.input.shape, site.target.shape
        rest = (*shape[: site.axis], *shape[site.axis + 1 :])
        whole = site.nature.is_log and site.nature.z.shape == site.input.shape
        told = case.features(site.nature.z if whole else site.input)
        words = said(case, site) | {"axis": str(site.axis)}
        misplaced = None
        if told is not None and told[1] > 1:
            unit, n = told
            misplaced = running_axis(unit)
            misplaced = misplaced if misplaced is not None and _runs_along(unit, misplaced, n) else None
            if shape[site.axis] == n and not _runs_along(unit, site.axis, n):
                return _axis_found(case, site, words, misplaced, n)
        if y not in (rest, shape) and y == shape[:-1] and len(shape) > 2:
            return _axis_found(case, site, words, len(shape) - 1, shape[-1])
        if site.raised and misplaced is not None and misplaced != site.axis and y == (*shape[:misplaced], *shape[misplaced + 1 :]):
            return _axis_found(case, site, words, misplaced, shape[misplaced])
    return None


def _runs_along(unit: Tensor, axis: int, n: int) -> bool:
    if unit.shape[axis] != n:
        return False
    expected = torch.arange(n, device=unit.device).reshape([-1 if i == axis else 1 for i in range(unit.ndim)])
    return bool((unit == expected).all())


def _axis_found(case: Case, site: Site, words: dict[str, str], axis: int | None, n: int) -> Found:
    aim = None
    y = site.target.numbers
    step = case.weighted(site.input)
    if axis is not None:
        aim = goal.of_site(case, site, "softmax", y, axis=axis)
    elif step is not None:
        z = step.outs[0]
        aim = goal.arranged(z, goal.whole(z), "softmax", y, 1 if step.op == "convolution" else len(z.shape) - 1)
    evidence = {**words, "classes": n, "found": "mixed" if axis is None else str(axis)}
    return Found(
        evidence,
        "mixed" if axis is None else "",
        Cure("flatten-classes" if axis is None else "move-axis", {k: str(v) for k, v in evidence.items()}, (), aim),
    )


@rule("all-ignored", "error", "target")
def all_ignored(case: Case) -> Found | None:
    """Not one target counts: the mean over nothing is nan, and nothing is learned."""
    for site in case.sites:
        if not isinstance(site.target, Value):
            continue
        y = site.target.numbers
        words = said(case, site)
        index = site.option("ignore_index", -100)
        if site.form in ("cross-entropy", "nll") and not y.is_floating_point() and y.numel() and bool((y == index).all()):
            return Found({**words, "n": y.numel(), "index": index}, "", Cure("skip-empty", words))
        if not y.numel():
            return Found({**words, "n": 0, "index": index}, "empty", Cure("skip-empty", words))
    for step in case.trace.steps:
        if (step.in_model and case.seen.criterion is not None) or not step.outs or not step.ins:
            continue
        empty = step.op in ("mean", "nanmean") and not step.ins[0].tensor.numel() and case.batch_size
        nothing = step.op == "div" and len(step.ins) == 2 and not step.ins[1].learns and step.ins[1].tensor.numel() == 1
        if empty or (nothing and float(step.ins[1].numbers) == 0 and step.ins[0].learns and step.ins[0].tensor.numel() == 1):
            words = {"cost": step.op, "input": str(list(step.ins[0].shape)), "target": "", "raised": ""}
            return Found({**words, "n": 0, "index": 0}, "empty", Cure("skip-empty", words))
    return _masked_out(case)


def _masked_out(case: Case) -> Found | None:
    """A mask that lets nothing through: nothing at all is learned, however the mean was kept from being nan."""
    slopes = list(case.gradients.values())
    if case.seen.cost is None or any(g is not None and bool((g != 0).any()) for g in slopes) or not slopes:
        return None
    for site in case.sites:
        if site.form in ("cross-entropy", "nll") and isinstance(site.target, Value):
            y, index = site.target.numbers, site.option("ignore_index", -100)
            if not y.is_floating_point() and bool((y == index).all()):
                return Found({**said(case, site), "n": y.numel(), "index": index}, "", Cure("skip-empty", said(case, site)))
    for step in case.trace.steps:
        masks = [v for v in step.ins if not v.learns and v.tensor.numel() > 1 and case.roles(v) & {"y", "batch"}]
        if step.op not in MASKS or not masks or not any(v.learns for v in step.ins):
            continue
        if not bool((masks[0].numbers != (step.op not in ("mul", "mul_", "where"))).any()):
            words = {"cost": step.op, "input": "", "target": str(list(masks[0].shape)), "raised": ""}
            return Found({**words, "n": masks[0].tensor.numel(), "index": 0}, "masked", Cure("skip-empty", words))
    return None


@rule("zero-class-weight", "error", "target")
def zero_class_weight(case: Case) -> Found | None:
    """A class with weight 0 is in the batch: its samples teach nothing."""
    for site in case.sites:
        weight, y = site.option("weight"), site.target
        if not isinstance(weight, Value) or not isinstance(y, Value) or site.form not in ("cross-entropy", "nll"):
            continue
        w = weight.numbers
        hot = y.numbers
        if hot.is_floating_point():
            present = (
                hot.movedim(site.axis or 0, -1).reshape(-1, len(w)).sum(dim=0) > 0
                if tuple(hot.shape) == site.input.shape
                else w < 0
            )
        else:
            ignored = hot == site.option("ignore_index", -100)
            present = torch.bincount(hot[~ignored].flatten().clamp(0, len(w) - 1), minlength=len(w)) > 0
        lost = [int(k) for k in torch.nonzero((w == 0) & present).flatten()]
        if lost:
            return _weightless(case, site, lost, w, hot)
    for site in case.sites:
        weight = site.option("pos_weight")
        if isinstance(weight, Value) and site.form == "bce-logits" and isinstance(site.target, Value):
            y = site.target.numbers
            lost_at = (weight.numbers == 0) & (y > 0) if tuple(y.shape) == site.input.shape else weight.numbers == 0
            if bool(lost_at.any()):
                return Found(
                    {**said(case, site), "classes": "1", "share": float(lost_at.double().mean())},
                    "positive",
                    Cure("real-weights", {}),
                )
    for step in case.trace.steps:
        found = _weights_by_hand(case, step)
        if found is not None:
            return found
    return None


def _weightless(case: Case, site: Site, lost: list[int], w: Tensor, y: Tensor) -> Found:
    share = float(torch.isin(y, torch.tensor(lost, device=y.device)).double().mean()) if not y.is_floating_point() else float("nan")
    aim = goal.of_site(case, site, "softmax", y, axis=site.axis, z=original(site.input))
    return Found({**said(case, site), "classes": ", ".join(map(str, lost)), "share": share}, "", Cure("real-weights", {}, (), aim))


def _weights_by_hand(case: Case, step: Step) -> Found | None:
    """w[y] that multiplies something that learns, or w times y one-hot."""
    if step.op == "mul" and len(step.ins) == 2 and step.outs:
        return _weights_on_one_hot(case, step)
    if step.op not in ("index", "gather", "index_select", "embedding", "take") or not step.outs or not step.ins:
        return None
    w, out = step.ins[0], step.outs[0]
    if not _weights(case, w) or len(w.shape) != 1:
        return None
    if not any(case.roles(v) & {"y", "batch"} for v in step.ins[1:]) or not bool((out.numbers == 0).any()):
        return None
    if any(s.op in ("mul", "mul_") and any(v.learns for v in s.ins) for s in out.used_by):
        lost = [int(k) for k in torch.nonzero(w.numbers == 0).flatten()]
        words = {"cost": "by-hand", "input": "", "target": str(list(out.shape)), "raised": ""}
        return Found(
            {**words, "classes": ", ".join(map(str, lost)), "share": float((out.numbers == 0).double().mean())},
            "",
            Cure("real-weights", {}),
        )
    return None


def _weights(case: Case, value: Value) -> bool:
    """Whether a value may be the weights of classes: given numbers, and not of the batch."""
    given = not value.learns and value.tensor.is_floating_point() and value.tensor.numel() > 1
    return given and (value.role in ("constant", "buffer") or case.roles(value) <= {"constant", "buffer"})


def _weights_on_one_hot(case: Case, step: Step) -> Found | None:
    w, y = step.ins if _weights(case, step.ins[0]) else step.ins[::-1]
    if not _weights(case, w) or y.learns or not case.roles(y) & {"y", "batch"} or w.shape[-1:] != y.shape[-1:]:
        return None
    if w.tensor.numel() != w.shape[-1] or one_hot(y.numbers) != len(y.shape) - 1:
        return None
    present = y.numbers.reshape(-1, y.shape[-1]).sum(dim=0) > 0
    lost = (w.numbers.flatten() == 0) & present
    if not bool(lost.any()) or not any(s.op in ("mul", "mul_") and any(v.learns for v in s.ins) for s in step.outs[0].used_by):
        return None
    share = float(y.numbers.reshape(-1, y.shape[-1])[:, lost].double().sum(dim=1).mean())
    named = ", ".join(str(int(k)) for k in torch.nonzero(lost).flatten())
    words = {"cost": "by-hand", "input": "", "target": str(list(y.shape)), "raised": ""}
    return Found({**words, "classes": named, "share": share}, "", Cure("real-weights", {}))


ALL = (float_class_indices, class_index_out_of_range, class_axis, all_ignored, zero_class_weight)
