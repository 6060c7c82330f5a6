"""TensorBoard's event files: scalars and hyper-parameters. Texts, images and the like are passed over unread.

A row is what a file has of one step in a row: a tag that comes again begins the next one. All rows are kept, also
those that a later ``purge_step`` hides in TensorBoard.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy

from rla_hooks.query.foreign.parts import Problems, noting
from rla_hooks.rows.pieces import FileRows, Piece
from rla_hooks.smallfiles import open_regular
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.events import frame_head, record

_HEAD = struct.Struct("<Q4x")  # the length of a record, and the checksum of that
_CHECKSUM = 4  # bytes behind a record
_MAX_RECORD = 1 << 20  # bytes; scalars and hyper-parameters are small, and media are not read
_HPARAMS_WITHIN = 4 << 20  # bytes from the beginning of a file: they are written at the start
_HPARAMS = "hparams"
_START = "_hparams_/session_start_info"
_NAME = re.compile(r"tfevents\.(\d{9,10})\.")


class EventFiles:
    """The event files of one folder."""

    repeats_hparams = True

    def __init__(self, paths: Sequence[Path]):
        self.files = paths

    def rows(self, wanted: Sequence[str] | None, without: Collection[str], problems: Problems) -> list[FileRows]:
        plugins: dict[str, str] = {}  # of a tag, which only its first event names
        found = []
        for path in self.files:
            with noting(path, problems), open_regular(path) as file:
                found.append(_rows_of(file, None if wanted is None else {*wanted}, without, plugins))
        return found

    def hparams(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for path in self.files:
            with open_regular(path) as file:
                for event in _events(file, _HPARAMS_WITHIN):
                    for value in event.summary.value:
                        if value.tag == _START and value.metadata.plugin_data.plugin_name == _HPARAMS:
                            found |= _hparams_in(value.metadata.plugin_data.content)
        return found

    def started(self) -> float | None:
        """The time in the name of the first file."""
        times = [int(found[1]) for found in (_NAME.search(path.name) for path in self.files) if found]
        return float(min(times)) if times else None


def _rows_of(
    file: BinaryIO, wanted: Collection[str] | None, without: Collection[str], plugins: dict[str, str]
) -> FileRows:
    steps: list[int] = []
    times: list[float] = []
    values: dict[str, tuple[list[float], list[int]]] = {}  # of a tag: values, and their rows
    for event in _events(file):
        for value in event.summary.value:
            tag = value.tag
            if value.HasField("metadata"):
                plugins.setdefault(tag, value.metadata.plugin_data.plugin_name)
            if (wanted is not None and tag not in wanted) or tag in without:
                continue
            number = _scalar(value, plugins.get(tag, ""))
            if number is None:
                continue
            column, rows = values.setdefault(tag, ([], []))
            if not steps or event.step != steps[-1] or (rows and rows[-1] == len(steps) - 1):
                steps.append(event.step)
                times.append(event.wall_time)
            column.append(number)
            rows.append(len(steps) - 1)
    pieces = {
        STEP: Piece(numpy.array(steps, numpy.int64), None),
        TIME: Piece(numpy.array(times, numpy.float64), None),
    }
    for tag, (column, rows) in values.items():
        if tag not in pieces:
            whole = len(column) == len(steps)
            pieces[tag] = Piece(numpy.array(column, numpy.float64), None if whole else numpy.array(rows, numpy.int64))
    return FileRows([*pieces], len(steps), pieces, None)


def _events(file: BinaryIO, within: int | None = None) -> Iterator[Any]:
    """Yield the events of a file up to its end, or to where it is damaged or not yet written."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    length = os.fstat(file.fileno()).st_size
    while within is None or file.tell() < within:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        (size,) = _HEAD.unpack(head)
        if size > _MAX_RECORD:
            if head != frame_head(size) or size > length - file.tell():
                return
            file.seek(size + _CHECKSUM, os.SEEK_CUR)
            continue
        data = file.read(size + _CHECKSUM)
        if head + data != record(data[:size]):
            return
        try:
            event = Event.FromString(data[:size])
        except DecodeError:
            continue
        if event.HasField("summary"):
            yield event


def _scalar(value: Any, plugin: str) -> float | None:
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    if kind != "tensor" or plugin not in ("", "scalars"):
        return None
    tensor = value.tensor
    if any(dim.size != 1 for dim in tensor.tensor_shape.dim):  # the shape is believed below
        return None
    from tensorboard.util.tensor_util import make_ndarray

    try:
        array = make_ndarray(tensor)
    except (TypeError, ValueError, LookupError):  # LookupError: of a kind that TensorBoard does not know
        return None
    return float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "fiub" else None


def _hparams_in(content: bytes) -> dict[str, Any]:
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    try:
        found = HParamsPluginData.FromString(content).session_start_info.hparams
    except DecodeError as error:
        raise ValueError(f"hyper-parameters of TensorBoard are damaged: {error}") from error
    kinds = ("number_value", "string_value", "bool_value")
    given = {name: value.WhichOneof("kind") for name, value in found.items()}
    return {name: getattr(found[name], kind) if kind in kinds else None for name, kind in sorted(given.items())}
