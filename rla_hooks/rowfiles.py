"""Reads the rows of a run, which may lie in several files: every process of a run writes to files of its own.

    progress.csv                  of the process that owns the run
    progress.<host>-<pid>.csv     of another process, such as an evaluation beside the training
    progress.<host>-<pid>-2.csv   of another one of that number, or a further file of the same one
    system.csv                    the use of the machine, which is read by itself; likewise

They are joined by time when they are read, and the rows of each file keep their order.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rla_hooks.patterns import pattern
from rla_hooks.progress import Progress
from rla_hooks.smallfiles import open_regular
from rla_hooks.values import Scalar
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import (
    MORE,
    cells_of,
    count_rows,
    from_more,
    read_header,
    row_starts,
    rows_of,
)

if TYPE_CHECKING:
    from rla_hooks.columns import Columns
    from rla_hooks.rows.pieces import JoinedRows

SYSTEM = "system"  #: the beginning of the names of files with the use of the machine
_ROWS = "progress"
_NAME = pattern(r"(progress|system)(\..+-\d+(-\d+)?)?\.csv", re.DOTALL)
_MAX_FILES = 10_000
_MAX_COUNTED = 1 << 30  # bytes whose rows are counted: a second or two
_TAIL = 64 << 10, 4 << 20  # bytes from the end that hold the last rows: at first, and at most
_INTEGER = pattern(r"[-+]?[0-9]{1,4000}")

_Row = tuple[float, int | None, dict[str, Scalar]]  # time, step, values


def files(log_dir: Path, stem: str = _ROWS) -> list[Path]:
    """Return the files of rows in the log folder of a run: progress.csv first, then those of other processes.

    stem: :data:`SYSTEM` for those with the use of the machine. A folder that cannot be read has none.
    """
    return [log_dir / entry.name for entry in entries(log_dir, stem)]


def is_name(name: str) -> bool:
    """Whether a file of this name, in the log folder of a run, has rows.

    >>> is_name("progress.csv"), is_name("progress.node7-4711-2.csv"), is_name("progress.csv.old")
    (True, True, False)
    """
    return name.startswith(f"{_ROWS}.") and _NAME.fullmatch(name) is not None and not {"/", "\\", "\0"} & set(name)


def entries(log_dir: str | os.PathLike[str], stem: str = _ROWS) -> list[os.DirEntry[str]]:
    """Return what :func:`files` does, as the folder has it: that is quicker, and tells the sizes."""
    found: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(log_dir) as entries:
        for entry in entries:
            if entry.name.startswith(f"{stem}.") and _NAME.fullmatch(entry.name) and len(found) < _MAX_FILES:
                found.append(entry)
    return sorted(found, key=lambda entry: (entry.name != f"{stem}.csv", entry.name))


class MarkedFile(NamedTuple):
    """A file of rows. mark: what changes when somebody changes or replaces it; written: when, as the disk says."""

    path: str
    size: int
    mark: bytes
    written: float


def marked_files(log_dir: str | os.PathLike[str]) -> list[MarkedFile]:
    """Return the files of rows in the log folder of a run, as :func:`files` does, each with its mark."""
    found = []
    for entry in entries(log_dir):
        with suppress(OSError):
            status = entry.stat()
            found.append(MarkedFile(entry.path, status.st_size, mark_of(status), status.st_mtime))
    return found


def mark_of(status: os.stat_result) -> bytes:
    """Return the mark of a file."""
    return b"%d %d %d %d" % (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Recent(NamedTuple):
    """What the end of the files of a run tells: how many rows there are, and the last values.

    older: the columns of which only rows before that end may have values, such as those of a rare evaluation; with
    ``MORE`` among them there may also be late keys, whose names only the rows tell.
    """

    progress: Progress
    older: list[str]

    def metrics(self) -> list[str] | None:
        """Return the metrics that are to be looked for in all rows; None for all that there are."""
        return None if MORE in self.older else self.older

    def with_older(self, last: Mapping[str, Scalar]) -> Progress:
        """Return the progress with the last values in all rows of the metrics that its end did not tell."""
        known = self.progress.last
        found = {name: value for name, value in last.items() if name in self.older or name not in known}
        return self.progress._replace(last={**known, **found})


def progress(files: Iterable[str | os.PathLike[str]]) -> Progress:
    """Count the rows of a run, and find the last value of each metric. Files that cannot be read are left out.

    Memory is bounded, and so is time: of more than 1 GB the rows are not counted, and of each metric there is the
    newest value among the last rows. For a run that is running or was killed, and whose run.json does not tell.
    """
    files = [*files]
    found = recent(files)
    if not found.older:
        return found.progress
    with suppress(OSError):
        rows = read_rows([Path(file) for file in files if os.path.isfile(file)], found.metrics())
        columns = {name: rows.values(name).values for name in rows.pieces if name not in (STEP, TIME)}
        return found.with_older({name: values[-1:].tolist()[0] for name, values in columns.items() if len(values)})
    return found.progress


def recent(files: Iterable[str | os.PathLike[str]]) -> Recent:
    """Return what :func:`progress` does as far as the last rows tell it, and which metrics may have values before."""
    rows: int | None = 0
    counted = 0
    newest: list[_Row] = []
    older: dict[str, None] = {}
    for path in files:
        with suppress(OSError, ValueError), open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            counted += size
            header = read_header(file)
            columns = cells_of(header)
            starts = row_starts(columns) if TIME in columns else _is_filled  # first versions of RLA wrote no times
            if counted > _MAX_COUNTED:
                rows = None
            elif rows is not None:
                rows += count_rows(file, starts)
            found, is_whole = _last_rows(file, len(header), size, columns, starts)
            newest += found
            if not is_whole:
                known = {STEP, TIME}.union(*(values for _, _, values in found))
                older |= dict.fromkeys(name for name in columns if name not in known)
    newest.sort(key=lambda row: row[0])
    last: dict[str, Scalar] = {}
    for _, _, values in newest:
        last |= values
    last_step = next((step for _, step, _ in reversed(newest) if step is not None), None)
    return Recent(Progress(rows, last_step, last), [] if rows is None else [*older])


def _is_filled(line: bytes) -> bool:
    return bool(line.strip(b", \r\n"))


def _last_rows(
    file: BinaryIO, begin: int, end: int, columns: list[str], starts: Callable[[bytes], bool]
) -> tuple[list[_Row], bool]:
    """Read the last rows of a file, and say whether they are all; each has the latest time up to it.

    For clocks may be set back.
    """
    found: list[_Row] = []
    size, most = _TAIL
    while not found:
        at = max(begin, end - size)
        file.seek(at)
        data = file.read(end - at)
        for cells in rows_of(data[data.find(b"\n") + 1 :] if at > begin else data, starts):
            values = {name: scalar_of(cell) for name, cell in zip(columns, cells) if cell}
            with suppress(KeyError, TypeError, ValueError, OverflowError):  # no row
                values |= from_more(values.pop(MORE, None))
                time = float(values.pop(TIME) if TIME in columns else -math.inf)
                found.append((time, _step_of(values.pop(STEP, None)), values))
        if at == begin or size >= most:
            break
        size = most
    times = accumulate((time for time, _, _ in found), max)
    return [(time, step, values) for time, (_, step, values) in zip(times, found)], at == begin


def _step_of(value: Scalar | None) -> int | None:
    with suppress(TypeError, ValueError, OverflowError):  # none, a text, or beyond all bounds
        return int(value)  # type: ignore[arg-type]
    return None


def scalar_of(cell: str) -> Scalar:
    """Return the number that a cell holds, else its text.

    Python takes more for numbers than any writer writes: ``1_000``, and digits of other alphabets. Those are texts.

    >>> scalar_of("3"), scalar_of("1e-3"), scalar_of("nan"), scalar_of("1_000"), scalar_of("٣"), scalar_of("ppo")
    (3, 0.001, nan, '1_000', '٣', 'ppo')
    """
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if cell.isascii() and "_" not in cell:
        with suppress(ValueError):
            return float(cell)
    return cell


def columns(files: Iterable[Path], keys: Iterable[str] | None = None) -> Columns:
    """Return the rows of all files as columns, in the order of their times: step, time, and these metrics, or all.

    Floats are bit-equal to those that were logged. A metric that no row has is left out, and a file that is not there.
    Memory is bounded by the result. Raises OSError for a file that cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "progress.csv").write_text("time-step,timestamp,loss\\n0,10.5,nan\\n1,11.5,\\n")
    ...     found = columns(files(Path(folder)), ["loss"])
    >>> found["time-step"].values.tolist(), found["loss"].values.tolist(), found["loss"].present.tolist()
    ([0, 1], [nan, nan], [True, False])
    """
    wanted = None if keys is None else [*dict.fromkeys([STEP, TIME, *keys])]
    rows = read_rows(files, wanted)
    return rows.columns(rows.names if wanted is None else wanted)


def read_rows(files: Iterable[Path], wanted: Sequence[str] | None = None) -> JoinedRows:
    """Return the rows of all files, in pieces: these columns, and the time of the rows, or all. Raises OSError.

    A file that is not there is left out.
    """
    from rla_hooks.rows.pieces import join_files
    from rla_hooks.rows.reader import read_file

    files, read = [*files], []
    if wanted is not None and len(files) > 1:
        wanted = [*dict.fromkeys([*wanted, TIME])]
    for path in files:
        with suppress(FileNotFoundError), open_regular(path) as file:
            read.append(read_file(file, wanted))
    return join_files(read)
