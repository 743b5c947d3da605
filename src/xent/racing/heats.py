"""A heat: some lanes of a race, learning together. What comes out is a function of the plan, the data and the heat alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from xent.arrays import Array, namespace, quiet
from xent.data import Data, Split, split
from xent.network import learner, start
from xent.network.plain import State, forward
from xent.outputs import Output
from xent.racing import measures
from xent.racing.plan import Plan

TUNING, JUDGING = "tuning", "judging"
STREAMS = {TUNING: 1, JUDGING: 2}
SPLITTING, STARTING, ORDERING = range(3)

SEEN = 1000
"""So many training rows at most are measured after each epoch."""


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
    """The parts that a seed learns and is measured on: the race's one split, or with `resplit` the seed's own."""
    if not plan.resplit:
        return split(data, seed=plan.first_seed, shares=plan.shares, dtype=plan.dtype)
    drawn = int(generator(plan, stage, seed, SPLITTING).integers(2**31))
    return split(data, seed=drawn, shares=plan.shares, anew=True, dtype=plan.dtype)


def steps(plan: Plan, rows: int) -> int:
    """Steps of an epoch: the rows that do not fill a batch are left out, others each epoch."""
    return max(1, rows // plan.batch)


def run(plan: Plan, data: Data, output: Output, heat: Heat) -> pl.DataFrame:
    """Teach the lanes of a heat, and what was measured: one row for each lane and epoch, epoch 0 the start.

    One thread for each BLAS call, so that no sum is divided otherwise on another machine of the same kind.
    """
    with threadpool_limits(limits=1), quiet():
        return pl.concat(list(_frames(plan, data, output, heat)), how="vertical")


def _frames(plan: Plan, data: Data, output: Output, heat: Heat) -> Iterator[pl.DataFrame]:
    groups = [(seed,) for seed in heat.seeds] if plan.resplit else [heat.seeds]
    for seeds in groups:
        yield _together(plan, divided(plan, data, heat.stage, seeds[0]), output, Heat(heat.stage, heat.side, seeds, heat.rates))


def _together(plan: Plan, parts: Split, output: Output, heat: Heat) -> pl.DataFrame:
    """Lanes that share their rows."""
    to = _placer(plan)
    recipe, lanes = plan.recipe, heat.lanes
    starts = {seed: start(recipe, generator(plan, heat.stage, seed, STARTING)) for seed in heat.seeds}
    state = State.of([to(np.stack(same).astype(plan.dtype)) for same in zip(*(starts[seed] for seed, _ in lanes), strict=True)])
    x, y = to(parts.x_train), to(parts.y_train)
    judged = heat.stage == JUDGING
    x_held, y_held = (to(v) for v in ((parts.x_test, parts.y_test) if judged else (parts.x_tuning, parts.y_tuning)))
    rates = to(np.asarray([rate for _, rate in lanes], plan.dtype))
    batch = min(plan.batch, len(parts.y_train))
    n = steps(plan, len(parts.y_train))
    teach = learner(recipe, x, [(output, slice(0, len(lanes)))])
    side = heat.side + 1 if plan.independent else 0
    orders = {seed: generator(plan, heat.stage, seed, ORDERING, side) for seed in heat.seeds}
    frames = []
    for epoch in range(plan.epochs + 1):
        if epoch:
            drawn = {seed: rng.permutation(len(parts.y_train))[: n * batch].reshape(n, batch) for seed, rng in orders.items()}
            state = teach(
                state, recipe, x, y, to(np.stack([drawn[seed] for seed, _ in lanes])), [(output, slice(0, len(lanes)))], rates
            )
        z = forward(state.parameters, recipe.activation, x_held)[-1]
        found = (measures.full if judged else measures.brief)(output, z, y_held)
        alive = _numpy(measures.finite(z))
        if judged:
            seen = measures.brief(output, forward(state.parameters, recipe.activation, x[:SEEN])[-1], y[:SEEN])
            found |= {f"train_{name}": values for name, values in seen.items()}
        last = epoch == plan.epochs and judged
        extra = _last(output, z, y_held) if last else {"confusion": [None] * len(lanes), "bins": [None] * len(lanes)}
        frames.append(_frame(heat, epoch, found, alive, extra))
    return pl.concat(frames, how="vertical")


def _frame(heat: Heat, epoch: int, found: dict[str, Array], alive: np.ndarray, extra: dict[str, Any]) -> pl.DataFrame:
    """One epoch of all lanes; a lane whose logits are not finite has no numbers, and a number that is none is null."""
    names = [*measures.FULL, *(f"train_{name}" for name in measures.EVERY)]
    columns: dict[str, Any] = {
        "side": [heat.side] * len(heat.lanes),
        "seed": [seed for seed, _ in heat.lanes],
        "rate": [rate for _, rate in heat.lanes],
        "epoch": [epoch] * len(heat.lanes),
        "diverged": [not a for a in alive.tolist()],
    }
    schema: dict[str, Any] = {"side": pl.Int32, "seed": pl.Int32, "rate": pl.Float64, "epoch": pl.Int32, "diverged": pl.Boolean}
    for name in names:
        values = _numpy(found[name]).astype(np.float64) if name in found else np.full(len(alive), np.nan)
        columns[name] = [v if ok and np.isfinite(v) else None for v, ok in zip(values.tolist(), alive, strict=True)]
        schema[name] = pl.Float64
    ok = [bool(a) for a in alive]
    for name, kind in (("confusion", pl.List(pl.Int32)), ("bins", pl.List(pl.Float64))):
        columns[name] = [v if a else None for v, a in zip(extra[name], ok, strict=True)]
        schema[name] = kind
    return pl.DataFrame(columns, schema=schema)


def _last(output: Output, z: Array, labels: Array) -> dict[str, Any]:
    """Confusion matrices and bins of confidence, flat."""
    xp = namespace(z)
    p = measures.probabilities(output, z)
    n = z.shape[0]
    bins = (
        [None] * n
        if p is None
        else _numpy(measures.reliability(p, xp.broadcast_to(labels, z.shape[:-1]), xp)).reshape(n, -1).tolist()
    )
    return {"confusion": measures.confusion(z, labels).reshape(n, -1).tolist(), "bins": bins}


def _numpy(x: Any) -> np.ndarray:
    return np.asarray(x.cpu() if hasattr(x, "cpu") else x)


def _placer(plan: Plan) -> Any:
    """What puts an array where the race is run: NumPy on the processor, PyTorch elsewhere."""
    if plan.device == "cpu":
        return lambda array: array
    import torch

    return lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(plan.device)
