"""Event files: each bit counts, half a record at the end may be a run that goes on, and readers get the rest back."""

from __future__ import annotations

import io
import os
import random

import pytest

from rla_hooks.upkeep.checking.events import blank, check_events
from rla_hooks.upkeep.checking.opening import Disk
from rla_hooks.writers.base import MediaEvent, Row, Tensor
from rla_hooks.writers.tensorboard_writer import TensorBoardWriter


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An event file of rows of two kinds, with a record that is larger than a block."""
    folder = tmp_path_factory.mktemp("events")
    writer = TensorBoardWriter(folder)
    for step in range(40):
        writer.write(Row(step, 1e9 + step, {"loss": step / 7} | ({"eval/return": 1.0} if step % 3 == 0 else {})))
        if step == 20:
            data = bytes(range(256)) * 4800
            writer.write(MediaEvent(step, 1e9, "big", Tensor("tensor", b"", 1, (len(data) // 4,), data)))
    writer.close()
    [path] = folder.iterdir()
    return path


def copy_of(written, tmp_path, data):
    path = tmp_path / written.name
    path.write_bytes(data)
    return path


def mended(found, path):
    new = io.BytesIO()
    with open(path, "rb") as old:
        found.mend.write(old, new)
    return new.getvalue()


def test_whole_files_are_whole(written, tmp_path):
    """Of our writer, and of TensorBoard's own."""
    assert check_events(written, Disk()) == []
    record_writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    path = tmp_path / "events.out.tfevents.1"
    with open(path, "wb") as file:
        for size in (0, 1, 7, 100, 3 << 20):
            record_writer.RecordWriter(file).write(b"x" * size)
    assert check_events(path, Disk()) == []
    data = bytearray(path.read_bytes())
    data[200] ^= 4
    path.write_bytes(data)
    assert len(check_events(path, Disk())) == 1


def test_each_flipped_bit_is_found_and_the_other_records_are_read_again(written, tmp_path, read_scalars):
    """In lengths, their checksums, data, and theirs; only the damaged record is missing then, and no byte has moved."""
    good, chosen = written.read_bytes(), random.Random(0)
    places = [*range(40), *(chosen.randrange(len(good)) for _ in range(40)), *range(len(good) - 20, len(good))]
    for place in places:
        data = bytearray(good)
        data[place] ^= 1 << chosen.randrange(8)
        path = copy_of(written, tmp_path, data)
        [found] = check_events(path, Disk())
        assert found.is_damage and found.position <= place
        again = mended(found, path)
        path.write_bytes(again)
        assert check_events(path, Disk()) == []
    data = bytearray(good)
    for at in (400, 900, len(data) - 300):
        data[at] ^= 1
    path = copy_of(written, tmp_path, data)
    before = len(read_scalars(tmp_path)["loss"])
    [found] = check_events(path, Disk(), noted=len(data))
    path.write_bytes(mended(found, path))
    assert before < 15 and len(read_scalars(tmp_path)["loss"]) == 37 and path.stat().st_size == len(good)


def test_a_torn_end(written, tmp_path):
    """Of a run that goes on it is the record at hand; of another one it is cut off, or blanked if bytes count on it."""
    good = written.read_bytes()
    for missing in (1, 30, 70):
        path = copy_of(written, tmp_path, good[:-missing])
        assert check_events(path, Disk(), is_live=True) == []
        [found] = check_events(path, Disk())
        assert "torn" in found.problem and mended(found, path) == good[: found.position]
        [found] = check_events(path, Disk(), noted=len(good))
        assert len(good) - missing - found.position < 18 or len(mended(found, path)) == len(good) - missing


def test_lost_events_are_told(written, tmp_path):
    """A file that ends with a whole record, and had more bytes when a checkpoint was saved."""
    good = written.read_bytes()
    [found] = check_events(written, Disk(), noted=len(good) + 1)
    assert "events are missing" in found.problem and found.mend is None
    assert check_events(written, Disk(), noted=len(good)) == []


@pytest.mark.skipif(os.name != "posix", reason="sparse files")
def test_what_is_no_event_file(tmp_path):
    """Text, NULs, a terabyte of nothing, and a length that is beyond all bounds: told, and over soon."""
    for data in (b"x" * 5000, bytes(100_000), b"\xff" * 64, b"short"):
        path = tmp_path / "events.out.tfevents.1"
        path.write_bytes(data)
        [found] = check_events(path, Disk())
        assert found.mend is None and found.position == 0 and "no event file" in found.problem
    os.truncate(path, 1 << 40)
    [found] = check_events(path, Disk())
    assert found.mend is None
    path.write_bytes(b"")
    assert check_events(path, Disk()) == []


def test_blanks_are_events_that_hold_nothing():
    """Of each size, for TensorBoard's own reader."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    for size in [*range(18, 300), *range(16_390, 16_420), 1 << 21]:
        data = blank(size)
        assert len(data) == size
        event = event_pb2.Event.FromString(data[12:-4])
        assert event.WhichOneof("what") is None and event.step == 0
