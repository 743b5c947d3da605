"""The house style: two themes, one colour for each thing, and how a figure is begun, labelled, finished and saved.

matplotlib's settings are changed only while a figure is drawn or saved, inside `drawing` and `saving`; pyplot is never used.
Words come from `texts`, with *a* for a variable, which is set in italics.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from xent import files, texts
from xent.errors import UnknownNameError
from xent.figures import fonts

SMALL, LARGE = 9.0, 10.0
THIN, LINE, BOLD = 1.6, 2.0, 2.6
DOTS = (0, (1, 3))

Panels: TypeAlias = list[Axes]
Point: TypeAlias = tuple[float, float]

DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.6)), (0, (1.2, 1.5)), (0, (7, 1.8, 1.4, 1.8)), (0, (3, 1, 1, 1, 1, 1)))


@dataclass(frozen=True)
class Theme:
    """The colours of a figure: the paper, the ink in four strengths, and one colour for each cost (after Okabe and Ito)."""

    background: str
    ink: str
    soft: str
    rule: str
    tint: str
    costs: dict[str, str]
    others: tuple[str, ...]


THEMES = {
    "light": Theme(
        background="#ffffff",
        ink="#1b2026",
        soft="#59616c",
        rule="#9aa2ad",
        tint="#eceff3",
        costs={"quadratic": "#c84e00", "cross-entropy": "#0069a8", "focal": "#00805c", "absolute": "#8c4a94"},
        others=("#8a6a00", "#3f7f93", "#b0305e", "#4a505a"),
    ),
    "dark": Theme(
        background="#14171c",
        ink="#eceae4",
        soft="#a9b0ba",
        rule="#646c78",
        tint="#242a32",
        costs={"quadratic": "#ff9248", "cross-entropy": "#62b8f5", "focal": "#3fcf9d", "absolute": "#d79bdc"},
        others=("#e3c04a", "#7fc4d4", "#ff8fae", "#c3c8d0"),
    ),
}


@dataclass(frozen=True)
class House:
    """A theme and the words of a language: all that drawing a figure needs besides its numbers."""

    theme: Theme
    words: dict[str, str] = field(repr=False)

    @property
    def quadratic(self) -> str:
        """The colour of the quadratic cost."""
        return self.theme.costs["quadratic"]

    @property
    def cross_entropy(self) -> str:
        """The colour of cross-entropy."""
        return self.theme.costs["cross-entropy"]

    def say(self, key: str, /, **values: Any) -> str:
        """A text of this language, its names in braces filled in and its variables in italics."""
        return italic(self.words[key].format(**values))

    def figure(
        self, width: float, height: float, mosaic: str = "A", ratios: Sequence[float] | None = None
    ) -> tuple[Figure, Panels]:
        """An empty figure of so many inches and its panels: "AB" are two side by side, "AC;BC" two in a column beside a third."""
        figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.06))
        panels = figure.subplot_mosaic(mosaic, width_ratios=ratios)
        return figure, [panels[letter] for letter in sorted(panels)]

    def panel(
        self,
        ax: Axes,
        x: str,
        y: str,
        xticks: Sequence[float] | None = None,
        yticks: Sequence[float] | None = None,
        xlim: tuple[float, float] | None = None,
        ylim: tuple[float, float] | None = None,
    ) -> None:
        """What stands around a panel: the name of y above its left end, that of x under its right end, and few ticks."""
        ax.set_title(y)
        ax.set_xlabel(x, loc="right")
        for axis, ticks in ((ax.xaxis, xticks), (ax.yaxis, yticks)):
            axis.set_major_formatter(FuncFormatter(lambda v, _: number(float(v))))
            axis.set_minor_locator(NullLocator())
            if ticks is not None:
                axis.set_major_locator(FixedLocator(ticks))
        ax.set(**{name: limits for name, limits in (("xlim", xlim), ("ylim", ylim)) if limits is not None})

    def write(
        self, ax: Axes, x: float, y: float, text: str, colour: str | None = None, *, rim: bool = True, **options: Any
    ) -> None:
        """A label inside a panel, with a rim of paper so that a line may run behind it."""
        effects = [withStroke(linewidth=3, foreground=self.theme.background)] if rim else []
        usual: dict[str, Any] = {"fontsize": SMALL, "va": "center", "zorder": 6, "path_effects": effects}
        ax.text(x, y, text, color=colour or self.theme.ink, **(usual | options))

    def note(self, ax: Axes, x: float, y: float, text: str, **options: Any) -> None:
        """A label that holds itself back."""
        self.write(ax, x, y, text, self.theme.soft, **options)

    def start(self, ax: Axes, which: int, x: float, y: float) -> None:
        """Where a start stands: start 1 is a ring, start 2 a full square."""
        ink = self.theme.ink
        marker, inside, size = ("o", self.theme.background, 7.0) if which == 1 else ("s", ink, 6.5)
        look: dict[str, Any] = {"markerfacecolor": inside, "markeredgecolor": ink, "markeredgewidth": 1.8}
        ax.plot(x, y, marker, markersize=size, zorder=5, clip_on=False, **look)

    def arrow(self, ax: Axes, tail: Point, head: Point, colour: str | None = None, **options: Any) -> None:
        """A thin arrow."""
        look = {"arrowstyle": "-|>,head_width=0.18,head_length=0.4", "lw": THIN, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xy=head, xytext=tail, arrowprops=look | {"color": colour or self.theme.soft}, **options)


@contextmanager
def drawing(theme: str, language: str, page: str, names: str = "") -> Iterator[House]:
    """The house while a figure is drawn, with the words of a page of `figures.toml`; matplotlib's settings come back afterwards.

    `names` are letters from the user's data that the figure shows. Without a font for Chinese the words are English.
    """
    if theme not in THEMES:
        raise UnknownNameError("theme", theme, THEMES)
    families = fonts.families(language, names)
    spoken = "en" if language == "zh" and len(families) == len(fonts.HOUSE) else language
    words = texts.page("figures", spoken)
    with _settings(_look(THEMES[theme]) | {"font.family": families}), _without_tofu() if names else nullcontext():
        yield House(THEMES[theme], {**words["common"], **words[page]})


@contextmanager
def _without_tofu() -> Iterator[None]:
    """No warning for each letter of a user's name that no font here has; our own words were looked at when they were drawn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def finish(figure: Figure) -> Figure:
    """The figure with its layout worked out once and kept, so that it is the same however often it is saved."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save(figure: Figure, directory: Path, name: str, *, formats: Sequence[str] = ("svg", "png")) -> list[Path]:
    """Writes the figure as directory/name.svg, .png or .pdf, so that no one ever sees half a file; returns the paths.

    Raises UnknownNameError for another format, before anything is written.
    """
    contents = {Path(directory) / f"{name}.{kind}": rendered(figure, kind) for kind in formats}
    files.folder(Path(directory))
    return [files.write(path, content) for path, content in contents.items()]


def svg(figure: Figure) -> str:
    """The figure as an SVG element to stand in a page; its ids are its own, so that many figures fit on one page."""
    text = rendered(figure, "svg").decode()
    text = text[text.index("<svg") :]
    own = "x" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", text)


def italic(text: str) -> str:
    """*a* becomes the italic letter of mathematics, as in the other texts.

    >>> italic("output *a*")
    'output 𝑎'
    """
    return re.sub(r"\*([A-Za-z]+)\*", lambda found: "".join(map(_italic_letter, found[1])), text)


def number(v: float) -> str:
    """A number as a tick says it.

    >>> number(-0.5), number(2e-07), number(1e30)
    ('−0.5', '2×10⁻⁷', '10³⁰')
    """
    digits, _, power = f"{v:.6g}".replace("-", "−").partition("e")
    if not power:
        return digits
    raised = str(int(power.replace("−", "-"))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return {"1": "", "−1": "−"}.get(digits, f"{digits}×") + f"10{raised}"


def _italic_letter(letter: str) -> str:
    if letter == "h":
        return "ℎ"  # Unicode's italic h is Planck's
    return chr(0x1D434 + ord(letter) - ord("A")) if letter.isupper() else chr(0x1D44E + ord(letter) - ord("a"))


def rendered(figure: Figure, kind: str) -> bytes:
    """The bytes of a file of the figure, as SVG, PNG or PDF; the same bytes every time: no date, no random ids."""
    blank: dict[str, dict[str, Any]] = {
        "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
        "png": {"Software": None},
        "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
    }
    if kind not in blank:
        raise UnknownNameError("figure format", kind, blank)
    content = BytesIO()
    with _settings({"svg.fonttype": "path", "svg.hashsalt": "xent", "pdf.fonttype": 42}), _without_tofu():
        figure.savefig(content, format=kind, dpi=200 if kind == "png" else "figure", metadata=blank[kind])
    return content.getvalue()


@contextmanager
def _settings(own: dict[str, Any]) -> Iterator[None]:
    """The defaults of matplotlib and ours upon them, whatever the user has set; the user's come back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(own)  # type: ignore[arg-type]
        yield


def _look(theme: Theme) -> dict[str, Any]:
    return {
        "figure.facecolor": theme.background,
        "axes.facecolor": "none",
        "axes.edgecolor": theme.rule,
        "axes.labelcolor": theme.soft,
        "axes.labelpad": 3,
        "axes.labelsize": 9.5,
        "axes.linewidth": 0.9,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": theme.soft,
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "axes.titlesize": 9.5,
        "font.size": SMALL,
        "lines.dash_capstyle": "butt",
        "lines.linewidth": LINE,
        "lines.scale_dashes": True,
        "text.color": theme.ink,
        "xtick.color": theme.rule,
        "xtick.labelcolor": theme.soft,
        "xtick.labelsize": SMALL,
        "ytick.color": theme.rule,
        "ytick.labelcolor": theme.soft,
        "ytick.labelsize": SMALL,
    }
