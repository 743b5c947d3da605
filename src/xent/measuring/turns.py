"""Rivals measured in turns, so that a busy moment hits all of them, and the machine that it was on."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from typing import Any

from xent.threads import threads

Run = Callable[[], Any]
REST, TURN = 0.03, 0.03
"""Seconds between two turns, and of a turn at least."""


def machine(*packages: str) -> str:
    """Cores, processor and versions."""
    info = Path("/proc/cpuinfo")
    model = info.read_text().partition("model name")[2].partition(":")[2].partition("\n")[0].strip() if info.exists() else ""
    versions = ", ".join(f"{name} {found}" for name in packages if (found := _version(name)))
    return f"{threads()} cores of {model or platform.processor()}, Python {platform.python_version()}, {versions}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def able(makers: dict[str, Callable[[], Run]]) -> tuple[dict[str, Run], dict[str, str]]:
    """The runs that work here, each made and run once, and why the others do not."""
    runs, left_out = {}, {}
    for name, make in makers.items():
        try:
            run = make()
            run()
        except Exception as error:  # torch.compile wants a C++ compiler, JAX may not be installed
            left_out[name] = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:80]}"
        else:
            runs[name] = run
    return runs, left_out


def in_turns(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds a call of every run in every round, of TURN seconds each; a busy moment hits all of them.

    A turn begins when the threads of whoever was last have stopped waiting by spinning, with a call that is not timed: each finds
    the caches and the free memory that it left itself, as in a training loop. Each round has an order of its own all the same.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name, run in Random(turn).sample(list(runs.items()), len(runs)):
            time.sleep(REST)
            run()
            calls, began = 0, time.perf_counter()
            while not calls or time.perf_counter() - began < TURN:
                run()
                calls += 1
            times[name].append((time.perf_counter() - began) / calls)
    return times


def ratio(times: list[float], of: list[float]) -> float:
    """The median over the rounds of one time over another."""
    return statistics.median(t / o for t, o in zip(times, of, strict=True))
