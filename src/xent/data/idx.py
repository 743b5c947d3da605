"""Folders of IDX files, the format of MNIST and its relatives: images and labels, plain or gzipped.

A file says its own shape: two zero bytes, the number type, the number of axes, their lengths as 32-bit numbers, then the numbers.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from xent.data.table import Data, coded
from xent.errors import InputError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def load(folder: Path) -> Data:
    """All rows of the folder; where it has training and test files, the test files' rows are the test part.

    Bytes are taken for pixels and divided by 255.
    """
    files = {
        p.name.removesuffix(".gz"): p for p in sorted(folder.iterdir(), reverse=True) if "labels" in p.name and "idx1" in p.name
    }
    if not files:
        raise InputError(f"{folder} holds no IDX files: expected images beside labels, such as train-images-idx3-ubyte(.gz) and "
                         "train-labels-idx1-ubyte(.gz).")  # fmt: skip
    parts = [_pair(files[name], folder) for name in sorted(files)]
    if len({x.shape[1] for x, _ in parts}) > 1:
        sizes = " and ".join(str(x.shape[1]) for x, _ in parts)
        raise InputError(f"{folder}: the files hold images of {sizes} pixels, which do not belong together.")
    x, (y, classes) = np.concatenate([x for x, _ in parts]), coded(np.concatenate([y for _, y in parts]))
    tested = np.concatenate(
        [np.full(len(x), not name.startswith("train")) for name, (x, _) in zip(sorted(files), parts, strict=True)]
    )
    own = not tested.all() and tested.any()
    notes = ((("pixels", {"top": "255"}),) if x.dtype == np.uint8 else ()) + (
        (("own_test", {"n": str(tested.sum())}),) if own else ()
    )
    scaling = "none" if x.dtype == np.uint8 else "standard"
    x = x / 255.0 if x.dtype == np.uint8 else x.astype(np.float64)
    features = tuple(f"x{i + 1}" for i in range(x.shape[1]))
    return Data(folder.resolve().name, x, y, classes, features, scaling, notes, tested if own else None)


def _pair(labels: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels that belong together by name."""
    stem = labels.name.removesuffix(".gz").replace("labels", "images").replace("idx1", "idx3")
    images = next((folder / name for name in (stem, f"{stem}.gz") if (folder / name).exists()), None)
    if images is None:
        raise InputError(f"{labels.name} stands without its images: expected {stem} or {stem}.gz beside it.")
    x, y = read(images), read(labels)
    if y.ndim != 1 or len(x) != len(y):
        raise InputError(f"{images.name} has {len(x)} images, but {labels.name} has labels of shape {y.shape}.")
    return x.reshape(len(x), -1), y


def read(path: Path) -> np.ndarray:
    """The array of one IDX file."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path.name}: {error}.") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in TYPES or len(raw) < 4 + 4 * raw[3]:
        raise InputError(f"{path.name} is no IDX file: its first bytes are {raw[:4].hex(' ') or 'missing'}.")
    dtype, start = np.dtype(TYPES[raw[2]]), 4 + 4 * raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", raw[3], 4))
    wanted = dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(raw) - start != wanted:
        raise InputError(
            f"{path.name} says that it holds {shape} numbers, {wanted} bytes, but {len(raw) - start} are there: is it cut off?"
        )
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
