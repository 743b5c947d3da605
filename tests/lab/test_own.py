"""A user's own costs in the lab: offered and found by name, computed as everywhere, told where they fail; no page loads any."""

from __future__ import annotations

import runpy
import shutil
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from lab.test_races import SMALL, done

import xent
from xent.errors import XentError
from xent.lab.answers import answer
from xent.lab.exports import export
from xent.lab.own import NONE, Own
from xent.lab.races import Races
from xent.lab.words import words
from xent.owned import Place

FILE = Path(__file__).parent / "mine.py"


def brought(*names, file=FILE):
    """What `xent lab --own FILE.py:NAME …` brings along."""
    found = [Place.of(f"{file}:{name}").found() for name in names]
    return Own.of([(one, one.output(), xent.check_cost(one.output()).problems) for one in found])


@pytest.fixture(scope="module")
def own():
    return brought("Hellinger", "Power", "Quadratic", "steep", "whole", "Hellinger@softmax", "Power(k=6)@tanh")


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = {  # as a page asks: what the library calls it, and what the page is told to ask again
    "Hellinger@sigmoid": ("Hellinger@sigmoid", "Hellinger@sigmoid"),
    "hellinger": ("Hellinger@sigmoid", "Hellinger@sigmoid"),
    "Hellinger@softmax": ("Hellinger@softmax", "Hellinger@softmax"),
    "power(k=2)@tanh": ("power(k=2)@tanh", "power(k=2)@tanh"),
    "mine.Quadratic@sigmoid": ("Quadratic@sigmoid", "mine.Quadratic@sigmoid"),
    "mine.steep@sigmoid": ("power(k=5)@sigmoid", "mine.steep(k=5)@sigmoid"),
    "smooth(Hellinger, epsilon=0.2)@sigmoid": ("smooth(Hellinger, epsilon=0.2)@sigmoid",) * 2,
    "smooth(power(k=4))@sigmoid": ("smooth(power(k=4), epsilon=0.1)@sigmoid",) * 2,
    "power(k=6)@tanh": ("power(k=6)@tanh", "power(k=6)@tanh"),
    "power": ("power(k=3)@sigmoid", "power(k=3)@sigmoid"),
    "quadratic@bent": ("quadratic@bent", "quadratic@bent"),
    "mine.py:Power@tanh": ("power(k=3)@tanh", "power(k=3)@tanh"),
    "smooth(mine.py:Power(k=4))": ("smooth(power(k=4), epsilon=0.1)@sigmoid",) * 2,
    "quadratic": ("quadratic@sigmoid", "quadratic@sigmoid"),
    "smooth(focal(gamma=1))@sigmoid": ("smooth(focal(gamma=1), epsilon=0.1)@sigmoid",) * 2,
}


@pytest.mark.parametrize("asked", NAMES)
def test_a_name_and_back(own, asked):
    found = own.output(asked, "en")
    assert (str(found), own.name(found)) == NAMES[asked]
    assert own.output(own.name(found), "zh") == found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_told_what_there_is(own, language):
    offered = words(language, own)["mine"]
    assert [one["name"] for one in offered] == [
        "Hellinger@sigmoid", "power(k=3)@sigmoid", "mine.Quadratic@sigmoid", "mine.steep(k=5)@sigmoid", "quadratic@bent",
        "Hellinger@softmax", "power(k=6)@tanh",
    ]  # fmt: skip
    assert [one["vector"] for one in offered] == [False] * 5 + [True, False]
    assert offered[0]["title"] == "Distance between square roots of probabilities."
    assert words(language)["mine"] == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("Hellinger@sigmoid", "xent lab --own FILE.py:Name"), ("quadratic@bent", "xent lab --own FILE.py:Name"),
        ("smooth(Hellinger)", "xent lab --own FILE.py:Name"), ("evil.py:Cost", "xent lab --own evil.py:Cost"),
        ("os:system", "xent lab --own os:system"),
    ],
)  # fmt: skip
def test_a_link_to_what_was_not_brought_along(asked, says, tmp_path, monkeypatch):
    """It says how to start the lab, in the page's language, and loads nothing."""
    (tmp_path / "evil.py").write_text("import pathlib; pathlib.Path('loaded').touch()\nclass Cost: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for language, word in (("en", "lose the lab"), ("zh", "关掉实验台")):
        with pytest.raises(XentError, match=word) as error:
            answer("neuron", {"outputs": asked, "lang": language}, NONE)
        assert says in str(error.value)
    assert not (tmp_path / "loaded").exists()
    assert "evil" not in sys.modules


def test_a_link_still_shows_what_there_is():
    """What the lab was not started with is left out and said; every other output keeps its place and its rate."""
    asked = {"outputs": "Nowhere@sigmoid,quadratic,cross-entropy", "rates": "5,0.3,", "steps": "3", "size": "8"}
    found = answer("neuron", asked)
    assert [(run["output"], run["rate"]) for run in found["runs"]] == [("quadratic@sigmoid", 0.3), ("cross-entropy@sigmoid", 0.15)]
    for ask in ("neuron", "costs", "map"):
        found = answer(ask, asked)
        names = [one if ask != "costs" else one["output"] for one in found["outputs"]]
        assert names == ["Nowhere@sigmoid", "quadratic@sigmoid", "cross-entropy@sigmoid"]
        assert "If Nowhere is of your own making" in " ".join(found["problems"])
    with pytest.raises(XentError, match="Nowhere"):
        export("neuron", "csv", asked)


def test_a_wrong_parameter_is_said(own):
    wrong = (("power(q=2)", "Known are k"), ("power(k=x)", "is a number"), ("Hellinger(k=2)", "no parameters"))
    for asked, says in wrong:
        with pytest.raises(XentError, match=says) as error:
            answer("costs", {"outputs": asked}, own)
        assert "--own" not in str(error.value)


# ── what the pages show ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["Hellinger@sigmoid", "power(k=4)@tanh", "smooth(Hellinger)@sigmoid", "quadratic@bent"])
def test_the_numbers_are_the_librarys(own, name):
    output = own.output(name, "en")
    found = answer("neuron", {"outputs": f"quadratic,{name}", "steps": "20"}, own)
    assert (found["problems"], found["outputs"]) == ([], ["quadratic@sigmoid", own.name(output)])
    low = -1.0 if "tanh" in name else 0.0
    run = xent.Neuron(2.0, 2.0).learn(1.0, low, output=output, steps=20)
    for part in ("a", "cost", "delta", "gain"):
        np.testing.assert_array_equal(found["runs"][1][part], getattr(run, part))
    curve = answer("costs", {"outputs": name, "along": "input"}, own)["outputs"][0]
    np.testing.assert_array_equal(curve["delta"], output.delta(curve["x"], np.full(curve["x"].shape, low)))
    stalls = answer("map", {"outputs": name, "size": "8", "steps": "20"}, own)
    w, b = np.meshgrid(stalls["horizontal"], stalls["vertical"])
    swept = xent.sweep(w, b, 1.0, low, output=output, steps=20)
    np.testing.assert_array_equal(stalls["maps"][0]["learned"], swept.steps_to_learn)


def test_its_parameters_can_be_turned(own):
    (shown,) = answer("costs", {"outputs": "power(k=4)@sigmoid"}, own)["outputs"]
    assert shown["template"] == "power(k={0})@sigmoid"
    assert [(dial["name"], dial["value"], dial["low"], dial["high"]) for dial in shown["dials"]] == [("k", 4.0, 0.0, 8.0)]


SHOWN = [
    "Hellinger@sigmoid", "power(k=2)@tanh", "power(k=6)@tanh", "smooth(power(k=4), epsilon=0.2)@sigmoid", "mine.steep@sigmoid",
    "quadratic@bent", "Hellinger@softmax",
]  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_the_code_on_the_page_runs(own, name, capsys, monkeypatch, tmp_path):
    """From anywhere: it finds the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    output = own.output(name, "en")
    page = answer("explain", {"output": own.name(output)}, own)
    assert page["sections"]
    numpys, torches = (code["line"] for code in page["code"])
    scope = {}
    exec(numpys, scope)
    z, y = scope["z"], scope["y"]
    assert f"{output.value(z, y)} {output.delta(z, y)} {output.gain(z, y)}" in capsys.readouterr().out
    scope = {}
    exec(torches, scope)
    np.testing.assert_allclose(scope["cost"].tolist(), output.value(z, y), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(scope["z"].grad.tolist(), output.delta(z, y), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("page", ["neuron", "costs", "map"])
def test_the_script_makes_the_figure(own, page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    given = {"outputs": "Hellinger@sigmoid,smooth(power(k=2))@sigmoid,quadratic", "size": "8", "steps": "9"}
    (tmp_path / "figure.py").write_bytes(export(page, "py", given, own))
    runpy.run_path("figure.py")
    assert (tmp_path / f"{page}.svg").read_bytes() == export(page, "svg", given, own)
    assert export(page, "csv", given, own).count(b"Hellinger@sigmoid") > 5


@pytest.mark.parametrize("stem", ["random", "my-costs"])
def test_a_file_of_an_odd_name(stem, tmp_path, monkeypatch):
    """One that Python has a module of that name for, and one that no import statement can name."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    shutil.copy(FILE, tmp_path / f"{stem}.py")
    odd = brought("Hellinger", file=tmp_path / f"{stem}.py")
    scope = {}
    exec("\n".join([*odd.imports([odd.mine[0].output]), "import xent", f"found = {odd.code(odd.mine[0].output)}"]), scope)
    assert str(scope["found"]) == "Hellinger@sigmoid"
    assert hasattr(__import__("random"), "shuffle")


# ── where they fail ───────────────────────────────────────────────────────────────────────────────────────────────────

FAILS = [
    ("Picky", "neuron", {"first": "0.90045"}, ("raised an error here (mine.py, line", "not today"), "抛出了错误（mine.py 第"),
    ("Picky", "costs", {}, None, None),
    ("Holes", "neuron", {"first": "0.902"}, ("its δ is not a number (nan) at", "z = 2.2"), "不是数（nan）"),
    ("Holes", "costs", {}, ("its slope is not a number (nan) at 1 of 401", "a = 0.902"), "斜率"),
    ("Holes", "map", {"size": "64"}, ("its δ is not a number (nan)", "of 4096"), "不是数（nan）"),
    ("Flat", "map", {"size": "8"}, ("not right: Fails on some shapes", "could not be broadcast"), "形状"),
    ("Turned", "neuron", {}, ("not right: Wrong sign", "xent check"), "它有问题"),
]


@pytest.mark.parametrize(("name", "ask", "given", "says", "in_chinese"), FAILS)
def test_what_fails_is_said_and_the_rest_is_shown(name, ask, given, says, in_chinese):
    own = brought(name)
    outputs = f"quadratic@sigmoid,{own.mine[0].offered}"
    found = answer(ask, {"outputs": outputs, "steps": "9", **given}, own)
    said = " ".join(found["problems"])
    assert all(part in said for part in says or ()), said
    assert bool(said) == bool(says)
    assert found[{"neuron": "runs", "costs": "outputs", "map": "maps"}[ask]][0]["output"] == "quadratic@sigmoid"
    assert (in_chinese or "") in " ".join(answer(ask, {"outputs": outputs, "steps": "9", "lang": "zh", **given}, own)["problems"])


def test_a_figure_of_one_that_raises_is_a_sentence():
    with pytest.raises(XentError, match=r"Picky@sigmoid raised an error here \(mine.py, line \d+\): ValueError: not today"):
        export("neuron", "svg", {"outputs": "Picky@sigmoid", "first": "0.90045"}, brought("Picky"))


def test_one_map_that_fails_is_no_blank_page():
    found = answer("map", {"outputs": "Flat@sigmoid", "size": "8"}, brought("Flat"))
    assert (found["maps"], found["outputs"], len(found["problems"])) == ([], ["Flat@sigmoid"], 2)


def test_a_file_that_has_changed(tmp_path):
    """The pages say so, and a race, which would read the new one, is not begun."""
    shutil.copy(FILE, tmp_path / "changing.py")
    own = brought("Hellinger", "Power", file=tmp_path / "changing.py")
    asked = {**SMALL, "outputs": "quadratic,Hellinger@sigmoid"}
    with closing(Races(tmp_path / "races", own)) as races:
        assert races.state(asked)["problems"] == []
        (tmp_path / "changing.py").write_text(FILE.read_text() + "\n# something else\n")
        assert "changing.py has changed" in races.state(asked)["problems"][0]
        with pytest.raises(XentError, match="Start it again"):
            races.start(asked)
    assert "改过" in answer("neuron", {"outputs": "Hellinger@sigmoid", "lang": "zh"}, own)["problems"][0]
    assert answer("neuron", {"outputs": "quadratic"}, own)["problems"] == []


# ── the race ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_race_that_raises_says_so(tmp_path):
    with closing(Races(tmp_path, brought("Picky"))) as races:
        asked = {**SMALL, "outputs": "Picky@sigmoid", "seeds": "1", "epochs": "1"}
        races.start(asked)
        state = done(races, asked)
        assert (state["status"], state["curves"]) == ("failed", [])
        assert state["problems"][0].startswith("Picky@sigmoid raised an error here (mine.py, line")
        assert "抛出了错误" in races.state({**asked, "lang": "zh"})["problems"][0]
        assert (tmp_path / state["key"] / "errors.txt").read_text() == ""


def test_in_the_browser(visit):
    """Added by a click, its parameter turned; a page of one that fails is not blank. (It races in `test_races`.)"""
    at = visit()
    page = at.open("/neuron?outputs=quadratic@sigmoid&lang=zh")
    assert page.locator(".mine").inner_text().startswith("你自己的")
    at.after("neuron", page.locator("[data-key='own-Hellinger@sigmoid']").click)
    assert page.url.partition("outputs=")[2].partition("&")[0] == "quadratic@sigmoid,Hellinger@sigmoid"
    assert page.locator("[data-key='own-Hellinger@sigmoid']").is_hidden()
    assert page.locator(".readout tbody tr").all_inner_texts()[1].startswith("Hellinger@sigmoid")
    at.open("/neuron?outputs=Picky@sigmoid&first=0.90045")
    assert "not today" in page.locator(".problems").inner_text()
    assert page.locator(".activations path").count() == 1
    at.open("/neuron?outputs=Nowhere@sigmoid,quadratic")
    assert "Nowhere" in page.locator(".problems").inner_text()
    assert page.locator(".readout tbody tr").count() == 1
    at.open("/neuron?outputs=Nowhere@sigmoid")
    assert page.locator(".show > :visible").count() == 1  # the message, and no empty figures
    at.open("/map?outputs=Hellinger@sigmoid&size=16&steps=20")
    assert page.locator(".map").count() == 1
    at.open("/costs?outputs=power(k=4)@sigmoid")
    page.wait_for_selector("article h2")
    assert page.locator("article h2").inner_text() == "power"
    page.locator("[data-key=dial-0-0-n]").fill("2")
    at.after("costs", lambda: page.locator("[data-key=dial-0-0-n]").press("Enter"))
    assert "power(k=2)@sigmoid" in page.url
