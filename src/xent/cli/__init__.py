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
from xent.cli.helping import COMMANDS, Page
from xent.errors import XentError

app = App(
    name="xent",
    version=__version__,
    help_format="plaintext",
    help_formatter=Page(),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for _name, _takes in COMMANDS.items():
    app.command(f"xent.cli.{_name}:{_name}", name=_name, help_formatter=Page(_name, _takes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it found something wrong, 2 it was asked wrongly, 130 interrupted."""
    from xent import texts
    from xent.cli import flags, helping

    given = tuple(sys.argv[1:] if arguments is None else arguments)
    flags.TYPED.set(given)
    if len(given) <= 2 and given[:1] == ("--lang",):
        given = ()  # xent --lang zh: its help, in that language
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows ? for them
    words = texts.page("cli", helping.language())["errors"]
    try:
        code = app(list(given), console=flags.console(), print_error=False, exit_on_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        print(f"{words['label']}: {helping.refusal(error)}", file=sys.stderr)
        return 2
    except XentError as error:
        print(f"{words['label']}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{words['stopped_race' if 'race' in given[:1] else 'stopped']}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` say, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (MemoryError, OSError) as error:
        print(f"{words['label']}: {_refused(error, words)}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _refused(error: MemoryError | OSError, words: dict[str, str]) -> str:
    """What the system would not give: memory, a disk with room, a file's permission."""
    if isinstance(error, MemoryError):
        return words["memory"].format(why=str(error).rstrip(".") or "MemoryError")
    why = (error.strerror or str(error)) + (f" ({error.filename})" if error.filename else "")
    return words["system"].format(why=why)


def run() -> None:
    """What was typed, done; the process ends with its exit code."""
    sys.exit(main())
