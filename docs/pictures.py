"""The README's pictures made anew: `python docs/pictures.py`, or only some: `python docs/pictures.py lab`.

stall    the article's third figure        race     what `xent race digits` draws
doctor   what examples/doctor.py draws     lab      the lab's neuron page, in the system's Chromium
"""

from __future__ import annotations

import io
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

import xent
from xent import figures
from xent.article import Study

IMAGES = Path(__file__).parent / "images"
DOCTOR = Path(__file__).parents[1] / "examples" / "doctor.py"
SIZE = {"width": 1280, "height": 1180}


def stall() -> None:
    """The sigmoid with both starts on it."""
    study = Study()
    both("stall", lambda theme, language: figures.draw("sigmoid-slope", study, theme=theme, language=language))


def race() -> None:
    """What the README's first command finds."""
    found = xent.race("digits")
    both("race", lambda theme, language: found.figure(theme=theme, language=language))


def doctor() -> None:
    """The example's samples."""
    given = runpy.run_path(str(DOCTOR))
    found = xent.torch.diagnose(given["model"], given["criterion"], given["batch"])
    both("doctor", lambda theme, language: found.figure(theme=theme, language=language))


def both(name: str, draw: Any) -> None:
    """A figure on light and on dark, in both languages."""
    for language in ("en", "zh"):
        for theme in ("light", "dark"):
            drawn: Figure = draw(theme, language)
            (IMAGES / f"{name}-{language}-{theme}.svg").write_text(figures.svg(drawn), encoding="utf-8")


def lab() -> None:
    """The article's second experiment at its thirtieth step, in 256 colours."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "xent", "lab", "--no-browser", "--port", "0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        link = re.search(r"http://\S+", running.stdout.readline())
        assert link is not None
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for language in ("en", "zh"):
                page = browser.new_page(viewport=SIZE)
                page.goto(f"{link[0]}neuron?lang={language}&at=30")
                page.wait_for_timeout(2000)  # until all is drawn
                taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                taken.quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"lab-{language}.png", optimize=True)
            browser.close()
    finally:
        running.terminate()
        running.wait()


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["stall", "race", "doctor", "lab"]
    for make in wanted:
        {"stall": stall, "race": race, "doctor": doctor, "lab": lab}[make]()
