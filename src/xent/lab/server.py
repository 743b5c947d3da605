"""The server: pages, words, exports and the live socket behind the guard, and how it starts, opens the browser and stops."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from xent import __version__, texts
from xent.errors import InputError, MissingPackageError, XentError
from xent.lab.answers import ANSWERS, answer
from xent.lab.exports import KINDS, export
from xent.lab.guard import Guard
from xent.lab.live import live
from xent.lab.own import NONE, Own
from xent.lab.races import LARGEST, TAKEN, Races
from xent.lab.words import words

PORT = 8640
PAGES = ("neuron", "costs", "map", "race", "doctor")
LARGEST_MESSAGE = 1 << 20


@dataclass(frozen=True)
class Address:
    """Where the lab listens, and the link to it."""

    host: str
    port: int
    token: str | None

    @property
    def link(self) -> str:
        """What to open."""
        host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(self.host, self.host)
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/" + (f"?token={self.token}" if self.token else "")


def application(races: Races, host: str = "127.0.0.1", token: str | None = None, language: str = "en") -> Guard:
    """The lab as an ASGI application."""
    static = Path(str(files("xent.lab") / "static"))
    shell = _shell(language)

    async def page(request: Request) -> Response:
        return Response(shell, media_type="text/html", headers={"cache-control": "no-cache"})

    async def home(request: Request) -> Response:
        return RedirectResponse("/neuron" + (f"?{request.url.query}" if request.url.query else ""))

    async def speech(request: Request) -> Response:
        return JSONResponse(words(request.path_params["language"], races.own), headers={"cache-control": "no-cache"})

    async def plotly(request: Request) -> Response:
        return FileResponse(plotly_script(), media_type="text/javascript", headers={"cache-control": "no-cache"})

    async def exported(request: Request) -> Response:
        name, kind = request.path_params["page"], request.path_params["kind"]
        content = await run_in_threadpool(export, name, kind, dict(request.query_params), races.own)
        named = {"content-disposition": f'attachment; filename="xent-{name}.{kind}"', "cache-control": "no-store"}
        return Response(content, media_type=KINDS[kind], headers=named)

    async def upload(request: Request) -> Response:
        length = int(request.headers.get("content-length") or 0)  # digits: the server sees to that
        try:
            return JSONResponse(await races.take(request.query_params.get("name", ""), length, request.stream()))
        except InputError as error:
            return PlainTextResponse(str(error), status_code=400 if length <= LARGEST else 413, headers={"connection": "close"})

    async def taken(request: Request) -> Response:
        name, place = request.path_params["name"], races.folder / request.path_params["key"] / request.path_params["name"]
        if name not in TAKEN or not re.fullmatch("[0-9a-f]{16}", request.path_params["key"]) or not place.is_file():
            return PlainTextResponse("there is no such file of a race that is done.", status_code=404)
        return FileResponse(place, media_type=TAKEN[name], filename=f"xent-{name}", headers={"cache-control": "no-store"})

    routes = [
        Route("/", home),
        *(Route(f"/{name}", page) for name in PAGES),
        Route("/words/{language}.json", speech),
        Route("/export/{page}.{kind}", exported),
        Route("/upload", upload, methods=["POST"]),
        Route("/race/{key}/{name}", taken),
        Route("/plotly.js", plotly),
        Mount("/static", _Static(directory=static)),
        WebSocketRoute("/live", live),
    ]
    app = Starlette(routes=routes, exception_handlers={XentError: _refused, 404: _nowhere})
    numbers = {ask: partial(answer, ask, own=races.own) for ask in ANSWERS}
    app.state.answers = {**numbers, "race": races.state, "race-start": races.start, "race-stop": races.stop}
    return Guard(app, host, token)


class _Static(StaticFiles):
    """Our files: asked for again each time, since the next version of xent may have others."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        response.headers["cache-control"] = "no-cache"
        if response.headers.get("content-type", "").startswith(("text/plain", "application/octet-stream")):
            response.headers["content-type"] = "text/javascript"  # where the machine does not know what a .js file is
        return response


async def _refused(request: Request, error: Exception) -> Response:
    """A person's own mistake, said in a sentence."""
    return PlainTextResponse(str(error), status_code=400)


async def _nowhere(request: Request, error: Exception) -> Response:
    """An address that leads nowhere, and those that lead somewhere."""
    return PlainTextResponse(f"there is no such page: the lab has {', '.join(f'/{name}' for name in PAGES)}.", status_code=404)


def _shell(language: str) -> str:
    """The page that all pages begin as."""
    said = texts.page("lab", language)["shell"]
    html = (files("xent.lab") / "static" / "page.html").read_text(encoding="utf-8")
    given = {"lang": texts_tag(language), "title": said["title"], "noscript": said["noscript"], "version": __version__}
    for name, value in given.items():
        html = html.replace(f"{{{{{name}}}}}", escape(value))
    return html.replace("{{styles}}", "".join(f'<meta id="{id}">' for id in plotly_styles()))


def texts_tag(language: str) -> str:
    """The language as HTML names it."""
    return {"zh": "zh-Hans"}.get(language, language)


@cache
def plotly_script() -> Path:
    """plotly's script in the installed package."""
    found = find_spec("plotly")
    place = Path(found.origin).parent / "package_data" / "plotly.min.js" if found and found.origin else None
    if place is None or not place.is_file():
        raise MissingPackageError("the lab draws with plotly, which is not here: pip install 'xent[lab]'.")
    return place


@cache
def plotly_styles() -> list[str]:
    """The ids of the style elements that parts of plotly's script bring along, unless an element with that id is there."""
    return sorted(set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', plotly_script().read_text(encoding="utf-8"))))


# ── starting and stopping ─────────────────────────────────────────────────────────────────────────────────────────────


def serve(
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    own: Own = NONE,
    language: str = "en",
    browser: bool = True,
    say: Callable[[Address], None],
) -> None:
    """Listen until Ctrl-C; `say` is told the address once a page can be opened there, `own` are the user's own costs.

    Raises InputError for a host that is none of this machine's.
    """
    plotly_script()
    listening = listen(host, port)
    place = listening.getsockname()
    token = None if ipaddress.ip_address(place[0]).is_loopback else secrets.token_urlsafe(24)
    address = Address(host, place[1], token)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that a race ends and its folder goes
    try:
        _serve(listening, address, own, language, browser, say)
    except KeyboardInterrupt:
        return
    finally:
        listening.close()


def _serve(
    listening: socket.socket, address: Address, own: Own, language: str, browser: bool, say: Callable[[Address], None]
) -> None:
    with TemporaryDirectory(prefix="xent-lab-", ignore_cleanup_errors=True) as folder, closing(Races(Path(folder), own)) as races:
        config = uvicorn.Config(
            application(races, address.host, address.token, language),
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
        say(address)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address.link,), daemon=True).start()
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket: on the wanted port, or on a free one where that is taken."""
    for wanted in dict.fromkeys((PORT if port is None else port, 0)):
        try:
            family, kind, _, _, place = socket.getaddrinfo(host, wanted, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            made = socket.socket(family, kind)
        except (OSError, OverflowError, UnicodeError) as error:
            raise InputError(f"there is no host {host!r}: {error}. Leave --host out for this machine only.") from error
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(place)
            made.listen(128)
        except OSError as error:
            made.close()
            last = error
            continue
        return made
    raise InputError(f"cannot listen on {host}: {last.strerror}. Leave --host out for this machine only.") from last
