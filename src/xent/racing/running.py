"""Running heats: on this process, this machine's cores or a Dask cluster; every finished one is stored at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from joblib import Parallel, cpu_count, delayed, parallel_config

from xent.data import Data
from xent.errors import InputError, MissingPackageError
from xent.outputs import Output
from xent.outputs.own import own_kinds
from xent.processes import deaf_to_interrupts, end_with
from xent.racing import heats
from xent.racing.devices import CPU
from xent.racing.estimate import lane_steps
from xent.racing.heats import Heat
from xent.racing.plan import Plan
from xent.racing.store import Store

Progress = Callable[[str, int, int], None]
"""Called with (stage, heats done, heats of the stage so far known)."""

FEW = 400_000
"""A race of fewer lane-steps than this is over before other processes have started."""

MOST_JOBS = 64
"""Processes that may be asked for on any machine: each of them takes memory of its own."""

TOGETHER = 64
"""So many seeds at most learn together on a GPU, whose memory has an end."""


def silent(stage: str, done: int, total: int) -> None:
    """No progress shown."""


def processes(jobs: int | None) -> int:
    """How many processes share the work: as many as were asked for, or as this machine has cores."""
    if jobs is None:
        return int(cpu_count())
    most = max(MOST_JOBS, 4 * int(cpu_count()))
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= most:
        raise InputError(f"jobs is a whole number of processes from 1 to {most}, but {jobs!r} came.")
    return jobs


def sharing(plan: Plan, data: Data, jobs: int | None) -> int:
    """How many of them it is worth to start for a race; as many as were asked for, in any case."""
    cores = processes(jobs)
    return cores if jobs or lane_steps(plan, data) >= FEW else 1


@dataclass(frozen=True)
class Runner:
    """Who runs heats and where they are kept."""

    plan: Plan
    data: Data
    outputs: tuple[Output, ...]
    store: Store
    jobs: int = 1
    cluster: str | None = None
    progress: Progress = field(default=silent)

    def run(self, wanted: Sequence[Heat]) -> pl.DataFrame:
        """What the heats measured, stored ones read and the others run; the order of rows does not depend on how heats were cut."""
        stage = wanted[0].stage
        todo = [heat for heat in wanted if self.store.get(heat) is None]
        done = len(wanted) - len(todo)
        self.progress(stage, done, len(wanted))
        for heat, frame in self._results(todo):
            self.store.put(heat, frame)
            done += 1
            self.progress(stage, done, len(wanted))
        found = pl.concat([_there(self.store.get(heat), heat) for heat in wanted], how="vertical")
        return found.sort("side", "seed", "rate", "epoch")

    def _results(self, todo: Sequence[Heat]) -> Iterator[tuple[Heat, pl.DataFrame]]:
        if not todo:
            return
        if self.cluster is None and (self.jobs == 1 or len(todo) == 1 or self.plan.device != CPU):
            for heat in todo:
                yield heat, heats.run(self.plan, self.data, self.outputs[heat.side], heat)
            return
        for output in self.outputs:
            _carry(output)
        mine = os.getpid() if self.cluster is None else None
        with self._engine(len(todo)) as pool:
            with deaf_to_interrupts():  # here the processes are started
                found = pool(delayed(_run)(self.plan, self.data, self.outputs[heat.side], heat, mine) for heat in todo)
            yield from found

    @contextmanager
    def _engine(self, heats: int) -> Iterator[Parallel]:
        if self.cluster is None:
            with Parallel(min(self.jobs, heats), backend="loky", return_as="generator_unordered", batch_size=1) as pool:
                yield pool
            return
        with client(self.cluster), parallel_config(backend="dask", scatter=[self.data]):
            yield Parallel(return_as="generator_unordered", batch_size=1)


def _carry(output: Output) -> None:
    """Let a user's own formulas travel as source: another process or machine may not find the file that they stand in."""
    for kind in own_kinds(output):
        module = sys.modules.get(kind.__module__)
        for pickler in ("joblib.externals.cloudpickle", "cloudpickle"):
            if module is not None and kind.__module__ != "__main__" and pickler in sys.modules:
                sys.modules[pickler].register_pickle_by_value(module)


def _run(plan: Plan, data: Data, output: Output, heat: Heat, parent: int | None) -> tuple[Heat, pl.DataFrame]:
    """A heat with its name, for engines that return results in any order; in a process that `parent` may have started for it."""
    if parent not in (None, os.getpid()):
        end_with(parent)
    return heat, heats.run(plan, data, output, heat)


def _there(frame: pl.DataFrame | None, heat: Heat) -> pl.DataFrame:
    assert frame is not None, heat
    return frame


@contextmanager
def client(address: str) -> Iterator[Any]:
    """A client of the Dask cluster at an address."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingPackageError("a cluster needs Dask: pip install 'xent[cluster]'.") from error
    try:
        connect: Any = Client
        made = connect(address, timeout="5s", set_as_default=True)
    except (OSError, ValueError) as error:
        raise InputError(f"there is no Dask scheduler at {address}: {error}. Start one with `dask scheduler`.") from error
    with made:
        if not made.scheduler_info()["workers"]:
            raise InputError(
                f"the Dask scheduler at {address} has no workers: start one on each machine with `dask worker {address}`."
            )
        yield made


def cut(plan: Plan, stage: str, lanes: dict[int, tuple[float, ...]], seeds: Sequence[int]) -> list[Heat]:
    """Heats for these seeds, each side with its rates: one for each seed on processors, many seeds together on a GPU."""
    size = 1 if plan.device == CPU else TOGETHER
    groups = [tuple(seeds[first : first + size]) for first in range(0, len(seeds), size)]
    return [Heat(stage, side, group, rates) for group in groups for side, rates in lanes.items() if rates]
