"""`python -m xent`, the same as the command `xent`."""

from xent.cli import run

run()
