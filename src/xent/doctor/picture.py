"""The picture of a diagnosis: how much of each sample's error arrives as correction."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from xent.doctor.evidence import Case

SHOWN = 4000
"""So many samples are kept for the picture."""


@dataclass(frozen=True)
class Picture:
    """Per sample the error ‖a − y‖ and the correction ‖δ‖, its class, and whether it is stalled; of the main pairing."""

    name: str = ""
    error: Float[np.ndarray, " n"] = field(default_factory=lambda: np.zeros(0))
    correction: Float[np.ndarray, " n"] = field(default_factory=lambda: np.zeros(0))
    label: Int[np.ndarray, " n"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    stalled: int = 0
    wrong: int = 0
    n: int = 0
    wrong_gain: float = math.nan
    """The middle gain of the badly wrong samples."""

    @classmethod
    def of(cls, case: Case) -> Picture:
        """That of a case; empty where no pairing could be read."""
        p = case.main
        if p is None:
            return cls()
        every = slice(None, None, max(1, math.ceil(len(p.error) / SHOWN)))
        error, correction, label = (t[every].cpu().numpy() for t in (p.error, p.correction, p.label))
        wrong_gain = float(p.gain[p.wrong].median()) if bool(p.wrong.any()) else math.nan
        stalled, wrong = int(p.stalled.sum()), int(p.wrong.sum())
        return cls(p.name, error, correction, label, stalled, wrong, len(p.error), wrong_gain)

    def as_dict(self) -> dict[str, list[Any]]:
        """The samples as plain data: error, correction, the gain between them (none where there is no error), and class."""
        gain = [c / e if e > 0 else None for c, e in zip(self.correction.tolist(), self.error.tolist(), strict=True)]
        numbers = {"error": self.error.tolist(), "correction": self.correction.tolist()}
        return {**numbers, "gain": gain, "label": self.label.tolist()}

    @property
    def gain(self) -> float:
        """The middle gain of the samples with an error."""
        some = self.error > 0
        return float(np.median(self.correction[some] / self.error[some])) if some.any() else math.nan
