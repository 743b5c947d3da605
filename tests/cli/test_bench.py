"""`xent bench`: every installed library measured beside the limit, as a table, as JSON, as a file."""

from __future__ import annotations

import json
import sys

import pytest

from xent.cli import main
from xent.measuring.cross_entropy import COMPILED, LIMIT, MAKERS, XENT, compare, drawn

NAMES = {"xent", "xent.torch", LIMIT, "PyTorch, eager", "JAX, optax under `jit`", "SciPy, `log_softmax`"}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr("xent.cli.bench.SIZES", ((40, 20, "float32"), (33, 20, "bfloat16")))
    monkeypatch.setattr("xent.cli.bench.ROUNDS", 1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_tables(small, capsys, lang):
    assert main(["bench", "--lang", lang]) == 0
    said = capsys.readouterr().out
    assert "40 × 20, float32" in said
    assert "33 × 20, bfloat16" in said
    assert {"en": "of the limit", "zh": "极限"}[lang] in said


def test_numbers_and_a_file(small, capsys, tmp_path):
    assert main(["bench", "--json", "--out", str(tmp_path / "new")]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data == json.loads((tmp_path / "new" / "bench.json").read_text())
    assert {t["name"] for t in data["sizes"][0]["timings"]} == NAMES
    assert all(t["seconds"] > 0 for size in data["sizes"] for t in size["timings"])
    assert [t["times_xent"] for t in data["sizes"][0]["timings"] if t["name"] == XENT] == [1.0]


def test_what_cannot_run_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setitem(MAKERS, "nowhere", lambda z, y: __import__("no_such_library"))
    found = compare(4, 3, rounds=1, without=(COMPILED,))
    assert "no_such_library" in found.left_out["nowhere"]


def test_a_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["bench", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err


def test_all_measure_the_same():
    """The libraries' gradients on one batch agree: nobody is measured at something easier."""
    import numpy as np

    z, y = drawn(6, 5, "float32")
    ours = MAKERS[XENT](z, y)()[1]
    for name in sorted(NAMES - {LIMIT, XENT}):
        found = MAKERS[name](z, y)()
        np.testing.assert_allclose(np.asarray(found[-1]), ours, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_size_that_cannot_be_drawn_is_told(small, capsys, monkeypatch):
    """Without JAX there is no bfloat16 for NumPy; the other sizes are measured all the same."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert main(["bench", "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "40 × 20, float32" in said
    assert "33 × 20, bfloat16 left out: NumPy has bfloat16 from ml_dtypes" in said
