"""Curves for the terminal: one panel a quantity, panels side by side where there is room."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.columns import Columns
from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 60, 8
COLOURS = ("yellow", "blue", "green", "magenta", "cyan", "red")


def panels(curves: dict[str, dict[str, Any]], x_label: str, screen: Console) -> Columns:
    """A panel for each title, with a curve for each label; the same label has the same colour and number in all of them."""
    drawn = [Text.from_ansi(_panel(title, lines, x_label, colours=screen.is_terminal)) for title, lines in curves.items()]
    return Columns(drawn, padding=(0, 4))


def legend(labels: list[str]) -> Text:
    """Which number and colour is which curve."""
    parts = [Text(f"{i + 1} {label}", style=COLOURS[i % len(COLOURS)]) for i, label in enumerate(labels)]
    return Text("   ").join(parts)


def _panel(title: str, lines: dict[str, Any], x_label: str, *, colours: bool) -> str:
    import plotille

    figure = plotille.Figure()
    figure.width, figure.height, figure.origin = WIDTH, HEIGHT, False
    figure.color_mode, figure.with_colors = "names", colours
    figure.x_label, figure.y_label = "", ""
    figure.register_label_formatter(float, _short)
    finite = [_finite(values) for values in lines.values()]
    heights = np.concatenate([values for _, values in finite])
    if heights.size == 0:
        return f"{title}: ∞"
    low, high = min(float(heights.min()), 0.0), float(heights.max())
    figure.set_y_limits(low, high + (0.05 * (high - low) or 0.5))
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


def _finite(values: Any) -> tuple[Any, Any]:
    values = np.asarray(values, dtype=float)
    steps = np.arange(values.shape[0], dtype=float)
    return steps[np.isfinite(values)], values[np.isfinite(values)]
