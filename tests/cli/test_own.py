"""A user's own costs as `module:Name` and `file.py:Name` wherever a name of xent's may stand, and what is said of bad ones."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from xent.cli import main

MINE = (
    (Path(__file__).parents[1] / "lab" / "mine.py").read_text()
    + """

import torch

print("imported")


class InTorch:
    answers = (0, 1)
    name = "in-torch"

    def __call__(self, a, y):
        return torch.square(torch.sub(a, y)) / 2

    def slope(self, a, y):
        return torch.sub(a, y)


class Raises(Hellinger):
    def __call__(self, a, y):
        raise RuntimeError("not today")


class Nameless(xent.Cost):
    def __call__(self, a, y):
        return (a - y) ** 2 / 2

    def slope(self, a, y):
        return a - y


class Needs(Hellinger):
    def __init__(self, k):
        self.k = k


class Mean(Hellinger):
    def __call__(self, a, y):
        return float(np.mean(super().__call__(a, y)))
"""
)
"""What the lab is tried with, and more that the command line refuses."""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_own_costs.py").write_text(MINE)
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("my_own_costs", "_checked_my_own_costs"):
        sys.modules.pop(name, None)


def run(capsys, line):
    code = main(line.split())
    return code, *capsys.readouterr()


def test_neuron(capsys, mine):
    """PyTorch's formula sees NumPy's numbers, and does what xent's own does."""
    outputs = "my_own_costs.py:Hellinger,my_own_costs:InTorch@sigmoid,quadratic"
    code, out, err = run(capsys, f"neuron --outputs {outputs} --steps 20 --json")
    assert code == 0
    assert "imported" in err
    runs = json.loads(out)["runs"]
    assert [one["output"] for one in runs] == ["Hellinger@sigmoid", "in-torch@sigmoid", "quadratic@sigmoid"]
    assert runs[1]["a"] == pytest.approx(runs[2]["a"], rel=1e-12)


def test_map_numbers_what_comes_twice(capsys, mine, tmp_path):
    same = "my_own_costs.py:Hellinger"
    code, out, _ = run(capsys, f"map --outputs {same},{same},quadratic --size 12 --steps 20 --lang en --out {tmp_path}/drawn")
    assert code == 0
    assert "Hellinger@sigmoid #1" in out
    assert "Hellinger@sigmoid #2" in out
    assert (tmp_path / "drawn" / "map.png").is_file()


@pytest.mark.parametrize(("lang", "says"), [("en", "Distance between square roots of probabilities."), ("zh", "你自己写的代价")])
def test_explain(capsys, mine, lang, says):
    code, out, _ = run(capsys, f"explain my_own_costs.py:Hellinger --lang {lang}")
    assert code == 0
    assert says in out
    assert "0.0707" in out  # the gain at 0.98: ½/√(1 − 0.98)·0.98·0.02/0.98
    assert "More of it" not in out


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_race(capsys, mine, jobs):
    """Other processes cannot import the file: the formulas travel to them. Another formula under the same name is another race."""
    line = "race iris --outputs my_own_costs.py:Hellinger,my_own_costs.py:InTorch,quadratic --hidden 2 --rates 0.3 --goal 0.5"
    line += f" --seeds 2 --epochs 1 --jobs {jobs} --out race --lang en"
    code, _, _ = run(capsys, line)
    assert code == 0
    table = pl.read_parquet("race/race.parquet").filter(pl.col("epoch") == 1).sort("side", "seed")
    cost = table.partition_by("output", as_dict=True)
    theirs, ours = (cost[name,]["cost"].to_list() for name in ("in-torch@sigmoid", "quadratic@sigmoid"))
    assert theirs == pytest.approx(ours, rel=1e-5)
    with open("my_own_costs.py", "w") as file:
        file.write(MINE.replace("0.5 * np.sqrt((1", "0.50 * np.sqrt((1"))
    code, _, err = run(capsys, line)
    assert code == 2
    assert "sources" in err


def test_what_is_wrong_is_said_and_used(capsys, mine):
    code, out, err = run(capsys, "neuron --outputs my_own_costs.py:Turned --steps 1 --json --lang en")
    assert code == 0
    assert "not right: Wrong sign" in err
    assert "xent check my_own_costs.py:Turned" in err
    assert json.loads(out)


REFUSED = [
    ("my_own_costs.py:Raises", "not today"),
    ("my_own_costs.py:Mean", "one term per output"),
    ("my_own_costs.py:Nameless", "name"),
    ("my_own_costs.py:Hellnger", "did you mean 'Hellinger'"),
    ("my_own_costs.py:Hellinger@sigmod", "did you mean 'sigmoid'"),
    ("my_own_costs.py:Hellinger@tanh", "Use Hellinger@sigmoid"),
    ("nowhere.py:Hellinger", "no file nowhere.py"),
    ("no_such_module:Hellinger", "No module named 'no_such_module'"),
    ("my_own_costs.py:", "file.py:Name"),
    ("rows.csv:Hellinger", "rows.csv is no Python file"),
    ("empty.py:Hellinger", "empty.py defines nothing"),
    ("my_own_costs.py:Needs", "missing 1 required positional argument: 'k'"),
    ("smooth(my_own_costs.py:Nope)", "no object in my_own_costs.py named 'Nope'"),
    ("my_own_costs.py:Power(q=1)", "no parameter of power named 'q'"),
]


@pytest.mark.parametrize(("name", "says"), REFUSED)
def test_refused_everywhere(capsys, mine, name, says):
    for line in (f"neuron --outputs {name}", f"map --outputs quadratic,{name}", f"race iris --outputs {name}", f"explain {name}",
                 *([] if "smooth" in name else [f"lab --no-browser --own my_own_costs.py:Hellinger --own {name}"])):  # fmt: skip
        code, out, err = run(capsys, line + " --lang en")
        assert (code, out) == (2, ""), line
        assert says in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("quadratic", "what is yours"),
        ("my_own_costs.py", "say which cost in it"),
        ("", "what is yours"),
        ("smooth(my_own_costs.py:Hellinger)", "is no name"),
    ],
)
def test_what_the_lab_cannot_bring_along(capsys, mine, name, says):
    code = main(["lab", "--no-browser", "--own", name])
    assert code == 2
    assert says in capsys.readouterr().err


COMPOSED = [
    ("my_own_costs.py:Power(k=2)@tanh", "power(k=2)@tanh", ""),
    ("smooth(my_own_costs.py:Hellinger, epsilon=0.2)@sigmoid", "smooth(Hellinger, epsilon=0.2)@sigmoid", ""),
    ("smooth(my_own_costs:Power(k=4))", "smooth(power(k=4), epsilon=0.1)@sigmoid", ""),
    ("smooth(my_own_costs.py:Turned)@sigmoid", "smooth(Turned, epsilon=0.1)@sigmoid", "not right: Wrong sign"),
]


@pytest.mark.parametrize(("typed", "name", "says"), COMPOSED)
def test_with_parameters_and_inside_a_smoothing(capsys, mine, typed, name, says):
    code = main(["neuron", "--outputs", f"quadratic,{typed}", "--steps", "2", "--json", "--lang", "en"])
    out, err = capsys.readouterr()
    assert code == 0
    assert json.loads(out)["runs"][1]["output"] == name
    assert says in err


def test_what_raises_only_sometimes_is_a_sentence(capsys, mine):
    """Where no check has looked: at one answer, and where many networks learn at once."""
    name = "my_own_costs.py:Picky"
    race = f"race iris --outputs {name} --hidden 2 --seeds 1 --epochs 1 --jobs 1 --out race --lang zh"
    for line, says in (
        (f"neuron --outputs {name} --first 0.90045 --lang en", "raised an error here (my_own_c"),
        (race, "抛出了错误"),
    ):
        code, _, err = run(capsys, line)
        assert code == 2
        assert says in err
        assert "ValueError: not today" in err
        assert "Traceback" not in err


def test_refused_in_chinese(capsys, mine):
    _, _, err = run(capsys, "map --outputs my_own_costs.py:Raises --lang zh")
    assert "它自己抛出了错误" in err


def test_json_of_every_command_is_nothing_but_json(capsys, mine):
    name = "my_own_costs.py:Hellinger"
    lines = (f"neuron --outputs {name} --steps 2", f"map --outputs {name} --size 3 --steps 2", f"explain {name}", f"check {name}")
    for line, lang in product(lines, ("en", "zh")):
        code, out, _ = run(capsys, f"{line} --json --lang {lang}")
        assert code == 0
        assert json.loads(out)
