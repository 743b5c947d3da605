"""The thread pool: all of the work is done once, errors arrive, nothing is held, threads go where they are sent and end in time."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from threading import get_ident
from time import sleep

import numpy as np
import pytest

from xent import threads


def test_all_of_the_range_is_worked_on_once():
    for n in (0, 1, 7, 256, 10_001):
        seen = np.zeros(n, int)

        def work(start, stop, seen=seen):
            seen[start:stop] += 1

        threads.share_out(work, n, 16)
        assert (seen == 1).all()


def test_an_error_in_a_thread_is_raised():
    def work(start, stop):
        if stop > 5000:
            raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        threads.share_out(work, 10_000, 16)


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
        threads.share_out(work, 10_000, 16)
    assert not to_the_end


def test_a_task_that_was_taken_back_holds_nothing():
    class Held:
        def __call__(self, i):
            raise AssertionError

    task = threads._Task(Held(), 1)
    assert task.take_back()
    assert not task.take_back()
    assert not [held for held in gc.get_referents(task) if isinstance(held, Held)]
    task.run()  # as the thread does that meets it in the queue
    task.check()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or not 1 < threads.threads() <= threads.FEW, reason="needs a few cores")
def test_threads_are_kept_from_the_callers_core():
    everywhere = os.sched_getaffinity(0)
    threads.share_out(lambda start, stop: None, 1000, 1)
    while len(threads._threads) < len(everywhere):
        sleep(0.001)
    for core in everywhere:
        try:
            os.sched_setaffinity(0, {core})
            threads.keep_apart()  # a single core is for all
            os.sched_setaffinity(0, everywhere)
            threads.keep_apart()
        finally:
            os.sched_setaffinity(0, everywhere)
        for thread, kept_from in threads._threads.items():
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
