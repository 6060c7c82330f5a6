"""Columns of rows, kept as raw numbers on the local disk, so that a file of rows is read and parsed once.

    runs, summaries    what the values of a metric of a run come to, as JSON: see rla_hooks.query.summary_cache
    files     a row a file: its size, time and inode, how many rows of it were read, and up to which byte
    pieces    some rows of one of its columns: raw little-endian int64 or float64, or texts as JSON

A large file that has grown is read on from where it was, if samples of it are as they were; a small one is read again.
What was written a moment before it was read is not relied on.
Several files of a run are joined each time (:func:`rla_hooks.rows.pieces.join_files`).
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rla_hooks import rowfiles
from rla_hooks.columns import Column, Columns
from rla_hooks.query.cache import Cache, open_cache
from rla_hooks.query.column_tables import COLUMNS, New, Part, Stored, load, make_room, store
from rla_hooks.query.signatures import TICK
from rla_hooks.rows.pieces import FileRows, JoinedRows, Piece, join_files, joined
from rla_hooks.rows.reader import names_of, read_file
from rla_hooks.smallfiles import open_regular
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import MORE

SMALL = 16 << 10  # bytes; a smaller file is read as fast as it would be found here
_AGAIN = 1 << 20  # bytes; where more was read, it is not read again because the file is young or has grown
_MOST_COLUMNS = 200  # of one call; more would be found more slowly than read
_AT_ONCE = 500  # files in one statement
_TAIL = 4096  # bytes before the end that are compared before a file is read on
_SAMPLES = 32  # more blocks of so many bytes that are compared of a large file
_MERGED = 4096  # rows; the next rows are added to a piece that has fewer
_DAY = 86400


def columns_in(root: Path, folder: Path, keys: Iterable[str] | None = None) -> Columns:
    """Return the rows in the log folder of a run as columns, as :func:`rla_hooks.rowfiles.columns` does.

    What was read stays in the cache of the log root. Raises OSError for a file that cannot be read.
    """
    wanted = [STEP, TIME, *keys] if keys is not None else _names_in(folder)
    if wanted is None:
        return rowfiles.columns(rowfiles.files(folder))
    (rows,) = read_rows(root, [folder], wanted)
    if isinstance(rows, OSError):
        raise rows
    return {name: _writable(column) for name, column in rows.columns(wanted).items()}


def _writable(column: Column) -> Column:
    """Return a column that its owner may change: arrays over the bytes that the cache gave are read only."""
    values, present = column
    return column if values.flags.writeable else Column(values.copy(), present)


def _names_in(folder: Path) -> list[str] | None:
    """Return the columns of the files of rows; None where there are so many that the files themselves are read."""
    names: dict[str, None] = {}
    for path in rowfiles.files(folder):
        with suppress(FileNotFoundError), open_regular(path) as file:
            names |= dict.fromkeys(names_of(file)[0])
    return None if MORE in names or len(names) > _MOST_COLUMNS else [*names]


def read_rows(root: Path, folders: Sequence[Path], wanted: Sequence[str]) -> Iterator[JoinedRows | OSError]:
    """Yield the rows in each log folder of runs, in pieces: these columns. Of one that cannot be read the error."""
    wanted = [*dict.fromkeys(wanted)]
    cache = open_cache(root, COLUMNS)
    for begin in range(0, len(folders), _AT_ONCE):
        some = [rowfiles.marked_files(folder) for folder in folders[begin : begin + _AT_ONCE]]
        yield from _read_some(cache, root, some, wanted)


def _read_some(
    cache: Cache, root: Path, runs: Sequence[Sequence[rowfiles.MarkedFile]], wanted: list[str]
) -> Iterator[JoinedRows | OSError]:
    names = wanted if TIME in wanted or all(len(files) < 2 for files in runs) else [*wanted, TIME]
    is_kept = len(names) <= _MOST_COLUMNS
    large = {_key(root, file.path) for files in runs for file in files if is_kept and file.size >= SMALL}
    known = cache.read(lambda db: load(db, large, names)) if large else {}
    new: list[New] = []
    found: list[JoinedRows | OSError] = []
    for files in runs:
        try:
            found.append(join_files([*_rows_of(root, files, names, large, known, new)]))
        except OSError as error:
            found.append(error)
    today = int(time.time() // _DAY)
    old = [each.id for each in known.values() if each.used < today]
    if new or old:
        cache.write(lambda db: store(db, new, old, today))
        if new:
            make_room(cache)
    yield from found


def _rows_of(
    root: Path,
    files: Sequence[rowfiles.MarkedFile],
    names: list[str],
    kept: set[bytes],
    known: Mapping[bytes, Stored],
    new: list[New],
) -> Iterator[FileRows]:
    for file in files:
        key = _key(root, file.path)
        stored = known.get(key)
        if stored is not None and stored.mark == file.mark and _has_all(stored, names):
            columns = {name: [(part.length, part.piece) for part in stored.columns[name]] for name in names}
            yield _file_rows(stored.length, columns)
            continue
        try:
            opened = open_regular(file.path)
        except FileNotFoundError:
            continue
        with opened:
            if key not in kept:
                yield read_file(opened, names)
            else:
                rows, fresh = _refreshed(opened, key, stored, names)
                yield rows
                new += [fresh] if fresh else []


def _has_all(stored: Stored, names: Iterable[str]) -> bool:
    """Whether all these columns have been read as far as the file has."""
    for name in names:
        parts = stored.columns.get(name)
        if not parts or parts[-1].first + parts[-1].length != stored.length:
            return False
    return True


def _file_rows(length: int, columns: Mapping[str, list[tuple[int, Piece | None]]]) -> FileRows:
    blocks: dict[str, Piece] = {}
    for name, parts in columns.items():
        if len(parts) == 1 and parts[0][1] is not None:
            blocks[name] = parts[0][1]
        elif any(piece is not None for _, piece in parts):
            pieces = [(count, {} if piece is None else {name: piece}) for count, piece in parts]
            blocks |= joined(pieces)[1]
    return FileRows([*blocks], length, blocks, None)


def _refreshed(file: BinaryIO, key: bytes, stored: Stored | None, names: list[str]) -> tuple[FileRows, New | None]:
    """Read what is not known of a file yet. Return its rows, and what is to be stored."""
    status = os.fstat(file.fileno())
    mark = rowfiles.mark_of(status)
    is_old = status.st_mtime < time.time() - TICK
    if stored is not None and not _goes_on(file, stored, status):
        stored = None
    parts = {} if stored is None else {name: stored.columns[name] for name in names if stored.columns.get(name)}
    begins: dict[int, list[str]] = {}
    for name in names:
        begins.setdefault(parts[name][-1].end if name in parts else 0, []).append(name)
    length, end = 0, 0
    for begin, some in begins.items():
        if stored is not None and begin == stored.end and stored.mark == mark:
            length, end = stored.length, begin
            continue
        read = read_file(file, some, begin, status.st_size)
        if read.end is None or (begin and read.begin != begin):  # damaged
            return read_file(file, names, 0, status.st_size), None
        end = max(end, read.end)
        for name in some:
            before = parts.get(name, []) if begin else []
            first = before[-1].first + before[-1].length if before else 0
            length = first + read.length
            if read.length or not before:
                parts[name] = [*before, Part(first, read.length, end, read.pieces.get(name))]
    columns = {name: [(part.length, part.piece) for part in each] for name, each in parts.items()}
    rows = _file_rows(length, columns)
    lost = [name for name in names if name not in rows.pieces and any(piece for _, piece in columns[name])]
    if lost:  # numbers at first, then texts
        read = read_file(file, lost, 0, end)
        rows.pieces.update(read.pieces)
        parts |= {name: [Part(0, length, end, read.pieces.get(name))] for name in lost}
    parts = {name: _merged(each) for name, each in parts.items()}
    new = New(key, mark if is_old else b"", length, end, _ends_of(file, end), stored is None, parts)
    return rows._replace(names=[*rows.pieces]), new


def _goes_on(file: BinaryIO, stored: Stored, status: os.stat_result) -> bool:
    """Whether a file is the one that was read before, with further rows or none."""
    if stored.mark != rowfiles.mark_of(status):  # or it was young
        if stored.end <= _AGAIN:  # in which somebody may have changed a value, too
            return False
        if stored.mark and int(stored.mark.split()[1]) >= status.st_size:
            return False
    return status.st_size >= stored.end and _ends_of(file, stored.end) == stored.ends


def _ends_of(file: BinaryIO, end: int) -> bytes:
    """Return what tells that the file up to this byte is still the same: its inode, its header, its last bytes.

    Of a large file also samples between them.
    """
    _, header = names_of(file)
    blocks = [(0, header), (max(0, end - _TAIL), end)]
    if end > _AGAIN:
        begins = [end * number // _SAMPLES for number in range(_SAMPLES)]
        blocks += [(begin, min(begin + _TAIL, end)) for begin in begins]
    checked = 0
    for begin, behind in blocks:
        file.seek(begin)
        checked = zlib.crc32(file.read(behind - begin), checked)
    return b"%d %d" % (os.fstat(file.fileno()).st_ino, checked)


def _merged(parts: list[Part]) -> list[Part]:
    """Join the last two parts where the first of them is small, so that a file that grows does not have too many."""
    while len(parts) > 1 and parts[-2].length < _MERGED:
        one, two = parts[-2:]
        pieces = [(part.length, {} if part.piece is None else {"": part.piece}) for part in (one, two)]
        length, found, _ = joined(pieces)
        parts = [*parts[:-2], Part(one.first, length, two.end, found.get(""))]
    return parts


def _key(root: Path, path: str) -> bytes:
    return os.fsencode(path.removeprefix(os.fspath(root)))
