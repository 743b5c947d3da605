"""`--device`: what can be shown without a GPU, what needs one, and plain words where there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import xent
from xent.costs import Cost
from xent.data import load
from xent.errors import InputError
from xent.racing import devices, heats
from xent.racing.heats import Heat
from xent.racing.plan import plan
from xent.racing.running import TOGETHER, cut

SIDES = ["quadratic@sigmoid", "cross-entropy@softmax"]
SMALL = {"hidden": (4,), "rates": (0.1, 0.3, 1.0), "seeds": 3, "epochs": 3}


@pytest.fixture(scope="module")
def iris():
    return load("iris")


def on_a_stand_in(*asked):
    script = Path(__file__).with_name("elsewhere.py")
    done = subprocess.run([sys.executable, "-W", "error", script, *asked], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def test_on_a_stand_in_for_a_gpu_nothing_mixes_and_no_step_waits_though_rounding_and_speed_need_a_real_one():
    on_a_stand_in()


@pytest.mark.slow
def test_on_a_stand_in_for_a_gpu_every_output_with_every_activation_and_optimiser():
    on_a_stand_in("all")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU: that a race on one is NumPy's was not shown here")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_gpu_comes_to_the_processors_answer(iris, dtype):
    """Every output against PyTorch on the processor, a race against NumPy."""
    close = {"rtol": 1e-6, "atol": 1e-9} if dtype == "float64" else {"rtol": 2e-3, "atol": 2e-3}
    for output in xent.catalogue():
        made, (taught,) = plan(iris, [output], hidden=(4,), epochs=2, batch=20, l2=0.01, goal=0.5, seeds=2, dtype=dtype)
        heat = Heat("judging", 0, (0, 1), (0.01, 0.03))
        there, here = (heats.run(replace(made, device=device), iris, taught, heat) for device in ("cuda", "cpu:0"))
        assert there["diverged"].to_list() == here["diverged"].to_list()
        for name in ("cost", "log_loss", "brier", "train_cost"):
            a, b = (frame[name].fill_null(0).to_numpy() for frame in (there, here))
            np.testing.assert_allclose(a, b, **close, err_msg=f"{output} {name}")
    there, here = (xent.race(iris, SIDES, **SMALL, device=device, dtype=dtype) for device in ("cuda", "cpu"))
    means = [dict(zip(one.verdict.answer().order, one.verdict.answer().means, strict=True)) for one in (there, here)]
    assert means[0] == pytest.approx(means[1], abs=1e-12 if dtype == "float64" else 0.02)  # a row or two on the fence


def test_torch_arrays_come_to_the_same_answer(iris):
    """On torch's own processor arrays: the same starts, batches and lanes to rounding."""
    found = xent.race(iris, SIDES, **SMALL, device="cpu:0", dtype="float64")
    here = xent.race(iris, SIDES, **SMALL, jobs=1, dtype="float64")
    assert found.picked.own == here.picked.own
    assert found.picked.shared == here.picked.shared
    for name in ("cost", "gain", "log_loss"):
        np.testing.assert_allclose(found.table[name].fill_null(0), here.table[name].fill_null(0), rtol=1e-6, atol=1e-9)


@pytest.fixture
def settings():
    """PyTorch's precision of float32 products, as they are and as they come back."""
    newer = [m for m in (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul) if hasattr(m, "fp32_precision")]

    def seen():
        return torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32, *(m.fp32_precision for m in newer)

    assert seen()[:2] == ("highest", False)  # as PyTorch is when it starts
    yield seen
    torch.set_float32_matmul_precision("highest")
    for module in newer:
        module.fp32_precision = "none"


def test_coarser_products_that_are_switched_on_change_nothing_and_stay_switched_on(iris, settings):
    made, (output,) = plan(iris, SIDES[:1], hidden=(64, 64), batch=64, epochs=2, seeds=8, device="cpu:0")
    heat = Heat("judging", 0, tuple(range(8)), (0.3,))
    exact, before = heats.run(made, iris, output, heat), settings()
    assert before[0] == "highest"
    torch.set_float32_matmul_precision("medium")  # bfloat16 in processors that have it, TF32 in GPUs
    asked = settings()
    assert heats.run(made, iris, output, heat).equals(exact)
    assert settings() == asked != before
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        torch.set_float32_matmul_precision("highest")
        torch.backends.cuda.matmul.fp32_precision = "tf32"  # the newer way, which the older question does not understand
        assert heats.run(made, iris, output, heat).equals(exact)
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"


class Greedy(Cost):
    """A cost that needs more memory than there is."""

    name, usual = "greedy", "sigmoid"

    def __call__(self, a, y):
        return a - y

    def slope(self, a, y):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def test_too_little_memory_is_said(iris):
    with pytest.raises(InputError, match=r"memory of 'cpu:0' does not hold.*Tried to allocate 20\.00 GiB\. Race fewer"):
        xent.race(iris, [Greedy()], (4,), [0.1], 2, 1, device="cpu:0")


def test_one_heat_holds_many_seeds_but_not_any_number(iris):
    made, _ = plan(iris, SIDES, device="cuda", seeds=2 * TOGETHER + 1)
    sizes = [len(heat.seeds) for heat in cut(made, "judging", {0: (0.1,)}, range(made.seeds))]
    assert sizes == [TOGETHER, TOGETHER, 1]
    assert [len(heat.seeds) for heat in cut(made.with_seeds(10), "judging", {0: (0.1,), 1: (0.1,)}, range(10))] == [10, 10]


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("nonsense", "'cpu', on 'cuda' or, with more than one GPU, on 'cuda:1'.*'nonsense' came"),
        ("mps", "'mps' came.*float64"),
        ("CUDA", "'CUDA' came"),
        ("cuda:x", "'cuda:x' came"),
        ("cuda:-1", "'cuda:-1' came"),
        ("", "'' came"),
        ("cuda:77", "'cuda:77' is not there: .*leave the device out"),
    ],
)
def test_devices_that_are_none_or_not_there(iris, device, says):
    with pytest.raises(InputError, match=says):
        devices.insist(devices.named(device))
    with pytest.raises(InputError, match=says):
        xent.race(iris, SIDES, **SMALL, device=device)


@pytest.mark.parametrize(
    ("device", "built", "count", "says"),
    [
        ("cuda", False, 0, r"PyTorch installed \(2\.9\.1\+cpu\) computes on processors only"),
        ("cuda", True, 0, "sees no GPU.*nvidia-smi"),
        ("cuda:1", True, 1, "1 GPU, cuda:0"),
        ("cuda:7", True, 4, "4 GPUs, cuda:0 to cuda:3"),
        ("cuda", True, 1, "^$"),
        ("cuda:3", True, 4, "^$"),
        ("cpu:0", False, 0, "^$"),
    ],
)
def test_why_there_is_no_such_gpu(device, built, count, says):
    assert re.search(says, devices.lack(device, "2.9.1+cpu", built, count))


@pytest.mark.parametrize(
    ("choice", "why"), [({"device": "cpu:0"}, "one process"), ({"cluster": "tcp://127.0.0.1:9"}, "own workers")]
)
def test_processes_are_not_promised_where_they_are_not_used(iris, choice, why):
    with pytest.raises(InputError, match=f"jobs=4 .*{why}.*leave jobs"):
        xent.race(iris, SIDES, **SMALL, jobs=4, **choice)
