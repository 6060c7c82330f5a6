"""What SB3's loggers give to a run. RunWriter: one of their output formats; RunLogger: a logger that has only this.

SB3's own logger calls its formats one after the other, and an exception of one stops the training (2.9): two long keys
with the same first 36 characters do, and figures that were not excluded from csv. A RunWriter raises nothing, and
stands first.
"""

from __future__ import annotations

import functools
import math
import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from stable_baselines3.common import logger as of_sb3
from stable_baselines3.common.logger import (
    DISABLED,
    Figure,
    HParam,
    Image,
    KVWriter,
    Logger,
    SeqWriter,
    Video,
)

from rla_hooks.hooks import Handle, Run, WarnOnce

_OURS = "run.json"  # is in the folder of each run
handles: weakref.WeakSet[Handle] = weakref.WeakSet()  # of runs that may be only planned: they have no folder yet
_MEDIA = (Figure, HParam, Image, Video)
_CONSOLE = {"stdout", "log"}
OnRow = Callable[[Run, Mapping[str, Any], int], None]


class RunWriter(KVWriter, SeqWriter):
    """Writes each dump of an SB3 logger to a run: numbers and texts as a row, the rest as figures and histograms.

    on_row: called after each row with the run, the values and the step.
    """

    def __init__(self, handle: Handle, of_logger: bool = False):
        self.handle = handle
        self.of_logger = of_logger  # whether it belongs to a RunLogger, rather than to a callback
        self.on_row: OnRow | None = None
        self.owner: tuple[object, object] | None = None  # the callback, and in which call of learn
        self._warn = WarnOnce()

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        try:
            run = self.handle.ensure_started()
            if not run.is_writing:
                return
            self._write(run, key_values, key_excluded, step)
            if self.on_row is not None:
                self.on_row(run, key_values, step)
        except Exception as error:
            message = f"a row of SB3's logger was not written: {type(error).__name__}: {error}. The training goes on."
            self._warn(("row", type(error).__name__), message)

    def _write(self, run: Run, values: Mapping[str, Any], excluded: Mapping[str, tuple[str, ...]], step: int) -> None:
        row, others = dict[str, Any](), []
        for key, value in values.items():
            names = excluded.get(key) or ("",)
            kind = type(value)
            if kind is not float and kind is not int and self._is_no_number(value):
                others.append((key, value, names))
                if kind is not str:
                    continue
            if names == ("",):
                row[key] = value
            else:  # SB3's stdout and log are one format
                run.logger.record(key, value, _CONSOLE.union(names) if _CONSOLE.intersection(names) else names)
        run.log(row, step)
        for key, value, names in others:
            if "tensorboard" not in names:
                _show(run, key, value, step)

    @staticmethod
    def _is_no_number(value: Any) -> bool:
        """Whether TensorBoard shows a value elsewhere than among the scalars."""
        if isinstance(value, (str, *_MEDIA)):
            return True
        shape = getattr(value, "shape", ())
        return bool(shape) and math.prod(shape) != 1

    def write_sequence(self, sequence: list[str]) -> None:
        """A line of text, by ``logger.info`` and its kin."""
        self.handle.ensure_started().logger.message(" ".join(sequence))

    def close(self) -> None:
        """The run goes on."""
        if self.handle.run is not None:
            self.handle.resolve().flush()


def _show(run: Run, key: str, value: Any, step: int) -> None:
    """Show what is no number. What cannot be shown gives one warning."""
    if isinstance(value, str):
        run.add_text(key, value, step)
    elif isinstance(value, Figure):
        run.add_figure(key, value.figure, step, close=value.close)
    elif isinstance(value, Image):
        add = run.add_images if "N" in value.dataformats.upper() else run.add_image
        add(key, value.image, step, dataformats=value.dataformats)
    elif isinstance(value, Video):
        run.add_video(key, value.frames, step, value.fps)
    elif isinstance(value, HParam):  # its metrics are names of scalars, with values that SB3 does not write (2.9)
        run.add_hyper_params(value.hparam_dict)
    else:
        run.add_histogram(key, value, step)


class RunLogger(Logger):
    """An SB3 logger that writes to a run. Its methods are those of SB3's; no error of a format stops the training.

    ``run`` is the run, started. Further formats may be added to ``output_formats``.
    """

    def __init__(self, handle: Handle):
        self._handle = handle
        handles.add(handle)
        self._warn = WarnOnce()
        super().__init__(None, [RunWriter(handle, of_logger=True)])

    @property
    def run(self) -> Run:
        """The run, started."""
        return self._handle.ensure_started()

    @property
    def dir(self) -> str | None:  # type: ignore[override]
        """The run's log folder, which is made when the run starts; None if tracking is off."""
        folder = self._handle.resolve().log_dir
        return None if folder is None else str(folder)

    @dir.setter
    def dir(self, folder: str | None) -> None:
        """SB3's Logger sets it; the run has its folder."""

    def dump(self, step: int = 0) -> None:
        """Write all that was recorded since the last dump, as SB3's logger does; a format that fails warns once."""
        if self.level == DISABLED:
            return
        for each in self.output_formats:
            if isinstance(each, KVWriter):
                try:
                    each.write(self.name_to_value, self.name_to_excluded, step)
                except Exception as error:
                    name = type(each).__name__
                    message = f"{name} has not written a row: {error}. The run has it, and the training goes on."
                    self._warn(("format", name), message)
        self.name_to_value.clear()
        self.name_to_count.clear()
        self.name_to_excluded.clear()


def _with_own_names(make: Callable[..., KVWriter]) -> Callable[..., KVWriter]:
    """Let SB3's formats have files of their own in a run's folder: ``progress_sb3.csv``, ``log_sb3.txt``.

    ``configure(run.log_dir, ...)`` would make ``progress.csv`` and ``log.txt``, and each format begins by emptying its
    file (2.9): what the run has logged before could not be got back.
    """

    @functools.wraps(make)
    def make_output_format(_format: str, log_dir: str, log_suffix: str = "") -> KVWriter:
        if not log_suffix and _is_of_run(log_dir):
            log_suffix = "_sb3"
        return make(_format, log_dir, log_suffix)

    return make_output_format


def _is_of_run(folder: str) -> bool:
    planned = {str(handle.resolve().log_dir) for handle in handles}
    return os.path.exists(os.path.join(folder, _OURS)) or os.path.abspath(folder) in planned


of_sb3.make_output_format = _with_own_names(of_sb3.make_output_format)
