"""The doctor's score on its corpus: `python tests/doctor/score.py` prints it."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from doctor.corpus import HEALTHY, SICK, Sick, diagnosed

from xent.errors import XentError

PAIRING = frozenset(
    [
        "probabilities-as-logits",
        "logits-as-probabilities",
        "one-class-softmax",
        "softmax-wrong-axis",
        "sigmoid-for-exclusive-classes",
        "double-log-softmax",
        "softmax-for-independent-labels",
        "squared-error-on-squashed-output",
        "dead-probability-bce",
        "rectified-logits",
        "bounded-logits",
    ]
)
"""The rules that are about cost and output."""


def missed(cases: dict[str, Sick]) -> dict[str, str]:
    """The planted faults that were not found, and what was found instead."""
    out = {}
    for name, case in cases.items():
        try:
            found = [finding.rule for finding in diagnosed(case.make).findings]
        except XentError as error:  # a cost that raises, and no rule that knows why
            found = [type(error).__name__]
        if case.rule not in found:
            out[name] = f"{case.rule}, found {found}"
    return out


def false_alarms() -> dict[str, str]:
    """Healthy cases with an error, or with a warning about the pairing."""
    out = {}
    for name, make in HEALTHY.items():
        accused = [f.rule for f in diagnosed(make).findings if f.severity == "error" or f.rule in PAIRING]
        if accused:
            out[name] = str(accused)
    return out


def main() -> None:
    lost, alarms = missed(SICK), false_alarms()
    print(f"{len(SICK)} models with one planted fault each: {len(SICK) - len(lost)} found, recall {1 - len(lost) / len(SICK):.1%}")
    print(f"{len(HEALTHY)} healthy models, unusual but right: {len(alarms)} accused of an error or of a wrong pairing")
    for name, why in {**lost, **alarms}.items():
        print(f"  {name}: {why}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
