"""`xent reproduce`: the article's numbers and figures, made again by real computation."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from xent import __version__, files, texts
from xent.article import Study
from xent.cli import flags


def reproduce(*, out: flags.Out = None, json: flags.Json = False, lang: flags.Lang = None) -> int:
    """Compute the article again: its experiments, its claims, a report and every figure."""
    language = flags.language(lang)
    screen, place = flags.console(quiet=json), out or Path("xent-article")
    with files.wanted(place):
        study = Study()
        _show_claims(study, language, screen)
        _write(study, place, language, screen)
    if json:
        print(flags.as_json(study.numbers()))
    return 0 if all(claim.agrees for claim in study.claims) else 1


def _show_claims(study: Study, language: str, screen: Console) -> None:
    page, own = texts.page("article", language), texts.page("cli", language)["reproduce"]
    words = page["words"]
    table = Table(title=own["title"], title_style="bold", title_justify="left", show_edge=False, pad_edge=False, header_style="dim")
    table.add_column(words["claim"], ratio=1, overflow="fold")
    for key in ("article", "measured"):
        table.add_column(words[key], justify="right", no_wrap=True)
    table.add_column("")
    for claim in study.claims:
        verdict = f"[green]✓[/] {words['agrees']}" if claim.agrees else f"[bold red]✗ {words['differs']}[/]"
        table.add_row(escape(page["claims"][claim.id]), claim.article, claim.measured, verdict)
    screen.print(table)
    bad = sum(not claim.agrees for claim in study.claims)
    verdict = words["verdict_some" if bad else "verdict_all"].format(n=len(study.claims), bad=bad)
    screen.print(f"[bold]{verdict}[/]")


def _write(study: Study, folder: Path, language: str, screen: Console) -> None:
    from xent import figures, report

    own = texts.page("cli", language)["reproduce"]
    flags.mind_the_font(language, screen)
    where = files.folder(folder / "figures")
    drawn: dict[str, tuple[str, str]] = {}
    with Progress(
        SpinnerColumn(), TextColumn("{task.description} {task.completed}/{task.total}"), console=screen, transient=True
    ) as bar:
        task = bar.add_task(own["drawing"], total=len(figures.ARTICLE))
        for id in figures.ARTICLE:
            light, dark = (figures.draw(id, study, theme=theme, language=language) for theme in ("light", "dark"))
            figures.save(light, where, id)
            drawn[id] = figures.svg(light), figures.svg(dark)
            bar.advance(task)
    files.write(folder / "numbers.json", flags.as_json(study.numbers()) + "\n")
    page = files.write(folder / "report.html", report.article(study, language=language, figures=drawn, version=__version__))
    screen.print(own["look"].format(path=page), soft_wrap=True)
