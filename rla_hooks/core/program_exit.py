"""How the program ended, asked at its end: well, with an exit code, or by an exception.

Python tells nobody. sys.excepthook may have been replaced (rich does), is not asked for SystemExit, and the exit code
is nowhere to be read. What can be known:

    whether an exception left the program   the frame of the main script ended at another instruction than a return
    which one                               sys.last_value, which Python sets before it asks any hook
    of SystemExit the code and the reason   sys.exit, exit and quit are wrapped while runs are open, as other trackers
                                            do; an explicit ``raise SystemExit(3)`` in the main script is read there

A SystemExit that somebody catches is only remembered: the program was not left by it.
"""

from __future__ import annotations

import builtins
import functools
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NamedTuple

from rla_hooks import ranks
from rla_hooks.core import notebook
from rla_hooks.endings import FINISHED, ErrorTypes, ending_of, signal_of, traceback_of


class ProgramEnd(NamedTuple):
    """How the program ended. ``error``: the exception, or its traceback where only that is left."""

    status: str
    error: BaseException | str | None = None
    signal: str | None = None
    in_shell: bool = False  # of an interactive session, in which cells may fail and the program ends well
    is_guess: bool = False  # SystemExit has left the program, of unknown code

    @classmethod
    def by(cls, error: BaseException, pruned_by: ErrorTypes = (), in_shell: bool = False) -> ProgramEnd:
        """The end by an exception."""
        return cls(ending_of(error, pruned_by), error, signal_of(error), in_shell)


_main: FrameType | None = None  # of the main script
_main_process = 0  # the process that _main is of
_last_exit: ProgramEnd | None = None  # of the last call of sys.exit
_shown_before: object = None  # sys.last_value when the first run was opened
_wrapped: list[tuple[Any, str, Any, Any]] = []  # what :func:`release` restores


def watch() -> None:
    """From now on, remember what is needed to say how the program ended."""
    global _main, _main_process, _last_exit, _shown_before
    if _main_process != ranks.process_id:
        _main, _main_process, _last_exit = _frame_of_main(), ranks.process_id, None
    if not _wrapped:
        _shown_before = getattr(sys, "last_value", None)
        _wrap(sys, "exit")
        quitter = type(getattr(builtins, "exit", None))
        if quitter.__module__ == "_sitebuiltins":  # exit() and quit() of the module site
            _wrap(quitter, "__call__")


def release() -> None:
    """No run is open any more: put sys.exit back, unless the program has put something else there."""
    while _wrapped:
        owner, name, original, ours = _wrapped.pop()
        if vars(owner).get(name) is ours:
            setattr(owner, name, original)


def _wrap(owner: Any, name: str) -> None:
    original: Callable[..., Any] = vars(owner)[name]

    @functools.wraps(original)
    def leave(*arguments: Any, **named: Any) -> Any:
        given = arguments if owner is sys else arguments[1:]  # without self
        _remember_exit(given[0] if given else named.get("code"))
        return original(*arguments, **named)

    setattr(owner, name, leave)
    _wrapped.append((owner, name, original, leave))


def _remember_exit(code: Any) -> None:
    """Keep what a traceback of SystemExit would say. An exception would keep the variables of all frames alive."""
    global _last_exit
    error = SystemExit(code)
    error.__context__ = sys.exc_info()[1]  # what Hydra has caught and printed
    status = ending_of(error)
    text = traceback_of(error, sys._getframe(2)) if status != FINISHED else None
    error.__context__ = None
    _last_exit = ProgramEnd(status, text, signal_of(error))


def _frame_of_main() -> FrameType | None:
    """The frame of the main script; where there is none, the outermost frame of the main thread."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    outermost = of_script = None
    while frame is not None:
        outermost = frame
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            of_script = frame
        frame = frame.f_back
    return of_script or outermost


def how() -> ProgramEnd:
    """Return how the program ends; to be called when it does."""
    handled = sys.exc_info()[1]  # multiprocessing ends a child while it handles the exception that ends it
    if handled is not None:
        return ProgramEnd.by(handled)
    if code := _exit_code_of_forked_child():
        return ProgramEnd.by(SystemExit(code))
    shown = getattr(sys, "last_value", None)
    if _main is None or _main_process != ranks.process_id or not _was_left(_main):
        if shown is not None and shown is not _shown_before and not notebook.is_watched():
            return ProgramEnd.by(shown, in_shell=True)  # in a shell that the program has opened
        return ProgramEnd(FINISHED, in_shell=is_shell())
    if shown is not None and _passed(shown, _main):
        return ProgramEnd.by(shown)
    return _last_exit or _explicit_exit(_main)


def _exit_code_of_forked_child() -> int:
    """The exit code of a child that multiprocessing has forked, as its exception is over from Python 3.13 on; or 0."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        place = frame.f_globals.get("__name__"), frame.f_code.co_name
        if place == ("multiprocessing.process", "_bootstrap"):
            return 0  # it goes on: the code is not known yet
        if place == ("multiprocessing.popen_fork", "_launch"):
            code = frame.f_locals.get("code")
            return code if isinstance(code, int) else 0
        frame = frame.f_back
    return 0


def is_shell() -> bool:
    """Whether the user types into this process: a notebook, IPython, Python's own prompt."""
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules or bool(sys.flags.interactive)


def _was_left(frame: FrameType) -> bool:
    """Whether an exception has left this frame."""
    here: FrameType | None = sys._getframe()
    while here is not None:
        if here is frame:
            return False  # it still runs
        here = here.f_back
    return not _is_at(frame, _RETURNS)


def _is_at(frame: FrameType, instructions: frozenset[int]) -> bool:
    """Whether a frame ended at one of these instructions, or is at one."""
    return frame.f_code.co_code[frame.f_lasti] in instructions


def _last_instructions(*functions: Any) -> frozenset[int]:
    """The numbers of the last instruction of each: Python's module of their names may not be there at the end."""
    return frozenset(function.__code__.co_code[-2] for function in functions)


def _raise(error: Any) -> Any:
    raise error


_RETURNS = _last_instructions(lambda: None, lambda value: value)  # a constant has its own, from Python 3.12 on
_RAISES = _last_instructions(_raise)


def _passed(error: BaseException, frame: FrameType) -> bool:
    """Whether the exception has come through this frame."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame is frame:
            return True
        trace = trace.tb_next
    return False


def _explicit_exit(frame: FrameType) -> ProgramEnd:
    """Of SystemExit that was raised, not called for: its code, where the main script says it; else a failure."""
    file, line, text = frame.f_code.co_filename, frame.f_lineno, ""
    # Not at a line that raises, it is of the code 1; else of none: raise SystemExit(main()), and main has returned.
    is_raised, is_known = _is_at(frame, _RAISES), False
    error = SystemExit() if is_raised else SystemExit(1)
    with suppress(SyntaxError, ValueError, AttributeError, IndexError, OSError, ImportError):
        import ast  # late, as all that only the end of a program needs; without file handles it may fail
        import linecache

        text = linecache.getline(file, line, frame.f_globals).strip()
        if is_raised:
            statement: Any = ast.parse(text).body[0]
            arguments = statement.exc.args if isinstance(statement.exc, ast.Call) else []
            error, is_known = SystemExit(*(ast.literal_eval(each) for each in arguments)), True
    status = ending_of(error)
    where = f'Traceback (most recent call last):\n  File "{file}", line {line}, in {frame.f_code.co_name}\n    {text}\n'
    told = None if status == FINISHED else f"{where}SystemExit"
    return ProgramEnd(status, told, signal_of(error), is_guess=not is_known)
