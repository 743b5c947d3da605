"""`xent race`: which output learns best on these data, with the report that says how sure that is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from xent import files, texts
from xent.cli import flags, own
from xent.errors import InputError
from xent.owned import blamed

LONG = 60.0
"""Seconds after which a race counts as long."""

Flag = Annotated[bool, Parameter(negative="")]


def race(
    data: str = "digits",
    *,
    target: str | None = None,
    missing: Literal["refuse", "fill", "drop"] = "refuse",
    outputs: str | None = None,
    hidden: flags.List = "30",
    activation: str = "sigmoid",
    init: str = "lecun",
    optimiser: str = "sgd",
    momentum: float = 0.9,
    l2: float = 0.0,
    batch: flags.Whole = 10,
    epochs: flags.Whole = 30,
    rates: flags.List | None = None,
    tuning_seeds: flags.Whole = 2,
    seeds: flags.Whole = 10,
    first_seed: flags.Whole = 0,
    goal: float | None = None,
    precision: float | None = None,
    interval: Literal["t", "bootstrap-t"] = "t",
    resplit: Flag = False,
    dtype: Literal["float32", "float64"] = "float32",
    device: str = "cpu",
    jobs: flags.Whole | None = None,
    cluster: str | None = None,
    out: flags.Out = None,
    json: flags.Json = False,
    lang: flags.Lang = None,
) -> None:
    """Train networks under several outputs from the same starts on the same batches, and say which learns best."""
    from xent.data import load
    from xent.racing import devices
    from xent.racing import plan as planning
    from xent.racing import race as run
    from xent.racing.estimate import insist_on_memory, lanes, seconds
    from xent.racing.running import processes, sharing

    language = flags.language(lang)
    screen = flags.console(quiet=json)
    rows = load(data, target, missing=missing)
    names = planning.OUTPUTS if outputs is None else tuple(own.outputs(outputs, language))
    units = _whole("--hidden", hidden)
    choices: dict[str, Any] = {
        "hidden": () if units == [0] else tuple(units), "activation": activation, "init": init, "optimiser": optimiser,
        "momentum": momentum, "l2": l2, "batch": batch, "epochs": epochs,
        "rates": None if rates is None else _numbers("--rates", rates),
        "tuning_seeds": tuning_seeds, "seeds": seeds, "first_seed": first_seed, "goal": goal, "precision": precision,
        "resplit": resplit, "dtype": dtype, "device": device,
    }  # fmt: skip
    plan, chosen = planning.plan(rows, names, **choices)
    folder = out or Path(f"xent-race-{_slug(plan.data)}-{plan.hash[:8]}")
    words = texts.page("race", language)["cli"]
    cores = processes(jobs)
    if cluster is None:
        devices.insist(plan.device)
    if cluster or plan.device != devices.CPU:
        said = words["elsewhere"].format(lanes=sum(lanes(plan)), place=cluster or plan.device)
        screen.print(said, style="dim", markup=False, highlight=False)
    else:
        insist_on_memory(plan, rows, sharing(plan, rows, jobs), language)
        guess = seconds(plan, rows, cores)
        screen.print(words["estimate"].format(lanes=sum(lanes(plan)), time=_time(guess, words), jobs=cores), style="dim")
        if guess > LONG:
            screen.print(words["long"].format(time=_time(guess, words)), style="yellow")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=screen, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(words[stage], total=total)
            bar.update(tasks[stage], completed=done, total=total)

        with blamed(chosen, language):
            found = run(rows, names, interval=interval, out=folder, jobs=jobs, cluster=cluster, progress=progress, **choices)
    _write(found, folder, language, screen)
    if json:
        print(flags.as_json(found.numbers()))
    else:
        _show(found, language, screen)
    screen.print(words["folder"].format(path=folder), soft_wrap=True, style="dim", markup=False)
    screen.print(words["report"].format(path=folder / "report.html"), soft_wrap=True, markup=False)


def _show(found: Any, language: str, screen: Console) -> None:
    """The verdict in words over the table."""
    from xent.cli import terminal
    from xent.racing.verdict import EPOCHS
    from xent.racing.words import percent, sentences

    text = texts.page("race", language)
    words, plan = text["words"], found.plan
    screen.print(text["title"].format(data=plan.data), style="bold", markup=False)
    heads = [
        words["output"], words["rate"], words["accuracy"], words["epochs"].format(goal=percent(found.verdict.goal, 0)),
        words["stalled"], words["gain"],
    ]  # fmt: skip
    own, epochs = found.verdict.answer(), found.verdict.answer(EPOCHS)
    summary = {row["side"]: row for row in found.summary.to_dicts()}
    rows = []
    for place, side in enumerate(own.order):
        one, waits = summary[side], epochs.means[epochs.order.index(side)]
        spread = f" ± {100 * one['accuracy_sd']:.2f}" if one["accuracy_sd"] is not None else ""
        rows.append([
            plan.labels[side], f"{found.picked.own[side]:g}", percent(own.means[place]) + spread,
            "–" if waits is None else f"{waits:.1f}", percent(one["first_stalled"], 1),
            "–" if one["first_gain"] is None else f"{one['first_gain']:.3f}",
        ])  # fmt: skip
    _table(heads, rows, screen)
    for line in sentences(found.verdict, language):
        screen.print(terminal.paragraph(terminal.prose(f"• {line}"), screen, hang=2))
    screen.print("")


def _table(heads: list[str], rows: list[list[str]], screen: Console) -> None:
    """A row an output; where the columns would not fit beside each other, a line for each number."""
    firm = 3 + sum(max(len(row[i]) for row in rows) for i in (0, 2))  # these two are not broken
    if screen.width < firm + 32:
        for row in rows:
            screen.print(row[0], style="bold", markup=False, soft_wrap=True)
            for head, value in zip(heads[1:], row[1:], strict=True):
                screen.print(f"  {head}: {value}", markup=False)
        screen.print("")
        return
    table = Table(show_edge=False, pad_edge=False, box=None, header_style="dim")
    table.add_column(heads[0], no_wrap=True)
    table.add_column(heads[1], justify="right", overflow="fold")
    table.add_column(heads[2], justify="right", no_wrap=True)
    for head in heads[3:]:
        table.add_column(head, justify="right", max_width=14, overflow="fold")
    for row in rows:
        table.add_row(*row)
    screen.print(table, "")


def _write(found: Any, folder: Path, language: str, screen: Console) -> None:
    """The table, the verdict, the figure and the report, beside the heats."""
    from io import BytesIO

    from xent import figures

    flags.mind_the_font(language, screen)
    for name, frame in (("race", found.table), ("tuning", found.tuning)):
        if frame is not None:
            content = BytesIO()
            frame.drop("confusion", "bins", strict=False).write_parquet(content)
            files.write(folder / f"{name}.parquet", content.getvalue())
    files.write(folder / "verdict.json", flags.as_json(found.numbers()) + "\n")
    figures.save(found.figure(language=language), folder, "race")
    typed = flags.TYPED.get()
    command = shlex.join(["xent", *typed]) if typed else None
    found.report(folder / "report.html", language=language, command=command)


def _whole(flag: str, text: str) -> list[int]:
    """Whole numbers separated by commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{flag} is a list of whole numbers such as 30 or 100,30, but {text!r} came.") from None


def _numbers(flag: str, text: str) -> list[float]:
    """Numbers separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{flag} is a list of numbers such as 0.1,0.3,1, but {text!r} came.") from None


def _slug(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^\w]+", "-", Path(name).stem if Path(name).suffix in (".csv", ".npz", ".parquet") else name).strip("-").lower()


def _time(seconds: float, words: dict[str, str]) -> str:
    """A rounded time: 20 s, 5 min, 2 h."""
    if seconds < 90:
        return words["seconds"].format(n=max(5, 5 * round(seconds / 5)))
    if seconds < 5400:
        return words["minutes"].format(n=round(seconds / 60))
    return words["hours"].format(n=round(seconds / 3600))
