"""Checks TensorBoard's event files: each record has a checksum of its length, and one of its data.

TensorBoard reads a file up to the first record that is damaged. What comes behind is found again here: a record of
which only the data are damaged has a good length, and else the next place is looked for at which both checksums hold.
So a damaged part can be blanked, by a record of the same size that holds nothing, and all others are read again.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import google_crc32c
import numpy

from rla_hooks.texts import counted
from rla_hooks.upkeep.checking.found import Found, Mend
from rla_hooks.upkeep.checking.opening import BLOCK, Disk, marked, size_of, skip_hole, unreadable
from rla_hooks.writers.events import frame_head, record

_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
_HEAD, _FRAME = 12, 16  # bytes before the data of a record, and around it
_LARGE = 16 << 20  # bytes; the checksum of a larger record is computed in pieces
_SEARCHED = 64 << 20  # bytes behind a damaged head in which the next record is looked for
_FEW, _MANY = 8, 1 << 16  # records of one size whose heads are looked at together
_SMALLEST = 18  # bytes that can be blanked
_ZEROS = bytes(4)  # the upper half of a length
_NOTHING = bytes(4096)
_FILLING = 15 << 3 | 2  # the key of a field of bytes that no event has: readers pass over it


class Region(NamedTuple):
    """Bytes that are no good record. is_torn: a record that has no end, which may be still being written."""

    begin: int
    end: int
    is_torn: bool = False


def check_events(path: Path, disk: Disk, is_live: bool = False, noted: int = 0) -> list[Found]:
    """Check an event file. is_live: somebody writes to it, so that half a record at the end is no damage.

    noted: how many bytes the run has counted on for its checkpoints: a file that has fewer has lost some.
    """
    try:
        with disk.open(path) as file:
            size = size_of(file)
            records, regions = scan(file, size)
            mark = marked(file)
    except OSError as error:
        return [unreadable(path, error)]
    regions = [each for each in regions if not (is_live and each.end == size)]
    if regions:
        return [_told(path, regions, records, size, noted, mark)]
    if size < noted and not is_live:
        return [Found(path, f"has {size} bytes, and had {noted} at a checkpoint: events are missing", size)]
    return []


def _told(path: Path, regions: Sequence[Region], records: Sequence[int], size: int, noted: int, mark: bytes) -> Found:
    first = regions[0]
    behind = sum(records[1:])
    size_of_bad = sum(each.end - each.begin for each in regions)
    bad = f"has {counted(len(regions), 'damaged part')} ({size_of_bad:,} bytes)"
    if first.is_torn and len(regions) == 1:
        problem = f"the last record is torn: {size - first.begin} bytes"
    elif behind:
        are = "is" if behind == 1 else "are"
        problem = f"{bad}, and {counted(behind, 'whole record')} behind the first {are} not read"
    else:
        problem = bad
    if not sum(records):
        return Found(path, f"{bad}: it is no event file, or all of it is damaged", first.begin)
    fillings = {each: _filling(each, size, noted) for each in regions}
    if None in fillings.values():
        return Found(path, problem, first.begin)
    blanked = "it is blanked" if len(regions) == 1 else "they are blanked"
    how = blanked if any(fillings.values()) else "it is cut off"
    mend = Mend(how, _Blanked({each: filling or b"" for each, filling in fillings.items()}), mark=mark)
    return Found(path, problem, first.begin, mend=mend)


def scan(file: BinaryIO, size: int) -> tuple[list[int], list[Region]]:
    """Return how many whole records stand before, between and behind the damaged parts, and these parts."""
    counts, regions = [0], list[Region]()
    at = 0
    while True:
        count, at, bad = _good_records(file, at, size)
        counts[-1] += count
        if bad is None:
            return counts, regions
        if regions and not count and regions[-1].end == bad.begin:  # one damaged record after the other
            regions[-1] = Region(regions[-1].begin, bad.end, bad.is_torn)
        else:
            regions.append(bad)
            counts.append(0)
        at = bad.end


def _good_records(file: BinaryIO, at: int, size: int) -> tuple[int, int, Region | None]:
    """Go over good records from ``at`` on; return how many there are, where they end, and the damaged part there."""
    count, data = 0, b""
    file.seek(at)
    while at + _FRAME <= size:
        data += file.read(BLOCK)
        if len(data) < _FRAME:  # it was shortened meanwhile
            break
        ends, is_head = _ends_of(data)
        good = _good_data(data, ends)
        count, begin = count + good, ends[good]
        at += begin
        if good < len(ends) - 1:
            return count, at, Region(at, at + ends[good + 1] - begin)
        if not is_head:
            return count, at, Region(at, _next_record(file, at + 1, size))
        data = data[begin:]
        if len(data) < _FRAME:
            continue
        (length,) = _LENGTH.unpack_from(data)
        if at + _FRAME + length > size:
            return count, at, Region(at, size, is_torn=True)
        if length > _LARGE:
            if not _is_good(file, at, length):
                return count, at, Region(at, at + _FRAME + length)
            count, at, data = count + 1, at + _FRAME + length, b""
            file.seek(at)
        else:
            data += file.read(_FRAME + length - len(data))
    return count, at, None if at >= size else Region(at, size, is_torn=True)


def _ends_of(data: bytes) -> tuple[list[int], bool]:
    """Return 0 and where each record ends that is whole in the data; and whether there is a good head behind them."""
    begin, available, known = 0, len(data), dict[bytes, int]()
    ends, before, many = [0], b"", 1
    while begin + _FRAME <= available:
        head = data[begin : begin + _HEAD]
        size = known.get(head)
        if size is None:
            (length,) = _LENGTH.unpack_from(head)
            if head != frame_head(length):
                return ends, False
            size = known[head] = length + _FRAME
        if begin + size > available:
            break
        many = min(2 * many, _MANY) if head == before else 1
        count = _equal_heads(data, begin, size, many) if many > _FEW else 1
        ends += range(begin + size, begin + count * size + 1, size)
        begin, before = begin + count * size, head
    return ends, True


def _equal_heads(data: bytes, begin: int, size: int, many: int) -> int:
    """Return how many records of this size, of so many, follow each other: rows of the same columns do."""
    many = min(many, (len(data) - begin) // size)
    rows = numpy.frombuffer(data, numpy.uint8, many * size, begin).reshape(many, size)
    other = (rows[:, :_HEAD] != rows[0, :_HEAD]).any(axis=1)
    return int(other.argmax()) if other.any() else many


def _good_data(data: bytes, ends: Sequence[int]) -> int:
    """Return how many of these records, one behind the other, have data that fit their checksums."""
    crc_of = google_crc32c.value
    if len(ends) == 1:
        return 0
    crcs = numpy.array([crc_of(data[begin + _HEAD : end - 4]) for begin, end in pairwise(ends)], numpy.uint32)
    masked = (crcs >> numpy.uint32(15) | crcs << numpy.uint32(17)) + numpy.uint32(0xA282EAD8)
    array, places = numpy.frombuffer(data, numpy.uint8), numpy.array(ends[1:])
    noted = array[places[:, None] + numpy.arange(-4, 0)].view("<u4")[:, 0]
    wrong = numpy.flatnonzero(masked != noted)
    return int(wrong[0]) if len(wrong) else len(crcs)


def _is_good(file: BinaryIO, at: int, length: int) -> bool:
    """Whether the data of a record fit their checksum."""
    file.seek(at + _HEAD)
    crc, left = 0, length
    while left:
        data = file.read(min(left, BLOCK))
        if not data:
            return False
        crc, left = google_crc32c.extend(crc, data), left - len(data)
    found = file.read(4)
    return len(found) == 4 and (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF == _CHECKSUM.unpack(found)[0]


def _next_record(file: BinaryIO, at: int, size: int) -> int:
    """Return where the next good record begins, at or behind ``at``; the end of the file where none is found."""
    limit = min(size, at + _SEARCHED)
    while at + _FRAME <= limit:
        file.seek(at)
        data = file.read(BLOCK)
        if not data.strip(b"\0"):
            behind = skip_hole(file, at + len(data), size)
            limit, at = min(size, limit + behind - at - len(data)), behind - _HEAD
            continue
        place = data.find(_ZEROS, 4)
        while place >= 0:
            if data.startswith(_NOTHING, place):  # no head has so many zeros
                place = data.find(_ZEROS, place + len(_NOTHING) - _HEAD)
                continue
            begin = place - 4
            (length,) = _LENGTH.unpack_from(data, begin) if begin + 8 <= len(data) else (size,)
            is_head = at + begin + _FRAME + length <= size and data[begin : begin + _HEAD] == frame_head(length)
            if is_head and _is_good(file, at + begin, length):
                return at + begin
            place = data.find(_ZEROS, place + 1)
        if len(data) < BLOCK:
            break
        at += len(data) - _HEAD + 1
    return size


def _filling(region: Region, size: int, noted: int) -> bytes | None:
    """Return what takes the place of a damaged part; nothing at the end of the file; None where nothing can.

    Within the bytes that checkpoints count on, no byte may move.
    """
    length = region.end - region.begin
    if region.end == size and region.begin >= noted:
        return b""
    return blank(length) if length >= _SMALLEST else None


def blank(size: int) -> bytes:
    """Return a record of this many bytes, eighteen or more, whose event holds nothing.

    >>> len(blank(18)), len(blank(147)), blank(20)[12:16]
    (18, 147, b'z\\x02\\x00\\x00')
    """
    left = size - _FRAME - 1
    count = 1
    while left - count >= 1 << 7 * count:
        count += 1
    length, digits = left - count, bytearray()
    for at in range(count):  # of the length, with zeros at its end where it would be too short
        digits.append(length >> 7 * at & 127 | (128 if at < count - 1 else 0))
    return record(bytes((_FILLING,)) + bytes(digits) + bytes(length))


class _Blanked:
    """Writes a file anew, with fillings in the place of damaged parts."""

    def __init__(self, fillings: dict[Region, bytes]):
        self._fillings = fillings

    def __call__(self, old: BinaryIO, new: BinaryIO) -> None:
        at = 0
        for region, filling in self._fillings.items():
            _copy(old, new, at, region.begin)
            new.write(filling)
            at = region.end
        _copy(old, new, at, size_of(old))


def _copy(old: BinaryIO, new: BinaryIO, begin: int, end: int) -> None:
    old.seek(begin)
    while begin < end and (data := old.read(min(BLOCK, end - begin))):
        new.write(data)
        begin += len(data)
