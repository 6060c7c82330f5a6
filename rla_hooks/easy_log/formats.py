"""The output formats of baselines' logger, by its names: each hands its rows to a writer of rla_hooks.

A class of the user's own that has ``writekvs`` (and ``writeseq``, for messages) is a writer, too:
``logger.Logger.CURRENT.output_formats.append(Mine())``.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rla_hooks.core import registry
from rla_hooks.core.logger import Logger
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.tester import needed_run
from rla_hooks.texts import shown, text_of
from rla_hooks.writers.base import STEP, TIME, MediaEvent, Row, Writer
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.human_writer import LogWriter, MessageWriter, StdoutWriter
from rla_hooks.writers.json_writer import JsonWriter

_ALL_TABLES = math.inf  # a second
FORMATS = "stdout", "log", "csv", "json", "tensorboard", "warn", "backup"


class KVWriter:
    """An output format of rows: a subclass has ``writekvs``, which gets a mapping of names to values.

    >>> class Bell(KVWriter):
    ...     def writekvs(self, kvs):
    ...         print(kvs["time-step"], kvs["loss"])
    >>> from rla_hooks.easy_log import logger
    >>> with logger.scoped_configure("logs", []):
    ...     logger.Logger.CURRENT.output_formats.append(Bell())
    ...     logger.logkv("loss", 0.5)
    ...     _ = logger.dumpkvs(step=3)
    3 0.5
    """

    format_name: str | None = None

    @property
    def name(self) -> str:
        """The name that ``exclude`` of a value takes."""
        return self.format_name or type(self).__name__

    def writekvs(self, kvs: Mapping[str, Any]) -> None:
        """Write a row."""
        raise NotImplementedError(f"{type(self).__name__} has no writekvs(kvs)")

    def write(self, item: Row | MediaEvent) -> bool:
        """Write what a run's logger gives, by :meth:`writekvs`."""
        if not isinstance(item, Row):
            return False
        self.writekvs({**item.values, STEP: item.step, TIME: item.time})
        return True

    def close(self) -> None:
        """Nothing is to be closed."""


class SeqWriter:
    """An output format of messages: a subclass has ``writeseq``, which gets the words of a line."""

    def writeseq(self, seq: Iterable[str]) -> None:
        """Write a line."""
        raise NotImplementedError(f"{type(self).__name__} has no writeseq(seq)")

    def message(self, text: str) -> None:
        """Write a line that a run's logger gives, by :meth:`writeseq`."""
        self.writeseq([text])


class _Format(KVWriter):
    """A writer of rla_hooks behind baselines' words."""

    def __init__(self, writer: Any, logger: Logger | None = None):
        self.rla_writer = writer
        self._logger = logger

    @property
    def name(self) -> str:
        return self.format_name or str(self.rla_writer.name)

    def writekvs(self, kvs: Mapping[str, Any]) -> None:
        values = dict(kvs)
        step, at = values.pop(STEP, 0), values.pop(TIME, None)
        self.rla_writer.write(Row(step, time.time() if at is None else at, values))

    def close(self) -> None:
        self.rla_writer.close()


class _StreamWriter(StdoutWriter):
    """Shows tables and messages on any object with ``write``."""

    def __init__(self, stream: Any):
        super().__init__(_ALL_TABLES)
        self._stream = stream

    def _show(self, text: str) -> None:
        self._stream.write(text)
        if callable(flush := getattr(self._stream, "flush", None)):
            flush()


class HumanOutputFormat(_Format, SeqWriter):
    """Tables and messages for people, in the file of a path, or on an open file such as ``sys.stdout``."""

    def __init__(self, filename_or_file: Any):
        if isinstance(filename_or_file, (str, os.PathLike)):
            writer: Any = LogWriter(filename_or_file, _ALL_TABLES)
        elif filename_or_file is sys.stdout:
            writer = StdoutWriter(_ALL_TABLES)  # whatever that is then
        else:
            writer = _StreamWriter(filename_or_file)
        super().__init__(writer)

    def writeseq(self, seq: Iterable[str]) -> None:
        self.rla_writer.message(" ".join(map(text_of, seq)))


class JSONOutputFormat(_Format):
    """Rows as JSON, one a line."""

    def __init__(self, filename: str | os.PathLike[str]):
        super().__init__(JsonWriter(filename))


class CSVOutputFormat(_Format):
    """Rows as a table."""

    def __init__(self, filename: str | os.PathLike[str]):
        super().__init__(CsvWriter(filename))


class TensorBoardOutputFormat(_Format):
    """Rows as TensorBoard's events, in files in a folder. framework: without effect; none is needed."""

    framework: str | None = None

    def __init__(self, dir: str | os.PathLike[str], framework: str | None = None):
        from rla_hooks.writers.tensorboard_writer import TensorBoardWriter

        os.makedirs(dir, exist_ok=True)
        super().__init__(TensorBoardWriter(dir))
        self.framework = framework

    @property
    def dir(self) -> str:
        """The folder."""
        return str(self.rla_writer.folder)

    @property
    def step(self) -> int:
        """The time step of the next row."""
        return 0 if self._logger is None else self._logger.time_step.get_time()

    @step.setter
    def step(self, step: int) -> None:
        if self._logger is not None:
            self._logger.time_step.set_time(step)

    @property
    def writer(self) -> Any:
        """The current run, which has the words of torch's and tensorboardX's SummaryWriter. Raises RunError."""
        return needed_run("fmt.writer").writer

    tb_writer = tbx_writer = writer

    def add_hyper_params_to_tb(
        self, hyper_param: Mapping[str, Any], metric_dict: Mapping[str, Any] | None = None
    ) -> None:
        """Show hyper-parameters in TensorBoard; in a run they become the run's, and the metrics a row."""
        if registry.current() is not None:
            self.writer.add_hparams(hyper_param, metric_dict)
            return
        from rla_hooks.writers import parameter_tables

        content = parameter_tables.text(hyper_param)
        self.rla_writer.write(MediaEvent(self.step, time.time(), "hyperparameters", content))
        if metric_dict:
            self.writekvs({**metric_dict, STEP: self.step})


_OF_NAME: dict[str, type[_Format]] = {
    **dict.fromkeys(("stdout", "log", "warn", "backup"), HumanOutputFormat),
    "json": JSONOutputFormat,
    "csv": CSVOutputFormat,
    "tensorboard": TensorBoardOutputFormat,
}


def check_format(name: object) -> None:
    """Raise ConfigError for a name that is none of :data:`FORMATS`."""
    if name not in FORMATS:
        raise ConfigError(f"the logger's format is {name!r}. Known: {', '.join(FORMATS)}.{did_you_mean(name, FORMATS)}")


def make_output_format(
    format: str, ev_dir: str | os.PathLike[str], log_suffix: str = "", framework: str | None = None
) -> KVWriter:
    """Return the format of a name, which writes into a folder: log.txt, progress.csv, progress.json, tb/.

    log_suffix: what stands behind the names of the files. framework: without effect. The folder is made, and each file
    with its first row or message. Raises ConfigError for a name that is none of :data:`FORMATS`, and OSError.

    >>> make_output_format("csv", "logs", "-eval").rla_writer.path
    'logs/progress-eval.csv'
    """
    check_format(format)
    if format == "stdout":
        return HumanOutputFormat(sys.stdout)
    os.makedirs(ev_dir, exist_ok=True)

    def path(name: str, ending: str) -> str:
        return os.path.join(ev_dir, f"{name}{log_suffix}{ending}")

    if format == "log":
        return HumanOutputFormat(path("log", ".txt"))
    if format == "json":
        return JSONOutputFormat(path("progress", ".json"))
    if format == "csv":
        return CSVOutputFormat(path("progress", ".csv"))
    if format == "tensorboard":
        return TensorBoardOutputFormat(path("tb", ""), framework)
    writer = MessageWriter(format, path(format, ".txt"), (30, 60) if format == "warn" else (60, 61))
    return _of(writer)  # type: ignore[no-any-return]


def _of(writer: Any, logger: Logger | None = None) -> Any:
    """Return the format over a writer of rla_hooks; a writer of another class is its own."""
    kind = _OF_NAME.get(getattr(writer, "name", ""))
    if kind is None or isinstance(writer, KVWriter):
        return writer
    made = kind.__new__(kind)
    _Format.__init__(made, writer, logger)
    return made


class _Theirs(KVWriter, SeqWriter):
    """A format of another logger's classes, such as those of openai/baselines."""

    def __init__(self, format: Any):
        self.theirs = format
        self.format_name = getattr(format, "format_name", None) or type(format).__name__

    def writekvs(self, kvs: Mapping[str, Any]) -> None:
        self.theirs.writekvs(kvs)

    def writeseq(self, seq: Iterable[str]) -> None:
        if callable(write := getattr(self.theirs, "writeseq", None)):
            write(seq)

    def close(self) -> None:
        if callable(close := getattr(self.theirs, "close", None)):
            close()


def writer_of(format: Any) -> Writer:
    """Return what a logger of rla_hooks gives rows to: the writer itself, unless a subclass has words of its own.

    Raises ConfigError for what is no output format.
    """
    if type(format) in _OF_NAME.values():
        return format.rla_writer  # type: ignore[no-any-return]
    if isinstance(getattr(format, "name", None), str) and callable(getattr(format, "write", None)):
        return format  # type: ignore[no-any-return]
    if callable(getattr(format, "writekvs", None)):
        return _Theirs(format)  # type: ignore[return-value]
    raise ConfigError(
        f"{shown(format, 100)} is no output format. Allowed: a logger.KVWriter with writekvs(kvs), or a writer with "
        "name, write and close."
    )


class Formats(list[Any]):
    """The output formats of a logger: what is added to the list, or removed, is so in the logger."""

    def __init__(self, logger: Logger):
        super().__init__(_of(writer, logger) for writer in logger.output_formats)
        self._logger = logger

    def append(self, format: Any) -> None:
        self._logger.output_formats = [*self._logger.output_formats, writer_of(format)]
        super().append(format)

    def extend(self, formats: Iterable[Any]) -> None:
        for format in formats:
            self.append(format)

    def remove(self, format: Any) -> None:
        super().remove(format)
        gone = getattr(format, "rla_writer", format)
        kept = [each for each in self._logger.output_formats if gone not in (each, getattr(each, "theirs", None))]
        self._logger.output_formats = kept
