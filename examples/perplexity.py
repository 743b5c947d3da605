"""How well does a language model know a text? Its perplexity, over as long a text as you like, in bounded memory.

    python examples/perplexity.py [TEXT] [--vocabulary 50000] [--memory 8]

A tiny model stands in for a large one: what came before is known through random vectors. What is shown is the last layer: the
cost of all places in the text against a large vocabulary, whose logits together would take gigabytes and never exist.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import xent

WIDTH = 64


def words(path: Path, vocabulary: int) -> np.ndarray:
    """The text as numbers: each pair of characters is a word, counted into the vocabulary."""
    text = np.frombuffer(path.read_text(encoding="utf-8").encode("utf-16-le"), np.uint16).astype(np.int64)
    return (text[:-1] * 65_537 + text[1:]) % vocabulary


def states(text: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """What the model knows at each place: what it saw, the longer ago the fainter."""
    hidden = np.zeros((len(text), WIDTH), np.float32)
    for ago in range(1, 4):
        hidden[ago:] += embedding[text[:-ago]] / ago
    return hidden


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=Path(__file__).parents[1] / "docs" / "log.md")
    parser.add_argument("--vocabulary", type=int, default=50_000)
    parser.add_argument("--memory", type=float, default=8, help="MiB of scratch")
    args = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    embedding = rng.standard_normal((args.vocabulary, WIDTH), dtype=np.float32) / 8
    text = words(args.text, args.vocabulary)
    hidden = states(text, embedding)
    start = time.perf_counter()
    cost, stats = xent.linear_cross_entropy(hidden, embedding, text, memory=int(args.memory * 2**20), stats=("rank",))
    seconds = time.perf_counter() - start
    logits = 4 * len(text) * args.vocabulary / 2**20
    print(f"{len(text):,} words of {args.vocabulary:,}: perplexity {np.exp(cost):,.1f}, cost {cost:.4f}, {seconds:.1f} s")
    print(f"the right word was among the first ten in {np.mean(stats['rank'] < 10):.1%} of places")
    print(f"scratch at most {args.memory:g} MiB; all the logits: {logits:,.0f} MiB")
    return float(cost)


if __name__ == "__main__":
    main()
