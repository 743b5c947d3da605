"""Arrays of any library, and the few array tools that the formulas share. The ground floor.

`namespace` finds the array API of what the caller passed (NumPy, PyTorch, JAX, CuPy, array-api-strict), so that
every formula is written once. The rest keeps last digits: a difference and a product *with their rounding errors*,
and sums whose error does not grow with the number of terms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import array_api_compat as compat
import numpy as np

from xent.errors import ArrayKindError

Array = Any
"""An array of any library that follows the array API standard."""

Numbers = Any
"""What a caller may pass: an array of any library, a Python number, a list of them. Checked by hand, so that the error is ours."""


def library(x: Any) -> str:
    """The name of the library that an array belongs to.

    >>> library(np.zeros(3)), library(1.0)
    ('numpy', 'numpy')
    """
    return type(x).__module__.split(".")[0] if compat.is_array_api_obj(x) else "numpy"


def namespace(*arrays: Any) -> Any:
    """The array namespace that the arguments have in common; Python numbers and lists count as NumPy.

    Raises ArrayKindError where the arguments belong to different libraries, and for NumPy's masked arrays, whose masks no formula
    would look at.
    """
    owned = [x for x in arrays if compat.is_array_api_obj(x)]
    if not owned:
        return compat.array_namespace(np.zeros(()))
    if any(isinstance(x, np.ma.MaskedArray) for x in owned):
        raise ArrayKindError("a masked array came, whose mask would be lost: leave the masked rows out, or fill them in with "
                             ".filled(…), class indices with ignore_index.")  # fmt: skip
    try:
        return compat.array_namespace(*owned)
    except TypeError as error:
        names = " and ".join(dict.fromkeys(map(_home, owned)))
        raise ArrayKindError(f"the arrays of one call belong to one library, but {names} arrays came together: "
                             "convert all of them to one library first.") from error  # fmt: skip


def as_array(x: Any, xp: Any, like: Array | None = None) -> Array:
    """x as an array of the library `xp`: arrays stay as they are, Python numbers and lists are converted."""
    if compat.is_array_api_obj(x):
        return x
    try:
        plain = np.asarray(x)
    except ValueError as error:
        raise ArrayKindError(f"expected an array or numbers, but {type(x).__name__} {x!r:.60} came: {error}") from error
    if plain.dtype.kind not in "biuf":
        raise ArrayKindError(f"expected an array or numbers, but {type(x).__name__} {x!r:.60} came.")
    where = {} if like is None else {"device": compat.device(like)}
    dtype = getattr(xp, _PLAIN[plain.dtype.kind])
    if not plain.shape:  # written on the device, rather than sent there
        return xp.full((), plain.item(), dtype=dtype, **where)
    return xp.asarray(plain.tolist(), dtype=dtype, **where)


_PLAIN = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}


def dtype_name(x: Array) -> str:
    """The dtype's name without its library's: float32.

    >>> dtype_name(np.zeros(1, np.float16)), dtype_name(np.zeros(1, bool))
    ('float16', 'bool')
    """
    kind = getattr(x.dtype, "type", None)  # NumPy's str is slow
    return str(x.dtype).rpartition(".")[2] if kind is None else _ALIASES.get(kind.__name__, kind.__name__)


_ALIASES = {"longlong": "int64", "ulonglong": "uint64", "longdouble": "float128"}


def is_float(x: Array) -> bool:
    """Whether the dtype is a real floating one, the 16-bit ones included."""
    return "float" in dtype_name(x)


def is_integer(x: Array) -> bool:
    """Whether the dtype is an integer one (booleans are not)."""
    return "int" in dtype_name(x)


def is_bool(x: Array) -> bool:
    """Whether the dtype is boolean."""
    return "bool" in dtype_name(x)


def widen(x: Array, xp: Any) -> Array:
    """16-bit floats as float32, in which they are computed; everything else as it is."""
    return xp.astype(x, xp.float32) if dtype_name(x) in ("float16", "bfloat16") else x


def is_concrete(x: Array) -> bool:
    """Whether the values of an array may be looked at now: false inside jit, vmap and torch.compile, and of fake tensors."""
    if "jax" in sys.modules and library(x) in ("jax", "jaxlib"):
        return not isinstance(x, sys.modules["jax"].core.Tracer)
    if "torch" in sys.modules and library(x) == "torch":
        return _is_concrete_tensor(x, sys.modules["torch"])
    return True


def _is_concrete_tensor(x: Array, torch: Any) -> bool:
    """Not while compiling, recording or faking, and not where one layer of torch.func's wrappers stands for many tensors."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0 or torch.jit.is_tracing():
        return False
    while torch._C._functorch.is_functorch_wrapped_tensor(x):
        if torch._C._functorch.is_batchedtensor(x):
            return False
        x = torch._C._functorch.get_unwrapped(x)
    return not x.is_meta and not hasattr(x, "fake_mode")


def moved(x: Array, source: int, destination: int, xp: Any) -> Array:
    """x with one axis elsewhere: moveaxis, made of what PyTorch's vmap knows.

    >>> moved(np.zeros((2, 3, 4)), 1, -1, np).shape
    (2, 4, 3)
    """
    order = [axis for axis in range(x.ndim) if axis != source % x.ndim]
    order.insert(destination % x.ndim, source % x.ndim)
    return xp.permute_dims(x, tuple(order))


def quiet() -> AbstractContextManager[None]:
    """NumPy's warnings off: the formulas below go through inf on purpose and say where that is."""
    if "torch" in sys.modules and sys.modules["torch"].compiler.is_compiling():
        return nullcontext()
    return np.errstate(all="ignore")


# ── a formula that knows one library ───────────────────────────────────────────────────────────────────────────────────────

HOMES: dict[str, Callable[[Any], Array]] = {
    "numpy": np.array,
    "torch": lambda x: sys.modules["torch"].asarray(np.array(x)),
    "jax": lambda x: sys.modules["jax"].numpy.asarray(x),
}
"""Where a user's formula may be at home, tried in this order; only a library that is loaded already can be it."""


def asked(function: Callable[..., Array], *arrays: Array) -> Array:
    """function(*arrays), for a formula of the user's own, which may be written for one library alone.

    Where it fails on the caller's arrays, or answers with another library's, it is asked with copies in its own, and the answer
    is brought back. No derivative passes through copies: where one is recorded, the formula's own error is raised instead.

    >>> import torch
    >>> asked(torch.square, np.asarray([3.0]))
    array([9.])
    """
    if "torch" in sys.modules and sys.modules["torch"].compiler.is_compiling():
        return function(*arrays)
    home = _home(arrays[0])
    try:
        result = function(*arrays)
    except Exception as error:
        with suppress(Exception):
            return _elsewhere(function, home, arrays)
        raise error from None
    if _home(result) != home:
        with suppress(Exception):
            return _elsewhere(function, home, arrays)
    return result


def _home(x: Any) -> str:
    return "jax" if library(x).startswith("jax") else library(x)


def _elsewhere(function: Callable[..., Array], home: str, arrays: tuple[Array, ...]) -> Array:
    """The answer from the first other library that the function is at home in."""
    plain = [_as_numpy(x) for x in arrays]
    for name, make in HOMES.items():
        if name != home and name in sys.modules:
            with suppress(Exception):
                answer = function(*map(make, plain))
                if _home(answer) == name:
                    return _brought_back(answer, arrays[0], home)
    raise ArrayKindError("at home in no library that is loaded.")


def _as_numpy(x: Array) -> Array:
    if library(x) == "torch":
        if x.requires_grad and sys.modules["torch"].is_grad_enabled():
            raise ArrayKindError("a copy carries no derivative.")
        x = x.detach().cpu().numpy()
    return np.asarray(x)


def _brought_back(answer: Array, like: Array, home: str) -> Array:
    plain = np.array(_as_numpy(answer), dtype=dtype_name(like))  # a copy: PyTorch minds what is read-only
    made = namespace(like).asarray(plain)
    return made if home == "numpy" else compat.to_device(made, compat.device(like))


# ── last digits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def difference(a: Array, b: Array, xp: Any) -> tuple[Array, Array]:
    """a − b as a rounded value and its rounding error, the error 0 where it is not finite.

    Knuth's two-sum: high + low = a − b exactly.  Reference: Knuth, TAOCP 2 (1997), 4.2.2, theorem B.

    >>> high, low = difference(np.asarray(1.0), np.asarray(1e-20), np)
    >>> float(high), float(low)
    (1.0, -1e-20)
    """
    high = a - b
    minus_b = high - a
    low = (a - (high - minus_b)) - (b + minus_b)
    return high, xp.where(xp.isfinite(low), low, 0.0)


def product(r: float, x: Array, xp: Any) -> tuple[Array, Array]:
    """r·x as a rounded value and its rounding error, the error 0 where it is not finite.

    Dekker's product: high + low = r·x exactly (barring overflow).  Reference: Dekker (1971), mul12.

    >>> high, low = product(0.1, np.asarray(3.0), np)
    >>> from fractions import Fraction
    >>> Fraction(0.1) * 3 == Fraction(float(high)) + Fraction(float(low))
    True
    """
    bits = 27 if "64" in str(x.dtype) else 12
    ones = xp.ones_like(x) * r  # r rounded to x's dtype, as the product itself sees it
    high = ones * x
    r1, r2 = _halves(ones, bits)
    x1, x2 = _halves(x, bits)
    low = ((r1 * x1 - high) + r1 * x2 + r2 * x1) + r2 * x2
    return high, xp.where(xp.isfinite(low), low, 0.0)


def _halves(x: Array, bits: int) -> tuple[Array, Array]:
    """x as the sum of two numbers with half the digits each (Veltkamp's split)."""
    scaled = x * (2.0**bits + 1)
    upper = scaled - (scaled - x)
    return upper, x - upper


def sign(x: Array, xp: Any) -> Array:
    """−1, 0 or 1, and nan of nan; under every transformation that a library offers."""
    return xp.where(x > 0, 1.0, xp.where(x < 0, -1.0, 0.0 * x))


def total(x: Array, xp: Any) -> Array:
    """The sum over the last axis, in a tree: its error grows with log₂ of the number of terms.

    >>> float(total(np.full(1000, 0.1), np))
    100.0
    """
    n = x.shape[-1]
    if n == 0:
        return xp.sum(x, axis=-1)
    while n > 1:
        half = n // 2
        folded = x[..., :half] + x[..., half : 2 * half]
        x = xp.concat([folded, x[..., 2 * half :]], axis=-1) if n % 2 else folded
        n = x.shape[-1]
    return x[..., 0]


def greatest(x: Array, xp: Any) -> Array:
    """A mask over the last axis: true at one place, where x is greatest."""
    return hot(xp.argmax(x, axis=-1), x, xp)


def hot(index: Array, like: Array, xp: Any) -> Array:
    """A mask of `like`'s shape: true where the place on the last axis is `index`."""
    places = xp.arange(like.shape[-1], device=compat.device(like))
    return places == index[..., None]


def total_of_others(x: Array, xp: Any) -> Array:
    """Σ_{i≠j} x_i for every j of the last axis, the greatest term never subtracted from a sum that holds it.

    >>> total_of_others(np.asarray([1e-20, 1.0, 0.0]), np)
    array([1.e+00, 1.e-20, 1.e+00])
    """
    top = greatest(xp.abs(x), xp)
    rest = total(xp.where(top, 0.0, x), xp)[..., None]
    all_of_them = total(xp.where(top, x, 0.0), xp)[..., None] + rest
    return xp.where(top, rest, all_of_them - x)


def norm(x: Array, xp: Any) -> Array:
    """The Euclidean norm over the last axis, without overflow or underflow on the way."""
    if x.shape[-1] == 0:
        return xp.sum(x, axis=-1)
    size = xp.max(xp.abs(x), axis=-1)
    safe = xp.where((size > 0) & xp.isfinite(size), size, 1.0)
    return safe * xp.sqrt(total((x / safe[..., None]) ** 2, xp))
