"""How immediate the lab is: from a slider's move to the new figure on the screen, measured in the browser.

And how soon after the command a page can be opened.

    python benchmarks/bench_lab.py [--write docs/benchmarks.md]

A move is an `input` event on the slider; it is painted when the frame after the answer's has begun. Before it the same is measured
for a page that does nothing but wait for two frames: no answer can be quicker than that. Chromium runs without a graphics card.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from measuring import machine, put
from playwright.sync_api import Page, sync_playwright

MARK = "<!-- lab -->"
MOVES, STARTS = 40, 5
PAGES = (
    ("neuron", "/neuron", "rate", "two outputs, 300 steps, four panels"),
    ("costs", "/costs?outputs=focal@sigmoid,quadratic,cross-entropy", "dial-0-0", "three outputs, 401 answers, four panels"),
    ("map", "/map", "rate", "two outputs, 256 × 256 starts, 300 steps each"),
)

MOVE = """([key, ask, moves]) => new Promise(async (done) => {
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const found = [];
    const empty = [];
    for (let i = 0; i < moves; i++) {
        const slider = document.querySelector(`[data-key="${key}"]`);
        await frame();
        let from = performance.now();
        await frame();
        await frame();
        empty.push(performance.now() - from);
        const painted = new Promise((next) => {
            const heard = (event) => {
                if (event.detail !== ask) return;
                document.removeEventListener('painted', heard);
                next();
            };
            document.addEventListener('painted', heard);
        });
        from = performance.now();
        slider.focus();
        slider.value = String(300 + ((i * 37) % 400));
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        await painted;
        await frame();
        found.push(performance.now() - from);
    }
    done([found, empty]);
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into a Markdown file, in place of the last one")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("this wants Chromium: apt install chromium")
    starts = []
    for _ in range(STARTS):
        began = time.perf_counter()
        lab, link = started()
        starts.append(time.perf_counter() - began)
        if len(starts) < STARTS:
            stop(lab)
    rows = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            version = browser.version
            for ask, place, key, what in PAGES:
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                rows.append(measured(page, link.rstrip("/") + place, ask, key, what))
                print(rows[-1], flush=True)
                page.close()
            browser.close()
    finally:
        stop(lab)
    text = "\n".join([
        "## `xent lab`: from a slider's move to the new figure on the screen", "",
        f"`python benchmarks/bench_lab.py`, {MOVES} moves each, Chromium {version} without a graphics card. "
        f"{machine('numpy', 'numba')}.", "",
        "| page | median, ms | 90 %, ms | two empty frames, ms | what is drawn |", "| --- | --- | --- | --- | --- |", *rows, "",
        f"From the command to the first page served: {statistics.median(starts):.2f} s, median of {STARTS}.",
    ])  # fmt: skip
    print(text)
    if options.write:
        put(options.write, MARK, text)


def started() -> tuple[subprocess.Popen[str], str]:
    """A lab that has answered, and its link."""
    command = [sys.executable, "-m", "xent", "lab", "--no-browser", "--port", "0", "--lang", "en"]
    lab = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert lab.stdout is not None
    link = lab.stdout.readline().split()[-4]
    with urlopen(link) as answer:
        answer.read()
    return lab, link


def stop(lab: subprocess.Popen[str]) -> None:
    lab.terminate()
    lab.wait()


def measured(page: Page, link: str, ask: str, key: str, what: str) -> str:
    """A row of the table: one page's slider, moved again and again."""
    page.goto(link)
    page.wait_for_selector(f"[data-key='{key}']")
    page.wait_for_timeout(12_000 if ask == "map" else 3_000)  # loops compiled, plotly loaded
    page.evaluate(MOVE, [key, ask, 5])
    found, empty = (sorted(times) for times in page.evaluate(MOVE, [key, ask, MOVES]))
    late = found[int(0.9 * len(found))]
    return f"| {ask} | {statistics.median(found):.0f} | {late:.0f} | {statistics.median(empty):.0f} | {what} |"


if __name__ == "__main__":
    main()
