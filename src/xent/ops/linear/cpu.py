"""The fused twin of `linear.plain` for NumPy arrays: a product makes the logits of a chunk, the fused kernel turns them into δ.

The first product is our own where it can be (`cpu_product`), else BLAS's, as those of the gradient are. These stand where they
belong, and what ∂W gains with each chunk is added to it. Where the memory holds few rows, that of ∂W, which is written last, holds
logits as well. 16-bit arrays pass through float32, a chunk of rows and a block of classes at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from xent.arrays import Array
from xent.ops import cpu, cpu_blocks, cpu_passing, cpu_product, cpu_rows, cpu_tiles, pages
from xent.ops.cpu_product import LANES
from xent.ops.inputs import check_values
from xent.ops.linear import blas, plain
from xent.ops.linear.inputs import Linear
from xent.threads import share_out, threads

PASSING = 1536
"""Classes whose logits are made at a time where only the cost is wanted."""
LEAST = 256
"""And how few at the end."""
ONCE = 1 << 33
"""Multiplications that a thread of ours may take before it looks whether somebody has interrupted it."""
AT_ONCE = 4096
"""Classes that a thread's product takes at once."""
PART = 256
"""Classes that are worth a product of their own, and rows."""
FIRST = 0.8
"""How much of the work is shared out in the first equal parts."""
WORTH = 1 << 24
"""Multiplications that are worth sharing out."""
EVEN = 64
"""Parts are multiples of so many rows or classes."""
UNEVEN = 512
"""And rows better no multiples of so many: the numbers of a class would get into each other's way in the caches."""
BLOCK = 8 << 20
"""Bytes of 16-bit numbers that are held in float32 at a time."""


def knows(linear: Linear) -> bool:
    """Whether the kernel knows the options, and the statistics if any."""
    options, hard = linear.each, linear.whole.hard
    return cpu.knows(options, hard) and (hard or not options.stats)


def through(linear: Linear, wants: plain.Wants, scale: Any) -> tuple[Array, dict[str, Array], list[Array | None]]:
    """As `plain.through`; bfloat16 may come as uint16, targets too."""
    hidden, whole, dtype = linear.hidden, linear.whole, np.dtype(linear.whole.dtype)
    if whole.hard:
        check_values(whole)
    own = hidden.dtype == dtype and hidden.size * whole.logits.shape[-1] >= WORTH  # 16-bit weights are widened once, for all rows
    with blas.threads_of_our_own() if own else nullcontext(1) as workers:
        return Pass(linear, wants, scale, workers).made()


Spans = list[tuple[slice, np.ndarray]]
"""Classes, and the logits of some rows there."""


class Pass:
    """One pass: its costs, statistics and gradients, which `workers` threads make together, by rows and then by classes."""

    def __init__(self, linear: Linear, wants: plain.Wants, scale: Any, workers: int) -> None:
        self.linear, self.each, self.scale, self.workers, self.wanted = linear, linear.each, scale, workers, any(wants)
        self.dtype = np.dtype(linear.whole.dtype)
        (n, d), k = linear.hidden.shape, linear.weight.shape[0]
        self.by_hidden, self.by_weight, self.by_bias = (
            pages.empty(shape, self.dtype) if wanted else None for shape, wanted in zip(((n, d), (k, d), (k,)), wants, strict=True)
        )
        self.costs = np.empty(n, self.dtype)
        self.table = np.empty((n if self.each.stats else 0, len(cpu_rows.STATISTICS)), self.dtype)
        self.wrong, self.numbers, self._scratch = False, 0, np.empty(0, self.dtype)
        self.size = AT_ONCE if workers > 1 else k
        """Classes that a product takes at once, or whose weights are held in float32 at a time."""
        scratch = threads() * cpu_product.SCRATCH * linear.itemsize
        self.readable = not self.wide and cpu_product.fits(d, self.dtype) and linear.weight.strides[1] == linear.itemsize
        """Whether the product that makes the logits may be our own."""
        self.ours = self.readable and workers > 1 and n >= LANES and 8 * scratch <= linear.memory
        """And is, where gradients are wanted: its scratch is not much of the memory."""
        if self.wide:
            self.size = max(1, min(BLOCK, linear.memory // 4) // (max(d, 1) * self.dtype.itemsize))

    @property
    def wide(self) -> bool:
        """Whether 16-bit numbers have to be widened."""
        return bool(self.linear.hidden.dtype != self.dtype)

    @property
    def scratch(self) -> np.ndarray:
        """Memory for the logits of a chunk; made when it is needed first."""
        if not self._scratch.size:  # no cached_property: until Python 3.12 that holds a lock, which a fork may leave held
            self._scratch = pages.empty((self.numbers,), self.dtype)
        return self._scratch

    def share(self, work: Callable[[slice, int], None], parts: Iterable[slice]) -> None:
        """work(part, worker) for all parts, each done by whichever worker is free."""
        left = deque(parts)

        def taken(first: int, last: int) -> Iterator[None]:
            for worker in range(first, last):
                while left:
                    try:
                        part = left.popleft()
                    except IndexError:  # another thread has the last one
                        break
                    work(part, worker)
                    yield

        share_out(taken, self.workers, 1)

    def made(self) -> tuple[Array, dict[str, Array], list[Array | None]]:
        """Costs, statistics and gradients."""
        linear, k = self.linear, self.linear.weight.shape[0]
        if not self.wanted and cpu_passing.knows(self.each, linear.whole.hard):
            if not self._multiply():
                self._pass_by()
            return self.costs, {}, [None, None, None]
        chunks, lent = self._chunks(), list[int]()
        if len(chunks) > 1 and (n := self._lendable()) and 1 + len(rest := self._chunks(n)) < len(chunks):
            chunks, lent = [slice(0, n), *rest], self._widths(n)
        widths = [lent if lent and not rows.start else [k] for rows in chunks]
        self.numbers = max((width[-1] * (rows.stop - rows.start) for width, rows in zip(widths, chunks, strict=True)), default=0)
        for width, rows in zip(widths, chunks, strict=True):
            self._chunk(np.ascontiguousarray(_wide(linear.hidden[rows], self.dtype)), rows, width)
        if self.wrong:
            target = linear.whole.target
            check_values(replace(linear.whole, target=_wide(target, self.dtype) if target.dtype == np.uint16 else target))
        stats = cpu.named(self.table, self.each.stats, self.costs.shape) if self.each.stats else {}
        grads = [self.by_hidden, self.by_weight, self.by_bias]
        if not chunks:
            grads = [None if v is None else np.zeros_like(v) for v in grads]
        return self.costs, stats, grads

    def _chunk(self, h: np.ndarray, rows: slice, widths: list[int]) -> None:
        """Some rows: their logits, then δ, lie in spans of so many classes, all rows of each together; the last one in the scratch.

        The others stand at the end of ∂W's memory, which is written last, from its start, and never as far as a δ that is still
        needed. In the gap between them, parts of ∂hidden have room.
        """
        (n, d), k, out = h.shape, len(self.linear.weight), None if self.by_hidden is None else self.by_hidden[rows]
        lent = self.by_weight.reshape(-1) if self.by_weight is not None and len(widths) > 1 else None
        start, spans = 0 if lent is None else len(lent) - n * (k - widths[-1]), Spans()
        for stop, width in zip(np.cumsum(widths).tolist(), widths, strict=True):
            memory = self.scratch[: n * width] if lent is None or stop == k else lent[start + n * (stop - width) : start + n * stop]
            spans.append((slice(stop - width, stop), memory.reshape(n, width)))
        packed = self._packed(h, out)
        self.share(partial(self._logits, h, packed, spans), _dealt(slice(0, k), self.workers))
        self._deltas(spans, rows)
        done = 0
        for i, (classes, _) in enumerate(spans):
            if i == done and out is not None:
                gap = None if lent is None else lent[classes.start * d : start + classes.start * n]
                done += self._back_to_hidden(spans[i:], out, gap)
            self.share(partial(self._back_to_weight, spans[i : i + 1], h, rows.start == 0), _dealt(classes, self.workers))

    # Work is shared out by classes, wherever it can be: so each thread reads weights of its own.

    def _pieces(self, spans: Spans, these: slice) -> Iterator[tuple[slice, np.ndarray]]:
        """These classes with their logits, so many as are taken at once."""
        for span, z in spans:
            for classes in _blocks(max(these.start, span.start), min(these.stop, span.stop), self.size):
                yield classes, z[:, classes.start - span.start : classes.stop - span.start]

    def _packed(self, h: np.ndarray, out: np.ndarray | None) -> np.ndarray | None:
        """These rows for a product of our own, in ∂hidden's memory, which is written later; None where BLAS makes the logits."""
        return cpu_product.packed(h, out) if self.ours and out is not None and len(h) % LANES == 0 else None

    def _logits(self, h: np.ndarray, packed: np.ndarray | None, spans: Spans, part: slice, _worker: int) -> None:
        """The logits of some rows and classes."""
        for classes, z in self._pieces(spans, part):
            if packed is not None:
                own = None if self.linear.bias is None else self.linear.bias[classes]
                cpu_product.logits(packed, self.linear.weight[classes], own, z)
                continue
            w = _wide(self.linear.weight[classes], self.dtype).T
            bias = None if self.linear.bias is None else _wide(self.linear.bias[classes], self.dtype)
            if bias is not None and self.workers > 1:
                z[:] = bias  # to add it to a product, NumPy would take buffers in each thread
                blas.add_product(h, w, z)
                continue
            np.matmul(h, w, out=z)
            if bias is not None:
                z += bias

    def _deltas(self, spans: Spans, rows: slice) -> None:
        """The logits of these rows are made δ, and what else the kernel finds."""
        linear, z = self.linear, spans[0][1]
        table = cpu.table([z for _, z in spans]) if len(spans) > 1 else None

        def deltas(part: slice, _worker: int) -> None:
            own = slice(rows.start + part.start, rows.start + part.stop)
            asked: dict[str, Any] = {
                "cost": self.costs[own],
                "scale": self.scale if self.scale is None or np.ndim(self.scale) == 0 else self.scale[own],
                "weight": linear.whole.weight,
                "stats": self.table[own] if len(self.table) else self.table,
                "here": self.workers > 1,
            }
            if table is not None:
                right = cpu.fused_in_spans(table, part.start, linear.target[own], self.each, **asked)
            else:
                right = cpu.fused(z[part], linear.target[own], self.each, grad=z[part] if self.wanted else None, **asked)
            self.wrong |= not right

        self.share(deltas, _dealt(slice(0, len(z)), self.workers, EVEN))

    def _back_to_hidden(self, spans: Spans, out: np.ndarray, gap: np.ndarray | None) -> int:
        """What ∂hidden gains: by the classes of all spans, in parts that are added; or, by rows, of the first. How many spans.

        The parts, one for each worker, have room in the gap; where there is none, `_chunks` has left them some memory.
        """
        weight, size, first = self.linear.weight, len(out) * self._spare(), spans[0][0]
        memory = np.empty(size, out.dtype) if gap is None else gap
        if not 0 < size <= len(memory):

            def by_rows(rows: slice, _worker: int) -> None:
                for classes, z in self._pieces(spans[:1], first):
                    _product(z[rows], _wide(weight[classes], self.dtype), out[rows], anew=classes.start == 0)

            self.share(by_rows, _dealt(slice(0, len(out)), self.workers))
            return 1
        shares = list(_dealt(slice(first.start, len(weight)), self.workers, len(weight)))
        parts = [out, *memory[:size].reshape(-1, *out.shape)][: len(shares)]

        def by_classes(share: slice, _worker: int) -> None:
            part = parts[shares.index(share)]
            for classes, z in self._pieces(spans, share):
                anew = classes.start == (0 if part is out else share.start)
                _product(z, _wide(weight[classes], self.dtype), part, anew=anew)

        self.share(by_classes, shares)
        for part in parts[1:]:
            out += part
        return len(spans)

    def _back_to_weight(self, spans: Spans, h: np.ndarray, anew: bool, part: slice, _worker: int) -> None:
        """What ∂weight and ∂bias gain by some rows and classes."""
        for classes, z in self._pieces(spans, part):
            if self.by_weight is not None:
                _product(z.T, h, self.by_weight[classes], anew=anew)
            if self.by_bias is not None:
                np.add(0 if anew else self.by_bias[classes], z.sum(axis=0), out=self.by_bias[classes])

    def _spare(self) -> int:
        """The numbers of ∂hidden that parts of it need for each row: none where that would be much beside the logits."""
        k, d = self.linear.weight.shape
        numbers = (self.workers - 1) * d
        return numbers if numbers <= k // 16 else 0

    def _multiply(self) -> bool:
        """The costs alone, by a product of our own; false where BLAS is better, or the memory holds no panel of rows."""
        linear, (n, d), k = self.linear, self.linear.hidden.shape, self.linear.whole.classes
        workers = threads() if n * d * k >= WORTH else 1
        fixed, a_panel = cpu_tiles.bytes_taken(d, workers, linear.itemsize)
        panels = (linear.memory - fixed) // a_panel
        if not self.readable or not cpu_tiles.fits(n) or panels < 1:
            return False
        self.workers = workers
        for rows in _blocks(0, n, panels * LANES):
            first = cpu_tiles.Tiles(linear.hidden[rows], linear.target[rows], self.each, linear.whole.weight)
            seen = [first, *(first.sharing() for _ in range(workers - 1))]

            def multiply(classes: slice, worker: int, seen: list[cpu_tiles.Tiles] = seen) -> None:
                bias = None if linear.bias is None else linear.bias[classes]
                seen[worker].multiply(linear.weight[classes], bias, classes.start)

            most = max(1, ONCE // ((rows.stop - rows.start) * d * cpu_product.BLOCK)) * cpu_product.BLOCK
            self.share(multiply, _shrinking(k, most, workers, cpu_product.BLOCK))
            first.merge(seen[1:])
            first.costs(self.costs[rows])
        return True

    def _pass_by(self) -> None:
        """The costs alone: the logits of some classes are made for as many rows as the memory holds, seen, and made over."""
        linear, dtype = self.linear, self.dtype
        d, k = linear.hidden.shape[1], linear.whole.classes
        span = min(k, self.size, PASSING)
        memory = linear.memory - linear.itemsize * (threads() * 2 * cpu_blocks.BLOCK + (span * d if self.wide else 0))
        a_row = linear.itemsize * (span + 5 + (2 * d if self.copied else 0))
        if memory < self.workers * a_row:
            self.workers = 1
        block = None
        for rows in linear.chunks(self.workers * a_row, memory=memory):
            h = np.ascontiguousarray(_wide(linear.hidden[rows], dtype))
            block = pages.empty((self.workers, len(h) * span), dtype) if block is None else block
            seen = [cpu_passing.Passing(linear.target[rows], self.each, linear.whole.weight, dtype) for _ in block]
            self.share(partial(self._see, h, block, seen), _shrinking(k, span, self.workers, LEAST))
            seen[0].merge(seen[1:])
            seen[0].costs(self.costs[rows])

    def _see(self, h: np.ndarray, block: np.ndarray, seen: list[Any], classes: slice, worker: int) -> None:
        """Some classes pass by."""
        z = block[worker, : len(h) * (classes.stop - classes.start)].reshape(len(h), -1)
        self._logits(h, None, [(classes, z)], classes, worker)
        seen[worker].see(z, classes.start, self.workers > 1)

    def _lendable(self) -> int:
        """How many of the first rows could have their logits in the memory of ∂W and the scratch together; no 16-bit ones."""
        fits, n = 0, 0 if self.by_weight is None or self.wide else self.linear.hidden.shape[0]
        while fits < n:
            rows = (fits + n + 1) // 2
            fits, n = (rows, n) if self._widths(rows) else (fits, rows - 1)
        return fits

    def _widths(self, n: int) -> list[int]:
        """The spans in which n rows lie there, each as wide as the gap before it has room for ∂W; none where one is too narrow."""
        k, d = self.linear.weight.shape
        numbers = self._numbers(spans=True) - (n * d if self.copied else 0)
        apart = -(-(k - min(k, max(0, numbers // n))) // cpu.UNIT) * cpu.UNIT
        gap, widths, left = k * d - n * apart, [], apart
        while left > 0:
            width = gap // max(d, 1) // cpu.UNIT * cpu.UNIT
            width = left if width >= left else width - cpu.UNIT * (width % UNEVEN == 0 and width > UNEVEN)
            if width < min(left, cpu_blocks.BLOCK // 2):
                return []
            widths.append(width)
            gap, left = gap + width * (n - d), left - width
        return [*widths, k - apart] if apart < k else []

    @property
    def copied(self) -> bool:
        """Whether a chunk's hidden vectors are copied."""
        return self.wide or not self.linear.hidden.flags.c_contiguous

    def _numbers(self, spans: bool = False) -> int:
        """How many numbers the memory holds beside the kernel's scratch, and what tells it of spans."""
        linear, (k, d) = self.linear, self.linear.weight.shape
        scratch = max(cpu_rows.scratch_size(k, not linear.whole.hard, spans), cpu_product.SCRATCH if self.ours else 0)
        scratch = threads() * scratch + (self.size * d if self.wide else 0)
        return (linear.memory - (24 * -(-k // cpu.UNIT) if spans else 0)) // linear.itemsize - scratch

    def _chunks(self, first: int = 0) -> list[slice]:
        """The rows from `first` on, chunk by chunk: what else is held is taken from the memory first."""
        linear, (k, d) = self.linear, self.linear.weight.shape
        spare = self._spare() if self.by_hidden is not None else 0
        a_row = linear.itemsize * (k + (d if self.copied else 0) + (d if self.wide else 0) + spare)
        memory = linear.itemsize * (self._numbers() - (first * d if self.copied else 0))
        return list(linear.chunks(a_row, memory=memory, first=first))


def _wide(x: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """x in the type computed in; uint16 is bfloat16, the upper half of a float32."""
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(dtype, copy=False)


def _blocks(start: int, stop: int, size: int) -> Iterator[slice]:
    """The classes from start to stop, at most so many at a time."""
    part = -(-(stop - start) // max(1, -(-(stop - start) // size)))
    part = max(1, min(size, -(-part // EVEN) * EVEN))
    return (slice(at, min(at + part, stop)) for at in range(start, stop, part))


def _dealt(whole: slice, workers: int, least: int = PART) -> Iterator[slice]:
    """The parts of a range: an equal one for each worker, then of the rest, down to about so many; for one worker all at once."""
    start, first = whole.start, FIRST if workers > 1 else 1
    while start < whole.stop:
        left = whole.stop - start
        part = -(-int(left * (first if left * (1 - first) >= workers * least else 1)) // workers)
        part = -(-part // EVEN) * EVEN if part > EVEN else part
        for at in range(start, min(whole.stop, start + workers * part), part):
            start = min(whole.stop, at + part)
            yield slice(at, start)


def _shrinking(n: int, most: int, workers: int, least: int) -> Iterator[slice]:
    """The parts of range(n), of `most` at first and smaller towards the end, so that all workers end together."""
    start = 0
    while start < n:
        part = (n - start) // (2 * workers)
        stop = min(n, start + min(most, max(least, part // least * least)))
        yield slice(start, stop)
        start = stop


def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray, *, anew: bool) -> None:
    """out = a·b, or out += a·b."""
    if anew:
        np.matmul(a, b, out=out)
    else:
        blas.add_product(a, b, out)
