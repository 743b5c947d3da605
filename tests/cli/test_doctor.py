"""`xent doctor` as a person and as CI use it."""

from __future__ import annotations

import json
import re

import pytest

from xent.cli import main

FILE = """
import torch
from torch import nn

print("imported")
model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
healthy = nn.Linear(4, 3)
choice = nn.Linear(4, 3)
criterion = nn.CrossEntropyLoss()
one_vs_rest = nn.BCEWithLogitsLoss()
torch.manual_seed(0)
batch = (torch.randn(16, 4), torch.arange(16) % 3)
hot = (batch[0], nn.functional.one_hot(batch[1], 3).float())


class Broken(nn.Linear):
    def forward(self, x):
        raise ValueError("my own words")


broken = Broken(4, 3)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "training.py"
    path.write_text(FILE)
    return path


def run(capsys, *arguments):
    code = main(["doctor", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_findings_are_told_and_end_in_one(file, capsys):
    code, out, _ = run(capsys, file, "--no-try", "--lang", "en")
    assert code == 1
    assert "[probabilities-as-logits]" in out
    assert "Take the softmax out of model[1] (Softmax)" in out


def test_a_healthy_model_ends_in_zero(file, capsys):
    code, out, _ = run(capsys, f"{file}:healthy,criterion,batch", "--lang", "en")
    assert code == 0
    assert "nothing wrong was found" in out
    assert "Not checked:" in out


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 1), ("info", 1), ("never", 0)])
def test_the_level_that_fails(file, capsys, level, code):
    assert run(capsys, f"{file}:choice,one_vs_rest,hot", "--no-try", "--fail-on", level)[0] == code


def test_json_and_nothing_else(file, capsys):
    code, out, err = run(capsys, file, "--json", "--no-try")
    data = json.loads(out)
    assert code == 1
    assert [f["rule"] for f in data["findings"]] == ["probabilities-as-logits"]
    assert "imported" in err


@pytest.mark.parametrize(("out", "name"), [("page.html", "page.html"), ("folder", "folder/report.html")])
def test_the_report_is_written(file, capsys, tmp_path, out, name):
    _, told, _ = run(capsys, file, "--no-try", "--out", tmp_path / out, "--lang", "zh")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert str(tmp_path / name) in told
    assert "改法" in told


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.py", "there is no file"),
        ("training", "is no Python file"),
        ("{file}:nothing,criterion,batch", "no model in .*'nothing'"),
        ("{file}:model,criterion,batches", "did you mean 'batch'"),
        ("{file}:model", "names"),
        ("{file}:a b,c,d", "names"),
        ("{file}:broken,criterion,batch", "ValueError: my own words"),
    ],
)
def test_mistakes_are_one_message(file, capsys, name, message):
    code, _, err = run(capsys, name.format(file=file))
    assert code == 2
    assert re.search(message, err), err
    assert "Traceback" not in err


def test_a_file_without_a_criterion(tmp_path, capsys):
    path = tmp_path / "own.py"
    path.write_text(FILE.replace("criterion =", "other ="))
    code, _, err = run(capsys, path)
    assert code == 2
    assert "there is no criterion" in err
