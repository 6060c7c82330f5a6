"""Every output format keeps every row, and other programs read it."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import os
import pickle
import re
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pandas
import pytest

from rla_hooks import layout
from rla_hooks.errors import RLAWarning
from rla_hooks.writers import WRITERS, make_writers
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import Ending, Histogram, HParams, Image, MediaEvent, Row, Text
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.events import ScalarLayout, file_start
from rla_hooks.writers.human_writer import LogWriter, StdoutWriter, table
from rla_hooks.writers.tensorboard_writer import TensorBoardWriter, new_name

pytestmark = pytest.mark.usefixtures("formatter")
OF_ROWS = [name for name in WRITERS if name not in ("warn", "backup")]  # those have messages only
ON_DISK = [name for name in OF_ROWS if name != "stdout"]
ODD_KEYS = [
    *[
        "a/b",
        "a,b",
        'a"b',
        '"',
        "a b",
        " a ",
        "a\nb",
        "a\r\nb",
        "a\rb",
        "诗/损失",
        "\udc80",
        "a\0b",
        "",
        "#a",
        "=1+1",
        "🙂",
    ]
]


@pytest.fixture
def read_steps(run_paths, read_rows, read_scalars, capfd):
    """Read the steps of the rows that a writer holds, in the order of the file."""
    shown = []  # what capfd gives once

    def read(name: str) -> list[int]:
        if name == "csv":
            return [int(row["time-step"]) for row in read_rows(run_paths.progress_csv)]
        if name == "tensorboard":
            return [step for step, _ in read_scalars(run_paths.tensorboard_dir)["loss"]]
        if name == "json":
            text = (run_paths.log_dir / "progress.json").read_text()
            return [json.loads(line)["time-step"] for line in text.splitlines()]
        shown.append(capfd.readouterr().out)
        text = run_paths.log_txt.read_text() if name == "log" else "".join(shown)
        return [int(step) for step in re.findall(r"\| time-step +\| (-?\d+)", text)]

    return read


def _writer(name, paths, rate=math.inf):
    return make_writers([name], paths, rate)[0]


def _row(step=0, time=1000.0, **values):
    return Row(step, time, values or {"loss": step / 2})


# --- all writers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_stay_in_order_also_where_steps_repeat_or_go_back(name, run_paths, read_steps):
    """Every row is kept as it came, whatever its step."""
    writer = _writer(name, run_paths)
    steps = [5, 5, 0, -1, -(2**62), 2**62, 127, 128, 300]
    for step in steps:
        assert writer.write(_row(step)) is True
    assert read_steps(name) == steps, "handed to the system before write returns"
    assert writer.name == name


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_closed_or_new_writer_appends(name, run_paths, read_steps):
    """A second close does nothing, a write afterwards opens again, and so does a further writer."""
    first = _writer(name, run_paths)
    first.write(_row(1))
    first.close()
    first.close()
    first.write(_row(2))
    first.close()
    second = _writer(name, run_paths)
    second.write(_row(3))
    first.write(_row(4))
    second.write(_row(5))
    assert read_steps(name) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda writer: pickle.loads(pickle.dumps(writer))])
@pytest.mark.parametrize("name", OF_ROWS)
def test_a_copy_appends_to_the_same_place_while_the_original_goes_on(name, clone, run_paths, read_steps):
    """Copies and original take turns, also after a copy has brought a new key."""
    writer = _writer(name, run_paths)
    writer.write(_row(0))
    other = clone(writer)
    for step in range(1, 9, 2):
        other.write(_row(step, loss=1.0, **{f"late{step}": 1.0}))
        writer.write(_row(step + 1))
    other.close()
    writer.write(_row(9))
    assert read_steps(name) == list(range(10))


@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_with_odd_keys_and_values_are_written(name, run_paths, read_steps):
    """No key and no value hinders a row."""
    writer = _writer(name, run_paths)
    values = [math.nan, math.inf, -math.inf, -0.0, 1e300, -1e300, 5e-324, 10**400, -(2**63), 'x,"\n\0\udc80诗', ""]
    for step, key in enumerate(ODD_KEYS):
        writer.write(Row(step, 0.0, {"loss": values[step % len(values)], key: 1}))
    writer.write(Row(99, 0.0, dict.fromkeys(["loss", *ODD_KEYS], 2)))
    expected = [*range(len(ODD_KEYS)), 99]
    if name == "tensorboard":
        expected = [step for step in expected if type(values[step % len(values)]) is not str or step == 99]
    assert read_steps(name) == expected


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_writer_makes_no_file_before_its_first_row_and_works_in_odd_folders(name, weird_tmp_path, capfd):
    """Nothing lies in a run that logs nothing; blanks, quotes and newlines in a path are harmless."""
    paths = layout.create(weird_tmp_path, "task", {})
    before = set(weird_tmp_path.rglob("*"))
    writer = _writer(name, paths)
    writer.close()
    assert set(weird_tmp_path.rglob("*")) == before
    writer.write(_row())
    assert len(set(weird_tmp_path.rglob("*")) - before) == (name in ON_DISK)


@pytest.mark.parametrize("name", ON_DISK)
def test_a_writer_raises_oserror_where_it_cannot_write_and_works_again(name, run_paths, read_steps):
    """A folder that is gone and comes back costs the rows between, nothing else."""
    away = run_paths.log_dir.with_name("away")
    run_paths.log_dir.rename(away)
    writer = _writer(name, run_paths)
    for step in range(2):
        with pytest.raises(OSError):
            writer.write(_row(step))
    away.rename(run_paths.log_dir)
    writer.write(_row(2))
    assert read_steps(name) == [2]


@pytest.mark.parametrize("name", ON_DISK)
def test_a_deleted_file_is_made_anew(name, run_paths, read_steps):
    """Someone who deletes the files of a running training gets the rows from then on, not rows into nothing."""
    writer, other = _writer(name, run_paths), _writer(name, run_paths)
    writer.write(_row(0, time=1000.0))
    other.write(_row(1, time=1000.01))
    for path in run_paths.log_dir.rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.warns(RLAWarning, match="was deleted") if name == "csv" else contextlib.nullcontext():
        for step in range(2, 6):  # rows come without a pause: 60 ms apart
            writer.write(_row(step, time=999.96 + step * 0.06))
            other.write(_row(step, time=999.97 + step * 0.06))
    held = read_steps(name)
    assert held[-2:] == [5, 5]
    assert len(held) >= 6, "at most a tenth of a second is lost"
    if name != "tensorboard":
        assert held == [2, 2, 3, 3, 4, 4, 5, 5]


def _open_numbers():
    """The descriptors that this process has open."""
    found = set()
    for number in map(int, os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):  # that of the listing itself
            os.fstat(number)
            found.add(number)
    return found


@pytest.mark.skipif(os.name == "nt", reason="its numbers of files are others")
@pytest.mark.parametrize("taken", [True, False], ids=["another file has its number", "closed"])
@pytest.mark.parametrize("name", ON_DISK)
def test_a_file_that_the_program_has_closed_is_opened_again(name, taken, run_paths, read_steps, tmp_path):
    """Programs that become a daemon close all numbers: the user's next file gets one, and keeps it."""
    before = _open_numbers()
    writer = _writer(name, run_paths)
    writer.write(_row(0, time=1000.0))
    numbers = _open_numbers() - before  # only those: the numbers between may be others', such as fonts of matplotlib
    for number in numbers:
        os.close(number)
    theirs = []
    for number in numbers if taken else ():
        file = os.open(tmp_path / f"theirs-{number}", os.O_RDWR | os.O_CREAT)
        theirs.append(os.dup2(file, number) if file != number else file)
        if file != number:
            os.close(file)
    with (
        pytest.warns(RLAWarning, match="was deleted|has closed")
        if name in ("csv", "tensorboard")
        else contextlib.nullcontext()
    ):
        for step in range(1, 6):
            with contextlib.suppress(OSError):  # the logger counts such a row as missing
                writer.write(_row(step, time=1000.0 + step * 0.2))
    assert read_steps(name)[-4:] == [2, 3, 4, 5] and read_steps(name)[0] == 0
    assert all(os.fstat(number).st_size == 0 for number in theirs)
    writer.close()
    for number in theirs:
        os.close(number)  # still open: nobody else has closed it


@pytest.mark.parametrize("name", ["csv", "stdout", "log", "json"])
def test_what_a_format_cannot_show_is_passed_over(name, run_paths, capfd):
    """Pictures are for TensorBoard; the others say that they wrote nothing."""
    assert _writer(name, run_paths).write(MediaEvent(0, 0.0, "figure", Text("hello"))) is False
    assert capfd.readouterr().out == ""
    assert not run_paths.progress_csv.exists() and not run_paths.log_txt.exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
@pytest.mark.parametrize("name", ON_DISK)
def test_copies_that_nobody_closes_leave_no_file_open(name, run_paths):
    """Frameworks copy callbacks at will; a thousand forgotten copies must not use up the files of a process."""
    writer = _writer(name, run_paths)
    writer.write(_row())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        copy.deepcopy(writer).write(_row())
    assert len(os.listdir("/proc/self/fd")) == before
    writer.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


# --- csv ------------------------------------------------------------------------------------------------------------


def test_csv_values_read_back_bit_equal(run_paths, read_rows):
    """Floats, NaN, infinities, whole numbers of any size and strings come back as they were, in csv and pandas."""
    writer = CsvWriter(run_paths.progress_csv)
    floats = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, math.nan, math.inf, -math.inf, 1e22, 123456789.12345679]
    for step, value in enumerate(floats):
        writer.write(Row(step, 1767225600.25, {"f": value, "i": -(10**30), "s": ' ,"\n诗 '}))
    rows = read_rows(run_paths.progress_csv)
    assert [struct.pack("d", float(row["f"])) for row in rows] == [struct.pack("d", value) for value in floats]
    rest = (str(-(10**30)), ' ,"\n诗 ', "1767225600.25")
    assert {(row["i"], row["s"], row["timestamp"]) for row in rows} == {rest}
    frame = pandas.read_csv(run_paths.progress_csv, converters={"f": float})
    pandas.testing.assert_series_equal(frame["f"], pandas.Series(floats, name="f"), check_exact=True)
    assert list(frame["s"]) == [' ,"\n诗 '] * len(floats)


def test_csv_keys_read_back_and_keep_their_column_when_the_file_is_opened_again(run_paths, read_rows):
    """Every key heads one column, whatever it is made of; NUL and lone surrogates stand there as escapes."""
    for value in (1, 2):  # the second writer must find the columns of the first
        CsvWriter(run_paths.progress_csv).write(Row(0, 0.0, dict.fromkeys(ODD_KEYS, value)))
    shown = {"\udc80": "\\udc80", "a\0b": "a\\0b"}
    columns = [shown.get(key, key) for key in ODD_KEYS]
    rows = read_rows(run_paths.progress_csv)
    assert [list(row) for row in rows] == [["time-step", "timestamp", *columns]] * 2
    assert [row["a,b"] for row in rows] == ["1", "2"]
    assert pandas.read_csv(run_paths.progress_csv).shape == (2, 2 + len(ODD_KEYS))


def test_csv_sets_of_keys_may_alternate(run_paths, read_rows):
    """Each value stands under its key; once all columns are known the file is not copied any more."""
    writer = CsvWriter(run_paths.progress_csv)
    writer.write(Row(0, 0.0, {"a": 0, "b": 0}))
    writer.write(Row(1, 0.0, {"c": 1}))
    inode = run_paths.progress_csv.stat().st_ino
    for step in range(2, 600):  # more orders than are remembered
        writer.write(Row(step, 0.0, {"c": step} if step % 2 else {"b": step, "a": -step}))
    assert run_paths.progress_csv.stat().st_ino == inode
    rows = [{key: row[key] for key in row if key in "abc"} for row in read_rows(run_paths.progress_csv)]
    assert rows[:2] == [{"a": "0", "b": "0"}, {"c": "1"}]
    assert rows[2:] == [{"c": str(n)} if n % 2 else {"a": str(-n), "b": str(n)} for n in range(2, 600)]


def test_csv_many_sets_of_keys_are_planned_again_and_not_kept(run_paths, read_rows):
    """Keys that never come again cost a plan, not memory."""
    writer = CsvWriter(run_paths.progress_csv)
    keys = [str(n) for n in range(10)]
    writer.write(Row(0, 0.0, dict.fromkeys(keys, 0)))
    sets = [[key for bit, key in enumerate(keys) if mask >> bit & 1] for mask in range(1, 600)]
    for names in sets:
        writer.write(Row(0, 0.0, dict.fromkeys(names, 1)))
    assert len(writer._table.open.plans) <= 256
    assert [list(row)[2:] for row in read_rows(run_paths.progress_csv)[1:]] == sets


def test_csv_late_key_costs_one_copy_and_changes_no_row(run_paths):
    """After 100,000 rows the header grows, and the bytes of every row stay."""
    body = b"".join(b"%d,1.5,%d.25\n" % (n, n) for n in range(100_000))
    run_paths.progress_csv.write_bytes(b"time-step,timestamp,a\n" + body)
    writer = CsvWriter(run_paths.progress_csv)
    writer.write(Row(100_000, 2.0, {"late, key": 1.5, "a": 0.5}))
    tail = b"100000,2.0,0.5,1.5\n"
    assert run_paths.progress_csv.read_bytes() == b'time-step,timestamp,a,"late, key"\n' + body + tail
    assert pandas.read_csv(run_paths.progress_csv)["late, key"].count() == 1
    assert not list(run_paths.log_dir.glob(".*")), "no temporary file stays"


def test_csv_of_the_original_rla_is_continued(run_paths):
    """Its header is sorted and knows no quotes; a quote within a cell is a character, so no row is taken for torn."""
    old = 'a,b,time-step,timestamp\n1.0,5"pipe,0,10.0\n,,1,11.0\n'
    run_paths.progress_csv.write_text(old)
    writer = CsvWriter(run_paths.progress_csv)
    writer.write(Row(2, 12.0, {"b": 2, "a": 1}))
    assert run_paths.progress_csv.read_text() == old + "1,2,2,12.0\n"
    writer.write(Row(3, 13.0, {"c": 1}))
    frame = pandas.read_csv(run_paths.progress_csv)
    assert list(frame.columns) == ["a", "b", "time-step", "timestamp", "c"]
    assert list(frame["time-step"]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "torn", ["1", "1,2.5", '1,2.5,"a', '1,2.5,"a\n', '1,2.5,"a\nb,""\n', '1,2.5,"a""\n', "\0\0\0", "1,2.5,a\r"]
)
def test_csv_torn_row_is_cut_back(torn, run_paths):
    """A power cut in the middle of a row costs that row; the newline of a quoted cell is no end of a row."""
    whole = b'time-step,timestamp,"s\n1"\n0,1.5,"x\ny"\n'
    run_paths.progress_csv.write_bytes(whole + torn.encode())
    with pytest.warns(RLAWarning, match="torn row"):
        CsvWriter(run_paths.progress_csv).write(Row(2, 3.0, {"s\n1": "z"}))
    assert run_paths.progress_csv.read_bytes() == whole + b"2,3.0,z\n"
    assert (run_paths.log_dir / "progress.torn-1.txt").read_bytes() == torn.encode()


@pytest.mark.parametrize("torn", [b"time-step,times", b'time-step,"a\n'])
def test_csv_torn_header_is_written_anew(torn, run_paths):
    """A header without its end heads nothing."""
    run_paths.progress_csv.write_bytes(torn)
    with pytest.warns(RLAWarning, match="torn row"):
        CsvWriter(run_paths.progress_csv).write(Row(2, 3.0, {"a": 1}))
    assert run_paths.progress_csv.read_text() == "time-step,timestamp,a\n2,3.0,1\n"


# --- TensorBoard ----------------------------------------------------------------------------------------------------


def test_tensorboard_values_are_those_of_float32(run_paths, read_scalars):
    """What float32 cannot hold becomes infinite, as in C; NaN and infinities survive; strings stay out."""
    big = 3.4028234663852886e38
    values = [0.1, -0.0, math.nan, math.inf, -math.inf, 1e39, -1e39, 10**400, -(10**400), big, 1e-50, 7, 2**24 + 1]
    writer = TensorBoardWriter(run_paths.tensorboard_dir)
    for step, value in enumerate(values):
        writer.write(Row(step, 0.0, {"name": "text", "v": value}))
    assert writer.write(Row(0, 0.0, {"name": "only text"})) is False
    inf = math.inf
    exact = [float(np.float32(0.1)), -0.0, math.nan, inf, -inf, inf, -inf, inf, -inf, big, 0.0, 7, 2**24]
    scalars = read_scalars(run_paths.tensorboard_dir)
    assert list(scalars) == ["v"]
    assert [repr(value) for _, value in scalars["v"]] == [repr(float(value)) for value in exact]


def test_tensorboard_tags_steps_and_times_are_exact(run_paths, read_events):
    """Tags of every kind; a step beyond int64 is the nearest one, since a longer number would spoil the whole file."""
    writer = TensorBoardWriter(run_paths.tensorboard_dir)
    steps = [0, -1, 2**31, 2**63 - 1, -(2**63), 2**63, 10**30, -(10**30)]
    for step in steps:
        writer.write(Row(step, 1767225600.123456, dict.fromkeys(ODD_KEYS, 1.0)))
    first, *events = read_events(run_paths.tensorboard_dir)
    assert first.file_version == "brain.Event:2"
    assert [event.step for event in events] == [*steps[:5], 2**63 - 1, 2**63 - 1, -(2**63)]
    assert {event.wall_time for event in events} == {1767225600.123456}
    assert [value.tag for value in events[0].summary.value] == ["\\udc80" if k == "\udc80" else k for k in ODD_KEYS]


def test_tensorboard_shows_images_texts_histograms_and_hparams(run_paths, read_events):
    """The records are those of TensorFlow's and the plugins' own protocol buffers."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    writer = TensorBoardWriter(run_paths.tensorboard_dir)
    contents = [
        Image(b"\x89PNG", 30, 20),
        Text("| 诗 | \udc80 |"),
        Histogram(-1.0, 4.0, 3, 3.5, 17.25, [0.0, 5.0], [1.0, 2.0]),
        HParams({"lr": 0.1, "on": True, "off": False, "env": "ALE/Pong 诗", "none": math.nan}, 10.5),
        Ending(True, 11.5),
        Ending(False, 12.5),
    ]
    for step, content in enumerate(contents):
        writer.write(MediaEvent(step + 200, 5.0, "the tag", content))
    events = read_events(run_paths.tensorboard_dir)[1:]
    assert [(event.step, event.wall_time) for event in events] == [(step + 200, 5.0) for step in range(6)]
    image, text, histogram, *hparams = (event.summary.value[0] for event in events)
    assert {image.tag, text.tag, histogram.tag} == {"the tag"}
    assert (image.image.encoded_image_string, image.image.width, image.image.height) == (b"\x89PNG", 30, 20)
    assert (text.tensor.string_val[0].decode(), text.metadata.plugin_data.plugin_name) == ("| 诗 | \\udc80 |", "text")
    assert [dim.size for dim in text.tensor.tensor_shape.dim] == [1] and text.tensor.dtype == 7
    histo = histogram.histo
    assert (histo.min, histo.max, histo.num, histo.sum, histo.sum_squares) == (-1.0, 4.0, 3.0, 3.5, 17.25)
    assert (list(histo.bucket_limit), list(histo.bucket)) == ([0.0, 5.0], [1.0, 2.0])
    assert {value.metadata.plugin_data.plugin_name for value in hparams} == {"hparams"}
    start, good, bad = (HParamsPluginData.FromString(value.metadata.plugin_data.content) for value in hparams)
    given = start.session_start_info.hparams
    assert (given["lr"].number_value, given["on"].bool_value, given["off"].bool_value) == (0.1, True, False)
    assert given["off"].WhichOneof("kind") == "bool_value" and given["env"].string_value == "ALE/Pong 诗"
    assert math.isnan(given["none"].number_value) and start.session_start_info.start_time_secs == 10.5
    ends = [message.session_end_info for message in (good, bad)]
    assert [(end.status, end.end_time_secs) for end in ends] == [(1, 11.5), (2, 12.5)]
    assert hparams[0].tag == "_hparams_/session_start_info" and hparams[1].tag == "_hparams_/session_end_info"


def test_tensorboard_own_readers_show_text_histogram_and_image(run_paths):
    """TensorBoard's accumulator, which migrates old summaries, finds each kind under its tab."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = TensorBoardWriter(run_paths.tensorboard_dir)
    writer.write(MediaEvent(1, 0.0, "i", Image(b"png", 3, 2)))
    writer.write(MediaEvent(1, 0.0, "t", Text("hello")))
    writer.write(MediaEvent(1, 0.0, "h", Histogram(0, 1, 1, 1, 1, [2.0], [1.0])))
    reader = EventAccumulator(str(run_paths.tensorboard_dir))
    tags = reader.Reload().Tags()
    assert (tags["images"], tags["tensors"], tags["histograms"]) == (["i"], ["t"], ["h"])


def test_tensorboard_starts_a_file_at_each_opening_and_names_sort_by_time(run_paths, monkeypatch):
    """TensorBoard reads the files of a folder in the order of names, so a later opening has a later name."""
    times = [1_700_000_000_999_999_999, 1_700_000_001_000_000_000, 1_700_000_001_000_000_001]
    for pid, now in zip((9999, 10, 9), times):  # a smaller process id, later in the same second
        monkeypatch.setattr("time.time_ns", lambda now=now: now)
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        TensorBoardWriter(run_paths.tensorboard_dir).write(_row())
    files = sorted(run_paths.tensorboard_dir.iterdir())
    assert [".9999." in files[0].name, ".10." in files[1].name, ".9." in files[2].name] == [True] * 3


@pytest.mark.parametrize(
    "there", ["events.out.tfevents.1700000100.000000005.host.1.0", "events.out.tfevents.1700000100.h.1.0"]
)
def test_tensorboard_reads_a_file_after_those_that_are_there_also_if_the_clock_was_set_back(there, run_paths):
    """The name comes after that of our own file, and of one that PyTorch has written in the same second."""
    folder = run_paths.tensorboard_dir
    (folder / there).touch()
    (folder / "events.out.tfevents.other").touch()
    for now in (1_600_000_000 * 10**9, 1_700_000_100 * 10**9):
        assert there < new_name(str(folder), now) < "events.out.tfevents.1700000102"
    assert new_name(str(folder), 1_700_000_200 * 10**9 + 7).startswith("events.out.tfevents.1700000200.000000007.")


@pytest.mark.parametrize("forget", [False, True])
def test_tensorboard_a_file_starts_with_its_version_and_the_start_of_a_session(forget, tmp_path):
    """Of TensorBoard's own messages; the accumulator drops nothing that another file holds, or all of it."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    (tmp_path / "events").write_bytes(file_start(12.5, forget))
    version, start = map(Event.FromString, RawEventFileLoader(str(tmp_path / "events")).Load())
    assert (version.file_version, version.wall_time, start.wall_time) == ("brain.Event:2", 12.5, 12.5)
    assert start.session_log == SessionLog(status=SessionLog.START)
    assert start.step == (-(2**63) if forget else 2**63 - 1)


def test_tensorboard_a_second_file_hides_nothing_of_the_first(run_paths, read_scalars):
    """As that of an evaluation beside the training, whose steps are smaller."""
    for step, key in ((1000, "loss"), (10, "eval")):
        TensorBoardWriter(run_paths.tensorboard_dir).write(Row(step, 1.0, {key: 0.5}))
    assert read_scalars(run_paths.tensorboard_dir) == {"loss": [(1000, 0.5)], "eval": [(10, 0.5)]}


def test_tensorboard_layouts_of_keys_that_never_come_again_are_not_kept(run_paths):
    """Keys without end cost time, not memory."""
    writer = TensorBoardWriter(run_paths.tensorboard_dir)
    for n in range(600):
        writer.write(Row(n, 0.0, {str(n): 1.0}))
    assert len(writer._layouts) <= 256


def test_a_record_holds_what_protobuf_would_write():
    """The hand-made event equals the one of the protobuf runtime, and the checksums hold."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    record = ScalarLayout(["a", "诗" * 100]).record(300, 12.5, [1.5, -2])
    event = Event(wall_time=12.5, step=300)
    event.summary.value.add(tag="a", simple_value=1.5)
    event.summary.value.add(tag="诗" * 100, simple_value=-2.0)
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    crcs = [struct.pack("<I", masked_crc32c(part)) for part in (length, data)]
    assert record == length + crcs[0] + data + crcs[1]


# --- stdout and log.txt ---------------------------------------------------------------------------------------------


def test_tables_are_aligned_also_with_chinese():
    """Chinese characters take two columns; odd characters are shown as escapes, long texts are cut in the middle."""
    from rich.cells import cell_len

    lines = table(Row(3, 0.0, {"损失": 0.5, "a\nb\t\0": "诗\udc80", "k" * 100: "v" * 100, "n": 2**70})).splitlines()
    assert len({cell_len(line) for line in lines}) == 1
    assert lines[2].replace(" ", "") == "|损失|0.5|"
    assert lines[3].replace(" ", "") == "|a\\nb\\t\\x00|诗\\x80|"
    assert lines[4] == f"| {'k' * 30}…{'k' * 29} | {'v' * 30}…{'v' * 29} |"
    plain = "-" * 21 + "\n| time-step | 3     |\n| loss      | 0.333 |\n" + "-" * 21 + "\n"
    assert table(Row(3, 0.0, {"loss": 0.333})) == plain


def test_a_table_of_very_many_metrics_has_the_first_of_them():
    """Ten thousand keys make no log.txt of gigabytes."""
    text = table(Row(1, 0.0, {f"k{i}": i for i in range(10_000)}))
    assert text.count("\n") == 204 and "| …         | 9800 more |" in text


@pytest.mark.parametrize("name", ["stdout", "log"])
def test_a_burst_of_rows_shows_few_tables_and_the_last_one_at_close(name, run_paths, read_steps, monkeypatch):
    """Of 1,000 rows in two seconds five tables are shown."""
    clock = iter(n / 500 for n in range(500, 5000))
    monkeypatch.setattr("rla_hooks.writers.human_writer.time.monotonic", lambda: next(clock))
    writer = _writer(name, run_paths, rate=2.0)
    answers = [writer.write(_row(step)) for step in range(1000)]
    assert (answers.count(True), answers.count(False)) == (4, 996)
    writer.message("a line")
    assert read_steps(name) == [0, 250, 500, 750]
    writer.close()
    writer.close()
    assert read_steps(name) == [0, 250, 500, 750, 999]


@pytest.mark.parametrize("name", ["stdout", "log"])
def test_tables_become_rarer_as_a_run_grows_older(name, run_paths, read_steps, monkeypatch):
    """A week of rows, one in five seconds, makes some thousands of tables, at least one a minute, and the last one."""
    now = 1000.0
    monkeypatch.setattr("rla_hooks.writers.human_writer.time.monotonic", lambda: now)
    writer = _writer(name, run_paths, rate=2.0)
    shown = []
    monkeypatch.setattr(writer, "_show", shown.append)
    times = []
    for step in range(7 * 24 * 720):
        now += 5.0
        if writer.write(_row(step)):
            times.append(step)
    writer.close()
    assert times[:100] == list(range(100)) and len(times) < 16_000
    assert max(np.diff(times)) == 12
    assert f"{7 * 24 * 720 - 1}" in shown[-1]


def test_a_copied_writer_of_an_old_run_shows_its_first_table_at_once(monkeypatch):
    """The clock of the process that it comes from says nothing here."""
    monkeypatch.setattr("rla_hooks.writers.human_writer.time.monotonic", lambda: 1e9)
    writer = StdoutWriter(2.0)
    writer.write(_row(0))
    copied = pickle.dumps(writer)
    monkeypatch.setattr("rla_hooks.writers.human_writer.time.monotonic", lambda: 5.0)
    assert pickle.loads(copied).write(_row(1)) is True


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal")
def test_tables_do_not_tear_a_progress_bar(tmp_path):
    """On a real terminal: no table begins behind a bar of tqdm, and the bar goes on below it."""
    pytest.importorskip("tqdm")
    import fcntl
    import pty
    import termios

    script = textwrap.dedent(
        f"""
        import time, tqdm, rla_hooks as rla
        with rla.run(task="t", log_root={str(tmp_path)!r}, writers=["stdout"], backup="none"):
            for step in tqdm.trange(20, ncols=50, mininterval=0, disable=False):
                rla.log({{"loss": 1.0}})
                time.sleep(0.06)
        """
    )
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # tqdm shows no bar without rows
    process = subprocess.Popen([sys.executable, "-c", script], stdout=terminal, stderr=terminal)
    os.close(terminal)
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(master, 1 << 16):
            seen += piece
    os.close(master)
    assert process.wait() == 0
    lines = [line.split("\r")[-1] for line in seen.decode().replace("\r\n", "\n").split("\n")]
    assert seen.count(b"%|") > 20 and sum(line.startswith("| loss") for line in lines) >= 3
    assert not [line for line in lines if "%|" in line and ("---" in line or "loss" in line or "run:" in line)]


def test_another_module_of_the_name_tqdm_changes_nothing(monkeypatch, capsys):
    """Or one that is half imported."""
    for module in (None, object()):
        monkeypatch.setitem(sys.modules, "tqdm", module)
        StdoutWriter().message("a line")
    assert capsys.readouterr().out == "a line\na line\n"


def test_a_table_that_could_not_be_shown_is_shown_later(run_paths):
    """The last table always comes, also where the disk was in trouble when it was due."""
    away = run_paths.log_dir.with_name("away")
    run_paths.log_dir.rename(away)
    writer = LogWriter(run_paths.log_txt, 0.001)
    for action in (lambda: writer.write(_row(7)), writer.close):
        with pytest.raises(OSError):
            action()
    away.rename(run_paths.log_dir)
    writer.close()
    assert "| 7   |" in run_paths.log_txt.read_text()


def test_an_ascii_only_stdout_gets_escapes(monkeypatch):
    """A console that knows no Chinese shows the row all the same."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    writer = StdoutWriter(math.inf)
    writer.write(Row(1, 0.0, {"诗": 2.0}))
    writer.message("é")
    assert "| \\u8bd7" in raw.getvalue().decode("ascii") and raw.getvalue().endswith(b"\\xe9\n")


def test_a_stdout_that_is_closed_raises_oserror_or_valueerror_and_none_is_silent(monkeypatch, capfd):
    """Who has no console reads none; who swaps it (a notebook) gets the tables on the new one."""
    writer = StdoutWriter(math.inf)
    monkeypatch.setattr(sys, "stdout", None)
    writer.write(_row(1))
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    with pytest.raises(ValueError):
        writer.write(_row(2))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    writer.write(_row(3))
    assert "| 3   |" in sys.stdout.getvalue() and "| 2   |" not in sys.stdout.getvalue()


# --- full disk ------------------------------------------------------------------------------------------------------


def test_an_append_is_whole_or_not_at_all(small_disk):
    """What a full disk took of a write is taken back."""
    file = AppendFile(os.fspath(small_disk / "file"))
    file.append(b"x" * 1000)
    with pytest.raises(OSError, match="No space left"):
        file.append(b"y" * (2 << 20))
    assert (small_disk / "file").read_bytes() == b"x" * 1000
    file.append(b"z")
    assert (small_disk / "file").read_bytes() == b"x" * 1000 + b"z"
    file.close()


def test_event_files_that_could_not_be_started_are_not_left_behind(small_disk):
    """A thousand rows on a full disk do not leave a thousand empty files."""
    _fill(small_disk)
    writer = TensorBoardWriter(small_disk)
    for step in range(10):
        with pytest.raises(OSError, match="No space left"):
            writer.write(_row(step))
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_header_that_found_no_room_is_written_once_by_whoever_comes_first(small_disk, read_rows):
    """A copy that got through does not see its header copied as a row."""
    _fill(small_disk)
    first, second = CsvWriter(small_disk / "progress.csv"), CsvWriter(small_disk / "progress.csv")
    with pytest.raises(OSError, match="No space left"):
        first.write(_row(0))
    (small_disk / "ballast").unlink()
    second.write(_row(1))
    first.write(_row(2))
    assert [row["time-step"] for row in read_rows(small_disk / "progress.csv")] == ["1", "2"]


def test_rows_go_on_in_a_further_file_where_there_is_no_room_for_a_copy(small_disk, read_rows):
    """The first file stays as it was, and no row is missing."""
    path = small_disk / "progress.csv"
    path.write_text("time-step,timestamp,a\n" + "0,1.0,2.0\n" * 60_000)
    before = path.read_bytes()
    writer = CsvWriter(path)
    writer.write(Row(1, 0.0, {"late": 1}))
    writer.write(Row(2, 0.0, {"a": 1}))
    assert path.read_bytes() == before
    (further,) = set(small_disk.iterdir()) - {path}
    assert [list(row) for row in read_rows(further)] == [["time-step", "timestamp", key] for key in ("late", "a")]


def test_a_further_file_that_finds_no_room_leaves_nothing_behind(small_disk, read_rows):
    """Rows with the old keys go on as long as there is room for them; later ones follow."""
    path = small_disk / "progress.csv"
    path.write_text("time-step,timestamp,a\n")
    writer = CsvWriter(path)
    writer.write(Row(0, 0.0, {"a": 1}))
    _fill(small_disk)
    for step in range(3):
        with pytest.raises(OSError, match="No space left"):
            writer.write(Row(step, 0.0, {"late": 1}))
    writer.write(Row(1, 0.0, {"a": 1}))
    assert sorted(entry.name for entry in small_disk.iterdir()) == ["ballast", "progress.csv"]
    (small_disk / "ballast").unlink()
    writer.write(Row(2, 0.0, {"late": 1}))
    assert [list(row)[2:] for row in read_rows(path)] == [["a"], ["a"], ["late"]]


def _fill(folder):
    with open(folder / "ballast", "wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            assert file.write(b"x" * 4096)
