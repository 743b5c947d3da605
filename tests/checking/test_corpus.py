"""Every verdict right: wrong costs named by their mistake, right ones left alone, the whole catalogue ok; and the report."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from checking.specimens import RIGHT, WRONG

import xent
from xent import texts
from xent.checking import Finding
from xent.checking.differences import SAFE, central, one_sided
from xent.costs import Cost, Focal, GeneralizedLq, Poly, Quadratic, Smooth, SymmetricCrossEntropy
from xent.errors import InputError, PairError

TRUE_REMARKS = {
    "quadratic@sigmoid": {"stalls"},
    "quadratic@tanh": {"stalls"},
    "quadratic@softmax": {"stalls"},
    "focal(gamma=2)@sigmoid": {"improper"},
    "focal(gamma=2)@softmax": {"improper"},
    "poly(epsilon=1)@sigmoid": {"improper"},
    "poly(epsilon=1)@softmax": {"improper"},
    "lq(q=0.7)@sigmoid": {"improper", "stalls"},
    "lq(q=0.7)@softmax": {"improper", "stalls"},
    "symmetric-cross-entropy(alpha=0.1, beta=1, A=-4)@sigmoid": {"improper"},
    "symmetric-cross-entropy(alpha=0.1, beta=1, A=-4)@softmax": {"improper"},
    "absolute@sigmoid": {"corner", "stalls"},
    "absolute@tanh": {"corner", "stalls"},
    "absolute@softmax": {"corner", "stalls"},
    "absolute@identity": {"corner"},
    "hinge@identity": {"corner"},
}
"""Of the catalogue; everything else in it has none. The absolute error is least at a = y for a soft target too."""

SECOND_MISTAKES = {
    "HeldAtAHundred": {"slope"},  # clipped at 1e-12 too
    "ClipsInPlace": {"slope"},
    "Standardised": {"shapes"},
    "NanAtTheEnds": {"end"},
    "TheSlipInPublic": {"broadcasts"},
    "RoundedAnswers": {"jump"},
}
"""What else is wrong with a wrong one."""


@cache
def checked(name):
    """The verdict on one of the corpus, reached once."""
    return xent.check_cost({**WRONG, **RIGHT}[name][0])


def rules(findings):
    return {finding.rule for finding in findings}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_named(name):
    check, rule = checked(name), WRONG[name][1]
    assert not check.ok
    assert rules(check.problems) == {rule, *SECOND_MISTAKES.get(name, ())}, str(check)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_one_is_left_alone(name):
    check, remarks = checked(name), RIGHT[name][1]
    assert check.ok, str(check)
    assert rules(check.remarks) == remarks, str(check)


@pytest.mark.parametrize("output", xent.catalogue(), ids=str)
def test_the_catalogue_is_ok(output):
    check = xent.check_cost(output)
    assert check.ok, str(check)
    assert rules(check.remarks) == TRUE_REMARKS.get(str(output), set()), str(check)


OTHERS = [
    *(Focal(gamma=gamma) for gamma in (0.0, 0.3, 1.0, 5.0, 20.0)),
    *(GeneralizedLq(q=q) for q in (0.01, 0.5, 1.0)),
    *(Poly(epsilon=epsilon) for epsilon in (-1.0, 0.0, 100.0)),
    SymmetricCrossEntropy(alpha=0.0, A=-6.0),
    Smooth(Quadratic(), epsilon=1.0),
    Smooth(Focal(), epsilon=0.5),
]


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("cost", OTHERS, ids=str)
def test_other_parameters_are_ok(cost, activation):
    check = xent.check_cost(cost, activation)
    assert check.ok, str(check)


@pytest.mark.parametrize("name", ["quadratic@softplus", "absolute@relu", "focal@tanh", "poly@tanh"])
def test_pairs_with_the_plain_chain_rule_are_ok(name):
    check = xent.check_cost(name)
    assert check.ok, str(check)


@dataclasses.dataclass(frozen=True)
class Scaled(Cost):
    """A cost in other units."""

    cost: Cost
    by: float
    name = "scaled"

    answers = property(lambda self: self.cost.answers)
    targets = property(lambda self: self.cost.targets)
    usual = property(lambda self: self.cost.usual)

    def __call__(self, a, y):
        return self.by * self.cost(a, y)

    def slope(self, a, y):
        return self.by * self.cost.slope(a, y)


@pytest.mark.parametrize("by", [1e-12, 1e10])
@pytest.mark.parametrize("name", ["quadratic", "cross-entropy", "hinge", "lq"])
def test_units_do_not_matter(name, by):
    cost = Scaled(xent.output(name).cost, by)
    assert xent.check_cost(cost).ok
    turned = type("Turned", (Scaled,), {"slope": lambda self, a, y: -self.by * self.cost.slope(a, y)})
    assert rules(xent.check_cost(turned(cost.cost, by)).problems) == {"sign"}


# ── what was measured ──


def test_the_evidence_of_the_slip():
    """At z, the slip sends back 1/(1 − a) for y = 0, where a is right."""
    (problem,) = checked("TheSlip").problems
    e = problem.evidence
    a = 1 / (1 + np.exp(-e.z))
    assert e.a == pytest.approx(a)
    assert e.came == pytest.approx((a - e.y) / (a * (1 - a)))
    assert e.expected == pytest.approx(a - e.y, rel=1e-9)
    assert "∂C/∂a; σ′ was forgotten" in problem.sentence


@pytest.mark.parametrize(("name", "factor"), [("HalfForgotten", "1/2"), ("MeanOverOutputs", "1/3"), ("TwiceAsMuch", "2")])
def test_a_factor_is_told(name, factor):
    (problem,) = checked(name).problems
    assert f"is {factor} times the derivative" in problem.sentence


def test_the_measured_gain_of_a_stall():
    (remark,) = xent.check_cost("quadratic@sigmoid").remarks
    a = remark.evidence.a
    assert dict(remark.words)["gain"] == f"{a * (1 - a):.3g}"


def test_an_error_of_the_users_own_is_one_line():
    (problem,) = checked("Raises").problems
    assert problem.evidence.came == "RuntimeError: not written yet"


def test_the_least_of_focal_lies_where_calculus_says():
    """For y = (½, ¼, ¼) focal's least answer is more level than y: the evidence lies lower than a = y."""
    check = xent.check_cost("focal@softmax")
    seen = next(r for r in check.remarks if r.rule == "improper").evidence
    cost = xent.output("focal@softmax").cost
    assert cost(np.asarray(seen.a), np.asarray(seen.y)).sum() < cost(np.asarray(seen.y), np.asarray(seen.y)).sum()
    assert max(seen.a) < max(seen.y)


# ── differences ──


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (np.log, lambda a: 1 / a),
        (lambda a: np.log1p(-a), lambda a: -1 / (1 - a)),
        (lambda a: a**0.1, lambda a: 0.1 * a**-0.9),
        (lambda a: np.sin(9 * a), lambda a: 9 * np.cos(9 * a)),
    ],
)
def test_the_error_of_a_difference_is_not_underestimated(f, slope):
    a = np.concatenate([2.0 ** -np.arange(2.0, 40.0), 1 - 2.0 ** -np.arange(2.0, 40.0), np.linspace(0.01, 0.99, 300)])
    found = central(lambda t: f(a + t), 2.0 ** np.floor(np.log2(np.minimum(a, 1 - a) / 4)), grain=2.0**-52)
    assert (np.abs(found.value - slope(a)) <= SAFE * found.error + 1e-6 * np.abs(slope(a))).all()
    assert (found.error[-300:] < 1e-7 * np.abs(slope(a)[-300:]).max()).all()  # and it is not merely large


def test_a_corner_has_two_slopes():
    step = np.asarray([0.125])
    left, right = (one_sided(np.abs, sign * step) for sign in (-1, 1))
    assert left.value == pytest.approx(-1)
    assert right.value == pytest.approx(1)


# ── the report and its words ──


def test_the_report_says_everything():
    text = str(checked("HeldAtAHundred"))
    for words in ("entropy@sigmoid: not ok, problems: 2", "Clamped logarithm  [clamped]", "Wrong slope", "expected", "wrong at"):
        assert words in text


def test_both_languages_have_every_rule_and_every_placeholder():
    pages = [tomllib.loads((Path(texts.__file__).parent / lang / "check.toml").read_text()) for lang in ("en", "zh")]
    assert pages[0]["rules"].keys() == pages[1]["rules"].keys()
    for section in ("words", "what"):
        assert pages[0][section].keys() == pages[1][section].keys()
    for rule, english in pages[0]["rules"].items():
        assert english.keys() == pages[1]["rules"][rule].keys()
        for key in english:
            assert set(re.findall(r"{(\w+)}", english[key])) == set(re.findall(r"{(\w+)}", pages[1]["rules"][rule][key])), rule
    used = "".join(p.read_text() for p in (Path(xent.__file__).parent / "checking").glob("*.py"))
    assert not [rule for rule in pages[0]["rules"] if f'"{rule}"' not in used]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_report_can_be_told(language):
    for name in (*WRONG, *RIGHT):
        check = checked(name)
        assert "{" not in check.text(language)
        assert check.as_dict(language)["ok"] == check.ok


def test_a_finding_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Finding("sign").rule = "other"


@pytest.mark.parametrize(
    ("subject", "activation", "error", "says"),
    [
        (3, None, InputError, "3"),
        (int, None, InputError, "is no cost"),
        ("hinge", "sigmoid", PairError, "hinge@identity"),
        (Quadratic(), "sigmod", InputError, "'sigmoid'"),
        (Cost, None, InputError, "does not define"),
    ],
)
def test_asked_wrongly(subject, activation, error, says):
    with pytest.raises(error) as caught:
        xent.check_cost(subject, activation)
    assert says in str(caught.value)


class Unmarked:
    """A cost that knows nothing of xent, with a slip."""

    answers = (0, 1)

    def __call__(self, a, y):
        return (a - y) ** 2 / 2

    def slope(self, a, y):
        return y - a


def test_costs_that_know_nothing_of_xent():
    for subject in (Unmarked, Unmarked()):
        check = xent.check_cost(subject)
        assert check.name == "Unmarked@sigmoid"
        assert [problem.rule for problem in check.problems] == ["sign"]
