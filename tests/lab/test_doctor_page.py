"""The doctor's page: the example, a file that someone opens, its samples walked through; and files that are none."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from xent.doctor import diagnose

RULES = ["squared-error-on-squashed-output"]


@pytest.fixture(scope="module")
def found():
    """A diagnosis of the article's two starts: a sigmoid under the squared error."""
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Sigmoid())
    torch.nn.init.constant_(model[0].weight, 2.0)
    torch.nn.init.constant_(model[0].bias, 2.0)
    x = torch.tensor([[1.0], [-0.5], [0.5], [-3.0]])
    return diagnose(model, torch.nn.MSELoss(), (x, torch.zeros(4, 1)), rules=RULES, try_cures=False)


def test_the_samples_are_in_the_data(found):
    """With the gain between error and correction: of the quadratic cost on a sigmoid it is a(1 − a)."""
    samples = json.loads(json.dumps(found.as_dict()))["samples"]
    assert len(samples["error"]) == 4
    for error, correction, gain in zip(samples["error"], samples["correction"], samples["gain"], strict=True):
        assert gain == pytest.approx(error * (1 - error), rel=1e-5)
        assert correction == pytest.approx(error * gain)


def test_a_diagnosis_is_opened(visit, found, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(found.as_dict()))
    at = visit()
    page = at.open("/doctor")
    assert "examples/doctor.py" in page.locator(".controls").inner_text()
    at.after("doctor", lambda: page.locator("[data-key=file]").set_input_files(tmp_path / "mine.json"))
    assert "mine.json" in page.locator(".controls").inner_text()
    assert found.findings[0].untried in page.locator(".finding .tried").inner_text()
    assert found.findings[0].title() in page.locator(".finding").inner_text()
    page.locator("[data-key=sample]").focus()
    page.keyboard.press("Home")
    samples = found.as_dict()["samples"]
    least = min(range(4), key=lambda i: samples["gain"][i])
    assert f"Sample {least}, class 0: error {samples['error'][least]:.4g}" in page.locator(".told").inner_text()
    page.locator("[data-key=which-bad]").click()
    page.wait_for_function(
        "(n) => document.querySelector('[data-key=sample]').max === n", arg=str(sum(e > 0.5 for e in samples["error"]) - 1)
    )
    page.wait_for_url("**which=bad**")
    page.reload()
    at.painted("doctor", 1)
    assert page.locator("[data-key=which-bad]").get_attribute("aria-pressed") == "true"
    assert "mine.json" in page.locator(".controls").inner_text()
    page.locator("[data-key=lang-zh]").click()
    page.wait_for_function("() => document.querySelector('.told').textContent.includes('增益')")


NONE = ["", "{", "[]", "null", '{"findings": 3}', '{"findings": [{"rule": 1}]}', '{"findings": [], "samples": {"error": ["x"]}}']


def test_a_file_that_is_none(visit, tmp_path):
    at = visit()
    page = at.open("/doctor")
    for i, text in enumerate(NONE):
        (tmp_path / f"other-{i}.json").write_text(text)
        page.locator("[data-key=file]").set_input_files(tmp_path / f"other-{i}.json")
        page.wait_for_selector(f".problems:has-text('other-{i}.json is no diagnosis')")
        assert page.locator(".finding").count() > 0  # what was there stays


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_example_is_what_the_doctor_says(language):
    """The stored diagnosis is that of examples/doctor.py: the same findings in the same words, and the samples of that model."""
    from runpy import run_path

    stored = json.loads((files("xent.lab") / "static" / f"example-{language}.json").read_text())
    given = run_path(str(Path(__file__).parents[2] / "examples" / "doctor.py"))
    fresh = diagnose(given["model"], given["criterion"], given["batch"], try_cures=False).as_dict(language)
    assert [(f["rule"], f["title"], f["what"]) for f in stored["findings"]] == [
        (f["rule"], f["title"], f["what"]) for f in fresh["findings"]
    ]
    assert [list(f) for f in stored["findings"]] == [list(f) for f in fresh["findings"]]  # as `xent doctor --json` writes it now
    assert stored.keys() == fresh.keys()
    assert stored["samples"]["error"] == pytest.approx(fresh["samples"]["error"], rel=1e-4)
