"""What a rule is: an id, how bad it is, what it needs to see, and its test. The words stand in `texts`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent.doctor.cure import Cure
    from xent.doctor.evidence import Case

SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True)
class Found:
    """What a test found: numbers and names of this batch, which text tells it, and the cure to try."""

    evidence: dict[str, Any]
    variant: str = ""
    cure: Cure | None = None
    no_cure: str = ""
    """Why no cure can be tried: a key of the texts."""
    severity: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule. `needs` names what it looks at: target, pairing, gradient, layers; where that is missing the rule is unchecked."""

    id: str
    severity: str
    needs: tuple[str, ...]
    test: Callable[[Case], Found | None] = field(repr=False)


def rule(id: str, severity: str, *needs: str) -> Callable[[Callable[[Case], Found | None]], Rule]:
    """Makes a rule of the function below it."""

    def made(test: Callable[[Case], Found | None]) -> Rule:
        return Rule(id, severity, needs, test)

    return made
