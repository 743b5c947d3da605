"""Nielsen's MNIST comparison with many seeds: cross-entropy against the quadratic cost on 30 sigmoid units; writes docs/mnist.md.

    python benchmarks/race_mnist.py FOLDER [--out FOLDER] [--docs docs]

FOLDER holds the four IDX files of MNIST. Takes some minutes on two cores; stopped, it goes on. The original (Nielsen 2015, chapter
3) ran each cost once and says itself that this settles nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

import xent
from xent.racing.words import percent, sentences

SIDES = ("quadratic@sigmoid", "cross-entropy@sigmoid")
RATES = (0.1, 0.3, 0.5, 1.0, 3.0, 5.0)
REPORTED = {SIDES[0]: (3.0, 95.42), SIDES[1]: (0.5, 95.49)}


def table(race: xent.Race) -> str:
    """What was reported beside what was measured."""
    judged = race.table.filter(pl.col("epoch") == race.plan.epochs)
    tuned = race.tuning.filter(pl.col("epoch") == race.plan.epochs) if race.tuning is not None else None
    lines = [
        "| output | reported, one run | tuning part, same rate | own rate | test, mean ± sd | worst, best | one rate for all |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for side, label in enumerate(race.plan.labels):
        rate, reported = REPORTED[label]
        same = tuned.filter((pl.col("side") == side) & (pl.col("rate") == rate))["accuracy"].mean() if tuned is not None else None
        own, shared = (judged.filter((pl.col("side") == side) & pl.col(kind))["accuracy"] for kind in ("own", "shared"))
        cells = (
            label, f"{reported}% (rate {rate:g})", percent(same), f"{race.picked.own[side]:g}",
            f"{percent(own.mean())} ± {100 * own.std():.2f}", f"{percent(own.min())}, {percent(own.max())}",
            f"{percent(shared.mean())} (rate {race.picked.shared:g})",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def lost(race: xent.Race) -> str:
    """Classes that some network never learned: less than a twentieth of their test rows are right."""
    found = []
    for row in race.last.iter_rows(named=True):
        counts = np.asarray(row["confusion"]).reshape(race.plan.classes, -1)
        share = counts.diagonal() / counts.sum(1)
        names = ", ".join(np.asarray(race.data.classes)[share < 0.05])
        if names:
            found.append(f"{race.plan.labels[row['side']]}, seed {row['seed']}, rate {row['rate']:g}: {names}")
    return f"Digits that a network never learned: {'; '.join(found)}." if found else "Every network learned every digit."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder of MNIST's IDX files")
    parser.add_argument("--out", type=Path, default=Path("xent-race-mnist"), help="folder to keep the race in")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder for mnist.md and mnist.html")
    options = parser.parse_args()
    race = xent.race(
        options.data, SIDES, rates=RATES, init="normal", out=options.out,
        progress=lambda stage, done, total: print(f"{stage} {done}/{total}", end="\r"),
    )  # fmt: skip
    command = "xent race FOLDER --outputs quadratic@sigmoid,cross-entropy@sigmoid --init normal --rates 0.1,0.3,0.5,1,3,5"
    race.report(options.docs / "mnist.html", command=command)
    said = "\n".join(f"- {line}" for line in sentences(race.verdict, "en"))
    n = [len(rows) for rows in xent.data.split(race.data).rows]
    text = (
        "# MNIST, 30 hidden sigmoid units: does cross-entropy beat the quadratic cost?\n\n"
        "`python benchmarks/race_mnist.py FOLDER`: networks 784-30-10, weights from N(0, 1), batches of 10, "
        f"{race.plan.epochs} epochs, {race.plan.seeds} seeds; {n[0]:,} rows to learn from, {n[1]:,} to pick rates on, "
        f"MNIST's own {n[2]:,} to judge. "
        "The reported numbers are those of Nielsen (2015), chapter 3, one run each.\n\n"
        f"{table(race)}\n\n{said}\n\n{lost(race)}\n\nThe whole report: [mnist.html](mnist.html).\n"
    )
    (options.docs / "mnist.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
