"""Linear cross-entropy: the last layer and its cost in one, for vocabularies whose logits nobody wants to hold at once.

`inputs` checks what came, `plain` goes through the rows in chunks on any array library, `cpu` is the fused twin on BLAS products
and memory of its own, `calling` chooses and is what people call.
"""

from xent.ops.linear.calling import linear_cross_entropy as linear_cross_entropy
from xent.ops.linear.calling import linear_cross_entropy_and_grad as linear_cross_entropy_and_grad
