"""What the pages are told: the library's numbers, sentences that fit them, and errors that say what to do."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xent
from xent import texts
from xent.errors import XentError
from xent.figures.runs import colours
from xent.figures.style import DASHES, THEMES
from xent.lab import asked, looks, telling, values
from xent.lab.answers import answer
from xent.neuron.mapping import stall_map
from xent.outputs import curves
from xent.racing.plan import OUTPUTS

SCALAR = [str(output) for output in xent.catalogue() if not output.activation.vector]
ALL = [str(output) for output in xent.catalogue()]


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(SCALAR),
    w=st.floats(-5, 5),
    b=st.floats(-5, 5),
    x=st.floats(-3, 3),
    end=st.sampled_from([0, 1]),
    rate=st.floats(1e-3, 5),
    steps=st.integers(0, 40),
)
def test_a_page_shows_the_librarys_numbers(name, w, b, x, end, rate, steps):
    asked_for = {
        "outputs": name,
        "w": repr(w),
        "b": repr(b),
        "x": repr(x),
        "target": str(end),
        "rate": repr(rate),
        "steps": str(steps),
    }
    shown = answer("neuron", asked_for)["runs"][0]
    output = xent.output(name)
    run = xent.Neuron(w, b).learn(x, curves.hard_targets(output)[end], output=output, rate=rate, steps=steps)
    for part in ("w", "b", "z", "a", "cost", "delta", "gain"):
        np.testing.assert_array_equal(shown[part], getattr(run, part))
    told = np.isfinite(shown["gain"])  # infinite where the error is 0, or too small for δ over it, and δ is not
    np.testing.assert_allclose(shown["error"][told] * shown["gain"][told], shown["delta"][told], rtol=1e-9, atol=1e-300)
    error, delta = np.abs(shown["error"][~told]), np.abs(shown["delta"][~told])
    assert np.all((error <= delta / 1e300) | ~np.isfinite(delta))


def test_the_articles_numbers():
    """The article's second start, rate 0.15, 300 steps."""
    found = answer("neuron", {})
    quadratic, cross_entropy = found["runs"]
    assert (round(quadratic["a"][0], 4), round(quadratic["a"][-1], 4)) == (0.982, 0.2028)
    assert round(cross_entropy["a"][-1], 4) == 0.012
    assert "**232**" in quadratic["says"]["a"]
    assert "step 17" in cross_entropy["says"]["a"]
    assert "0.0177" in quadratic["says"]["gain"]
    assert "**1** at every step" in cross_entropy["says"]["gain"]
    assert "215" in quadratic["says"]["delta"]
    assert found["start"] == {"w": 2.0, "b": 2.0}


SAYS = {
    ("w=0.6&b=0.9", 0): ("falls at once", "until step **36**", "smaller push", "0.25 at most"),
    ("w=-4&b=-4", 0): ("nearly right", "at every step", "small push", "at the start and"),
    ("w=6&b=6", 0): ("not halved", "still more than half", "hardly felt", "stays so"),
    ("w=2&b=2&outputs=absolute@identity", 0): ("halved", "as wrong as at the start", "at every step", "The gain is"),
    ("w=2&b=2&outputs=quadratic@identity", 0): ("falls at once", "less than half as wrong", "fades with it", "linear output"),
    ("w=-2&b=-2&target=1&outputs=exponential", 0): ("falls at once", "right side", "fades with it", "more than its own size"),
    ("w=2&b=2&rate=0.15&steps=0", 0): ("not halved", "still more than half", "hardly felt", "stays so"),
    ("w=3&b=3&rate=1000&outputs=smooth(cross-entropy)", 0): ("rises", "to and fro", "error with it", "at every step"),
    ("w=300&b=300&target=0&outputs=exponential&steps=3", 0): ("run away",) * 4,
}


@pytest.mark.parametrize(("place", "side"), SAYS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sentences_fit_what_happened(place, side, language):
    given_ = dict(part.split("=") for part in place.split("&"))
    says = answer("neuron", {**given_, "lang": language})["runs"][side]["says"]
    assert list(says) == ["cost", "a", "delta", "gain"]
    for said, expected in zip(says.values(), SAYS[place, side], strict=True):
        assert "{" not in said
        if language == "en":
            assert expected in said


TRUE = {  # what each sentence claims of error e (as a share of its range), cost c, δ d and gain g, all sizes; v are its numbers
    "wild": lambda e, c, d, g, v: not all(np.all(part < telling.WILD) for part in (v["a"], c, d, g)),
    "cost_none": lambda e, c, d, g, v: c[0] == 0 and c.max() <= 0.1,
    "cost_right": lambda e, c, d, g, v: e[0] < 0.1,
    "cost_early": lambda e, c, d, g, v: c[v["half"]] <= c[0] / 2 and v["half"] <= max(len(c) / 10, 1),
    "cost_slow": lambda e, c, d, g, v: c[v["half"]] <= c[0] / 2 < c[v["half"] - 1] and c[: v["tenth"] + 1].min() <= 0.9001 * c[0],
    "cost_late": lambda e, c, d, g, v: c[v["half"]] <= c[0] / 2 < c[v["half"] - 1] and c[v["tenth"]] > 0.8999 * c[0],
    "cost_never": lambda e, c, d, g, v: c.min() > c[0] / 2,
    "cost_more": lambda e, c, d, g, v: c.max() > c[0],
    "a_right": lambda e, c, d, g, v: e.max() < 0.5,
    "a_early": lambda e, c, d, g, v: e[v["half"] :].max() < 0.5 and v["half"] <= max(len(c) / 10, 1),
    "a_late": lambda e, c, d, g, v: e[v["half"] :].max() < 0.5 <= e[: v["half"]].min(),
    "a_never": lambda e, c, d, g, v: e.min() >= 0.5,
    "a_swings": lambda e, c, d, g, v: e[v["half"]] < 0.5 <= e[v["half"] :].max(),
    "delta_right": lambda e, c, d, g, v: e[0] < 0.1 and d[0] < 0.2 and e.max() <= e[0] + 1e-9,
    "delta_still": lambda e, c, d, g, v: np.ptp(e) <= 0.1 * e[0] and np.ptp(d) <= 0.1 * d[0],
    "delta_forward": lambda e, c, d, g, v: d[0] >= d.max() * (1 - 1e-8) and e.max() <= e[0] + 1e-9 and d.min() < d[0],
    "delta_constant": lambda e, c, d, g, v: np.ptp(d) <= 1e-9 * d[0] and np.ptp(e) > 0.1 * e[0],
    "delta_backward": lambda e, c, d, g, v: d[v["top"]] > d[0] and e[v["top"]] < e[0],
    "delta_stuck": lambda e, c, d, g, v: g[0] < 0.1 and e[v["top"]] > 0.9 * e[0] and d[v["top"]] >= d.max() * (1 - 1e-8),
    "delta_away": lambda e, c, d, g, v: e[v["top"]] > e[0] and d[v["top"]] > d[0],
    "delta_swings": lambda e, c, d, g, v: e.max() > e[0] and d[v["top"]] >= d.max() * (1 - 1e-8),
    "gain_one": lambda e, c, d, g, v: np.allclose(g, 1, rtol=0, atol=1e-12),
    "gain_linear": lambda e, c, d, g, v: np.allclose(g, 1, rtol=0, atol=1e-12),
    "gain_stalled": lambda e, c, d, g, v: g[0] < 0.1 <= g.max(),
    "gain_stuck": lambda e, c, d, g, v: g.max() < 0.1,
    "gain_less": lambda e, c, d, g, v: v["gain"][0] < 1 + 5e-3,
    "gain_more": lambda e, c, d, g, v: g[0] > 1,
    "gain_away": lambda e, c, d, g, v: v["gain"][0] < 0,
    "gain_wild": lambda e, c, d, g, v: not np.all(g < telling.WILD),
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(SCALAR),
    start=st.sampled_from([(2.0, 2.0), (0.6, 0.9), (0.0, 0.0), (-40.0, 3.0)]) | st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    x=st.sampled_from([1.0, 0.0, -2.0, 30.0]),
    share=st.sampled_from([0.0, 1.0, 0.3]),
    rate=st.sampled_from([0.15, 1e-9, 1e-3, 3.0, 20.0, 1e3, 1e6]),
    steps=st.sampled_from([300, 0, 1, 3, 20]),
)
def test_every_sentence_is_true(name, start, x, share, rate, steps):
    """Of drawn runs, wild ones too: what a sentence claims is so."""
    output = xent.output(name)
    y = curves.target_at(output, share if output.activation.squashed else round(share))
    with np.errstate(all="ignore"):
        run = xent.Neuron(*start).learn(x, y, output=output, rate=rate, steps=steps)
        seen = telling.Seen.of(run)
        for part, (key, values) in telling.chosen(seen).items():
            sizes = (np.abs(np.asarray(getattr(run, each))) for each in ("cost", "delta", "gain"))
            assert TRUE[key](seen.share, *sizes, values | {"a": np.abs(run.a), "gain": run.gain}), (part, key, values)


def test_every_sentence_can_be_said():
    assert {*TRUE} | {f"{side}_{kind}" for side in ("below", "above") for kind in ("range", "margin", "linear")} == {
        *texts.page("lab", "en")["telling"]
    }


def test_a_start_in_every_way():
    """z and the first answer are where they were asked for; a seed draws the same start twice."""
    assert answer("neuron", {"z": "-1.5"})["runs"][0]["z"][0] == pytest.approx(-1.5)
    assert answer("neuron", {"first": "0.7", "x": "2"})["runs"][1]["a"][0] == pytest.approx(0.7)
    shared = answer("neuron", {"share": "0.9", "outputs": "quadratic@sigmoid,quadratic@tanh"})["runs"]
    assert [run["a"][0] for run in shared] == pytest.approx([0.9, 0.8])
    drawn = answer("start", {"seed": "7"})
    assert drawn == answer("neuron", {"seed": "7"})["start"]
    assert drawn["w"] == xent.Neuron.random(seed=7).w


def test_rates_of_their_own():
    found = answer("neuron", {"rates": ",0.025", "rate": "0.3"})["runs"]
    assert [run["rate"] for run in found] == [0.3, 0.025]


def test_one_output_that_cannot_leaves_the_others_alone():
    found = answer("neuron", {"outputs": "quadratic@sigmoid,hinge", "target": "0.5"})
    assert [run["label"] for run in found["runs"]] == ["quadratic@sigmoid"]
    assert "hinge" in found["problems"][0]
    shown = answer("costs", {"outputs": "quadratic@sigmoid,hinge", "target": "0.5"})
    assert ["x" in one for one in shown["outputs"]] == [True, False]
    assert "labels" in shown["problems"][0] or "targets" in shown["problems"][0]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("along", curves.WAYS)
def test_the_curves_are_the_librarys(name, along):
    """Every output at both ends: δ = error · gain, and δ itself from the output at the same inputs."""
    output = xent.output(name)
    for target in ("0", "1"):
        (shown,) = answer("costs", {"outputs": name, "target": target, "along": along})["outputs"]
        if along == "input" and not output.activation.vector:
            y = np.full(shown["x"].shape, shown["target"])
            np.testing.assert_array_equal(shown["delta"], output.delta(shown["x"], y))
            np.testing.assert_array_equal(shown["cost"], output.value(shown["x"], y))
    if along == "answer":
        drawn = curves.curve(output, curves.hard_targets(output)[-1], points=401)
        for part in ("x", "cost", "slope", "delta", "gain"):
            np.testing.assert_array_equal(shown[part], getattr(drawn, part))


def test_a_softmax_between():
    """Half of the truth on the first class: δ vanishes where p = ½, under cross-entropy."""
    (shown,) = answer("costs", {"outputs": "cross-entropy@softmax", "target": "0.5", "along": "answer"})["outputs"]
    np.testing.assert_allclose(shown["delta"], shown["x"] - 0.5, atol=1e-12)


@pytest.mark.parametrize("name", [*ALL, "smooth(focal(gamma=1.5), epsilon=0.2)@sigmoid"])
def test_dials_write_the_name_again(name):
    (shown,) = answer("costs", {"outputs": name})["outputs"]
    values = [repr(dial["value"]) for dial in shown["dials"]]
    assert str(xent.output(shown["template"].format(*values))) == str(xent.output(name))
    for dial in shown["dials"]:
        for end in ("low", "high"):  # both ends of the slider are allowed
            moved = [repr(dial[end]) if other is dial else v for other, v in zip(shown["dials"], values, strict=True)]
            assert xent.output(shown["template"].format(*moved))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_output_is_explained(name, language):
    page = answer("explain", {"output": name, "lang": language})
    assert page["formulas"][0]["mathml"].startswith("<math")
    assert page["sections"]
    assert "<script" not in str(page)


@pytest.mark.parametrize("name", [*ALL, "smooth(focal(gamma=1.5), epsilon=0.2)@sigmoid", "focal(gamma=3)@softmax"])
def test_the_code_on_the_page_computes_what_the_library_does(name, capsys):
    """Copied as it stands and run: NumPy and PyTorch for every output, with δ."""
    output, codes = xent.output(name), answer("explain", {"output": name})["code"]
    assert {"NumPy", "PyTorch"} <= {code["library"] for code in codes}
    for code in codes:
        scope = {}
        exec(code["line"], scope)
        if code["library"] == "scikit-learn":
            assert hasattr(scope["model"], "fit")
            continue
        z = np.asarray(scope["z"].tolist())
        y = np.asarray(scope["y"].tolist())
        if code["library"] == "PyTorch":
            np.testing.assert_allclose(scope["cost"].tolist(), output.value(z, y), rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(scope["z"].grad.tolist(), output.delta(z, y), rtol=1e-5, atol=1e-7)
        else:
            said = f"{output.value(z, y)} {output.delta(z, y)} {output.gain(z, y)}"
            assert said in capsys.readouterr().out


def test_the_map_is_the_librarys():
    found = answer("map", {"size": "24", "rate": "0.3", "steps": "200"})
    stalls = stall_map(["quadratic@sigmoid", "cross-entropy@sigmoid"], size=24, rate=0.3, steps=200)
    for shown, (label, sweep) in zip(found["maps"], stalls.sweeps.items(), strict=True):
        assert (shown["label"], shown["never"]) == (label, stalls.never(label))
        np.testing.assert_array_equal(shown["learned"], sweep.steps_to_learn)
    rates = answer("map", {"size": "8", "plane": "rate", "outputs": "quadratic@tanh"})
    assert rates["horizontal"][0] == pytest.approx(0.01)


WRONG = [
    ("neuron", {"w": "many"}, "w is a number"),
    ("neuron", {"w": "nan"}, "w is a number"),
    ("neuron", {"rate": "0"}, "rate"),
    ("neuron", {"rate": "-1"}, "rate"),
    ("neuron", {"steps": "5001"}, "5000"),
    ("neuron", {"steps": "1.5"}, "whole"),
    ("neuron", {"target": "2"}, "target"),
    ("neuron", {"outputs": "focal@softmax"}, "focal@sigmoid"),
    ("neuron", {"outputs": "quadratc"}, "did you mean"),
    ("neuron", {"outputs": ""}, "letters"),
    ("neuron", {"outputs": ",".join(["quadratic"] * 9)}, "8 outputs"),
    ("neuron", {"outputs": "smooth(" * 50 + "quadratic" + ")" * 50}, "letters"),
    ("neuron", {"outputs": "smooth(" * 9}, "parentheses"),
    ("neuron", {"outputs": "x" * 9999}, "9999"),
    ("neuron", {"first": "1.5"}, "(0, 1)"),
    ("neuron", {"share": "0.5", "outputs": "hinge"}, "no share"),
    ("neuron", {"lang": "fr"}, "zh"),
    ("costs", {"along": "up"}, "answer"),
    ("costs", {"outputs": "cross-entropy@identity"}, "logistic@identity"),
    ("map", {"size": "513"}, "512"),
    ("map", {"plane": "paper"}, "start"),
    ("map", {"plane": "rate", "outputs": "hinge"}, "plane"),
    ("explain", {"output": ""}, "output"),
    ("everything", {}, "neuron"),
]


@pytest.mark.parametrize(("ask", "given_", "says"), WRONG)
def test_a_wrong_setting_is_said(ask, given_, says):
    with pytest.raises(XentError, match=re.escape(says)):
        answer(ask, given_)


def test_colours_and_dashes_are_those_of_the_figures():
    """One rule in two places: the library's figures and the page's style sheet."""
    chosen = [
        xent.output(name)
        for name in ("hinge", "quadratic", "focal@sigmoid", "poly@sigmoid", "lq@sigmoid", "exponential", "squared-hinge")
    ]
    named = {look["colour"] for look in looks.looks(chosen)}
    css = (files("xent.lab") / "static" / "style.css").read_text()
    for theme, block in (("light", css.partition(":root {")[2]), ("dark", css.partition('[data-theme="dark"] {')[2])):
        shown = dict(re.findall(r"--([\w-]+): (#\w{6});", block.partition("}")[0]))
        drawn = colours([one.cost.name for one in chosen], THEMES[theme])
        assert [shown[look["colour"]] for look in looks.looks(chosen)] == [drawn[one.cost.name] for one in chosen]
        assert (shown["paper"], shown["ink"]) == (THEMES[theme].background, THEMES[theme].ink)
    assert named >= {"other-0", "other-3", "quadratic"}
    assert len(looks.DASHES) == len(DASHES)
    raced = [look["dash"] for look in looks.looks_of_race([xent.output(name) for name in OUTPUTS])]
    assert raced == ["solid", "solid", "dash", "dash", "dot"]  # as dashes of the activation, sigmoid, softmax and identity


def luminance(colour):
    """As WCAG measures it."""
    parts = np.asarray([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize(("theme", "begins"), [("light", ":root {"), ("dark", '[data-theme="dark"] {')])
def test_what_is_touched_has_an_edge_to_be_seen(theme, begins):
    """3:1 against the paper and the tint, for fields, switches and sliders."""
    css = (files("xent.lab") / "static" / "style.css").read_text()
    shown = dict(re.findall(r"--([\w-]+): (#\w{6});", css.partition(begins)[2].partition("}")[0]))
    for behind in ("paper", "tint"):
        dark, light = sorted((luminance(shown["field"]), luminance(shown[behind])))
        assert (light + 0.05) / (dark + 0.05) >= 3, (theme, behind)
    assert all(
        "var(--rule)" not in line for line in css.splitlines() if line.startswith(("input", ".switch", ".row", ".drop", ".mine"))
    )


def test_the_maps_colours_are_cividis():
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    script = (files("xent.lab") / "static" / "pages" / "map.js").read_text()
    stops = re.findall(r'"(#\w{6})"', script.partition("CIVIDIS = [")[2].partition("]")[0])
    for place, stop in zip(np.linspace(0, 1, len(stops)), stops, strict=True):
        wanted = [int(to_hex(colormaps["cividis"](place))[i : i + 2], 16) for i in (1, 3, 5)]
        assert max(abs(a - int(stop[i : i + 2], 16)) for a, i in zip(wanted, (1, 3, 5), strict=True)) <= 6


def test_what_is_asked_is_bounded():
    """A map and a neuron at their largest stay within seconds: the bounds are those that the messages name."""
    assert values.MOST_OUTPUTS * asked.MOST_STEPS <= 40_000
