"""`xent race`: what it prints, writes and refuses, in both languages."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO

import polars as pl
import pytest

from xent.cli import main

QUICK = "--outputs quadratic@sigmoid,cross-entropy@softmax --hidden 4 --rates 0.3,1 --seeds 6 --epochs 2 --jobs 1"


def run(capsys, line):
    code = main(line.split())
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(folder, what was printed) of one race."""
    where, printed = tmp_path_factory.mktemp("race"), StringIO()
    with redirect_stdout(printed):
        assert main(f"race iris {QUICK} --out {where} --lang en".split()) == 0
    return where, printed.getvalue()


def test_what_is_written_and_printed(done):
    folder, out = done
    names = {p.name for p in folder.iterdir()}
    files = "index.sqlite plan.json race.parquet tuning.parquet verdict.json race.svg race.png report.html"
    assert names == {"heats", *files.split()}
    table = pl.read_parquet(folder / "race.parquet")
    assert {"output", "seed", "epoch", "accuracy", "gain", "stalled"} <= set(table.columns)
    data = json.loads((folder / "verdict.json").read_text())
    assert data["plan"]["seeds"] == 6
    assert data["verdict"]["labels"] == ["quadratic@sigmoid", "cross-entropy@softmax"]
    assert "Which output learns best on iris?" in out
    assert "cross-entropy@softmax" in out
    assert "own best rate" in out
    assert f"xent race iris {QUICK} --out {folder} --lang en" in (folder / "report.html").read_text()


def test_chinese_and_that_it_goes_on(done, capsys):
    heats = {p: p.stat().st_mtime_ns for p in (done[0] / "heats").iterdir()}
    code, out, _ = run(capsys, f"race iris {QUICK} --out {done[0]} --lang zh")
    assert code == 0
    assert "哪种输出学得最好" in out
    assert "测试准确率" in out
    assert {p: p.stat().st_mtime_ns for p in (done[0] / "heats").iterdir()} == heats


def test_another_plans_folder(done, capsys):
    code, _, err = run(capsys, f"race iris {QUICK} --l2 0.5 --out {done[0]}")
    assert code == 2
    assert "belongs to another race" in " ".join(err.split())


def test_json_and_a_folder_named_after_data_and_plan(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(
        capsys,
        "race two-class(n=90) --outputs hinge --hidden 0 --rates 0.1 --goal 0.5 --seeds 1 --epochs 1 --jobs 1 --json --lang en",
    )
    assert code == 0
    (made,) = tmp_path.iterdir()
    assert made.name.startswith("xent-race-two-class-n-90-")
    assert (made / "report.html").exists()
    data = json.loads(out)
    assert set(data) >= {"plan", "rates", "winner", "verdict", "last_epoch"}
    assert "report.html" in " ".join(err.split())


def test_a_table_with_a_target(tmp_path, capsys):
    rows = "\n".join(f"{i % 7},{'red' if i % 3 else 'blue'},{'ab'[i % 7 > 3]}" for i in range(60))
    (tmp_path / "t.csv").write_text("size,colour,kind\n" + rows)
    line = f"race {tmp_path}/t.csv --target kind {QUICK} --out {tmp_path}/out --lang en"
    code, _, _ = run(capsys, line)
    assert code == 0
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Column colour: a category with 2 values" in report
    odd = tmp_path / "[odd]"
    odd.mkdir()
    (tmp_path / "t.csv").rename(odd / "[red]t[x].csv")
    line = line.replace("/t.csv", "/[odd]/[red]t[x].csv").replace("/out", "/[odd]/out")
    code, out, _ = run(capsys, line)
    assert code == 0
    assert "best on [red]t[x].csv?" in out
    assert "[odd]/out/report.html" in out
    code, _, err = run(capsys, line.replace("--target kind", "--target knid"))
    assert code == 2
    assert "did you mean 'kind'" in " ".join(err.split())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("race digts", "did you mean 'digits'"),
        ("race no.csv", "there is no file"),
        ("race iris --rates 0", "positive finite"),
        ("race iris --rates x", "--rates"),
        ("race iris --hidden 3.5", "--hidden"),
        ("race iris --hidden 4,0", "at least one unit"),
        ("race iris --jobs 0", "jobs"),
        ("race iris --seeds 0", "seeds"),
        ("race iris --seeds 2.5", "2.5"),
        ("race iris --outputs quadratc", "did you mean"),
        ("race iris --optimiser adm", "did you mean 'adam'"),
        ("race iris --missing maybe", "refuse"),
        ("race iris --goal 95", "between 0 and 1"),
        ("race iris --device cuda:9 --jobs 4", "the device 'cuda:9' is not there"),
        ("race iris --device mps", "but the device 'mps' came"),
        ("race iris --device cpu:0 --jobs 4", "leave jobs (--jobs) out"),
        ("race iris --target species", "leave the target"),
    ],
)
def test_wrong_input(tmp_path, monkeypatch, capsys, line, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, line)
    assert code == 2
    assert says in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in out + err
    assert not list(tmp_path.iterdir())
