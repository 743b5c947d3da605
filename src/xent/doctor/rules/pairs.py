"""Rules about cost and activation: whether what the cost is given is what it takes, and how much correction comes through."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from xent.doctor import goal
from xent.doctor.carrying import carry
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.natures import Nature
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import LOGARITHMS, binary, layer_of, multi_hot, one_hot, placed
from xent.doctor.sites import ERRORS, Site
from xent.doctor.trace import Value

LOGITS = ("cross-entropy", "bce-logits")
MARGINS = (*LOGITS, "logistic")
BCE = ("bce", "bce-logits", "bce-by-hand")
SURE = 0.95
"""Logits are narrow where no class can get this probability."""


def _probability(nature: Nature) -> bool:
    smooth = nature.kind in ("softmax", "sigmoid", "tanh")  # ½(1 + tanh ½z) is a sigmoid
    return smooth and (nature.low, nature.high) == (0.0, 1.0) and not nature.picked


def _exclusive_goal(case: Case, site: Site, z: Value | None = None) -> goal.Goal | None:
    """Cross-entropy on the logits with the site's own targets."""
    target = site.target
    if not isinstance(target, Value):
        return None
    axis = site.axis if site.axis is not None else site.nature.axis
    return goal.of_site(case, site, "softmax", target.numbers, axis=axis, z=z)


def _fitting_goal(case: Case, site: Site, z: Value) -> goal.Goal | None:
    """Cross-entropy for classes, its binary form for yes and no."""
    if site.form in ("bce-logits", "bce", "bce-by-hand", "logistic"):
        return goal.of_site(case, site, "sigmoid", site.target.numbers, z=z) if isinstance(site.target, Value) else None
    return _exclusive_goal(case, site, z)


@rule("probabilities-as-logits", "error")
def probabilities_as_logits(case: Case) -> Found | None:
    """A softmax or sigmoid under a cost that has its own, or under one that wants logarithms."""
    for site in case.sites:
        nature = site.nature
        narrow = nature.kind == "scaled" and _most(site, nature) < SURE
        if site.form in MARGINS and (_probability(replace(nature, picked=False)) or narrow):
            variant = ""
        elif site.form in LOGARITHMS and _probability(nature):
            variant, nature = "logarithm", nature
        elif nature.is_log or (site.by_hand and nature.squashed):
            inner = case.nature(nature.z)
            if not _probability(inner) and not (inner.kind == "scaled" and _most(site, inner) < SURE):
                continue
            variant, nature = "", inner
        else:
            continue
        made = goal.whole(nature.z)
        aligned = _fitting_goal(case, site, nature.z) if made.numel() else None
        words = placed(case, site, nature)
        spread = float((site.input.numbers.max() - site.input.numbers.min()).double()) if site.input.tensor.numel() else 0.0
        key = "give-logarithms" if variant else "drop-squashing"
        best = _best_probability(site)
        return Found(
            {**words, "spread": spread, "best": best, "classes": _classes(site)}, variant,
            Cure(key, words, ("log-softmax-nll",) if nature.kind == "softmax" else ("bce-on-probabilities",), aligned),
        )  # fmt: skip
    return None


def _classes(site: Site) -> int:
    shape = site.input.shape
    if site.form in ("bce-logits", "logistic"):
        return 2
    return shape[site.axis] if site.axis is not None and site.axis < len(shape) else (shape[-1] if shape else 1)


def _best_probability(site: Site) -> float:
    """The most that a model can say about the right class when its logits lie between 0 and 1."""
    k = _classes(site)
    return math.e / (math.e + k - 1)


def _most(site: Site, nature: Nature) -> float:
    """The most that a model can say about a class, when its logits end where a nature ends."""
    if site.axis is None and site.form in ("bce-logits", "logistic"):
        return 1 / (1 + math.exp(-max(nature.high, -nature.low)))
    return 1 / (1 + (_classes(site) - 1) * math.exp(nature.low - nature.high))


@rule("bounded-logits", "warning")
def bounded_logits(case: Case) -> Found | None:
    """Logits that cannot leave a narrow range: no answer can ever be sure."""
    for site in case.sites:
        inner = case.nature(site.nature.z) if site.nature.is_log else site.nature
        if site.form not in MARGINS and not site.nature.is_log:
            continue
        if inner.kind not in ("tanh", "sigmoid", "hard") or inner.picked or _probability(inner) or not _most(site, inner) < SURE:
            continue
        words = placed(case, site, inner)
        best = _most(site, inner)
        aim = _fitting_goal(case, site, inner.z)
        evidence = {
            **words,
            "low": inner.low,
            "high": inner.high,
            "best": best,
            "least": -math.log(best),
            "classes": _classes(site),
        }
        return Found(evidence, "", Cure("drop-squashing", words, ("wider-range",), aim))
    return None


@rule("one-class-softmax", "error")
def one_class_softmax(case: Case) -> Found | None:
    """A softmax over one class answers 1, whatever the logits."""
    for site in case.sites:
        nature = site.nature
        axis, shape = site.axis, site.input.shape
        over = nature.step is not None and (nature.kind == "softmax" or nature.inner == "softmax")
        if over and nature.step is not None:
            axis, shape = nature.step.argument(1, "dim"), nature.step.ins[0].shape
            axis = nature.axis if not isinstance(axis, int) else axis
            shape = nature.z.shape if nature.step.op not in ("_softmax", "_log_softmax") else shape
        elif not site.indexed or site.form == "multi-margin":
            continue
        if axis is None or not shape or axis >= len(shape) or shape[axis] != 1:
            continue
        words = placed(case, site)
        y = site.target.numbers if isinstance(site.target, Value) else None
        z = nature.z if over else site.input
        aim = None
        if y is not None and y.numel() == z.tensor.numel() and binary(y):
            aim = goal.arranged(z, goal.whole(z).reshape(-1), "sigmoid", y.reshape(-1), None)
        return Found({**words, "n": z.tensor.numel()}, "", Cure("one-logit-bce", words, ("two-classes",), aim))
    return None


@rule("softmax-wrong-axis", "error")
def softmax_wrong_axis(case: Case) -> Found | None:
    """A softmax that shares out one unit among samples or positions instead of classes."""
    for site in case.sites:
        nature = site.nature
        ran = nature.axis if (nature.kind == "softmax" or nature.inner == "softmax") else None
        wanted = _wanted_axis(case, site)
        if site.form == "cross-entropy" and len(site.input.shape) == 1 and ran is None:
            y = site.target.numbers if isinstance(site.target, Value) else None
            if (
                y is not None
                and tuple(y.shape) == site.input.shape
                and y.is_floating_point()
                and site.input.shape[0] == case.batch_size > 1
            ):
                words = placed(case, site)
                aim = goal.of_site(case, site, "sigmoid", y) if binary(y) else None
                return Found(
                    {**words, "ran": 0, "size": site.input.shape[0]}, "samples", Cure("one-logit-bce", words, ("two-classes",), aim)
                )
            continue
        if wanted is None or wanted >= len(site.input.shape):
            continue
        if ran is None and _shared_out_over_others(case, site, wanted):
            ran = nature.step.argument(1, "dim") % len(nature.z.shape) if nature.step else None
            size = nature.z.shape[ran] if ran is not None else 0
        elif ran is None or ran == wanted:
            continue
        else:
            size = site.input.shape[ran]
        words = placed(case, site)
        y = site.target.numbers if isinstance(site.target, Value) else None
        aim = None if y is None else goal.of_site(case, site, "softmax", y, axis=wanted, z=nature.z)
        evidence = {**words, "ran": ran, "wanted": wanted, "size": size, "classes": site.input.shape[wanted]}
        return Found(evidence, "", Cure("right-axis", {**words, "wanted": str(wanted)}, ("drop-squashing",), aim))
    return None


def _shared_out_over_others(case: Case, site: Site, wanted: int) -> bool:
    """Whether elements along the wanted axis belong to different sums of the softmax, which ran before a reshape."""
    step = site.nature.step
    if step is None or step.op not in ("_softmax", "_log_softmax") or site.nature.picked:
        return False
    out, axis = step.outs[0], step.argument(1, "dim") % len(step.outs[0].shape)
    rest = [n for i, n in enumerate(out.shape) if i != axis]
    group = torch.arange(math.prod(rest)).reshape(rest).unsqueeze(axis).expand(out.shape).contiguous()
    moved = carry(case.trace, out, site.input, group.to(out.tensor.device))
    return moved is not None and bool((moved != moved.select(wanted, 0).unsqueeze(wanted)).any())


def _wanted_axis(case: Case, site: Site) -> int | None:
    """The axis of the classes, as the targets tell it."""
    if site.form in ("nll", "cross-entropy") or site.form == "log-pick":
        return site.axis
    target = site.target
    if not isinstance(target, Value):
        return None
    told = case.nature(target)
    if told.kind == "softmax" and told.axis is not None:
        return told.axis
    y = target.numbers.double()
    if tuple(y.shape) != site.input.shape or y.ndim < 2:
        return None
    ran = site.nature.axis
    sums = [i for i in range(y.ndim) if y.shape[i] > 1 and bool((y >= 0).all()) and bool(((y.sum(dim=i) - 1).abs() < 1e-4).all())]
    return sums[0] if len(sums) == 1 and ran is not None and sums[0] != ran else None


@rule("sigmoid-for-exclusive-classes", "warning", "pairing")
def sigmoid_for_exclusive_classes(case: Case) -> Found | None:
    """One sigmoid a class where exactly one is right: a choice (one-vs-rest), unless the wrong ones are never pushed down."""
    for site in case.sites:
        if site.nature.inner == "hard" and site.form == "log-sigmoid-pick":
            continue  # a probability of some other making, clamped
        if site.form == "log-sigmoid-pick" or (site.form in ("nll", "log-pick") and site.nature.inner == "sigmoid"):
            words = placed(case, site)
            picked = site.axis if site.axis is not None else len(site.input.shape) - 1
            aim = None
            if isinstance(site.target, Value):
                indices = _indices(site.target, site.input.shape, picked)
                aim = goal.of_site(case, site, "softmax", indices, axis=picked, z=site.nature.z)
            return Found({**words, "classes": _classes(site), "n": _rows(site)}, "unopposed",
                         Cure("cross-entropy-on-logits", words, (), aim), severity="error")  # fmt: skip
        if site.form not in BCE or not isinstance(site.target, Value):
            continue
        y = site.target.numbers
        axis = one_hot(y)
        if (
            axis is None
            or tuple(y.shape) != site.input.shape
            or "y" not in case.roles(site.target) | ({"y"} if "batch" in case.roles(site.target) else set())
        ):
            continue
        words, p = placed(case, site), case.pairing(site)
        if site.nature.kind == "softmax" or (p is not None and len(p.z) < site.input.tensor.numel()):
            continue  # where some do not count, as behind a time of death, they are no classes
        severity, variant = "warning", ""
        if site.form == "bce-by-hand" and not site.both:
            severity, variant = "error", "unopposed"
        z = site.nature.z if (site.nature.squashed or site.nature.is_log) else site.input
        aim = goal.of_site(case, site, "softmax", y.double().argmax(dim=axis), axis=axis, z=z)
        evidence = {**words, "classes": y.shape[axis], "n": y.numel() // y.shape[axis]}
        return Found(evidence, variant, Cure("cross-entropy-on-logits", words, ("keep-one-vs-rest",), aim), severity=severity)
    return None


def _indices(target: Value, shape: tuple[int, ...], axis: int) -> torch.Tensor:
    y = target.numbers
    return y.squeeze(axis) if y.ndim == len(shape) and y.shape[axis] == 1 else y


def _rows(site: Site) -> int:
    return site.input.tensor.numel() // max(_classes(site), 1)


@rule("softmax-for-independent-labels", "error", "pairing")
def softmax_for_independent_labels(case: Case) -> Found | None:
    """A softmax, whose answers sum to one, for labels of which several or none may be true."""
    for site in case.sites:
        nature = site.nature
        softmax = nature.kind == "softmax" or nature.inner == "softmax"
        if (not softmax and site.form != "cross-entropy") or not isinstance(site.target, Value):
            continue
        axis = nature.axis if softmax and nature.axis is not None else site.axis
        y = site.target.numbers
        if axis is None or tuple(y.shape) != site.input.shape or y.ndim < 2:
            continue
        share = multi_hot(y, axis)
        z = nature.z if softmax else site.input
        if share is None or case.similarities(z):
            continue
        words = placed(case, site)
        aim = goal.of_site(case, site, "sigmoid", y, z=z)
        evidence = {**words, "share": share, "mean": float(y.double().sum(dim=axis).mean())}
        return Found(evidence, "", Cure("bce-on-logits", words, ("add-sigmoid",), aim))
    return None


@rule("squared-error-on-squashed-output", "warning", "pairing")
def squared_error_on_squashed_output(case: Case) -> Found | None:
    """A squared or absolute error on a sigmoid, tanh or softmax: what is badly wrong is hardly corrected.

    Classes make it a fault at once; a range that is regressed into on purpose, or a GAN's constant, only what is stalled in it.
    """
    for pairing in case.pairings:
        site = pairing.site
        if site.form not in ERRORS or pairing.squash not in ("sigmoid", "tanh", "softmax", "hard"):
            continue
        if case.has_logarithm(site.nature.z) or any(
            o.form not in ERRORS and site.nature.z in (o.nature.z, o.input) for o in case.sites
        ):
            continue  # another cost corrects the same logits
        classes = pairing.hard and case.from_targets(site)
        stalled, wrong = int(pairing.stalled.sum()), int(pairing.wrong.sum())
        if not classes and not (stalled >= 1 and stalled >= 0.1 * max(wrong, 1) and stalled >= 0.01 * len(pairing.error)):
            continue
        if case.unreachable(site):
            continue  # the targets are the fault
        words = placed(case, site)
        i = int(pairing.worst.argmax())
        gain = float(pairing.gain[i])
        squash = "sigmoid" if pairing.squash in ("sigmoid", "tanh", "hard") else "softmax"
        aim = goal.of_pairing(pairing, case, squash) if pairing.squash != "hard" else None
        key = {"softmax": "cross-entropy-on-logits"}.get(squash, "tanh-to-logits" if pairing.squash == "tanh" else "bce-on-logits")
        evidence = {
            **words, "error": float(pairing.worst[i]), "gain": gain, "slowed": 1 / gain if gain > 0 else float("inf"),
            "share": pairing.stalled_share, "stalled": stalled, "wrong": wrong, "n": len(pairing.error),
        }  # fmt: skip
        return Found(evidence, "stalled" if stalled else "", Cure(key, words, ("linear-output",), aim))
    return None


@rule("dead-probability-bce", "warning", "pairing")
def dead_probability_bce(case: Case) -> Found | None:
    """Cross-entropy through rounded probabilities: badly wrong samples whose gradient is lost in this batch."""
    for pairing in case.pairings:
        nature = pairing.site.nature
        through = nature.squashed or (
            nature.is_log and nature.step is not None and "log" not in nature.step.op and nature.step.op != "sub"
        )
        if not pairing.name.startswith("cross-entropy") or not through:
            continue
        near = max(10 * nature.eps, 1e-5)  # so little is left of the target's probability that it is rounded or clamped
        lost = pairing.wrong & (pairing.gain < 0.5) & (pairing.worst > 1 - near)
        if not bool(lost.any()):
            continue
        i = int(torch.where(lost, pairing.worst, -1.0).argmax())
        words = placed(case, pairing.site)
        z = float(pairing.z[i].abs().max())
        aim = goal.of_pairing(pairing, case)
        key = "bce-on-logits" if pairing.squash == "sigmoid" else "cross-entropy-on-logits"
        evidence = {**words, "lost": int(lost.sum()), "wrong": int(pairing.wrong.sum()), "z": z, "gain": float(pairing.gain[i]),
                    "n": len(pairing.error), "dtype": str(pairing.z_value.tensor.dtype).rpartition(".")[2]}  # fmt: skip
        return Found(evidence, "", Cure(key, words, (), aim))
    return None


@rule("double-log-softmax", "warning")
def double_log_softmax(case: Case) -> Found | None:
    """A log-softmax of a log-softmax: the second changes nothing, and says that cost and output were not read together."""
    for site in case.sites:
        nature = site.nature
        twice = nature if site.form in LOGITS and nature.is_log and nature.inner == "softmax" else None
        if (nature.is_log and nature.inner == "softmax" and site.form not in LOGITS) or (site.by_hand and nature.kind == "softmax"):
            inner = case.nature(nature.z)
            twice = inner if inner.is_log and inner.inner == "softmax" and not inner.picked else None
        if twice is None or twice.picked:
            continue
        words = placed(case, site, twice)
        aim = _exclusive_goal(case, site, twice.z)
        return Found({**words, "classes": _classes(site)}, "", Cure("drop-squashing", words, ("log-softmax-nll",), aim))
    return None


@rule("rectified-logits", "warning")
def rectified_logits(case: Case) -> Found | None:
    """Logits behind a ReLU: no class can be argued against, and where all are zero nothing is learned."""
    for site in case.sites:
        z = site.input if site.form in (*LOGITS, "multi-margin", "logistic") else site.nature.z
        if (site.form in ERRORS and not site.nature.squashed) or site.nature.inner == "raw":
            continue  # the logarithm of a probability of some other making
        if site.form in ("poisson", "gaussian") or (site.nature.kind == "raw" and site.form not in (*LOGITS, "log-pick")):
            continue
        nature = case.nature(z)
        differences = site.axis is not None or "softmax" in (site.nature.kind, site.nature.inner)  # all that a softmax looks at
        if nature.kind != "rectified" or (differences and nature.inner in ("abs", "softplus", "elu")):
            continue
        numbers = z.numbers
        words = placed(case, site, nature) | {"layer": layer_of(case, nature.z)}
        zero = float((numbers <= 0).double().mean()) if numbers.numel() else 0.0
        aim = _fitting_goal(case, site, nature.z) if site.form in LOGITS else None
        return Found({**words, "zero": zero}, "", Cure("drop-rectifier", words, ("leaky",), aim))
    return None


ALL = (
    probabilities_as_logits, one_class_softmax, softmax_wrong_axis, sigmoid_for_exclusive_classes,
    softmax_for_independent_labels, squared_error_on_squashed_output, dead_probability_bce, double_log_softmax, rectified_logits,
    bounded_logits,
)  # fmt: skip
