"""The exceptions and warnings of rla_hooks, and helpers for their messages.

Every message has four parts: what was wrong, the value, what is allowed, what to do.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable


class RLAError(Exception):
    """Base class of every error that rla_hooks raises by itself.

    >>> import rla_hooks as rla
    >>> try:
    ...     rla.log({"loss": 1.0})
    ... except rla.RLAError as error:
    ...     print(type(error).__name__)
    RunError
    """


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


class RLAWarning(UserWarning):
    """Trouble that does not stop a training: something was left out or could not be written.

    Python's warning filters apply to it; in your own tests, for example, you can turn it into an error:

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", RLAWarning)
    ...     WarnOnce()("disk", "the disk is full")
    Traceback (most recent call last):
    rla_hooks.errors.RLAWarning: the disk is full
    """


def warn(message: str) -> None:
    """Give an :class:`RLAWarning` at the line of the program that led here, not at one of ours."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, RLAWarning, stacklevel=level)


_OURS = ("rla_hooks", "contextlib")  # a warning often comes out of a context manager


class WarnOnce:
    """Warns about each subject once, so that a training of a million steps prints one line.

    >>> warn = WarnOnce()
    >>> warn("disk", "the disk is full")        # warns
    True
    >>> warn("disk", "the disk is full")        # silent
    False
    """

    def __init__(self) -> None:
        self._seen: set[object] = set()

    def __call__(self, subject: object, message: str) -> bool:
        if subject in self._seen:
            return False
        self._seen.add(subject)
        warn(message)
        return True

    def rearm(self, subject: object) -> None:
        """Forget a subject, since its trouble is over: the next warning about it is shown."""
        self._seen.discard(subject)

    def forget_all(self) -> None:
        """Forget all subjects, as between two tests."""
        self._seen.clear()


def nearest(word: object, known: Iterable[str]) -> str:
    """Return the known word that is most similar to ``word``, ignoring case; the empty string if none is.

    >>> nearest("log_usd", ["LOG_ROOT", "LOG_USED"])
    'LOG_USED'
    """
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6) if isinstance(word, str) else []
    return folded[close[0]] if close else ""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return " Did you mean '...'?" with the most similar known word, or the empty string.

    >>> did_you_mean("tensorbord", ["csv", "tensorboard"])
    " Did you mean 'tensorboard'?"
    """
    near = nearest(word, known)
    return f" Did you mean {near!r}?" if near else ""
