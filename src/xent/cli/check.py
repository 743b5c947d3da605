"""`xent check`: a cost or an output held against differences, a user's own (`module:Name`, `file.py:Name`) or a built-in one."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

from rich.text import Text

from xent import owned
from xent.cli import flags

MARKS = {"✗": "bold red", "·": "yellow"}


def check(name: str, *, activation: str | None = None, json: flags.Json = False, lang: flags.Lang = None) -> int:
    """Check a cost or an output: whether its slope is its slope, what happens far out, and what it teaches."""
    from xent.checking import check_cost

    language = flags.language(lang)
    with redirect_stdout(sys.stderr):  # what a user's module prints is no verdict
        verdict = check_cost(owned.subject(name), activation)
    if json:
        print(flags.as_json(verdict.as_dict(language)))
    else:
        screen = flags.console()
        for line in verdict.text(language).splitlines():
            screen.print(Text(line, style=MARKS.get(line[:1], "")), soft_wrap=True)
    return 0 if verdict.ok else 1
