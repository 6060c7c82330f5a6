"""The command ``rla``: looks at the runs of a log root.

:mod:`rla_hooks.cli.commands` has the table of its commands, docs/cli.md describes them.

What stands in names and files is printed on one line and without control characters, whoever has written it.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from contextlib import suppress
from typing import TextIO

from rla_hooks.cli.common import NotWritten, app, text_of_os_error
from rla_hooks.errors import RLAError, RLAWarning
from rla_hooks.texts import printable

_INTERRUPTED = 130  # as shells have it: 128 + SIGINT
_COMPLETION = "_RLA_COMPLETE"  # typer's: set where a shell asks what it may offer


def main() -> None:
    """Run the command. A mistake of the user is reported in a line, or some, without a traceback; the exit code is 2.

    Others: 1 for a pipe that was closed early or a disk that is full, or as a command says; 130 for Ctrl-C.
    """
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # closed by who started this
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal or a pipe may take ASCII only
    if os.environ.get(_COMPLETION, "").startswith("complete"):
        _complete()
        return
    try:
        try:
            with warnings.catch_warnings():
                for said in ("there is no folder", "no runs are in"):  # commands say where they looked
                    warnings.filterwarnings("ignore", said, RLAWarning)
                warnings.showwarning = _show_warning
                app(prog_name="rla")
        finally:
            sys.stdout.flush()
    except RLAError as error:
        _report(str(error), "red")
        raise SystemExit(1 if isinstance(error, NotWritten) else 2) from None
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:  # the other end has read enough, as `head` does
        _discard_output()
        raise SystemExit(1) from None
    except OSError as error:  # of a file, or of the output
        _discard_output()
        _report(text_of_os_error(error), "red")
        raise SystemExit(1) from None


def _discard_output() -> None:
    """Let what Python still writes when it ends go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # until the process ends


def _complete() -> None:
    """Answer a shell. It would show whatever else is printed in the middle of the user's line."""
    sys.stderr = _nowhere()
    with suppress(Exception):
        app(prog_name="rla")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    """Show a warning of ours as a line, without a place in our code."""
    if issubclass(category, RLAWarning):
        _report(str(message), "yellow")
    else:
        print(warnings.formatwarning(message, category, filename, lineno), end="", file=sys.stderr)


def _report(message: str, style: str) -> None:
    """Print a message on stderr. Its lines but the first are indented: no text of a file can look like one of ours."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    first, *others = map(printable, message.split("\n"))
    console.print(Text.assemble(("rla:", style), f" {first}"))
    for line in others:
        console.print(Text(f"  {line}"))
