"""Finished heats on disk: one Parquet file each, listed in an SQLite index. Killed at any moment, it holds whole heats only.

A heat's file is written beside its place and moved there; only then is it listed, with its hash. What is not listed, or is not
what was listed, is run again. A folder belongs to one plan and one version of xent: any other is refused, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import polars as pl

from xent import files
from xent.errors import InputError
from xent.racing.heats import Heat
from xent.racing.plan import Plan

INDEX, PLAN, HEATS = "index.sqlite", "plan.json", "heats"

STALE = 3600.0
"""Seconds after which nobody is still writing a file."""


class Store:
    """The heats of one plan in one folder. Without a folder they are kept in memory, for as long as the race runs."""

    def __init__(self, folder: Path | None, plan: Plan) -> None:
        self.folder, self._plan = folder, plan
        self._kept: dict[str, pl.DataFrame] = {}
        self._made: list[Path] = []
        if folder is not None:
            self._open(folder)

    def _open(self, folder: Path) -> None:
        there = {place: place.exists() for place in (folder, folder / PLAN, folder / INDEX, folder / HEATS)}
        files.folder(folder)
        _claim(folder, self._plan)
        files.folder(folder / HEATS)
        for half in (
            *folder.glob(f".{PLAN}.*"),
            *(folder / HEATS).glob(".*"),
        ):  # of a process that was killed as it wrote, long ago
            if time.time() - half.stat().st_mtime > STALE:
                half.unlink(missing_ok=True)
        with self._index() as index:
            index.execute("CREATE TABLE IF NOT EXISTS heats (key TEXT PRIMARY KEY, file TEXT NOT NULL, sha256 TEXT NOT NULL)")
        self._made = [place for place, before in there.items() if not before]

    def leave(self) -> None:
        """Where no heat was finished, what was made here goes again: nothing is to be gone on with."""
        if self.folder is None or self.folder / PLAN not in self._made:
            return
        with suppress(OSError, InputError):
            with self._index() as index:
                if index.execute("SELECT 1 FROM heats LIMIT 1").fetchone():
                    return
            for place in reversed(self._made):  # a folder goes last, and only where nothing else stands in it
                place.rmdir() if place.is_dir() else place.unlink()

    def get(self, heat: Heat) -> pl.DataFrame | None:
        """What a finished heat measured; None where it is still to be run."""
        if self.folder is None or heat.key in self._kept:
            return self._kept.get(heat.key)
        with self._index() as index:
            row = index.execute("SELECT file, sha256 FROM heats WHERE key = ?", (heat.key,)).fetchone()
        if row is None:
            return None
        try:
            content = (self.folder / HEATS / row[0]).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() != row[1]:
            return None
        return self._kept.setdefault(heat.key, pl.read_parquet(BytesIO(content)))

    def put(self, heat: Heat, frame: pl.DataFrame) -> None:
        """Keep what a heat measured."""
        self._kept[heat.key] = frame
        if self.folder is None:
            return
        if not (self.folder / PLAN).exists():  # a race of the same plan that was here first has left
            self._open(self.folder)
        content = BytesIO()
        frame.write_parquet(content)
        name = f"{hashlib.sha256(heat.key.encode()).hexdigest()[:20]}.parquet"
        files.write(self.folder / HEATS / name, content.getvalue())
        stamp = hashlib.sha256(content.getvalue()).hexdigest()
        with self._index() as index:
            index.execute("INSERT OR REPLACE INTO heats VALUES (?, ?, ?)", (heat.key, name, stamp))

    @contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        """The index, every statement of which is a transaction; what SQLite cannot do is said plainly."""
        assert self.folder is not None
        place = self.folder / INDEX
        try:
            with closing(sqlite3.connect(place, isolation_level=None, timeout=60)) as index:
                yield index
        except sqlite3.Error as error:
            raise InputError(
                f"cannot use {place}: {error}. Make room or remove the file, or choose another folder with --out."
            ) from error


def _place_first(place: Path, content: str) -> None:
    """The file, unless another process has just written its own: of two races at once, one has the folder."""
    half = files.write(place.with_name(f".{place.name}.{uuid4().hex}.mine"), content)
    try:
        os.link(half, place)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        files.write(place, content)
    finally:
        half.unlink(missing_ok=True)


def _claim(folder: Path, plan: Plan) -> None:
    """The folder becomes this plan's, unless it is another's."""
    place = folder / PLAN
    if not place.exists():
        others = [p.name for p in folder.iterdir() if not p.name.startswith(".")]
        if INDEX in others:
            raise InputError(
                f"{folder} holds heats but no {PLAN}: it cannot be told whose they are. Choose another folder with --out."
            )
        _place_first(place, plan.as_json() + "\n")
    try:
        there = json.loads(place.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {place}: {error}. Choose another folder with --out.") from error
    differ = plan.differences(there) if isinstance(there, dict) else ["the plan is unreadable"]
    if differ:
        raise InputError(
            f"{folder} belongs to another race ({'; '.join(differ)}). Choose another folder with --out, or repeat that race's "
            "command."
        )
