"""`diagnose`: observe once, gather the case, ask every rule, try the cures."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from xent.doctor import cure as curing
from xent.doctor import evidence, guard
from xent.doctor.diagnosis import Diagnosis, Finding, Unchecked
from xent.doctor.evidence import Case
from xent.doctor.observe import Forward, checked, observe, said
from xent.doctor.picture import Picture
from xent.doctor.rules import RULES, SEVERITIES, Found, Rule
from xent.errors import ModelError, UnknownNameError

OUTSHINES = {
    "all-ignored": {"non-finite", "untrained-parameters"},
    "class-index-out-of-range": {"non-finite"},
    "zero-class-weight": {"non-finite", "single-class-batch"},
    "logits-as-probabilities": {
        "non-finite",
        "dead-probability-bce",
        "initial-cost",
        "large-logits",
        "output-bias",
        "sigmoid-for-exclusive-classes",
    },
    "probabilities-as-logits": {"double-log-softmax"},
    "one-class-softmax": {"softmax-wrong-axis", "squared-error-on-squashed-output", "single-class-batch", "untrained-parameters"},
    "softmax-wrong-axis": {
        "squared-error-on-squashed-output",
        "one-class-softmax",
        "initial-cost",
        "output-bias",
        "target-outside-domain",
        "softmax-for-independent-labels",
    },
    "softmax-for-independent-labels": {
        "squared-error-on-squashed-output",
        "target-outside-domain",
        "initial-cost",
        "output-bias",
        "single-class-batch",
    },
    "class-axis": {"initial-cost", "output-bias", "softmax-wrong-axis", "softmax-for-independent-labels", "target-outside-domain"},
    "target-outside-domain": {"initial-cost", "output-bias", "non-finite"},
    "sigmoid-for-exclusive-classes": {"dead-probability-bce"},
    "signed-labels": {"initial-cost", "output-bias", "target-outside-domain"},
}
"""What a finding explains need not be found again under another name."""


def diagnose(
    model: Any,
    criterion: Any,
    batch: Any,
    *,
    forward: Forward | None = None,
    rules: Iterable[str] | None = None,
    try_cures: bool = True,
    seconds: float = 30.0,
) -> Diagnosis:
    """Whether cost, output and targets fit each other, how much of each error arrives, and what to change.

    Parameters
    ----------
    model
        Any torch.nn.Module. The run is made on a copy: weights, buffers, gradients, mode, hooks and random states stay.
    criterion
        Whatever gives the cost of (output, target): a module of torch.nn, a function, a lambda. None if the model returns its
        own cost.
    batch
        (x, y) for `criterion(model(x), y)`; x may be a tuple or a dict of inputs. Anything else with `forward`.
    forward
        `forward(model, batch)` returns what the criterion takes (one output, or a tuple of all arguments); without a criterion,
        the cost.
    rules
        Ids of the rules to ask; all if not given.
    try_cures
        Whether cures are tried: a few steps of gradient descent, old and new, from the same weights on this batch.
    seconds
        Time for all trials together; cures beyond it stay untried and say so.

    Returns
    -------
    Diagnosis
        findings, unchecked, ok. A criterion that raises is a finding where a rule knows why.

    Raises
    ------
    InputError
        Nothing can be trained, batch and model are on different devices, there is no criterion and no cost, or no tensor came out.
    ModelError
        The model or the criterion raised, and no rule knows why; its own message stands first.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1))
    >>> x, y = torch.randn(32, 4), torch.randint(3, (32,))
    >>> [finding.rule for finding in diagnose(model, torch.nn.CrossEntropyLoss(), (x, y)).findings]
    ['probabilities-as-logits']
    """
    asked = _asked(rules)
    model = checked(model, criterion, batch, forward)
    with torch.inference_mode(False), guard.untouched(model, criterion), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's own code said them before
        seen = observe(model, criterion, batch, forward, again=try_cures)
        case = evidence.gather(seen)
        found, unchecked = _ask(case, asked)
        if seen.error is not None and not any(_severity(rule, f) == "error" for rule, f in found):
            raise ModelError(
                f"{seen.raised}\nthe criterion raised this on the model's output ({said(seen.output)}), and no rule of the doctor "
                f"knows why. If it takes something else, say what with forward=lambda model, batch: (output, target)."
            ) from seen.error
        until = time.perf_counter() + seconds
        findings = [_finding(case, rule, one, until if try_cures else -math.inf) for rule, one in found]
        diagnosis = Diagnosis(
            tuple(sorted(findings, key=lambda f: -SEVERITIES.index(f.severity))),
            tuple(unchecked),
            Picture.of(case),
            type(model).__name__,
        )
        seen.trace.forget()
        return diagnosis


def _asked(rules: Iterable[str] | None) -> list[Rule]:
    if rules is None:
        return list(RULES.values())
    names = [rules] if isinstance(rules, str) else list(rules)
    for name in names:
        if name not in RULES:
            raise UnknownNameError("rule", name, RULES)
    return [RULES[name] for name in names]


def _ask(case: Case, rules: list[Rule]) -> tuple[list[tuple[Rule, Found]], list[Unchecked]]:
    """What each rule found, and which could not look."""
    found: list[tuple[Rule, Found]] = []
    unchecked: list[Unchecked] = []
    for rule in rules:
        try:
            why = _missing(case, rule)
            one = rule.test(case)
        except Exception as error:  # a mistake of this rule is no reason to keep the others to ourselves
            one, why = None, ("broke", f"{type(error).__name__}: {error}")
        if one is not None:
            found.append((rule, one))
        elif why is not None:
            unchecked.append(Unchecked(rule.id, *why))
    hidden = {other for rule, _ in found for other in OUTSHINES.get(rule.id, ())}
    return [(rule, one) for rule, one in found if rule.id not in hidden], unchecked


def _missing(case: Case, rule: Rule) -> tuple[str, str] | None:
    """What a rule needs and this case does not have: a key of the texts, and a detail."""
    for need in rule.needs:
        if need in ("cost", "gradient") and (case.seen.cost is None or not case.seen.cost.requires_grad):
            return "no-cost", case.seen.raised.partition("\n")[0]
        if need in ("target", "pairing") and not case.sites:
            return "no-site", ""
        if need == "pairing" and not case.pairings:
            return "no-pairing", case.unread[0][1] if case.unread else "way"
        if need == "pairing" and case.unread:
            return "part", case.unread[0][1]
        if need == "layers":
            hidden = sorted({s.op for s in case.trace.steps if s.in_model and s.op in ("mkldnn_rnn_layer", "_cudnn_rnn")})
            if hidden:
                return "fused", ", ".join(hidden)
            if "gradient" in rule.needs and len(case.layers) < 4:
                return "shallow", str(len(case.layers))
    return None


def _severity(rule: Rule, found: Found) -> str:
    return found.severity or rule.severity


def _finding(case: Case, rule: Rule, found: Found, until: float) -> Finding:
    """A finding with its cure, tried if it can be."""
    tried, why = None, found.no_cure or "not-asked"
    if found.cure is not None and until > -math.inf:
        try:
            with torch.random.fork_rng(devices=[]):
                tried, why = curing.attempt(case.seen, found.cure, until=until), ""
        except curing.CannotTry as reason:
            why = str(reason)
    cure = None if found.cure is None else replace(found.cure, goal=None, prepare=None)  # they hold the whole run
    return Finding(rule.id, _severity(rule, found), found.evidence, found.variant, cure, tried, "" if tried else why)
