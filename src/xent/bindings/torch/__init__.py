"""PyTorch meets the ops.

`calling` chooses the path; `functional` and `modules` are what people call, with torch.nn's arguments. `states` says what PyTorch
is doing just now, and so which path is right: `fused`, the CPU kernels on a tensor's memory, tied into autograd by `attached`, and
`usual`, the same for the common batch with the least of Python; `compiled`, the kernels as one of the `operators`, which a compiler
can place; or the plain formula, which PyTorch differentiates and maps itself, and whose operations it sees when it traces
(`traced`). `linear` is the same with the last layer's product inside. `criteria` does for every other output what `attached` does
for cross-entropy.
"""

from xent.bindings.torch.calling import cross_entropy as cross_entropy
from xent.bindings.torch.calling import cross_entropy_and_grad as cross_entropy_and_grad
from xent.bindings.torch.linear import linear_cross_entropy as linear_cross_entropy
from xent.bindings.torch.linear import linear_cross_entropy_and_grad as linear_cross_entropy_and_grad
