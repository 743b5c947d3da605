"""`xent bench`: cross-entropy on logits against everyone's that is installed, on this machine, in a few seconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xent import files, texts
from xent.cli import flags
from xent.errors import MissingPackageError
from xent.measuring.cross_entropy import COMPILED, LIMIT, XENT, Comparison, compare
from xent.measuring.turns import machine

SIZES = (
    (1024, 32_000, "float32"),
    (1024, 32_000, "bfloat16"),
    (8192, 1000, "float32"),
    (65_536, 10, "float32"),
    (32, 10, "float32"),
)
ROUNDS, MANY = 5, 20
PACKAGES = ("numpy", "numba", "torch", "jax", "optax", "scipy")


def bench(
    *,
    compiled: Annotated[bool, Parameter(negative="")] = False,
    out: flags.Out = None,
    json: flags.Json = False,
    lang: flags.Lang = None,
) -> int:
    """Time cross-entropy with its gradient against PyTorch, JAX and SciPy, as far as they are installed."""
    language = flags.language(lang)
    words, screen = texts.page("cli", language)["bench"], flags.console(quiet=json)
    without = () if compiled else (COMPILED,)
    with files.wanted(out) as folder:
        data = _measured(without, words, screen)
        if json:
            print(data)
        if folder is not None:
            screen.print(words["written"].format(path=files.write(folder / "bench.json", data)), soft_wrap=True)
    return 0


def _measured(without: tuple[str, ...], words: dict[str, str], screen: Console) -> str:
    """Every size measured and shown; all of it as JSON."""
    found: list[Comparison] = []
    left_out: dict[str, str] = {}
    screen.print(words["title"], style="bold")
    screen.print(machine(*PACKAGES), style="dim", soft_wrap=True)
    for rows, classes, dtype in SIZES:
        with screen.status(words["measuring"].format(rows=f"{rows:,}", classes=f"{classes:,}", dtype=dtype)):
            try:
                found.append(compare(rows, classes, dtype, rounds=ROUNDS if rows > 32 else MANY, without=without))
            except MissingPackageError as error:
                left_out[f"{rows:,} × {classes:,}, {dtype}"] = str(error).rstrip(".")
                continue
        screen.print(_table(found[-1], words))
    for name, why in (left_out | {name: why for one in found for name, why in one.left_out.items()}).items():
        screen.print(words["left_out"].format(name=_named(name, words), why=why), style="yellow", markup=False, soft_wrap=True)
    return flags.as_json({"machine": machine(*PACKAGES), "limit": LIMIT, "sizes": [asdict(one) for one in found]})


def _table(found: Comparison, words: dict[str, str]) -> Table:
    title = f"{found.rows:,} × {found.classes:,}, {found.dtype}"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for name in ("ms", "times", "share"):
        table.add_column(words[name], justify="right")
    for t in sorted(found.timings, key=lambda t: t.seconds):
        style = "dim" if t.name == LIMIT else "bold" if t.name.startswith(XENT) else ""
        cells = (f"{t.seconds * 1e3:.3g}", f"{t.times_xent:.2f}", f"{t.of_the_limit:.0%}")
        table.add_row(escape(_named(t.name, words)), *cells, style=style)
    return table


def _named(name: str, words: dict[str, str]) -> str:
    return words["limit"] if name == LIMIT else name.replace("`", "")
