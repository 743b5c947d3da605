"""What a diagnosis says: both languages complete, the page, the picture, the data."""

from __future__ import annotations

import html
import json
import re

import numpy as np
import pytest
import torch
from doctor.corpus import HEALTHY, SICK, diagnosed
from torch import nn

from xent import texts
from xent.cli.flags import as_json
from xent.doctor import diagnose
from xent.doctor.rules import RULES, Rule


@pytest.fixture(scope="module")
def stalled():
    """A stalled sigmoid, its cure tried."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())
    with torch.no_grad():
        model[2].weight.mul_(6)
        model[2].bias.fill_(3.0)
    x = torch.randn(64, 2)
    return diagnose(model, nn.MSELoss(), (x, (x[:, :1] > 0).float()))


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("name", [next(n for n, c in SICK.items() if c.rule == rule) for rule in RULES])
def test_every_rule_tells_its_numbers(name, language):
    """No name in braces stays unfilled, nothing is empty."""
    diagnosis = diagnosed(SICK[name].make)
    text = diagnosis.text(language)
    assert not re.search(r"\{[a-z_0-9]*\}", text), text
    for finding in diagnosis.findings:
        for said in (finding.title(language), finding.what(language), finding.why(language), finding.cured(language)):
            assert said.strip()
        assert finding.title(language) in text
        assert len(finding.why(language).splitlines()) <= 2
        json.loads(as_json(finding.as_dict(language)))


def test_a_rule_that_fails_keeps_the_others_from_nobody(monkeypatch):
    def fails(case):
        raise ZeroDivisionError("of all things")

    monkeypatch.setitem(RULES, "initial-cost", Rule("initial-cost", "warning", (), fails))
    diagnosis = diagnosed(SICK["softmax_module_then_cross_entropy"].make)
    assert [f.rule for f in diagnosis.findings] == ["probabilities-as-logits"]
    (unchecked,) = [u for u in diagnosis.unchecked if u.rule == "initial-cost"]
    for language in texts.LANGUAGES:
        assert "ZeroDivisionError: of all things" in unchecked.told(language)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_variant_and_cure_is_spelled_right(language):
    """Braces in the texts hold names only, so that filling them never fails."""
    page = texts.page("doctor", language)
    pages = [text for rule in page["rules"].values() for text in rule.values()] + list(page["cures"].values())
    for text in pages:
        assert re.findall(r"\{[^}]*\}", text) == re.findall(r"\{[a-z_0-9]+\}", text), text
    assert set(page["rules"]) == {*RULES, "micro-batch-mean", "stalling"}


def test_the_text_in_both_languages(stalled):
    english, chinese = stalled.text("en"), stalled.text("zh")
    for text in (english, chinese):
        assert "squared-error-on-squashed-output" in text
        assert "BCEWithLogitsLoss" in text
        assert "model[3] (Sigmoid)" in text
    assert "stalled" in english
    assert "停滞" in chinese
    assert str(stalled) == english


def test_the_picture_lies_where_the_gain_says(stalled):
    p = stalled.picture
    a = np.where(p.label == 1, 1 - p.error, p.error)  # the answer, from the error
    np.testing.assert_allclose(p.correction, p.error * a * (1 - a), rtol=1e-5, atol=1e-12)
    axes = stalled.figure().axes[0]
    assert {tuple(np.round(s.get_sizes())) for s in axes.collections} == {(22.0,)}
    assert sum(len(s.get_offsets()) for s in axes.collections) == 64


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_can_be_drawn(stalled, theme, language):
    from xent import figures

    assert figures.svg(stalled.figure(theme=theme, language=language)).startswith("<svg")
    assert figures.svg(figures.draw_trial(stalled.findings[0].tried, theme=theme, language=language)).startswith("<svg")


def test_a_diagnosis_without_a_gain_still_draws():
    diagnosis = diagnosed(SICK["classes_counted_from_one"].make)
    assert not diagnosis.picture.n
    assert diagnosis.figure().axes
    assert "<pre" in diagnosis._repr_html_()


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_page_is_whole_and_alone(stalled, tmp_path, language):
    path = stalled.report(tmp_path / "new" / "page.html", language=language)
    page = path.read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml") == 4  # the gain and the trial, light and dark
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    said = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert stalled.findings[0].what(language) in said
    assert stalled.findings[0].cured(language).strip().splitlines()[-1] in said
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_what_a_user_names_is_escaped(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3))
    type(model)  # a class whose name is markup
    strange = type("A<b>", (nn.Sequential,), {})(nn.Linear(4, 3), nn.Softmax(1))
    diagnosis = diagnose(strange, nn.CrossEntropyLoss(), (torch.randn(8, 4), torch.arange(8) % 3), try_cures=False)
    assert "A<b>" not in diagnosis.report(tmp_path / "page.html").read_text()
    assert "A<b>" not in diagnosis._repr_html_()


def test_silence_is_not_health():
    """What could not be checked is said."""
    diagnosis = diagnosed(HEALTHY["dice_on_sigmoid"])
    assert diagnosis.ok
    assert {"squared-error-on-squashed-output", "dead-probability-bce"} <= {u.rule for u in diagnosis.unchecked}
    assert "Not checked:" in str(diagnosis)
    assert "no place was found where answers meet targets" in str(diagnosis)
    hinge = diagnosed(HEALTHY["hinge_on_signed_labels"])
    assert "gain is not defined for a cost of this kind (hinge)" in str(hinge)
    assert "没有增益的定义（hinge）" in hinge.text("zh")
    parts = diagnosed(HEALTHY["variational_autoencoder"], rules=["squared-error-on-squashed-output"])
    assert not parts.unchecked  # its one cost is read; the other term has no target
    fused = diagnosed(HEALTHY["tagger_transposed"])
    assert "mkldnn_rnn_layer" in next(u for u in fused.unchecked if u.rule == "saturated-units").told()


def test_plain_data(stalled):
    data = json.loads(as_json(stalled.as_dict()))
    assert data["ok"] is False
    assert data["gain"]["output"] == "quadratic@sigmoid"
    (finding,) = data["findings"]
    assert finding["tried"]["verdict"] in ("better", "same", "worse")
    assert len(finding["tried"]["old"]["accuracy"]) == finding["tried"]["steps"] + 1
