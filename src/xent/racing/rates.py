"""Each output's own best rate and the best rate for all, picked on tuning rows from a grid that grows at its edges."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from xent.racing.heats import TUNING
from xent.racing.plan import Plan
from xent.racing.running import Runner, cut

GROWTHS = 4
"""So often at most the grid grows for an output at one edge."""

LEAST, MOST = 1e-8, 1e5


@dataclass(frozen=True)
class Picked:
    """The rate of each side, the one rate for all, what tuning measured, and which sides' best is still on the grid's edge."""

    own: tuple[float, ...]
    shared: float
    tuning: pl.DataFrame | None
    on_edge: tuple[int, ...] = ()


def pick(runner: Runner) -> Picked:
    """Rates picked on tuning rows. A grid of one rate leaves nothing to pick; tuning is then run for the goal, if that is open."""
    plan = runner.plan
    sides = range(len(plan.outputs))
    if len(plan.rates) == 1 and plan.goal is not None:
        return Picked(plan.rates * len(plan.outputs), plan.rates[0], None)
    grid = {side: list(plan.rates) for side in sides}
    fresh = {side: tuple(plan.rates) for side in sides}
    measured: list[pl.DataFrame] = []
    for growth in range(GROWTHS + 1):
        measured.append(runner.run(cut(plan, TUNING, fresh, range(plan.tuning_seeds))))
        scores = _scores(plan, pl.concat(measured))
        fresh = {side: _beyond(grid[side], _best(scores, side)) for side in sides}
        if growth == GROWTHS or not any(fresh.values()):
            break
        grid = {side: sorted({*grid[side], *fresh[side]}) for side in sides}
    own = tuple(_best(scores, side) for side in sides)
    edge = tuple(side for side in sides if len(grid[side]) > 1 and own[side] in (min(grid[side]), max(grid[side])))
    return Picked(own, _shared(plan, scores), pl.concat(measured), edge)


def _scores(plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """Accuracy and cost at the last epoch, the mean over seeds, of each side and rate; a seed that diverged has no right answer."""
    last = frame.filter(pl.col("epoch") == plan.epochs).sort("side", "rate", "seed")
    return last.group_by("side", "rate", maintain_order=True).agg(
        pl.col("accuracy").fill_null(0.0).mean(), pl.col("cost").fill_null(float("inf")).mean()
    )


def _best(scores: pl.DataFrame, side: int) -> float:
    """The rate with the best accuracy; of equals that with the least cost, of those the least rate."""
    mine = scores.filter(pl.col("side") == side).sort(
        pl.col("accuracy").round(9), "cost", "rate", descending=[True, False, False], maintain_order=True
    )
    return float(mine["rate"][0])


def _beyond(grid: list[float], best: float) -> tuple[float, ...]:
    """The next rate outside a grid whose best is on its edge: a factor of about 3, as 1, 3, 10."""
    if len(grid) < 2:
        return ()
    ordered = sorted(grid)
    low, high = ordered[0], ordered[-1]
    if best == low and low > LEAST:
        return (_rounded(low * low / ordered[1]),)
    if best == high and high < MOST:
        return (_rounded(high * high / ordered[-2]),)
    return ()


def _rounded(rate: float) -> float:
    """A rate in two digits, 3 for the 3.3 between 1 and 10."""
    digits = float(f"{rate:.1e}")
    scale = 10.0 ** int(f"{digits:e}".partition("e")[2])
    return next((float(f"{nice * scale:.1e}") for nice in (1, 3, 10) if abs(digits / scale / nice - 1) < 0.15), digits)


def _shared(plan: Plan, scores: pl.DataFrame) -> float:
    """The rate of the first grid with the best mean accuracy over all sides: what each of them was run with."""
    first = scores.filter(pl.col("rate").is_in(list(plan.rates)))
    means = first.group_by("rate").agg(pl.col("accuracy").mean()).sort("accuracy", "rate", descending=[True, False])
    return float(means["rate"][0])
