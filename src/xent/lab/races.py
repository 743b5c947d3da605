"""The races that pages start: one at a time, each in a process of its own, so that it holds up no slider and stops at once.

A race lives in a folder named after its settings. Asked for again it goes on where it was, and one that is done is shown as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np

from xent import files
from xent.errors import InputError
from xent.lab import asked, values
from xent.lab.looks import looks_of_race
from xent.lab.own import NONE, Own
from xent.lab.values import Asked
from xent.neuron import tables

ASKED, HEATS, RESULT, TABLE, SCRIPT = "asked.json", "heats", "result.json", "race.csv", "race.py"
"""What a race's folder holds: what was asked, finished heats, and what came of them."""

LARGEST = 32 << 20
"""Bytes of a file that is dropped on the page."""
MOST_FILES = 20
HEAD = 1 << 16
"""Bytes of a file in which its columns are named."""
PATIENCE = 3.0
"""Seconds that a stopped race has to end by itself."""
LAST_WORDS = 1.0
"""Seconds that the last words of a race that has ended may be on their way."""

TAKEN = {
    **{f"report-{code}.html": "text/html; charset=utf-8" for code in ("en", "zh")},
    **{
        f"race-{code}.{kind}": kind_of
        for code in ("en", "zh")
        for kind, kind_of in (("svg", "image/svg+xml"), ("png", "image/png"))
    },
    TABLE: "text/csv; charset=utf-8",
    SCRIPT: "text/x-python; charset=utf-8",
}
"""The files of a race that a page may take along."""


@dataclass
class Running:
    """A race's process and what it last said."""

    key: str
    process: subprocess.Popen[str]
    said: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, list[int]] = field(default_factory=dict)
    listener: Thread | None = None

    def listen(self) -> None:
        """Take in all that the process says, until it ends."""
        with self.process:
            for line in self.process.stdout or ():
                with suppress(ValueError):
                    told = json.loads(line)
                    if not isinstance(told, dict):  # a user's own code printed it
                        continue
                    if "stage" in told:
                        self.progress = {**self.progress, told["stage"]: [told["done"], told["total"]]}
                    else:
                        self.said = {**self.said, **told}

    @property
    def alive(self) -> bool:
        """Whether it runs; once it does not, its last words have been heard."""
        if self.process.poll() is None:
            return True
        if self.listener is not None:
            self.listener.join(LAST_WORDS)
        return False


@dataclass
class Races:
    """All races of a lab, in one folder, at most one of them running."""

    folder: Path
    own: Own = NONE
    running: Running | None = None
    lock: Lock = field(default_factory=Lock)

    # ── what a page asks ───────────────────────────────────────────────────────────────────────────────────────────────

    def state(self, settings: Asked) -> dict[str, Any]:
        """How the race with these settings stands: idle, running, stopped, failed or done, with its curves so far."""
        wanted = asked.RaceAsked.of(settings, self.own)
        key, place = self._place(wanted)
        spoken = values.language(settings)
        mine = self.running if self.running and self.running.key == key else None
        labels = tables.labels(wanted.outputs)
        shown: dict[str, Any] = {
            "key": key,
            "status": "idle",
            "outputs": [
                {"output": self.own.name(one), "look": look}
                for one, look in zip(wanted.outputs, looks_of_race(wanted.outputs), strict=True)
            ],
            "epochs": wanted.choices["epochs"],
            "columns": self._columns(wanted),
            "problems": self.own.notes(wanted.outputs, spoken),
            "busy": bool(self.running and self.running.alive and not mine),
        }
        if mine:
            shown |= {"status": "running" if mine.alive else "stopped", "progress": mine.progress, "guess": mine.said.get("guess")}
            if not mine.alive and (message := mine.said.get("error")):
                shown |= {"status": "failed", "problems": [mine.said.get(f"error_{spoken}", message)]}
                return shown | {"curves": _curves(place / HEATS, labels)}
        if (place / RESULT).exists() and not (mine and mine.alive):
            result = json.loads((place / RESULT).read_text(encoding="utf-8"))
            shown |= {"status": "done", "rows": result["rows"], "says": result["says"][spoken], "goal": result["goal"]}
        elif shown["status"] == "idle" and (place / HEATS).exists():
            shown["status"] = "stopped"
        elif shown["status"] == "idle" and not self._here(wanted):
            shown["problems"] += [_gone(wanted)]
        return shown | {"curves": _curves(place / HEATS, labels)}

    def start(self, settings: Asked) -> dict[str, Any]:
        """Start the race, or let it go on. Raises InputError while another one runs."""
        wanted = asked.RaceAsked.of(settings, self.own)
        key, place = self._place(wanted)
        with self.lock:
            if self.running and self.running.alive and self.running.key != key:
                raise InputError("another race is running: stop it first.")
            if not (self.running and self.running.alive) and not (place / RESULT).exists():
                files.folder(place)
                files.write(place / ASKED, json.dumps(self._told(wanted)))
                self.running = _run(key, place)
        return self.state(settings)

    def stop(self, settings: Asked) -> dict[str, Any]:
        """Stop the race that runs; what it has finished is kept."""
        with self.lock:
            self._end()
        return self.state(settings)

    async def take(self, name: str, length: int, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Keep a CSV file that was dropped on the page, and say its columns; one that is too large is refused before it is read."""
        if length > LARGEST:
            raise InputError(f"a file may have {LARGEST >> 20} MB, but {name[:80]!r} has {length >> 20} MB: use `xent race` on it.")
        content = bytearray()
        async for chunk in chunks:
            content += chunk
            if len(content) > LARGEST:
                raise InputError(f"a file may have {LARGEST >> 20} MB, but {name[:80]!r} has more: use `xent race` on it.")
        return self._keep(name, bytes(content))

    def close(self) -> None:
        """The lab ends, and the race with it."""
        with self.lock:
            self._end()

    # ── behind it ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, name: str, content: bytes) -> dict[str, Any]:
        plain = re.sub(r"[^\w.-]+", "-", Path(name.replace("\\", "/")).name, flags=re.ASCII).strip(".-")[:76] or "data.csv"
        if not plain.lower().endswith(".csv"):
            raise InputError(f"a race from the page takes a CSV file, but {name[:80]!r} came: for other kinds use `xent race`.")
        plain = plain[:-4] + ".csv"
        columns = _head(name, content)
        uploads = files.folder(self.folder / "uploads")
        stamp = hashlib.sha256(content).hexdigest()[:16]
        if not (uploads / stamp).exists() and len(list(uploads.iterdir())) >= MOST_FILES:
            raise InputError(f"the lab keeps {MOST_FILES} files at most: close it and start it again to make room.")
        files.write(files.folder(uploads / stamp) / plain, content)
        return {"data": f"{stamp}/{plain}", "columns": columns}

    def _place(self, wanted: asked.RaceAsked) -> tuple[str, Path]:
        """The name of a race, the same for the same settings, and its folder."""
        mine = [str(one.found.place) for one in self.own.used(wanted.outputs)]
        text = json.dumps([wanted.data, wanted.target, [*map(self.own.name, wanted.outputs)], mine, wanted.choices], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        return key, self.folder / key

    def _told(self, wanted: asked.RaceAsked) -> dict[str, Any]:
        """What the process is asked."""
        if not self._here(wanted):
            raise InputError(_gone(wanted))
        source = wanted.data if wanted.data in asked.SETS else str(self._file(wanted))
        for one in self.own.used(wanted.outputs):
            if one.has_changed:  # the other process would read another formula than the pages show
                raise InputError("\n".join(self.own.notes(wanted.outputs, wanted.language)))
        jobs = max(1, (os.cpu_count() or 2) - 1)
        told = {"source": source, "target": wanted.target, "jobs": jobs}
        return told | {"outputs": [*map(self.own.name, wanted.outputs)], "own": self.own.places(wanted.outputs), **wanted.choices}

    def _file(self, wanted: asked.RaceAsked) -> Path:
        return self.folder / "uploads" / wanted.data

    def _here(self, wanted: asked.RaceAsked) -> bool:
        return wanted.data in asked.SETS or self._file(wanted).is_file()

    def _columns(self, wanted: asked.RaceAsked) -> list[str]:
        """The columns of a file of one's own."""
        if wanted.data in asked.SETS or not self._here(wanted):
            return []
        with self._file(wanted).open("rb") as file:
            return _head(wanted.data, file.read(HEAD))

    def _end(self) -> None:
        if self.running is None or not self.running.alive:
            return
        process = self.running.process
        for end in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            with suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, end)  # with the processes that share its work
                else:
                    process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
                return


def _run(key: str, place: Path) -> Running:
    """The race's process, which makes way for everything else on the machine."""
    program = ["-m", "xent.lab.racer"]
    if hasattr(os, "nice"):  # before anything is imported
        program = ["-c", "import os, runpy; os.nice(10); runpy.run_module('xent.lab.racer', run_name='__main__')"]
    errors = (place / "errors.txt").open("w")
    with errors:
        command = [sys.executable, *program, str(place)]
        made = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
    running = Running(key, made)
    running.listener = Thread(target=running.listen, daemon=True)
    running.listener.start()
    return running


def _gone(wanted: asked.RaceAsked) -> str:
    return f"the file {Path(wanted.data).name} is no longer here: drop it on the page again."


def _head(name: str, content: bytes) -> list[str]:
    """The columns of a CSV file. Nothing in a file is ever run: it is read as text."""
    import csv

    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{name[:80]!r} is no text in UTF-8: save it as CSV in UTF-8 (in Excel: Save As, CSV UTF-8).") from error
    line = content[:HEAD].decode("utf-8-sig", "replace").partition("\n")[0]
    columns = [cell.strip() for cell in next(csv.reader([line]), [])]
    if len(columns) < 2 or not all(columns):
        raise InputError(f"{name[:80]!r} does not begin with a line of column names, two at least, separated by commas.")
    return columns[:500]


def _curves(folder: Path, labels: list[str]) -> list[dict[str, Any]]:
    """For each output its means by epoch over the heats that are done, at its best rate so far: tuning first, then judging."""
    if not (folder / "index.sqlite").exists():
        return []
    import sqlite3
    from contextlib import closing

    import polars as pl

    listed: list[tuple[str, str]] = []
    with closing(sqlite3.connect(f"file:{folder / 'index.sqlite'}?mode=ro", uri=True, timeout=5)) as index, suppress(sqlite3.Error):
        listed = index.execute("SELECT key, file FROM heats").fetchall()
    found = []
    for side, label in enumerate(labels):
        for stage in ("judging", "tuning"):
            names = [file for key, file in listed if key.startswith(f"{stage}_{side}_")]
            frames = [pl.read_parquet(folder / HEATS / file) for file in names if (folder / HEATS / file).exists()]
            if not frames:
                continue
            table = pl.concat([frame.select("seed", "rate", "epoch", "accuracy", "gain", "stalled") for frame in frames])
            means = table.group_by("rate", "epoch").agg(pl.col("accuracy").fill_null(0.0).mean(), pl.col("gain", "stalled").mean())
            last = means.filter(pl.col("epoch") == pl.col("epoch").max()).sort("accuracy", "rate", descending=[True, False])
            best = means.filter(pl.col("rate") == last["rate"][0]).sort("epoch")
            parts = {
                part: best[part].cast(pl.Float64).fill_null(float("nan")).to_numpy() for part in ("accuracy", "gain", "stalled")
            }
            seeds = table["seed"].n_unique()
            found.append({"side": side, "label": label, "stage": stage, "rate": last["rate"][0], "seeds": seeds, **parts})
            break
    return [one | {"epoch": np.arange(len(one["accuracy"]), dtype=np.float64)} for one in found]
