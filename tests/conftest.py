"""JAX in 64 bits for every test; with XENT_SHAPES=1 all shapes are checked by jaxtyping and beartype (see test_shapes.py)."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from jaxtyping import install_import_hook

if os.environ.get("XENT_SHAPES"):
    install_import_hook("xent", "typechecking.check")

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest
import torch

torch.set_num_threads(2)

LIBRARIES = {
    "numpy": SimpleNamespace(name="numpy", xp=np, make=np.asarray, back=np.asarray),
    "torch": SimpleNamespace(name="torch", xp=torch, make=torch.asarray, back=lambda t: t.detach().numpy()),
    "jax": SimpleNamespace(name="jax", xp=jnp, make=jnp.asarray, back=np.asarray),
    "strict": SimpleNamespace(name="strict", xp=array_api_strict, make=array_api_strict.asarray, back=np.asarray),
}
"""Each array library: how to make an array of NumPy's, and the way back."""


@pytest.fixture(params=LIBRARIES, scope="session")
def lib(request: pytest.FixtureRequest) -> Any:
    """One array library after another."""
    return LIBRARIES[request.param]
