"""The exceptions and warnings of rla_hooks, and helpers for their messages.

Every message has four parts: what was wrong, the value, what is allowed, what to do.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType


class RLAError(Exception):
    """Base class of every error that rla_hooks raises by itself.

    >>> import rla_hooks as rla
    >>> try:
    ...     rla.log({"loss": 1.0})
    ... except rla.RLAError as error:
    ...     print(type(error).__name__)
    RunError
    """

    is_refusal = False  # see show_without_traceback


class ConfigError(RLAError, ValueError):
    """A config, an argument or a name that cannot be used.

    All mistakes that were found are in ``problems`` and in the message, one a line.

    >>> from rla_hooks import config
    >>> try:
    ...     config.load({"LOG_USED": ["csv", "tensorbord"], "TABLES_PER_SECOND": 0})
    ... except ConfigError as error:
    ...     for problem in error.problems:
    ...         print(problem)
    LOG_USED has 'tensorbord'. Known: ... Did you mean 'tensorboard'?
    TABLES_PER_SECOND is 0 (int). Allowed: ...
    """

    def __init__(self, problems: str | Iterable[str], where: str | None = None):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.where = where
        head = f"{where}: " if where else ""
        if len(self.problems) == 1:
            message = head + self.problems[0]
        else:
            message = f"{head}{len(self.problems)} mistakes:\n" + "\n".join(
                f"  - {problem}" for problem in self.problems
            )
        super().__init__(message)

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[str], str | None]]:
        return type(self), (self.problems, self.where)


class RunError(RLAError, RuntimeError):
    """A call that needs a run when there is none, or that comes before the run has started.

    >>> import rla_hooks as rla
    >>> rla.log({"loss": 1.0})
    Traceback (most recent call last):
    rla_hooks.errors.RunError: ...
    """


class CheckpointError(RLAError, RuntimeError):
    """A checkpoint that cannot be written or read back.

    >>> from rla_hooks.checkpoints import Saver
    >>> Saver("checkpoint").load()
    Traceback (most recent call last):
    rla_hooks.errors.CheckpointError: No checkpoint 'checkpoint' can be loaded from checkpoint. ...
    """


def show_without_traceback(error: RLAError) -> None:
    """Let Python print the text of this error alone, if it ends the program.

    For what somebody has asked of a program by the command line or the environment, and was refused: no line of the
    program is wrong.
    """
    error.is_refusal = True
    before = sys.excepthook

    def show(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        if getattr(value, "is_refusal", False):
            print(f"rla: {value}", file=sys.stderr)
        else:
            before(kind, value, trace)

    if before.__name__ != show.__name__ or before.__module__ != show.__module__:
        sys.excepthook = show


class RLAWarning(UserWarning):
    """Trouble that does not stop a training: something was left out or could not be written.

    Python's warning filters apply to it. Whatever they say, a warning about a run also stands in its log.txt and in
    ``warnings`` of its run.json. A filter that makes it an error (``python -W error``) stops nothing: it is printed on
    stderr instead. A test of yours can look at what was given:

    >>> with warnings.catch_warnings(record=True) as given:
    ...     warnings.simplefilter("always", RLAWarning)
    ...     WarnOnce()("disk", "the disk is full")
    True
    >>> [str(warning.message) for warning in given]
    ['the disk is full']
    """


Note = Callable[[str], object]  # what keeps the text of a warning in the files of a run


def _no_run() -> Note | None:
    return None


_note_of_current_run: Callable[[], Note | None] = _no_run


def set_note_finder(find: Callable[[], Note | None]) -> None:
    """Let ``find`` say who keeps a warning that no run gives by itself; None: nobody."""
    global _note_of_current_run
    _note_of_current_run = find


def warn(message: str, note: Note | None = None) -> None:
    """Give an :class:`RLAWarning` at the line of the program that led here, not at one of ours.

    note: keeps the text; by default that of the current run. Nothing is raised, whatever Python's filters say: they
    would stop a training in the middle.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(message, RLAWarning, stacklevel=level)
    except Exception:  # a filter makes it an error, or the program's own showwarning raises
        _print_as_text(message, frame.f_code.co_filename, frame.f_lineno)
    note = note or _note_of_current_run()
    if note is not None:
        note(message)


_OURS = ("rla_hooks", "contextlib")  # a warning often comes out of a context manager


def _print_as_text(message: str, file: str, line: int) -> None:
    """Print a warning that Python's filters do not let pass as one, as Python would; the training goes on."""
    with suppress(Exception):  # a closed stderr, or none
        print(warnings.formatwarning(message, RLAWarning, file, line), end="", file=sys.stderr)


_MAX_WARNINGS = 20  # of one kind of subject: ten thousand bad keys must not give as many warnings
_MAX_KINDS = 100


class WarnOnce:
    """Warns about each subject once, so that a training of a million steps prints one line.

    A subject is a text, or a tuple whose first element says of what kind it is, such as ``("value", key)``. Of each
    kind there are at most 20 warnings.

    >>> warn = WarnOnce()
    >>> warn("disk", "the disk is full")        # warns
    True
    >>> warn("disk", "the disk is full")        # silent
    False
    """

    def __init__(self) -> None:
        self.note: Note | None = None  # keeps the texts, for one run, which need not be the current one; see warn
        self._seen: set[object] = set()
        self._given: dict[object, int] = {}  # the number of warnings of each kind

    def __call__(self, subject: object, message: str) -> bool:
        kind = subject[0] if isinstance(subject, tuple) else subject
        if kind not in self._given and len(self._given) >= _MAX_KINDS:
            kind = None  # the kinds that are too many share one limit
        given = self._given.get(kind, 0)
        if given >= _MAX_WARNINGS or subject in self._seen:
            return False
        self._seen.add(subject)
        self._given[kind] = given + 1
        if given + 1 == _MAX_WARNINGS:
            message += f" (This is warning {_MAX_WARNINGS} of its kind; further ones are not shown.)"
        warn(message, self.note)
        return True

    def rearm(self, subject: object) -> None:
        """Forget a subject, since its trouble is over: the next warning about it is shown."""
        self._seen.discard(subject)

    def forget_all(self) -> None:
        """Forget all subjects, as between two tests."""
        self._seen.clear()
        self._given.clear()

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"note": None}  # a copy belongs to another run, or to none


def nearest(word: object, known: Iterable[str], least: float = 0.6) -> str:
    """Return the known word that is most similar to ``word``, ignoring case; the empty string if none is.

    least: how similar it must be, from 0 to 1.

    >>> nearest("log_usd", ["LOG_ROOT", "LOG_USED"])
    'LOG_USED'
    """
    try:
        import difflib  # late: a program without mistakes does without
    except (OSError, ImportError):  # no file handle is left, say; the message matters more
        return ""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=least) if isinstance(word, str) else []
    return folded[close[0]] if close else ""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return " Did you mean '...'?" with the most similar known word, or the empty string.

    >>> did_you_mean("tensorbord", ["csv", "tensorboard"])
    " Did you mean 'tensorboard'?"
    """
    near = nearest(word, known)
    return f" Did you mean {near!r}?" if near else ""
