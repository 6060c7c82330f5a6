"""The lock between processes: real processes, forks and signals."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from rla_hooks import locks
from rla_hooks.atomic import write_bytes
from rla_hooks.locks import locked

pytestmark = [pytest.mark.norerun, pytest.mark.skipif(locks.fcntl is None, reason="this system has no flock")]

HOLDER = """
import sys, time
from rla_hooks.locks import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "run.json"
    file.write_text("0")
    return file


def holder(path, seconds):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), str(seconds)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"locked\n"
    return process


def _count(path, times):
    for _ in range(times):
        with locked(path):
            write_bytes(path, str(int(path.read_text()) + 1).encode(), sync=False)


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_nothing_is_lost_between_read_and_replace(path, kind, spawnable):
    make = multiprocessing.get_context("spawn").Process if kind == "processes" else threading.Thread
    workers = [make(target=_count, args=(path, 100)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text() == "300"


def test_it_waits_no_longer_than_the_timeout(path):
    process = holder(path, 600)
    try:
        with locked(path, timeout=0.1) as has_lock:
            assert not has_lock
    finally:
        process.kill()
        process.communicate()


def test_a_machine_that_stands_still_uses_up_no_time(path, monkeypatch):
    """When it goes on, the holder goes on as well, which had no time to let go."""
    process, clock, sleeps = holder(path, 600), [0.0], []

    def sleep(seconds):
        sleeps.append(seconds)
        clock[0] += 3600.0 if len(sleeps) == 1 else seconds
        if len(sleeps) == 3:
            process.kill()
            process.communicate()

    monkeypatch.setattr(locks, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    with locked(path, timeout=10.0) as has_lock:
        assert has_lock and len(sleeps) == 3


def test_a_killed_holder_leaves_no_lock(path):
    process = holder(path, 600)
    process.kill()
    process.communicate()
    with locked(path) as has_lock:
        assert has_lock


def test_a_block_in_a_block_runs_at_once(path):
    with locked(path), locked(path, timeout=0) as has_lock:
        assert has_lock


def test_a_signal_handler_in_the_block_does_not_wait(path):
    got = []

    def handler(*_):
        with locked(path, timeout=5) as has_lock:
            got.append(has_lock)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with locked(path):
            os.kill(os.getpid(), signal.SIGUSR1)
            assert got == [True]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_handler_does_not_wait_for_the_thread_it_interrupts_while_that_waits(path):
    """The handler runs while its thread waits for another process: it must not wait for itself."""
    process = holder(path, 600)
    got = []
    before = signal.signal(signal.SIGALRM, lambda *_: got.append(_of_handler(path)))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with locked(path, timeout=0.3):
            pass
        assert got
    finally:
        signal.signal(signal.SIGALRM, before)
        process.kill()
        process.communicate()


def _of_handler(path):
    with locked(path, timeout=5) as has_lock:
        return has_lock


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ctrl-C in __del__ is not raised
def test_ctrl_c_at_every_line_leaves_no_lock(path):
    def interrupted_at(number):
        lines = 0

        def trace(frame, event, _):
            nonlocal lines
            if frame.f_globals.get("__name__") != "rla_hooks.locks":
                return None
            lines += event == "line"
            if event == "line" and lines == number:
                raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            with locked(path):
                pass
        finally:
            sys.settrace(None)

    number, interrupted = 0, True
    while interrupted:
        number, interrupted = number + 1, False
        try:
            interrupted_at(number)
        except KeyboardInterrupt:
            interrupted = True
        with open(path, "rb") as other:  # raises BlockingIOError if somebody has the lock
            locks.fcntl.flock(other, locks.fcntl.LOCK_EX | locks.fcntl.LOCK_NB)
        with locked(path, timeout=0) as has_lock:
            assert has_lock, f"line {number}"
            assert path.resolve().as_posix() in locks._held.files, f"line {number}"
    assert number > 15


def test_a_child_forked_in_the_block_neither_hangs_nor_keeps_the_lock(path, forked):
    read, write = os.pipe()

    def child():
        with locked(path, timeout=0.05) as has_lock:
            os.write(write, str(has_lock).encode())
        time.sleep(0.5)  # alive while the parent lets go

    with locked(path):
        running = forked(child)
        assert os.read(read, 100) == b"False"
    with locked(path, timeout=0.2) as has_lock:
        assert has_lock
    assert running.ended() == 0
    os.close(read)
    os.close(write)


def test_no_file_to_lock(tmp_path):
    with locked(tmp_path / "none") as has_lock:
        assert not has_lock
    with locked(tmp_path / "made", create=True) as has_lock:
        assert has_lock
    assert (tmp_path / "made").read_bytes() == b""
    with pytest.raises(FileNotFoundError), locked(tmp_path / "no folder" / "x", create=True):
        pass


def test_a_file_system_without_locks(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with locked(path) as has_lock:
        assert not has_lock
    assert before is None or len(os.listdir("/proc/self/fd")) == before


def test_forks_wait_for_the_holder_of_a_lock():
    """A child has no half-done state of it, and a lock of its own. For a thread that hangs, no fork waits for ever."""
    code = """
import os, threading, time
from rla_hooks.locks import hold_at_fork
lock, hung, state, told = threading.RLock(), threading.RLock(), ["whole"], threading.Event()
hold_at_fork(globals(), "lock", longest=600.0)
hold_at_fork(globals(), "hung", longest=0.5)
def work(lock, seconds):
    with lock:
        state[0] = "half"
        told.set()
        time.sleep(seconds)
        state[0] = "whole"
def child():
    code = os.fork()
    if not code:
        os._exit(state[0] != "whole" or not (lock.acquire(timeout=60) and hung.acquire(timeout=60)))
    return os.waitstatus_to_exitcode(os.waitpid(code, 0)[1])
for held, seconds, forks in ((lock, 0.1, 1), (hung, 600, 2)):
    told.clear()
    threading.Thread(target=work, args=[held, seconds], daemon=True).start()
    told.wait()
    for _ in range(forks):
        print(child(), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["0", "1", "1"], done.stderr
