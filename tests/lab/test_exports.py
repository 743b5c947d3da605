"""What is taken along: the figure, its numbers, and the Python that makes the same figure."""

from __future__ import annotations

import csv
import io
import runpy

import numpy as np
import pytest

from xent.errors import XentError
from xent.lab.answers import answer
from xent.lab.exports import PAGES, export

ASKED = {
    "neuron": {
        "outputs": "quadratic@tanh,smooth(cross-entropy, epsilon=0.1)@sigmoid",
        "first": "0.9",
        "rates": ",0.5",
        "steps": "20",
        "theme": "dark",
    },
    "costs": {"outputs": "quadratic@sigmoid,focal(gamma=1)@softmax,hinge@identity", "target": "1", "along": "input"},
    "map": {"outputs": "quadratic@sigmoid,quadratic@tanh", "size": "12", "steps": "50"},
}


@pytest.mark.parametrize("page", PAGES)
def test_the_script_makes_the_figure(page, tmp_path, monkeypatch):
    """Run as it stands: the SVG that it writes is the one that was downloaded, byte for byte."""
    script = tmp_path / "figure.py"
    script.write_bytes(export(page, "py", ASKED[page]))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    assert (tmp_path / f"{page}.svg").read_bytes() == export(page, "svg", ASKED[page])
    assert (tmp_path / f"{page}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def rows(page, given):
    return list(csv.DictReader(io.StringIO(export(page, "csv", given).decode())))


def test_the_tables_hold_the_pages_numbers():
    table = rows("neuron", ASKED["neuron"])
    shown = answer("neuron", ASKED["neuron"])["runs"]
    assert len(table) == 2 * 21
    for part in ("w", "a", "cost", "delta", "gain"):
        np.testing.assert_array_equal([float(row[part]) for row in table], np.concatenate([run[part] for run in shown]))
    table = rows("costs", ASKED["costs"])
    curves = answer("costs", ASKED["costs"])["outputs"]
    np.testing.assert_array_equal([float(row["gain"]) for row in table], np.concatenate([curve["gain"] for curve in curves]))
    table = rows("map", ASKED["map"])
    maps = answer("map", ASKED["map"])["maps"]
    np.testing.assert_array_equal(
        [int(row["steps_to_learn"]) for row in table], np.concatenate([each["learned"].ravel() for each in maps])
    )


def test_figures_in_chinese_and_wrong_asking():
    assert export("neuron", "png", {"lang": "zh", "steps": "3"})[:4] == b"\x89PNG"
    for page, kind, given in (("nowhere", "svg", {}), ("neuron", "exe", {}), ("neuron", "svg", {"theme": "pink"})):
        with pytest.raises(XentError):
            export(page, kind, given)
