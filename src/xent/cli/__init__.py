"""The command line, one file a command: reads arguments, calls the library, prints. No maths.

A person's own mistake never ends in a traceback: it is one message on standard error and exit code 2. Ctrl-C is 130.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from cyclopts import App, CycloptsError

from xent import __version__
from xent.errors import XentError

app = App(
    name="xent",
    help="How hard a wrong answer pushes back: the cross-entropy cost and its rivals, exact, compared and explained.",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command("xent.cli.reproduce:reproduce", name="reproduce")
app.command("xent.cli.neuron:neuron", name="neuron")
app.command("xent.cli.map:map", name="map")
app.command("xent.cli.check:check", name="check")
app.command("xent.cli.explain:explain", name="explain")
app.command("xent.cli.lab:lab", name="lab")
app.command("xent.cli.race:race", name="race")
app.command("xent.cli.doctor:doctor", name="doctor")
app.command("xent.cli.bench:bench", name="bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it found something wrong, 2 it was asked wrongly, 130 interrupted."""
    from xent import texts
    from xent.cli import flags

    given = tuple(sys.argv[1:] if arguments is None else arguments)
    flags.TYPED.set(given)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows ? for them
    words = texts.page("cli", texts.language_of_locale())["errors"]
    try:
        code = app(list(given), print_error=True, exit_on_error=False)
        sys.stdout.flush()
    except CycloptsError:
        return 2
    except XentError as error:
        print(f"{words['label']}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{words['stopped']}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` say, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def run() -> None:
    """The entry point of the installed command."""
    sys.exit(main())
