"""baselines' ``logger.configure``: a folder of its own for the logger, in place of a run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rla_hooks.core.logger import Logger as RunLogger
from rla_hooks.easy_log import choice
from rla_hooks.easy_log.formats import check_format, make_output_format
from rla_hooks.easy_log.logger_class import Logger
from rla_hooks.errors import ConfigError, WarnOnce
from rla_hooks.texts import shell_path, text_of

_Path = str | os.PathLike[str]
_warn = WarnOnce()


def configure(
    dir: _Path | None = None,
    format_strs: Iterable[str] | None = None,
    comm: Any = None,
    framework: str | None = None,
    log_callback_fn: Callable[[dict[str, Any]], None] | None = None,
    log_suffix: str = "",
    log_used: Iterable[str] | None = None,
) -> None:
    """Log to a folder that is no run, as openai/baselines does; a run that starts later has its own logger.

    dir: by default ``$OPENAI_LOGDIR``, else a new folder among the temporary ones. format_strs (or log_used): some of
    stdout, log, csv, json, tensorboard, warn and backup; by default ``$OPENAI_LOG_FORMAT``, else the first three.
    log_callback_fn: called with each row. comm, framework: without effect.

    In a run the rows stay the run's, unless ``dir`` names another folder than the run's: then they go there until
    ``reset``. Processes that do not write (RLA_MODE=off, other ranks) create nothing. Raises ConfigError for an unknown
    format, or a folder that cannot be made.

    >>> from rla_hooks.easy_log import logger
    >>> logger.configure("logs", ["csv"])
    >>> logger.logkv("loss", 0.5)
    >>> logger.dumpkvs(step=3)
    {'loss': 0.5}
    >>> logger.read_csv("logs/progress.csv")["loss"].tolist()
    [0.5]
    >>> logger.reset()
    """
    run = choice.run_logger()
    if run is None or not _stays(run, dir):
        _open(dir, format_strs if format_strs is not None else log_used, log_suffix, framework, log_callback_fn)
        return
    if log_callback_fn is not None:
        run.on_row = log_callback_fn
    choice.choose(None)


def _open(
    dir: _Path | None,
    names: Iterable[str] | None,
    log_suffix: str = "",
    framework: str | None = None,
    log_callback_fn: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Use a folder from now on. Raises ConfigError before anything is created or closed."""
    known = _names(names)
    folder = _folder(dir if dir is not None else os.environ.get("OPENAI_LOGDIR"))
    reset()
    formats = [make_output_format(name, folder, log_suffix, framework) for name in known]
    logger = Logger(folder, formats, log_callback_fn=log_callback_fn)
    choice.choose(logger.rla_logger)
    logger.log(f"Logging to {shell_path(folder)}")


def _stays(run: RunLogger, dir: _Path | None) -> bool:
    """Whether rows go on to the run: where no other folder is named, and where this process writes nothing."""
    if run.dir is None:
        return True
    if dir is not None and os.path.realpath(dir) != os.path.realpath(run.dir):
        _warn("configure", f"the logger's rows go to {shell_path(dir)}, not to the run, until logger.reset().")
        return False
    _warn("configure", "logger.configure has no effect in a run: its rows are the run's, by the writers of LOG_USED.")
    return True


def _names(names: Iterable[str] | None) -> list[str]:
    """Return the names of the formats, by default those of the environment. Raises ConfigError."""
    if names is None:
        names = os.environ.get("OPENAI_LOG_FORMAT", "stdout,log,csv")
    found = [name for name in (names.split(",") if isinstance(names, str) else names) if name]
    for name in found:
        check_format(name)
    return found


def _folder(dir: _Path | None) -> str:
    """Make the folder, and return its absolute path."""
    if not dir:
        return tempfile.mkdtemp(prefix=datetime.now().strftime("openai-%Y-%m-%d-%H-%M-%S-%f-"))
    try:
        folder = os.path.abspath(os.path.expanduser(dir))
        os.makedirs(folder, exist_ok=True)
    except (OSError, TypeError, ValueError) as mistake:
        why = getattr(mistake, "strerror", None) or mistake
        raise ConfigError(
            f"logger.configure(dir={text_of(dir)!r}): {why}. Allowed: a folder that can be made."
        ) from mistake
    return folder


def reset() -> None:
    """Close what ``configure`` has opened: from now on the logger is the run's, or prints."""
    before = choice.chosen()
    if before is not None:
        before.logger.close()
        choice.choose(None)


@contextmanager
def scoped_configure(
    dir: _Path | None = None, format_strs: Iterable[str] | None = None, comm: Any = None
) -> Iterator[None]:
    """Log to another folder during a block, in a run, too; then to where it was before.

    Arguments: those of :func:`configure`. ``format_strs=[]`` keeps nothing and shows nothing.
    """
    before, run = choice.chosen(), choice.run_logger()
    choice.restore(None)  # which stays open
    try:
        if run is None or run.dir is not None:  # else this process writes nothing
            _open(dir, format_strs)
        yield
    finally:
        reset()
        choice.restore(before)


def forget_state() -> None:
    """Warn once more, as between two tests."""
    _warn.forget_all()
