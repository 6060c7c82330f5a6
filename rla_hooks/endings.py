"""How a run can end: the status words, which of two endings is worse, and the ending that an exception stands for.

Status words: ``running``, ``finished``, ``pruned``, ``preempted``, ``interrupted``, ``failed``. A ``running`` run
whose process is gone is read as ``killed``; that word is never written.

Exceptions are the user's: their ``__str__``, ``__eq__``, ``__bool__`` and attributes may raise anything. So types are
compared with ``type(error)``, links are followed by BaseException's own attributes, and nothing here raises.
"""

from __future__ import annotations

import builtins
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, cast

from rla_hooks import handles
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.masking import mask_text

RUNNING, FINISHED, PRUNED, INTERRUPTED, FAILED = "running", "finished", "pruned", "interrupted", "failed"
PREEMPTED = "preempted"  # a cluster asked it to stop, and it will go on: core/preemption.py
KILLED = "killed"
UNKNOWN = "unknown"  # of a run of the original RLA, which notes no ending: in run.json once it was imported
#: Of two endings the worse one is kept: that of the greater number.
SEVERITY = {RUNNING: 0, FINISHED: 1, PRUNED: 2, PREEMPTED: 3, INTERRUPTED: 4, FAILED: 5, UNKNOWN: 0}
ENDINGS = (FINISHED, PRUNED, PREEMPTED, INTERRUPTED, FAILED)
_MAX_ERROR = 100_000  # characters of a traceback; an endless recursion has a long one
_MAX_LINKS = 10_000  # exceptions of one group that are looked at
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())  # from Python 3.11 on
_CAUSE, _CONTEXT = BaseException.__dict__["__cause__"], BaseException.__dict__["__context__"]
_TRACEBACK = BaseException.__dict__["__traceback__"]
_CODE = SystemExit.__dict__["code"]
_BY_SIGNAL = (128 + signal.SIGINT, 128 + signal.SIGTERM)  # exit codes that say "ended by this signal"
ErrorTypes = type[BaseException] | tuple[type[BaseException], ...]


def is_error_types(value: object) -> bool:
    """Whether a value is a type of exceptions, or a tuple of some."""
    types = value if isinstance(value, tuple) else (value,)
    return all(isinstance(each, type) and issubclass(each, BaseException) for each in types)


def check_ending(status: str) -> None:
    """Raise ConfigError unless ``status`` is a status of a run that has ended."""
    if status not in ENDINGS:
        raise ConfigError(f"the status is {status!r}. Known: {', '.join(ENDINGS)}.{did_you_mean(status, ENDINGS)}")


def ending_of(error: BaseException, pruned_by: ErrorTypes = ()) -> str:
    """Return the status of a run that ended with this exception. Never raises.

    ``interrupted``: KeyboardInterrupt; SystemExit that Ctrl-C has caused (Lightning turns one into the other), or with
    the exit code 130 or 143; a subclass of SystemExit, which is a signal turned into an exception; asyncio's
    CancelledError, which Ctrl-C causes. ``pruned``: Optuna's TrialPruned, and the exceptions in ``pruned_by``.
    ``finished``: SystemExit with code 0 or None. Else ``failed``. A group ended as the worst of its exceptions did.

    >>> ending_of(ValueError("no such optimizer")), ending_of(KeyboardInterrupt()), ending_of(SystemExit(0))
    ('failed', 'interrupted', 'finished')
    >>> ending_of(TimeoutError("slower than the median"), pruned_by=(TimeoutError,))
    'pruned'
    """
    return max((_ending_of_one(each, pruned_by) for each in _members(error)), key=SEVERITY.__getitem__)


def _ending_of_one(error: BaseException, pruned_by: ErrorTypes) -> str:
    kind = type(error)
    cancelled = getattr(sys.modules.get("asyncio.exceptions"), "CancelledError", KeyboardInterrupt)
    if issubclass(kind, (KeyboardInterrupt, cancelled)):
        return INTERRUPTED
    if _is_pruned(kind, pruned_by):
        return PRUNED
    code = _attribute(error, "exit_code")  # click's and typer's way to end a command
    if issubclass(type(code), int) and int.__eq__(code, 0):
        return FINISHED
    return _ending_of_exit(error) if issubclass(kind, SystemExit) else FAILED


def _ending_of_exit(error: BaseException) -> str:
    """Of SystemExit: by what caused it, and by its code."""
    if type(error) is not SystemExit or any(issubclass(type(cause), KeyboardInterrupt) for cause in _causes(error)):
        return INTERRUPTED
    code = _CODE.__get__(error)
    if code is None:
        return FINISHED
    if not issubclass(type(code), int):
        return FAILED  # Python prints it, and leaves with 1
    return FINISHED if int.__eq__(code, 0) else INTERRUPTED if int.__index__(code) in _BY_SIGNAL else FAILED


def _is_pruned(kind: type[BaseException], pruned_by: ErrorTypes) -> bool:
    """By name, so that Optuna is not imported; a copy of the class that was loaded again is found, too."""
    if is_error_types(pruned_by) and issubclass(kind, pruned_by):
        return True
    names = [(vars(base).get("__module__"), base.__name__) for base in kind.__mro__[:-1]]
    return ("optuna.exceptions", "TrialPruned") in names


def _members(error: BaseException) -> list[BaseException]:
    """The exceptions of a group, and of the groups in it; of any other exception itself."""
    queue, found = [error], []
    for each in queue:  # which grows
        if issubclass(type(each), _GROUP) and len(queue) < _MAX_LINKS:
            queue += _GROUP.exceptions.__get__(each)
        else:
            found.append(each)
    return found


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, what caused it, and so on; those of a circle once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        cause = _CAUSE.__get__(link)
        link = _CONTEXT.__get__(link) if cause is None else cause


def _attribute(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except BaseException:  # a property of the user's
        return None


def signal_of(error: BaseException) -> str | None:
    """Return the name of the signal that an exception stands for, or None.

    >>> signal_of(KeyboardInterrupt()), signal_of(SystemExit(143)), signal_of(ValueError())
    ('SIGINT', 'SIGTERM', None)
    """
    for each in _members(error):
        is_exit = type(each) is SystemExit
        for link in _causes(each) if is_exit else [each]:
            if issubclass(type(link), KeyboardInterrupt):
                return "SIGINT"
        if is_exit and type(_CODE.__get__(each)) is int and _CODE.__get__(each) in _BY_SIGNAL:
            return signal.Signals(_CODE.__get__(each) - 128).name
    return None


def traceback_of(error: BaseException | str, frame: FrameType | None = None) -> str:
    """Return the traceback as Python prints it, secrets masked, cut in the middle if it is long. Never raises.

    frame: that of the line that will raise ``error``, which has no traceback yet. A text counts as a traceback.
    """
    kind, it = type(error), cast(Any, error)
    if issubclass(kind, str):
        return _cut(it)
    trace = _TRACEBACK.__get__(it)
    with handles.freed():  # of the import, and of the files whose lines are shown
        try:
            traceback = traceback_module()
            parts = traceback.format_exception(kind, it, trace)
            if frame is not None:
                parts[-1:-1] = ["Traceback (most recent call last):\n", *traceback.format_stack(frame)]
            text = "".join(parts)
        except BaseException:  # of its __str__, of what hangs on it, or of the import
            try:
                text = "".join(["Traceback (most recent call last):\n", *traceback_module().format_tb(trace)])
            except BaseException:
                text = ""
            text += _last_line(it)
    return _cut(text)


def _last_line(error: BaseException) -> str:
    """What stands for the last line of a traceback that cannot be made."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        return f"{name}: {str.__str__(str(error))}\n"
    except BaseException:
        return f"{name}: its text cannot be shown\n"


def traceback_module() -> Any:
    """Return the module. It is imported late, since a tracked call that ends well does without."""
    import traceback

    return traceback


def _cut(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates can be in no file
    if len(text) > _MAX_ERROR:
        text = f"{text[: _MAX_ERROR // 2]}\n[...]\n{text[-_MAX_ERROR // 2 :]}"
    return mask_text(text)
