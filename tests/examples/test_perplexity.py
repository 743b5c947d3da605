"""The perplexity example runs, and its number is that of the logits."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples" / "perplexity.py"


def test_the_perplexity_is_that_of_all_the_logits(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("Colourless green ideas sleep furiously. 无色的绿色念头狂怒地睡觉。", encoding="utf-8")
    example = runpy.run_path(str(EXAMPLE))
    cost = example["main"]([str(text), "--vocabulary", "100", "--memory", "0.05"])
    embedding = np.random.default_rng(0).standard_normal((100, example["WIDTH"]), dtype=np.float32) / 8
    words = example["words"](text, 100)
    z = example["states"](words, embedding).astype(np.float64) @ embedding.T.astype(np.float64)
    assert abs(cost - np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), words])) < 1e-5
    assert f"perplexity {np.exp(cost):,.1f}" in capsys.readouterr().out
