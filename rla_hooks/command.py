"""The command that started this program, so that it can be run again in the same folder."""

from __future__ import annotations

import sys

_HELPERS = ("from multiprocessing.", "joblib.externals.loky.")  # in the command of a process that these have spawned
_instead: list[str] = []  # see stands_for


def stands_for(command: list[str]) -> None:
    """Say which command somebody has typed that has started this program, as ``rla sweep`` does."""
    _instead[:] = command


def command_line() -> list[str]:
    """Return the program's command as a list: interpreter, its options, script or ``-m`` module, arguments.

    The interpreter is given by its whole path, since the next shell may have another ``python``. What the program
    itself has changed in ``sys.argv`` does not count. Nothing is masked here.

    >>> command_line()[0] == sys.executable
    True
    """
    if _instead:
        return [*_instead]
    original = list(sys.orig_argv)
    if not any(original):  # embedded in another program
        return list(sys.argv)
    if any(each.startswith(_HELPERS) for each in original[1:]):
        original = ["", *_program()]  # multiprocessing has given this child the sys.argv of its parent
    return [sys.executable or original[0], *original[1:]]


def _program() -> list[str]:
    """The script or module of the parent, and its arguments.

    loky does not load the parent's module as ``__main__`` where it needs not: then that is its own helper, and of a
    module only the file is known.
    """
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is None or spec.name.startswith(_HELPERS):
        return list(sys.argv)
    return ["-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]]
