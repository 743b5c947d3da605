"""The command line as a person uses it: what it prints and writes, exit codes, both languages, wrong input, Ctrl-C."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from xent import texts
from xent.cli import app, main, terminal
from xent.cli.helping import COMMANDS
from xent.cli.race import _table as race_table


def run(capsys, *arguments):
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def reproduce(folder, *flags):
    """`xent reproduce` in a process of its own."""
    return subprocess.run([sys.executable, "-m", "xent", "reproduce", "--out", str(folder), *flags], capture_output=True, text=True)


def test_reproduce(tmp_path):
    """In English, to read; in Chinese with --json, where all that is for reading goes to standard error."""
    english, chinese = reproduce(tmp_path / "en", "--lang", "en"), reproduce(tmp_path / "zh", "--lang", "zh", "--json")
    assert (english.returncode, chinese.returncode, english.stderr) == (0, 0, "")
    assert "all 14 claims agree" in english.stdout
    assert "14 条论断全部吻合" in chinese.stderr
    for number in ("0.8176", "0.0940", "0.9820", "0.2028"):
        assert number in english.stdout
    check_files(tmp_path / "en")
    check_files(tmp_path / "zh")
    assert json.loads(chinese.stdout) == json.loads((tmp_path / "en" / "numbers.json").read_text())
    assert (tmp_path / "en" / "numbers.json").read_text() == (tmp_path / "zh" / "numbers.json").read_text()


def check_files(folder):
    numbers = json.loads((folder / "numbers.json").read_text())
    assert len(numbers["experiments"]) == 8
    first = numbers["experiments"][0]
    assert {"start", "cost", "rate", "a0", "a300", "delta0", "gain0", "first_below_half"} <= set(first)
    assert round(first["a300"], 4) == 0.0940
    assert (folder / "report.html").read_text().count("<figure") == 12
    drawn = {p.name for p in (folder / "figures").iterdir()}
    assert len([n for n in drawn if n.endswith(".svg")]) == len([n for n in drawn if n.endswith(".png")]) == 12
    assert not [p for p in folder.rglob("*") if p.name.startswith(".")]


def test_reproduce_says_when_a_claim_differs(capsys, tmp_path, monkeypatch):
    from dataclasses import replace

    from xent.article import Study

    right = Study().claims
    monkeypatch.setattr(Study, "claims", [replace(right[0], agrees=False), *right[1:]])
    monkeypatch.setattr("xent.cli.reproduce._write", lambda *_: None)
    code, out, _ = run(capsys, "reproduce", "--out", str(tmp_path), "--lang", "en")
    assert code == 1
    assert "1 of 14 claims differ" in out


def test_neuron(capsys):
    code, out, _ = run(capsys, "neuron", "--lang", "en")
    assert code == 0
    for words in ("quadratic@sigmoid", "cross-entropy@sigmoid", "0.2028", "0.01201", "gain", "never"):
        assert words in out


def test_neuron_in_chinese(capsys):
    code, out, _ = run(capsys, "neuron", "--lang", "zh", "--first", "0.98")
    assert code == 0
    assert "学习率" in out
    assert "增益" in out


def test_neuron_json(capsys):
    code, out, _ = run(capsys, "neuron", "--json", "--w", "0.6", "--b", "0.9", "--steps", "300")
    runs = json.loads(out)["runs"]
    assert code == 0
    assert [r["output"] for r in runs] == ["quadratic@sigmoid", "cross-entropy@sigmoid"]
    assert [round(r["a"][-1], 4) for r in runs] == [0.0940, 0.0116]
    assert len(runs[0]["gain"]) == 301


def test_neuron_csv(capsys):
    _, out, _ = run(
        capsys,
        "neuron",
        "--csv",
        "--outputs",
        "smooth(cross-entropy, epsilon=0.1)@sigmoid,logistic",
        "--target",
        "0,-1",
        "--steps",
        "2",
    )
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 6
    assert rows[0]["output"] == "smooth(cross-entropy, epsilon=0.1)@sigmoid"
    assert float(rows[0]["a"]) == pytest.approx(0.98201379)


def test_neuron_writes_files(capsys, tmp_path):
    code, out, _ = run(capsys, "neuron", "--out", str(tmp_path / "a" / "b"), "--steps", "5")
    assert code == 0
    assert {p.name for p in (tmp_path / "a" / "b").iterdir()} == {"neuron.svg", "neuron.png", "numbers.csv", "numbers.json"}
    assert "neuron.svg" in out.replace("\n", "")


def test_neuron_json_writes_infinite_numbers_as_null(capsys):
    _, out, _ = run(
        capsys, "neuron", "--json", "--outputs", "exponential", "--target", "1", "--w", "-800", "--b", "0", "--steps", "1"
    )
    assert json.loads(out)["runs"][0]["cost"][0] is None


def test_the_same_seed_draws_the_same_start(capsys):
    outs = [run(capsys, "neuron", "--json", "--seed", "5", "--steps", "1")[1] for _ in range(2)]
    assert outs[0] == outs[1]


def test_two_outputs_of_one_name_are_told_apart(capsys):
    _, out, _ = run(capsys, "neuron", "--outputs", "quadratic,quadratic", "--rate", "0.15,3", "--steps", "10")
    assert "quadratic@sigmoid #1" in out
    assert "quadratic@sigmoid #2" in out


WRONG = [
    ("neuron --outputs quadratc", "did you mean 'quadratic'"),
    ("neuron --target 2", "[0, 1]"),
    ("neuron --target a", "--target"),
    ("neuron --rate -1", "rate"),
    ("neuron --rate inf", "inf"),
    ("neuron --rate 1,2,3", "2 outputs"),
    ("neuron --w nan --b 1", "w must be finite"),
    ("neuron --w 1", "--b"),
    ("neuron --first 1.5", "(0, 1)"),
    ("neuron --first 0.5 --seed 1", "one start"),
    ("neuron --steps -1", "steps"),
    ("neuron --steps 2.5", "2.5"),
    ("neuron --seed 1.5", "1.5"),
    ("neuron --stps 3", "--steps"),
    ("neuron --outputs cross-entropy@identity", "logistic@identity"),
    ("neuron --outputs focal", "focal@sigmoid"),
    ("neuron --json --csv", "--json and --csv"),
    ("neuron --lang fr", "zh"),
    ("nuron", "neuron"),
    ("race --seeds 1.5", "--seeds is a whole number, but '1.5' came"),
    ("race --l2 x", "--l2 is a number, but 'x' came"),
    ("race --dtype half", "--dtype is one of float32, float64, but 'half' came"),
    ("race --seeds 1 --seeds 2", "--seeds is given more than once"),
    ("race --resplit=maybe", "takes no value, but 'maybe' came"),
    ("race digits iris", "does not know what to do with iris"),
    ("race --outputs", "--outputs wants a value"),
    ("check", "check wants NAME"),
    ("nuron --lang zh", "没有 'nuron' 这个命令：是不是想写 neuron？"),
    ("map --span=-6,6 --size 1 --lang=zh", "错误"),
    ("neuron --steps 2000000", "2,000,000 came"),
    ("reproduce --out /proc/nothing", "--out"),
    ("neuron --out /dev/null/x", "--out"),
]


@pytest.mark.parametrize(("line", "says"), WRONG)
def test_wrong_input_is_one_message_and_exit_code_2(capsys, line, says):
    code, out, err = run(capsys, *line.split())
    assert code == 2
    assert says in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in out + err


def test_help_and_version(capsys):
    for line in ("--help", "reproduce --help", "neuron --help", "--version", ""):
        code, out, _ = run(capsys, *line.split())
        assert code == 0
        assert out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_both_languages(capsys, command):
    """Every flag is listed with the text that belongs to it, and no text belongs to none."""
    arguments = app[command].assemble_argument_collection()
    names = {argument.name.lstrip("-").lower() for argument in arguments}
    for language in texts.LANGUAGES:
        page = texts.page("help", language)
        code, out, err = run(capsys, command, "--help", "--lang", language)
        assert (code, err) == (0, "")
        told = "".join(out.split())
        for text in (page[command]["about"], *page[command]["flags"].values()):
            assert "".join(text.split()) in told
        assert set(page[command]["flags"]) <= names <= set(page[command]["flags"]) | set(page["flags"])
        assert page[command]["about"][:20] in run(capsys, "--lang", language)[1]


def test_help_fits_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "46")
    out = run(capsys, "race", "--help", "--lang", "zh")[1]
    assert max(map(cell_len, out.splitlines())) <= 46


def test_curves_fit_a_narrow_terminal_and_have_short_ticks(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "46")
    out = run(capsys, "neuron", "--steps", "20", "--lang", "en")[1]
    assert max(map(cell_len, out.splitlines())) <= 46
    ticks = [line.split("|")[0].strip() for line in out.splitlines() if "|" in line and "---" not in line]
    assert {"4", "1", "0.8", "0"} <= set(ticks)
    assert max(map(len, ticks)) <= 4
    for seed in range(40):  # numbers stand wherever the curves are, at the very top too
        curve = terminal.panels({"a": {"x": np.random.default_rng(seed).uniform(0, 1, 3)}}, "step", Console(width=60))
        assert curve.renderables


def test_a_race_on_a_narrow_terminal_loses_no_number():
    heads, rows = ["output", "rate", "accuracy", "epochs", "stalled", "gain"], [["a" * 20, "1", "97%", "2.5", "0%", "1.0"]]
    for width in (30, 100):
        screen = Console(width=width, record=True, file=io.StringIO())
        race_table(heads, rows, screen)
        shown = screen.export_text()
        assert all(cell in shown for cell in rows[0])


def test_a_list_may_begin_with_a_minus(capsys):
    code, out, _ = run(capsys, "map", "--span", "-2,3", "--size", "2", "--steps", "1", "--json")
    assert (code, json.loads(out)["horizontal"]) == (0, [-2.0, 3.0])
    code, out, _ = run(capsys, "neuron", "--outputs", "logistic,hinge", "--target", "-1,1", "--steps", "1", "--json")
    assert (code, [one["target"] for one in json.loads(out)["runs"]]) == (0, [-1.0, 1.0])


def test_what_the_system_refuses_is_one_sentence(tmp_path):
    """A disk that is full; and more memory than any machine has, in a race that would take years."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "xent", "explain", "tanh"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.strip()) == (2, "error: the system refused: No space left on device.")
    here = str(tmp_path / "here")
    line = ["xent", "race", "digits", "--hidden", str(10**13), "--seeds", "1", "--rates", "1", "--jobs", "1", "--out", here]
    for before, words in (
        ("", "error: this race needs 42.1 PiB of memory at least, and this machine has"),
        (
            "from xent.racing import estimate; estimate._memory_here = lambda: None",
            "error: there is not enough memory for this: Unable to allocate",
        ),  # a system that does not say
    ):
        code = f"import sys; {before}\nsys.argv = {line}\nfrom xent.__main__ import run; run()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith(words)
        assert len(done.stderr.splitlines()) == 1
        assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    """Interrupted while figures are drawn: exit code 130, one line, no traceback, no temporary file."""
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "xent", "reproduce", "--out", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "LANG": "C.UTF-8"}
    )
    while process.poll() is None and not list((folder / "figures").glob("*.svg")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.strip() == "stopped; nothing half-written is left behind"
    assert not (folder / "report.html").exists()
    assert not [p for p in folder.rglob("*") if p.name.startswith(".")]


def test_a_terminal_without_greek_letters():
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "xent", "neuron", "--lang", "zh"], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.2028" in done.stdout


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m xent neuron --csv --steps 5000 | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("output,target")
    assert done.stderr == ""


def test_nor_where_a_page_is_printed():
    """Rich would end with exit code 1; nobody reads this pipe at all."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = subprocess.run([sys.executable, "-m", "xent", "explain", "tanh"], stdout=nobody, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
