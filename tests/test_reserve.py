"""A small file can be replaced on a disk that is full, or that has no inodes left."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from rla_hooks import atomic
from rla_hooks.reserve import SIZE, Reserve


def fill(folder):
    """Take all room of a small disk."""
    with open(folder / "ballast", "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_does_not_stop_it_however_often(small_disk):
    """Each content is read back whole; where there is room again, the file is as short as ever."""
    path = small_disk / "run.json"
    reserve = Reserve(path)
    reserve.write_json({"n": 0})
    reserve.keep()
    fill(small_disk)
    with pytest.raises(OSError):
        atomic.write_json(path, {"n": "there is no room for a temporary file"})
    for number in range(1, 6):
        reserve.write_json({"n": number, "text": "x" * 1000 * number})
        assert json.loads(path.read_text())["n"] == number and path.stat().st_size % SIZE in (0, len(path.read_text()))
    (small_disk / "ballast").unlink()
    reserve.write_json({"n": 6})
    assert (json.loads(path.read_text()), path.stat().st_size) == ({"n": 6}, 13)
    reserve.drop()
    assert os.listdir(small_disk) == ["run.json"]


def test_a_disk_that_is_full_again_does_not_stop_it(small_disk):
    """A write for which there was room does not use up what is kept for the next ones."""
    path, ballast = small_disk / "run.json", small_disk / "ballast"
    reserve = Reserve(path)
    reserve.keep()
    for number in range(1, 10):
        if number % 3:
            fill(small_disk)
        else:
            ballast.unlink()
        reserve.write_json({"n": number})
        assert json.loads(path.read_text()) == {"n": number}


def test_a_disk_without_inodes_does_not_stop_it(tmp_path, mounted):
    """A temporary file needs one, a reserve has one."""
    disk = mounted("tmpfs", "size=1m,nr_inodes=8")
    path = disk / "run.json"
    reserve = Reserve(path)
    reserve.write_json({"n": 0})
    reserve.keep()
    with pytest.raises(OSError):
        for number in range(8):
            (disk / str(number)).touch()
    for number in (1, 2, 3):
        reserve.write_json({"n": number})
        assert json.loads(path.read_text()) == {"n": number}


def test_a_content_that_is_too_long_is_cut(small_disk):
    """The end of a traceback and of a list tells most; what is short stays whole."""
    path = small_disk / "run.json"
    reserve = Reserve(path)
    reserve.keep()
    fill(small_disk)
    content = {"status": "failed", "error": "x" * 99_000 + "the cause", "warnings": ["w" * 200] * 90 + ["last"]}
    reserve.write_json(content)
    read = json.loads(path.read_text())
    assert (read["status"], len(read["error"]), read["error"][-9:]) == ("failed", 4000, "the cause")
    assert (len(read["warnings"]), read["warnings"][-1]) == (5, "last")


def test_a_long_content_gets_a_long_reserve(small_disk):
    """A run that was resumed a hundred times has a long run.json, and still tells how it ended."""
    path = small_disk / "run.json"
    lives = [{"status": "killed", "error": None, "rows": number, "text": "x" * 400} for number in range(100)]
    atomic.write_json(path, {"status": "running", "restarts": lives})
    reserve = Reserve(path)
    reserve.keep()
    fill(small_disk)
    for status in ("running", "interrupted"):
        reserve.write_json({"status": status, "error": "y" * 1000, "restarts": lives})
        assert json.loads(path.read_text()) == {"status": status, "error": "y" * 1000, "restarts": lives}
    reserve.write_json({"status": "failed", "restarts": lives * 3})
    assert json.loads(path.read_text()) == {"status": "failed", "restarts": lives[-5:]}


def test_without_room_for_it_or_with_too_much_content_the_old_file_stays(small_disk):
    """The error is that of the disk, and nothing half made is left."""
    path = small_disk / "run.json"
    path.write_text("{}")
    fill(small_disk)
    late, reserve = Reserve(path), Reserve(path)
    late.keep()
    with pytest.raises(OSError, match="No space"):
        late.write_json({"n": 1})
    (small_disk / "ballast").unlink()
    reserve.keep()
    fill(small_disk)
    with pytest.raises(OSError, match="No space"):
        reserve.write_json({"n": "x" * SIZE})
    assert path.read_text() == "{}"
    reserve.drop()
    assert sorted(os.listdir(small_disk)) == ["ballast", "run.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_files_to_its_parent(tmp_path):
    """It has none, unless it makes its own."""
    reserve = Reserve(tmp_path / "run.json")
    reserve.keep()
    child = multiprocessing.get_context("fork").Process(target=reserve.drop)
    child.start()
    child.join()
    assert child.exitcode == 0 and len(os.listdir(tmp_path)) == 2


@pytest.mark.norerun
def test_a_kill_in_the_middle_leaves_a_whole_file(small_disk):
    """The old content or the new one; what is left beside is known as abandoned by its name."""
    source = f"""
import pathlib
from rla_hooks.reserve import Reserve
disk = pathlib.Path({str(small_disk)!r})
reserve = Reserve(disk / "run.json")
reserve.write_json({{"n": -1}})
reserve.keep()
with open(disk / "ballast", "wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 4096)
    except OSError:
        print(flush=True)
while True:
    for number in range(1000):
        reserve.write_json({{"n": number, "text": "x" * 10 * number}})
"""
    for delay in (0.0, 0.01, 0.02):
        process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        content = json.loads((small_disk / "run.json").read_text())
        assert content["n"] == -1 or len(content["text"]) == 10 * content["n"]
        for name in set(os.listdir(small_disk)) - {"run.json", "ballast"}:
            assert atomic.is_abandoned(name)
            (small_disk / name).unlink()
