"""Small matrix products for the fused loop: a tile of the result stays in vector registers while the sum runs.

Networks of a race are far too small for BLAS, whose calls cost more than the work. A tile of up to 6 × 2 vectors is written down
as LLVM's own vector instructions, as no loop of Numba's would keep it in registers. Every element is a sum of FMAs in the order of
its terms, whatever tile it is in, so that its bits depend on nothing else.
"""

from __future__ import annotations

from functools import cache
from itertools import product as every
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from xent.kernels import Kernel, compiled, specialised

ROWS = (6, 4, 2, 1)
"""Heights of a tile: 6 × 2 vectors and what they are made of fit into the registers of AVX-512, 4 × 2 into those of AVX2."""


@cache
def lanes(dtype: str) -> int:
    """Numbers of a vector."""
    wide = llvm.get_host_cpu_features().get("avx512f", False)
    return (64 if wide else 32) // (4 if dtype == "float32" else 8)


def padded(n: int, dtype: str) -> int:
    """The least multiple of a vector that holds n numbers."""
    return -(-n // lanes(dtype)) * lanes(dtype)


def _at(i: Any) -> Any:
    return np.uint64(i)


at = compiled(_at)
"""A place in an array, for vector loops: of a signed index Numba asks whether it counts from the end, place by place."""


def _tile(rows: int, vectors: int, width: int) -> Any:
    """An intrinsic: rows × vectors of c = a·b; arrays are flat, each with its first place and the distances to the next."""

    @intrinsic
    def tile(
        typing: Any, a: Any, a0: Any, row: Any, col: Any, b: Any, b0: Any, ldb: Any, c: Any, c0: Any, ldc: Any, depth: Any
    ) -> Any:
        n = types.intp
        return types.void(a, n, n, n, b, n, n, c, n, n, n), generate

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, a0, row, col, b, b0, ldb, c, c0, ldc, depth = args
        real, intp = context.get_value_type(signature.args[0].dtype), depth.type
        vector = ir.VectorType(real, width)
        name = f"llvm.fma.v{width}{'f32' if isinstance(real, ir.FloatType) else 'f64'}"
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        bytes = real.get_abi_size(context.target_data)
        undefined, zero = ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0.0] * width)
        same = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)

        def at(kind: Any, array: Any, first: Any) -> Any:
            return builder.gep(context.make_array(kind)(context, builder, array).data, [first])

        def vectors_at(pointer: Any) -> list[Any]:
            return [builder.bitcast(builder.gep(pointer, [intp(v * width)]), vector.as_pointer()) for v in range(vectors)]

        places = list(every(range(rows), range(vectors)))
        from_a, from_b, to_c = at(signature.args[0], a, a0), at(signature.args[4], b, b0), at(signature.args[7], c, c0)
        before, loop, after = builder.block, builder.append_basic_block("sum"), builder.append_basic_block("store")
        builder.cbranch(builder.icmp_signed(">", depth, intp(0)), loop, after)

        builder.position_at_end(loop)
        k = builder.phi(intp)
        sums = {place: builder.phi(vector) for place in places}
        b_row = [builder.load(p, align=bytes) for p in vectors_at(builder.gep(from_b, [builder.mul(k, ldb)]))]
        spread = []
        for r in range(rows):
            place = builder.add(builder.mul(k, col), builder.mul(row, intp(r)))
            one = builder.insert_element(undefined, builder.load(builder.gep(from_a, [place])), ir.IntType(32)(0))
            spread.append(builder.shuffle_vector(one, undefined, same))
        more = {(r, v): builder.call(fma, [spread[r], b_row[v], sums[r, v]]) for r, v in places}
        following = builder.add(k, intp(1))
        k.add_incoming(intp(0), before)
        k.add_incoming(following, loop)
        for place in places:
            sums[place].add_incoming(zero, before)
            sums[place].add_incoming(more[place], loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)

        builder.position_at_end(after)
        ends = {place: builder.phi(vector) for place in places}
        for place in places:
            ends[place].add_incoming(zero, before)
            ends[place].add_incoming(more[place], loop)
        for r in range(rows):
            for v, pointer in enumerate(vectors_at(builder.gep(to_c, [builder.mul(ldc, intp(r))]))):
                builder.store(ends[r, v], pointer, align=bytes)
        return context.get_dummy_value()

    return tile


def _strip(a: Any, a0: Any, row: Any, col: Any, b: Any, b0: Any, ldb: Any, c: Any, c0: Any, ldc: Any, m: Any, depth: Any) -> None:
    """m rows of one or two vectors, in the highest tiles that there are."""
    i = 0
    while m - i >= 6:
        tile6(a, a0 + i * row, row, col, b, b0, ldb, c, c0 + i * ldc, ldc, depth)
        i += 6
    if m - i >= 4:
        tile4(a, a0 + i * row, row, col, b, b0, ldb, c, c0 + i * ldc, ldc, depth)
        i += 4
    if m - i >= 2:
        tile2(a, a0 + i * row, row, col, b, b0, ldb, c, c0 + i * ldc, ldc, depth)
        i += 2
    if m - i >= 1:
        tile1(a, a0 + i * row, row, col, b, b0, ldb, c, c0 + i * ldc, ldc, depth)


def _product(
    a: Any, a0: Any, row: Any, col: Any, b: Any, b0: Any, ldb: Any, c: Any, c0: Any, ldc: Any, m: Any, n: Any, depth: Any
) -> None:
    """c[i, j] = Σ_k a[i·row + k·col] b[k, j] for i < m and j < n, n a multiple of a vector; c is written, never read."""
    j = 0
    while n - j >= 2 * width:
        strip2(a, a0, row, col, b, b0 + j, ldb, c, c0 + j, ldc, m, depth)
        j += 2 * width
    if n - j >= width:
        strip1(a, a0, row, col, b, b0 + j, ldb, c, c0 + j, ldc, m, depth)


@cache
def product(dtype: str) -> Kernel:
    """The product for one number type."""
    width = lanes(dtype)
    names: dict[str, Any] = {"width": width}
    for vectors in (1, 2):
        tiles = {f"tile{rows}": _tile(rows, vectors, width) for rows in ROWS}
        names[f"strip{vectors}"] = compiled(specialised(_strip, f"strip{vectors}_{dtype}", **tiles), inline=False)
    return compiled(specialised(_product, f"product_{dtype}", **names), inline=False)
