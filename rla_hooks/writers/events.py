"""The event file format of TensorBoard.

A file is a sequence of records (TensorFlow's ``record_writer.h``): length (uint64), masked CRC-32C of the length,
data, masked CRC-32C of the data. The data of each record is one ``Event`` message. Field numbers are those of
``event.proto``, ``summary.proto``, ``tensor.proto`` and of the hparams plugin's ``plugin_data.proto`` and
``api.proto``; both projects keep them for ever. The scalars of a dump are one event: only their values, the step and
the time change from dump to dump, so the rest of the bytes is made once for each set of keys.
"""

from __future__ import annotations

import functools
import math
import os
import struct
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from google_crc32c import value as crc32c

from rla_hooks.writers.base import Audio, Ending, Graph, Histogram, HParams, Image, MediaEvent, RawSummary, Tensor, Text
from rla_hooks.writers.protobuf import delimited, double, float32, integer, packed_doubles, varint

_pack_crc = struct.Struct("<I").pack
_LENGTH = struct.Struct("<Q")
_FRAME_HEAD, _FRAME = 12, 16  # bytes before the data of a record, and around it
_DT_FLOAT, _DT_STRING = 1, 7  # types.proto
_LARGEST = (1 << 63) - 1  # of the steps
_SESSION_START = 1  # SessionLog.START
START_RECORDS = 2  # those of file_start


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    return _pack_crc((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF)


@functools.lru_cache(maxsize=1024)
def frame_head(size: int) -> bytes:
    """What stands before the data of a record: its length, and the checksum of that."""
    length = _LENGTH.pack(size)
    return length + _masked_crc(length)


def record(data: bytes) -> bytes:
    """Frame the data of one event."""
    return b"".join((frame_head(len(data)), data, _masked_crc(data)))


def file_version(time: float) -> bytes:
    """The first record of every event file."""
    return record(double(1, time) + delimited(3, "brain.Event:2"))


def file_start(time: float, forget: bool = False) -> bytes:
    """The first records of every event file: its version, and the event that a session starts.

    The loader that TensorBoard has in Python drops the values from the step of such an event on, unless it is the
    first one of the run that it sees; ``EventAccumulator`` does so in any case, and the default loader never. So this
    event has a step beyond all others and drops nothing. forget: it has the smallest one and drops all, since this
    file holds what is left of those before it.
    """
    start = (
        double(1, time) + integer(2, -_LARGEST - 1 if forget else _LARGEST) + delimited(7, integer(1, _SESSION_START))
    )
    return file_version(time) + record(start)


def whole_records(file: BinaryIO) -> int:
    """Go over the whole records from the file's position, to where the last one ends, and return their number."""
    size = os.fstat(file.fileno()).st_size
    records, end = 0, file.tell()
    while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
        after = end + _LENGTH.unpack(head)[0] + _FRAME
        if after > size:
            break
        records, end = records + 1, after
        file.seek(end)
    file.seek(end)
    return records


class ScalarLayout:
    """Makes the record of a dump for one set of keys.

    All of it that stays the same is at hand: a record is one packing and one checksum.
    """

    def __init__(self, keys: Sequence[str]):
        heads = []
        for key in keys:
            tag = delimited(1, key)
            heads.append(b"\x0a" + varint(len(tag) + 5) + tag + b"\x15")  # Summary.value { tag, simple_value: 4 bytes }
        size = sum(len(head) + 4 for head in heads)
        self._heads = b"\x2a" + varint(size), *heads  # Event.summary
        self._frames: dict[int, tuple[list[Any], Callable[..., bytes]]] = {}  # by the bytes of the step

    def record(self, step: int, time: float, values: list[Any]) -> bytes:
        """Return the record of a dump. Raises TypeError for a text."""
        steps = varint(step)
        try:
            parts, pack = self._frames[len(steps)]
        except KeyError:
            parts, pack = self._frames[len(steps)] = self._frame(len(steps))
        parts = parts.copy()
        parts[1], parts[3], parts[6::2] = time, steps, values
        try:
            data = pack(*parts)
        except (OverflowError, struct.error):
            parts[6::2] = map(_as_float32, parts[6::2])
            data = pack(*parts)
        crc = crc32c(data[_FRAME_HEAD:])
        return data + _pack_crc((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF)  # as _masked_crc, without the call

    def _frame(self, steps: int) -> tuple[list[Any], Callable[..., bytes]]:
        """Return the parts of a record, with gaps for what changes, and what packs them."""
        summary, *heads = self._heads
        size = 1 + 8 + 1 + steps + len(summary) + sum(len(head) + 4 for head in heads)
        parts: list[Any] = [frame_head(size) + b"\x09", 0.0, b"\x10", b"", summary]  # Event.wall_time, Event.step
        formats = ["<13sd1s", f"{steps}s", f"{len(summary)}s"]
        for head in heads:
            parts += [head, 0.0]
            formats.append(f"{len(head)}sf")
        return parts, struct.Struct("".join(formats)).pack


def _as_float32(value: float) -> float:
    """What a C compiler makes of the value: infinity beyond the range of float32 (3.4e38)."""
    if isinstance(value, str):  # also of one that float() would read
        raise TypeError(f"{value!r} is no number")
    try:
        return float(struct.unpack("<f", struct.pack("<f", float(value)))[0])
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def media_record(event: MediaEvent) -> bytes:
    """The record of an image, a text, a histogram, a sound, an array, a graph, or of the HParams tab."""
    head = double(1, event.time) + integer(2, event.step)
    if isinstance(event.content, Graph):
        return record(head + delimited(4, event.content.definition))
    if isinstance(event.content, RawSummary):
        return record(head + delimited(5, event.content.message))
    return record(head + delimited(5, summary_message(event.tag, event.content)))


def summary_message(tag: str, content: Image | Text | Histogram | HParams | Ending | Audio | Tensor) -> bytes:
    """Return the ``Summary`` message of a single value, serialised."""
    return delimited(1, _summary_value(tag, content))


def _summary_value(tag: str, content: Image | Text | Histogram | HParams | Ending | Audio | Tensor) -> bytes:
    if isinstance(content, Image):
        image = integer(1, content.height) + integer(2, content.width) + integer(3, 4) + delimited(4, content.png)
        return delimited(1, tag) + delimited(4, image)
    if isinstance(content, Text):
        tensor = integer(1, _DT_STRING) + delimited(2, delimited(2, integer(1, 1))) + delimited(8, content.markdown)
        return delimited(1, tag) + delimited(8, tensor) + delimited(9, _plugin("text"))
    if isinstance(content, Histogram):
        return delimited(1, tag) + delimited(5, _histogram(content))
    if isinstance(content, Audio):
        sound = float32(1, content.rate) + integer(2, 1) + integer(3, content.samples) + delimited(4, content.wav)
        return delimited(1, tag) + delimited(6, sound + delimited(5, "audio/wav"))
    if isinstance(content, Tensor):
        shape = b"".join(delimited(2, integer(1, size)) for size in content.shape)
        data = delimited(8 if content.dtype == _DT_STRING else 4, content.data)
        tensor = integer(1, content.dtype) + delimited(2, shape) + data
        return delimited(1, tag) + delimited(8, tensor) + delimited(9, _plugin(content.plugin, content.about))
    return _hparams_value(content)


def _histogram(content: Histogram) -> bytes:
    *numbers, limits, counts = content  # in the order of HistogramProto's fields
    moments = b"".join(double(field, number) for field, number in enumerate(numbers, 1))
    return moments + packed_doubles(6, limits) + packed_doubles(7, counts)


def _plugin(name: str, content: bytes = b"") -> bytes:
    """SummaryMetadata that hands a value to a plugin."""
    return delimited(1, delimited(1, name) + (delimited(2, content) if content else b""))


def _hparams_value(content: HParams | Ending) -> bytes:
    if isinstance(content, HParams):
        tag = "_hparams_/session_start_info"
        values = {key: _struct_value(value) for key, value in content.values.items()}
        entries = (delimited(1, delimited(1, key) + delimited(2, value)) for key, value in values.items())
        data = delimited(3, b"".join(entries) + double(5, content.started))
    else:
        tag = "_hparams_/session_end_info"
        status = 1 if content.success else 2  # STATUS_SUCCESS, STATUS_FAILURE
        data = delimited(4, integer(1, status) + double(2, content.ended))
    empty = integer(1, _DT_FLOAT) + delimited(2, b"") + float32(5, 0.0)
    return delimited(1, tag) + delimited(8, empty) + delimited(9, _plugin("hparams", data))


def _struct_value(value: bool | float | str) -> bytes:
    """google.protobuf.Value"""
    if isinstance(value, bool):
        return integer(4, value)
    if isinstance(value, str):
        return delimited(3, value)
    return double(2, value)
