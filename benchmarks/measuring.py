"""What the benchmarks share: the machine in words, rivals measured in turns, and tables put into a Markdown file."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xent import kernels

Run = Callable[[], Any]


def machine(*packages: str) -> str:
    """Cores, processor and versions."""
    info = Path("/proc/cpuinfo")
    model = info.read_text().partition("model name")[2].partition(":")[2].partition("\n")[0].strip() if info.exists() else ""
    versions = ", ".join(f"{name} {found}" for name in packages if (found := _version(name)))
    return f"{kernels.threads()} cores of {model or platform.processor()}, Python {platform.python_version()}, {versions}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def able(makers: dict[str, Callable[[], Run]]) -> dict[str, Run]:
    """The runs that work here, each made and run once; what is left out is said."""
    runs = {}
    for name, make in makers.items():
        try:
            run = make()
            run()
        except Exception as error:  # torch.compile wants a C++ compiler, JAX may not be installed
            print(f"{name} left out: {type(error).__name__}: {str(error).partition(chr(10))[0][:80]}")
        else:
            runs[name] = run
    return runs


def in_turns(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds of every run in every round; a busy moment hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return times


def ratio(times: list[float], of: list[float]) -> float:
    """The median over the rounds of one time over another."""
    return statistics.median(t / o for t, o in zip(times, of, strict=True))


def put(file: Path, mark: str, text: str) -> None:
    """The text between two marks in a file, in place of what stood there."""
    old = file.read_text() if file.exists() else "# Benchmarks\n"
    old = old if mark in old else f"{old.rstrip()}\n\n{mark}{mark}\n"
    before, _, rest = old.partition(mark)
    file.write_text(f"{before}{mark}\n{text}\n{mark}{rest.partition(mark)[2]}")
