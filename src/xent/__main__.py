"""The command `xent`, also as `python -m xent`: stopped while it is still being loaded, it says no more than 130."""

import sys


def run() -> None:
    """The entry point of the installed command."""
    try:
        from xent import cli

        cli.run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
