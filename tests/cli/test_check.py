"""`xent check` as a person uses it: names, files, modules, exit codes, both languages, and wrong questions."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from xent.cli import main

MINE = """
from dataclasses import dataclass
from xent.costs import Cost

print("imported")

@dataclass(frozen=True)
class Cubic(Cost):
    scale: float = 1.0
    name = "cubic"
    usual = "sigmoid"

    def __call__(self, a, y):
        return self.scale * abs(a - y) ** 3 / 3

    def slope(self, a, y):
        return self.scale * (a - y) * abs(a - y)


class Turned(Cubic):
    def slope(self, a, y):
        return -super().slope(a, y)


class Incomplete(Cost):
    name = "incomplete"


class Needy(Cubic):
    def __init__(self, gamma):
        pass


class Holder:
    inner = Cubic(scale=2.0)


def function(a, y):
    return a
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_costs.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "typo.py").write_text("class A(:\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit('gone')\n")
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_costs", None)


def run(capsys, *arguments):
    code = main(["check", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_built_in_name(capsys):
    code, out, _ = run(capsys, "focal@softmax", "--lang", "en")
    assert code == 0
    assert "focal(gamma=2)@softmax: ok" in out
    assert "[improper]" in out


@pytest.mark.parametrize("name", ["my_costs.py:Cubic", "./my_costs.py:Cubic", "my_costs:Cubic", "my_costs:Holder.inner"])
def test_ones_own(capsys, mine, name):
    code, out, _ = run(capsys, name, "--lang", "en")
    assert code == 0, out
    assert "cubic(scale=" in out


def test_a_wrong_one_is_exit_code_1(capsys, mine):
    code, out, _ = run(capsys, "my_costs.py:Turned", "--lang", "en")
    assert code == 1
    assert "Wrong sign" in out
    assert "-" in out


def test_an_activation(capsys, mine):
    code, out, _ = run(capsys, "my_costs.py:Cubic", "--activation", "tanh")
    assert code == 0
    assert "@tanh" in out


def test_in_chinese(capsys, mine):
    code, out, _ = run(capsys, "my_costs.py:Turned", "--lang", "zh")
    assert code == 1
    assert "符号反了" in out


def test_json_is_nothing_but_json(mine):
    command = [sys.executable, "-m", "xent", "check", "my_costs.py:Turned", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    verdict = json.loads(done.stdout)
    assert done.returncode == 1
    assert "imported" in done.stderr
    assert not verdict["ok"]
    (problem,) = verdict["problems"]
    assert problem["rule"] == "sign"
    assert problem["evidence"]["came"] == pytest.approx(-problem["evidence"]["expected"])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("focl@softmax", "did you mean 'focal'"),
        ("broken:Cost", "No module named 'nothing_of_this_name'"),
        ("typo.py:A", "SyntaxError"),
        ("leaves.py:A", "gone"),
        ("no_such_module:A", "No module named 'no_such_module'"),
        ("nowhere.py:A", "no file nowhere.py"),
        ("my_costs.py:Cubik", "did you mean 'Cubic'"),
        ("my_costs.py", "my_costs.py:Name"),
        ("my_costs.py:", "file.py:Name"),
        ("my_costs.py:function", "a cost is callable and has slope"),
        ("my_costs.py:Holder", "Holder is no cost"),
        ("my_costs.py:Incomplete", "does not define __call__ and slope"),
        ("my_costs.py:Needy", "give an instance"),
        ("my_costs.py:Cubic --activation sigmod", "did you mean 'sigmoid'"),
        ("hinge --activation sigmoid", "hinge@identity"),
        ("focal@softmax --activation sigmoid", "already"),
    ],
)
def test_asked_wrongly(capsys, mine, line, says):
    code, out, err = run(capsys, *line.split())
    assert code == 2
    assert says in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in out + err
