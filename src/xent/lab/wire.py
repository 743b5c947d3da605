"""How numbers travel: one message is a JSON tree whose arrays stand behind it as they lie in memory, little end first.

    4 bytes     length n of the header
    n bytes     the header, UTF-8: {"id": …, "arrays": [{"type": "f8", "shape": [301], "at": 0}, …], "tree": …}
    the rest    the arrays, each beginning at a multiple of 8 bytes (`at` counts from the end of the header)

In the tree an array is {"$": its number}. Numbers that JSON does not know (infinite, undefined) are null.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

TYPES = {"float64": "f8", "float32": "f4", "int32": "i4", "uint8": "u1"}


def packed(number: int | None, tree: Any) -> bytes:
    """The message with a number of its own, with which the page knows what it answers.

    >>> packed(1, {"a": np.asarray([0.5])})[-8:] == np.asarray([0.5]).tobytes()
    True
    """
    arrays: list[np.ndarray] = []
    tree = _lifted(tree, arrays)
    places, at = [], 0
    for array in arrays:
        places.append({"type": TYPES[array.dtype.name], "shape": list(array.shape), "at": at})
        at += array.nbytes + -array.nbytes % 8
    header = json.dumps({"id": number, "arrays": places, "tree": tree}, ensure_ascii=False, allow_nan=False).encode()
    header += b" " * (-(len(header) + 4) % 8)
    parts = [len(header).to_bytes(4, "little"), header]
    for array in arrays:
        parts += [array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(), bytes(-array.nbytes % 8)]
    return b"".join(parts)


def unpacked(message: bytes) -> tuple[int | None, Any]:
    """The number and the tree again: what the page does, for tests and for programs.

    >>> unpacked(packed(7, {"a": np.arange(2.0), "b": ["x", None]}))
    (7, {'a': array([0., 1.]), 'b': ['x', None]})
    """
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    data = message[4 + length :]
    arrays = [
        np.frombuffer(data, "<" + place["type"], math.prod(place["shape"]), place["at"]).reshape(place["shape"])
        for place in header["arrays"]
    ]
    return header["id"], _filled(header["tree"], arrays)


def _lifted(tree: Any, arrays: list[np.ndarray]) -> Any:
    """The tree with every array taken out."""
    match tree:
        case np.ndarray():
            arrays.append(np.asarray(tree, order="C"))
            return {"$": len(arrays) - 1}
        case dict():
            return {str(key): _lifted(value, arrays) for key, value in tree.items()}
        case list() | tuple():
            return [_lifted(value, arrays) for value in tree]
        case np.generic():
            return _lifted(tree.item(), arrays)
        case float() if not math.isfinite(tree):
            return None
    return tree


def _filled(tree: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(tree, dict):
        return arrays[tree["$"]] if set(tree) == {"$"} else {key: _filled(value, arrays) for key, value in tree.items()}
    return [_filled(value, arrays) for value in tree] if isinstance(tree, list) else tree
