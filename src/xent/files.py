"""Files that people get: written whole or not at all. The ground floor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from xent.errors import InputError


def folder(path: Path) -> Path:
    """The folder, made if it is not there; an error says why it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot write to the folder {path}: {error.strerror}. Choose another one with --out.") from error
    return path


@contextmanager
def wanted(path: Path | None) -> Iterator[Path | None]:
    """The folder, if one is wanted, made before the work that fills it; where nothing came of that, it is gone again."""
    if path is None:
        yield None
        return
    made = [place for place in (path, *path.parents) if not place.exists()]
    folder(path)
    try:
        yield path
    except BaseException:
        with suppress(OSError):  # something stands in one of them
            for place in (*(path.iterdir() if path in made else ()), *made):
                place.rmdir()
        raise


def write(path: Path, content: str | bytes) -> Path:
    """The file, written beside its place and moved there when it is complete."""
    data = content.encode() if isinstance(content, str) else content
    half = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        half.write_bytes(data)
        os.replace(half, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}.") from error
    finally:
        half.unlink(missing_ok=True)
    return path
