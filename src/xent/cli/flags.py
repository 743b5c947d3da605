"""The flags that every command shares, and how numbers and text leave the program."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token
from rich.console import Console

from xent import texts

Out = Annotated[Path | None, Parameter(name="--out")]
Json = Annotated[bool, Parameter(name="--json", negative="")]
Lang = Annotated[Literal["en", "zh"] | None, Parameter(name="--lang")]


TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())
"""What was typed after the program's name, for reports that say how to repeat them."""


def _whole(type_: type, tokens: Sequence[Token]) -> int:
    """A whole number as it was typed: 2.5 is an error, not 2."""
    return int(tokens[0].value)


Whole = Annotated[int, Parameter(converter=_whole)]
"""A number of steps, a seed: cyclopts alone would round 2.5 down."""


List = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""Numbers separated by commas, of which the first may be negative: --span -6,6."""


def language(lang: str | None) -> str:
    """The language asked for, or that of the locale."""
    return lang or texts.language_of_locale()


class Screen(Console):
    """A console whose reader may go (`| head -1`): that ends the command, and is no failure."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, quiet: bool = False) -> Console:
    """Where a person reads: standard output, or standard error while standard output carries data."""
    return Screen(stderr=quiet, highlight=False, soft_wrap=False)


def mind_the_font(language: str, screen: Console) -> None:
    """Say which package brings Chinese glyphs, where figures want them and there are none."""
    from xent.figures import fonts

    if language == "zh" and fonts.chinese_font() is None:
        screen.print(fonts.what_to_install(language), style="yellow", soft_wrap=True)


def as_json(data: Any) -> str:
    """JSON that any reader takes: infinite and undefined numbers are null."""
    return json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
