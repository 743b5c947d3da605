"""The doctor's corpus: small models in the styles that people use, half with one planted fault, half healthy and unusual but right.

Faults stand in `wrong`, in files named after the rules' families, right costs and unusual networks in `right`, both with xent's own
criteria in `ours`. Each case is a function that returns (model, criterion, batch) or (model, criterion, batch, forward); torch's
seed is set before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Sick:
    """A case and the rule that has to find its fault."""

    rule: str
    make: Callable[[], tuple[Any, ...]]


SICK: dict[str, Sick] = {}
HEALTHY: dict[str, Callable[[], tuple[Any, ...]]] = {}


def fault(rule: str) -> Callable[[Callable[[], tuple[Any, ...]]], Callable[[], tuple[Any, ...]]]:
    """Adds a case with a planted fault."""

    def added(make: Callable[[], tuple[Any, ...]]) -> Callable[[], tuple[Any, ...]]:
        assert make.__name__ not in SICK
        SICK[make.__name__] = Sick(rule, make)
        return make

    return added


def healthy(make: Callable[[], tuple[Any, ...]]) -> Callable[[], tuple[Any, ...]]:
    """Adds a case with nothing wrong."""
    assert make.__name__ not in HEALTHY
    HEALTHY[make.__name__] = make
    return make


def diagnosed(make: Callable[[], tuple[Any, ...]], **options: Any) -> Any:
    """The diagnosis of a case, cures untried."""
    from xent.doctor import diagnose

    torch.manual_seed(0)
    model, criterion, batch, *forward = make()
    return diagnose(model, criterion, batch, forward=forward[0] if forward else None, try_cures=False, **options)


from . import ours as ours
from . import right as right
from . import wrong as wrong
