"""`xent explain` as a person uses it: both languages, JSON, figures, the list, and names that there are not."""

import json

import pytest
from rich.cells import cell_len

from xent import explaining, texts
from xent.cli import main
from xent.texts import LANGUAGES

NAMES = [name for name, _ in explaining.contents()]


def run(capsys, *arguments):
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_page_prints(capsys, name, language):
    code, out, err = run(capsys, "explain", name, "--lang", language)
    shown = explaining.page(name, language)
    assert (code, err) == (0, "")
    squeezed = "".join(out.split())
    assert name in out
    for formula in (*shown.formulas, *(line.formula for line in shown.derivation)):
        assert "".join(formula.text(language).split()) in squeezed
    for section in shown.sections:
        assert section.title in out
        assert "".join(section.body.replace("*", "").replace("`", "").split()) in squeezed
    for line in out.splitlines():
        if not any(code.line in line for code in shown.code):
            assert cell_len(line.rstrip()) <= 80, line
            assert not line.strip().startswith(tuple("，。；：、！？）》”")), line


def test_the_curve_is_drawn(capsys):
    _, out, _ = run(capsys, "explain", "quadratic@sigmoid", "--lang", "en")
    assert "Gain against the answer" in out
    assert any("⠀" <= letter <= "⣿" for letter in out)


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_name_it_lists_what_there_is(capsys, language):
    code, out, _ = run(capsys, "explain", "--lang", language)
    assert code == 0
    lines = [line.split()[0] for line in out.splitlines() if line.strip()]
    assert all(name.split()[0] in lines for name in NAMES)
    code, out, _ = run(capsys, "explain", "--json")
    assert [entry["name"] for entry in json.loads(out)] == NAMES


@pytest.mark.parametrize("name", ["quadratic@sigmoid", "absolute@identity", "exponential", "smooth@softmax", "relu", "softmax"])
def test_json_is_nothing_but_json(capsys, name):
    name = "smooth(cross-entropy)@softmax" if name.startswith("smooth") else name
    code, out, _ = run(capsys, "explain", name, "--json", "--lang", "zh")
    data = json.loads(out)
    assert code == 0
    assert {"name", "formulas", "derivation", "sections", "samples", "plot", "source"} <= set(data)
    assert data["formulas"][0]["mathml"].startswith("<math")
    assert {"domain", "targets", "soft"} <= set(data) or "range" in data


def test_json_of_a_gain_is_the_library_s(capsys):
    data = json.loads(run(capsys, "explain", "quadratic@sigmoid", "--json")[1])
    assert [round(s["gain"], 4) for s in data["samples"]] == [0.25, 0.09, 0.0196, 0.001]


def test_files(capsys, tmp_path):
    folder = tmp_path / "a" / "b"
    code, out, err = run(capsys, "explain", "focal(gamma=3)@softmax", "--out", str(folder), "--json", "--lang", "en")
    assert code == 0
    assert json.loads(out)
    assert {p.name for p in folder.iterdir()} == {"focal-gamma=3-@softmax.svg", "focal-gamma=3-@softmax.png"}
    assert "written" in err
    code, out, _ = run(capsys, "explain", "tanh", "--out", str(folder), "--lang", "zh")
    assert code == 0
    assert (folder / "tanh.png").stat().st_size > 5000
    assert texts.page("explain", "zh")["words"]["written"].partition("{")[0] in out


WRONG = [
    ("explain focl", "did you mean 'focal'"),
    ("explain sigmiod", "did you mean 'sigmoid'"),
    ("explain mse", "did you mean 'quadratic'"),
    ("explain quadratic@sigmod", "did you mean 'sigmoid'"),
    ("explain cross-entropy@identity", "logistic@identity"),
    ("explain focal(gamma=x)", "gamma is a number"),
    ("explain focal(gama=2)", "did you mean 'gamma'"),
    ("explain focal --lang fr", "zh"),
    ("explain --out somewhere", "give a name too"),
    ("explain focal --out /dev/null/x", "--out"),
    ("explain focal tanh", "tanh"),
]


@pytest.mark.parametrize(("line", "says"), WRONG)
def test_wrong_input_is_one_message_and_exit_code_2(capsys, line, says):
    code, out, err = run(capsys, *line.split())
    assert code == 2
    assert says in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in out + err
