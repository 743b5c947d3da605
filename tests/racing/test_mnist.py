"""Nielsen's two networks on MNIST, three seeds each, where the files are: shared/data/mnist beside the house, or $XENT_MNIST."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

import xent

MNIST = Path(os.environ.get("XENT_MNIST", Path(__file__).parents[3] / "shared" / "data" / "mnist"))


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_dir(), reason=f"MNIST is not at {MNIST}")
@pytest.mark.parametrize(
    ("output", "rate", "reported"), [("quadratic@sigmoid", 3.0, 0.9542), ("cross-entropy@sigmoid", 0.5, 0.9549)]
)
def test_the_accuracies_that_were_reported(output, rate, reported):
    """Within a point and a half of the one run that was reported, which learned from 50,000 rows and not from 45,000."""
    found = xent.race(MNIST, [output], (30,), [rate], 3, 30, init="normal", goal=0.9)
    last = found.table.filter(pl.col("epoch") == 30)
    assert last.height == 3
    assert last["accuracy"].median() == pytest.approx(reported, abs=0.015)
    assert last["gain"].max() < (0.3 if output.startswith("quadratic") else 1.001)
