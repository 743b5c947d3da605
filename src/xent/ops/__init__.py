"""Cross-entropy on logits: what trains classifiers and language models, exact and fused. Stands on `outputs`.

`options` says what can be asked, `inputs` checks what came, `plain` is the maths for every array library and `reduction` its last
step; `cpu` is the fused twin. `calling` chooses and is what people call. `linear` is the same with the last layer's product inside.
Array in, array out: autograd is the business of `bindings`.
"""

from xent.ops.calling import cross_entropy as cross_entropy
from xent.ops.calling import cross_entropy_and_grad as cross_entropy_and_grad
from xent.ops.linear import linear_cross_entropy as linear_cross_entropy
from xent.ops.linear import linear_cross_entropy_and_grad as linear_cross_entropy_and_grad
from xent.ops.options import Options as Options
