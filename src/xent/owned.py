"""A user's own costs and outputs, by where they stand: `module:Name` or `file.py:Name`, an activation after an @ if wanted.

Loaded here for whoever is told such a place by a person: the command line and, for what that named, the lab. What their code does
wrong is put into a sentence here too.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

import numpy as np

from xent import texts
from xent.checking import instance
from xent.costs import Cost, adopted_cost
from xent.errors import InputError, ModelError, UnknownNameError, XentError
from xent.explaining import number
from xent.outputs import Output, output
from xent.outputs.naming import canonical, named
from xent.outputs.own import is_own, own_kinds
from xent.outputs.registry import COSTS

PLACE = re.compile(r"[^(),@=]+:[\w.]+")
"""A place inside a longer name."""


@dataclass(frozen=True)
class Place:
    """Where an object stands, the parameters that it is wanted with, and the activation that its cost is wanted on ("": the usual).

    >>> Place.of("costs/mine.py:Power(k=2)@tanh")
    Place(where='costs/mine.py', inside='Power', activation='tanh', parameters='k=2')
    >>> str(Place.of("mine:Hellinger"))
    'mine:Hellinger'
    """

    where: str
    inside: str
    activation: str = ""
    parameters: str = ""

    @classmethod
    def of(cls, text: str) -> Place:
        """The place that a text names; InputError for one that names none."""
        where, colon, inside = text.strip().rpartition(":")
        if not colon and text.strip().endswith(".py"):
            raise InputError(f"{text.strip()} is a file: say which cost in it, as {text.strip()}:Name.")
        read = re.fullmatch(r"([\w.]+)(?:\((.*)\))?(?:@(.*))?", inside)
        if not where or read is None:
            raise InputError(f"{text.strip()!r} is no name: write module:Name or file.py:Name.")
        return cls(where, read[1], read[3] or "", read[2] or "")

    def __str__(self) -> str:
        given = f"({self.parameters})" if self.parameters else ""
        return f"{self.where}:{self.inside}{given}" + (f"@{self.activation}" if self.activation else "")

    @property
    def is_file(self) -> bool:
        """Whether it is a path, and not a module's name."""
        return self.where.endswith(".py") or "/" in self.where

    def found(self) -> Found:
        """What stands there."""
        module = module_of(self.where)
        thing: Any = module
        for part in self.inside.split("."):
            if not hasattr(thing, part):
                known = [n for n in vars(thing) if not n.startswith("_")]
                if not known:
                    raise InputError(f"{self.where} defines nothing that {self.inside!r} could be.")
                raise UnknownNameError(f"object in {self.where}", self.inside, known)
            thing = getattr(thing, part)
        return Found(self, module, thing)


@dataclass(frozen=True)
class Found:
    """What stands at a place: a class, an object made of one, or a whole output, in its module."""

    place: Place
    module: ModuleType
    thing: Any

    def output(self) -> Output:
        """The output that it is, or that its cost makes with the parameters and on the activation."""
        made = instance(self.thing)
        if not self.place.parameters:
            return output(made, self.place.activation or None)
        if isinstance(made, Output):
            raise InputError(f"{self.place} is an output, {made}, and has no parameters: give those of a cost.")
        name, activation = self.place.inside.rpartition(".")[2], f"@{self.place.activation}" if self.place.activation else ""
        return named(f"{name}({self.place.parameters}){activation}", {canonical(name): adopted_cost(made)})


def subject(name: str) -> Any:
    """What a name stands for: a name of xent's own as it is, or the object in a module or file, or an output made with it."""
    if ":" in name and "(" in name:
        return composed(name)
    return Place.of(name).found().thing if ":" in name or name.endswith(".py") else name


def composed(text: str) -> Output:
    """The output that a name makes of costs at places: `file.py:Name(gamma=3)@tanh`, `smooth(module:Name, epsilon=0.1)`."""
    own: dict[str, Cost] = {}

    def taken(place: re.Match[str]) -> str:
        made = instance(Place.of(place[0]).found().thing)
        if isinstance(made, Output):
            raise InputError(f"{place[0].strip()} is an output, {made}, where {text} wants a cost.")
        inside = place[0].rpartition(":")[2]
        key = f"own.{inside}" if canonical(inside) in COSTS else inside
        own[canonical(key)] = adopted_cost(made)
        return key

    return named(PLACE.sub(taken, text), own)


def module_of(where: str) -> ModuleType:
    """The module or file, imported; its own error is told in one line, and what it prints goes to standard error."""
    is_file = where.endswith(".py") or "/" in where
    if is_file and not Path(where).is_file():
        raise InputError(f"there is no file {where}.")
    if not is_file and Path(where).is_file():
        raise InputError(f"{where} is no Python file: one's own costs stand in a module or in a file that ends in .py.")
    here = str(Path(where).resolve().parent) if is_file else str(Path.cwd())
    sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):
            return _of_file(Path(where)) if is_file else importlib.import_module(where)
    except (Exception, SystemExit) as error:  # a module may raise anything while it is imported, and even exit
        raise InputError(f"{where} cannot be imported: {told(error)}") from error
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _of_file(path: Path) -> ModuleType:
    """The file as a module, run once for all that is taken from it; again where it has been written anew."""
    path, stamp = path.resolve(), stamp_of(path)
    for name in (f"_checked_{path.stem}{n}" for n in ("", *(f"_{i}" for i in range(2, 1000)))):
        there = sys.modules.get(name)
        if there is None or there.__file__ == str(path):
            break
    if there is not None and vars(there).get("__stamp__") == stamp:
        return there
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    vars(module)["__stamp__"] = stamp
    return module


def stamp_of(path: Path) -> str:
    """What tells one content of a file from another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ── when their code fails ─────────────────────────────────────────────────────────────────────────────────────────────


def told(error: BaseException) -> str:
    """An error in one line: its kind and the last line of its message.

    >>> told(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    message = (str(error).strip().splitlines() or [""])[-1]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def raised(error: BaseException, outputs: Sequence[Output], language: str) -> str:
    """The sentence about an error that a user's code raised, with its line where that is known."""
    words = texts.page("cli", language)["own"]
    files = {str(getattr(sys.modules.get(kind.__module__), "__file__", "")) for one in outputs for kind in own_kinds(one)}
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename in files]
    place = words["line"].format(file=Path(frames[-1].filename).name, line=frames[-1].lineno) if frames else ""
    names = words["or"].join(dict.fromkeys(str(one) for one in outputs if is_own(one)))
    sentence: str = words["raised"].format(name=names, error=told(error), place=place)
    return sentence


@contextmanager
def blamed(outputs: Sequence[Output], language: str) -> Iterator[None]:
    """What goes wrong in here, where a user's own code takes part, is told as theirs: a ModelError of one sentence."""
    try:
        yield
    except (Exception, SystemExit) as error:  # a user's code may raise anything, and even exit
        if isinstance(error, XentError) or not any(map(is_own, outputs)):
            raise
        raise ModelError(raised(error, outputs, language)) from error


def insist_on_shape(shown: Output, parts: Mapping[str, Any], shape: tuple[int, ...], language: str) -> None:
    """A ModelError for a part ("cost", "slope", "delta") whose shape is another, a user's code having taken an axis or made one."""
    page = texts.page("cli", language)["own"]
    for what, values in parts.items():
        if np.shape(values) != shape:
            raise ModelError(page["shape"].format(name=shown, what=page["what"][what], came=np.shape(values), expected=shape))


def undefined(shown: Output, parts: Mapping[str, Any], along: str, x: Any, language: str) -> list[str]:
    """A sentence about the first part that is nan where x, which `along` names, is finite; none where none is."""
    page = texts.page("cli", language)["own"]
    for what, values in parts.items():
        lost = np.isnan(np.asarray(values, dtype=np.float64)) & np.isfinite(x)
        if lost.any():
            where = f"{along} = {number(float(np.asarray(x)[lost].flat[0]))}"
            return [page["nan"].format(name=shown, what=page["what"][what], n=int(lost.sum()), of=lost.size, where=where)]
    return []
