"""What the benchmarks share beside `xent.measuring`: what is left out is said, and tables are put into a Markdown file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xent.measuring import turns
from xent.measuring.turns import Run
from xent.measuring.turns import machine as machine
from xent.measuring.turns import ratio as ratio


def able(makers: dict[str, Callable[[], Run]]) -> dict[str, Run]:
    """The runs that work here; what is left out is said."""
    runs, left_out = turns.able(makers)
    for name, why in left_out.items():
        print(f"{name} left out: {why}")
    return runs


def put(file: Path, mark: str, text: str) -> None:
    """The text between two marks in a file, in place of what stood there."""
    old = file.read_text() if file.exists() else "# Benchmarks\n"
    old = old if mark in old else f"{old.rstrip()}\n\n{mark}{mark}\n"
    before, _, rest = old.partition(mark)
    file.write_text(f"{before}{mark}\n{text}\n{mark}{rest.partition(mark)[2]}")
