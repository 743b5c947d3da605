"""Logits of hidden vectors by a product of our own, where the processor has vectors of 64 bytes: a tenth faster than by BLAS.

A tile is a few classes by 64 rows, whose 24 vectors stay in registers until they are whole: a number at a time of each class's
weights, as they lie, times 64 hidden vectors side by side. BLAS packs both for every product; here only hidden vectors are packed,
once for all classes.
Names that are not defined here (peek, tile, …) are filled in by `specialised`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from xent import memory
from xent.kernels import Kernel, cached, compiled, specialised
from xent.memory import address, aligned
from xent.ops import cpu_blocks, cpu_columns

LANES = cpu_columns.LANES
"""Rows of a tile."""
REGISTERS = 24
"""Vectors of 64 bytes that a tile takes: of the 32 that there are, the others hold what is multiplied."""
BLOCK = 96
"""Classes that are made at once, at most: whole tiles."""
SCRATCH = LANES * BLOCK
"""Numbers of scratch for one thread: the logits of a block."""
NEAR = 3 << 17
"""Bytes of the weights that are used by one panel of rows after the other: they stay in the second-level cache."""
PANEL = 1 << 20
"""Bytes of 64 hidden vectors that can be read from there as fast as they are used."""


def fits(d: int, dtype: Any) -> bool:
    """Whether a product of d features goes this way."""
    return bool(memory.WIDE and 0 < d * LANES * np.dtype(dtype).itemsize <= PANEL)


def packed(hidden: np.ndarray, to: np.ndarray) -> np.ndarray:
    """`to`, filled with hidden vectors in panels of 64; of n·d numbers where n is a multiple of that, of more where it is not."""
    _kernels(hidden.dtype.name)[0](address(hidden), *hidden.strides, *hidden.shape, address(to))
    return to


def logits(packed: np.ndarray, matrix: np.ndarray, bias: np.ndarray | None, z: np.ndarray) -> None:
    """The logits z (rows, classes) of packed rows by some classes' weights and biases."""
    _kernels(z.dtype.name)[1](*weights(matrix, bias, packed), address(z), z.strides[0], len(z))


def weights(matrix: np.ndarray, bias: np.ndarray | None, packed: np.ndarray) -> tuple[Any, ...]:
    """What a product that makes logits is told first: weights, biases, classes, how many at once; rows, features; and scratch."""
    real, (size, d), width = matrix.dtype, matrix.shape, _width(matrix.dtype)
    room = max(width, min(BLOCK, NEAR // (d * real.itemsize)) // width * width)
    bias = np.zeros(0, real) if bias is None else np.ascontiguousarray(bias, real)
    return address(matrix), matrix.strides[0], bias, size, room, address(packed), d, aligned(SCRATCH, real)


# ── a tile ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _width(real: Any) -> int:
    """The classes of a tile."""
    return REGISTERS * memory.LINE // (LANES * int(np.dtype(real).itemsize))


def _tile(real: Any, width: int) -> Any:
    size = np.dtype(real).itemsize
    vectors, lanes = LANES * size // memory.LINE, memory.LINE // size
    number = ir.FloatType() if size == 4 else ir.DoubleType()
    vector, whole, short, byte = ir.VectorType(number, lanes), ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()

    @intrinsic
    def tile(typing: Any, w: Any, w_step: Any, h: Any, depth: Any, out: Any) -> Any:
        """The logits of a panel by `width` classes, whose weights are `w_step` bytes apart, class by class to `out`."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            w, w_step, h, depth, out = args
            asked = ir.FunctionType(ir.VoidType(), [byte, short, short, short])
            ask = cgutils.get_or_insert_function(builder.module, asked, "llvm.prefetch.p0i8")
            fused = ir.FunctionType(vector, [vector] * 3)
            multiply_add = cgutils.get_or_insert_function(builder.module, fused, f"llvm.fma.v{lanes}f{8 * size}")
            before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()

            def at(base: Any, many: Any, each: int, kind: Any) -> Any:
                return builder.inttoptr(builder.add(base, builder.mul(many, whole(each))), kind.as_pointer())

            rows = [builder.add(w, builder.mul(w_step, whole(c))) for c in range(width + 1)]
            builder.branch(loop)

            builder.position_at_end(loop)
            i = builder.phi(whole)
            sums = [builder.phi(vector) for _ in range(width * vectors)]
            here = builder.add(h, builder.mul(i, whole(LANES * size)))
            hidden = [builder.load(at(here, whole(v), memory.LINE, vector), align=size) for v in range(vectors)]
            soon = [at(here, whole(8 * vectors + v), memory.LINE, byte.pointee) for v in range(vectors)]
            soon.append(at(rows[-1], i, width * size, byte.pointee))  # the next classes' weights, where they lie side by side
            for place in soon:
                builder.call(ask, [place, short(0), short(3), short(1)])
            more = []
            for c in range(width):
                x = builder.load(at(rows[c], i, size, number), align=size)
                many = builder.insert_element(ir.Constant(vector, ir.Undefined), x, short(0))
                many = builder.shuffle_vector(many, many, ir.Constant(ir.VectorType(short, lanes), [0] * lanes))
                more += [builder.call(multiply_add, [many, hidden[v], sums[c * vectors + v]]) for v in range(vectors)]
            next_one = builder.add(i, whole(1))
            i.add_incoming(whole(0), before)
            i.add_incoming(next_one, loop)
            for total, with_more in zip(sums, more, strict=True):
                total.add_incoming(ir.Constant(vector, [0.0] * lanes), before)
                total.add_incoming(with_more, loop)
            builder.cbranch(builder.icmp_signed("<", next_one, depth), loop, after)

            builder.position_at_end(after)
            for v, total in enumerate(more):
                builder.store(total, at(out, whole(v), memory.LINE, vector), align=memory.LINE)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), generate

    return tile


# ── the loops ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pack(h: Any, h_step: Any, each: Any, n: Any, d: Any, to: Any) -> None:
    """Hidden vectors in panels of LANES, number by number; 0 in what is left of the last one."""
    for start in range(0, n, LANES):
        rows, panel = min(LANES, n - start), to + start * d * WIDE
        if rows < LANES:
            for i in range(LANES * d):
                poke(panel, i, ZERO)
        gather(h + start * h_step, h_step, each, rows, d, panel)


def _block(w: Any, w_step: Any, bias: Any, first: Any, some: Any, panel: Any, d: Any, e: Any) -> None:
    """The logits of a panel by some classes from `first` on, class by class."""
    whole = some // WIDTH * WIDTH
    for c in range(0, whole, WIDTH):
        tile(w + (first + c) * w_step, w_step, panel, d, e + c * COLUMN)
    for c in range(whole, some):
        tile_of_one(w + (first + c) * w_step, w_step, panel, d, e + c * COLUMN)
    if len(bias) > 0:
        for j in range(some):
            x = bias[first + j]
            for r in range(LANES):
                poke(e + j * COLUMN, r, peek(e + j * COLUMN, r) + x)


def _logits(w: Any, w_step: Any, bias: Any, size: Any, room: Any, h: Any, d: Any, scratch: Any, z: Any, z_row: Any, n: Any) -> None:
    e = np.int64(scratch.ctypes.data)
    for first in range(0, size, room):
        some = min(room, size - first)
        for row in range(0, n, LANES):
            to, rows = z + row * z_row + first * WIDE, min(LANES, n - row)
            for r in range(rows):
                ahead_to_write(to + r * z_row, some * WIDE)
            block(w, w_step, bias, first, some, h + row * d * WIDE, d, e)
            scatter(e, to, z_row, WIDE, rows, some)


@cache
def names(dtype: str) -> dict[str, Any]:
    """What stands for the names above, for one number type."""
    gather, scatter = cpu_columns.turning(dtype)
    known, width = cpu_blocks.names(dtype), _width(dtype)
    known = known | {"gather": gather, "scatter": scatter, "WIDTH": width, "COLUMN": LANES * known["WIDE"]}
    known |= {"tile": _tile(dtype, width), "tile_of_one": _tile(dtype, 1)}
    known["block"] = compiled(specialised(_block, f"block_{dtype}", **known), inline=False, freedoms={"contract"})
    return known


FILES = (__file__, cpu_columns.__file__, cpu_blocks.__file__, memory.__file__)
"""What the machine code here is made of."""


@cache
def _kernels(dtype: str) -> list[Kernel]:
    """`_pack` and `_logits` for one number type."""
    functions: list[Callable[..., Any]] = [_pack, _logits]
    made = [specialised(f, f"{f.__name__}_{dtype}", **names(dtype)) for f in functions]
    return [cached(compiled(f, inline=False, freedoms={"contract"}), *FILES) for f in made]
