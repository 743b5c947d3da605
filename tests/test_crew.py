"""The crew: its helpers do what they are called for, once; one call has them at a time; none is waited for in vain."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import xent
from xent import crew, kernels
from xent.memory import address

PARTS = 1000


def _count(at):
    while True:
        part = crew.advance(at, 1)
        if part >= PARTS:
            return np.int32(0)
        crew.advance(at + 8 * (1 + part), 1)


count = kernels.compiled(_count, inline=False)
called = kernels.entry(_count)


@kernels.compiled
def together(at, crew_at, helpers, function):
    called = crew.summon(crew_at, helpers, function, at)
    count(at)
    crew.dismiss(crew_at, called)
    return called


def counted(helpers=None):
    """How many helpers came, when all parts are found to be counted once."""
    numbers, (at, many) = np.zeros(1 + PARTS, np.int64), crew.crew()
    came = together(address(numbers), at, many if helpers is None else helpers, called.address)
    assert (numbers[1:] == 1).all()
    return came


def taken():
    return crew._crew().numbers[crew.TAKEN]


def test_every_part_is_done_once_and_the_crew_is_free_again():
    for _ in range(300):
        assert counted() == crew.crew()[1]
        assert not taken()
    assert counted(0) == 0


def test_who_finds_the_crew_taken_works_alone():
    crew._crew().numbers[crew.TAKEN] = 1
    try:
        assert counted() == 0
        assert taken()
    finally:
        crew._crew().numbers[crew.TAKEN] = 0


@pytest.mark.skipif(not hasattr(os, "sched_yield"), reason="no function that does nothing")
def test_helpers_that_nothing_has_woken_are_not_waited_for():
    numbers = crew._crew().numbers
    nothing = ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value
    post, numbers[crew.POST] = int(numbers[crew.POST]), nothing
    try:
        assert counted() == crew.crew()[1]
    finally:
        numbers[crew.POST] = post
    assert counted() == crew.crew()[1]


def test_from_many_threads_at_once():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(65_536, 4)).astype(np.float32), rng.integers(0, 4, 65_536)
    alone = xent.cross_entropy_and_grad(z, y)
    with ThreadPoolExecutor(8) as pool:
        for cost, grad in pool.map(lambda _: xent.cross_entropy_and_grad(z, y), range(64)):
            assert cost == alone[0]
            np.testing.assert_array_equal(grad, alone[1])
    assert not taken()


@pytest.mark.parametrize("fault", [OSError, AttributeError])
def test_where_the_system_has_no_semaphores(fault, monkeypatch):
    def without():
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(crew, "_system", without)
        crew._crew.cache_clear()
        assert crew.crew()[1] == 0
        assert counted() == 0
    crew._crew.cache_clear()
    assert counted() == crew.crew()[1]


ENDINGS = """
import os, signal, threading, numpy as np, xent
z, y = np.random.default_rng(0).normal(size=(65_536, 4)), np.arange(65_536) % 4
before = xent.cross_entropy(z, y)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)  # in the midst of calls, and of sleep at the semaphore
assert all(xent.cross_entropy(z, y) == before for _ in range(200))
signal.setitimer(signal.ITIMER_REAL, 0)
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        os._exit(0 if xent.cross_entropy(z, y) == before else 3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_signals_forks_and_the_end():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ENDINGS], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["0"]), done.stderr[-2000:]
