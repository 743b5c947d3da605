"""What the fused loops share: e^x and log x against mpmath over the whole range; threads; a cache that is renewed."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path
from threading import get_ident
from time import sleep

import mpmath
import numpy as np
import pytest

import xent
from xent import kernels

PACKAGE = Path(xent.__file__).parent
SPAN = {"float32": (104.0, 1e-45), "float64": (745.0, 5e-324)}


def elementwise(function):
    """A loop over one function, as the fused loops hold it."""

    def loop(x, out):
        for i in range(x.size):
            out[i] = f(x[i])

    kernel = kernels.compiled(kernels.specialised(loop, "loop", f=function), inline=False)

    def call(x):
        out = np.empty_like(x)
        kernel(x, out)
        return out

    return call


def arguments(dtype):
    rng = np.random.default_rng(2)
    span, _ = SPAN[dtype]
    return np.concatenate([rng.uniform(-span, span, 300), rng.normal(size=300), 10 ** rng.uniform(-30, 0, 100)]).astype(dtype)


def worst(computed, x, function):
    """The greatest distance from the truth in units of the last place, subnormal results included."""
    with mpmath.workdps(60):
        far = [
            float(abs(mpmath.mpf(float(c)) - function(mpmath.mpf(float(v)))) / mpmath.mpf(float(np.spacing(abs(c)))))
            for c, v in zip(computed, x, strict=True)
        ]
    return max(far)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_and_log_are_right_to_the_last_digits(dtype):
    maths = kernels.mathematics(dtype)
    x = arguments(dtype)
    with np.errstate(over="ignore"):
        small = x[x < 88] if dtype == "float32" else x[x < 709]
    assert worst(elementwise(maths.exp)(small), small, mpmath.exp) < 1.5
    size = np.concatenate([np.abs(x), np.exp(small), SPAN[dtype][1] * np.arange(1, 50)]).astype(dtype)
    size = size[size > 0]
    assert worst(elementwise(maths.log)(size), size, mpmath.log) < 1.5
    part = size[size <= 1]
    assert worst(elementwise(maths.log1p)(part), part, mpmath.log1p) < 2
    near = x[np.abs(x) <= maths.near]
    off = np.abs(elementwise(maths.exp_near)(near).astype(float) / np.exp(near.astype(float)) - 1)
    eps = float(np.finfo(dtype).eps)
    assert np.all(off <= eps * (2 + np.abs(near)))
    assert elementwise(maths.exp_near)(np.zeros(1, dtype))[0] == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_and_log_at_the_ends(dtype):
    maths = kernels.mathematics(dtype)
    big = float(np.finfo(dtype).max)
    x = np.asarray([0.0, -0.0, np.inf, -np.inf, np.nan, big, -big, 1e4, -1e4], dtype)
    np.testing.assert_array_equal(elementwise(maths.exp)(x), [1, 1, np.inf, 0, np.nan, np.inf, 0, np.inf, 0])
    x = np.asarray([0.0, -0.0, 1.0, np.inf, np.nan, -1.0, -np.inf], dtype)
    np.testing.assert_array_equal(elementwise(maths.log)(x), [-np.inf, -np.inf, 0, np.inf, np.nan, np.nan, np.nan])


def test_all_of_the_range_is_worked_on_once():
    for n in (0, 1, 7, 256, 10_001):
        seen = np.zeros(n, int)

        def work(start, stop, seen=seen):
            seen[start:stop] += 1

        kernels.share_out(work, n, 16)
        assert (seen == 1).all()


def test_an_error_in_a_thread_is_raised():
    def work(start, stop):
        if stop > 5000:
            raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        kernels.share_out(work, 10_000, 16)


def test_when_the_caller_is_interrupted_everybody_stops():
    caller, to_the_end = get_ident(), []

    def work(start, stop):
        for _ in range(4000):
            yield
            if get_ident() == caller:
                raise KeyboardInterrupt
            sleep(0.005)
        to_the_end.append(start)

    with pytest.raises(KeyboardInterrupt):
        kernels.share_out(work, 10_000, 16)
    assert not to_the_end


def test_errors_of_those_who_came_too_late_are_nobodys():
    def call(i):
        if i:
            raise ValueError("late")

    kernels.together(call, 3, lambda: True)


def test_a_task_that_was_taken_back_holds_nothing():
    class Held:
        def __call__(self, i):
            raise AssertionError

    task = kernels._Task(Held(), 1)
    assert task.take_back()
    assert not task.take_back()
    assert not [held for held in gc.get_referents(task) if isinstance(held, Held)]
    task.run()  # as the thread does that meets it in the queue
    task.check()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or not 1 < kernels.threads() <= kernels.FEW, reason="needs a few cores")
def test_threads_are_kept_from_the_callers_core():
    everywhere = os.sched_getaffinity(0)
    kernels.share_out(lambda start, stop: None, 1000, 1)
    while len(kernels._threads) < len(everywhere):
        sleep(0.001)
    for core in everywhere:
        try:
            os.sched_setaffinity(0, {core})
            kernels._keep_apart()  # a single core is for all
            os.sched_setaffinity(0, everywhere)
            kernels._keep_apart()
        finally:
            os.sched_setaffinity(0, everywhere)
        for thread, kept_from in kernels._threads.items():
            assert os.sched_getaffinity(thread) == everywhere - {kept_from}


LATE = """
import atexit, threading, numpy as np, xent
z, y = np.random.default_rng(0).normal(size=(20, 100_000)), np.arange(20)  # rows so long that their scratch is mapped, and unmapped
atexit.register(lambda: print("exit", xent.cross_entropy(z, y) == before, flush=True))  # runs when the threads have been ended
before = xent.cross_entropy(z, y)
main = threading.main_thread()
threading.Thread(target=lambda: (main.join(), print("thread", xent.cross_entropy(z, y) == before, flush=True))).start()
"""


def test_calls_when_the_main_thread_has_ended_and_at_exit():
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["thread", "True", "exit", "True"], done.stderr[-2000:]
    assert not done.stderr


def test_aligned():
    for size in (1, 1000):
        array = kernels.aligned(size, np.float32)
        assert array.ctypes.data % 64 == 0
        assert array.shape == (size,)


def test_the_fingerprint_follows_every_file(tmp_path):
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text("1")
    b.write_text("2")
    before = kernels.fingerprint([a, b])
    assert kernels.fingerprint([a, b]) == before
    b.write_text("3")
    assert kernels.fingerprint([a, b]) != before


SWEEP = """
import numpy as np, xent
from xent.neuron import cpu
from xent.costs import Quadratic
from xent.activations import Sigmoid
print(float(xent.sweep([2.0], [2.0], 1.0, 0.0, output='quadratic@sigmoid').a[0]).__round__(4))
stats = cpu.kernel(Quadratic, Sigmoid, 'float64', True, True, 6).stats  # 6: how its odds grow
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def run(package_at: Path, **environment: str) -> list[str]:
    """What SWEEP prints, in a process of its own: the output, cache hits, cache misses."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XENT_"))}
    variables |= {"PYTHONPATH": str(package_at), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run([sys.executable, "-c", SWEEP], capture_output=True, text=True, env=variables, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.fixture
def installation(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "site" / "xent", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "site"


def test_the_cache_is_used_and_renewed_when_a_shared_file_changes(installation, tmp_path):
    where = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(installation, **where) == ["0.2028", "0", "1"]
    assert run(installation, **where) == ["0.2028", "1", "0"]
    shared = installation / "xent" / "kernels.py"
    shared.write_text(shared.read_text() + "\n# changed\n")
    assert run(installation, **where) == ["0.2028", "0", "1"]


def test_where_no_cache_can_be_written(installation, tmp_path):
    """A file stands where each directory of the cache would be made, which stops root too."""
    for package in (installation / "xent", installation / "xent" / "neuron"):
        (package / "__pycache__").write_text("in the way")
    nowhere = tmp_path / "file"
    nowhere.write_text("in the way")
    assert run(installation, HOME=str(nowhere), XDG_CACHE_HOME=str(nowhere))[0] == "0.2028"
    elsewhere = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "mine")}
    run(installation, **elsewhere)
    assert run(installation, **elsewhere) == ["0.2028", "1", "0"]
