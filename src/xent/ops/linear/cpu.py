"""The fused twin of `linear.plain` for NumPy arrays: BLAS makes the logits of a chunk, the fused kernel turns them into δ in place.

Of every chunk there is one block of memory: logits, then δ. The products are written where they belong, and what ∂W gains with each
chunk is added to it. 16-bit arrays pass through float32, a chunk of rows and a block of classes at a time.
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
from xent.ops import cpu, cpu_blocks, cpu_passing, cpu_rows, pages
from xent.ops.inputs import check_values
from xent.ops.linear import blas, plain
from xent.ops.linear.inputs import Linear
from xent.threads import share_out, threads

PASSING = 1536
"""Classes whose logits are made at a time where only the cost is wanted."""
LEAST = 256
"""And how few at the end."""
SPAN = 1 << 14
"""Classes whose logits lie together where ∂W's memory holds them."""
WORTH = 1 << 24
"""Multiplications that are worth sharing out."""
EVEN = 64
"""Parts are multiples of so many rows or classes."""
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


Pieces = Callable[[int, int], Iterable[tuple[slice, np.ndarray]]]


class Pass:
    """One pass: its costs, statistics and gradients, which `workers` threads make together, by rows and then by classes."""

    def __init__(self, linear: Linear, wants: plain.Wants, scale: Any, workers: int) -> None:
        self.linear, self.scale, self.workers, self.wanted = linear, scale, workers, any(wants)
        self.dtype = np.dtype(linear.whole.dtype)
        (n, d), k = linear.hidden.shape, linear.weight.shape[0]
        self.by_hidden, self.by_weight, self.by_bias = (
            pages.empty(shape, self.dtype) if wanted else None for shape, wanted in zip(((n, d), (k, d), (k,)), wants, strict=True)
        )
        self.costs = np.empty(n, self.dtype)
        self.table = np.empty((n if linear.each.stats else 0, len(cpu_rows.STATISTICS)), self.dtype)
        self.wrong, self.numbers, self._scratch = False, 0, np.empty(0, self.dtype)
        self.size = max(1, min(BLOCK, linear.memory // 4) // (max(d, 1) * self.dtype.itemsize)) if self.wide else k
        """Classes whose weights are held in float32 at a time."""

    @property
    def wide(self) -> bool:
        """Whether 16-bit numbers have to be widened."""
        return bool(self.linear.hidden.dtype != self.dtype)

    @property
    def scratch(self) -> np.ndarray:
        """Memory for the logits of a chunk, or for a copy of a span; made when it is needed first."""
        if not self._scratch.size:  # no cached_property: until Python 3.12 that holds a lock, which a fork may leave held
            self._scratch = pages.empty((self.numbers,), self.dtype)
        return self._scratch

    def share(self, work: Callable[[int, int], None], n: int, each: int = 3) -> None:
        """work(start, stop) on parts of range(n), so many for each worker: one that is slower does fewer."""
        if self.workers > 1:
            part = -(-n // (self.workers * each))
            share_out(work, n, -(-part // EVEN) * EVEN if part > EVEN else part or 1)
        else:
            work(0, n)

    def made(self) -> tuple[Array, dict[str, Array], list[Array | None]]:
        """Costs, statistics and gradients."""
        linear, k = self.linear, self.linear.weight.shape[0]
        if not self.wanted and cpu_passing.knows(linear.each, linear.whole.hard):
            self._pass_by()
            return self.costs, {}, [None, None, None]
        chunks, lent = self._chunks(), self._lendable() if self.by_weight is not None else 0
        if lent and 1 + len(rest := self._chunks(lent)) < len(chunks):
            chunks = [slice(0, lent), *rest]
        else:
            lent = 0
        largest = max((rows.stop - rows.start for rows in chunks[bool(lent) :]), default=0) * k
        self.numbers = max(largest, lent * self._span())
        for rows in chunks:
            h = np.ascontiguousarray(_wide(linear.hidden[rows], self.dtype))
            if rows.stop <= lent:
                self._in_its_own_memory(h)
            else:
                self._chunk(h, rows.start, self.scratch[: len(h) * k].reshape(len(h), k))
        if self.wrong:
            target = linear.whole.target
            check_values(replace(linear.whole, target=_wide(target, self.dtype) if target.dtype == np.uint16 else target))
        stats = cpu.named(self.table, linear.each.stats, self.costs.shape) if linear.each.stats else {}
        grads = [self.by_hidden, self.by_weight, self.by_bias]
        if not chunks:
            grads = [None if v is None else np.zeros_like(v) for v in grads]
        return self.costs, stats, grads

    def _asked(self, rows: slice) -> dict[str, Any]:
        """What the kernel is told of some rows."""
        each = self.scale if self.scale is None or np.ndim(self.scale) == 0 else self.scale[rows]
        table = self.table[rows] if len(self.table) else self.table
        told = {"cost": self.costs[rows], "scale": each, "weight": self.linear.whole.weight, "stats": table}
        return {**told, "here": self.workers > 1}

    # What follows is shared out by classes, wherever it can be: so each thread reads weights of its own.
    # `pieces(start, stop)` are these classes with the memory of their logits, a block at a time.

    def _logits(self, h: np.ndarray, pieces: Pieces, start: int, stop: int) -> None:
        """The logits of some rows and classes."""
        for classes, z in pieces(start, stop):
            np.matmul(h, _wide(self.linear.weight[classes], self.dtype).T, out=z)
            if self.linear.bias is not None:
                z += _wide(self.linear.bias[classes], self.dtype)

    def _back_to_hidden(self, pieces: Pieces, rows: slice, parts: bool) -> None:
        """What ∂hidden is: by classes in `parts`, one for each worker, which are added; else by rows."""
        if self.by_hidden is None:
            return
        out, weight, k, found = self.by_hidden[rows], self.linear.weight, len(self.linear.weight), dict[int, np.ndarray]()

        def work(start: int, stop: int) -> None:
            found[start] = part = out if start == 0 else np.empty_like(out)
            for classes, z in pieces(start, stop):
                _product(z, _wide(weight[classes], self.dtype), part, anew=classes.start == start)

        def by_rows(start: int, stop: int) -> None:
            for classes, z in pieces(0, k):
                _product(z[start:stop], _wide(weight[classes], self.dtype), out[start:stop], anew=classes.start == 0)

        if not parts:
            self.share(by_rows, len(out))
            return
        self.share(work, k, each=1)
        for start in sorted(found)[1:]:
            out += found[start]

    def _back_to_weight(self, z: np.ndarray, h: np.ndarray, at: int, anew: bool, start: int, stop: int) -> None:
        """What ∂weight and ∂bias gain by some rows; z has the classes from `at` on, of which those from start to stop are meant."""
        classes, z = slice(at + start, at + stop), z[:, start:stop]
        if self.by_weight is not None:
            _product(z.T, h, self.by_weight[classes], anew=anew)
        if self.by_bias is not None:
            np.add(0 if anew else self.by_bias[classes], z.sum(axis=0), out=self.by_bias[classes])

    def _chunk(self, h: np.ndarray, at: int, z: np.ndarray) -> None:
        """The rows from `at` on, whose logits fit into z."""
        linear, k = self.linear, z.shape[1]

        def pieces(start: int, stop: int) -> Iterator[tuple[slice, np.ndarray]]:
            return ((classes, z[:, classes]) for classes in _blocks(start, stop, self.size))

        def deltas(start: int, stop: int) -> None:
            own, rows = z[start:stop], slice(at + start, at + stop)
            grad = own if self.wanted else None
            self.wrong |= not cpu.fused(own, linear.target[rows], linear.each, grad=grad, **self._asked(rows))

        self.share(partial(self._logits, h, pieces), k)
        self.share(deltas, len(h))
        self._back_to_hidden(pieces, slice(at, at + len(h)), self._spare() > 0)
        self.share(partial(self._back_to_weight, z, h, 0, at == 0), k)

    def _spare(self) -> int:
        """The numbers of ∂hidden that parts of it need for each row: none where that would be much beside the logits."""
        k, d = self.linear.weight.shape
        numbers = (self.workers - 1) * d
        return numbers if numbers <= k // 16 else 0

    def _pass_by(self) -> None:
        """The costs alone: the logits of some classes are made for as many rows as the memory holds, seen, and made over."""
        linear, dtype = self.linear, self.dtype
        d, k = linear.hidden.shape[1], linear.whole.classes
        span = min(k, self.size, PASSING)
        memory = linear.memory - linear.itemsize * (threads() * 2 * cpu_blocks.BLOCK + (span * d if self.wide else 0))
        copied = self.wide or not linear.hidden.flags.c_contiguous
        a_row = linear.itemsize * (span + 5 + (2 * d if copied else 0))
        if memory < self.workers * a_row:
            self.workers = 1
        block = None
        for rows in linear.chunks(self.workers * a_row, memory=memory):
            h = np.ascontiguousarray(_wide(linear.hidden[rows], dtype))
            block = pages.empty((self.workers, len(h) * span), dtype) if block is None else block
            seen = [cpu_passing.Passing(linear.target[rows], linear.each, linear.whole.weight, dtype) for _ in block]
            spans = deque(_shrinking(k, span, self.workers))
            self.share(partial(self._see, h, spans, block, seen), self.workers, each=1)
            seen[0].merge(seen[1:])
            seen[0].costs(self.costs[rows])

    def _see(self, h: np.ndarray, spans: deque[slice], block: np.ndarray, seen: list[Any], first: int, last: int) -> None:
        """A worker's part: classes pass by, whichever are next, while there are any."""
        for worker in range(first, last):
            while spans:
                try:
                    classes = spans.popleft()
                except IndexError:
                    break
                z = block[worker, : len(h) * (classes.stop - classes.start)].reshape(len(h), -1)
                self._logits(h, lambda *_, classes=classes, z=z: [(classes, z)], 0, 0)
                seen[worker].see(z, classes.start, self.workers > 1)

    def _lendable(self) -> int:
        """How many of the first rows could have their logits in the memory of ∂W, which is written last; no 16-bit ones."""
        return int(min(self.linear.hidden.shape)) if self._span() >= cpu_blocks.BLOCK and not self.wide else 0

    def _span(self) -> int:
        """The classes of a span: whole blocks, at most SPAN, of which half of the memory holds all rows that are lent."""
        rows = max(1, min(self.linear.hidden.shape))
        return int(min(SPAN, self.linear.memory // (2 * self.linear.itemsize * rows)) // cpu_blocks.BLOCK * cpu_blocks.BLOCK)

    def _in_its_own_memory(self, h: np.ndarray) -> None:
        """The first rows: their logits, then δ, stand at the end of ∂W's memory, span by span, and make room for it from its start.

        A span of ∂W that reaches into the δ that it is made of is made from a copy.
        """
        linear, by_weight, (n, d), span = self.linear, self.by_weight, h.shape, self._span()
        assert by_weight is not None
        k = len(by_weight)
        start = (d - n) * k
        whole = by_weight.reshape(-1)[start:]
        spans = [(classes, whole[n * classes.start : n * classes.stop].reshape(n, -1)) for classes in _blocks(0, k, span)]

        def pieces(start: int, stop: int) -> Iterator[tuple[slice, np.ndarray]]:
            for classes, z in spans:
                first, last = max(start, classes.start), min(stop, classes.stop)
                if first < last:
                    yield slice(first, last), z[:, first - classes.start : last - classes.start]

        def deltas(first: int, last: int) -> None:
            rows = slice(first, last)
            told = self._asked(rows)
            self.wrong |= not cpu.fused_in_spans(whole.reshape(n, k), span, rows, linear.target[rows], linear.each, **told)

        self.share(partial(self._logits, h, pieces), k)
        self.share(deltas, n)
        self._back_to_hidden(pieces, slice(0, n), 0 < n * self._spare() * linear.itemsize <= linear.memory // 2)
        for classes, z in spans:
            if classes.stop * d > start + n * classes.start:
                copied = self.scratch[: z.size].reshape(z.shape)
                self.share(partial(_copy, z, copied), n)
                z = copied
            self.share(partial(self._back_to_weight, z, h, classes.start, True), z.shape[1])

    def _chunks(self, first: int = 0) -> list[slice]:
        """The rows from `first` on, chunk by chunk: what else is held is taken from the memory first."""
        linear, (k, d) = self.linear, self.linear.weight.shape
        needs_copy = self.wide or not linear.hidden.flags.c_contiguous
        its_scratch = threads() * cpu_rows.scratch_size(k, not linear.whole.hard)
        fixed = linear.itemsize * (its_scratch + (self.size * d if self.wide else 0))
        spare = self._spare() if self.by_hidden is not None else 0
        a_row = linear.itemsize * (k + (d if needs_copy else 0) + (d if self.wide else 0) + spare)
        return list(linear.chunks(a_row, memory=linear.memory - fixed, first=first))


def _copy(source: np.ndarray, to: np.ndarray, start: int, stop: int) -> None:
    np.copyto(to[start:stop], source[start:stop])


def _wide(x: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """x in the type computed in; uint16 is bfloat16, the upper half of a float32."""
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(dtype, copy=False)


def _blocks(start: int, stop: int, size: int) -> Iterator[slice]:
    """The classes from start to stop, so many at a time."""
    return (slice(at, min(at + size, stop)) for at in range(start, stop, size))


def _shrinking(n: int, most: int, workers: int) -> Iterator[slice]:
    """The parts of range(n), of `most` at first and smaller towards the end, so that all workers end together."""
    start = 0
    while start < n:
        part = (n - start) // (2 * workers)
        stop = min(n, start + min(most, max(LEAST, part // EVEN * EVEN)))
        yield slice(start, stop)
        start = stop


def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray, *, anew: bool) -> None:
    """out = a·b, or out += a·b."""
    if anew:
        np.matmul(a, b, out=out)
    else:
        blas.add_product(a, b, out)
