"""Rows that lie in several files are joined, counted and read back exactly."""

from __future__ import annotations

import os
import random
import struct

import pytest

from rla_hooks import rowfiles
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_format import MORE
from rla_hooks.writers.csv_writer import CsvWriter


def _write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


@pytest.fixture
def two_files(tmp_path):
    """Of two processes that took turns; the second one has a column of its own, and its clock is set back once."""
    _write(tmp_path, "progress.csv", "time-step,timestamp,a,b\n0,10.0,1,2\n1,12.0,1.5\n2,14.0,1.25,3\n")
    _write(tmp_path, "progress.host-7.csv", "time-step,timestamp,b,c\n0,11.0,5,x\n1,13.0,6,y\n2,12.5,7,z\n3,15.0,,\n")
    return tmp_path


def test_the_files_of_a_run_are_those_of_its_processes(tmp_path):
    """A copy that somebody made beside is not read as a process's rowfiles."""
    names = ["progress.csv", "progress.a.b-c-12.csv", "progress.host-7-2.csv", "progress.host-7.csv"]
    for name in [*names, "progress.old.csv", "progress copy.csv", "progress.csv~", "progress.torn-1.txt", "log.txt"]:
        _write(tmp_path, name, "")
    assert [path.name for path in rowfiles.files(tmp_path)] == names
    assert rowfiles.files(tmp_path / "missing") == []


def test_files_are_joined_by_time_and_each_keeps_its_order(two_files, frame_of):
    """Every row stands under its own columns, whatever the clock of its process did."""
    frame = frame_of(rowfiles.files(two_files))
    assert list(frame.columns) == ["time-step", "timestamp", "a", "b", "c"]
    assert list(frame["timestamp"]) == [10.0, 11.0, 12.0, 13.0, 12.5, 14.0, 15.0]
    assert frame["c"].dropna().tolist() == ["x", "y", "z"]
    assert frame["b"].fillna(-1).tolist() == [2, 5, -1, 6, 7, 3, -1]


def test_rows_of_another_program_are_read_too(tmp_path, frame_of):
    """A file without times comes first."""
    _write(tmp_path, "progress.csv", "rollout/return\n1.5\n2.5\n")
    _write(tmp_path, "progress.host-7.csv", "time-step,timestamp,a\n0,11.0,5\n")
    frame = frame_of(rowfiles.files(tmp_path))
    assert frame["rollout/return"].fillna(0).tolist() == [1.5, 2.5, 0]


def test_floats_are_read_bit_equal(run_paths, frame_of):
    """Also the least ones, and those that lie between two others."""
    values = [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 1e22, 0.1, 1 / 3, float("inf")]
    generator = random.Random(0)
    values += [generator.random() * 10.0 ** generator.randint(-300, 300) for _ in range(5000)]
    writer = CsvWriter(run_paths.progress_csv)
    for step, value in enumerate(values):
        writer.write(Row(step, 1.0, {"a": value}))
    frame = frame_of(rowfiles.files(run_paths.log_dir))
    assert [struct.pack("d", value) for value in frame["a"]] == [struct.pack("d", value) for value in values]


def test_a_summary_counts_the_rows_of_all_files_and_tells_the_newest(two_files):
    """The last step is that of the newest row; last values may come from rows before it."""
    assert rowfiles.progress(rowfiles.files(two_files)) == (7, 3, {"a": 1.25, "b": 3, "c": "z"})


def test_a_summary_has_the_metrics_that_no_late_row_has(tmp_path):
    """Of each file, also late keys that share a column; a column without any value has none."""
    more = '"{""late"": 1, ""later"": 2}"'
    rows = [f"{step},{step}.5,0.25,{7 * (step < 2) or ''},,{more if step == 5 else ''}" for step in range(9000)]
    rows[-1] = rows[-1] + '"{""later"": 3}"'
    _write(tmp_path, "progress.csv", "\n".join([f"time-step,timestamp,a,rare,none,{MORE}", *rows, ""]))
    rows = [f"{step},{1 + step}.5,{step or ''},{step or ''}{'' if step else 'x'}" for step in range(9000)]
    _write(tmp_path, "progress.host-7.csv", "\n".join(["time-step,timestamp,rare,b", *rows, ""]))
    os.mkfifo(tmp_path / "progress.host-8.csv")
    found = rowfiles.progress(rowfiles.files(tmp_path))
    assert found == (18_000, 8999, {"a": 0.25, "rare": 8999, "late": 1, "later": 3, "b": 8999})


def test_a_summary_counts_rows_not_lines(tmp_path):
    """Texts of several lines, a stray quote, a row that is still being written, a blank line."""
    text = 'time-step,timestamp,s\n0,1.0,"a\nb"\n1,2.0,"x\n2,3.0,y\n3,4.0,5"pipe\n\n4,5.0,"c ""d""\n"\n5,6.0,'
    path = _write(tmp_path, "progress.csv", text)
    assert rowfiles.progress([path]) == (5, 4, {"s": 'c "d"\n'})


def test_what_is_no_number_of_a_writers_is_a_text(tmp_path):
    """Python takes 1_000 for a number, and digits of other alphabets; the rows of a run are read in the same way."""
    path = _write(tmp_path, "progress.csv", "time-step,timestamp,a,b,c\n0,1.0,1_000,١٢,-3\n")
    found = rowfiles.progress([path]).last
    assert found == {"a": "1_000", "b": "١٢", "c": -3}
    assert {name: rowfiles.columns([path])[name].values.tolist() for name in "abc"} == {
        name: [value] for name, value in found.items()
    }


def test_a_summary_of_many_rows_is_quick_and_of_files_that_are_none_is_empty(tmp_path):
    """Whatever lies there, the answer comes; what cannot be read is left out."""
    body = b"".join(b"%d,%d.5,0.25,text\n" % (n, n) for n in range(300_000))
    (tmp_path / "progress.csv").write_bytes(b"time-step,timestamp,a,s\n" + body)
    os.mkfifo(tmp_path / "progress.host-1.csv")
    (tmp_path / "progress.host-2.csv").mkdir()
    (tmp_path / "progress.host-3.csv").write_bytes(b"\0" * 100)
    (tmp_path / "progress.host-4.csv").write_bytes(b"time-step,timestamp,a\n" + b"9" * 5000 + b",1.5,1\n")
    with open(tmp_path / "progress.host-5.csv", "wb") as file:
        file.truncate(1 << 40)
    found = rowfiles.files(tmp_path)
    assert rowfiles.progress(found[:-1]) == (300_001, 299_999, {"a": 0.25, "s": "text"})
    assert rowfiles.progress(found)[:2] == (None, 299_999)
    assert rowfiles.progress([]) == (0, None, {})


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data + b'3,13.0,5.0,"torn', id="torn in a text"),
        pytest.param(lambda data: data + b"3,13", id="torn in a number"),
        pytest.param(lambda data: data + bytes(5000), id="NULs of a power cut"),
        pytest.param(lambda data: data[:60] + bytes(5000) + data[60:], id="NULs in the middle"),
        pytest.param(lambda data: data + bytes(range(256)) * 3, id="garbage"),
        pytest.param(lambda data: data.replace(b'0.5,"b, b"', b"0.5,b, b"), id="a row with too many cells"),
        pytest.param(lambda data: data.replace(b"\n", b",9,9\n").replace(b",9,9\n", b"\n", 1), id="all too many"),
    ],
)
def test_what_is_damaged_hides_no_other_row(damage, tmp_path, frame_of):
    """After a power cut, or somebody's editor: the whole rows are read, with their values under their names."""
    data = b'time-step,timestamp,a,t\n0,10.0,0.25,"a, a"\n1,11.0,0.5,"b, b"\n2,12.0,0.75,"c, c"\n'
    path = tmp_path / "progress.csv"
    path.write_bytes(damage(data))
    frame = frame_of([path])
    assert frame["time-step"].tolist() == [0, 1, 2] and frame["a"].tolist() == [0.25, 0.5, 0.75]


def test_a_huge_hole_in_a_file_costs_nothing(tmp_path, frame_of):
    """100 GB that are none, in the middle and at the end."""
    path = tmp_path / "progress.csv"
    path.write_text("time-step,timestamp,a\n0,10.0,0.25\n")
    os.truncate(path, 100 << 30)
    assert frame_of([path])["a"].tolist() == [0.25]
    with path.open("ab") as file:
        file.write(b"\n1,11.0,0.5\n")
    assert frame_of([path])["a"].tolist() == [0.25, 0.5]


@pytest.mark.parametrize("late_keys", [0, 300])
def test_odd_keys_read_back_under_one_name(late_keys, run_paths, frame_of):
    """Also those that come so late that they share a column."""
    writer = CsvWriter(run_paths.progress_csv)
    keys = ["", " ", "nan", "a,b", 'q"', "new\nline", "\0", "\ud800", "more", "#", "x" * 1_000_000]
    for number, key in enumerate([f"late/{number}" for number in range(late_keys)] + keys):
        writer.write(Row(number, 10.0 + number, {key: number + 0.5}))
    writer.close()
    frame = frame_of([run_paths.progress_csv])
    for number, key in enumerate(keys, late_keys):
        name = key.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
        assert frame[name].dropna().tolist() == [number + 0.5], repr(key[:20])


def test_columns_that_stand_there_several_times_get_numbers():
    """As pandas names them; a header of 100,000 names, or of one name as often, takes no time."""
    import io

    from rla_hooks.rows.reader import names_of

    pandas = pytest.importorskip("pandas")
    header = "time-step,timestamp,a,b,a,a,b\n"
    assert names_of(io.BytesIO(header.encode()))[0] == [*pandas.read_csv(io.StringIO(header))]
    many = [f"m{number}" for number in range(100_000)]
    assert names_of(io.BytesIO(f"{','.join(many)}\n".encode()))[0] == many
    same = names_of(io.BytesIO(f"{','.join(['m'] * 100_000)}\n".encode()))[0]
    assert same == ["m", *(f"m.{number}" for number in range(1, 100_000))]
