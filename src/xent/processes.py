"""Processes that others start: they end with who started them, and leave Ctrl-C to it. The ground floor."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

OFTEN = 1.0
"""Seconds from one look at the parent to the next."""


@cache
def end_with(parent: int) -> None:
    """End this process, whatever it is at, soon after `parent`, the process that started it, is gone: killed, say.

    A thread looks every second. (What Linux offers instead, a signal at the parent's death, comes when the *thread* ends that
    started this process.) Where a process keeps a parent that is gone, on Windows, nothing happens.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(OFTEN)
        os._exit(1)  # nobody is left to be told

    threading.Thread(target=watch, name="xent-parent", daemon=True).start()


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """While other processes are started: they never hear Ctrl-C, which a terminal sends to all; who started them ends them.

    A signal that is ignored stays so in a new process, also while Python itself begins there.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)
