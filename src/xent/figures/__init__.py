"""What a person looks at: the twelve figures of the article's report, the curves of any run, and those of any output.

Stands on `article`, `neuron` and `outputs`; does no maths of its own.
"""

from xent.figures.article import ARTICLE as ARTICLE
from xent.figures.article import draw as draw
from xent.figures.maps import draw_map as draw_map
from xent.figures.maps import draw_sweep as draw_sweep
from xent.figures.outputs import draw_activation as draw_activation
from xent.figures.outputs import draw_output as draw_output
from xent.figures.overlay import draw_outputs as draw_outputs
from xent.figures.runs import draw_runs as draw_runs
from xent.figures.style import save as save
from xent.figures.style import svg as svg
