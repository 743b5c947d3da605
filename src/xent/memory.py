"""Memory as the fused loops see it: numbers behind an address, of any storage type, and what LLVM needs told. The ground floor.

A loop over addresses is compiled once for any strides and any owner of the memory (NumPy's arrays, or another library's seen
through NumPy), and its inner loop is free of the bookkeeping that arrays bring. float16 and bfloat16 are storage only: `peek`
widens to float32 and `poke` rounds back, to nearest even. Nothing here knows a size: who calls, answers for the bounds.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba.core import cgutils, types
from numba.extending import intrinsic

STORAGE = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""The number types that memory can hold, with their bytes."""
LINE = 64
"""Bytes of a cache line."""
WIDE = get_host_cpu_features().get("avx512vbmi2", False)
"""Whether the processor has vectors of 64 bytes and keeps its pace with them: Intel's since Ice Lake, AMD's since Zen 4."""

_I16, _I32, _I64, _HALF, _FLOAT, _DOUBLE = (
    ir.IntType(16),
    ir.IntType(32),
    ir.IntType(64),
    ir.HalfType(),
    ir.FloatType(),
    ir.DoubleType(),
)
_STORED = {"float64": _DOUBLE, "float32": _FLOAT, "float16": _HALF, "bfloat16": _I16}


def computed(storage: str) -> str:
    """The number type that is computed in: float32 for the 16-bit ones."""
    return "float64" if storage == "float64" else "float32"


@cache
def accesses(storage: str) -> SimpleNamespace:
    """What a storage type's memory is read and written with, as names for `specialised`; SIZE is its bytes.

    peek(address, i)        the i-th number after the address
    poke(address, i, x)     makes x the i-th number
    stream(from, to, x)     one cache line at `to`, past the caches: the numbers at `from`, in the type computed in, times x
    gather[n](from, step, to, stride)   n numbers of each of TILE rows, `step` bytes apart, made n columns of the type computed
                            in, `stride` bytes apart, n = GROUP, its half, … 1; scatter[n](from, stride, to, step) is the way back
    """
    real = types.float64 if computed(storage) == "float64" else types.float32
    kind = _STORED[storage]

    @intrinsic
    def peek(typing: Any, address: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _widen(builder.function)
            return _widened(builder, builder.load(_place(builder, kind, args)), storage)

        return real(types.int64, types.int64), generate

    @intrinsic
    def poke(typing: Any, address: Any, i: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _widen(builder.function)
            builder.store(_narrowed(builder, args[2], storage), _place(builder, kind, args))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, real), generate

    @intrinsic
    def stream(typing: Any, source: Any, to: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            n = LINE // STORAGE[storage]
            vector = ir.VectorType(context.get_value_type(real), n)
            given = builder.load(builder.inttoptr(args[0], vector.as_pointer()), align=STORAGE[computed(storage)])
            line = _narrowed(builder, builder.fmul(given, _splat(builder, args[2], n)), storage)
            stored = builder.store(line, builder.inttoptr(args[1], line.type.as_pointer()), align=LINE)
            stored.set_metadata("nontemporal", builder.module.add_metadata([_I32(1)]))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, real), generate

    whole = computed(storage)
    group = 16 // STORAGE[whole]
    tile = 2 * group

    def gather(width: int) -> Any:
        @intrinsic
        def gather(typing: Any, source: Any, step: Any, to: Any, stride: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                rows = [_load(builder, place, storage, width) for place in _places(builder, args[0], args[1], tile)]
                vectors = [_widened(builder, vector, storage) for vector in _joined(builder, rows, group)]
                for place, column in zip(_places(builder, args[2], args[3], width), _unzipped(builder, vectors), strict=True):
                    _store(builder, column, place, whole)
                return context.get_dummy_value()

            return types.void(*[types.int64] * 4), generate

        return gather

    def scatter(width: int) -> Any:
        @intrinsic
        def scatter(typing: Any, source: Any, stride: Any, to: Any, step: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                columns = [_load(builder, place, whole, tile) for place in _places(builder, args[0], args[1], width)]
                vectors = [_narrowed(builder, vector, storage) for vector in _zipped(builder, columns)]
                for place, row in zip(_places(builder, args[2], args[3], tile), _parted(builder, vectors, group), strict=True):
                    _store(builder, row, place, storage)
                return context.get_dummy_value()

            return types.void(*[types.int64] * 4), generate

        return scatter

    widths = [n for n in (4, 2, 1) if n <= group]
    return SimpleNamespace(
        peek=peek, poke=poke, stream=stream, SIZE=STORAGE[storage], TILE=tile, GROUP=group,
        gather={n: gather(n) for n in widths}, scatter={n: scatter(n) for n in widths},
    )  # fmt: skip


def _widen(function: Any) -> None:
    """LLVM keeps to 32-byte vectors on Intel's processors, for the sake of the first that had longer ones and slowed down."""
    if WIDE:
        set.add(function.attributes, '"prefer-vector-width"="512"')  # llvmlite's own `add` knows no attribute that has a value


def _places(builder: Any, base: Any, step: Any, n: int) -> list[Any]:
    """n addresses, `step` bytes apart."""
    return [builder.add(base, builder.mul(step, _I64(i))) for i in range(n)]


def _load(builder: Any, place: Any, storage: str, n: int) -> Any:
    pointer = ir.VectorType(_STORED[storage], n).as_pointer()
    return builder.load(builder.inttoptr(place, pointer), align=STORAGE[storage])


def _store(builder: Any, x: Any, place: Any, storage: str) -> None:
    builder.store(x, builder.inttoptr(place, x.type.as_pointer()), align=STORAGE[storage])


def _shuffled(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(places)), places))


def _joined(builder: Any, rows: list[Any], group: int) -> list[Any]:
    """Short rows, 2·group of them, end to end in as many vectors as a row has numbers.

    A vector has two lanes of 16 bytes, which fast shuffles do not cross: the first half of the rows goes to the first lanes.
    """
    width, each = rows[0].type.count, group // rows[0].type.count
    vectors = [[rows[lane + i * each + r] for lane in (0, group) for r in range(each)] for i in range(width)]
    while len(vectors[0]) > 1:
        both = list(range(2 * vectors[0][0].type.count))
        vectors = [[_shuffled(builder, *v[i : i + 2], both) for i in range(0, len(v), 2)] for v in vectors]
    return [vector for (vector,) in vectors]


def _parted(builder: Any, vectors: list[Any], group: int) -> list[Any]:
    """The way back from `_joined`."""
    width = len(vectors)
    return [
        _shuffled(builder, vector, vector, list(range(first, first + width)))
        for lane in (0, group) for vector in vectors for first in range(lane, lane + group, width)
    ]  # fmt: skip


def _unzipped(builder: Any, vectors: list[Any]) -> list[Any]:
    """Vectors of rows as vectors of columns: the numbers at even places from those at odd ones, and again."""
    if len(vectors) == 1:
        return vectors
    n, pairs = vectors[0].type.count, list(zip(vectors[::2], vectors[1::2], strict=True))
    halves = []
    for odd in (0, 1):
        places = [lane + i + odd for lane in (0, n // 2) for lane in (lane, n + lane) for i in range(0, n // 2, 2)]
        halves.append(_unzipped(builder, [_shuffled(builder, *pair, places) for pair in pairs]))
    return [column for both in zip(*halves, strict=True) for column in both]


def _zipped(builder: Any, columns: list[Any]) -> list[Any]:
    """The way back from `_unzipped`."""
    if len(columns) == 1:
        return columns
    n, halves = columns[0].type.count, [_zipped(builder, columns[::2]), _zipped(builder, columns[1::2])]
    return [
        _shuffled(builder, *pair, [lane + i + other for lane in (0, n // 2) for i in range(at, at + n // 4) for other in (0, n)])
        for pair in zip(*halves, strict=True) for at in (0, n // 4)
    ]  # fmt: skip


def _place(builder: Any, kind: Any, args: Any) -> Any:
    return builder.gep(builder.inttoptr(args[0], kind.as_pointer()), [args[1]])


def _splat(builder: Any, x: Any, n: int) -> Any:
    vector = ir.Constant(ir.VectorType(x.type, n), ir.Undefined)
    for lane in range(n):
        vector = builder.insert_element(vector, x, _I32(lane))
    return vector


def _like(kind: Any, x: Any) -> Any:
    """The scalar type, or a vector of it as long as x."""
    return ir.VectorType(kind, x.type.count) if isinstance(x.type, ir.VectorType) else kind


def _constant(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def _widened(builder: Any, x: Any, storage: str) -> Any:
    if storage == "float16":
        return builder.fpext(x, _like(_FLOAT, x))
    if storage == "bfloat16":
        wide = _like(_I32, x)
        return builder.bitcast(builder.shl(builder.zext(x, wide), _constant(wide, 16)), _like(_FLOAT, x))
    return x


def _narrowed(builder: Any, x: Any, storage: str) -> Any:
    if storage == "float16":
        return builder.fptrunc(x, _like(_HALF, x))
    if storage != "bfloat16":
        return x
    wide = _like(_I32, x)
    bits, sixteen = builder.bitcast(x, wide), _constant(wide, 16)
    odd = builder.and_(builder.lshr(bits, sixteen), _constant(wide, 1))
    rounded = builder.lshr(builder.add(builder.add(bits, odd), _constant(wide, 0x7FFF)), sixteen)
    is_nan = builder.fcmp_unordered("uno", x, x)
    return builder.trunc(builder.select(is_nan, _constant(wide, 0x7FC0), rounded), _like(_I16, x))


def _prefetch(to_write: int) -> Any:
    @intrinsic
    def prefetch(typing: Any, address: Any) -> Any:
        """Ask for the cache line at an address; one that is not there does no harm."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = ir.IntType(8).as_pointer()
            kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
            ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
            builder.call(ask, [builder.inttoptr(args[0], pointer), _I32(to_write), _I32(2), _I32(1)])  # second level, data
            return context.get_dummy_value()

        return types.void(types.int64), generate

    return prefetch


prefetch, prefetch_to_write = _prefetch(0), _prefetch(1)


@intrinsic
def peek_whole(typing: Any, address: Any, i: Any) -> Any:
    """The i-th int64 after the address."""
    whole = types.int64
    return whole(whole, whole), lambda context, builder, signature, args: builder.load(_place(builder, _I64, args))


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of two numbers, in one instruction, and so that a loop over it is made of vectors; with nan it is either."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        name = f"llvm.maxnum.{'f32' if a == types.float32 else 'f64'}"
        most = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind, kind]), name)
        return builder.call(most, args, fastmath=("nnan", "nsz"))

    return a(a, a), generate


@intrinsic
def fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once."""
    return a(a, a, a), lambda context, builder, signature, args: builder.fma(*args)


def address(array: np.ndarray) -> int:
    """Where the array begins."""
    return int(array.__array_interface__["data"][0])


def aligned(size: int, dtype: Any) -> Any:
    """An empty array that starts at a cache line."""
    bytes = size * np.dtype(dtype).itemsize
    raw = np.empty(bytes + LINE, np.uint8)
    skip = -raw.ctypes.data % LINE
    return raw[skip : skip + bytes].view(dtype)
