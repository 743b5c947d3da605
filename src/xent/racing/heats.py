"""A heat: some lanes of a race, learning together. What comes out is a function of the plan, the data and the heat alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from xent.arrays import Array, namespace, quiet
from xent.data import Data, Split, set_apart, split
from xent.network import learner, start
from xent.network.plain import State, forward
from xent.outputs import Output
from xent.racing import devices, measures
from xent.racing.measures import on_processor
from xent.racing.plan import Plan

TUNING, JUDGING = "tuning", "judging"
STREAMS = {TUNING: 1, JUDGING: 2}
SPLITTING, STARTING, ORDERING = range(3)

HALF = 0.5
"""The share of the rows that rates are picked on where each seed has a split of its own."""

SEEN = 500
"""So many training rows at most are measured after each epoch, evenly spaced."""

MEASURED = (*measures.FULL, *(f"train_{name}" for name in measures.EVERY))

SCHEMA: dict[str, Any] = {
    "side": pl.Int32, "seed": pl.Int32, "rate": pl.Float64, "epoch": pl.Int32, "diverged": pl.Boolean,
    **dict.fromkeys(MEASURED, pl.Float64), "confusion": pl.List(pl.Int32), "bins": pl.List(pl.Float64),
}  # fmt: skip


@dataclass(frozen=True)
class Heat:
    """Lanes of one output: every seed with every rate. In tuning they are measured on tuning rows, in judging on test rows."""

    stage: str
    side: int
    seeds: tuple[int, ...]
    rates: tuple[float, ...]

    @property
    def key(self) -> str:
        """A name that no other heat of the race has."""
        seeds, rates = ("-".join(map(str, v)) for v in (self.seeds, self.rates))
        return f"{self.stage}_{self.side}_s{seeds}_r{rates}"

    @property
    def lanes(self) -> list[tuple[int, float]]:
        """(seed, rate) of each lane."""
        return [(seed, rate) for seed in self.seeds for rate in self.rates]


def generator(plan: Plan, stage: str, seed: int, what: int, side: int = 0) -> np.random.Generator:
    """The random numbers of one purpose: streams of tuning and judging never meet, whatever the seeds."""
    return np.random.default_rng([plan.first_seed + seed, STREAMS[stage], what, side])


def divided(plan: Plan, data: Data, stage: str, seed: int) -> Split:
    """The parts that a seed learns and is measured on: the race's one split, or with `resplit` the seed's own.

    With `resplit` rates are picked on one half of the rows and every test part is drawn from the other half, so that no row that
    judges has helped to pick a rate.
    """
    if not plan.resplit:
        return split(data, seed=plan.first_seed, shares=plan.shares, dtype=plan.dtype)
    drawn = int(generator(plan, stage, seed, SPLITTING).integers(2**31))
    everything = np.ones(len(data), dtype=bool)
    picking = set_apart(data.y, everything, HALF, plan.first_seed)
    tested = ~picking if stage == TUNING else set_apart(data.y, ~picking, min(1.0, plan.shares[2] / (1 - HALF)), drawn)
    return split(replace(data, test=tested), seed=drawn, shares=plan.shares, dtype=plan.dtype)


def steps(plan: Plan, rows: int) -> int:
    """Steps of an epoch: the rows that do not fill a batch are left out, others each epoch."""
    return max(1, rows // plan.batch)


def run(plan: Plan, data: Data, output: Output, heat: Heat) -> pl.DataFrame:
    """Teach the lanes of a heat, and what was measured: one row for each lane and epoch, epoch 0 the start.

    One thread for each BLAS call, so that no sum is divided otherwise on another machine of the same kind.

    Raises InputError where the plan's device is not there or its memory too small.
    """
    with threadpool_limits(limits=1), devices.computing(plan.device), quiet():
        return pl.concat(list(_frames(plan, data, output, heat)), how="vertical")


def _frames(plan: Plan, data: Data, output: Output, heat: Heat) -> Iterator[pl.DataFrame]:
    groups = [(seed,) for seed in heat.seeds] if plan.resplit else [heat.seeds]
    for seeds in groups:
        yield _together(plan, divided(plan, data, heat.stage, seeds[0]), output, Heat(heat.stage, heat.side, seeds, heat.rates))


def _together(plan: Plan, parts: Split, output: Output, heat: Heat) -> pl.DataFrame:
    """Lanes that share their rows."""
    to = devices.placer(plan.device)
    recipe, lanes = plan.recipe, heat.lanes
    starts = {seed: start(recipe, generator(plan, heat.stage, seed, STARTING)) for seed in heat.seeds}
    state = State.of([to(np.stack(same).astype(plan.dtype)) for same in zip(*(starts[seed] for seed, _ in lanes), strict=True)])
    x, y = to(parts.x_train), to(parts.y_train)
    judged = heat.stage == JUDGING
    x_held, y_held = (to(v) for v in ((parts.x_test, parts.y_test) if judged else (parts.x_tuning, parts.y_tuning)))
    rates = to(np.asarray([rate for _, rate in lanes], plan.dtype))
    batch = min(plan.batch, len(parts.y_train))
    n, every = steps(plan, len(parts.y_train)), -(-len(parts.y_train) // SEEN)
    teach = learner(recipe, x, [(output, slice(0, len(lanes)))])
    side = heat.side + 1 if plan.independent else 0
    orders = {seed: generator(plan, heat.stage, seed, ORDERING, side) for seed in heat.seeds}
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA}
    for epoch in range(plan.epochs + 1):
        if epoch:
            drawn = {seed: rng.permutation(len(parts.y_train))[: n * batch].reshape(n, batch) for seed, rng in orders.items()}
            state = teach(
                state, recipe, x, y, to(np.stack([drawn[seed] for seed, _ in lanes])), [(output, slice(0, len(lanes)))], rates
            )
        z = forward(state.parameters, recipe.activation, x_held)[-1]
        found = (measures.full if judged else measures.brief)(output, z, y_held)
        alive = on_processor(measures.finite(z))
        if judged:
            seen = measures.brief(output, forward(state.parameters, recipe.activation, x[::every])[-1], y[::every])
            found |= {f"train_{name}": values for name, values in seen.items()}
        last = epoch == plan.epochs and judged
        extra = _last(output, z, y_held) if last else {"confusion": [None] * len(lanes), "bins": [None] * len(lanes)}
        for name, values in _rows(heat, epoch, found, alive, extra).items():
            columns[name] += values
    return pl.DataFrame(columns, schema=SCHEMA)


def _rows(heat: Heat, epoch: int, found: dict[str, Array], alive: np.ndarray, extra: dict[str, Any]) -> dict[str, list[Any]]:
    """One epoch of all lanes; a lane whose logits are not finite has no numbers, and a number that is none is null."""
    n = len(heat.lanes)
    columns: dict[str, list[Any]] = {
        "side": [heat.side] * n,
        "seed": [seed for seed, _ in heat.lanes],
        "rate": [rate for _, rate in heat.lanes],
        "epoch": [epoch] * n,
        "diverged": (~alive).tolist(),
    }
    for name in MEASURED:
        values = on_processor(found[name]).astype(np.float64) if name in found else np.full(n, np.nan)
        columns[name] = [v if ok else None for v, ok in zip(values.tolist(), alive & np.isfinite(values), strict=True)]
    for name in ("confusion", "bins"):
        columns[name] = [v if ok else None for v, ok in zip(extra[name], alive, strict=True)]
    return columns


def _last(output: Output, z: Array, labels: Array) -> dict[str, Any]:
    """Confusion matrices and bins of confidence, flat."""
    xp = namespace(z)
    p = measures.probabilities(output, z)
    n = z.shape[0]
    bins: list[Any] = [None] * n
    if p is not None:
        y = xp.broadcast_to(labels, z.shape[:-1])
        bins = on_processor(measures.reliability(p, y, xp)).reshape(n, -1).tolist()
    return {"confusion": measures.confusion(z, labels).reshape(n, -1).tolist(), "bins": bins}
