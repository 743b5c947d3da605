"""`xent lab` in a process of its own: started, and stopped with Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys


def start(*flags: str) -> tuple[subprocess.Popen[str], str]:
    """A running lab and its link."""
    port = () if "--port" in flags else ("--port", "0")
    command = [sys.executable, "-m", "xent", "lab", "--no-browser", "--lang", "en", *port, *flags]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    said = ""
    while not (found := re.search(r"http://\S+", said)):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    return process, found[0]


def stop(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Ctrl-C, then the exit code and what was said."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err
