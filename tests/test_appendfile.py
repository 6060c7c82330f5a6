"""An append is whole or not at all, whatever the system makes of it."""

from __future__ import annotations

import errno
import os

import pytest

from rla_hooks.writers.appendfile import AppendFile


@pytest.fixture
def short_writes(monkeypatch):
    """Every second write is cut short, as on a network file system that a signal has interrupted."""
    real, calls = os.write, []

    def write(descriptor, data):
        calls.append(len(data))
        return real(descriptor, data[: len(data) // 2] if len(calls) % 2 and len(data) > 1 else data)

    monkeypatch.setattr("os.write", write)
    return calls


def test_a_short_write_is_completed(tmp_path, short_writes):
    """The system has taken half of it, though there is room."""
    file = AppendFile(tmp_path / "file")
    for number in range(10):
        file.append(b"row %d\n" % number)
    assert (tmp_path / "file").read_bytes() == b"".join(b"row %d\n" % number for number in range(10))
    assert len(short_writes) > 10 and file.end == file.size()


def _fail_after_half(monkeypatch, error):
    real = os.write

    def write(descriptor, data):
        monkeypatch.setattr("os.write", fail)
        return real(descriptor, data[: len(data) // 2])

    def fail(descriptor, data):
        monkeypatch.setattr("os.write", real)
        raise error

    monkeypatch.setattr("os.write", write)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt(), MemoryError()])
def test_what_cannot_be_completed_is_removed(error, tmp_path, monkeypatch):
    """Also where Ctrl-C comes in the middle of it."""
    file = AppendFile(tmp_path / "file")
    file.append(b"first\n")
    _fail_after_half(monkeypatch, error)
    with pytest.raises(type(error)):
        file.append(b"second\n")
    file.append(b"third\n")
    assert (tmp_path / "file").read_bytes() == b"first\nthird\n" and file.is_as_left(0.0)


def test_after_a_part_that_cannot_be_removed_the_next_append_is_whole(tmp_path, monkeypatch):
    """It begins on a line of its own."""
    file = AppendFile(tmp_path / "file")
    with monkeypatch.context() as patch:
        patch.setattr("os.ftruncate", _raise_io_error)
        _fail_after_half(patch, OSError(errno.EIO, "broken"))
        with pytest.raises(OSError, match="broken"):
            file.append(b"second\n")
    assert file.gone(0.0)
    file.append(b"third\n")
    assert (tmp_path / "file").read_bytes() == b"sec\nthird\n" and not file.gone(0.0)


def _raise_io_error(descriptor, size):
    raise OSError(errno.EIO, "no")


def test_the_number_of_a_closed_file_is_forgotten_first(tmp_path, monkeypatch):
    """Ctrl-C right after the close: the next file of the program gets the number, and no row of ours."""
    file = AppendFile(tmp_path / "file")
    real = os.close

    def close(descriptor):
        real(descriptor)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.close", close)
        with pytest.raises(KeyboardInterrupt):
            file.close()
    with open(tmp_path / "precious", "w") as users, pytest.raises(OSError):
        users.write("precious")
        users.flush()
        file.append(b"row\n")
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.skipif(os.name == "nt", reason="there are no inodes to compare")
def test_a_descriptor_that_the_program_has_closed_and_opened_anew_is_left_alone(tmp_path):
    """A daemon closes all descriptors; the number is that of its own file then."""
    file = AppendFile(tmp_path / "file")
    file.append(b"row\n")
    number = file._descriptor
    os.close(number)
    users = os.open(tmp_path / "precious", os.O_RDWR | os.O_CREAT)
    assert users == number
    assert not file.is_as_left(1e9)
    file.close()
    os.write(users, b"still open")
    os.close(users)
    assert (tmp_path / "precious").read_bytes() == b"still open"
