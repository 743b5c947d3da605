"""Heats on disk: killed at any moment, a race goes on to the same table; another plan's folder is refused; a full disk is said."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import xent
from xent.data import load
from xent.errors import InputError
from xent.racing import estimate
from xent.racing.heats import Heat, run
from xent.racing.plan import plan
from xent.racing.store import Store, _place_first

SIDES = ["quadratic@sigmoid", "cross-entropy@softmax"]
SMALL = {"hidden": (4,), "rates": (0.3, 1.0), "seeds": 3, "epochs": 2, "jobs": 1}

RACE = """
import sys, xent
found = xent.race("iris", ["quadratic@sigmoid", "cross-entropy@softmax"], (4,), (0.3, 1.0), 25, 4, jobs=1, out=sys.argv[1])
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("race")
    return folder, xent.race("iris", SIDES, **SMALL, out=folder)


def test_a_finished_race_is_read_and_not_run_again(done):
    folder, first = done
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.parquet")}
    seen = []
    again = xent.race("iris", SIDES, **SMALL, out=folder, progress=lambda *step: seen.append(step))
    assert again.table.equals(first.table)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.parquet")} == before
    assert all(heats_done == total for _, heats_done, total in seen)


def test_more_seeds_go_on_in_the_same_folder(done):
    folder, first = done
    more = xent.race("iris", SIDES, **SMALL | {"seeds": 4}, out=folder)
    assert more.table.filter(more.table["seed"] < 3).equals(first.table)


@pytest.mark.parametrize(
    ("change", "says"), [({"epochs": 3}, "epochs: 2 there, 3 here"), ({"l2": 0.1}, "l2"), ({"first_seed": 9}, "first_seed")]
)
def test_another_plans_folder_is_refused(done, change, says):
    with pytest.raises(InputError, match=f"belongs to another race .*{says}"):
        xent.race("iris", SIDES, **SMALL | change, out=done[0])


def test_another_versions_folder_is_refused(done, tmp_path):
    there = json.loads((done[0] / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(there | {"version": "0.0.9"}))
    with pytest.raises(InputError, match=r"version: '0\.0\.9' there"):
        xent.race("iris", SIDES, **SMALL, out=tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(InputError, match="cannot read"):
        xent.race("iris", SIDES, **SMALL, out=tmp_path)


def test_of_two_races_at_once_one_has_the_folder(tmp_path):
    """The plan is placed by whoever comes first; the other one reads it, and goes on only if it is its own."""
    data = load("iris")
    first, second = (plan(data, SIDES, epochs=epochs)[0] for epochs in (1, 2))
    _place_first(tmp_path / "plan.json", first.as_json())
    _place_first(tmp_path / "plan.json", second.as_json())
    assert json.loads((tmp_path / "plan.json").read_text())["epochs"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    Store(tmp_path, first)
    with pytest.raises(InputError, match="epochs: 1 there, 2 here"):
        Store(tmp_path, second)


def test_damaged_and_missing_heats_are_run_again(tmp_path):
    data = load("iris")
    made, outputs = plan(data, SIDES, hidden=(4,), epochs=1)
    heats = [Heat("judging", 0, (seed,), (0.3,)) for seed in range(3)]
    store = Store(tmp_path, made)
    frames = [run(made, data, outputs[0], heat) for heat in heats]
    for heat, frame in zip(heats, frames, strict=True):
        store.put(heat, frame)
    first, second, _ = sorted((tmp_path / "heats").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    half = tmp_path / "heats" / ".half.parquet.1"
    half.touch()
    os.utime(half, (0, 0))
    second.unlink()
    fresh = Store(tmp_path, made)
    assert not half.exists()
    found = [fresh.get(heat) for heat in heats]
    assert sum(one is None for one in found) == 2
    assert all(one is None or one.equals(frame) for one, frame in zip(found, frames, strict=True))


def test_a_file_that_is_no_index(tmp_path):
    made, _ = plan(load("iris"), SIDES)
    (tmp_path / "plan.json").write_text(made.as_json())
    (tmp_path / "index.sqlite").write_bytes(b"not a database, and long enough to be seen as none" * 40)
    with pytest.raises(InputError, match="cannot use"):
        Store(tmp_path, made)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(InputError, match="cannot be told whose"):
        Store(tmp_path, made)


def killed_at_random(folder: Path, seed: int) -> int:
    """Run the race until it ends by itself, killed each time after a random while; how often it was."""
    wait = random.Random(seed)
    kills = 0
    while True:
        process = subprocess.Popen([sys.executable, "-c", RACE, str(folder)])
        heats = folder / "heats"
        stop_at = (len(list(heats.iterdir())) if heats.exists() else 0) + wait.randint(12, 30)
        while process.poll() is None and not (heats.exists() and len(list(heats.iterdir())) >= stop_at):
            time.sleep(0.002)
        if process.poll() is not None:
            assert process.returncode == 0
            return kills
        time.sleep(wait.random() * 0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1


def test_a_killed_race_equals_the_undisturbed_one(tmp_path):
    kills = killed_at_random(tmp_path / "killed", seed=1)
    assert kills >= 2
    whole = xent.race("iris", SIDES, (4,), (0.3, 1.0), 25, 4, jobs=1)
    again = xent.race("iris", SIDES, (4,), (0.3, 1.0), 25, 4, jobs=1, out=tmp_path / "killed")
    assert again.table.equals(whole.table)
    assert again.last.equals(whole.last)
    assert again.verdict == whole.verdict


def test_of_a_race_that_finished_nothing_no_folder_is_left(tmp_path, monkeypatch):
    """Out of memory, or refused for it. What was there before stays, and so does every finished heat; who raced along makes the
    folder anew."""
    large = {**SMALL, "hidden": (10**6, 10**9)}
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").touch()
    for folder in ("new", "there", "there/deeper"):
        with pytest.raises(InputError, match="this machine has"):
            xent.race("iris", SIDES, **large, out=tmp_path / folder)
        with monkeypatch.context() as unsaid:
            unsaid.setattr(estimate, "_memory_here", lambda: None)
            with pytest.raises(MemoryError):
                xent.race("iris", SIDES, **large, out=tmp_path / folder)
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["there", "there/notes.txt"]
    data = load("iris")
    made, outputs = plan(data, SIDES, hidden=(4,), epochs=1)
    heat = Heat("tuning", 0, (0,), (0.3,))
    first, second = Store(tmp_path / "both", made), Store(tmp_path / "both", made)
    first.leave()
    second.put(heat, run(made, data, outputs[0], heat))
    second.leave()
    assert Store(tmp_path / "both", made).get(heat) is not None


WORKERS = """
import sys, xent
xent.race("digits", ["quadratic@sigmoid"], 30, (0.3, 1.0), 20, 10_000, jobs=2, out=sys.argv[1])
"""


def children(process: int) -> set[int]:
    """The processes that this one started, as /proc tells."""
    return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def running(process: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks /proc who lives")
def test_workers_end_with_a_killed_race(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WORKERS, str(tmp_path)])

    def workers() -> list[int]:
        return [p for p in children(process.pid) if b"popen_loky" in Path(f"/proc/{p}/cmdline").read_bytes()]

    while len(workers()) < 2 or any(b"numba" not in Path(f"/proc/{p}/maps").read_bytes() for p in workers()):
        assert process.poll() is None
        time.sleep(0.05)
    theirs = children(process.pid)
    process.kill()
    process.wait()
    while any(map(running, theirs)):  # for ever, were nobody to look
        time.sleep(0.05)


FULL_DISK = """
import resource, signal, sys
from xent.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
sys.exit(main(["race", "iris", "--outputs", "quadratic@sigmoid", "--rates", "0.3", "--goal", "0.9", "--epochs", "2",
               "--seeds", "2", "--hidden", "4", "--jobs", "1", "--out", sys.argv[1], "--lang", "en"]))
"""


def test_a_full_disk(tmp_path):
    """No file may grow beyond 9,000 bytes: the index stops SQLite, and no half-written file is left."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "full")], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "error: cannot" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "full").rglob(".*"))
