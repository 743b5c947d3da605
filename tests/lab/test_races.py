"""Races from the page: bounded, in a process of their own, stopped, resumed, from a CSV that someone dropped; in Chromium too."""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from lab.test_server import ask, live, question

import xent
from xent.errors import InputError
from xent.lab.asked import RaceAsked
from xent.lab.races import LARGEST, Races

SMALL = {
    "data": "iris",
    "hidden": "4",
    "rates": "0.3",
    "seeds": "3",
    "epochs": "2",
    "outputs": "quadratic@sigmoid,cross-entropy@softmax",
}
LONG = {
    "data": "digits",
    "hidden": "300,300",
    "seeds": "50",
    "epochs": "200",
    "batch": "1",
    "outputs": ",".join(["quadratic@sigmoid"] * 8),
}


def until(races, holds):
    """Waits until something holds, for as long as the race runs that may bring it about; returns it."""
    running = True
    while not (found := holds()):
        assert running, (races.running.said, (races.folder / races.running.key / "errors.txt").read_text())
        time.sleep(0.05)
        running = races.running.alive
    return found


def done(races, settings):
    return until(races, lambda: (state := races.state(settings))["status"] in ("done", "failed") and state)


@pytest.mark.slow
def test_a_race_is_the_librarys(tmp_path):
    """Every number of its table is that of `xent.race` with the same settings, and its files are there to take along."""
    with closing(Races(tmp_path)) as races:
        assert races.state(SMALL)["status"] == "idle"
        races.start(SMALL)
        state = done(races, SMALL)
        assert state["status"] == "done", state
        found = xent.race("iris", ["quadratic@sigmoid", "cross-entropy@softmax"], (4,), [0.3], 3, 2, jobs=1)
        means = dict(zip(found.verdict.answer().order, found.verdict.answer().means, strict=True))
        assert {row["side"]: row["accuracy"] for row in state["rows"]} == means
        assert [curve["label"] for curve in state["curves"]] == ["quadratic@sigmoid", "cross-entropy@softmax"]
        last = float(state["curves"][0]["accuracy"][-1])
        assert last == pytest.approx(means[0])
        assert races.start(SMALL)["status"] == "done"  # asked for again it is not run again
        assert {p.name for p in (tmp_path / state["key"]).iterdir()} >= {
            "report-en.html",
            "report-zh.html",
            "race-zh.svg",
            "race.csv",
            "race.py",
        }
        assert (tmp_path / state["key"] / "race.py").read_text().startswith("import xent\n\nfound = xent.race('iris'")
    assert "nothing can be said" in state["says"][0]
    assert "种子" in Races(tmp_path).state({**SMALL, "lang": "zh"})["says"][0]


def test_a_race_is_stopped_and_goes_on(tmp_path):
    """Stopped at once, with the processes that share its work; what was finished is read and not run again."""
    slow = {**SMALL, "data": "digits", "seeds": "8", "epochs": "30", "hidden": "100"}
    with closing(Races(tmp_path)) as races:
        races.start(slow)
        key = races.state(slow)["key"]
        until(races, lambda: races.state(slow)["curves"])
        with pytest.raises(InputError, match="another race"):
            races.start(SMALL)
        assert races.state(SMALL)["busy"]
        assert races.stop(slow)["status"] == "stopped"
        kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / key / "heats" / "heats").iterdir()}
        races.start(slow)
        state = until(races, lambda: (state := races.state(slow))["progress"] and state)
        assert state["status"] == "running"
        assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / key / "heats" / "heats").iterdir() if p.name in kept} == kept
    assert not races.running.alive


def test_a_race_that_would_take_hours_is_refused(tmp_path):
    with closing(Races(tmp_path)) as races:
        races.start(LONG)
        state = done(races, LONG)
    assert state["status"] == "failed"
    assert "hours" in state["problems"][0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"data": "/etc/passwd"}, "data set"), ({"data": "../x.csv"}, "data set"),
        ({"data": "0123456789abcdef/../../x.csv"}, "data set"),
        ({"seeds": "51"}, "50"), ({"epochs": "0"}, "200"), ({"hidden": "9999"}, "300"), ({"hidden": "1.5"}, "whole"),
        ({"hidden": "1,2,3,4"}, "3 numbers"), ({"rates": "a"}, "number"), ({"optimiser": "magic"}, "adam"),
    ],
)  # fmt: skip
def test_what_is_asked_is_bounded(given, says):
    with pytest.raises(InputError, match=re.escape(says)):
        RaceAsked.of(given)


def taken(races, name, content, length=None):
    async def chunks():
        for at in range(0, len(content), 65536):
            yield content[at : at + 65536]

    async def take():
        return await races.take(name, len(content) if length is None else length, chunks())

    with ThreadPoolExecutor(1) as elsewhere:  # where no browser's loop runs already
        return elsewhere.submit(asyncio.run, take()).result()


ROWS = "height,weight,kind\n" + "".join(f"{1 + i % 7},{2 + i % 5},{'ab'[i % 2]}\n" for i in range(60))


@pytest.mark.slow
def test_a_dropped_file_is_raced(tmp_path):
    with closing(Races(tmp_path)) as races:
        kept = taken(races, r"C:\my data\../flowers & more.csv", ROWS.encode())
        assert kept["columns"] == ["height", "weight", "kind"]
        assert re.fullmatch(r"[0-9a-f]{16}/flowers-more\.csv", kept["data"])
        asked = {**SMALL, "data": kept["data"], "target": "kind", "epochs": "1"}
        races.start(asked)
        state = done(races, asked)
        assert state["status"] == "done", state
        assert "'flowers-more.csv'" in (tmp_path / state["key"] / "race.py").read_text()
        wrong = {**asked, "target": "colour"}
        races.start(wrong)
        assert "colour" in done(races, wrong)["problems"][0]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.npz", b"PK", "CSV"), ("x.pkl", b"cos\nsystem", "CSV"), ("x.csv", b"", "column names"),
        ("x.csv", b"\x00\xff\xfe", "UTF-8"), ("x.csv", "长,宽\n1,2\n".encode("gbk"), "UTF-8"),
        ("x.csv", b"a", "column names"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused(tmp_path, name, content, says):
    with pytest.raises(InputError, match=says):
        taken(Races(tmp_path), name, content)
    assert not list(tmp_path.rglob("*.*"))


def test_a_file_that_is_too_large_is_refused_early(tmp_path, lab):
    """By the length that it announces, before a byte is read; and where it lies about its length, once the limit is passed."""
    with pytest.raises(InputError, match="32 MB"):
        taken(Races(tmp_path), "x.csv", b"", length=1 << 30)
    with pytest.raises(InputError, match="32 MB"):
        taken(Races(tmp_path), "x.csv", bytes(LARGEST + 1), length=10)
    status, _, body = ask(lab, "/upload?name=x.csv", "POST", origin=lab, content_length=str(1 << 30))
    assert (status, b"MB" in body) == (413, True)


def test_files_that_are_no_ones_business(lab):
    for path in (
        "/race/0123456789abcdef/asked.json",
        "/race/..%2f..%2fx/race.csv",
        "/race/0123456789abcdef/race.csv",
        "/race/uploads/race.csv",
    ):
        assert ask(lab, path)[0] == 404


def test_the_race_page(visit, tmp_path):
    """A CSV dropped on the page, raced under a cost of the user's own, its verdict read in Chinese, its files downloaded."""
    at = visit()
    page = at.open("/race?hidden=4&rates=0.3&seeds=3&epochs=2&outputs=power(k=2)@sigmoid,quadratic@sigmoid")
    (tmp_path / "mine.csv").write_text(ROWS)
    at.after("race", lambda: page.locator("[data-key=file]").set_input_files(tmp_path / "mine.csv"))
    assert page.locator("[data-key=target]").input_value() == "kind"
    assert "mine.csv" in page.url
    page.reload()
    at.painted("race", 1)
    assert page.locator("[data-key=target] option").all_inner_texts() == ["height", "weight", "kind"]
    assert page.locator("[data-key=target]").input_value() == "kind"
    page.locator("[data-key=start]").click()
    page.wait_for_selector("[data-key='save-race.csv']:visible", timeout=120_000)
    rows = [row.split() for row in page.locator(".readout tbody tr").all_inner_texts()]
    assert {row[0] for row in rows} == {"power(k=2)@sigmoid", "quadratic@sigmoid"}
    assert rows[0][1:5] == rows[1][1:5]  # |a − y|² / 2 is the quadratic cost
    assert "Test accuracy" in page.locator(".verdict").inner_text()
    at.after("race", page.locator("[data-key=lang-zh]").click)
    page.wait_for_function("() => document.querySelector('.verdict').textContent.includes('种子')")
    for name, holds in (
        ("report-zh.html", "from mine import Power"),
        ("race.py", 'import xent\n\nfound = xent.race(\'mine.csv\', [xent.output(Power(k=2.0), "sigmoid"), "quadratic@sigmoid"]'),
    ):
        with page.expect_download() as waiting:
            page.locator(f"[data-key='save-{name}']").click()
        waiting.value.save_as(tmp_path / name)
        assert holds in (tmp_path / name).read_text()


def test_a_race_holds_up_no_slider(lab):
    """While one runs, the neuron is answered; it is stopped from the page."""
    with live(lab) as socket:
        slow = {**SMALL, "data": "digits", "seeds": "20", "epochs": "50", "hidden": "100"}
        assert question(socket, "race-start", slow)[1]["status"] == "running"
        assert "runs" in question(socket, "neuron", {"steps": "300"}, id=2)[1]
        assert question(socket, "race-stop", slow, id=3)[1]["status"] == "stopped"
