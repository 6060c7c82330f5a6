"""Files of rows: what a writer writes is whole, and what a disk or another program makes of it is found."""

from __future__ import annotations

import io
import os
import random

import pytest

from rla_hooks.upkeep.checking import cells, tables
from rla_hooks.upkeep.checking.opening import Disk
from rla_hooks.upkeep.checking.tables import check_table
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter

HEADER = b"time-step,timestamp,loss,text\n"


@pytest.fixture
def check(tmp_path):
    """Returns what is wrong with a file of this content: the problems with their positions."""

    def call(data, live=False):
        path = tmp_path / "progress.csv"
        path.write_bytes(data)
        found = check_table(path, Disk(), live)
        return [(each.problem, each.position) for each in found.found], found.rows

    return call


def rows_of(count, text="abc"):
    return HEADER + b"".join(f"{step},{1e9 + step!r},{step / 7!r},{text}\n".encode() for step in range(count))


def test_what_a_writer_writes_is_whole(tmp_path):
    """Texts with quotes and newlines, late keys, NaN and infinities, in one block and in several."""
    path = tmp_path / "progress.csv"
    writer = CsvWriter(path)
    odd = ["a,b", 'say "yes"', "two\nlines", "Grüße", " blank ", "", "1e5x"]
    for step in range(8000):
        values = {"loss": [step / 7, float("nan"), float("inf"), -1e-9][step % 4]}
        values |= {"text": odd[step % len(odd)]} if 3000 < step < 3500 else {}
        values |= {"late/key": step} if step > 4000 else {}
        values |= {f"filling/{number}": step / 3 for number in range(14)}
        writer.write(Row(step, 1e9 + step, values))
    writer.close()
    assert path.stat().st_size > 1 << 20
    found = check_table(path, Disk())
    assert found.found == [] and found.rows == 8000 and found.columns[:2] == ["time-step", "timestamp"]


@pytest.mark.parametrize("block", [64, 1 << 20])
def test_flipped_bits_are_found_wherever_no_other_digit_came_of_them(check, block, monkeypatch):
    """In columns of numbers; a flip within a text, or of the last place of a number, leaves a row like others."""
    monkeypatch.setattr(tables, "BLOCK", block)
    lines = [f"{step},{1e9 + step / 3!r},{step / 7 + 1!r},{step / 9 - 3!r}\n".encode() for step in range(400)]
    good = b"time-step,timestamp,loss,return\n" + b"".join(lines)
    assert check(good) == ([], 400)
    chosen, missed = random.Random(0), []
    for _ in range(200 if block > 64 else 20):
        data = bytearray(good)
        at = chosen.randrange(400, len(data))
        data[at] ^= 1 << chosen.randrange(8)
        problems = check(bytes(data))[0]
        if not problems:
            missed.append((chr(good[at]), chr(data[at])))
    harmless = [pair for pair in missed if {*pair} <= {*"0123456789"} or pair in (("e", "E"), ("-", "+"))]
    assert missed == harmless


@pytest.mark.parametrize(
    ("tail", "problem", "behind"),
    [
        (b"3,1000", "the last row is torn: 6 bytes behind the last whole row", 0),
        (b"3,1000000003.0,0.5,x", "the last row is torn: 20 bytes behind the last whole row", 0),
        (b'3,1000000003.0,0.5,"a\nb', "the last row is torn: 23 bytes behind the last whole row", 0),
        (bytes(4096), "there is nothing but NULs: 4096 bytes behind the last whole row", 0),
        (b"3,1000000003.0,0.5,x,y\n", "1 row has another number of cells than the columns", 0),
        (b"3,1000000003.0,0.5\n", "1 row has another number of cells than the columns", 0),
        (b"3,yesterday,0.5,x\n", "1 row has no step and time at the beginning", 0),
        (b",1000000003.0,0.5,x\n", "1 row has no step and time at the beginning", 0),
        (b"a line of a program\n", "1 row has", 0),
        (b"3,1000000003.0,0n5,x\n", "a cell that is no number: '0n5' in 'loss', in which a bit has flipped", 0),
        (b"3,10000\0\0\x0003.0,0.5,x\n", "3 NUL bytes", 7),
        (b"3,1000000003.0,0.5,\xe9\n", "bytes that are no UTF-8", 19),
        (b'3,1000000003.0,0.5,"x\n4,1000000004.0,0.5,x\n', "a quoted cell that does not end", 0),
    ],
)
def test_damage_is_told_with_its_place(check, tail, problem, behind):
    """Once for each kind, in the bytes of the file."""
    good = rows_of(3)
    problems, _ = check(good + tail)
    assert problems[0][0].startswith(problem) and problems[0][1] == len(good) + behind


def test_half_a_row_of_a_run_that_goes_on_is_none(check):
    """Its process may be writing it; other damage counts."""
    assert check(rows_of(3) + b"3,1000", live=True) == ([], 3)
    assert check(rows_of(3) + b"x,y\n3,10", live=True)[0]
    assert check(b"time-step,timest", live=True)[0] == [] and check(b"time-step,timest")[0]


def test_one_row_that_is_too_wide_does_not_make_all_others_too_narrow(check):
    """A late key makes rows wider for good; a comma that came by a flipped bit does not."""
    rows = [f"{step},{1e9 + step!r},0.5\n" for step in range(20)]
    rows[10] = "10,1000000010.0,0,5\n"
    data = b"time-step,timestamp,loss,late\n" + "".join(rows).encode()
    assert check(data)[0] == [("1 row has another number of cells than the columns", data.index(b"10,1000000010"))]
    late = b"time-step,timestamp,loss,late\n" + "".join([*rows[:10], "10,1000000010.0,0.5,1\n" * 9]).encode()
    assert check(late)[0] == []


def test_rows_of_other_programs(check):
    """RLA's sorted columns, Windows' ends of lines, a mark before the header: all are read, so none is damaged."""
    assert check(b"loss,time-step,timestamp\n0.5,0,1000000000.0\n,1,1000000001.0\n") == ([], 2)
    assert check(rows_of(3).replace(b"\n", b"\r\n")) == ([], 3)
    assert check(b"\xef\xbb\xbf" + rows_of(3)) == ([], 3)
    assert check(b"epoch,loss\n0,a\n1,b\n") == ([], 2)
    assert check(b"") == ([], 0)


def test_other_encodings_and_missing_headers(check):
    """Both come of editors."""
    [(problem, position)] = check(rows_of(3).decode().encode("utf-16"))[0]
    assert "UTF-16" in problem and position == 0
    [(problem, position)] = check(rows_of(3)[len(HEADER) :].replace(b",abc", b""))[0]
    assert problem == "the header is missing: the first line is a row" and position == 0


def test_a_torn_row_is_cut_off(tmp_path):
    """And nothing else: what is left is the file up to its last whole row."""
    path = tmp_path / "progress.csv"
    path.write_bytes(rows_of(3) + b"3,1")
    [found] = check_table(path, Disk()).found
    new = io.BytesIO()
    with open(path, "rb") as old:
        found.mend.write(old, new)
    assert new.getvalue() == rows_of(3)


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and sparse files")
def test_hostile_files_end_soon(tmp_path):
    """A FIFO, a device, a link, a folder, and a terabyte of nothing."""
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "link.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    for name, word in (("fifo", "FIFO"), ("link", "link"), ("folder", "folder")):
        [found] = check_table(tmp_path / f"{name}.csv", Disk()).found
        assert word in found.problem and found.is_damage == (name != "link")
    path = tmp_path / "progress.csv"
    path.write_bytes(rows_of(3))
    os.truncate(path, 1 << 40)
    [found] = check_table(path, Disk()).found
    assert found.problem.startswith("there is nothing but NULs") and found.position == len(rows_of(3))
    path.write_bytes(HEADER + b"1" * (40 << 20))
    assert [each.problem for each in check_table(path, Disk()).found] == ["a line of more than 16 MB, which is no row"]


def test_flips():
    """Which cells were numbers before one bit was another one."""
    assert all(map(cells.is_flipped, [b"0n5", b"1.5d-05", b"17x", b"$3", b"nao"]))
    assert not any(map(cells.is_flipped, [b"", b"x", b"ppo", b"1.5", b"nan", b"12 apples", b"1" * 99 + b"x"]))
