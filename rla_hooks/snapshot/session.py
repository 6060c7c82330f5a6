"""The code that has no file: the cells of a notebook, what was typed at Python's prompt, ``python - < program``.

    code/<run name>/.rla/session.py     what has run in the session until the run's end, in cells ``# %% [number]``
    code/<run name>/.rla/function.py    the tracked function

Secrets in them are masked. IPython and Python note a cell before it runs, so that of the run's start is among them;
session.py is written then, after each cell that logs to the run, and at the end.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from rla_hooks.atomic import write_bytes
from rla_hooks.masking import mask_text
from rla_hooks.masking.files import kind_of_text
from rla_hooks.places import ipython_shell

NOTES = ".rla"  # the folder in a run's code that holds what is no code of the user
SESSION, FUNCTION = "session.py", "function.py"
_MAX_CHARACTERS = 4_000_000  # of a session, the last ones


def save(notes: Path) -> bool:
    """Write session.py into the folder ``notes``; return whether there is such a session. Raises OSError."""
    text = session_source()
    if text is not None:
        notes.mkdir(parents=True, exist_ok=True)
        write_bytes(notes / SESSION, text.encode("utf-8", "backslashreplace"), sync=False)
    return text is not None


def session_source() -> str | None:
    """Return what has run in this session, as a Python file in cells; None if the program has a file, or is ``-c``.

    Also None, in Python before 3.13, where the prompt has no readline.
    """
    cells = _notebook_cells()
    if cells is None and hasattr(sys, "ps1"):  # Python's own prompt
        cells = _prompt_cells() or _prompt_lines()
    elif cells is None and is_standard_input():
        cells = _piped()
    if not cells:
        return None
    text = "\n".join(f"# %% [{number}]\n{cell.rstrip()}\n" for number, cell in cells)
    return _masked(text[-_MAX_CHARACTERS:])


def function_source(function: Callable[..., Any]) -> str | None:
    """Return the source of a function that is in no file; None where nobody knows it (``python -c``, ``exec``)."""
    import inspect  # late, as linecache below: a program that has a file does without

    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is not None and code.co_filename == "<string>":
        return None  # from Python 3.13 on, that of ``python -c`` would be taken for the source of ``exec``
    try:
        return _masked(inspect.getsource(function))
    except (OSError, TypeError, SyntaxError, IndexError):
        return None


def _masked(code: str) -> str:
    return mask_text(code, kind_of_text(SESSION))


def _notebook_cells() -> list[tuple[int, str]] | None:
    """The cells that have run in this session of IPython, as they were typed; None if it is no such session."""
    shell = ipython_shell()
    if shell is None:
        return None
    try:
        typed = getattr(shell.history_manager, "input_hist_raw", None) or shell.user_ns.get("In", [])
        return [(number, str(cell)) for number, cell in enumerate(typed) if str(cell).strip()]
    except Exception:  # a shell of another make
        return None


def is_standard_input() -> bool:
    """Whether the program is what Python reads from its standard input, and nobody types it."""
    return getattr(sys.modules.get("__main__"), "__file__", None) == "<stdin>" and not hasattr(sys, "ps1")


def _piped() -> list[tuple[int, str]]:
    """The whole program, if the standard input is a file; what came through a pipe is gone."""
    try:
        state = os.fstat(0)
        if not stat.S_ISREG(state.st_mode):
            return []
        return [(0, os.pread(0, min(state.st_size, _MAX_CHARACTERS), 0).decode("utf-8", "replace"))]
    except (OSError, AttributeError):  # closed; Windows has no pread
        return []


def _prompt_cells() -> list[tuple[int, str]]:
    """What was typed at the prompt of Python 3.13 or newer, which keeps it for its tracebacks."""
    import linecache

    cells: list[tuple[int, str]] = []
    for number in count():
        lines = linecache.getlines(f"<python-input-{number}>")
        if not lines:
            return cells
        cells.append((number, "".join(lines)))
    return cells


def _prompt_lines() -> list[tuple[int, str]]:
    """What was typed at the prompt before: readline's list without the lines of earlier sessions, which it begins with.

    Where it cannot be told which these are, nothing is returned: they are not this run's.
    """
    readline = sys.modules.get("readline")
    if readline is None:
        return []
    length = readline.get_current_history_length()
    lines = [readline.get_history_item(number) or "" for number in range(1, length + 1)]
    try:
        with open(os.path.expanduser("~/.python_history"), encoding="utf-8", errors="replace") as file:
            earlier = file.read().splitlines()
    except OSError:
        earlier = []
    typed = lines[len(earlier) :]
    return [(0, "\n".join(typed))] if typed and lines[: len(earlier)] == earlier else []
