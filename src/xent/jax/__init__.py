"""xent for JAX: cross-entropy on logits with exact derivative rules, under jit, grad, jvp, vmap and scan. A façade."""

from __future__ import annotations

from xent.errors import MissingPackageError

try:
    from xent.bindings.jax import cross_entropy as cross_entropy
    from xent.bindings.jax import cross_entropy_and_grad as cross_entropy_and_grad
except ModuleNotFoundError as error:
    if error.name != "jax":
        raise
    raise MissingPackageError("xent.jax needs JAX, which is not installed: pip install 'xent[jax]'.") from error
