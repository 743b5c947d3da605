"""Curves and prose for the terminal: one panel a quantity, panels side by side where there is room; paragraphs in lines."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 60, 8
MARGIN = 18  # cells that ticks and padding take beside a curve
TALL = 11  # at most, of a curve by itself: ten steps of 0.1 and a row for the line at 1
COLOURS = ("yellow", "blue", "green", "magenta", "cyan", "red")


def panels(curves: dict[str, dict[str, Any]], x_label: str, screen: Console) -> Columns:
    """A panel for each title, with a curve for each label; the same label has the same colour and number in all of them."""
    steps = max(len(values) for lines in curves.values() for values in lines.values()) - 1
    parts = _parts(steps, (6, 5, 4), screen)
    drawn = [
        Text.from_ansi(_panel(title, lines, x_label, 10 * parts, colours=screen.is_terminal)) for title, lines in curves.items()
    ]
    return Columns(drawn, padding=(0, 4))


def curve(title: str, x_label: str, x: Any, y: Any, screen: Console) -> Text:
    """One curve y over x, with a gap where it is not finite."""
    import plotille

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    heights = y[np.isfinite(y)]
    left, right = round(float(x.min()), 2), round(float(x.max()), 2)
    bottom, top = min(float(heights.min()), 0.0), max(float(heights.max()), 1.0)
    step = _short_step((top - bottom) / TALL)
    rows = _rows(top - bottom, step)
    parts = _parts(right - left, (5, 4, 6), screen)
    figure = plotille.Figure()
    figure.width, figure.height, figure.origin = 10 * parts, rows, False
    figure.color_mode, figure.with_colors = "names", screen.is_terminal
    figure.x_label, figure.y_label = "", ""
    figure.register_label_formatter(float, _short)
    figure.set_y_limits(bottom, bottom + rows * step)
    figure.set_x_limits(left, right)
    for piece in np.split(np.arange(len(y)), np.flatnonzero(~np.isfinite(y))):
        seen = piece[np.isfinite(y[piece])]
        if seen.size:
            figure.plot(x[seen], y[seen], lc=COLOURS[0])
    return Text.from_ansi(f"{title}  ({x_label} →)\n" + str(figure.show()).replace("()", "  "))


def legend(labels: list[str]) -> Text:
    """Which number and colour is which curve."""
    parts = [Text(f"{i + 1} {label}", style=COLOURS[i % len(COLOURS)]) for i, label in enumerate(labels)]
    return Text("   ").join(parts)


def _panel(title: str, lines: dict[str, Any], x_label: str, width: int, *, colours: bool) -> str:
    import plotille

    figure = plotille.Figure()
    figure.width, figure.height, figure.origin = width, HEIGHT, False
    figure.color_mode, figure.with_colors = "names", colours
    figure.x_label, figure.y_label = "", ""
    figure.register_label_formatter(float, _short)
    finite = [_finite(values) for values in lines.values()]
    heights = np.concatenate([values for _, values in finite])
    if heights.size == 0:
        return f"{title}: ∞"
    low, high = min(float(heights.min()), 0.0), float(heights.max())
    if 0 < high - low < np.inf:
        step = _short_step((high - low) / HEIGHT)
        low = step * np.floor(low / step + 1e-9)
        figure.height = _rows(high + step / 4 - low, step)  # a number at the top wants room
        figure.set_y_limits(low, low + figure.height * step)
    else:
        figure.set_y_limits(low, high + 0.5)
    figure.set_x_limits(0, max(max(len(values) for values in lines.values()) - 1, 1))
    for i, (steps, values) in enumerate(finite):
        if values.size:
            colour = COLOURS[i % len(COLOURS)]
            figure.plot(steps, values, lc=colour)
            spot = min((2 + 3 * i) * len(values) // 20, len(values) - 1)  # where the curve's number stands
            figure.text([float(steps[spot])], [float(values[spot])], [str(i + 1)], lc=colour)
    return f"{title}  ({x_label} →)\n" + str(figure.show()).replace("()", "  ")


def _short(value: float, chars: int, delta: float, left: bool = False) -> str:
    """A tick's number, as short as it is clear."""
    text = f"{value:.3g}"
    return text.ljust(chars) if left else text.rjust(chars)


def _is_short(step: float) -> bool:
    return abs(step - float(f"{step:.1g}")) < 1e-9


def _parts(length: float, wanted: tuple[int, ...], screen: Console) -> int:
    """Parts of ten letters, a tick each: as many as have short numbers, and no more than there is room for."""
    room = max(1, min(WIDTH, screen.width - MARGIN) // 10)
    return next((n for n in wanted if n <= room and _is_short(length / n)), min(room, max(wanted)))


def _rows(height: float, step: float) -> int:
    """Rows of one step each, with one for the line at the top."""
    return int(height / step + 1e-9) + 1


def _short_step(least: float) -> float:
    """The least step from one tick to the next whose numbers are short."""
    ten: float = 10.0 ** np.floor(np.log10(least))
    return next(factor * ten for factor in (1, 2, 2.5, 5, 10) if factor * ten > least)


def _finite(values: Any) -> tuple[Any, Any]:
    values = np.asarray(values, dtype=float)
    steps = np.arange(values.shape[0], dtype=float)
    return steps[np.isfinite(values)], values[np.isfinite(values)]


# ── prose ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

PROSE = 84
"""A line longer than this is hard to read."""

CHINESE = "⺀-鿿豈-﫿＀-￯“”…"
PIECE = re.compile(rf"[（《“]*(?:[{CHINESE}]|[^\s{CHINESE}]+)[，。；：、！？）》”…]*\s*|\s+")
"""What a line is not broken inside: a word, or a Chinese character with the punctuation that belongs to it."""


def prose(text: str) -> Text:
    """A text in light markup: *a* in italics, **a** bold, `a` as code.

    >>> prose("*a* is `b*c*d`, **not** e").plain
    'a is b*c*d, not e'
    """
    written = Text()
    for piece in re.split(r"(`[^`]*`|\*\*.+?\*\*|\*.+?\*)", text):
        for mark, style in (("`", "green"), ("**", "bold"), ("*", "italic")):
            if len(piece) > 2 * len(mark) and piece.startswith(mark) and piece.endswith(mark):
                written.append(piece[len(mark) : -len(mark)], style=style)
                break
        else:
            written.append(piece)
    return written


def paragraph(text: Text, screen: Console, *, style: str = "", indent: int = 0, hang: int = 0) -> Text:
    """The text broken into lines, Chinese too, which has no spaces to break at; `hang` sets lines after the first further in.

    >>> print(paragraph(Text("one two three"), Console(width=10), indent=1).plain)
     one two
     three
    """
    width = min(screen.width, PROSE) - indent - hang
    cuts, column, room = [0], 0, width + hang
    for found in PIECE.finditer(text.plain):
        size = cell_len(found[0].rstrip())
        if column and column + size > room:
            cuts.append(found.start())
            column, room = 0, width
        column += cell_len(found[0])
    lines = text.divide(cuts[1:])
    shown = Text(style=style)
    for i, line in enumerate(lines):
        line.rstrip()
        shown.append("\n" if i else "").append(" " * (indent + (hang if i else 0))).append_text(line)
    return shown
