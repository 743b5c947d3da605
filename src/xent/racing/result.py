"""`xent.race`: the plan made, the rates picked, the seeds judged, and the answer with all that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from xent import __version__
from xent.data import Data
from xent.data import load as load_data
from xent.data.loading import Source
from xent.errors import InputError, UnknownNameError
from xent.outputs import Output
from xent.racing import devices, rates
from xent.racing import plan as planning
from xent.racing.devices import CPU
from xent.racing.estimate import insist_on_memory
from xent.racing.heats import JUDGING
from xent.racing.plan import OUTPUTS, Plan
from xent.racing.rates import Picked
from xent.racing.running import Progress, Runner, cut, processes, sharing, silent
from xent.racing.statistics import INTERVALS
from xent.racing.store import Store
from xent.racing.verdict import ACCURACY, Verdict, judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEAR_BEST = 0.95
"""The goal, where none is given: this part of the best accuracy in tuning, in whole percents."""

MOST_SEEDS = 500
"""`precision` stops here."""


@dataclass(frozen=True)
class Race:
    """What a race found.

    `table` has one row for each output, seed, rate and epoch (0 is the start), measured on the test part, `train_…` on the
    training part; `own` and `shared` say whether the rate is the output's own best or the one for all. Where a network diverged or
    an output is no probability the number is null. `tuning` is what the rates were picked from; `last` has confusion matrices and
    bins of confidence after the last epoch.
    """

    plan: Plan
    data: Data = field(repr=False)
    outputs: tuple[Output, ...]
    table: pl.DataFrame = field(repr=False)
    tuning: pl.DataFrame | None = field(repr=False)
    last: pl.DataFrame = field(repr=False)
    picked: Picked = field(repr=False)
    verdict: Verdict
    folder: Path | None = None

    def figure(self, *, theme: str = "light", language: str = "en") -> Figure:
        """Learning curves with bands, gain, stalled share and rate sensitivity, as a matplotlib figure."""
        from xent import figures

        return figures.draw_race(self, theme=theme, language=language)

    def report(self, path: str | Path, *, language: str = "en", command: str | None = None) -> Path:
        """Write the report as one HTML file, which needs no network; returns its path. `command` is what was typed, if anything."""
        from xent import figures, files, report

        place = Path(path)
        files.folder(place.parent)

        def drawn(part: str, theme: str) -> str:
            return figures.svg(figures.draw_race_part(part, self, theme=theme, language=language))

        pictures = {part: (drawn(part, "light"), drawn(part, "dark")) for part in report.race_figures(self)}
        return files.write(place, report.race(self, language=language, figures=pictures, version=__version__, command=command))

    def numbers(self) -> dict[str, Any]:
        """The plan, the rates, the verdict and the last epoch of every lane, as plain data."""
        final = self.table.filter(pl.col("epoch") == self.plan.epochs)
        return {
            "plan": {"hash": self.plan.hash, **{k: getattr(self.plan, k) for k in self.plan.__dataclass_fields__}},
            "rates": {"own": dict(zip(self.plan.labels, self.picked.own, strict=True)), "shared": self.picked.shared},
            "winner": self.verdict.winner,
            "verdict": self.verdict.numbers(),
            "last_epoch": final.to_dicts(),
        }

    def never(self, side: int) -> list[int]:
        """The seeds on which an output, at its own rate, never had the goal's accuracy."""
        mine = self.table.filter(pl.col("own") & (pl.col("side") == side))
        best = mine.group_by("seed").agg(pl.col("accuracy").fill_null(0.0).max())
        return sorted(best.filter(pl.col("accuracy") < self.verdict.goal)["seed"].to_list())

    def _repr_html_(self) -> str:
        """The verdict and the figure, where a notebook shows the race."""
        from markupsafe import escape

        from xent import figures

        said = "".join(f"<p>{escape(line)}</p>" for line in str(self.verdict).splitlines())
        return said + figures.svg(self.figure())

    @cached_property
    def summary(self) -> pl.DataFrame:
        """The last epoch at each output's own rate, the mean over seeds of every measure; `first_…` after the first epoch."""
        own = self.table.filter(pl.col("own"))
        first = own.filter(pl.col("epoch") == 1).group_by("side").agg(pl.col("gain", "stalled").mean().name.prefix("first_"))
        last = own.filter(pl.col("epoch") == self.plan.epochs).group_by("side", "output", "rate", maintain_order=True)
        measured = ("accuracy", "cost", "stalled", "gain", "log_loss", "brier", "calibration")
        means = last.agg(pl.col("accuracy").std().alias("accuracy_sd"), pl.col("diverged").sum(), pl.col(*measured).mean())
        return means.join(first, on="side", maintain_order="left")


def race(
    data: Source,
    outputs: Sequence[str | Output] = OUTPUTS,
    hidden: Sequence[int] | int = (30,),
    rates: Sequence[float] | float | None = None,
    seeds: int = 10,
    epochs: int = 30,
    *,
    target: str | None = None,
    missing: str = "refuse",
    interval: str = "t",
    out: str | Path | None = None,
    jobs: int | None = None,
    cluster: str | None = None,
    progress: Progress = silent,
    **choices: Any,
) -> Race:
    """Train networks under each output, from the same starts on the same batches, and say which learns best, or that none does.

    `data` is anything that `xent.data.load` takes (`target` and `missing` are its): a name, a file, a pair (x, y) of arrays, a
    DataFrame. `rates` is the grid from which each output gets its own best and all get one; seeds after the first are told apart by
    nothing but chance. `interval` is "t" or "bootstrap-t".
    Further choices are those of `Plan`: activation, init, optimiser (sgd, momentum, adam), momentum, l2, batch, tuning_seeds,
    first_seed, goal, shares, resplit, precision (seeds are added until the interval is so narrow), dtype, device.

    `device` is "cpu", or "cuda" ("cuda:1", …) for PyTorch arrays on a GPU: starts and batches are those of the processor, one
    process teaches all seeds and rates of an output together, and results are the processor's to rounding, not to the last bit.
    float32 is computed as float32, with TF32 and the like off while the race runs, also where they were switched on.

    With `out`, every finished part is kept in that folder at once, and the same call goes on where it was stopped; `jobs` is how
    many processes share the work, `cluster` the address of a Dask scheduler. Results do not depend on either.

    Raises InputError for what cannot be raced, with what to do instead.

    >>> found = race("iris", ["quadratic@sigmoid", "cross-entropy@softmax"], 4, rates=[0.1, 0.3, 1.0], seeds=3, epochs=2, jobs=1)
    >>> found.table.height, found.verdict.answer().enough
    (27, False)
    """
    rows = load_data(data, target, missing=missing)
    plan, chosen = planning.plan(rows, outputs, hidden=hidden, rates=rates, seeds=seeds, epochs=epochs, **choices)
    if interval not in INTERVALS:
        raise UnknownNameError("interval", interval, INTERVALS)
    cores = processes(jobs)
    if cluster is None:
        devices.insist(plan.device)
    if cores > 1 and jobs and (cluster or plan.device != CPU):
        reason = "a cluster shares it out among its own workers" if cluster else f"on {plan.device!r} one process runs all of it"
        raise InputError(f"jobs={jobs} shares a race out among processes of this machine, but {reason}: leave jobs (--jobs) out.")
    cores = sharing(plan, rows, jobs)
    if cluster is None and plan.device == CPU:
        insist_on_memory(plan, rows, cores)
    store = Store(None if out is None else Path(out), plan)
    runner = Runner(plan, rows, chosen, store, cores, cluster, progress)
    try:
        return _judged(runner, interval)
    except BaseException:
        store.leave()
        raise


def _judged(runner: Runner, interval: str) -> Race:
    """Rates picked, seeds judged, and more of them where a precision is asked for."""
    plan = runner.plan
    picked = rates.pick(runner)
    goal = plan.goal if plan.goal is not None else _goal(plan, picked)
    while True:
        lanes = {side: tuple(sorted({picked.own[side], picked.shared})) for side in range(len(plan.outputs))}
        frame = runner.run(cut(plan, JUDGING, lanes, range(plan.seeds)))
        table = _tidy(plan, frame, picked)
        verdict = judge(plan, table, goal, interval=interval)
        if _narrow(plan, verdict) or plan.seeds >= MOST_SEEDS:
            break
        plan = plan.with_seeds(min(MOST_SEEDS, plan.seeds + max(2, plan.seeds // 2)))
    last = frame.filter(pl.col("epoch") == plan.epochs).select("side", "seed", "rate", "confusion", "bins")
    return Race(plan, runner.data, runner.outputs, table, picked.tuning, last, picked, verdict, runner.store.folder)


def _narrow(plan: Plan, verdict: Verdict) -> bool:
    """Whether the interval of the best against the next is as narrow as was asked for, from seeds enough to show anything.

    Without the second, two seeds with equal scores would have an interval of no width. Sides that diverged have no say.
    """
    answer = verdict.answer(ACCURACY)
    pairs = [pair for pair in answer.pairs if not {pair.better, pair.worse} & set(answer.diverged)]
    return plan.precision is None or not pairs or (answer.enough and (pairs[0].high - pairs[0].low) / 2 <= plan.precision)


def _tidy(plan: Plan, frame: pl.DataFrame, picked: Picked) -> pl.DataFrame:
    """The measurements with the outputs' names and what each rate is."""
    sides = range(len(plan.outputs))
    named = pl.DataFrame(
        {"side": list(sides), "output": plan.labels, "best": list(picked.own)},
        schema={"side": pl.Int32, "output": pl.String, "best": pl.Float64},
    )
    table = frame.join(named, on="side", maintain_order="left").with_columns(
        own=pl.col("rate") == pl.col("best"), shared=pl.col("rate") == picked.shared
    )
    first = ("output", "side", "seed", "rate", "own", "shared", "epoch", "diverged")
    return table.select(*first, *(c for c in frame.columns if c not in (*first, "confusion", "bins")))


def _goal(plan: Plan, picked: Picked) -> float:
    """An accuracy near the best that any output had in tuning."""
    assert picked.tuning is not None
    last = (
        picked.tuning.filter(pl.col("epoch") == plan.epochs).group_by("side", "rate").agg(pl.col("accuracy").fill_null(0.0).mean())
    )
    best = last["accuracy"].max()
    assert isinstance(best, float)
    return int(100 * NEAR_BEST * best + 1e-9) / 100
