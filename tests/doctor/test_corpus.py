"""Every planted fault found, no healthy model accused, every rule needed for that."""

from __future__ import annotations

import re

import pytest
from doctor.corpus import HEALTHY, SICK, diagnosed
from doctor.score import PAIRING, missed

from xent import texts
from xent.doctor.rules import RULES

FIXED = [
    "probabilities-as-logits",
    "logits-as-probabilities",
    "one-class-softmax",
    "softmax-wrong-axis",
    "sigmoid-for-exclusive-classes",
    "softmax-for-independent-labels",
    "target-outside-domain",
    "signed-labels",
    "float-class-indices",
    "broadcast-target",
    "class-index-out-of-range",
    "class-axis",
    "all-ignored",
    "zero-class-weight",
    "non-finite",
    "untrained-parameters",
    "squared-error-on-squashed-output",
    "dead-probability-bce",
    "double-log-softmax",
    "rectified-logits",
    "single-class-batch",
    "initial-cost",
    "output-bias",
    "saturated-units",
    "dead-units",
    "vanishing-gradient",
    "exploding-gradient",
    "low-precision-cost",
    "large-logits",
]
OURS = ["bounded-logits"]
OTHERS_TOO = {
    "a_temperature_too_small": {"initial-cost"},
    "weights_drawn_too_wide": {"large-logits"},
    "probabilities_rounded_to_one": {"large-logits", "initial-cost"},
    "clamped_logarithms": {"initial-cost"},
}
"""What else is true of a case."""
TRUE_OF_HEALTHY = {
    "cosine_classifier": {"initial-cost"},  # random directions at scale 5 are sure of themselves
    "student_of_a_frozen_encoder": {"untrained-parameters"},  # frozen by no_grad alone; an optimizer may hold it
}


@pytest.mark.parametrize("name", SICK)
def test_a_planted_fault_is_found_and_nothing_else(name):
    diagnosis = diagnosed(SICK[name].make)
    assert {f.rule for f in diagnosis.findings} == {SICK[name].rule, *OTHERS_TOO.get(name, ())}, str(diagnosis)
    assert not diagnosis.ok
    assert not [u for u in diagnosis.unchecked if u.reason == "broke"], diagnosis.unchecked
    for language in texts.LANGUAGES:
        assert not re.search(r"\{[a-z_0-9]*\}|gain nan", diagnosis.text(language)), diagnosis.text(language)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_model_is_left_alone(name):
    diagnosis = diagnosed(HEALTHY[name])
    assert not [f.rule for f in diagnosis.findings if f.severity == "error" or f.rule in PAIRING], str(diagnosis)
    assert not [u for u in diagnosis.unchecked if u.reason == "broke"], diagnosis.unchecked
    assert {f.rule for f in diagnosis.findings} <= TRUE_OF_HEALTHY.get(name, set()), str(diagnosis)


def test_the_corpus_is_large_and_halved():
    assert len(SICK) + len(HEALTHY) >= 60
    assert 0.8 < len(SICK) / len(HEALTHY) < 1.3


def test_every_rule_that_was_promised_is_there_and_has_a_case():
    assert {*FIXED, *OURS} == set(RULES)
    assert {case.rule for case in SICK.values()} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_without_its_rule_a_fault_is_missed(rule, monkeypatch):
    """No other rule stands in for one that is taken out, and the score says so."""
    name = next(name for name, case in SICK.items() if case.rule == rule)
    monkeypatch.delitem(RULES, rule)
    assert list(missed({name: SICK[name]})) == [name]
