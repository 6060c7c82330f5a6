"""The reader of small files: regular ones, of bounded size, and nothing else."""

from __future__ import annotations

import json
import math
import os
import socket
import time

import pytest

from rla_hooks import smallfiles
from rla_hooks.smallfiles import read_bytes, read_json

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs FIFOs, devices and sockets")


@needs_posix
@pytest.mark.parametrize("kind", ["FIFO", "device", "socket", "link to a device", "link to a FIFO"])
def test_what_is_no_regular_file_is_refused_at_once(kind, tmp_path, monkeypatch):
    """Opening a FIFO waits for a writer, a device never ends. Neither is touched, also behind a link."""
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most a hundred bytes
    path = tmp_path / "run.json"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind("run.json")
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "fifo")
        path.symlink_to(tmp_path / "fifo")
    with pytest.raises(ValueError, match=r"it is a (FIFO|device|socket), not a regular file"):
        read_json(path)


def test_a_folder_and_a_circle_of_links_are_errors_of_the_system(tmp_path):
    """They are OSError, as for every reader."""
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for path in (tmp_path, tmp_path / "circle", tmp_path / "missing"):
        with pytest.raises(OSError):
            read_bytes(path)


def test_a_sparse_file_is_refused_by_its_size(tmp_path):
    """A file of a terabyte takes no space, and would take all memory."""
    path = tmp_path / "run.json"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(ValueError, match="it has 1,099,511,627,776 bytes; files of at most 67,108,864 are read"):
        read_json(path)


def test_the_limit_is_exact(tmp_path):
    """As many bytes as allowed are read."""
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bytes(tmp_path / "file", limit=5) == b"12345"
    with pytest.raises(ValueError, match="5 bytes"):
        read_bytes(tmp_path / "file", limit=4)


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="needs /proc")
def test_a_file_without_a_size_is_read_within_the_limit(tmp_path):
    """Files in /proc say that they are empty."""
    path = tmp_path / "link"
    path.symlink_to("/proc/self/status")
    assert b"Pid" in read_bytes(path)
    with pytest.raises(ValueError, match="at most 10"):
        read_bytes(path, limit=10)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", "nested too deeply"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a": [' + "[]," * (smallfiles.MAX_VALUES + 1) + "1]}", "more than 2,000,000 values"),
        ("[1]", "it holds a list"),
        ("", "Expecting value"),
    ],
)
def test_a_crafted_file_is_a_value_error(text, problem, tmp_path):
    """Deep nesting breaks whoever walks through it later; two bytes of an empty list become 64 in memory."""
    (tmp_path / "file").write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_json(tmp_path / "file")


def test_odd_content_is_read_as_far_as_it_goes(tmp_path):
    """NaN, keys that stand twice, endless integers, lone surrogates and an editor's mark at the beginning."""
    nines = "9" * 10**6
    text = f'{{"a": 1, "a": NaN, "huge": {nines}, "minus": -{nines}, "text": "\\udcff", "plain": 7}}'
    (tmp_path / "file").write_text(text, encoding="utf-8-sig")
    begin = time.process_time()
    content = read_json(tmp_path / "file")
    assert time.process_time() - begin < 5
    assert math.isnan(content["a"]) and (content["huge"], content["minus"]) == (math.inf, -math.inf)
    assert (content["text"], content["plain"]) == ("\udcff", 7)


def test_a_large_file_of_a_real_run_is_read(tmp_path):
    """A vocabulary of a hundred thousand words in the hyper-parameters is no attack."""
    content = {f"vocab.word_{number}": number for number in range(100_000)}
    (tmp_path / "parameter.json").write_text(json.dumps(content, indent=2))
    assert read_json(tmp_path / "parameter.json") == content
