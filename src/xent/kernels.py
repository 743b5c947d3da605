"""What the fused loops share: e^x and log x that vectorise, compile and cache settings. The ground floor.

Only the `cpu` files import this module, when a fast path is first used, since Numba is slow to load. A fused loop is written
once, over names such as `real`, `exp` and `formula`, and `specialised` to a number type and a formula; LLVM turns its inner loop
into vector instructions, for which every function inside is `compiled` to be inlined and free of branches.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import caching, cgutils, types
from numba.core.ccallback import CFunc
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


def entry(function: FunctionType, *files: str | Path) -> Any:
    """A function of an address that answers an int32, for whoever calls machine code: it is at `.address` while this is kept."""
    made: Any = CFunc(function, ((types.int64,), types.int32), locals={}, options={"error_model": "numpy"})
    with contextlib.suppress(Exception):
        made._cache = _cache(fingerprint(files))(function)
    made.compile()
    return made


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


def _halved(x: Any) -> Any:
    """(n, f) of x = 2^n·(1 + f), f between √½ − 1 and √2 − 1, for normal x."""
    bits = bits_of(x)
    n = whole(whole(bits - SQRT_HALF) >> DIGITS)
    return real(np.int32(n)), number_of(whole(bits - whole(n << DIGITS))) - real(1)


def _log_of_parts(n: Any, f: Any, v: Any) -> Any:
    """n·log 2 + log(1 + f), v = f/(2 + f)."""
    square = real(0.5) * f * f
    tail = v * (square + v * v * log_tail(v * v)) + n * LN2_LOW
    return n * LN2_HIGH + (f - (square - tail))


def _log(x: Any) -> Any:
    """log x over the whole range: within 1 ulp; −inf of 0, nan below."""
    small = x < LEAST
    n, f = halved(x * LIFT if small else x)
    y = log_of_parts(n - (LIFTED if small else real(0)), f, f / (real(2) + f))
    y = y if x < real(np.inf) else x  # inf and nan
    return y if x > real(0) else (real(np.nan) if x < real(0) else (-real(np.inf) if x == real(0) else x))


def _log_and_inverse(x: Any) -> Any:
    """(log x, 1/x) by one division, within 1 and 2 ulp; for normal x up to the square root of the greatest number, and nan."""
    n, f = halved(x)
    both = real(1) / (x * (real(2) + f))
    return log_of_parts(n, f, f * x * both), (real(2) + f) * both


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
    order: dict[str, Callable[..., Any]] = {
        "exp_tail": tails[0], "exp2_part": tails[1], "log_tail": tails[2], "reduced": _reduced, "exp_parts": _exp_parts,
        "exp_near": _exp_near, "exp": _exp, "halved": _halved, "log_of_parts": _log_of_parts, "log": _log,
        "log_and_inverse": _log_and_inverse, "log1p": _log1p,
    }  # fmt: skip
    for name, function in order.items():
        names[name] = compiled(specialised(function, f"{name}_{dtype}", **names), freedoms={"contract"})
    return SimpleNamespace(**names)
