"""The lab as it runs: `xent lab` in a process of its own, and pages of it in the system's Chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.running import start, stop


@pytest.fixture(scope="session")
def lab() -> Iterator[str]:
    """The link to a lab that has some costs of a user's own, without its last slash."""
    mine = Path(__file__).parent / "mine.py"
    process, link = start(*(flag for name in ("Hellinger", "Power", "Picky") for flag in ("--own", f"{mine}:{name}")))
    yield link.rstrip("/")
    code, out, err = stop(process)
    assert (code, out.strip(), err) == (0, "The lab is closed.", "")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    if CHROMIUM is None:
        assert not os.environ.get("XENT_CI"), "these tests need Chromium: apt install chromium"
        pytest.skip("no Chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Visit:
    """A page of the lab in a fresh browser window, and everything that it complained of or asked elsewhere."""

    def __init__(self, browser: Any, lab: str, **options: Any) -> None:
        self.lab = lab
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "accept_downloads": True} | options)
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        self.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=lab)
        self.context.on("request", lambda request: self.asked.add(request.url))
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("websocket", lambda socket: self.asked.add(socket.url))
        self.page.add_init_script(
            "window.painted = {}; document.addEventListener('painted', (e) => (painted[e.detail] = (painted[e.detail] ?? 0) + 1));"
        )

    def open(self, place: str, ask: str | None = None) -> Any:
        """Opens a page and waits until the library's answer is on it."""
        self.page.goto(self.lab + place)
        self.painted(ask or re.match(r"/(\w+)", place)[1], 1)
        return self.page

    def count(self, ask: str) -> int:
        """How many answers of a kind have been painted."""
        return self.page.evaluate("(ask) => painted[ask] ?? 0", ask)

    def painted(self, ask: str, more_than: int) -> None:
        """Waits for so many answers."""
        self.page.wait_for_function("([ask, n]) => (painted[ask] ?? 0) >= n", arg=[ask, more_than])

    def after(self, ask: str, act: Any) -> None:
        """Does something and waits for the answer that it brings."""
        before = self.count(ask)
        act()
        self.painted(ask, before + 1)


@pytest.fixture
def visit(browser: Any, lab: str) -> Iterator[Any]:
    """visit(**options) opens a window; at the end no page has complained or asked anything but this machine."""
    visits: list[Visit] = []

    def enter(**options: Any) -> Visit:
        visits.append(Visit(browser, lab, **options))
        return visits[-1]

    yield enter
    for each in visits:
        each.context.close()
        assert each.complaints == []
        assert {url.partition("//")[2].partition("/")[0] for url in each.asked if not url.startswith(("data:", "blob:"))} <= {
            lab.partition("//")[2]
        }
