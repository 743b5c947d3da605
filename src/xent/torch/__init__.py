"""xent for PyTorch: drop-in functions and modules, and the doctor. A façade: everything is loaded when first used.

>>> import torch, xent
>>> xent.torch.cross_entropy(torch.tensor([[20.0] + [0.0] * 9]), torch.tensor([0]))  # log-sum-exp minus the logit is 0 here
tensor(1.8550e-08)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent.bindings.torch.functional import cross_entropy as cross_entropy
    from xent.bindings.torch.functional import linear_cross_entropy as linear_cross_entropy
    from xent.bindings.torch.modules import Criterion as Criterion
    from xent.bindings.torch.modules import CrossEntropyLoss as CrossEntropyLoss
    from xent.bindings.torch.modules import LinearCrossEntropyLoss as LinearCrossEntropyLoss
    from xent.doctor import Diagnosis as Diagnosis
    from xent.doctor import diagnose as diagnose
    from xent.doctor import watch as watch

_HOMES = {
    "cross_entropy": "xent.bindings.torch.functional",
    "linear_cross_entropy": "xent.bindings.torch.functional",
    "CrossEntropyLoss": "xent.bindings.torch.modules",
    "LinearCrossEntropyLoss": "xent.bindings.torch.modules",
    "Criterion": "xent.bindings.torch.modules",
    "Diagnosis": "xent.doctor",
    "diagnose": "xent.doctor",
    "watch": "xent.doctor",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xent.torch' has no attribute {name!r}")
    try:
        import_module("torch")
    except ImportError as error:
        from xent.errors import MissingPackageError

        raise MissingPackageError(f"xent.torch.{name} needs PyTorch: pip install 'xent[torch]'.") from error
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)  # to find it anew takes as long as a small batch's kernel
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
