"""A user's own costs and outputs on the command line: `module:Name` or `file.py:Name`, wherever a name of xent's may stand."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from xent import texts
from xent.errors import InputError, UnknownNameError
from xent.outputs import Output, output
from xent.outputs.naming import split


def outputs(text: str, language: str) -> list[Output]:
    """The outputs of a list separated by commas: names of xent's, and `module:Name` or `module:Name@activation` of one's own.

    One's own are checked first: what cannot be computed with is refused, what is wrong is said on standard error and used.
    """
    return [one(name, language) if ":" in name else output(name) for name in split(text)]


def one(name: str, language: str) -> Output:
    """The output with a cost of one's own, checked."""
    from xent.checking import check_cost, instance
    from xent.checking.findings import STRUCTURE

    where, _, inside = name.rpartition(":")
    inside, _, activation = inside.partition("@")
    place = f"{where}:{inside}"
    made = output(instance(subject(place)), activation or None)
    with redirect_stdout(sys.stderr):
        verdict = check_cost(made)
    words = texts.page("cli", language)["own"]
    look = f"xent check {place}" + (f" --activation {activation}" if activation else "")
    for problem in verdict.problems:
        if problem.rule in STRUCTURE:
            seen = problem.seen(language) or problem.title(language)
            raise InputError(words["refused"].format(name=name, says=problem.told(language), seen=seen, look=look))
    if not verdict.ok:
        titles = words["join"].join(dict.fromkeys(problem.title(language) for problem in verdict.problems))
        print(words["wrong"].format(name=name, titles=titles, look=look), file=sys.stderr)
    return made


def subject(name: str) -> Any:
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
    """The module or file, imported; its own error is told in one line, and what it prints goes to standard error."""
    is_file = where.endswith(".py") or "/" in where
    if is_file and not Path(where).is_file():
        raise InputError(f"there is no file {where}.")
    here = str(Path(where).resolve().parent) if is_file else str(Path.cwd())
    sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):
            return _of_file(Path(where)) if is_file else importlib.import_module(where)
    except (Exception, SystemExit) as error:
        message = (str(error).strip().splitlines() or [""])[-1]
        told = f"{type(error).__name__}: {message}" if message else type(error).__name__
        raise InputError(f"{where} cannot be imported: {told}") from error
    finally:
        if here in sys.path:
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
