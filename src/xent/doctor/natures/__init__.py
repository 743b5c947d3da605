"""What a value is, told by the operations that made it: logits, a squashed answer, its logarithm, something rectified.

A nature is followed through reshapes, indexing, constants and masks, so that it does not matter how a softmax, a sigmoid or a
logarithm was written, nor in which line. `nature` is the word for it, `reading` reads a trace; what an operation makes of natures
stands in `moved` (elements that stay what they are), `functions` (of one element), `sums` (over axes) and `arithmetic`.
"""

from xent.doctor.natures.nature import REACH as REACH
from xent.doctor.natures.nature import Nature as Nature
from xent.doctor.natures.reading import Natures as Natures
