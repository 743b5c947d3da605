"""The thread pool of the fast paths: work that releases the GIL, shared out among the cores. The ground floor.

One thread for each core, made when they are first needed. A call may be over in microseconds: so the caller works too, takes back
what nobody has begun, and keeps the others from its own core. No fork, no error and no end of the interpreter leaves one hanging.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from queue import SimpleQueue
from threading import Lock, Thread, get_native_id
from typing import Any


def threads() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Task:
    """A call for whoever takes it first: one of our threads, or the one that gave it out, who then does without it."""

    def __init__(self, call: Callable[[int], object], given: int) -> None:
        self._call: Callable[[int], object] | None = call
        self._given, self._free, self._running = given, Lock(), Lock()
        self._error: BaseException | None = None
        self._running.acquire()

    def run(self) -> None:
        if self._free.acquire(blocking=False):
            try:
                assert self._call is not None
                self._call(self._given)
            except BaseException as error:  # the one that gave it out raises it
                self._error = error
            finally:
                self._call = None  # before anybody goes on: what it holds may be wanted again at once
                self._running.release()

    def take_back(self) -> bool:
        """Whether nobody has it yet, and now nobody will."""
        if not self._free.acquire(blocking=False):
            return False
        self._call = None  # lets go of what the call holds, while this still stands in the queue
        return True

    def wait(self) -> None:
        with self._running:
            pass

    def check(self) -> None:
        if self._error is not None:
            raise self._error


_threads: dict[int, int] = {}
"""Our threads as the system knows them, and the core that each is kept from: −1 for none."""


@cache
def _queue() -> SimpleQueue[_Task | None]:
    """Where our threads wait for tasks, one thread for each core. `concurrent.futures` takes longer to hand one over."""
    queue: SimpleQueue[_Task | None] = SimpleQueue()
    started = []
    with contextlib.suppress(RuntimeError):  # the interpreter is about to end: whoever calls does all of it
        for i in range(threads()):
            started.append(Thread(target=kept_apart, args=(_serve, queue), name=f"xent-{i}", daemon=True))
            started[-1].start()
    atexit.register(_end, queue, started, os.getpid())
    return queue


def _serve(queue: SimpleQueue[_Task | None]) -> None:
    while (task := queue.get()) is not None:
        task.run()
        del task  # and all that it holds


def _end(queue: SimpleQueue[_Task | None], started: list[Thread], process: int) -> None:
    """A thread must not come back from machine code to an interpreter that is gone."""
    if os.getpid() == process:
        for _ in started:
            queue.put(None)
        for thread in started:
            thread.join()


def _forget() -> None:
    """A child has none of its parent's threads."""
    _queue.cache_clear()
    _threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

FEW = 8
"""Cores up to which threads are kept from the caller's."""
_core: Callable[[], int] = ctypes.PyDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else lambda: -1
"""The core that this thread is on."""
_caller = -1
"""The core that all of our threads are kept from; -1 where some are not."""


def kept_apart(call: Callable[..., object], *given: Any) -> None:
    """call(*given) by this thread, which is kept from the core of whoever it works with until that is done."""
    global _caller
    me = get_native_id()
    _threads[me] = _caller = -1
    try:
        call(*given)
    finally:
        _threads.pop(me, None)  # the number may be another process's thread from now on


def keep_apart() -> None:
    """Keep our threads from the caller's core, where the system likes to wake them: the two would take turns there."""
    global _caller
    core = _core()
    if core == _caller:
        return
    if not 1 < threads() <= FEW or core < 0:
        return
    _caller = core
    for thread, other in _threads.copy().items():
        if other != core:
            _threads[thread] = core
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, os.sched_getaffinity(0) - {core})


def share_out(work: Callable[[int, int], Iterable[None] | None], n: int, grain: int) -> None:
    """Call work(start, stop) on parts of range(n) until all of it is done, in several threads where there are several parts.

    The parts are multiples of `grain`, four for each thread, so that a slow core holds nothing up.  Work must release the GIL.
    Each thread takes the next part when it is done with one; the caller is one of them, and has no hand-over to wait for.
    Work that may take long is a generator, and yields now and then: there everybody stops once the caller has been interrupted.
    """
    part = grain * max(1, -(-n // (grain * 4 * threads())))
    parts = deque(range(0, n, part))
    sharers = min(threads(), len(parts))
    if sharers < 2:
        deque(work(0, n) or (), maxlen=0)
        return
    given_up = False

    def drain(_: int = 0) -> None:
        nonlocal given_up
        try:
            while parts:
                try:
                    start = parts.popleft()
                except IndexError:  # another thread has the last one
                    return
                for _piece in work(start, min(start + part, n)) or ():
                    if given_up:
                        return
        except BaseException:
            given_up = True
            parts.clear()
            raise

    try:
        together(drain, sharers)
    except BaseException:  # also while the others were waited for
        given_up = True
        parts.clear()
        raise


def together(call: Callable[[int], object], calls: int) -> None:
    """Call call(0), …, call(calls − 1) at once, the first here: work that its calls share out among themselves.

    Whoever comes late finds nothing to do, and is not waited for.
    """
    keep_apart()
    tasks = [_Task(call, i) for i in range(1, calls)]
    try:
        for task in tasks:
            _queue().put(task)
        call(0)
    finally:
        begun = [task for task in tasks if not task.take_back()]
        for task in begun:
            task.wait()
    for task in begun:
        task.check()
