"""JAX meets the ops: `logits` has the rules of cross-entropy, `xla` its numbers, `linear` the scan over chunks of rows."""

from xent.bindings.jax.linear import linear_cross_entropy as linear_cross_entropy
from xent.bindings.jax.linear import linear_cross_entropy_and_grad as linear_cross_entropy_and_grad
from xent.bindings.jax.logits import cross_entropy as cross_entropy
from xent.bindings.jax.logits import cross_entropy_and_grad as cross_entropy_and_grad
