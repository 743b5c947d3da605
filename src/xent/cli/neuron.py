"""`xent neuron`: the article's experiment with any start, target, outputs, rate and steps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from xent import files, texts
from xent.activations import Activation
from xent.cli import flags, own, terminal
from xent.errors import InputError
from xent.neuron import Neuron, Run, tables
from xent.owned import blamed

Start = Callable[[Activation], Neuron]
QUANTITIES = ("cost", "a", "delta", "gain")


def neuron(
    *,
    outputs: str = "quadratic@sigmoid,cross-entropy@sigmoid",
    w: float | None = None,
    b: float | None = None,
    first: float | None = None,
    seed: flags.Whole | None = None,
    x: float = 1.0,
    target: flags.List = "0",
    rate: flags.List = "0.15",
    steps: flags.Whole = 300,
    out: flags.Out = None,
    json: flags.Json = False,
    csv: Annotated[bool, Parameter(negative="")] = False,
    lang: flags.Lang = None,
) -> None:
    """Teach one neuron one sample under several costs, side by side."""
    if json and csv:
        raise InputError("--json and --csv both want standard output: give one of them.")
    language = flags.language(lang)
    chosen = own.outputs(outputs, language)
    labels = tables.labels(chosen)
    targets, rates = (_one_each(name, text, len(chosen)) for name, text in (("--target", target), ("--rate", rate)))
    start, told = _start(w, b, first, seed, x, texts.page("cli", language)["neuron"])
    runs = {}
    for label, one, y, r in zip(labels, chosen, targets, rates, strict=True):
        with blamed([one], language):
            runs[label] = start(one.activation).learn(x, y, output=one, rate=r, steps=steps)
    with files.wanted(out) as folder:
        if json:
            print(flags.as_json(tables.as_data(runs)))
        elif csv:
            sys.stdout.write(tables.as_csv(runs))
        else:
            _show(runs, x, told, language)
        if folder is not None:
            _write(runs, folder, language, quiet=json or csv)


def _one_each(flag: str, text: str, n: int) -> list[float]:
    """One number for each output, from one for all or a list."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{flag} is a number, or {n} numbers separated by commas, but {text!r} came.") from None
    if len(numbers) not in (1, n):
        raise InputError(f"{flag} wants one number, or one for each of the {n} outputs, but {len(numbers)} came.")
    return numbers * n if len(numbers) == 1 else numbers


def _start(
    w: float | None, b: float | None, first: float | None, seed: int | None, x: float, words: dict[str, str]
) -> tuple[Start, str]:
    """How each neuron starts, and the sentence that says so."""
    ways = [
        name
        for name, given in (("--w and --b", (w, b) != (None, None)), ("--first", first is not None), ("--seed", seed is not None))
        if given
    ]
    if len(ways) > 1:
        raise InputError(f"a neuron has one start, but {' and '.join(ways)} came: give one of them.")
    if first is not None:
        return lambda activation: Neuron.from_output(first, x=x, activation=activation), words["first"].format(a=f"{first:g}")
    if seed is not None:
        drawn = Neuron.random(seed=seed)
        return lambda _: drawn, f"{words['random'].format(seed=seed)}: w = {float(drawn.w):.4g}, b = {float(drawn.b):.4g}"
    if (w is None) != (b is None):
        raise InputError("a start has a weight and a bias: give both --w and --b.")
    given = Neuron(2.0 if w is None else w, 2.0 if b is None else b)
    return lambda _: given, words["given"].format(w=f"{given.w:g}", b=f"{given.b:g}")


def _show(runs: dict[str, Run], x: float, told: str, language: str) -> None:
    words = texts.page("cli", language)["neuron"]
    steps = next(iter(runs.values())).steps
    screen = flags.console()
    screen.print(f"[bold]{words['title'].format(x=f'{x:g}', steps=steps)}[/]  {told}")
    curves = {words[quantity]: {label: getattr(run, quantity) for label, run in runs.items()} for quantity in QUANTITIES}
    screen.print(terminal.panels(curves, words["step"], screen))
    screen.print(terminal.legend(list(runs)), "")
    screen.print(_table(runs, words, steps))


def _table(runs: dict[str, Run], words: dict[str, str], steps: int) -> Table:
    """The first and last numbers of each run, a column for each."""
    table = Table(show_edge=False, pad_edge=False, box=None)
    table.add_column(words["output"], style="dim")
    for label in runs:
        table.add_column(label, justify="right")
    rows: dict[str, Callable[[Run], Any]] = {
        "target": lambda run: run.y,
        "rate": lambda run: run.rate,
        "first_output": lambda run: run.a[0],
        "last_output": lambda run: run.a[-1],
        "cost0": lambda run: run.cost[0],
        "cost_last": lambda run: run.cost[-1],
        "delta0": lambda run: run.delta[0],
        "gain0": lambda run: run.gain[0],
    }
    for name, of in rows.items():
        table.add_row(words[name].format(steps=steps), *(f"{float(of(run)):.4g}" for run in runs.values()))
    learned = [run.steps_to_learn() for run in runs.values()]
    table.add_row(words["learned"], *(words["never"] if step is None else str(step) for step in learned))
    return table


def _write(runs: dict[str, Run], folder: Path, language: str, *, quiet: bool) -> None:
    """The curves and numbers of all runs, as files."""
    from xent import figures

    words, screen = texts.page("cli", language)["neuron"], flags.console(quiet=quiet)
    flags.mind_the_font(language, screen)
    paths = figures.save(figures.draw_runs(runs, language=language), folder, "neuron")
    paths.append(files.write(folder / "numbers.csv", tables.as_csv(runs)))
    paths.append(files.write(folder / "numbers.json", flags.as_json(tables.as_data(runs)) + "\n"))
    for path in paths:
        screen.print(words["written"].format(path=path), soft_wrap=True)
