"""Logits of 64 rows and a few classes at a time, by a product of our own, and their costs while they are still in a cache.

BLAS packs the weights, and writes logits that are read once. Here the rows of W are read as they lie, a number at a time for 64
hidden vectors packed side by side; 24 vectors of logits stay in registers until they are whole, and `BLOCK` classes in the
first-level cache until their exponentials are summed. What is carried along, and the options, are those of `cpu_passing`.
Names that are not defined here (peek, exp_towards, …) are filled in by `specialised`.
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
from xent.ops import cpu_blocks, cpu_columns, cpu_passing
from xent.ops.options import Options

LANES = cpu_columns.LANES
"""Rows of a panel."""
BLOCK = 96
"""Classes whose logits are held at once, at most."""
NEAR = 3 << 17
"""Bytes of the weights that are used by one panel of rows after the other: they stay in the second-level cache."""
PANEL = 1 << 20
"""Bytes of 64 hidden vectors that can be read from there as fast as they are used."""
SUM, GREATEST, BASE, FIRST = range(0, 4 * LANES, LANES)
"""Where the rows' own numbers stand in scratch, before the logits."""
REGISTERS = 24
"""Vectors of 64 bytes that a tile takes: of the 32 that there are, the others hold what is multiplied."""


def fits(n: int, d: int, dtype: Any) -> bool:
    """Whether n hidden vectors of d numbers go this way: in wide vectors, and few rows that only fill up the last 64."""
    return memory.WIDE and 0 < d * LANES * np.dtype(dtype).itemsize <= PANEL and -n % LANES <= n // 16


class Tiles(cpu_passing.Passing):
    """`Passing` for rows of hidden vectors: `multiply` them by the weights of all classes in turn, then ask for their `costs`."""

    def __init__(self, hidden: np.ndarray, target: np.ndarray, options: Options, weight: np.ndarray | None) -> None:
        super().__init__(target, options, weight, hidden.dtype, -(-len(hidden) // LANES) * LANES)
        self.depth = hidden.shape[1]
        self.packed = packed(hidden, aligned(self.carried.shape[1] * self.depth, self.real))

    def sharing(self) -> Tiles:
        """Another of the same rows, for another thread."""
        other = object.__new__(Tiles)
        other.__dict__.update(self.__dict__, carried=self.begun(self.carried.shape[1]))
        return other

    def multiply(self, matrix: np.ndarray, bias: np.ndarray | None, at: int) -> None:
        """Take in the classes from `at` on: their weights (classes, d), each side by side, and their biases."""
        _, multiplied, _ = _kernels(self.real.__name__)
        multiplied(
            *_weights(matrix, bias, self.packed), at, address(self.target), len(self.target), *self.held, address(self.carried),
            self.carried.shape[1],
        )  # fmt: skip


def packed(hidden: np.ndarray, to: np.ndarray) -> np.ndarray:
    """`to`, filled with hidden vectors in panels of 64; of n·d numbers where n is a multiple of that, of more where it is not."""
    pack, *_ = _kernels(hidden.dtype.name)
    pack(address(hidden), *hidden.strides, *hidden.shape, address(to))
    return to


def logits(packed: np.ndarray, matrix: np.ndarray, bias: np.ndarray | None, z: np.ndarray) -> None:
    """The logits z (rows, classes), side by side in each row, of packed rows by some classes' weights and biases."""
    _kernels(z.dtype.name)[2](*_weights(matrix, bias, packed), address(z), z.strides[0], len(z))


def _weights(matrix: np.ndarray, bias: np.ndarray | None, packed: np.ndarray) -> tuple[Any, ...]:
    """What every product is told first: weights, biases, classes, how many at once; the packed rows, features; and scratch."""
    real, (size, d), width = matrix.dtype, matrix.shape, _width(matrix.dtype)
    room = max(width, min(BLOCK, NEAR // (d * real.itemsize)) // width * width)
    bias = np.zeros(0, real) if bias is None else np.ascontiguousarray(bias, real)
    return address(matrix), matrix.strides[0], bias, size, room, address(packed), d, aligned(scratch_size(d), real)


def scratch_size(d: int) -> int:
    """Numbers of scratch for one thread: the rows' own, the logits of a block, and a tile's weights."""
    return FIRST + LANES * BLOCK + REGISTERS * d


def bytes_taken(d: int, workers: int, itemsize: int) -> tuple[int, int]:
    """Memory that the workers take for themselves, and for each 64 rows: packed, and what is carried along."""
    return itemsize * workers * scratch_size(d), itemsize * LANES * (d + 3 * workers)


# ── the product ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _width(real: Any) -> int:
    """The classes of a tile."""
    return REGISTERS * memory.LINE // (LANES * int(np.dtype(real).itemsize))


def _tile(real: Any) -> Any:
    size, width = np.dtype(real).itemsize, _width(real)
    vectors, lanes = LANES * size // memory.LINE, memory.LINE // size
    number = ir.FloatType() if size == 4 else ir.DoubleType()
    vector, whole, short, byte = ir.VectorType(number, lanes), ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()

    @intrinsic
    def tile(typing: Any, w: Any, w_step: Any, h: Any, depth: Any, out: Any) -> Any:
        """`width` rows of weights, `w_step` bytes apart, times a panel of hidden vectors, class by class to `out`."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            w, w_step, h, depth, out = args
            before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
            multiply_add = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{8 * size}"
            )
            ask = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), [byte, short, short, short]), "llvm.prefetch.p0i8"
            )
            rows = [builder.add(w, builder.mul(w_step, whole(i))) for i in range(width + 1)]
            builder.branch(loop)

            builder.position_at_end(loop)
            i = builder.phi(whole)
            sums = [builder.phi(vector) for _ in range(width * vectors)]
            here = builder.add(h, builder.mul(i, whole(LANES * size)))
            hidden = [
                builder.load(builder.inttoptr(builder.add(here, whole(memory.LINE * v)), vector.as_pointer()), align=size)
                for v in range(vectors)
            ]
            soon = [builder.add(here, whole(memory.LINE * v + 8 * LANES * size)) for v in range(vectors)]
            for place in [*soon, builder.add(rows[-1], builder.mul(i, whole(width * size)))]:  # and the next tile's weights
                builder.call(ask, [builder.inttoptr(place, byte), short(0), short(3), short(1)])
            more = []
            for c in range(width):
                x = builder.load(
                    builder.inttoptr(builder.add(rows[c], builder.mul(i, whole(size))), number.as_pointer()), align=size
                )
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
                place = builder.inttoptr(builder.add(out, whole(memory.LINE * v)), vector.as_pointer())
                builder.store(total, place, align=memory.LINE)
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


def _block(w: Any, w_step: Any, bias: Any, size: Any, first: Any, some: Any, panel: Any, d: Any, e: Any) -> None:
    """Logits of a panel by some classes from `first` on, class by class. The weights of the last few are copied."""
    spare, whole = e + LANES * BLOCK * WIDE, size // WIDTH * WIDTH
    if first + some > whole:
        for i in range(WIDTH * d):
            poke(spare, i, peek(w + (whole + i // d) * w_step, i % d) if whole + i // d < size else ZERO)
    for c in range(0, some, WIDTH):
        here = first + c < whole
        tile(w + (first + c) * w_step if here else spare, w_step if here else d * WIDE, panel, d, e + c * COLUMN)
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
                for i in range(0, some * WIDE, LINE):
                    prefetch_to_write(to + r * z_row + i)
            block(w, w_step, bias, size, first, some, h + row * d * WIDE, d, e)
            scatter(e, to, z_row, WIDE, rows, some)
    poke(e, 0, scratch[0])  # so long Numba must not free it


def _multiplied(
    w: Any, w_step: Any, bias: Any, size: Any, room: Any, h: Any, d: Any, scratch: Any,
    at: Any, y: Any, n: Any, cap: Any, t: Any, carried: Any, places: Any,
) -> None:  # fmt: skip
    """The classes from `at` on, `room` at a time, for all rows."""
    lanes = np.int64(scratch.ctypes.data)
    e = lanes + FIRST * WIDE
    for first in range(0, size, room):
        some = min(room, size - first)
        for row in range(0, n, LANES):
            block(w, w_step, bias, size, first, some, h + row * d * WIDE, d, e)
            if cap != ZERO:
                for i in range(LANES * some):
                    poke(e, i, capped(peek(e, i), cap))
            m = carried + row * WIDE
            s, z_t = m + places * WIDE, m + 2 * places * WIDE
            taken(e, at + first, some, y + row * 8, min(LANES, n - row), z_t)
            if t == ONE:
                if not towards(some, m, s, lanes):
                    below(some, t, m, s, lanes)
            else:
                below_divided(some, t, m, s, lanes)


def _taken(e: Any, first: Any, size: Any, y: Any, rows: Any, z_t: Any) -> None:
    """The targets' logits, if among these classes, put by and masked."""
    found = 0
    for r in range(rows):
        pivot = peek_whole(y, r) - first
        found += (pivot >= 0) & (pivot < size)
    if found > 0:
        for r in range(rows):
            pivot = peek_whole(y, r) - first
            if 0 <= pivot < size:
                poke(z_t, r, peek(e + pivot * COLUMN, r))
                poke(e + pivot * COLUMN, r, NINF)


def _towards(size: Any, m: Any, s: Any, lanes: Any) -> Any:
    """Take in the logits in `lanes`, measured against the greatest so far; false, and nothing done, where one is far beyond it."""
    for r in range(LANES):
        poke(lanes, SUM + r, ZERO)
        poke(lanes, GREATEST + r, peek(m, r))
    for j in range(size):
        at = FIRST + j * LANES
        for r in range(LANES):
            x = peek(lanes, at + r)
            high, low = gap(x, peek(m, r))
            poke(lanes, SUM + r, peek(lanes, SUM + r) + exp_towards(high, low))
            poke(lanes, GREATEST + r, larger(peek(lanes, GREATEST + r), x))
    far = ZERO
    for r in range(LANES):
        far = plus(far, ZERO if peek(lanes, SUM + r) < BEYOND else ONE)
    if far > ZERO:
        return False
    for r in range(LANES):
        top = peek(lanes, GREATEST + r)
        high, low = gap(peek(m, r), top)
        poke(s, r, (peek(s, r) + peek(lanes, SUM + r)) * exp_of_two(high, low))
        poke(m, r, top)
    return True


def _below(size: Any, t: Any, m: Any, s: Any, lanes: Any) -> None:
    """Take in the logits in `lanes`, measured against the greatest of all, these included."""
    for r in range(LANES):
        poke(lanes, GREATEST + r, peek(m, r))
    for j in range(size):
        for r in range(LANES):
            poke(lanes, GREATEST + r, larger(peek(lanes, GREATEST + r), peek(lanes, FIRST + j * LANES + r)))
    for r in range(LANES):
        before, top = peek(m, r), peek(lanes, GREATEST + r)
        base = top if top > NINF else ZERO
        high, low = divided(*gap(before, base), t) if DIVIDED else gap(before, base)
        x = exp_below(high, low)
        poke(s, r, peek(s, r) * x if before > NINF else peek(s, r))
        poke(m, r, top)
        poke(lanes, BASE + r, base)
    for j in range(size):
        at = FIRST + j * LANES
        for r in range(LANES):
            apart = gap(peek(lanes, at + r), peek(lanes, BASE + r))
            high, low = divided(*apart, t) if DIVIDED else apart
            poke(s, r, peek(s, r) + exp_below(high, low))


@cache
def _kernels(dtype: str) -> tuple[Kernel, Kernel, Kernel]:
    """`_pack`, `_multiplied` and `_logits` for one number type."""
    gather, scatter = cpu_columns.turning(dtype)
    known = cpu_blocks.names(dtype) | {"peek_whole": memory.peek_whole, "tile": _tile(dtype), "WIDTH": _width(dtype)}
    known |= {"COLUMN": LANES * known["WIDE"], "gather": gather, "scatter": scatter}
    called: list[tuple[str, Callable[..., Any]]] = [("taken", _taken), ("towards", _towards), ("below", _below), ("block", _block)]
    for name, function in called:
        one = specialised(function, f"{name}_{dtype}", **known, DIVIDED=False)
        known[name] = compiled(one, inline=False, freedoms={"contract"})
    divided = specialised(_below, f"below_divided_{dtype}", **known, DIVIDED=True)
    known["below_divided"] = compiled(divided, inline=False, freedoms={"contract"})
    files = __file__, cpu_columns.__file__, cpu_blocks.__file__, memory.__file__
    pack, multiplied, logits = (
        cached(compiled(specialised(f, f"{f.__name__}_{dtype}", **known), inline=False, freedoms={"contract"}), *files)
        for f in (_pack, _multiplied, _logits)
    )
    return pack, multiplied, logits
