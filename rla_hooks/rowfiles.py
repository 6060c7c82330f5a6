"""Reads the rows of a run, which may lie in several files: every process of a run writes to files of its own.

    progress.csv                  of the process that owns the run
    progress.<host>-<pid>.csv     of another process, such as an evaluation beside the training
    progress.<host>-<pid>-2.csv   of another one of that number, or a further file of the same one

They are joined by time when they are read, and the rows of each file keep their order.
"""

from __future__ import annotations

import errno
import io
import os
import re
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from rla_hooks.smallfiles import open_regular
from rla_hooks.values import Scalar
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import (
    MORE,
    cells_of,
    count_rows,
    from_more,
    line_of,
    quoted,
    read_header,
    row_starts,
    rows_of,
    whole_rows,
)

if TYPE_CHECKING:
    import pandas

    from rla_hooks.columns import Columns

_NAME = re.compile(r"progress(\..+-\d+(-\d+)?)?\.csv", re.DOTALL)
_MAX_FILES = 10_000
_MAX_COUNTED = 1 << 30  # bytes whose rows are counted: a second or two
_TAIL = 64 << 10, 4 << 20  # bytes from the end that hold the last rows: at first, and at most
_INTEGER = re.compile(r"[-+]?\d{1,4000}")


def files(log_dir: Path) -> list[Path]:
    """Return the files of rows in the log folder of a run: progress.csv first, then those of other processes.

    A folder that cannot be read has none.
    """
    found: list[str] = []
    with suppress(OSError), os.scandir(log_dir) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and len(found) < _MAX_FILES:
                found.append(entry.name)
    return [log_dir / name for name in sorted(found, key=lambda name: (name != "progress.csv", name))]


class Summary(NamedTuple):
    """What files of rows hold.

    rows: None where the files are too large to be counted. last_step: that of the newest row, None without rows. last:
    the newest value of each metric among the last rows.
    """

    rows: int | None
    last_step: int | None
    last: dict[str, Scalar]


def summary(files: Iterable[Path]) -> Summary:
    """Count the rows of a run, and read the last ones. Files that cannot be read are left out.

    Memory is bounded, and so is time: of more than 1 GB the rows are not counted. For a run that is running or was
    killed, and whose run.json does not tell.
    """
    rows: int | None = 0
    counted = 0
    newest: list[tuple[float, int, dict[str, Scalar]]] = []  # time, step, values
    for path in files:
        with suppress(OSError, ValueError), open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            counted += size
            header = read_header(file)
            columns = cells_of(header)
            starts = row_starts(columns)
            if counted > _MAX_COUNTED:
                rows = None
            elif rows is not None:
                rows += count_rows(file, starts)
            newest += _last_rows(file, len(header), size, columns, starts)
    newest.sort(key=lambda row: row[0])
    last: dict[str, Scalar] = {}
    for _, _, values in newest:
        last |= values
    return Summary(rows, newest[-1][1] if newest else None, last)


def _last_rows(
    file: BinaryIO, begin: int, end: int, columns: list[str], starts: Callable[[bytes], bool]
) -> list[tuple[float, int, dict[str, Scalar]]]:
    """Read the last rows of a file; each with the latest time up to it, since clocks may be set back."""
    found: list[tuple[float, int, dict[str, Scalar]]] = []
    size, most = _TAIL
    while not found:
        at = max(begin, end - size)
        file.seek(at)
        data = file.read(end - at)
        for cells in rows_of(data[data.find(b"\n") + 1 :] if at > begin else data, starts):
            values = {name: _value(cell) for name, cell in zip(columns, cells) if cell}
            with suppress(KeyError, TypeError, ValueError, OverflowError):  # no row, or a step beyond all bounds
                values |= from_more(values.pop(MORE, None))
                found.append((float(values.pop(TIME)), int(values.pop(STEP)), values))
        if at == begin or size >= most:
            break
        size = most
    times = accumulate((time for time, _, _ in found), max)
    return [(time, step, values) for time, (_, step, values) in zip(times, found)]


def _value(cell: str) -> Scalar:
    if _INTEGER.fullmatch(cell):
        return int(cell)
    try:
        return float(cell)
    except ValueError:
        return cell


def columns(files: Iterable[Path], keys: Iterable[str] | None = None) -> Columns:
    """Return the rows of all files as columns, in the order of their times: step, time, and these metrics, or all."""
    import numpy

    from rla_hooks.columns import Column

    frame = read(files)
    wanted = [STEP, TIME, *keys] if keys is not None else list(frame)
    found: dict[str, Column] = {}
    for name in wanted:
        if name in frame:
            present = frame[name].notna().to_numpy()
            found[name] = Column(frame[name].to_numpy(), None if numpy.all(present) else present)
    return found


def read(files: Iterable[Path]) -> pandas.DataFrame:
    """Return the rows of all files as one DataFrame, in the order of their times; empty without rows.

    Floats are bit-equal to those that were logged. Raises ModuleNotFoundError without pandas.
    """
    import pandas

    frames = [frame for frame in map(_read_one, files) if len(frame)]
    if len(frames) < 2:
        return frames[0] if frames else pandas.DataFrame()
    times = [_times(frame) for frame in frames]
    joined = pandas.concat(frames, ignore_index=True)
    order = pandas.concat(times, ignore_index=True).sort_values(kind="stable").index
    return joined.loc[order].reset_index(drop=True)


def _read_one(path: Path) -> pandas.DataFrame:
    import pandas

    try:
        with open_regular(path) as file:
            columns = cells_of(read_header(file))
            frame = _parsed(file, columns)
    except (FileNotFoundError, pandas.errors.EmptyDataError):
        return pandas.DataFrame()
    if "" in columns:
        frame = frame.rename(columns={f"Unnamed: {columns.index('')}": ""})
    if MORE not in frame:
        return frame
    more = pandas.DataFrame(map(from_more, frame.pop(MORE)), index=frame.index)
    known = [name for name in more if name in frame]
    for name in known:
        frame[name] = frame[name].fillna(more[name])
    return pandas.concat([frame, more.drop(columns=known)], axis=1)


def _parsed(file: BinaryIO, columns: list[str]) -> pandas.DataFrame:
    """Parse a file of rows; where pandas cannot, or the last row is torn, what is damaged is left out."""
    import pandas

    # Version 3 reads floats exactly by itself, and warns about the option; version 2 does not.
    exact: dict[str, Any] = {} if int(pandas.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}

    def parsed(source: Any) -> pandas.DataFrame:
        # Only what the writer means by it is a missing value: "None", "NA" and the like are texts.
        return pandas.read_csv(
            source,
            encoding_errors="backslashreplace",
            index_col=False,  # or rows that are longer than the header would be shifted
            low_memory=False,
            keep_default_na=False,
            na_values=["", "nan"],
            **exact,
        )

    whole = _WithoutNuls(file)
    with warnings.catch_warnings(), suppress(pandas.errors.ParserError, pandas.errors.ParserWarning):
        warnings.simplefilter("error", pandas.errors.ParserWarning)  # of rows that are cut to the header's length
        frame = parsed(io.BufferedReader(whole))
        if whole.last == b"\n":
            return frame
    data, starts = io.BufferedReader(_WithoutNuls(file)).read(), row_starts(columns)
    rows = rows_of(data[: whole_rows(data, starts)], starts)
    lines = [line_of(map(quoted, columns)), *(line_of(map(quoted, cells[: len(columns)])) for cells in rows)]
    return parsed(io.BytesIO(b"".join(lines)))


class _WithoutNuls(io.RawIOBase):
    """The bytes of a file from its beginning, without NULs: no row has any, but a disk that was damaged or a hole does.

    ``last``: the last byte that was read.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self.last = b""
        file.seek(0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while data := self._file.read(len(buffer)):
            if kept := data.replace(b"\0", b""):
                buffer[: len(kept)] = kept
                self.last = kept[-1:]
                return len(kept)
            if not self._pass_hole():
                break
        return 0

    def _pass_hole(self) -> bool:
        """Go to the end of a hole, which may have any size; return whether there is something behind it."""
        try:
            self._file.seek(self._file.tell(), os.SEEK_DATA)
        except AttributeError:  # Windows
            return True
        except OSError as error:
            return error.errno != errno.ENXIO
        return True


def _times(frame: pandas.DataFrame) -> pandas.Series[float]:
    """The latest time up to each row: a clock that was set back must not change the order of a file."""
    import pandas

    if TIME not in frame:  # the file of another program
        return pandas.Series(float("-inf"), index=frame.index)
    times = pandas.to_numeric(frame[TIME], errors="coerce")
    return times.cummax().ffill().fillna(float("-inf"))
