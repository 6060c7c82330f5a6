"""RLA's own words that have another name here: each says once, on its first use, what that is.

Words that both have (``tester.log_files_gen``, ``logger.record_tabular``, ...) say nothing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, ParamSpec, TypeVar, cast

from rla_hooks.ranks import is_writer_rank

P = ParamSpec("P")
R = TypeVar("R")
_told: set[str] = set()


def tell_modern_name(old: str, modern: str) -> None:
    """Print on stderr, once in a process for each old word, which word of rla_hooks does the same.

    old: as the user wrote it, ``"easy_plot.plot_func"``; modern: a phrase that follows "is", ``"rla.plot_curves"``.
    The ranks that do not write say nothing.
    """
    tell_once(old, f"{old} is {modern} in rla_hooks. It works as it is; docs/rla.md has all names.")


def old_word(owner: str, modern: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a method, or the getter of a property, call :func:`tell_modern_name` for ``<owner>.<its name>``.

    >>> import contextlib
    >>> class Tester:
    ...     @old_word("tester", "time_step_holder.get_time")
    ...     def get_timestep(self):
    ...         return 3
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     Tester().get_timestep()
    rla: tester.get_timestep is time_step_holder.get_time in rla_hooks. It works as it is; docs/rla.md has all names.
    3
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def word(*args: Any, **kwargs: Any) -> R:
            tell_modern_name(f"{owner}.{method.__name__}", modern)
            return method(*args, **kwargs)

        return cast("Callable[P, R]", word)

    return decorate


class Settable(Generic[R]):
    """An attribute that is computed until somebody sets it: those of RLA's Tester are not read-only.

    >>> class Tester:
    ...     @Settable
    ...     def info(self):
    ...         return "&lr=0.1"
    >>> tester = Tester()
    >>> before, tester.info = tester.info, "my own"
    >>> before, tester.info
    ('&lr=0.1', 'my own')
    """

    def __init__(self, get: Callable[[Any], R]):
        self._get, self.__doc__ = get, get.__doc__

    def __get__(self, owner: Any, kind: type | None = None) -> R:
        return cast(R, self) if owner is None else self._get(owner)


def tell_once(subject: str, line: str) -> None:
    """Print a line on stderr, once in a process for each subject; the ranks that do not write say nothing.

    >>> import contextlib
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     tell_once("the third argument", "'main.py' is taken as run_file.")
    ...     tell_once("the third argument", "'main.py' is taken as run_file.")
    rla: 'main.py' is taken as run_file.
    """
    if subject in _told:
        return
    _told.add(subject)
    if not is_writer_rank() or sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # of a stderr that is closed
        print(f"rla: {line}", file=sys.stderr)


def forget_state() -> None:
    """Tell each word once more. :func:`rla_hooks.testing.reset` calls it."""
    _told.clear()
