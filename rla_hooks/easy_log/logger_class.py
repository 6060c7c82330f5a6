"""baselines' class ``Logger``, with ``Logger.CURRENT`` and ``Logger.DEFAULT``: words on a logger of rla_hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rla_hooks.core.logger import INFO
from rla_hooks.core.logger import Logger as RunLogger
from rla_hooks.easy_log import choice
from rla_hooks.easy_log.formats import Formats, writer_of
from rla_hooks.texts import text_of


class _Words(type):
    """The class's own attributes, which are looked up at each use."""

    @property
    def CURRENT(cls) -> Logger:
        """The logger that the functions of the module ``logger`` use here."""
        return over(choice.current())

    @CURRENT.setter
    def CURRENT(cls, logger: Any) -> None:
        choice.choose(None if logger in (None, cls.DEFAULT) else getattr(logger, "rla_logger", logger))

    @property
    def DEFAULT(cls) -> Logger:
        """The logger where there is neither a run nor a folder: it prints."""
        return over(choice.default())

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, RunLogger) or super().__instancecheck__(instance)


class Logger(metaclass=_Words):
    """A logger that writes to these formats; what it has not is the attribute of the logger of rla_hooks behind it.

    warn_output_formats, backup_output_formats: formats of the messages of ``warn`` and ``backup``; those of
    ``make_output_format("warn", ...)`` take no others. comm: without effect. log_callback_fn: called with each row.

    >>> from rla_hooks.easy_log.formats import CSVOutputFormat
    >>> mine = Logger("logs", [CSVOutputFormat("progress.csv")])
    >>> mine.logkv("loss", 0.5)
    >>> mine.dumpkvs()
    {'loss': 0.5}
    """

    rla_logger: RunLogger
    comm: Any = None  # no means over ranks

    def __init__(
        self,
        dir: str | None,
        output_formats: Iterable[Any],
        warn_output_formats: Any = None,
        backup_output_formats: Any = None,
        comm: Any = None,
        log_callback_fn: Callable[[dict[str, Any]], None] | None = None,
    ):
        formats = [*output_formats, *(each for each in (warn_output_formats, backup_output_formats) if each)]
        logger = RunLogger(map(writer_of, formats), dir)
        logger.on_row = log_callback_fn
        self.__dict__["rla_logger"] = logger

    def logkv(self, key: Any, val: Any, exclude: Any = None) -> None:
        """Record a value for the next dump."""
        self.rla_logger.record(key, val, exclude)

    def logkv_mean(self, key: Any, val: Any, exclude: Any = None) -> None:
        """Record the mean of the values until the next dump."""
        self.rla_logger.record_mean(key, val, exclude)

    def logkvs(self, d: Mapping[str, Any]) -> None:
        """Record every value of a mapping."""
        self.rla_logger.record_all(d)

    def dumpkvs(self, step: int | None = None) -> dict[str, Any]:
        """Write what is recorded as one row, and return it."""
        return self.rla_logger.dump(step)  # type: ignore[return-value]

    def log(self, *args: Any, level: int = INFO) -> None:
        """Write the arguments as a line."""
        self.rla_logger.message(*map(text_of, args), level=level)

    def set_comm(self, comm: Any) -> None:
        """Without effect: the rows are those of the process that writes, and no means over ranks."""

    def set_level(self, level: int) -> None:
        """Set the least level that is written."""
        self.rla_logger.set_level(level)

    def get_dir(self) -> str | None:
        """Return the folder of the files."""
        return self.rla_logger.get_dir()

    def close(self) -> None:
        """Close the files; a later row opens them again."""
        self.rla_logger.close()

    @property
    def output_formats(self) -> Formats:
        """The formats, as baselines' classes; one that is appended gets rows from then on."""
        return Formats(self.rla_logger)

    @output_formats.setter
    def output_formats(self, formats: Iterable[Any]) -> None:
        self.rla_logger.output_formats = [*map(writer_of, formats)]

    @property
    def name2val(self) -> dict[str, Any]:
        """What is recorded and not yet dumped."""
        return self.rla_logger.name_to_value

    @property
    def log_callback_fn(self) -> Callable[[dict[str, Any]], None] | None:
        """What is called with the values of each row."""
        return self.rla_logger.on_row

    @log_callback_fn.setter
    def log_callback_fn(self, function: Callable[[dict[str, Any]], None] | None) -> None:
        self.rla_logger.on_row = function

    def __getattr__(self, name: str) -> Any:
        if name == "rla_logger":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self.rla_logger, name)

    def __setattr__(self, name: str, value: Any) -> None:
        owner: Any = super() if name in dir(type(self)) else self.rla_logger
        owner.__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Logger) and getattr(other, "rla_logger", other) is self.rla_logger

    def __hash__(self) -> int:
        return id(self.rla_logger)


def over(logger: RunLogger) -> Logger:
    """Return baselines' words on a logger of rla_hooks."""
    words = Logger.__new__(Logger)
    words.__dict__["rla_logger"] = logger
    return words
