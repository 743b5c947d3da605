"""How immediate the lab is: from a slider's move to the new figure on the screen, measured in the browser.

And how soon after the command a page can be opened.

    python benchmarks/bench_lab.py

A move is an `input` event on the slider; it is painted when the frame after the answer's has begun. Before it the same is measured
for a page that does nothing but wait for two frames: no answer can be quicker than that. Chromium runs without a graphics card.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time

from playwright.sync_api import Page, sync_playwright

MOVES = 40
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
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("this wants Chromium: apt install chromium")
    began = time.perf_counter()
    command = [sys.executable, "-m", "xent", "lab", "--no-browser", "--port", "0", "--lang", "en"]
    lab = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert lab.stdout is not None
    link = lab.stdout.readline().split()[-4]
    started = time.perf_counter() - began
    print(f"from the command to a page that can be opened: {started:.2f} s\n")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            print(f"{'page':8} {'median':>9} {'90 %':>9} {'two empty frames':>18}")
            for ask, place, key, what in PAGES:
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                print(measured(page, link.rstrip("/") + place, ask, key, what), flush=True)
                page.close()
            browser.close()
    finally:
        lab.terminate()
        lab.wait()


def measured(page: Page, link: str, ask: str, key: str, what: str) -> str:
    page.goto(link)
    page.wait_for_selector(f"[data-key='{key}']")
    page.wait_for_timeout(12_000 if ask == "map" else 3_000)  # loops compiled, plotly loaded
    page.evaluate(MOVE, [key, ask, 5])
    found, empty = (sorted(times) for times in page.evaluate(MOVE, [key, ask, MOVES]))
    late = found[int(0.9 * len(found))]
    return f"{ask:8} {statistics.median(found):6.0f} ms {late:6.0f} ms {statistics.median(empty):15.0f} ms   {what}"


if __name__ == "__main__":
    main()
