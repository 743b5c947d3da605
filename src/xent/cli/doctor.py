"""`xent doctor`: a file's model, criterion and batch diagnosed, in the terminal, as a page, as data; an exit code for CI."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.text import Text

from xent.cli import flags
from xent.errors import InputError, MissingPackageError, UnknownNameError
from xent.owned import module_of

MARKS = {"✗": "bold red", "!": "yellow", "·": "cyan"}
NAMES = ("model", "criterion", "batch")


def doctor(
    file: str,
    *,
    out: flags.Out = None,
    fail_on: Annotated[Literal["error", "warning", "info", "never"], Parameter(name="--fail-on")] = "warning",
    try_cures: Annotated[bool, Parameter(name="--try", negative="--no-try")] = True,
    json: flags.Json = False,
    lang: flags.Lang = None,
) -> int:
    """Diagnose a PyTorch model: do cost, output and targets fit, how much of each error arrives, what to change."""
    language = flags.language(lang)
    diagnose = _diagnose()
    with redirect_stdout(sys.stderr) if json else nullcontext():  # what a user's file prints is no JSON
        given = _given(file)
        found = diagnose(given["model"], given["criterion"], given["batch"], forward=given["forward"], try_cures=try_cures)
    if out is not None:
        target = out if out.suffix in (".html", ".htm") else out / "report.html"
        written = found.report(target, language=language)
    if json:
        print(flags.as_json(found.as_dict(language)))
    else:
        screen = flags.console()
        for line in found.text(language).splitlines():
            screen.print(Text(line, style=MARKS.get(line[:1], "")), soft_wrap=True)
        if out is not None:
            screen.print(Text(str(written)), soft_wrap=True)
    levels = ("info", "warning", "error")
    worst = found.worst()
    return int(bool(worst) and fail_on != "never" and levels.index(worst) >= levels.index(fail_on))


def _diagnose() -> Any:
    try:
        from xent.doctor import diagnose
    except ImportError as error:
        if error.name not in ("torch", None) and not str(error.name).startswith("torch."):
            raise
        raise MissingPackageError("xent doctor looks at PyTorch models and needs PyTorch: pip install 'xent[torch]'.") from error
    return diagnose


def _given(file: str) -> dict[str, Any]:
    """model, criterion, batch and forward of a file, under the names asked for or the usual ones."""
    where, colon, inside = file.rpartition(":")
    where, names = (where, [n.strip() for n in inside.split(",")]) if colon and where.endswith(".py") else (file, list(NAMES))
    if not where.endswith(".py"):
        raise InputError(f"{file!r} is no Python file: write FILE.py, or FILE.py:model,criterion,batch.")
    if not 2 <= len(names) <= 3 or not all(name.isidentifier() for name in names):
        raise InputError(
            f"after the colon stand the names of model, criterion and batch, as {where}:model,criterion,batch, but {inside!r} came."
        )
    if len(names) == 2:
        names = [names[0], "", names[1]]
    module = module_of(where)
    known = [n for n in vars(module) if not n.startswith("_")]
    given: dict[str, Any] = {"forward": getattr(module, "forward", None), "criterion": None}
    for kind, name in zip(NAMES, names, strict=True):
        if name and hasattr(module, name):
            given[kind] = getattr(module, name)
        elif name and not (kind == "criterion" and not colon):
            raise UnknownNameError(f"{kind} in {where}", name, known)
    return given
