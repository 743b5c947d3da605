"""Rules about the gain: errors that are badly wrong and hardly corrected, by the pairing or by rounding."""

from __future__ import annotations

import torch

from xent.doctor import goal
from xent.doctor.cure import Cure
from xent.doctor.evidence import Case
from xent.doctor.natures import REACH
from xent.doctor.rules.base import Found, rule
from xent.doctor.rules.looks import placed
from xent.doctor.sites import ERRORS, Site


@rule("squared-error-on-squashed-output", "warning", "pairing")
def squared_error_on_squashed_output(case: Case) -> Found | None:
    """A squared or absolute error on a sigmoid, tanh or softmax: what is badly wrong is hardly corrected.

    Classes make it a fault at once; a range that is regressed into on purpose, or a GAN's constant, only what is stalled in it.
    """
    for pairing in case.pairings:
        site = pairing.site
        if site.form not in ERRORS or pairing.squash not in REACH or _corrected_otherwise(case, site):
            continue
        classes = pairing.hard and case.from_targets(site)
        stalled, wrong, n = int(pairing.stalled.sum()), int(pairing.wrong.sum()), len(pairing.error)
        if not classes and not (stalled >= 1 and stalled >= 0.1 * wrong and stalled >= 0.01 * n):
            continue
        if case.unreachable(site):
            continue  # the targets are the fault
        words, i = placed(case, site), int(pairing.worst.argmax())
        gain = float(pairing.gain[i])
        key = {"softmax": "cross-entropy-on-logits", "tanh": "tanh-to-logits"}.get(pairing.squash, "bce-on-logits")
        squash = "softmax" if pairing.squash == "softmax" else "sigmoid"
        aim = goal.of_pairing(pairing, squash) if pairing.squash != "hard" else None
        evidence = {
            **words, "error": float(pairing.worst[i]), "gain": gain, "slowed": 1 / gain if gain > 0 else float("inf"),
            "share": pairing.stalled_share, "stalled": stalled, "wrong": wrong, "n": n,
        }  # fmt: skip
        return Found(evidence, "stalled" if stalled else "", Cure(key, words, ("linear-output",), aim))
    return None


def _corrected_otherwise(case: Case, site: Site) -> bool:
    """Whether another cost corrects the same logits."""
    z = site.nature.z
    return case.has_logarithm(z) or any(o.form not in ERRORS and z in (o.nature.z, o.input) for o in case.sites)


@rule("dead-probability-bce", "warning", "pairing")
def dead_probability_bce(case: Case) -> Found | None:
    """Cross-entropy through rounded probabilities: badly wrong samples whose gradient is lost in this batch."""
    for pairing in case.pairings:
        nature = pairing.site.nature
        rounded = nature.is_log and nature.step is not None and "log" not in nature.step.op and nature.step.op != "sub"
        if not pairing.name.startswith("cross-entropy") or not (nature.squashed or rounded):
            continue
        near = max(10 * nature.eps, 1e-5)  # so little is left of the target's probability that it is rounded or clamped
        lost = pairing.wrong & (pairing.gain < 0.5) & (pairing.worst > 1 - near)
        if not bool(lost.any()):
            continue
        words, i = placed(case, pairing.site), int(torch.where(lost, pairing.worst, -1.0).argmax())
        key = "bce-on-logits" if pairing.squash == "sigmoid" else "cross-entropy-on-logits"
        evidence = {
            **words, "lost": int(lost.sum()), "wrong": int(pairing.wrong.sum()), "z": float(pairing.z[i].abs().max()),
            "gain": float(pairing.gain[i]), "n": len(pairing.error), "dtype": pairing.z_value.dtype,
        }  # fmt: skip
        return Found(evidence, "", Cure(key, words, (), goal.of_pairing(pairing)))
    return None


ALL = (squared_error_on_squashed_output, dead_probability_bce)
