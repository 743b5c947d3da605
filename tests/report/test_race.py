"""The race's report: one page, nothing loaded, every number from the race; hostile names stay text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from report.test_article import Reader

import xent
from xent import figures, report
from xent.data import load
from xent.racing.words import sentences

SIDES = ["quadratic@sigmoid", "cross-entropy@softmax"]
SVG = '<svg viewBox="0 0 400 300"><rect fill="#fff" width="9" height="9"/></svg>'


@pytest.fixture(scope="module")
def found():
    return xent.race("iris", SIDES, (4,), (0.3, 1.0), 6, 2, jobs=1)


def page(found, language="en", **more):
    drawn = dict.fromkeys(report.race_figures(found), (SVG, SVG))
    return report.race(found, language=language, figures=drawn, version="1.2.3", **more)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page(found, language):
    html = page(found, language)
    read = Reader(html)
    text = " ".join("".join(read.text).split())
    assert read.all("html") == [{"lang": {"en": "en", "zh": "zh-Hans"}[language]}]
    assert "script" not in {tag for tag, _ in read.attributes}
    assert not re.search(r"url\(\s*['\"]?(?!data:|#)", html)
    for _, attributes in read.attributes:
        assert attributes.get("src", "data:").startswith("data:")
    assert len(read.all("img")) == 2 * 5
    for line in sentences(found.verdict, language):
        assert " ".join(line.split()) in text
    assert "{" not in text
    assert "None" not in text
    assert "nan" not in text.replace("nance", "")
    for label, rate in zip(SIDES, found.picked.own, strict=True):
        assert label in text
        assert f"{rate:g}" in text
    assert found.plan.hash in text
    assert "xent.race(&#39;iris&#39;" in html


def test_the_call_repeats_the_race(found):
    again = eval(report.race_call(found), {"xent": xent})
    assert again.plan == found.plan
    assert again.table.equals(found.table)


def test_the_call_and_the_page_say_which_interval(found):
    other = xent.race("iris", SIDES, (4,), (0.3, 1.0), 6, 2, jobs=1, interval="bootstrap-t")
    assert "interval='bootstrap-t'" in report.race_call(other)
    assert "the bootstrap-t interval" in page(other)
    assert "Student&#39;s interval" in page(found)
    assert "bootstrap-t 区间" in page(other, "zh")
    assert other.verdict.numbers()["interval"] == "bootstrap-t"


def test_a_batch_of_more_rows_than_there_are_is_said_as_it_was():
    found = xent.race("iris", ["hinge"], (), 0.1, 2, 1, jobs=1, goal=0.5, batch=1000)
    assert "batches of 90," in page(found)


def test_hostile_names(found):
    bad = "<script>alert('{x}')</script>"
    hostile = replace(found, data=replace(found.data, name=bad, notes=(("categories", {"column": bad, "n": "2", "kinds": bad}),)),
                      plan=replace(found.plan, data=bad))  # fmt: skip
    html = page(hostile, command=bad)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_one_output_one_rate_and_none_that_is_a_probability():
    found = xent.race("iris", ["hinge"], (), 0.1, 2, 1, jobs=1, goal=0.5, resplit=True)
    assert report.race_figures(found) == ["accuracy", "gain", "confusion"]
    text = "".join(Reader(page(found)).text)
    assert "nothing to compare" in text
    assert "drew its own split" in text


def test_the_whole_report_is_written_with_its_figures(found, tmp_path):
    place = found.report(tmp_path / "deep" / "r.html", language="zh")
    assert place.read_text().count("data:image/svg+xml") == 10
    assert place.stat().st_size < 1_000_000


def test_class_names_of_any_letters(found):
    """Formulas that are none, brackets, line ends, letters that no font has: no error and no warning."""
    names = ("$x_{", "a$b$\n长度 [/b]", "山鸢尾\U0001f338")
    figure = figures.draw_race_part("confusion", replace(found, data=replace(found.data, classes=names)))
    assert figures.svg(figure).startswith("<svg")


@pytest.mark.parametrize("part", ["accuracy", "gain", "rates", "calibration", "confusion"])
def test_every_figure_draws(found, part):
    figure = figures.draw_race_part(part, found, theme="dark", language="zh")
    assert figure.axes


def test_the_figure_and_the_notebook(found):
    assert len(found.figure().axes) == 4
    shown = found._repr_html_()
    assert "<svg" in shown
    assert "accuracy" in shown


def test_figures_of_odd_races():
    """Many classes, no finite gain, one epoch, long names, two sides alike."""
    found = xent.race("digits", ["hinge", "hinge", "smooth(focal(gamma=2), epsilon=0.1)@softmax"], (3,), [0.1, 0.2], 1, 1, jobs=1)
    for part in report.race_figures(found):
        assert figures.draw_race_part(part, found).axes
    with pytest.raises(xent.XentError, match="'accuracy'"):
        figures.draw_race_part("accurcy", found)
    assert load("digits").classes[0] == "0"
