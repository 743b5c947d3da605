"""What the fused loops share: e^x and log x that vectorise, compile and cache settings, the thread pool. The ground floor.

Only the `cpu` files import this module, when a fast path is first used, since Numba is slow to load. A fused loop is written
once, over names such as `real`, `exp` and `formula`, and `specialised` to a number type and a formula; LLVM turns its inner loop
into vector instructions, for which every function inside is `compiled` to be inlined and free of branches.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import hashlib
import inspect
import os
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread, get_native_id
from types import FunctionType, SimpleNamespace
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import caching, cgutils, types
from numba.extending import intrinsic

Kernel = Any
"""A function compiled by Numba."""

FAST = {"contract", "nsz", "arcp"}
"""Freedoms that keep inf and nan right. `reassoc` is left out: it would undo the differences that exp and log rest on."""

# ── compile and cache ──────────────────────────────────────────────────────────────────────────────────────────────────


def compiled(function: Callable[..., Any], *, inline: bool = True, freedoms: Iterable[str] = FAST) -> Kernel:
    """A function as machine code. NumPy's error model: a division that may raise would not vectorise. `nogil`: threads share it."""
    plain = inspect.unwrap(function)  # the tests' shape checker wraps functions
    return numba.njit(nogil=True, error_model="numpy", fastmath=set(freedoms), forceinline=inline)(plain)


def specialised(function: Callable[..., Any], name: str, **names: Any) -> FunctionType:
    """A copy of a function in which some global names mean something else: one loop, written once, for each formula.

    >>> def twice(x): return times(2, x)
    >>> specialised(twice, "double", times=lambda a, b: a * b)(21)
    42
    """
    plain = inspect.unwrap(function)
    copy = FunctionType(plain.__code__, {**plain.__globals__, **names}, name, plain.__defaults__)
    copy.__qualname__ = name
    return copy


def fingerprint(files: Iterable[str | Path]) -> str:
    """A hash of what the files hold: machine code cached under another one is stale."""
    return hashlib.sha256(b"\0".join(Path(f).read_bytes() for f in (__file__, *files))).hexdigest()


def cached(kernel: Kernel, *files: str | Path) -> Kernel:
    """The kernel, its machine code kept on disk until one of the files that it is made of changes, this one included.

    Numba itself looks only at the file that holds the loop. The code is kept where Numba keeps it: in NUMBA_CACHE_DIR, beside the
    source, or in the user's cache directory, whichever can be written first; where none can, or where Numba has rearranged its
    insides, every process compiles anew.
    """
    with contextlib.suppress(Exception):
        kernel._cache = _cache(fingerprint(files))(kernel.py_func)
    return kernel


@cache
def _cache(stamp: str) -> Any:
    """Numba's cache, with `stamp` in place of its look at one file."""

    def stamped(locator: Any) -> Any:
        return type(locator.__name__, (locator,), {"get_source_stamp": lambda self: stamp})

    class Implementation(caching.CompileResultCacheImpl):
        _locator_classes = [stamped(locator) for locator in caching.CompileResultCacheImpl._locator_classes]  # noqa: RUF012

    class Cache(caching.FunctionCache):
        _impl_class = Implementation

        def save_overload(self, sig: Any, data: Any) -> None:
            with contextlib.suppress(OSError):  # a full disk, say: slower next time, no worse
                super().save_overload(sig, data)

    return Cache


# ── threads ────────────────────────────────────────────────────────────────────────────────────────────────────────────


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
            started.append(Thread(target=_serve, args=(queue,), name=f"xent-{i}", daemon=True))
            started[-1].start()
    atexit.register(_end, queue, started, os.getpid())
    return queue


def _serve(queue: SimpleQueue[_Task | None]) -> None:
    _threads[get_native_id()] = -1
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
        _threads.clear()  # these numbers may be other processes' threads from now on


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


def _keep_apart() -> None:
    """Keep the pool's threads from the caller's core, where the system likes to wake them: the two would take turns there."""
    cores, core = threads(), _core()
    if not 1 < cores <= FEW or core < 0:
        return
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


def together(call: Callable[[int], object], calls: int, done: Callable[[], bool] = lambda: False) -> None:
    """Call call(0), …, call(calls − 1) at once, the first here: work that its calls share out among themselves.

    Whoever comes late finds nothing to do, and is not waited for; nor is anybody once the work is known to be done.
    """
    _keep_apart()
    tasks = [_Task(call, i) for i in range(1, calls)]
    try:
        for task in tasks:
            _queue().put(task)
        call(0)
    finally:
        begun = [task for task in tasks if not task.take_back()]
        begun = [] if done() else begun
        for task in begun:
            task.wait()
    for task in begun:
        task.check()


@intrinsic
def advance(typing: Any, address: Any, by: Any) -> Any:
    """Adds to the int64 at the address, which other threads add to as well; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, args[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


def aligned(size: int, dtype: Any) -> Any:
    """An empty array that starts at a cache line."""
    bytes = size * np.dtype(dtype).itemsize
    raw = np.empty(bytes + 64, np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + bytes].view(dtype)


# ── e^x and log x ──────────────────────────────────────────────────────────────────────────────────────────────────────
# Each coefficient is the nearest number to that of a Chebyshev fit at 60 digits (mpmath's chebyfit), of relative error at most a
# seventh of an ulp (2^f: 1.3 ulp). No step may be reassociated: r and the mantissa are differences of near numbers.


def _exp_tail32(r: Any) -> Any:
    """(e^r − 1 − r)/r² for |r| ≤ ½ log 2."""
    p = real(0.0013926250831497612) * r + real(0.0083632328836826182)
    p = p * r + real(0.04166655421298415)
    p = p * r + real(0.16666576666119928)
    return p * r + real(0.5)


def _exp_tail64(r: Any) -> Any:
    p = real(2.5100472505694996e-8) * r + real(2.7620201591031549e-7)
    p = p * r + real(2.7557268276905696e-6)
    p = p * r + real(2.4801521057868205e-5)
    p = p * r + real(0.00019841269863171556)
    p = p * r + real(0.0013888888917367081)
    p = p * r + real(0.0083333333333300382)
    p = p * r + real(0.041666666666623821)
    p = p * r + real(0.16666666666666667)
    return p * r + real(0.5000000000000001)


def _exp2_part32(f: Any) -> Any:
    """2^f for |f| ≤ ½, and exactly 1 at 0."""
    p = real(0.0013381302537320796) * f + real(0.0096663685153854483)
    p = p * f + real(0.055503810137964574)
    p = p * f + real(0.24022349038020361)
    p = p * f + real(0.69314718055994531)
    return p * f + real(1)


def _exp2_part64(f: Any) -> Any:
    p = real(4.4549605981865184e-10) * f + real(7.0725859492692237e-9)
    p = p * f + real(1.0178062445845774e-7)
    p = p * f + real(1.321544258792169e-6)
    p = p * f + real(1.5252733829836118e-5)
    p = p * f + real(0.0001540353044173605)
    p = p * f + real(0.0013333558146416935)
    p = p * f + real(0.0096181291076068885)
    p = p * f + real(0.055504108664821594)
    p = p * f + real(0.24022650695910098)
    p = p * f + real(0.69314718055994531)
    return p * f + real(1)


def _log_tail32(w: Any) -> Any:
    """(log((1+v)/(1−v)) − 2v)/v³ as a function of w = v², for m = (1+v)/(1−v) between √½ and √2."""
    p = real(0.29590317357160397) * w + real(0.39988550988935757)
    return p * w + real(0.6666668560327356)


def _log_tail64(w: Any) -> Any:
    p = real(0.1463003136412286) * w + real(0.15330617306743305)
    p = p * w + real(0.18182922513515942)
    p = p * w + real(0.22222210674238515)
    p = p * w + real(0.28571428628810996)
    p = p * w + real(0.39999999999893222)
    return p * w + real(0.66666666666666699)


@intrinsic
def bits_of(typing: Any, x: Any) -> Any:
    """The bits of a number as an integer of the same size."""
    to = types.int32 if x == types.float32 else types.int64
    return to(x), lambda context, builder, signature, args: builder.bitcast(args[0], context.get_value_type(to))


@intrinsic
def number_of(typing: Any, bits: Any) -> Any:
    """The number with these bits."""
    to = types.float32 if bits == types.int32 else types.float64
    return to(bits), lambda context, builder, signature, args: builder.bitcast(args[0], context.get_value_type(to))


@intrinsic
def held(typing: Any, x: Any, size: Any) -> Any:
    """x held between −size and size, in two instructions; of nan it makes any number between."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, bound = args
        kind = value.type
        name = "f32" if x == types.float32 else "f64"
        signature_ = ir.FunctionType(kind, [kind, kind])
        least = cgutils.get_or_insert_function(builder.module, signature_, f"llvm.minnum.{name}")
        most = cgutils.get_or_insert_function(builder.module, signature_, f"llvm.maxnum.{name}")
        upper = builder.call(least, [value, bound], fastmath=("nnan", "nsz"))
        return builder.call(most, [upper, builder.fneg(bound)], fastmath=("nnan", "nsz"))

    return x(x, size), generate


def _reduced(x: Any) -> Any:
    """(k, r): x = n·log 2 + r, n the whole number that k = SHIFT + n holds in its last bits."""
    k = x * LOG2E + SHIFT
    n = k - SHIFT
    return k, (x - n * LN2_HIGH) - n * LN2_LOW


def _exp_parts(x: Any) -> Any:
    """(2^n, e^r − 1), so that e^x = 2^n + 2^n(e^r − 1) and e^x − 1 = (2^n − 1) + 2^n(e^r − 1); for |x| ≤ near."""
    k, r = reduced(x)
    return number_of(whole((bits_of(k) + BIAS) << DIGITS)), r * r * exp_tail(r) + r


def _exp(x: Any) -> Any:
    """e^x over the whole range, subnormal results, inf and nan included: within 1 ulp."""
    x = TOP if x > TOP else x
    x = BOTTOM if x < BOTTOM else x
    k, r = reduced(x)
    n = whole(bits_of(k) - bits_of(SHIFT))
    half = whole(n >> 1)
    first, second = number_of(whole((half + BIAS) << DIGITS)), number_of(whole((n - half + BIAS) << DIGITS))
    return (r * r * exp_tail(r) + r + real(1)) * first * second


def _exp_near(x: Any) -> Any:
    """e^x for |x| ≤ near, as exact as a rounded x deserves: the error is that of one more rounding of x, and 2 ulp.

    e^x = 2^n·2^f with n + f = x·log₂e: the fewest steps that an exponential takes.
    """
    scaled = x * LOG2E
    k = scaled + SHIFT
    f = scaled - (k - SHIFT)
    return number_of(whole(bits_of(exp2_part(f)) + whole(bits_of(k) << DIGITS)))


def _log(x: Any) -> Any:
    """log x over the whole range: within 1 ulp; −inf of 0, nan below."""
    small = x < LEAST
    bits = bits_of(x * LIFT if small else x)
    n = whole(whole(bits - SQRT_HALF) >> DIGITS)
    f = number_of(whole(bits - whole(n << DIGITS))) - real(1)
    exponent = real(np.int32(n)) - (LIFTED if small else real(0))
    v = f / (real(2) + f)
    square = real(0.5) * f * f
    tail = v * (square + v * v * log_tail(v * v)) + exponent * LN2_LOW
    y = exponent * LN2_HIGH + (f - (square - tail))
    y = y if x < real(np.inf) else x  # inf and nan
    return y if x > real(0) else (real(np.nan) if x < real(0) else (-real(np.inf) if x == real(0) else x))


def _log1p(t: Any) -> Any:
    """log(1 + t) for 0 ≤ t ≤ 1, right to the last digits of a small t."""
    u = real(1) + t
    return log(u) + (t - (u - real(1))) / u


@cache
def mathematics(dtype: str) -> SimpleNamespace:
    """real (the number type), exp, log, log1p and the like for float32 or float64, as names for `specialised`.

    `near` is the size up to which exp_near and exp_parts may be asked.
    """
    names: dict[str, Any]
    if dtype == "float32":
        names = {"real": np.float32, "whole": np.int32, "DIGITS": 23, "BIAS": 127, "TOP": 89.0, "BOTTOM": -104.5, "near": 86.5}
        names |= {"LN2_HIGH": float.fromhex("0x1.62e4p-1"), "LN2_LOW": float.fromhex("0x1.7f7d1cf79abcap-20")}
        names |= {"LOG2E_LOW": float.fromhex("0x1.4ae0bf85ddf44p-26")}
        tails = _exp_tail32, _exp2_part32, _log_tail32
    else:
        names = {"real": np.float64, "whole": np.int64, "DIGITS": 52, "BIAS": 1023, "TOP": 710.0, "BOTTOM": -746.0, "near": 707.5}
        names |= {"LN2_HIGH": float.fromhex("0x1.62e42fee00000p-1"), "LN2_LOW": float.fromhex("0x1.a39ef35793c76p-33")}
        names |= {"LOG2E_LOW": float.fromhex("0x1.777d0ffda0d24p-56")}
        tails = _exp_tail64, _exp2_part64, _log_tail64
    real, whole, digits, bias = names["real"], names["whole"], names["DIGITS"], names["BIAS"]
    names |= {name: real(names[name]) for name in ("TOP", "BOTTOM", "near", "LN2_HIGH", "LN2_LOW", "LOG2E_LOW")}
    names |= {"DIGITS": whole(digits), "BIAS": whole(bias), "LOG2E": real(np.log2(np.e)), "SHIFT": real(1.5 * 2**digits)}
    names |= {"LEAST": np.finfo(real).tiny, "LIFT": real(2.0**54), "LIFTED": real(54), "SQRT_HALF": real(np.sqrt(0.5)).view(whole)}
    order = {"exp_tail": tails[0], "exp2_part": tails[1], "log_tail": tails[2], "reduced": _reduced, "exp_parts": _exp_parts,
             "exp_near": _exp_near, "exp": _exp, "log": _log, "log1p": _log1p}  # fmt: skip
    for name, function in order.items():
        names[name] = compiled(specialised(function, f"{name}_{dtype}", **names), freedoms={"contract"})
    return SimpleNamespace(**names)
