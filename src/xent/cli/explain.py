"""`xent explain`: a cost, an activation or a pair, on one page: formula, gain, derivation, when to use it."""

from __future__ import annotations

import re
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from xent import explaining, files, texts
from xent.cli import flags, own, terminal
from xent.errors import InputError
from xent.explaining import Page, number
from xent.outputs import Output
from xent.outputs.own import is_own
from xent.owned import blamed


def explain(name: str | None = None, /, *, out: flags.Out = None, json: flags.Json = False, lang: flags.Lang = None) -> None:
    """Explain a cost, an activation or a pair of them; without a name, list what there is."""
    language = flags.language(lang)
    if name is None:
        if out is not None:
            raise InputError("--out draws the figure of one page: give a name too, such as xent explain focal --out DIR.")
        _list(language, json=json)
        return
    subject = own.one(name, language) if ":" in name else name
    with blamed([subject] if isinstance(subject, Output) else [], language):
        page = explaining.page(subject, language)
    with files.wanted(out) as folder:
        if json:
            print(flags.as_json(page.data()))
        else:
            _show(page, flags.console())
        if folder is not None:
            _draw(page, folder, flags.console(quiet=json))


def _list(language: str, *, json: bool) -> None:
    """One line for each name."""
    found = explaining.contents(language)
    if json:
        print(flags.as_json([{"name": name, "title": title} for name, title in found]))
        return
    screen, words = flags.console(), texts.page("explain", language)["words"]
    for kind, wanted in (("what_pair", True), ("what_activation", False)):
        table = _table("left", "left")
        for name, title in found:
            if ("@" in name) is wanted:
                table.add_row(name, title)
        screen.print(Text(words[kind], style="bold"), Padding(table, (0, 0, 1, 2)), sep="\n")
    _paragraph(words["usage"], screen)


def _show(page: Page, screen: Console) -> None:
    words = texts.page("explain", page.language)["words"]
    fits = cell_len(page.title) + cell_len(page.name) + 2 <= screen.width
    screen.print(Text.assemble((page.title, "bold"), "  " if fits else "\n  ", page.name), soft_wrap=True)
    own = isinstance(page.subject, Output) and is_own(page.subject)
    _paragraph(page.aka if own else _named(words["aka"], page.aka, page), screen, style="dim")
    screen.print()
    _paragraph(page.idea, screen)

    if page.formulas:
        _heading(words["formula"], screen)
    else:
        screen.print()
    for formula in page.formulas:
        _paragraph(formula.text(page.language), screen, markup=False, style="cyan")
    if any("p_y" in formula.text() for formula in page.formulas):
        _paragraph(words["p_y"], screen, style="dim")
    for fact in page.facts:
        _paragraph(_named(fact.name, fact.value, page), screen)

    screen.print()
    screen.print(terminal.curve(page.plot.title, page.plot.x_label, page.plot.x, page.plot.y, screen), soft_wrap=True)
    if page.plot.note:
        _paragraph(page.plot.note, screen, style="dim")

    if page.derivation:
        _heading(words["derivation"], screen)
    for i, line in enumerate(page.derivation, start=1):
        _paragraph(f"{i}. {line.formula.text(page.language)}", screen, markup=False, style="cyan", hang=3)
        _paragraph(line.reason, screen, indent=5)

    for section in page.sections:
        _heading(section.title, screen)
        _paragraph(section.body, screen)
        if section.id == "wrong":
            screen.print(Padding(_samples(page, words), (1, 0, 0, 2)))

    _heading(words["others" if isinstance(page.subject, Output) else "partners"], screen)
    _others(page, words, screen)
    _code(page, words, screen)
    _heading(words["source"], screen)
    _paragraph(page.source, screen)


def _samples(page: Page, words: dict[str, str]) -> Table:
    """What the output makes of a few errors."""
    table = _table(*["right"] * 5)
    table.add_row(*(Text(head, style="dim") for head in (page.axis, *(words[name] for name in ("error", "cost", "delta", "gain")))))
    for sample in page.samples:
        table.add_row(*(number(x) for x in (sample.answer, sample.error, sample.cost, sample.delta, sample.gain)))
    return table


def _others(page: Page, words: dict[str, str], screen: Console) -> None:
    if not page.others:
        _paragraph(words["no_others" if isinstance(page.subject, Output) else "no_partners"], screen)
        return
    table = _table("left", "right")
    table.add_row("", Text(words["at_wrong"].format(error=explaining.BADLY), style="dim"))
    for name, gain in page.others:
        table.add_row(name, number(gain))
    screen.print(Padding(table, (0, 0, 0, 2)))


def _code(page: Page, words: dict[str, str], screen: Console) -> None:
    """The names elsewhere; a line of code is never broken, so that it can be copied."""
    if not page.code:
        return
    _heading(words["code"], screen)
    for code in page.code:
        screen.print(Text.assemble("  ", code.library, ("  " + code.name if code.name else "", "dim")), soft_wrap=True)
        screen.print(Text("    " + code.line, style="green"), soft_wrap=True)
        if code.note:
            _paragraph(code.note, screen, indent=4, style="dim")


def _draw(page: Page, folder: Any, screen: Console) -> None:
    from xent import figures

    words = texts.page("explain", page.language)["words"]
    subject, language = page.subject, page.language
    drawn = (
        figures.draw_output(subject, language=language)
        if isinstance(subject, Output)
        else figures.draw_activation(subject, language=language)
    )
    for path in figures.save(drawn, folder, re.sub(r"[^\w.@=-]+", "-", page.name).strip("-")):
        screen.print(words["written"].format(path=path), soft_wrap=True)


def _named(name: str, value: str, page: Page) -> str:
    return f"{name}: {value}" if page.language == "en" else f"{name}：{value}"


def _heading(title: str, screen: Console) -> None:
    screen.print()
    screen.print(Text(title, style="bold"))


def _paragraph(text: str, screen: Console, *, markup: bool = True, style: str = "", indent: int = 2, hang: int = 0) -> None:
    screen.print(terminal.paragraph(terminal.prose(text) if markup else Text(text), screen, style=style, indent=indent, hang=hang))


def _table(*justify: Any) -> Table:
    table = Table(show_edge=False, pad_edge=False, box=None, show_header=False)
    for side in justify:
        table.add_column(justify=side)
    return table
