"""The command ``rla``: looks at the runs of a log root.

rla runs                     the runs, newest last
rla show                     the folders of the newest run, and how to open it in TensorBoard
rla show 21-22-16            those of the run whose name contains this text
rla path latest code         the path of a folder

What stands in names and files is printed on one line and without control characters, whoever has written it.
"""

from __future__ import annotations

import io
import os
import sys
import warnings

from rla_hooks.cli.common import app
from rla_hooks.errors import RLAError, RLAWarning
from rla_hooks.texts import printable

_INTERRUPTED = 130  # as shells have it: 128 + SIGINT


def main() -> None:
    """Run the command. A mistake of the user is reported in a line, or some, without a traceback; the exit code is 2.

    Others: 1 for a pipe that was closed early, or as a command says; 130 for Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal or a pipe may take ASCII only
    warnings.filterwarnings("ignore", "there is no folder", RLAWarning)  # commands say where they have looked
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except RLAError as error:
        _report(error)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:  # the other end has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its own end
        raise SystemExit(1) from None


def _report(error: RLAError) -> None:
    """Print an error. Its lines but the first are indented: no text of a file can look like a message of ours."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("[red]rla:[/]", end=" ")
    first, *others = str(error).split("\n")
    console.print(printable(first), markup=False)
    for line in others:
        console.print(f"  {printable(line)}", markup=False)
