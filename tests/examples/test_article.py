"""examples/article.py prints the article's numbers, and they are xent's."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import xent

EXAMPLE = Path(__file__).parents[2] / "examples" / "article.py"


@pytest.mark.parametrize("cost", ["quadratic", "cross-entropy"])
@pytest.mark.parametrize(("w", "b"), [(0.6, 0.9), (2.0, 2.0)])
def test_plain_python_and_xent_agree(w, b, cost):
    example = runpy.run_path(str(EXAMPLE))
    plain = example["learn"](w, b, example[cost.replace("-", "_")])
    run = xent.Neuron(w, b).learn(1.0, 0.0, output=f"{cost}@sigmoid", rate=0.15, steps=300)
    np.testing.assert_allclose(run.a, plain, rtol=1e-12)


def test_what_it_prints(capsys):
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = capsys.readouterr().out
    assert "start 1, quadratic      0.82 → 0.09" in printed
    assert "start 2, quadratic      0.98 → 0.20" in printed


def test_without_any_dependency():
    assert "import" not in EXAMPLE.read_text().replace("from math import exp", "")
