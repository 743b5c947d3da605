"""docs/doctor.md says what is true: every rule with its severity, and the score of the corpus."""

from __future__ import annotations

from pathlib import Path

from doctor.corpus import HEALTHY, SICK

from xent.doctor.cure import RATES, STEPS
from xent.doctor.rules import RULES

ROOT = Path(__file__).parents[2]


def test_every_rule_is_listed_with_its_severity():
    text = (ROOT / "docs" / "doctor.md").read_text()
    for rule in RULES.values():
        assert f"| `{rule.id}` | {rule.severity} |" in text


def test_the_score_is_that_of_the_corpus():
    """That none is missed and none accused is tested case by case in test_corpus.py."""
    text = (ROOT / "docs" / "doctor.md").read_text()
    assert f"{len(SICK)} models with one planted fault each: {len(SICK)} found, recall 100.0%" in text
    assert f"{len(HEALTHY)} healthy models, unusual but right: 0 accused" in text
    for name, parts in (("README.md", ("{} of {} planted", "{} healthy")), ("README.zh-CN.md", ("{} 处预先", "{} 个健康"))):
        said = (ROOT / name).read_text()
        assert parts[0].format(len(SICK), len(SICK)) in said
        assert parts[1].format(len(HEALTHY)) in said
        assert str(len(RULES)) in said


def test_the_trial_is_as_described():
    text = " ".join((ROOT / "docs" / "doctor.md").read_text().split())
    assert f"for {STEPS} steps of gradient descent" in text
    assert f"of the rates {', '.join(f'{r:g}' for r in RATES[:-1])} and {RATES[-1]:g}" in text
