"""What is in files, as (step, key, value): csv, TensorBoard's events, W&B's run files."""

import csv
import json
import struct
import sys
import types


def csv_rows(path, step, delimiter=","):
    """step: the column that holds it; None where rows are counted."""
    with open(path, newline="") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter=delimiter)):
            for key, cell in row.items():
                try:
                    yield (number if step is None else int(float(row[step]))), key, float(cell)
                except (TypeError, ValueError):
                    pass  # a cell that is empty, or cut off


def events(folder):
    """By TensorBoard's own reader, which leaves out a record that is cut off."""
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("notf"))  # it needs no TensorFlow
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    for path in sorted(folder.rglob("*tfevents*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                array = make_ndarray(value.tensor) if value.HasField("tensor") else None
                if array is not None and array.ndim == 0 and array.dtype.kind == "f":
                    yield event.step, value.tag, float(array)


def wandb_history(path):
    """A run file is a log of LevelDB with a header of 7 bytes; its records are W&B's own protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    for content in _leveldb_records(path.read_bytes(), 7):
        record = Record.FromString(content)
        for item in record.history.item:
            key = item.key or "/".join(item.nested_key)
            if not key.startswith("_"):
                yield record.history.step.num, key, json.loads(item.value_json)


def _leveldb_records(data, offset, block=32_768):
    """Records are cut into pieces (checksum, length, whole 1, first 2, middle 3, last 4) that stay within a block."""
    pieces = b""
    while offset + 7 <= len(data):
        room = block - offset % block
        if room < 7:
            offset += room
            continue
        length, kind = struct.unpack_from("<HB", data, offset + 4)
        piece = data[offset + 7 : offset + 7 + length]
        offset += 7 + length
        if kind not in (1, 2, 3, 4) or len(piece) < length:
            return  # the file ends here
        pieces = piece if kind in (1, 2) else pieces + piece
        if kind in (1, 4):
            yield pieces
