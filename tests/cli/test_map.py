"""`xent map`: what it prints and writes, and wrong input."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from xent.cli import main
from xent.neuron import cpu


def run(capsys, line):
    code = main(line.split())
    return code, *capsys.readouterr()


def test_map(capsys):
    code, out, _ = run(capsys, "map --size 60 --lang en")
    assert code == 0
    assert "32.7%" in out
    assert "0.0%" in out
    assert "█" in out


def test_map_in_chinese_with_files(capsys, tmp_path):
    code, out, _ = run(capsys, f"map --size 20 --plane rate --lang zh --out {tmp_path}/deep/er")
    assert code == 0
    assert "学习率" in out
    assert {p.name for p in (tmp_path / "deep" / "er").iterdir()} == {"map.svg", "map.png", "numbers.json"}


def test_ctrl_c_in_the_middle_of_hours_of_machine_code(capsys, monkeypatch, tmp_path):
    pieces, begun = cpu._pieces, []

    def interrupted(*given):
        if not begun:  # the first of our threads to begin
            begun.append(True)
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        return pieces(*given)

    monkeypatch.setattr(cpu, "_pieces", interrupted)
    code, out, err = run(capsys, f"map --steps 2000000000 --lang en --out {tmp_path}/deep/er")
    assert (code, out, err.strip()) == (130, "", "stopped; nothing half-written is left behind")
    assert not list(tmp_path.iterdir())


def test_json(capsys):
    _, out, _ = run(capsys, "map --json --size 3 --steps 20")
    data = json.loads(out)
    assert [len(data["horizontal"]), len(data["vertical"]), len(data["maps"])] == [3, 3, 2]
    assert len(data["maps"][0]["steps_to_learn"]) == 3


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("map --size 0", "2 to 4000"),
        ("map --size 2.5", "2.5"),
        ("map --rate inf", "inf"),
        ("map --span 1", "--span"),
        ("map --span 3,1", "smaller first"),
        ("map --plane rte", "start"),
        ("map --outputs quadratc", "did you mean"),
        ("map --outputs focal", "focal@sigmoid"),
        ("map --target 2 --size 3", "[0, 1]"),
        ("map --steps -1 --size 3", "steps"),
    ],
)
def test_wrong_input(capsys, line, says):
    code, out, err = run(capsys, line)
    assert code == 2
    assert says in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in out + err
