"""xent for PyTorch: a façade that only hands on what other rooms make. The one room, beside `bindings`, that expects torch.

Nothing is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent.doctor import Diagnosis as Diagnosis
    from xent.doctor import diagnose as diagnose
    from xent.doctor import watch as watch

_HOMES = {
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
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
