"""The command ``rla``: looks at the runs of a log root. It reads and changes nothing.

rla runs                     the runs, newest last
rla show                     the folders of the newest run, and how to open it in TensorBoard
rla show 21-22-16            those of the run whose name contains this text

What stands in names and files is printed on one line and without control characters, whoever has written it.
"""

from __future__ import annotations

import io
import os
import sys

from rich.console import Console

import rla_hooks.cli.listing
import rla_hooks.cli.show  # noqa: F401  the commands join the app when they are imported
from rla_hooks.cli.common import app
from rla_hooks.errors import RLAError
from rla_hooks.texts import printable


def main() -> None:
    """Run the command. A mistake of the user is reported in a line, without a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal or a pipe may take ASCII only
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except RLAError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print("[red]rla:[/]", end=" ")
        console.print(printable(error), markup=False)
        raise SystemExit(2) from None
    except BrokenPipeError:  # the other end has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its own end
        raise SystemExit(1) from None
