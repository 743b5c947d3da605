"""Who may come in, and what a page may do: Host, Origin, the link's token, and the headers of every answer.

Another page in the same browser can send requests to 127.0.0.1. It cannot forge the Host and Origin headers that come with them, so
those decide: Host keeps out a name that was made to point here, Origin a page of somewhere else. Where the lab listens beyond this
machine, a token that only the printed link has is wanted too; it is kept in a cookie, out of the address.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

Scope = MutableMapping[str, Any]
Answer = tuple[int, str]

COOKIE = "xent-lab"
LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws://{host}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script and no style but our own files; nothing from anywhere else, and nobody shows the lab in a frame."""


@dataclass(frozen=True)
class Guard:
    """The gate before the application: an ASGI middleware."""

    app: Callable[..., Any]
    host: str
    token: str | None = None

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self.refusal(scope, headers)
        if refused is None:
            await self.app(scope, receive, self._clothed(send, headers["host"]))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": refused[1][:120]})
        else:
            await self._say(self._clothed(send, "127.0.0.1"), scope, *refused)

    def refusal(self, scope: Scope, headers: dict[str, str]) -> Answer | None:
        """Why a request is turned away, as status and sentence; or where it is sent to; None for one that may come in."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return 400, "this is not a name of this lab: open the link that `xent lab` printed."
        foreign = origin is not None and origin != f"http://{host}"
        wanted = scope["type"] == "websocket" or scope.get("method") not in ("GET", "HEAD")
        if foreign or (wanted and origin is None):
            return 403, "the lab answers only its own pages."
        site, goal = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-dest", "")
        if site in ("cross-site", "same-site") and goal != "document":
            return 403, "the lab answers only its own pages."
        if self.token is None:
            return None
        given = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("token", "")
        if scope["type"] == "http" and hmac.compare_digest(given.encode(), self.token.encode()):
            return 303, "come in"
        if not hmac.compare_digest(_cookie(headers).encode(), self.token.encode()):
            return 403, "the lab on this address wants its token: open the link that `xent lab` printed."
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine: any of its names where the lab listens beyond it, else only this very one."""
        parts = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d+)?", host, flags=re.ASCII)
        if parts is None:
            return False
        name = parts[1]
        if name in LOCAL or name == self.host:
            return True
        if self.token is None:
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))  # an address cannot be made to point elsewhere
        except ValueError:
            return name.lower() in {socket.gethostname().lower(), socket.getfqdn().lower()}
        return True

    def _clothed(self, send: Callable[..., Any], host: str) -> Callable[..., Any]:
        """The same send, with the headers that every answer has."""
        always = {
            "content-security-policy": POLICY.format(host=host),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }

        async def clothed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in always.items()]
                message = {**message, "headers": [*message.get("headers", []), *own]}
            await send(message)

        return clothed

    async def _say(self, send: Callable[..., Any], scope: Scope, status: int, sentence: str) -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        if status == 303:  # the token goes into a cookie and leaves the address
            rest = [(k, v) for k, v in parse_qsl(scope["query_string"].decode("latin-1")) if k != "token"]
            place = "/" + quote(scope["path"].lstrip("/")) + ("?" + urlencode(rest) if rest else "")
            cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Lax"
            headers += [(b"location", place.encode()), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": sentence.encode()})


def _cookie(headers: dict[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
