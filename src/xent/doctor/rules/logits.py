"""Rules about what a cost takes for logits: answers and logarithms in their place, and logits that cannot say everything."""

from __future__ import annotations

import math
from dataclasses import replace

from xent.doctor import goal
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.natures import Nature
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import LOGARITHMS, layer_of, placed, width
from xent.doctor.sites import ERRORS, Site
from xent.doctor.trace import Value

LOGITS = ("cross-entropy", "bce-logits")
MARGINS = (*LOGITS, "logistic")
SURE = 0.95
"""Logits are narrow where no class can get this probability."""


def _is_probability(nature: Nature) -> bool:
    smooth = nature.kind in ("softmax", "sigmoid", "tanh")  # ½(1 + tanh ½z) is a sigmoid
    return smooth and (nature.low, nature.high) == (0.0, 1.0) and not nature.picked


def _goal(site: Site, z: Value) -> goal.Goal | None:
    """Cross-entropy on these logits with the site's own targets; its binary form for yes and no."""
    if not isinstance(site.target, Value):
        return None
    if site.form in ("bce-logits", "bce", "bce-by-hand", "logistic"):
        return goal.of_site(site, "sigmoid", site.target.numbers, z=z)
    return goal.of_site(site, "softmax", site.target.numbers, axis=site.class_axis, z=z)


@rule("probabilities-as-logits", "error")
def probabilities_as_logits(case: Case) -> Found | None:
    """A softmax or sigmoid under a cost that has its own, or under one that wants logarithms."""
    for site in case.sites:
        nature, variant = site.nature, ""
        if site.form in MARGINS and (_is_probability(replace(nature, picked=False)) or _is_narrow(site, nature)):
            pass
        elif site.form in LOGARITHMS and _is_probability(nature):
            variant = "logarithm"
        elif nature.is_log or (site.by_hand and nature.squashed):
            nature = case.nature(nature.z)
            if not _is_probability(nature) and not _is_narrow(site, nature):
                continue
        else:
            continue
        words, z = placed(case, site, nature), site.input.numbers
        spread = float((z.max() - z.min()).double()) if z.numel() else 0.0
        aim = _goal(site, nature.z) if nature.z.tensor.numel() else None
        key = "give-logarithms" if variant else "drop-squashing"
        others = ("log-softmax-nll",) if nature.kind == "softmax" else ("bce-on-probabilities",)
        evidence = {**words, "spread": spread, "best": _best_of_unit_range(site), "classes": _classes(site)}
        return Found(evidence, variant, Cure(key, words, others, aim))
    return None


def _classes(site: Site) -> int:
    return 2 if site.form in ("bce-logits", "logistic") else width(site)


def _best_of_unit_range(site: Site) -> float:
    """The most that a model can say about the right class when its logits lie between 0 and 1."""
    return math.e / (math.e + _classes(site) - 1)


def _best(site: Site, nature: Nature) -> float:
    """The most that a model can say about a class, when its logits end where a nature ends."""
    if site.axis is None and site.form in ("bce-logits", "logistic"):
        return 1 / (1 + math.exp(-max(nature.high, -nature.low)))
    return 1 / (1 + (_classes(site) - 1) * math.exp(nature.low - nature.high))


def _is_narrow(site: Site, nature: Nature) -> bool:
    """Whether logits are scaled probabilities that still cannot be sure."""
    return nature.kind == "scaled" and _best(site, nature) < SURE


@rule("double-log-softmax", "warning")
def double_log_softmax(case: Case) -> Found | None:
    """A log-softmax of a log-softmax: the second changes nothing, and says that cost and output were not read together."""
    for site in case.sites:
        nature = site.nature
        by_itself = nature.is_log and nature.inner == "softmax"
        twice = nature if by_itself and site.form in LOGITS else None
        if (by_itself and site.form not in LOGITS) or (site.by_hand and nature.kind == "softmax"):
            inner = case.nature(nature.z)
            twice = inner if inner.is_log and inner.inner == "softmax" else None
        if twice is None or twice.picked:
            continue
        words = placed(case, site, twice)
        of_target = isinstance(site.target, Value)
        aim = goal.of_site(site, "softmax", site.target.numbers, axis=site.class_axis, z=twice.z) if of_target else None
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
        differences = site.axis is not None or site.nature.of_softmax  # all that a softmax looks at
        if nature.kind != "rectified" or (differences and nature.inner in ("abs", "softplus", "elu")):
            continue
        words = placed(case, site, nature) | {"layer": layer_of(case, nature.z)}
        zero = float((z.numbers <= 0).double().mean()) if z.tensor.numel() else 0.0
        aim = _goal(site, nature.z) if site.form in LOGITS else None
        return Found({**words, "zero": zero}, "", Cure("drop-rectifier", words, ("leaky",), aim))
    return None


@rule("bounded-logits", "warning")
def bounded_logits(case: Case) -> Found | None:
    """Logits that cannot leave a narrow range: no answer can ever be sure."""
    for site in case.sites:
        if site.form not in MARGINS and not site.nature.is_log:
            continue
        inner = case.nature(site.nature.z) if site.nature.is_log else site.nature
        if inner.kind not in ("tanh", "sigmoid", "hard") or inner.picked or _is_probability(inner):
            continue
        best = _best(site, inner)
        if best >= SURE:
            continue
        words = placed(case, site, inner)
        evidence = {
            **words, "low": inner.low, "high": inner.high, "best": best, "least": -math.log(best), "classes": _classes(site),
        }  # fmt: skip
        return Found(evidence, "", Cure("drop-squashing", words, ("wider-range",), _goal(site, inner.z)))
    return None


ALL = (probabilities_as_logits, double_log_softmax, rectified_logits, bounded_logits)
