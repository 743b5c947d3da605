"""The twelve figures: every one in both themes and both languages, drawn, looked over for collisions, and saved."""

import re
import string
import subprocess
import sys
from functools import cache
from io import BytesIO
from itertools import combinations, pairwise
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from xent import figures, files, texts
from xent.article import COSTS, RATES, STEPS, BestRates, Study, overlapping_classes
from xent.errors import InputError, UnknownNameError
from xent.figures import fonts, style

CAN_WRITE_CHINESE = fonts.chinese_font() is not None


@pytest.fixture(scope="module")
def study():
    """The study, its grid of rates computed by plain NumPy: under the type checker of the tests it would take a minute."""
    study = Study()
    rates = np.geomspace(0.01, 1000.0, 21)
    study.__dict__["best_rates"] = BestRates(rates, {cost: plain_wrong(cost, rates) for cost in COSTS})
    return study


def plain_wrong(cost, rates):
    """The share of wrong answers, averaged over the steps from start 2, for all rates at once."""
    x, y = overlapping_classes(200)
    w, b = np.full((2, len(rates), 1), 2.0)
    wrong = np.zeros((STEPS + 1, len(rates)))
    for step in range(STEPS + 1):
        a = (1 + np.tanh((w * x + b) / 2)) / 2
        wrong[step] = np.mean((a > 0.5) != (y > 0.5), axis=1)
        delta = (a - y) * (a * (1 - a) if cost == "quadratic" else 1)
        w, b = w - rates[:, None] * np.mean(delta * x, 1, keepdims=True), b - rates[:, None] * np.mean(delta, 1, keepdims=True)
    return wrong.mean(axis=0)


@pytest.fixture(scope="module")
def drawn(study):
    """Each figure, drawn once."""

    @cache
    def draw(id, theme="light", language="en"):
        return figures.draw(id, study, theme=theme, language=language)

    return draw


def labels(figure):
    """(text, its extent) of every text that can be seen."""
    found = []
    for axes in figure.axes:
        ticks = [label for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()]
        titles = [axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]
        found += [t for t in (*axes.texts, *titles, *ticks) if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent()) for t in found]


def words_in(figure):
    return [text for text, _ in labels(figure)]


def points_of(line, density=6):
    """Points along a line, in pixels."""
    corners = line.get_transform().transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
    share = np.linspace(0, 1, density)[:, None]
    return np.concatenate([corners[:1], *(p + (q - p) * share for p, q in pairwise(corners))])


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("theme", style.THEMES)
@pytest.mark.parametrize("id", figures.ARTICLE)
def test_every_label_has_a_place_of_its_own(id, theme, language, drawn):
    figure = drawn(id, theme, language)
    seen = labels(figure)
    paper = figure.bbox
    assert len(seen) > 8
    for text, box in seen:
        assert paper.x0 <= box.x0, text
        assert box.x1 <= paper.x1, text
        assert paper.y0 <= box.y0, text
        assert box.y1 <= paper.y1, text
    for (text, box), (other, other_box) in combinations(seen, 2):
        assert not box.overlaps(other_box), (text, other)
    for axes in figure.axes:
        for line in axes.lines:
            x, y = points_of(line).T
            for text in axes.texts:
                box = text.get_window_extent()
                if text.get_text():
                    assert not np.any((box.x0 < x) & (x < box.x1) & (box.y0 < y) & (y < box.y1)), text.get_text()


@pytest.mark.parametrize("id", figures.ARTICLE)
def test_text_is_large_and_lines_are_thick_enough_for_print(id, drawn):
    figure = drawn(id)
    colours = {*style.THEMES["light"].costs.values(), style.THEMES["light"].ink}
    for axes in figure.axes:
        assert all(t.get_fontsize() >= 9 for t in (*axes.texts, axes._left_title, axes.xaxis.label, *axes.get_xticklabels()))
        assert all(line.get_linewidth() >= 1.6 for line in axes.lines if line.get_color() in colours)


@pytest.mark.parametrize("theme", style.THEMES.values(), ids=style.THEMES)
def test_colours_stand_out_from_the_paper(theme):
    def luminance(colour):
        channels = np.asarray(matplotlib.colors.to_rgb(colour))
        return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    paper = luminance(theme.background)
    for colour in (theme.ink, theme.soft, *theme.costs.values()):
        high, low = sorted((luminance(colour), paper), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, colour  # WCAG AA for text


def test_the_figures_are_those_of_the_report():
    page = texts.page("article", "en")
    assert list(figures.ARTICLE) == [part["id"] for part in (*page["points"], *page["beyond"])]


def test_curves_are_the_study_s(study, drawn):
    starts = drawn("two-starts").axes
    for start, axes in zip((1, 2), starts, strict=True):
        assert np.array_equal(axes.lines[0].get_ydata(), study.run(start, "quadratic", RATES["same"]).cost)
    samples = drawn("many-samples").axes[0].lines
    assert len(samples) == study.many_samples.cost.shape[1] + 1
    assert np.array_equal(samples[-1].get_ydata(), study.many_samples.cost.mean(axis=1))
    slips = drawn("slip").axes
    for start, axes in zip((1, 2), slips, strict=True):
        assert np.array_equal(axes.lines[1].get_ydata(), study.slips[start].a)


def test_delta_is_largest_where_the_label_says(drawn):
    delta = drawn("quadratic").axes[1].lines[0]
    assert delta.get_xdata()[np.argmax(delta.get_ydata())] == pytest.approx(2 / 3, abs=1e-3)


def test_gain_ends_as_the_caption_says(drawn):
    curves = [line for line in drawn("gain").axes[0].lines if len(line.get_xdata()) > 100]
    quadratic, cross_entropy, absolute, focal = (line.get_ydata() for line in curves)
    assert quadratic[-1] < 0.01
    assert absolute[-1] < 0.01
    assert np.all(cross_entropy == 1)
    assert focal[-1] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("id", "keys"),
    [
        ("quadratic", ["q1_a0", "q2_a0", "q1_delta0", "q2_delta0"]),
        ("two-starts", ["q1_a0", "q1_a300", "q2_a0", "q2_a300"]),
        ("sigmoid-slope", ["q1_slope", "q2_slope"]),
        ("other-activation", ["tanh_q_steps", "tanh_c_steps"]),
        ("many-samples", ["many_n"]),
        ("many-classes", ["classes_p", "classes_cost"]),
        ("rates", ["best_q_rate", "best_c_rate"]),
        ("slip", ["t1_a300_4", "t2_a300_4", "slip1", "slip2"]),
    ],
)
def test_numbers_in_words_are_those_of_the_report(id, keys, study, drawn):
    said = "\n".join(words_in(drawn(id)))
    for key in keys:
        assert study.words[key] in said


# ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_both_languages_have_the_same_words():
    english, chinese = (texts.page("figures", language) for language in ("en", "zh"))
    assert list(english) == list(chinese)
    for page in english:
        assert list(english[page]) == list(chinese[page])
        for key in english[page]:
            fields = [
                {name for _, name, _, _ in string.Formatter().parse(words[page][key]) if name} for words in (english, chinese)
            ]
            assert fields[0] == fields[1], (page, key)


@pytest.mark.skipif(not CAN_WRITE_CHINESE, reason="no Chinese font on this machine")
@pytest.mark.parametrize("id", figures.ARTICLE)
def test_chinese_figures_are_in_chinese(id, drawn):
    assert any("一" <= letter <= "鿿" for text in words_in(drawn(id, "light", "zh")) for letter in text)


def test_no_word_is_left_unused(study, monkeypatch):
    said, plain = set(), style.House.say

    def listening(house, key, /, **values):
        said.add(key)
        return plain(house, key, **values)

    monkeypatch.setattr(style.House, "say", listening)
    words, common = texts.page("figures", "en"), set()
    for id in figures.ARTICLE:
        said.clear()
        figures.draw(id, study)
        assert set(words[id]) <= said
        common |= said
    assert set(words["common"]) <= common


def test_without_a_chinese_font_the_words_are_english(study, drawn, monkeypatch):
    monkeypatch.setattr(fonts, "chinese_font", lambda: None)
    for id in ("sigmoid-slope", "rates"):
        assert words_in(figures.draw(id, study, language="zh")) == words_in(drawn(id))


def test_a_missing_glyph_is_not_passed_over(monkeypatch, study):
    """The guard of all tests here: matplotlib warns of an empty box, and pytest makes the warning an error."""
    monkeypatch.setattr(fonts, "families", lambda *of: [*fonts.HOUSE, fonts.HOUSE[0]])
    with pytest.raises(UserWarning, match="Glyph"):
        figures.draw("quadratic", study, language="zh")


# ── wrong calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_names(study, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'slip'"):
        figures.draw("slips", study)
    with pytest.raises(UnknownNameError, match="theme"):
        figures.draw("slip", study, theme="drak")
    with pytest.raises(InputError, match="language"):
        figures.draw("slip", study, language="fr")
    with pytest.raises(UnknownNameError, match="format"):
        figures.save(figures.draw("slip", study), tmp_path, "slip", formats=("svg", "gif"))
    assert list(tmp_path.iterdir()) == []


# ── saving ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_saved_files(study, tmp_path):
    paths = figures.save(figures.draw("sigmoid-slope", study), tmp_path / "new" / "folder", "fig", formats=("svg", "png", "pdf"))
    assert [path.name for path in paths] == ["fig.svg", "fig.png", "fig.pdf"]
    assert sorted(paths) == sorted((tmp_path / "new" / "folder").iterdir())
    image = matplotlib.image.imread(BytesIO(paths[1].read_bytes()))
    assert image.shape[:2] == (800, 1440)
    assert image[0, 0, :3] == pytest.approx(1)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_same_figure_is_the_same_file(language, study, tmp_path):
    def files(figure, name):
        return [path.read_bytes() for path in figures.save(figure, tmp_path / name, "fig", formats=("svg", "png", "pdf"))]

    figure = figures.draw("rates", study, language=language)
    once = files(figure, "once")
    assert files(figure, "again") == once
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "none", "axes.facecolor": "red", "savefig.facecolor": "red"}):
        assert files(figures.draw("rates", study, language=language), "anew") == once


def test_svg_has_its_letters_as_paths_and_no_date(study, tmp_path):
    (path,) = figures.save(figures.draw("slip", study, language="zh"), tmp_path, "slip", formats=("svg",))
    tree = ElementTree.parse(path)
    assert not [e for e in tree.iter() if e.tag.endswith(("}text", "}date"))]
    assert [e for e in tree.iter() if e.tag.endswith("}path")]


def test_a_failure_leaves_the_old_file_and_no_draft(study, tmp_path, monkeypatch):
    (path,) = figures.save(figures.draw("slip", study), tmp_path, "slip", formats=("svg",))
    old = path.read_bytes()

    def full(*_):
        raise OSError(28, "no space left")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match="no space"):
        figures.save(figures.draw("gain", study), tmp_path, "slip", formats=("svg",))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_svg_elements_share_a_page(study):
    elements = [figures.svg(figures.draw(id, study, theme=theme)) for id in ("slip", "gain") for theme in style.THEMES]
    ids = []
    for text in elements:
        assert text.startswith("<svg")
        ElementTree.fromstring(text)
        own = re.findall(r'\bid="([^"]+)"', text)
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {(i, "") for i in own} | {("", i) for i in own}
        ids += own
    assert len(ids) == len(set(ids))


def test_settings_of_matplotlib_come_back(study, tmp_path):
    with matplotlib.rc_context({"font.size": 31, "svg.fonttype": "none"}):
        before = dict(matplotlib.rcParams)
        figures.save(figures.draw("gain", study, theme="dark", language="zh"), tmp_path, "gain")
        assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_imported():
    code = "import sys, xent.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
