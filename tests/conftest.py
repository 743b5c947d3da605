"""JAX in 64 bits for every test, what it compiles kept; with XENT_SHAPES=1 all shapes are checked by jaxtyping and beartype.

JAX compiles every operation for every shape, which is most of what its tests take. What it has compiled lies in .jax_cache beside
the tests and serves the next run, as Numba's machine code does: by the program that was compiled, JAX's version and the processor.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

PROCESSOR = f"{get_host_cpu_name()} {get_host_cpu_features().flatten()}"
COMPILED = Path(__file__).parents[1] / ".jax_cache" / hashlib.sha256(PROCESSOR.encode()).hexdigest()[:16]

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

from jaxtyping import install_import_hook

if os.environ.get("XENT_SHAPES"):
    install_import_hook("xent", "typechecking.check")

import pytest
from libraries import LIBRARIES


@pytest.fixture(params=LIBRARIES, scope="session")
def lib(request: pytest.FixtureRequest) -> Any:
    """One array library after another."""
    return LIBRARIES[request.param]
