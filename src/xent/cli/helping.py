"""`--help` in both languages, and what is said of a command line that cannot be read.

The words are texts (`help.toml`), not docstrings, so that they come in the language asked for, also where the command itself was
never reached.
"""

from __future__ import annotations

import difflib
import itertools
from dataclasses import dataclass
from typing import Any, get_args

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, RepeatArgumentError, UnknownOptionError
from cyclopts.exceptions import UnknownCommandError, UnusedCliTokensError
from cyclopts.help import HelpEntry, HelpPanel
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

from xent import texts
from xent.cli import flags, terminal
from xent.errors import listed

COMMANDS = {
    "race": "[DATA]",
    "neuron": "",
    "map": "",
    "explain": "[NAME]",
    "check": "NAME",
    "doctor": "FILE",
    "lab": "",
    "reproduce": "",
    "bench": "",
}
"""The commands, and what stands behind their names."""

NAMES = 24
"""Cells for the name of a flag; what stands beside it begins there."""


def language() -> str:
    """The language that the line typed asks for, whether or not it can be read otherwise; the locale's if it says nothing."""
    typed = flags.TYPED.get()
    pairs = (
        flag.split("=", 1) if flag.startswith("--lang=") else (flag, value) for flag, value in itertools.pairwise((*typed, ""))
    )
    asked = [value for flag, value in pairs if flag == "--lang" and value in texts.LANGUAGES]
    return asked[-1] if asked else texts.language_of_locale()


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Page:
    """The help of a command, or of `xent` itself: how cyclopts is told to print it. `takes` is what stands behind the name."""

    command: str = ""
    takes: str = ""

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """How it is called."""
        words = _page()["words"]
        named = ["xent", self.command or words["what"], self.takes, words["flags"] if self.command else ""]
        console.print(Text(f"{words['usage']}{' '.join(filter(None, named))}\n", style="bold"))

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """What it does."""
        page = _page()
        own = page[self.command or "xent"]
        for text in (own["about"], own.get("more") if self.command else page["words"]["more"]):
            if text:
                console.print(terminal.paragraph(Text(text), console), soft_wrap=True)
                console.print()

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Its commands, or its flags."""
        if not panel.entries:
            return
        console.print(Text(_page()["words"][str(panel.title).lower()], style="bold"))
        indent = NAMES if console.width >= 3 * NAMES else 6
        for entry in panel.entries:
            name = f"  {self._label(entry)}"
            lines = self._lines(entry, console, indent)
            beside = cell_len(name) + 2 <= indent
            if not beside:
                console.print(Text(name, style="cyan"), soft_wrap=True)
            room = " " * (indent - cell_len(name)) if beside else ""
            first = Text.assemble((name, "cyan"), room, lines[0][indent:]) if beside else Text(lines[0])
            console.print(Text("\n").join([first, *map(Text, lines[1:])]), soft_wrap=True)
        console.print()

    def _label(self, entry: HelpEntry) -> str:
        """Its name, with the kind of value that stands behind it."""
        if entry.positional_label:
            return entry.positional_label
        names = " ".join((*entry.positive_names, *entry.positive_shorts, *entry.negative_names))
        return f"{names} {_page()['words']['values'].get(entry.metavar.rstrip('.'), entry.metavar)}" if entry.metavar else names

    def _lines(self, entry: HelpEntry, console: Console, indent: int) -> list[str]:
        """What is said of one flag or command, with its choices and default; a note in brackets is not broken."""
        page = _page()
        words = page["words"]
        name = next(iter(entry.names), entry.positional_label or "").lstrip("-").lower()
        told = (
            page[name]["about"] if name in COMMANDS and not self.command else page.get(self.command, {}).get("flags", {}).get(name)
        )
        notes = []
        if entry.choices:
            notes.append(words["choices"].format(choices=", ".join(entry.choices)))
        if entry.default not in (None, "False", "True"):
            notes.append(words["default"].format(default=entry.default))
        if entry.required:
            notes.append(words["required"])
        lines = terminal.paragraph(Text(told or page["flags"].get(name, "")), console, indent=indent).plain.split("\n")
        for note in (f"[{note}]" for note in notes):
            if cell_len(lines[-1]) + 1 + cell_len(note) > min(console.width, terminal.PROSE):
                lines.append(" " * indent + note)
            else:
                lines[-1] += f" {note}"
        return lines


def _page() -> dict[str, Any]:
    return texts.page("help", language())


# ── the refusal ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def refusal(error: CycloptsError) -> str:
    """One sentence for a line that cannot be read: what came, what was expected, what to do."""
    words = _page()["wrong"]
    command = f"xent {' '.join(error.command_chain or ())}".strip()
    if isinstance(error, UnknownCommandError):
        name = (error.unused_tokens or [""])[0]
        return str(words["command"]).format(name=name, hint=_hint(name, list(COMMANDS)), known=listed(sorted(COMMANDS)))
    if isinstance(error, UnknownOptionError):
        name = error.token.keyword or error.token.value
        known = [n for argument in error.argument_collection for n in argument.names]
        return str(words["flag"]).format(name=name, command=" ".join(error.command_chain or ()), hint=_hint(name, known))
    if isinstance(error, MissingArgumentError):
        if error.keyword:
            return str(words["value"]).format(flag=error.keyword)
        what = error.argument.name.lstrip("-").upper() if error.argument else ""
        return str(words["missing"]).format(command=" ".join(error.command_chain or ()), what=what)
    if isinstance(error, RepeatArgumentError):
        return str(words["twice"]).format(flag=error.token.keyword or error.token.value)
    if isinstance(error, UnusedCliTokensError):
        return str(words["extra"]).format(command=command, extra=" ".join(error.unused_tokens or ()))
    if isinstance(error, CoercionError) and error.token is not None:
        return _unread(error, words)
    return " ".join(str(error).split())


def _unread(error: CoercionError, words: dict[str, str]) -> str:
    """A value that is none of those that its flag takes."""
    assert error.token is not None
    flag, value, kinds = error.token.keyword or "", error.token.value, (error.target_type, *get_args(error.target_type))
    if choices := [kind for kind in kinds if isinstance(kind, str)]:
        return words["choice"].format(flag=flag, value=value, choices=", ".join(choices))
    kind = next((word for type_, word in ((bool, "switch"), (int, "whole"), (float, "number")) if type_ in kinds), None)
    return words[kind].format(flag=flag, value=value) if kind else " ".join(str(error).split())


def _hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return str(_page()["wrong"]["hint"]).format(name=near[0]) if near else ""
