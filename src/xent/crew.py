"""Threads that wait in machine code for machine code: for calls that are over in microseconds. Above the ground floor.

Through Python (`threads`) a hand-over takes 40 µs, and the interpreter's lock at both ends, where the caller wants it too: an
eighth of the time of a batch of 65,536 × 10. Here a helper sleeps at a semaphore of the system, is told an address to call, and
does not see the interpreter until that ends. There is one crew, for one call at a time: whoever finds it taken works alone.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
from functools import cache
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from xent.kernels import Kernel, cached, compiled
from xent.memory import address, aligned
from xent.threads import keep_apart, kept_apart, threads

HEAD = TAKEN, WAIT, POST, NAP = range(4)
"""Numbers before the helpers': whether somebody has the crew, and the system's functions, by address."""
SLOT = STATE, FUNCTION, GIVEN, LEAVE, SEMAPHORE, ROOM = range(6)
"""Numbers of a helper: what it is at, what it is to call, with what, whether it is to end, where its semaphore is, room for one."""
EACH = 16
"""Numbers from one helper to the next, and before the first one: two cache lines."""
FREE, CALLED, BEGUN = range(3)
"""What a helper is at."""
LOOKS = 50_000
"""How often the caller looks whether a helper is done, before it sleeps between looks: about a millisecond."""
A_WHILE = 50
"""Microseconds of such a sleep."""


# ── what a memory is that several threads see ──────────────────────────────────────────────────────────────────────────

_INT = ir.IntType(64)


def _place(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _INT.as_pointer())


@intrinsic
def seen(typing: Any, address: Any) -> Any:
    """The int64 at the address, as it is by now."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_place(builder, args[0]), "seq_cst", 8)

    return types.int64(types.int64), generate


@intrinsic
def advance(typing: Any, address: Any, by: Any) -> Any:
    """Adds to the int64 at the address, which other threads add to as well; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _place(builder, args[0]), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def exchanged(typing: Any, address: Any, value: Any) -> Any:
    """Makes the int64 at the address this one; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("xchg", _place(builder, args[0]), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def turned(typing: Any, address: Any, before: Any, after: Any) -> Any:
    """Whether the int64 at the address was `before`, and so now is `after`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.extract_value(builder.cmpxchg(_place(builder, args[0]), args[1], args[2], "seq_cst", "seq_cst"), 1)

    return types.boolean(types.int64, types.int64, types.int64), generate


@intrinsic
def call(typing: Any, function: Any, first: Any, second: Any, third: Any) -> Any:
    """The int32 that the function at an address answers; one of fewer arguments does not see the others."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [_INT] * 3)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int32(types.int64, types.int64, types.int64, types.int64), generate


# ── calling the crew together, and letting it go ───────────────────────────────────────────────────────────────────────


def _summon(crew: Any, wanted: Any, function: Any, given: Any) -> Any:
    """Have so many helpers call a function on `given`; how many will: none where another call has the crew."""
    if wanted < 1 or exchanged(crew + 8 * TAKEN, 1) == 1:
        return 0
    for i in range(wanted):
        slot = crew + 8 * EACH * (i + 1)
        exchanged(slot + 8 * FUNCTION, function)
        exchanged(slot + 8 * GIVEN, given)
        exchanged(slot + 8 * STATE, CALLED)
        call(seen(crew + 8 * POST), seen(slot + 8 * SEMAPHORE), 1, 0)
    return wanted


def _dismiss(crew: Any, called: Any) -> None:
    """Wait for so many helpers, but for none that has not begun."""
    for i in range(called):
        state, looks = crew + 8 * (EACH * (i + 1) + STATE), 0
        turned(state, CALLED, FREE)
        while seen(state) != FREE:
            looks += 1
            if looks > LOOKS:
                call(seen(crew + 8 * NAP), A_WHILE, 0, 0)
    if called > 0:
        exchanged(crew + 8 * TAKEN, 0)


summon: Kernel = compiled(_summon, inline=False, freedoms=())
dismiss: Kernel = compiled(_dismiss, inline=False, freedoms=())


def _serve(crew: Any, number: Any) -> None:
    slot = crew + 8 * EACH * number
    while seen(slot + 8 * LEAVE) == 0:
        call(seen(crew + 8 * WAIT), seen(slot + 8 * SEMAPHORE), -1, 0)  # a signal may end it: then nothing is found
        if turned(slot + 8 * STATE, CALLED, BEGUN):
            call(seen(slot + 8 * FUNCTION), seen(slot + 8 * GIVEN), 0, 0)
            exchanged(slot + 8 * STATE, FREE)


# ── the crew ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Crew(NamedTuple):
    """Where its numbers are, and how many helpers there are."""

    at: int
    size: int
    numbers: np.ndarray
    """What has its memory."""


def crew() -> tuple[int, int]:
    """Where the crew's numbers are, and how many helpers there are, each kept from the caller's core."""
    keep_apart()
    at, size, _ = _crew()
    return at, size


@cache
def _crew() -> Crew:
    """A helper for each core but one. None where the system has no semaphores that we know, or the interpreter is about to end."""
    size = threads() - 1
    numbers = aligned(EACH * (size + 1), np.dtype(np.int64))
    numbers[:] = 0
    at, started = address(numbers), list[Thread]()
    try:
        numbers[WAIT], numbers[POST], numbers[NAP] = _system()
        for number in range(1, size + 1):
            numbers[EACH * number + SEMAPHORE] = _semaphore(at + 8 * (EACH * number + ROOM))
        if size:
            serve = cached(compiled(_serve, inline=False, freedoms=()), __file__)
            for number in range(1, size + 1):
                thread = Thread(target=kept_apart, args=(serve, at, number), name=f"xent-crew-{number}", daemon=True)
                thread.start()
                started.append(thread)
    except (OSError, AttributeError, RuntimeError):
        size = len(started)
    atexit.register(_end, numbers, started, os.getpid())
    return Crew(at, size, numbers)


def _system() -> tuple[int, int, int]:
    """The addresses of the functions that wait at a semaphore, post to one, and sleep for some microseconds."""
    if sys.platform == "win32":
        raise OSError
    here = ctypes.CDLL(None)
    names = ("dispatch_semaphore_wait", "dispatch_semaphore_signal") if sys.platform == "darwin" else ("sem_wait", "sem_post")
    wait, post, nap = (int(ctypes.cast(getattr(here, name), ctypes.c_void_p).value or 0) for name in (*names, "usleep"))
    return wait, post, nap


def _semaphore(room: int) -> int:
    """The address of a new semaphore of value 0; there is room for one."""
    here = ctypes.CDLL(None)
    if sys.platform == "darwin":
        here.dispatch_semaphore_create.restype = ctypes.c_void_p
        return int(here.dispatch_semaphore_create(ctypes.c_long(0)))
    if here.sem_init(ctypes.c_void_p(room), 0, 0) != 0:
        raise OSError
    return room


def _end(numbers: np.ndarray, started: list[Thread], process: int) -> None:
    """No helper outlives the interpreter."""
    if os.getpid() != process:
        return
    for number, thread in enumerate(started, 1):
        numbers[EACH * number + LEAVE] = 1
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(int(numbers[POST]))(int(numbers[EACH * number + SEMAPHORE]))
        thread.join()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_crew.cache_clear)  # a child has none of its parent's threads
