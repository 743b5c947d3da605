"""`xent lab`: the library in the browser."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from xent import texts
from xent.checking.findings import Finding
from xent.cli import flags
from xent.cli.own import checked
from xent.errors import InputError, MissingPackageError
from xent.outputs import Output
from xent.outputs.naming import split
from xent.owned import Found, Place


def lab(
    *,
    own: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    host: str = "127.0.0.1",
    port: flags.Whole | None = None,
    browser: Annotated[bool, Parameter(negative="--no-browser")] = True,
    lang: flags.Lang = None,
) -> None:
    """Open the lab: take hold of the neuron, overlay costs, paint the stall map, in the browser. Ctrl-C stops it."""
    if port is not None and not 0 <= port <= 65535:
        raise InputError(f"--port is a number from 0 to 65535 (0: any free one), but {port} came.")
    try:
        from xent.lab import server
        from xent.lab.own import Own
    except ImportError as error:
        raise MissingPackageError(f"the lab needs {error.name}, which is not here: pip install 'xent[lab]'.") from error
    language, screen = flags.language(lang), flags.console()
    words = texts.page("cli", language)["lab"]
    brought = Own.of(_checked(own, language))

    def say(address: server.Address) -> None:
        wanted = server.PORT if port is None else port
        if wanted not in (0, address.port):
            screen.print(words["taken"].format(port=wanted), soft_wrap=True)
        screen.print(words["open"].format(link=address.link), soft_wrap=True)
        if address.token:
            screen.print(words["token"], soft_wrap=True)

    server.serve(host, port, own=brought, language=language, browser=browser, say=say)
    screen.print(words["closed"])


def _checked(named: tuple[str, ...], language: str) -> list[tuple[Found, Output, tuple[Finding, ...]]]:
    """What was named, each found and checked."""
    brought = []
    for name in (name for text in named for name in split(text)):
        if ":" not in name and not name.endswith(".py"):
            raise InputError(f"--own brings what is yours, as module:Name or file.py:Name, but {name!r} came; "
                             "what is xent's every page has anyway.")  # fmt: skip
        found = Place.of(name).found()
        output, verdict = checked(found, language)
        brought.append((found, output, verdict.problems))
    return brought
