"""`xent map`: from which starts each cost learns, how fast, and from which it never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from xent import files, texts
from xent.cli import flags, own
from xent.errors import InputError
from xent.neuron.mapping import StallMap, stall_map
from xent.owned import blamed

WIDTH, HEIGHT = 56, 20
SHADES = " ·:-=+*%@"
NEVER = "█"


def map(
    *,
    outputs: str = "quadratic@sigmoid,cross-entropy@sigmoid",
    plane: Literal["start", "rate"] = "start",
    span: flags.List | None = None,
    size: flags.Whole = 240,
    x: float = 1.0,
    target: float = 0.0,
    rate: float = 0.15,
    steps: flags.Whole = 300,
    learned: float = 0.1,
    out: flags.Out = None,
    json: flags.Json = False,
    lang: flags.Lang = None,
) -> None:
    """Map the starts: how many steps each needs, one panel an output, and where a neuron is stuck."""
    language = flags.language(lang)
    chosen, reach = own.outputs(outputs, language), _span(span)
    how: dict[str, Any] = {"plane": plane, "size": size, "x": x, "y": target, "rate": rate, "steps": steps, "learned": learned}
    with files.wanted(out) as folder:
        with blamed(chosen, language):
            stalls = stall_map(chosen, span=reach, **how)
        if json:
            print(flags.as_json(_numbers(stalls)))
        else:
            _show(stalls, language, flags.console())
        if folder is not None:
            _write(stalls, folder, language, flags.console(quiet=json))


def _span(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--span is two numbers separated by a comma, such as -6,6, but {text!r} came.") from None
    return low, high


def _show(stalls: StallMap, language: str, screen: Console) -> None:
    words = texts.page("cli", language)["map"]
    for label, sweep in stalls.sweeps.items():
        screen.print(f"[bold]{label}[/]")
        print(_preview(sweep.steps_to_learn, sweep.steps))
    sizes = [f"{v:g}" for axis in (stalls.horizontal, stalls.vertical) for v in (axis[0], axis[-1])]
    screen.print(words[f"axes_{stalls.plane}"].format(left=sizes[0], right=sizes[1], bottom=sizes[2], top=sizes[3]))
    steps = next(iter(stalls.sweeps.values())).steps
    screen.print(words["legend"].format(shades=SHADES[1:], never=NEVER, steps=steps), "")
    table = Table(show_edge=False, pad_edge=False, box=None)
    table.add_column(words["output"], style="dim")
    for head in ("never", "median"):
        table.add_column(words[head], justify="right")
    for label in stalls.sweeps:
        median = stalls.median(label)
        table.add_row(label, f"{stalls.never(label):.1%}", "—" if median is None else f"{median:g}")
    screen.print(table)


def _preview(steps_to_learn: Any, steps: int) -> str:
    """The map in letters, top row first; the darker the slower, a full block for never."""
    places = [np.linspace(0, n - 1, m).round().astype(int) for n, m in zip(steps_to_learn.shape, (HEIGHT, WIDTH), strict=True)]
    seen = steps_to_learn[np.ix_(places[0][::-1], places[1])]
    shade = (np.clip(seen, 0, steps) * (len(SHADES) - 1) // max(steps, 1)).astype(int)
    letters = np.where(seen < 0, NEVER, np.asarray(list(SHADES))[shade])
    return "\n".join("".join(row) for row in letters)


def _numbers(stalls: StallMap) -> dict[str, Any]:
    """The map as plain data, −1 for never."""
    first = next(iter(stalls.sweeps.values()))
    return {
        "plane": stalls.plane,
        "horizontal": stalls.horizontal.tolist(),
        "vertical": stalls.vertical.tolist(),
        "x": stalls.x,
        "target": stalls.y,
        "steps": first.steps,
        "learned": first.learned,
        "maps": [
            {
                "output": label,
                "never": stalls.never(label),
                "median_steps": stalls.median(label),
                "steps_to_learn": np.asarray(sweep.steps_to_learn).tolist(),
            }
            for label, sweep in stalls.sweeps.items()
        ],
    }


def _write(stalls: StallMap, folder: Path, language: str, screen: Console) -> None:
    from xent import figures

    flags.mind_the_font(language, screen)
    paths = figures.save(figures.draw_map(stalls, language=language), folder, "map")
    paths.append(files.write(folder / "numbers.json", flags.as_json(_numbers(stalls)) + "\n"))
    for path in paths:
        screen.print(texts.page("cli", language)["neuron"]["written"].format(path=path), soft_wrap=True)
