"""The sets that come with scikit-learn: real data without a download."""

from __future__ import annotations

import numpy as np

from xent.data.table import Data

NAMES = ("breast_cancer", "digits", "iris", "wine")


def load(name: str) -> Data:
    """A bundled set by name.

    >>> load("digits").x.shape
    (1797, 64)
    """
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    classes = tuple(str(c) for c in found.target_names)
    features = tuple(str(f) for f in found.feature_names)
    x, y = np.asarray(found.data, np.float64), np.asarray(found.target, np.int64)
    if name == "digits":
        return Data(name, x / 16, y, classes, features, "none", (("pixels", {"top": "16"}),))
    return Data(name, x, y, classes, features)
