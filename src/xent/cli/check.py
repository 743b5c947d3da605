"""`xent check`: a cost or an output held against differences, a user's own (`module:Name`, `file.py:Name`) or a built-in one."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.text import Text

from xent.cli import flags
from xent.errors import InputError, UnknownNameError

MARKS = {"✗": "bold red", "·": "yellow"}


def check(name: str, *, activation: str | None = None, json: flags.Json = False, lang: flags.Lang = None) -> int:
    """Check a cost or an output: whether its slope is its slope, what happens far out, and what it teaches.

    Exit code 0 if it is ok (remarks are no faults), 1 if something is wrong.

    Parameters
    ----------
    name
        A built-in name (focal@softmax), or your own class or object: package.module:Name or file.py:Name.
    activation
        The activation to check a cost on; its usual one if not given.
    """
    from xent.checking import check_cost

    language = flags.language(lang)
    with redirect_stdout(sys.stderr) if json else nullcontext():  # what a user's module prints is no JSON
        verdict = check_cost(_subject(name), activation)
    if json:
        print(flags.as_json(verdict.as_dict(language)))
    else:
        screen = flags.console()
        for line in verdict.text(language).splitlines():
            screen.print(Text(line, style=MARKS.get(line[:1], "")), soft_wrap=True)
    return 0 if verdict.ok else 1


def _subject(name: str) -> Any:
    """What a name stands for: a name of xent's own as it is, or the object in a module or file."""
    where, colon, inside = name.rpartition(":")
    if not colon:
        if name.endswith(".py"):
            raise InputError(f"{name} is a file: say which cost in it, as {name}:Name.")
        return name
    if not where or not inside:
        raise InputError(f"{name!r} is no name: write module:Name or file.py:Name.")
    found: Any = module_of(where)
    for part in inside.split("."):
        if not hasattr(found, part):
            known = [n for n in vars(found) if not n.startswith("_")]
            raise UnknownNameError(f"object in {where}", inside, known)
        found = getattr(found, part)
    return found


def module_of(where: str) -> ModuleType:
    """The module or file, imported; its own error is told in one line."""
    is_file = where.endswith(".py") or "/" in where
    if is_file and not Path(where).is_file():
        raise InputError(f"there is no file {where}.")
    here = str(Path(where).resolve().parent) if is_file else str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return _of_file(Path(where)) if is_file else importlib.import_module(where)
    except (Exception, SystemExit) as error:
        message = (str(error).strip().splitlines() or [""])[-1]
        told = f"{type(error).__name__}: {message}" if message else type(error).__name__
        raise InputError(f"{where} cannot be imported: {told}") from error
    finally:
        sys.path.remove(here)


def _of_file(path: Path) -> ModuleType:
    name = f"_checked_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
