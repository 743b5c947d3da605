"""`xent lab`: the library in the browser."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from xent import texts
from xent.cli import flags
from xent.errors import InputError, MissingPackageError


def lab(
    *,
    host: str = "127.0.0.1",
    port: flags.Whole | None = None,
    browser: Annotated[bool, Parameter(negative="--no-browser")] = True,
    lang: flags.Lang = None,
) -> None:
    """Open the lab: take hold of the neuron, overlay costs, paint the stall map, in the browser. Ctrl-C stops it.

    It listens on this machine only and sends nothing anywhere. On another --host it prints a link with a token; who has the link
    can use the lab.

    Parameters
    ----------
    host
        Address to listen on; 0.0.0.0 for all of this machine's.
    port
        Port to listen on; a free one if it is taken. 8640 if not given.
    browser
        Open the page in the browser.
    """
    if port is not None and not 0 <= port <= 65535:
        raise InputError(f"--port is a number from 0 to 65535 (0: any free one), but {port} came.")
    try:
        from xent.lab import server
    except ImportError as error:
        raise MissingPackageError(f"the lab needs {error.name}, which is not here: pip install 'xent[lab]'.") from error
    language, screen = flags.language(lang), flags.console()
    words = texts.page("cli", language)["lab"]

    def say(address: server.Address) -> None:
        wanted = server.PORT if port is None else port
        if wanted not in (0, address.port):
            screen.print(words["taken"].format(port=wanted), soft_wrap=True)
        screen.print(words["open"].format(link=address.link), soft_wrap=True)
        if address.token:
            screen.print(words["token"], soft_wrap=True)

    server.serve(host, port, language=language, browser=browser, say=say)
    screen.print(words["closed"])
