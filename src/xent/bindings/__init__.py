"""How autograd libraries meet the ops: derivative rules, modules, compilers. One file a library; this one chooses.

No library is imported before an array of it came.
"""

from __future__ import annotations

import sys
from functools import wraps
from importlib import import_module
from typing import Any, Unpack

from xent import ops
from xent.arrays import Numbers, library
from xent.ops.options import Choices

_HOMES = {"jax": "xent.bindings.jax", "jaxlib": "xent.bindings.jax", "torch": "xent.bindings.torch"}
"""Where arrays of a library are taken; all others go to `ops`."""


@wraps(ops.cross_entropy)
def cross_entropy(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> Any:  # noqa: D103
    return _home(logits, target).cross_entropy(logits, target, **options)


@wraps(ops.cross_entropy_and_grad)
def cross_entropy_and_grad(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> tuple[Any, ...]:  # noqa: D103
    return _home(logits, target).cross_entropy_and_grad(logits, target, **options)  # type: ignore[no-any-return]


@wraps(ops.linear_cross_entropy)
def linear_cross_entropy(hidden: Numbers, weight: Numbers, target: Numbers, /, bias: Any = None, **options: Any) -> Any:  # noqa: D103
    return _home(hidden, weight).linear_cross_entropy(hidden, weight, target, bias, **options)


@wraps(ops.linear_cross_entropy_and_grad)
def linear_cross_entropy_and_grad(  # noqa: D103
    hidden: Numbers, weight: Numbers, target: Numbers, /, bias: Any = None, **options: Any
) -> tuple[Any, ...]:
    return _home(hidden, weight).linear_cross_entropy_and_grad(hidden, weight, target, bias, **options)  # type: ignore[no-any-return]


def _home(*arrays: Any) -> Any:
    """The module that takes these arrays. Where they are mixed the ops say so."""
    if "torch" in sys.modules and sys.modules["torch"].compiler.is_compiling():
        from xent.bindings import torch  # a statement: the compiler does not trace import_module

        return torch
    libraries = {library(x) for x in arrays}
    if len(libraries) != 1 and libraries != {"jax", "jaxlib"}:  # JAX's arrays and its tracers live in two packages
        return ops
    name = _HOMES.get(libraries.pop())
    return ops if name is None else import_module(name)
