"""The checksum of a large checkpoint is computed while its file is synced or read; nobody gets what was not checked."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from rla_hooks import checkpoints
from rla_hooks.checkpoints import Backend, Manifest, Saver, backends, checksum
from rla_hooks.errors import CheckpointError, RLAWarning

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, FIFOs or sparse files")
ELSEWHERE: dict[str, Any] = {
    "cwd": sys.prefix,
    "env": os.environ | {"PYTHONPATH": str(Path(checkpoints.__file__).parents[2])},
}


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Whatever happens, the thread that computes a checksum has ended when the call has."""
    yield
    assert [thread.name for thread in threading.enumerate() if "checksum" in thread.name] == []


@pytest.fixture
def always_beside(monkeypatch):
    """The smallest checkpoint counts as a large one."""
    monkeypatch.setattr(checksum, "LARGE", 1)


def names(folder):
    return sorted(os.listdir(folder))


def content(step):
    """Three megabytes, which tell the step."""
    return {"step": step, "x": bytes([step]) * (3 << 20)}


def make_sparse(path, size=1 << 30):
    """A file of zeros takes no space, and its checksum half a second."""
    path.touch()
    os.truncate(path, size)


# --- the checksum itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (3 << 20) + 7])
def test_it_is_the_same_beside_and_after(size, tmp_path, always_beside):
    """Of a file, and of a folder with the names of its files."""
    data = os.urandom(size)
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    for name in ("file", "folder/b", "folder/deep/a"):
        (tmp_path / name).write_bytes(data)
    file, folder, done = tmp_path / "file", tmp_path / "folder", []
    assert checksum.measure(file) == (size, f"{google_crc32c.value(data):08x}")
    assert checksum.measure(folder) == (2 * size, f"{google_crc32c.value(b'b' + data + b'deep/a' + data):08x}")
    for path in (file, folder):
        assert checksum.measure(path, lambda path=path: done.append(path)) == checksum.measure(path)
    assert done == [file, folder]


@needs_posix
def test_a_large_one_is_measured_while_something_else_runs(tmp_path, monkeypatch):
    """The other thread is there before the call returns, and does not end before; that of a small file is not."""
    make_sparse(tmp_path / "large", checksum.LARGE)
    make_sparse(tmp_path / "small", checksum.LARGE - 1)
    running, noted, measure = {}, threading.Event(), checksum._measure

    def note(name):
        running[name] = [thread for thread in threading.enumerate() if "checksum" in thread.name]
        noted.set()

    monkeypatch.setattr(checksum, "_measure", lambda *given: noted.wait(60) and measure(*given))
    for name in ("large", "small"):
        assert checksum.measure(tmp_path / name, lambda name=name: note(name))[0] == (tmp_path / name).stat().st_size
    assert len(running["large"]) == 1 and running["small"] == []


@needs_posix
def test_what_the_other_thread_raises_is_raised_here(tmp_path, always_beside):
    """A file that is none is an error of the call, not a traceback on stderr."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"x")
    os.mkfifo(tmp_path / "folder" / "b")
    with pytest.raises(OSError, match="it is a FIFO"):
        checksum.measure(tmp_path / "folder", lambda: None)


@needs_posix
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), MemoryError()])
def test_an_error_of_the_other_work_ends_the_thread(error, tmp_path):
    """At once: nobody waits for a checksum that is of no use."""
    make_sparse(tmp_path / "large", 1 << 40)

    def fail():
        raise error

    with pytest.raises(type(error)):
        checksum.measure(tmp_path / "large", fail)


@needs_posix
def test_without_a_further_thread_it_is_computed_afterwards(tmp_path, always_beside):
    """A machine with no more threads, or memory for their stacks, saves and loads all the same."""
    before = threading.stack_size(1 << 50)
    try:
        with pytest.raises(RuntimeError):
            threading.Thread(target=print).start()
        saver = Saver(tmp_path)
        saver.save(content(1), 1)
        assert saver.load() == (1, content(1))
    finally:
        threading.stack_size(before)


AT_EXIT = """
import atexit, sys
from rla_hooks.checkpoints import Saver, checksum
checksum.LARGE = 1
atexit.register(lambda: Saver(sys.argv[1]).save({"x": [1]}, 1))
"""


def test_the_end_of_the_process_may_save(tmp_path):
    """Python starts no thread any more then (3.12 and later)."""
    done = subprocess.run([sys.executable, "-c", AT_EXIT, tmp_path], capture_output=True, text=True, **ELSEWHERE)
    assert (done.returncode, done.stderr) == (0, "") and Saver(tmp_path).load() == (1, {"x": [1]})


# --- saving -------------------------------------------------------------------------------------------------


@needs_posix
def test_ctrl_c_while_the_thread_runs_leaves_nothing(tmp_path):
    """No temporary, no file, no entry; the checkpoint before it is there."""
    saver = Saver(tmp_path)
    saver.save({"x": 1}, 1)

    def write(path):
        make_sparse(path, 1 << 42)
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        saver.write(write, ".bin", 2)
    assert time.monotonic() - begin < 120, "it has read all four terabytes"
    assert names(tmp_path) == ["checkpoint-1.pkl", "manifest.json"]
    assert saver.load() == (1, {"x": 1})


INTERRUPTED = """
import os, sys
import numpy as np
from rla_hooks.checkpoints import Saver, checksum
checksum.LARGE = 1
saver, step, models = Saver(sys.argv[1], max_to_keep=2), 0, {"x": np.ones(1 << 20)}
try:
    while True:
        step += 1
        saver.save(models | {"step": step}, step)
        if step == 1:
            print("ready", flush=True)
        assert saver.load()[1]["step"] == step
except KeyboardInterrupt:
    import signal, threading, time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = time.monotonic() + 60  # Python removes a thread that has ended from its list a moment later
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.001)
    print(step, threading.active_count(), *[name for name in os.listdir(sys.argv[1]) if name.endswith(".tmp")])
"""


def _interrupted(process):
    """Send Ctrl-C, and return what the process prints; again, if it came where Python forgets it (in __del__, say)."""
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=30)[0]
    process.kill()
    raise AssertionError("it goes on")


@needs_posix
@pytest.mark.norerun
def test_ctrl_c_at_any_moment_leaves_no_temporary_and_no_thread(tmp_path):
    """Whatever it interrupts, the newest is the one of this step or of the step before."""
    for pause in (0.0, 0.02, 0.05, 0.11):
        folder = tmp_path / str(pause)
        with subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, folder], stdout=subprocess.PIPE, text=True, **ELSEWHERE
        ) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(pause)
            step, *rest = _interrupted(process).split()
        assert rest == ["1"], "threads, and temporary files"
        assert Saver(folder).load()[0] in (int(step), int(step) - 1)


def test_a_full_disk_is_told_as_ever(small_disk, always_beside):
    """OSError, and the old one stays."""
    saver = Saver(small_disk, max_to_keep=1)
    saver.save({"x": 1}, 1)
    with pytest.raises(OSError) as caught:
        saver.save({"x": bytes(1 << 20)}, 2)
    assert caught.value.errno == errno.ENOSPC
    assert names(small_disk) == ["checkpoint-1.pkl", "manifest.json"] and saver.load() == (1, {"x": 1})


# --- loading ------------------------------------------------------------------------------------------------


def torch_content(step):
    torch = pytest.importorskip("torch")
    return {"step": step, "x": torch.full((3 << 18,), float(step))}


@pytest.mark.parametrize("make", [content, torch_content], ids=["plain", "torch"])
@pytest.mark.parametrize("place", [0, 40, 200, 0.5, 0.9, -30, -1])
def test_a_flipped_byte_is_found_while_the_file_is_read(make, place, tmp_path, always_beside):
    """In the numbers, where only the checksum tells, and in what the backend chokes on: the one before is loaded."""
    saver = Saver(tmp_path)
    for step in (1, 2):
        path = saver.save(make(step), step)
    with open(path, "r+b") as file:
        at = int(place * path.stat().st_size) if isinstance(place, float) else place % path.stat().st_size
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))
    with pytest.warns(RLAWarning, match="has changed since it was written .* Step 1 is loaded instead"):
        step, loaded = saver.load()
    assert (step, loaded["step"], loaded["x"][0]) == (1, 1, 1)
    with pytest.raises(CheckpointError, match="has changed since it was written"):
        saver.load(2)


class Hostile:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.mkdir, (str(self.victim),)


def test_code_of_a_damaged_file_never_runs(tmp_path, always_beside):
    """With weights_only=False a file is read only when its checksum is right."""
    torch = pytest.importorskip("torch")
    torch.save({"w": Hostile(tmp_path / "victim")}, tmp_path / "checkpoint-1.pt")
    entry = Manifest(tmp_path).add("checkpoint-1.pt", "checkpoint", 1)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(entry.crc32c, "00000000"))
    with pytest.raises(CheckpointError, match="has changed since"):
        Saver(tmp_path).load(weights_only=False)
    assert not (tmp_path / "victim").exists()
    manifest.write_text(manifest.read_text().replace("00000000", entry.crc32c))
    with pytest.raises(CheckpointError, match="was refused"):
        Saver(tmp_path).load()
    assert not (tmp_path / "victim").exists()


OWN_BACKEND = """
import os, signal
reads_any_bytes = True
def load(path, weights_only):
    match path.read_bytes():
        case b"interrupt":
            signal.raise_signal(signal.SIGINT)
        case b"replace":
            path.unlink()
            path.write_bytes(b"another")
        case b"touch":
            os.utime(path, (1, 1))
    return {"data": path.read_bytes()}
"""


@pytest.fixture
def own_backend(tmp_path, monkeypatch, always_beside):
    """A backend that reads .own files, during which something happens."""
    (tmp_path / "own_backend.py").write_text(OWN_BACKEND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(backends, "BACKENDS", [Backend("own", ".own", "own_backend"), *backends.BACKENDS])
    return Saver(tmp_path / "run")


def test_a_load_that_is_interrupted_can_be_made_again(own_backend):
    """Ctrl-C comes out, without a thread that goes on reading."""
    own_backend.write(lambda path: path.write_bytes(b"good"), ".own", 1)
    own_backend.write(lambda path: path.write_bytes(b"interrupt"), ".own", 2)
    with pytest.raises(KeyboardInterrupt):
        own_backend.load()
    assert own_backend.load(1) == (1, {"data": b"good"})


def test_a_file_that_is_replaced_while_it_is_read_is_not_used(own_backend):
    """The checksum may have been that of the file before; a saver that uses a name again is no reason for doubt."""
    own_backend.write(lambda path: path.write_bytes(b"good"), ".own", 1)
    own_backend.write(lambda path: path.write_bytes(b"replace"), ".own", 2)
    with pytest.warns(RLAWarning, match=r"2\.own (is missing|has changed .*)\. Step 1 is loaded instead"):
        assert own_backend.load() == (1, {"data": b"good"})


def test_a_file_that_is_touched_while_it_is_read_is_used(own_backend):
    """File systems that delete old files make their users touch them."""
    own_backend.write(lambda path: path.write_bytes(b"good"), ".own", 1)
    own_backend.write(lambda path: path.write_bytes(b"touch"), ".own", 2)
    assert own_backend.load() == own_backend.load(2) == (2, {"data": b"touch"})


def test_a_backend_that_must_not_read_any_bytes_reads_what_was_checked(own_backend, tmp_path, monkeypatch):
    """A checkpoint with a wrong checksum is not given to it."""
    import own_backend as module

    path = own_backend.write(lambda path: path.write_bytes(b"interrupt"), ".own", 1)
    monkeypatch.delattr(module, "reads_any_bytes")
    path.write_bytes(b"INTERRUPT")
    with pytest.raises(CheckpointError, match="has changed since"):
        own_backend.load()


def test_pickles_that_hold_more_are_refused_as_ever(tmp_path, always_beside):
    """The backend's own refusal is told where the checksum is right."""
    (tmp_path / "checkpoint-1.pkl").write_bytes(pickle.dumps({"w": Hostile(tmp_path / "victim")}))
    Manifest(tmp_path).add("checkpoint-1.pkl", "checkpoint", 1)
    with pytest.raises(CheckpointError, match=r"checkpoint-1.pkl was refused: .*mkdir"):
        Saver(tmp_path).load()
    assert not (tmp_path / "victim").exists()


def test_a_packed_file_does_not_fill_the_memory(tmp_path):
    """A gigabyte of zeros is packed into a megabyte; torch packs nothing."""
    torch = pytest.importorskip("torch")
    torch.save({"x": torch.zeros(1000)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(tmp_path / "checkpoint-1.pt", "w") as packed:
        for each in plain.infolist():
            packed.writestr(each.filename, plain.read(each), zipfile.ZIP_DEFLATED)
        packed.writestr("archive/more", bytes(1 << 20), zipfile.ZIP_DEFLATED)
    Manifest(tmp_path).add("checkpoint-1.pt", "checkpoint", 1)
    with pytest.raises(CheckpointError, match=r"was refused: .* bytes are packed into its"):
        Saver(tmp_path).load()


@needs_posix
def test_ctrl_c_while_torch_writes_is_ctrl_c(tmp_path):
    """torch would make an error of its own of it."""
    torch = pytest.importorskip("torch")
    from rla_hooks.checkpoints.torch_backend import _Deferring

    class Interrupted:
        def write(self, data):
            raise KeyboardInterrupt

        def flush(self):
            pass

    deferring = _Deferring(Interrupted())
    torch.save({"x": torch.zeros(3)}, deferring)
    assert isinstance(deferring.error, KeyboardInterrupt)


# --- memory -------------------------------------------------------------------------------------------------

PEAKS = """
import sys
import google_crc32c, torch
from rla_hooks.checkpoints import Saver

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) >> 10

saver = Saver(sys.argv[1])
saver.save({"warm": torch.ones(3)}, 0), saver.load()
state = {str(number): torch.ones(1 << 22) for number in range(4)}
before = peak()
saver.save(state, 1)
saved = peak()
del state
content = saver.load()[1]
print(saved - before, peak() - saved)
"""


def test_neither_saving_nor_loading_holds_the_state_twice(tmp_path):
    """Of 64 MB, saving takes a few more, and loading none beyond what it returns."""
    pytest.importorskip("torch")
    if not sys.platform.startswith("linux"):
        pytest.skip("needs /proc")
    out = subprocess.run(
        [sys.executable, "-c", PEAKS, tmp_path], check=True, capture_output=True, text=True, **ELSEWHERE
    )
    saving, loading = map(int, out.stdout.split())
    assert saving < 16 and loading < 16
