"""Computes the size and the CRC-32C of a checkpoint, of a large one beside what else has to be done with the file.

A gigabyte takes a tenth of a second, most of it to read what the operating system still has in memory. Syncing the file
to the disk, and building tensors from it, take longer: they run at the same time.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

from rla_hooks.checkpoints import staging, two_threads
from rla_hooks.smallfiles import open_regular

LARGE = 16 << 20  # bytes; of smaller checkpoints the checksum costs less than what a thread may have to wait for
_PATIENCE = 2.0  # seconds to wait for a thread that has been stopped: a disk may have stopped, too
_LOOK = 0.1  # seconds after which it is looked whether a signal has come
_MANY = 8  # files of a large folder
_BLOCK = 1 << 20  # bytes; google-crc32c lets other threads run while it works on so many


def measure(path: Path, meanwhile: Callable[[], object] | None = None) -> tuple[int, str]:
    """Return the size in bytes and the crc32c (eight hex digits) of a checkpoint. Raises OSError.

    meanwhile: what else is to be done with the file, without changing it. It is called here; of a large checkpoint,
    another thread computes the checksum at the same time. What it raises is raised here, and the thread has ended then.
    """
    if meanwhile is None:
        return _measure(path, threading.Event())
    if size_of(path) >= LARGE:
        return _measure_beside(path, meanwhile)
    meanwhile()
    return measure(path)


def size_of(path: Path) -> int:
    """Return the size of a checkpoint in bytes. Raises OSError."""
    return sum(file.stat().st_size for file in staging.files_of(path))


def _measure(path: Path, stopped: threading.Event) -> tuple[int, str]:
    files = staging.files_of(path)
    if len(files) > _MANY and size_of(path) >= LARGE:
        return _measure_in_two_threads(path, files, stopped)
    import google_crc32c  # late: whoever only asks for the newest checkpoint needs no native library

    reading, size, crc = _Reading(stopped), 0, 0
    for file in files:
        if file != path:
            crc = google_crc32c.extend(crc, file.relative_to(path).as_posix().encode("utf-8", "surrogateescape"))
        read, crc = reading.crc_of(file, crc)
        size += read
    return size, f"{crc:08x}"


def _measure_in_two_threads(path: Path, files: list[Path], stopped: threading.Event) -> tuple[int, str]:
    from rla_hooks.state.checksums import Digest, of_folder

    names, reading = [file.relative_to(path).as_posix() for file in files], _Reading(stopped)
    digests = (Digest(*found) for found in two_threads.each_of(files, reading.crc_of))
    return of_folder(zip(names, digests, strict=True))


class _Reading(threading.local):
    """Reads files, each thread into a block of its own: new memory for each block takes longer than the checksum."""

    def __init__(self, stopped: threading.Event):
        self._stopped, self._block = stopped, (ctypes.c_ubyte * _BLOCK)()

    def crc_of(self, file: Path, crc: int = 0) -> tuple[int, int]:
        """Return the size of a file, and the CRC-32C of it after what ``crc`` is of."""
        import google_crc32c

        size, view = 0, memoryview(self._block).cast("B")
        with open_regular(file) as stream:
            while not self._stopped.is_set() and (count := stream.readinto(view)):  # type: ignore[attr-defined]
                size += count
                crc = google_crc32c.extend(crc, self._block if count == _BLOCK else bytes(view[:count]))
        return size, crc


def _measure_beside(path: Path, meanwhile: Callable[[], object]) -> tuple[int, str]:
    """Measure in another thread while ``meanwhile`` runs in this one, which gets the signals."""
    results, errors = list[tuple[int, str]](), list[BaseException]()
    stopped, ended = threading.Event(), threading.Event()

    def work() -> None:
        try:
            results.append(_measure(path, stopped))
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=work, name="checksum of a checkpoint", daemon=True)
    try:
        try:
            thread.start()
        except RuntimeError:  # the interpreter is about to end, or the system has no more threads
            ended.set()
            meanwhile()
            return _measure(path, stopped)
        meanwhile()
        # No join: Ctrl-C in it would make Python (3.11) take the thread for ended. And no wait without an end, which
        # would not notice a signal that comes just before it.
        while not ended.wait(_LOOK):
            pass
    finally:  # Ctrl-C may come at any of these lines, also within start(): the thread ends with its block
        stopped.set()
        if ended.wait(_PATIENCE) and thread.is_alive():
            thread.join()
    if errors:
        raise errors[0]
    return results[0]
