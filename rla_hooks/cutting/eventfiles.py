"""Which events of TensorBoard's files stay.

TensorBoard reads the files of a folder in the order of their names, follows the newest one, and reads none from its
beginning again. Its default loader takes what comes later at a smaller step, tag by tag, for the better; the one in
Python does so where a session starts. So what stays of all files becomes one new file, whose start tells to forget what
was read before; and the newest file gives way to one without events, which a loader that has come that far leaves.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.cutting.parts import Part, Range, is_regular, joined
from rla_hooks.smallfiles import open_regular
from rla_hooks.writers.events import frame_head

FOLDER = "tb"
_HEAD = struct.Struct("<Q4x")  # the length of a record, and the checksum of that
_TIME = struct.Struct("<d")
_FRAME = 16  # bytes around the data of a record
_MANY = 4096  # records
_STEP, _VERSION, _SESSION = 2, 3, 7  # fields of an event

# The files that former cuts have made: "start", the bytes before their events, and "of", where these are from.
Made = Mapping[str, Mapping[str, Any]]


def parts(
    tensorboard_dir: Path,
    written: Mapping[str, tuple[int | None, int]] | None,
    step: int,
    time: float,
    made: Made,
    gone: Container[str] = (),
    own: Container[str] = (),
) -> list[Part]:
    """Return what is to be done with the event files, in the order of their names; none if nothing of them is cut.

    own: the names of files that have appeared since the run was resumed. They are left alone: a program that has one
    open, such as torch's SummaryWriter, goes on writing to it. So is one without events that this process has made
    before; gone: the paths of which a former cut has made such files.
    """
    pid = f".{os.getpid()}."
    found = [
        part
        for part in every_part(tensorboard_dir, written, step, time, made, own)
        if part.size != part.header or pid not in part.path or part.path in made or part.path in gone
    ]
    if not any(part.lost for part in found):
        return []
    found[-1].stub = True
    return found


def every_part(
    tensorboard_dir: Path,
    written: Mapping[str, tuple[int | None, int]] | None,
    step: int,
    time: float,
    made: Made,
    own: Container[str] = (),
) -> Iterator[Part]:
    """Yield what stays of each event file, in the order of their names. Raises OSError.

    written: how far each file had come; None if that is not known, so that events after ``step`` are cut, and those of
    that step that are later than ``time``, when the checkpoint was saved. made: the files that former cuts have made;
    of one that is not among them, since somebody has deleted its folder in cut/, the same are cut. ``header`` of a part
    are the bytes of the file's start, and ``lost`` is where its whole records end, if something is cut.
    """
    for name in names_in(tensorboard_dir):
        if name in own:
            continue
        path = f"{FOLDER}/{name}"
        with open_regular(tensorboard_dir / name) as file:
            size = os.fstat(file.fileno()).st_size
            data: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        begin = _start_of(data)
        is_known = written is not None and (path in written or path in made or not _is_of_a_cut(data, begin))
        if written is None or not is_known:
            kept = joined(each for each in _records(data, begin) if not _is_late(data, each, step, time))
        else:
            kept = joined(_whole_part(data, begin, each) for each in kept_of(path, written, made))
        whole = _end_of_records(data, kept[-1][1] if kept else begin, size)
        lost = [] if kept == joined([(begin, whole)]) else [(whole, whole)]
        is_copied = kept == joined([(begin, size)])
        yield Part(path, "drop" if is_copied else "move", size, begin, kept, lost)


def names_in(folder: Path) -> list[str]:
    """Return the names of the event files in a folder, in order; none if it is not there."""
    try:
        return sorted(name for name in os.listdir(folder) if "tfevents" in name and is_regular(folder / name))
    except FileNotFoundError:
        return []


def name_before(first: str, names: Iterable[str]) -> str:
    """Return a name for the file of what stays, which is read before the file ``first``, and after those before that.

    names: those that are there.

    >>> name_before("events.out.tfevents.7.host.1.0", ["events.out.tfevents.5.host.1.0"])
    'events.out.tfevents.5.host.1.0.1'
    """
    before, number = max((name for name in names if name < first), default="events.out.tfevents.0000000000"), 1
    while f"{before}.{number}" in names:
        number += 1
    return f"{before}.{number}"


def kept_of(path: str, written: Mapping[str, tuple[int | None, int]], made: Made) -> list[Range]:
    """Return the parts of a file that were there at the checkpoint, whatever their file was then."""
    if path in written:
        return [(0, written[path][1])]
    if path not in made:
        return []
    at, kept = made[path]["start"], []
    for source, begin, end in made[path]["of"]:
        for first, last in kept_of(source, written, made):
            kept.append((at + max(first, begin) - begin, at + min(last, end) - begin))
        at += end - begin
    return [(first, last) for first, last in kept if first < last]


def _whole_part(data: Any, start: int, part: Range) -> Range:
    """Return a part of a file without the start, and without a record at its end that is not whole."""
    begin = max(part[0], start)
    return begin, _end_of_records(data, begin, min(part[1], len(data)))


def _start_of(data: Any) -> int:
    """Return where the events begin, behind the version and the starts of sessions."""
    start = 0
    for begin, end in _records(data, 0):
        if _event(data, begin, end)[1] not in (_VERSION, _SESSION):
            break
        start = end
    return start


def _is_of_a_cut(data: Any, start: int) -> bool:
    """Whether a cut has made the file: its start tells to forget what was read before."""
    return any(_event(data, begin, end) == (-1 << 63, _SESSION) for begin, end in _records(data[:start], 0))


def _records(data: Any, begin: int) -> Iterator[Range]:
    """Yield where each whole record begins and ends: what comes after one that is damaged cannot be read."""
    size, unpack = len(data), _HEAD.unpack_from
    while begin + _FRAME <= size:
        (length,) = unpack(data, begin)
        end = begin + _FRAME + length
        if end > size or data[begin : begin + _HEAD.size] != frame_head(length):
            break
        yield begin, end
        begin = end


def _end_of_records(data: Any, begin: int, limit: int) -> int:
    """Return where the last whole record within ``limit`` ends.

    Rows of the same columns make records of the same length: then many are looked at at once, byte by byte of their
    heads, which takes a tenth of the time.
    """
    many = before = 0
    while begin + _FRAME <= limit:
        head = data[begin : begin + _HEAD.size]
        (length,) = _HEAD.unpack(head)
        size = length + _FRAME
        if begin + size > limit or head != frame_head(length):
            break
        many = min(2 * many + 2, _MANY) if size == before else 1
        many = min(many, (limit - begin) // size)
        begin, before = begin + size * _equal_heads(data, begin, size, many), size
    return begin


def _equal_heads(data: Any, begin: int, size: int, many: int) -> int:
    """Return how many of so many records of this size, one after the other, have the head of the first one."""
    for at in range(begin, begin + _HEAD.size) if many > 1 else ():
        column = data[at : at + (many - 1) * size + 1 : size]
        many -= len(column.lstrip(column[:1]))
    return many


def _is_late(data: Any, record: Range, step: int, time: float) -> bool:
    """Whether an event is of a later step than this one, or of this one and logged after this time."""
    found, _ = _event(data, *record)
    begin = record[0] + _HEAD.size
    if found != step or data[begin : begin + 1] != b"\x09" or begin + 9 > record[1]:  # the field of the time
        return found > step
    return bool(_TIME.unpack_from(data, begin + 1)[0] > time)


def _event(data: Any, begin: int, end: int) -> tuple[int, int]:
    """Return the step of the event in a record, and the field that holds its content."""
    step, field, at = 0, 0, begin + _HEAD.size
    while field <= _STEP and at < end - 4:  # fields come in their order
        field, value, at = _field(data, at)
        if field == _STEP and value is not None:
            step = value - (1 << 64) if value >= 1 << 63 else value
    return step, field


def _field(data: Any, at: int) -> tuple[int, int | None, int]:
    """Return the number of a field, its value if it is an integer, and where the next one begins."""
    key, at = _varint(data, at)
    kind = key & 7
    if kind == 0:
        value, at = _varint(data, at)
        return key >> 3, value, at
    if kind == 2:
        length, at = _varint(data, at)
        return key >> 3, None, at + length
    return key >> 3, None, at + (8 if kind == 1 else 4)


def _varint(data: Any, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128 or shift > 63:
            break
    return value, at
