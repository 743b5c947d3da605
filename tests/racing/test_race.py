"""The race as a whole: fair, honest, the same bits however it is run, and plain words for what cannot be raced."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import xent
from xent.data import load, split
from xent.errors import InputError
from xent.network import start
from xent.racing import estimate, heats, rates
from xent.racing.heats import Heat
from xent.racing.plan import plan
from xent.racing.running import Runner, cut
from xent.racing.store import Store
from xent.racing.verdict import judge
from xent.racing.words import sentences

SIDES = ["quadratic@sigmoid", "cross-entropy@softmax"]
SMALL = {"hidden": (4,), "rates": (0.1, 0.3, 1.0), "seeds": 3, "epochs": 3, "jobs": 1}


@pytest.fixture(scope="module")
def iris():
    return load("iris")


@pytest.fixture(scope="module")
def small(iris):
    return xent.race(iris, SIDES, **SMALL)


def test_the_table_is_tidy(small):
    table = small.table
    assert table.columns[:8] == ["output", "side", "seed", "rate", "own", "shared", "epoch", "diverged"]
    keys = table.select("side", "seed", "rate", "epoch")
    assert keys.is_unique().all()
    assert (table["own"] | table["shared"]).all()
    for rating in ("own", "shared"):
        assert table.filter(pl.col(rating)).height == 2 * 3 * 4
    assert not table["accuracy"].is_nan().any()
    assert table["accuracy"].is_between(0, 1).all()
    assert table.filter(pl.col("output") == "cross-entropy@softmax")["gain"].drop_nulls().to_numpy() == pytest.approx(1.0, rel=1e-5)


def test_measures_by_their_definitions(iris):
    """One lane taught here again, measured row by row in float64."""
    made, (output,) = plan(iris, ["quadratic@sigmoid"], rates=(1.0,), seeds=1, epochs=1, goal=0.5, dtype="float64", hidden=())
    frame = heats.run(made, iris, output, Heat("judging", 0, (0,), (1.0,)))
    parts = split(iris)
    w, b = start(made.recipe, heats.generator(made, "judging", 0, heats.STARTING))
    z = parts.x_test @ w + b
    a, y = 1 / (1 + np.exp(-z)), np.eye(3)[parts.y_test]
    first = frame.filter(pl.col("epoch") == 0).to_dicts()[0]
    delta = (a - y) * a * (1 - a)
    gain = np.linalg.norm(delta, axis=1) / np.linalg.norm(a - y, axis=1)
    wrong = z.argmax(1) != parts.y_test
    p = a / a.sum(1, keepdims=True)
    sure, right = p.max(1), p.argmax(1) == parts.y_test
    bins = np.minimum((sure * 10).astype(int), 9)
    expected = {
        "cost": (0.5 * (a - y) ** 2).sum(1).mean(),
        "accuracy": 1 - wrong.mean(),
        "stalled": ((np.abs(a - y).max(1) > 0.5) & (gain < 0.1)).mean(),
        "gain": gain[wrong].mean(),
        "log_loss": -np.log(p[np.arange(30), parts.y_test]).mean(),
        "brier": ((p - y) ** 2).sum(1).mean(),
        "calibration": sum(abs(right[bins == k].sum() - sure[bins == k].sum()) for k in range(10)) / 30,
    }
    for name, value in expected.items():
        assert first[name] == pytest.approx(value, rel=1e-9), name


def test_all_outputs_start_alike_and_see_the_same_batches(iris):
    """Two sides with one output differ in nothing; with independent batches they do."""
    fair = xent.race(iris, [SIDES[1]] * 2, **SMALL)
    one, other = (fair.table.filter(pl.col("side") == s).drop("side", "output") for s in (0, 1))
    assert one.equals(other)
    assert fair.plan.labels == ("cross-entropy@softmax #1", "cross-entropy@softmax #2")
    assert fair.verdict.winner is None
    apart = xent.race(iris, [SIDES[1]] * 2, **SMALL, independent=True)
    one, other = (apart.table.filter((pl.col("side") == s) & (pl.col("epoch") == 3))["cost"] for s in (0, 1))
    assert not one.equals(other)


def test_rates_are_picked_on_tuning_rows_alone(iris, small):
    """Other labels on the test rows change no rate; judged seeds are not those that were tuned."""
    tested = np.isin(np.arange(150), split(iris).rows[2])
    one, turned = (xent.race(replace(iris, y=y, test=tested), SIDES, **SMALL) for y in (iris.y, (iris.y + tested) % 3))
    assert turned.tuning.equals(one.tuning)
    assert (turned.picked.own, turned.picked.shared) == (one.picked.own, one.picked.shared)
    assert turned.verdict.goal == one.verdict.goal
    assert not turned.table["accuracy"].equals(one.table["accuracy"])
    assert turned.table["train_cost"].equals(one.table["train_cost"])
    tuned = heats.generator(small.plan, "tuning", 0, heats.STARTING).random(4)
    judged = heats.generator(small.plan, "judging", 0, heats.STARTING).random(4)
    assert not np.allclose(tuned, judged)
    for found in (small, turned):
        last = (
            found.tuning.filter(pl.col("epoch") == 3).group_by("side", "rate").agg(pl.col("accuracy").mean(), pl.col("cost").mean())
        )
        for side, own in enumerate(found.picked.own):
            mine = last.filter(pl.col("side") == side).sort("accuracy", "cost", descending=[True, False])
            assert own in mine.filter(pl.col("accuracy") > mine["accuracy"][0] - 1e-9)["rate"].to_list()


def test_the_grid_grows_where_the_best_is_on_its_edge(iris):
    found = xent.race(iris, SIDES, **SMALL | {"rates": (1e-4, 3e-4), "epochs": 2})
    grid = sorted(found.tuning["rate"].unique().to_list())
    assert grid[:2] == [1e-4, 3e-4]
    assert grid[2:] == pytest.approx([1e-3, 3e-3, 1e-2, 3e-2][: len(grid) - 2])
    assert len(grid) > 3
    assert found.picked.shared in (1e-4, 3e-4)
    if found.picked.on_edge:
        assert found.picked.own[found.picked.on_edge[0]] == max(grid)


def test_a_diverging_lane_is_reported_and_never_wins(iris):
    found = xent.race(iris, ["quadratic@identity", "cross-entropy@softmax"], (4,), [300.0], 7, 3, jobs=1, goal=0.5)
    answer = found.verdict.answer()
    assert answer.diverged == (0,)
    assert answer.order[0] == 1
    lost = found.table.filter(pl.col("diverged"))
    assert lost.height > 0
    assert lost["accuracy"].null_count() == lost.height
    for name in found.table.columns:
        if found.table[name].dtype == pl.Float64:
            assert not found.table[name].is_nan().any()
            assert found.table[name].drop_nulls().is_finite().all()
    for language in ("en", "zh"):
        said = sentences(found.verdict, language)
        assert "quadratic@identity" in said[-1]
        assert not any("–" in line for line in said)  # nothing is measured against a network that diverged
    json.dumps(found.numbers(), allow_nan=False)


@pytest.mark.parametrize(("seeds", "few"), [(5, True), (6, False)])
def test_too_few_seeds_are_said_to_be_too_few(iris, seeds, few):
    found = xent.race(iris, SIDES, (4,), [0.3], seeds, 1, jobs=1, goal=0.9)
    assert found.verdict.answer().enough == (not few)
    assert ("too few" in str(found.verdict)) == few
    assert [line.partition(":")[0] for line in sentences(found.verdict, "en")] == [  # one rate was given: nothing is said twice
        "Test accuracy at one rate for all",
        "Epochs until 90% of the test part is right, at one rate for all",
    ]


def test_precision_adds_seeds(iris):
    loose = xent.race(iris, SIDES, (4,), [0.3], 2, 1, jobs=1, goal=0.9)
    pair = loose.verdict.answer().pairs[0]
    assert (pair.high - pair.low) / 2 > 0.1
    tight = xent.race(iris, SIDES, (4,), [0.3], 2, 1, jobs=1, goal=0.9, precision=0.1)
    pair = tight.verdict.answer().pairs[0]
    assert (pair.high - pair.low) / 2 <= 0.1
    assert tight.plan.seeds > 2
    assert tight.table.filter(pl.col("seed") < 2).equals(loose.table)
    alike = xent.race(iris, [SIDES[1]] * 2, (4,), [0.3], 2, 1, jobs=1, goal=0.9, precision=0.1)
    assert alike.plan.seeds == 6  # two seeds without any difference have an interval of no width, which shows nothing


def test_resplit_draws_another_split_for_each_seed(iris):
    made, _ = plan(iris, SIDES, resplit=True)
    drawn = [heats.divided(made, iris, "judging", seed).rows[2].tolist() for seed in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]
    picking = [row for seed in range(3) for rows in heats.divided(made, iris, "tuning", seed).rows[:2] for row in rows]
    judging = [row for seed in range(9) for row in heats.divided(made, iris, "judging", seed).rows[2]]
    assert not set(picking) & set(judging)  # no row that judges has helped to pick a rate
    assert len(drawn[0]) == 30
    assert 60 < len(set(judging)) <= 75
    fixed, _ = plan(iris, SIDES)
    assert heats.divided(fixed, iris, "judging", 0).rows[2].tolist() == heats.divided(fixed, iris, "judging", 1).rows[2].tolist()


# ── the same bits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def same(one, other):
    return one.table.equals(other.table) and one.last.equals(other.last) and one.verdict == other.verdict


def test_bits_do_not_depend_on_where_or_in_what_order_heats_run(iris, small):
    made, outputs = plan(iris, SIDES, **{k: v for k, v in SMALL.items() if k != "jobs"})
    runner = Runner(made, iris, outputs, Store(None, made))
    wanted = cut(made, "judging", {0: (0.1, 0.3), 1: (0.3, 1.0)}, range(3))
    forward = runner.run(wanted)
    backward = Runner(made, iris, outputs, Store(None, made))
    for heat in reversed(wanted):
        backward.run([heat])
    assert backward.run(wanted).equals(forward)
    split_up = heats.run(made, iris, outputs[0], Heat("judging", 0, (1,), (0.3,)))
    whole = forward.filter((pl.col("side") == 0) & (pl.col("seed") == 1) & (pl.col("rate") == 0.3))
    assert split_up.equals(whole)
    assert same(xent.race(iris, SIDES, **SMALL | {"jobs": 2}), small)


def test_a_dask_cluster_gives_the_same_bits(iris, small):
    import distributed

    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None, host="127.0.0.1") as there:
        assert same(xent.race(iris, SIDES, **SMALL, cluster=there.scheduler_address), small)
        with pytest.raises(InputError, match="'cuda:77' is not there"):  # found out by a worker, said here
            xent.race(iris, SIDES, **SMALL, cluster=there.scheduler_address, device="cuda:77")


def test_no_cluster_there(iris):
    with pytest.raises(InputError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        xent.race(iris, SIDES, **SMALL, cluster="tcp://127.0.0.1:9")


# ── bad input ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"rates": [0.0]}, "positive finite"),
        ({"rates": []}, "one or more"),
        ({"rates": [float("nan")]}, "positive finite"),
        ({"seeds": 0}, "seeds is a whole number from 1"),
        ({"epochs": 1.5}, "epochs is a whole number"),
        ({"epochs": 0}, "epochs"),
        ({"goal": 95}, "goal is an accuracy between 0 and 1"),
        ({"precision": 0}, "precision"),
        ({"hidden": (0,)}, "at least one unit"),
        ({"batch": 0}, "batch"),
        ({"jobs": 0}, "jobs is a whole number of processes from 1"),
        ({"jobs": 100_000}, "but 100000 came"),
        ({"momentum": 2.0}, "momentum"),
        ({"optimiser": "adm"}, "did you mean 'adam'"),
        ({"lr": 0.1}, "no choice 'lr'"),
        ({"interval": "z"}, "interval"),
        ({"dtype": "float16"}, "float32 or float64"),
        ({"shares": (0.5, 0.5, 0.5)}, "sum to 1"),
        ({"outputs": []}, "at least one output"),
        ({"outputs": ["quadratc"]}, "did you mean"),
    ],
)
def test_wrong_choices(iris, choices, says):
    outputs = choices.pop("outputs", SIDES)
    with pytest.raises(InputError, match=says):
        xent.race(iris, outputs, **SMALL | choices)


# ── the verdict on tables that were made up ─────────────────────────────────────────────────────────────────────────────────


def made_up(scores, epochs=2):
    """A table in which each side has these accuracies at the last epoch, seed by seed."""
    rows = [
        {
            "side": side,
            "seed": seed,
            "epoch": epoch,
            "accuracy": a if epoch else 0.0,
            "diverged": a is None,
            "own": True,
            "shared": True,
        }
        for side, mine in enumerate(scores)
        for seed, a in enumerate(mine)
        for epoch in range(epochs + 1)
    ]
    return pl.DataFrame(rows, schema_overrides={"accuracy": pl.Float64})


def verdict(iris, scores, goal=0.9):
    made, _ = plan(iris, [SIDES[1]] * len(scores), epochs=2, seeds=len(scores[0]))
    return judge(made, made_up(scores), goal)


def test_a_planted_difference_is_found(iris):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 12)
    found = verdict(iris, [(0.90 + noise).tolist(), (0.93 + noise + rng.normal(0, 0.002, 12)).tolist()])
    answer = found.answer()
    assert answer.winner == 1
    assert answer.pairs[0].low < 0.03 < answer.pairs[0].high
    assert found.winner == "cross-entropy@softmax #2"
    assert "p = 0.00049 after" in str(found)
    clear = verdict(iris, [[0.5] * 20, [0.9 + n for n in rng.normal(0, 0.01, 20)]])
    assert "p < 0.0001 after" in str(clear)


def test_winning_against_one_of_two_is_no_win(iris):
    a = np.linspace(0.9, 0.95, 10)
    answer = verdict(iris, [a.tolist(), (a[::-1] + 0.001).tolist(), (a - 0.2).tolist()]).answer()
    assert answer.winner is None
    assert answer.tied == (0,)
    assert answer.order == (1, 0, 2)


def test_epochs_are_counted_to_the_goal(iris):
    answer = verdict(iris, [[0.95] * 8, [0.8] * 8]).answer("epochs")
    assert answer.means == (1.0, 3.0)
    assert answer.winner == 0
    assert answer.never == (1,)


def test_the_best_rate_of_equals_is_the_least():
    frame = pl.DataFrame({"side": [0, 0, 0], "rate": [0.3, 0.1, 1.0], "accuracy": [0.9, 0.9, 0.8], "cost": [0.2, 0.2, 0.1]})
    assert rates._best(frame, 0) == 0.1


@pytest.mark.slow
def test_a_thousand_null_races_call_few_winners():
    """Two sides of one output with independent batches: 5% of 1,000 and three standard deviations more are 73 at most."""
    data = load("two-class(margin=2, n=120)")
    called = 0
    for number in range(1000):
        found = xent.race(data, [SIDES[1]] * 2, (3,), [1.0], 8, 2, jobs=1, goal=0.8, independent=True, first_seed=100 * number)
        called += found.verdict.winner is not None
    assert called <= 73


@pytest.mark.slow
def test_a_planted_difference_between_networks_is_found():
    """Outputs whose targets are half noise for one side: smoothing so strong that it hardly learns."""
    data = load("digits")
    found = xent.race(data, ["absolute@sigmoid", "cross-entropy@softmax"], (10,), [0.3], 8, 5, goal=0.8)
    assert found.verdict.winner == "cross-entropy@softmax"


def test_a_race_that_no_memory_holds_is_refused_before_it_starts():
    with pytest.raises(InputError, match=r"needs [0-9.]+ PiB of memory at least, and this machine has .* fewer hidden units"):
        xent.race("iris", hidden=(10_000_000, 10_000_000), seeds=1, jobs=1)


def test_the_estimate_counts_the_lanes_that_are_run(small):
    tuned, judged = estimate.lanes(small.plan)
    assert tuned <= small.tuning.select("side", "seed", "rate").unique().height
    assert judged >= small.table.select("side", "seed", "rate").unique().height
    assert estimate.seconds(small.plan, small.data, 2) < estimate.seconds(small.plan.with_seeds(500), small.data, 2)
