"""JAX in 64 bits for every test; with XENT_SHAPES=1 all shapes are checked by jaxtyping and beartype (see test_shapes.py)."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from jaxtyping import install_import_hook

if os.environ.get("XENT_SHAPES"):
    install_import_hook("xent", "typechecking.check")

import pytest
from libraries import LIBRARIES


@pytest.fixture(params=LIBRARIES, scope="session")
def lib(request: pytest.FixtureRequest) -> Any:
    """One array library after another."""
    return LIBRARIES[request.param]
