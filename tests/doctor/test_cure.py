"""Cures are tried honestly: same start, same measure, each at its best rate; what cannot be tried says why."""

from __future__ import annotations

import math

import pytest
import torch
from doctor.corpus import SICK
from torch import nn

from xent.doctor import diagnose
from xent.doctor.cure import RATES, Curve, Tried


def first(name, **options):
    torch.manual_seed(0)
    model, criterion, batch, *forward = SICK[name].make()
    found = diagnose(model, criterion, batch, forward=forward[0] if forward else None, **options).findings
    return next(f for f in found if f.rule == SICK[name].rule)


@pytest.mark.parametrize(
    "name",
    [
        "softmax_module_then_cross_entropy", "sigmoid_then_bce_with_logits", "raw_output_into_nll", "softmax_over_one_unit",
        "log_softmax_over_the_batch", "cross_entropy_on_several_labels", "softmax_under_squared_error",
        "probabilities_rounded_to_one", "column_against_row_mse", "minus_one_and_one_under_bce", "pixels_and_classes_scrambled",
        "one_positive_in_a_hundred", "weights_drawn_too_wide",
    ],
)  # fmt: skip
def test_a_cure_that_can_be_tried_is_tried(name):
    t = first(name).tried
    assert t is not None
    assert t.old is not None
    assert {t.old.rate, t.new.rate} <= set(RATES)
    assert len(t.old.log_probability) == len(t.new.log_probability) == t.steps + 1
    if name not in ("one_positive_in_a_hundred", "weights_drawn_too_wide"):  # there the start itself is what changes
        assert t.old.log_probability[0] == pytest.approx(t.new.log_probability[0], rel=1e-6)
    assert t.verdict == "better", (t.old.mean, t.new.mean)


def test_a_cost_that_cannot_run_has_no_old_curve():
    t = first("classes_counted_from_one").tried
    assert t.old is None
    assert t.verdict == "better"
    assert t.new.log_probability[-1] > t.new.log_probability[0]


def test_a_cure_that_changes_nothing_says_so():
    finding = first("log_softmax_then_cross_entropy")
    assert finding.tried.verdict == "same"
    assert "no difference" in finding.trial()
    assert finding.tried.old.mean == pytest.approx(finding.tried.new.mean, rel=1e-4)


def test_a_worse_cure_is_shown_as_such():
    bad, good = Curve(1.0, (0.5, 0.6), (-1.0, -0.9)), Curve(1.0, (0.5, 0.9), (-1.0, -0.2))
    assert Tried(good, bad, 1).verdict == "worse"
    assert Tried(bad, good, 1).verdict == "better"
    assert Tried(bad, bad, 1).verdict == "same"


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("a_batch_of_one_class", {}, "cured in the data"),
        ("detached_features", {}, "cannot change from outside"),
        ("softmax_module_then_cross_entropy", {"seconds": 0.0}, "used up"),
        ("softmax_module_then_cross_entropy", {"try_cures": False}, "not asked for"),
    ],
)
def test_a_cure_that_is_not_tried_says_why(name, options, why):
    finding = first(name, **options)
    assert finding.tried is None
    assert why in finding.untried


def test_the_score_is_that_of_the_true_task():
    """Log-probabilities at step 0 are those of the untouched model's logits, by PyTorch's own cross-entropy."""
    finding = first("softmax_module_then_cross_entropy")
    torch.manual_seed(0)
    model, _, (x, y), *_ = SICK["softmax_module_then_cross_entropy"].make()
    logits = model[:-1](x)
    assert finding.tried.new.log_probability[0] == pytest.approx(-float(nn.functional.cross_entropy(logits, y).detach()), rel=1e-5)
    assert finding.tried.new.accuracy[0] == pytest.approx(float((logits.argmax(1) == y).float().mean()))


def test_trials_of_numbers_have_no_accuracy():
    t = first("column_against_row_mse").tried
    assert math.isnan(t.new.accuracy[0])
