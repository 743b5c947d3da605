"""The article's claims: all agree, and a claim that does not hold is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xent import texts
from xent.article import RATES, Study


@pytest.fixture(scope="module")
def study():
    return Study()


def test_every_claim_agrees(study):
    assert [claim.id for claim in study.claims if not claim.agrees] == []


def test_every_claim_has_its_sentence(study):
    for language in texts.LANGUAGES:
        assert {claim.id for claim in study.claims} == set(texts.page("article", language)["claims"])


def test_a_false_claim_is_seen(study):
    """The same judgement on a run that learns under the other cost."""
    other = Study()
    swapped = {start: study.run(start, "cross-entropy", RATES["same"]) for start in (1, 2)}
    other.__dict__["experiments"] = [replace(e, run=swapped[e.start]) if e.cost == "quadratic" else e for e in study.experiments]
    differing = {claim.id for claim in other.claims if not claim.agrees}
    assert {"start1_last", "start2_last", "gradient_order", "slow_start"} <= differing


def test_the_slip_of_the_demos(study):
    assert float(study.slips[1].a[-1]) == pytest.approx(0.0404, abs=5e-5)
    assert float(study.slips[2].a[-1]) == pytest.approx(0.0479, abs=5e-5)


def test_speedups(study):
    assert (study.words["speedup1"], study.words["speedup2"]) == ("6.7", "56.6")


def test_numbers_of_all_eight_rows(study):
    rows = study.numbers()["experiments"]
    assert len(rows) == 8
    assert {(r["start"], r["cost"], r["rate"]) for r in rows} == {
        (s, c, r) for s in (1, 2) for c, r in [("quadratic", 0.15), *(("cross-entropy", v) for v in (0.15, 0.025, 0.005))]
    }
    assert [r["first_below_half"] for r in rows if (r["start"], r["rate"]) == (2, 0.005)] == [None]


def test_best_rates_lie_inside_the_grid(study):
    """A best rate at an edge of the grid would not be a best rate."""
    for cost in study.best_rates.wrong:
        rate, _ = study.best_rates.best(cost)
        assert study.best_rates.rates[0] < rate < study.best_rates.rates[-1]
