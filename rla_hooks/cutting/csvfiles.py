"""Which rows of the csv files of a run stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rla_hooks import rowfiles
from rla_hooks.cutting.parts import Part, Range, is_cut, is_regular, joined
from rla_hooks.smallfiles import open_regular
from rla_hooks.texts import printable
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import cells_of, count_rows, ends_inside, lines_of, read_header, row_starts

Starts = Callable[[bytes], bool]
_BLOCK = 1 << 20  # bytes
_MAX_LINE = 16 << 20  # bytes, as count_rows has it


def parts(
    log_dir: Path,
    written: Mapping[str, tuple[int | None, int]] | None,
    step: int,
    time: float,
    notes: list[str],
) -> Iterator[Part]:
    """Yield what is to be done with the files of rows of which something is cut: see :func:`every_part`.

    notes: gets what is to be told.
    """
    odd = [printable(path.name) for path in rowfiles.files(log_dir) if not is_regular(path)]
    if odd:
        more = f" and {len(odd) - 1} more are no files" if len(odd) > 1 else " is no file"
        notes.append(f"{odd[0]}{more} that can be read: nothing of that is cut")
    yield from filter(is_cut, every_part(log_dir, written, step, time))


def every_part(
    log_dir: Path, written: Mapping[str, tuple[int | None, int]] | None, step: int, time: float
) -> Iterator[Part]:
    """Yield what stays of each file of rows, and what does not. Raises OSError.

    written: how far each file had come; None if that is not known, so that rows after ``step`` are cut, and those of
    that step that are later than ``time``, when the checkpoint was saved. Of a file with
    a number of rows these stay, since a longer header has moved the bytes; of another one the rows within its bytes.
    """
    for path in filter(is_regular, rowfiles.files(log_dir)):
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            header = read_header(file)
            starts = row_starts(cells_of(header))
            part = Part(path.name, "replace", size, len(header))
            if written is None:
                _keep_steps(file, part, starts, step, time)
            elif path.name in written:
                _keep_first(file, part, starts, *written[path.name])
            else:
                part.action, part.lost = "move", joined([(len(header), size)])
            if part.lost and written is not None:
                file.seek(part.lost[0][0])
                part.rows = count_rows(file, starts)
        yield part


def _keep_first(file: BinaryIO, part: Part, starts: Starts, rows: int | None, size: int) -> None:
    """Keep so many rows, or those within so many bytes where their number is not known."""
    _, end = end_of_rows(file, part.header, starts, rows, None if rows is not None else size)
    part.kept, part.lost = joined([(part.header, end)]), joined([(end, part.size)])


def end_of_rows(
    file: BinaryIO, begin: int, starts: Starts, rows: int | None = None, limit: int | None = None
) -> tuple[int, int]:
    """Return how many rows there are from ``begin`` on, and where they end: at most so many, or within ``limit`` bytes.

    They are counted as :func:`rla_hooks.writers.csv_format.count_rows` does.

    >>> import io
    >>> data = b'time-step,timestamp,text\\n0,1.0,"a\\nb"\\n1,2.0,c\\n2,3.0,d\\n'
    >>> starts = row_starts(["time-step", "timestamp", "text"])
    >>> end_of_rows(io.BytesIO(data), 25, starts, rows=2), end_of_rows(io.BytesIO(data), 25, starts, limit=45)
    ((2, 45), (2, 45))
    """
    if rows == 0:
        return 0, begin
    file.seek(begin)
    found, end, at, inside = 0, begin, begin, False
    while data := file.read(_BLOCK):
        data += file.readline(_MAX_LINE)
        behind = at + len(data)
        if not inside and b'"' not in data and b"\n\n" not in data and data.endswith(b"\n"):
            count = data.count(b"\n")
            if (rows is None or found + count < rows) and (limit is None or behind <= limit):
                found, end, at = found + count, behind, behind
                continue
        for line in lines_of(data):
            if inside and starts(line):  # the quote before it was a stray one
                found, end, inside = found + 1, at, False
                if found == rows:
                    return found, end
            inside = ends_inside(line, inside)
            at += len(line)
            if limit is not None and at > limit:
                return found, end
            if not inside and line.endswith(b"\n"):
                found, end = found + (line != b"\n"), at
                if found == rows:
                    return found, end
    return found, end


def _keep_steps(file: BinaryIO, part: Part, starts: Starts, step: int, time: float) -> None:
    """Keep the rows up to this step, wherever they stand; those of the step itself if they are not later than this."""
    file.seek(0)
    columns = cells_of(read_header(file))
    if STEP not in columns:  # of another program
        return
    column, time_column = columns.index(STEP), columns.index(TIME) if TIME in columns else -1
    kept: list[Range] = []
    lost: list[Range] = []
    for begin, end, row in _rows(file, part.header, starts):
        found = _step_of(row, column)
        is_late = found is not None and (found > step or (found == step and _time_of(row, time_column) > time))
        (lost if is_late else kept).append((begin, end))
        part.rows += is_late
    part.kept, part.lost = joined(kept), joined(lost)


def _rows(file: BinaryIO, begin: int, starts: Starts) -> Iterator[tuple[int, int, bytes]]:
    """Yield where each row begins and ends, and what it is; nothing for one that is torn. All bytes are in one."""
    file.seek(begin)
    at, inside, row = begin, False, b""
    while data := file.read(_BLOCK):
        data += file.readline(_MAX_LINE)
        for line in lines_of(data):
            if inside and starts(line):
                yield begin, at, row
                begin, inside, row = at, False, b""
            row += line
            inside = ends_inside(line, inside)
            at += len(line)
            if not inside and line.endswith(b"\n"):
                yield begin, at, row
                begin, row = at, b""
    if row:
        yield begin, at, b""  # so may be its step


def _step_of(row: bytes, column: int) -> int | None:
    try:
        return int(row.split(b",", column + 1)[column]) if column < 2 else int(cells_of(row)[column])
    except (ValueError, IndexError):
        return None


def _time_of(row: bytes, column: int) -> float:
    with suppress(ValueError, IndexError):
        return float(cells_of(row)[column]) if column >= 0 else 0.0
    return 0.0
