"""The report page: whole, well-formed, filled in, and asking nothing of the network."""

import base64
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest

from xent import report
from xent.article import BestRates, Claim, Study
from xent.errors import InputError
from xent.report.prose import Prose
from xent.texts import LANGUAGES, page
from xent.texts.formulas import formulas

VOID = {"meta", "img", "br", "hr", "link", "input", "source", "wbr"}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 200"><rect fill="{paper}" width="9" height="9"/></svg>'


def entries(language="en"):
    return [*page("article", language)["points"], *page("article", language)["beyond"]]


FIGURES = {
    entry["id"]: (SVG.format(width=400 + 20 * i, paper="#fff"), SVG.format(width=400 + 20 * i, paper="#000"))
    for i, entry in enumerate(entries())
}


class Quick(Study):
    """The article's study, its slowest part given instead of computed: shapes are checked at every step here."""

    best_rates = BestRates(np.asarray([0.5, 1.0]), {"quadratic": np.asarray([0.3, 0.2]), "cross-entropy": np.asarray([0.1, 0.2])})


class Reader(HTMLParser):
    """What a browser would see: balanced tags, their attributes, and the text outside of <style>."""

    def __init__(self, html):
        super().__init__()
        self.open, self.attributes, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


@pytest.fixture(scope="module")
def study():
    return Quick()


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def html(study, language):
    return report.article(study, language=language, figures=FIGURES, version="1.2.3")


@pytest.fixture(scope="module")
def read(html):
    return Reader(html)


def test_it_is_an_html5_page_in_its_language(html, read, language):
    assert html.lstrip().startswith("<!DOCTYPE html>")
    assert read.all("html") == [{"lang": {"en": "en", "zh": "zh-Hans"}[language]}]
    assert "1.2.3" in read.text[-2] + read.text[-3]


def test_every_placeholder_is_filled(read):
    assert not [text for text in read.text if "{" in text or "}" in text or "None" in text]
    assert not [a for _, a in read.attributes if "{" in str(a.get("alt"))]


def test_nothing_is_loaded_from_anywhere(html, read):
    for _, attributes in read.attributes:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "#").startswith(("data:", "#"))
    assert "script" not in {tag for tag, _ in read.attributes}
    assert "@import" not in html
    assert not re.search(r"url\(\s*['\"]?(?!data:|#)", html)
    policy = next(a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_links_lead_somewhere_and_ids_are_their_own(read):
    ids = [a["id"] for _, a in read.attributes if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"].removeprefix("#") for a in read.all("a")]
    assert set(links) <= set(ids)
    assert [link for link in links if link in FIGURES] == list(FIGURES)


def test_all_twelve_figures_in_both_colours_with_their_captions(read, language):
    images = read.all("img")
    assert len(images) == 24
    for entry, light, dark in zip(entries(language), images[::2], images[1::2], strict=True):
        shown = [base64.b64decode(image["src"].partition(",")[2]).decode() for image in (light, dark)]
        assert tuple(shown) == FIGURES[entry["id"]]
        assert light["alt"] == dark["alt"] == entry["caption"]
        assert "hidden" in dark
        assert "hidden" not in light


def test_formulas_are_those_of_the_texts_and_parse_as_xml(html, language):
    wanted = [key for entry in entries(language) for key in entry["formulas"]]
    assert set(wanted) <= set(formulas())
    found = re.findall(r"<math.*?</math>", html, flags=re.DOTALL)
    assert len(found) == len(wanted)
    for one in found:
        assert ElementTree.fromstring(one).tag.endswith("math")


def test_every_claim_and_every_experiment_has_its_row(read, study, language):
    words = page("article", language)["words"]
    text = " ".join("".join(read.text).split())
    assert text.count(f"✓ {words['agrees']}") == len(study.claims) == 14
    assert words["verdict_all"].format(n=14) in text
    for experiment in study.experiments:
        assert f"{experiment.numbers['a300']:.4f}" in text
    assert words["never"] in text


def test_marks_are_explained_once(read, language):
    marks = page("article", language)["marks"]
    text = "".join(read.text)
    assert all(text.count(marks[f"{mark}_note"]) == 1 for mark in ("said", "announced", "added"))
    places = [text.count(marks[mark]) for mark in ("said", "announced", "added")]
    assert sum(places) >= len(FIGURES) + 3


class Hostile(Quick):
    """A study whose measurements are out to break the page."""

    def __init__(self, honest):
        self.honest = honest

    @property
    def experiments(self):
        return self.honest.experiments

    @property
    def words(self):
        return dict.fromkeys(self.honest.words, "<script>alert('{x}')</script>*&`")

    @property
    def claims(self):
        return [Claim("likelihood", "<b>", '"&"', agrees=False)]


def test_hostile_words_and_differing_claims(study, language):
    version = "<img src=http://example.org>"
    html = report.article(Hostile(study), language=language, figures=FIGURES, version=version)
    read = Reader(html)
    words = page("article", language)["words"]
    assert "<script" not in html
    assert "&lt;script&gt;alert(" in html
    assert len(read.all("img")) == 24
    assert f"✗ {words['differs']}" in "".join(read.text)
    assert words["verdict_some"].format(bad=1, n=1) in "".join(read.text)


def test_a_missing_or_broken_figure_is_refused(study):
    with pytest.raises(InputError, match="'slip'"):
        report.article(study, figures={k: v for k, v in FIGURES.items() if k != "slip"}, version="1")
    with pytest.raises(InputError, match="viewBox"):
        report.article(study, figures=FIGURES | {"slip": ("<svg/>", "<svg/>")}, version="1")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*a* and **b** and `c*d*`", "<i>a</i> and <strong>b</strong> and <code>c*d*</code>"),
        ("log(1 + e^(−*ys*)), ŷ^y, −log p_y", "log(1\xa0+\xa0e<sup>−<i>ys</i></sup>), ŷ<sup>y</sup>, −log p<sub>y</sub>"),
        ("the article's `x='y'` < 2", "the article’s <code>x=&#39;y&#39;</code>\xa0&lt;\xa02"),
        ("at step {never}: {hostile}", "at step niemals: &lt;*b*&gt;"),
    ],
)
def test_light_markup(text, shown):
    assert Prose.of({"never": None, "hostile": "<*b*>"}, "niemals")(text) == shown


def test_plain_text_keeps_its_signs():
    assert Prose({"n": "<3>"}).plain("*a*^2 is `{n}`") == "a^2 is <3>"
