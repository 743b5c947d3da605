"""What a person takes away: the figure of a page as SVG or PNG, its numbers as CSV, and the Python that makes the same figure."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from xent.errors import UnknownNameError
from xent.lab import asked, values
from xent.lab.own import NONE, Own, quoted
from xent.lab.values import Asked
from xent.neuron import tables
from xent.outputs import Output
from xent.owned import blamed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "csv": "text/csv; charset=utf-8",
    "py": "text/x-python; charset=utf-8",
}

_drawing = Lock()
"""matplotlib's settings are those of the whole process while a figure is drawn."""


def export(page: str, kind: str, settings: Asked, own: Own = NONE) -> bytes:
    """The file of a page as bytes; `own` are the user's own costs that pages may ask for.

    >>> print(export("neuron", "csv", {"steps": "1"}).decode().splitlines()[0])
    output,target,rate,step,w,b,z,cost,a,delta,gain
    """
    if page not in PAGES:
        raise UnknownNameError("figure", page[:40], PAGES)
    if kind not in KINDS:
        raise UnknownNameError("kind of file", kind[:40], KINDS)
    draw, table, script = PAGES[page]
    if kind == "csv":
        return table(settings, own).encode()
    if kind == "py":
        return script(settings, own).encode()
    with _drawing:
        from xent.figures import style

        return style.rendered(draw(settings, own, {"theme": _theme(settings), "language": values.language(settings)}), kind)


def _theme(settings: Asked) -> str:
    return values.choice(settings, "theme", ("light", "dark"))


# ── the neuron ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _draw_neuron(settings: Asked, own: Own, look: dict[str, str]) -> Figure:
    from xent import figures

    return figures.draw_runs(asked.NeuronAsked.of(settings, own).runs(), **look)


def _neuron_table(settings: Asked, own: Own) -> str:
    return tables.as_csv(asked.NeuronAsked.of(settings, own).runs())


def _neuron_script(settings: Asked, own: Own) -> str:
    wanted = asked.NeuronAsked.of(settings, own)
    sides = zip(tables.labels(wanted.outputs), wanted.outputs, wanted.starts, wanted.targets, wanted.rates, strict=True)
    runs = [
        f"    {quoted(label)}: xent.Neuron(w={float(start.w)!r}, b={float(start.b)!r}).learn(\n"
        f"        x={wanted.x!r}, y={y!r}, output={own.code(output)}, rate={rate!r}, steps={wanted.steps}\n    ),"
        for label, output, start, y, rate in sides
    ]
    return _script(
        "neuron",
        wanted.outputs,
        own,
        ["import xent", "from xent import figures"],
        ["runs = {", *runs, "}"],
        "draw_runs(runs",
        settings,
    )


# ── the costs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _draw_costs(settings: Asked, own: Own, look: dict[str, str]) -> Figure:
    from xent import figures

    wanted = asked.CostsAsked.of(settings, own)
    with blamed(wanted.outputs, wanted.language):
        return figures.draw_outputs(wanted.outputs, target=wanted.target, along=wanted.along, **look)


def _costs_table(settings: Asked, own: Own) -> str:
    wanted = asked.CostsAsked.of(settings, own)

    def rows() -> Iterator[list[Any]]:
        for side, one in enumerate(wanted.outputs):
            curve = wanted.curve(side)
            for row in zip(*(getattr(curve, part).tolist() for part in ("x", "cost", "slope", "delta", "gain")), strict=True):
                yield [str(one), repr(curve.target), curve.axis, *map(repr, row)]

    return _table(["output", "target", "axis", "x", "cost", "slope", "delta", "gain"], rows())


def _costs_script(settings: Asked, own: Own) -> str:
    wanted = asked.CostsAsked.of(settings, own)
    names = [f"    {own.code(one)}," for one in wanted.outputs]
    call = f"draw_outputs(outputs, target={wanted.target!r}, along={quoted(wanted.along)}"
    return _script("costs", wanted.outputs, own, ["from xent import figures"], ["outputs = [", *names, "]"], call, settings)


# ── the stall map ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _draw_map(settings: Asked, own: Own, look: dict[str, str]) -> Figure:
    from xent import figures

    return figures.draw_map(asked.MapAsked.of(settings, own).map(), **look)


def _map_table(settings: Asked, own: Own) -> str:
    found = asked.MapAsked.of(settings, own).map()
    names = ("w", "b") if found.plane == "start" else ("first_output_share", "rate")

    def rows() -> Iterator[list[Any]]:
        for label, sweep in found.sweeps.items():
            for v, learned in zip(found.vertical.tolist(), np.asarray(sweep.steps_to_learn).tolist(), strict=True):
                yield from ([label, repr(h), repr(v), n] for h, n in zip(found.horizontal.tolist(), learned, strict=True))

    return _table(["output", *names, "steps_to_learn"], rows())


def _map_script(settings: Asked, own: Own) -> str:
    wanted = asked.MapAsked.of(settings, own)
    sides = [f"    ({own.code(one)}, {y!r})," for one, y in zip(wanted.outputs, wanted.targets, strict=True)]
    how = ", ".join(f"{name}={quoted(value) if isinstance(value, str) else repr(value)}" for name, value in wanted.how.items())
    body = [
        "sides = [  # each output with its target", *sides, "]",
        f"maps = [stall_map([output], y=y, {how}) for output, y in sides]",
        "stalls = maps[0].beside(*maps[1:])",
    ]  # fmt: skip
    return _script(
        "map",
        wanted.outputs,
        own,
        ["from xent import figures", "from xent.neuron.mapping import stall_map"],
        body,
        "draw_map(stalls",
        settings,
    )


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(head: list[str], rows: Iterator[list[Any]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _script(name: str, outputs: Sequence[Output], own: Own, imports: list[str], body: list[str], call: str, settings: Asked) -> str:
    """A script that draws the figure and writes it beside itself, as SVG and PNG."""
    look = f"theme={quoted(_theme(settings))}, language={quoted(values.language(settings))}"
    mine = own.imports(outputs)
    imports = [*mine, *([] if "import xent" in imports or not mine else ["import xent"]), *imports]
    return "\n".join([*imports, "", *body, f'figures.save(figures.{call}, {look}), ".", "{name}")', ""])


Maker = tuple[Callable[[Asked, Own, dict[str, str]], Any], Callable[[Asked, Own], str], Callable[[Asked, Own], str]]

PAGES: dict[str, Maker] = {
    "neuron": (_draw_neuron, _neuron_table, _neuron_script),
    "costs": (_draw_costs, _costs_table, _costs_script),
    "map": (_draw_map, _map_table, _map_script),
}
"""For each page how its figure, its table and its script are made."""
