"""The store keeps each content once, whole and unchanged, whatever else happens."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import rla_hooks
from rla_hooks.snapshot import filestore
from rla_hooks.snapshot.filestore import FileStore, SourceError

PACKAGE_PARENT = str(Path(list(rla_hooks.__path__)[0]).parent)
CONTENTS = [b"", b"x = 1\n", b"\0\xff" * 1000, b"\r\nno end", "诗\n".encode()]


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "code" / ".store")


def _write(path: Path, data: bytes, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


def _objects(store: FileStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("data", CONTENTS)
def test_a_file_is_kept_byte_for_byte_under_its_sha256(store, tmp_path, data):
    """The copy equals the source, and the stored file is named by its hash."""
    source = _write(tmp_path / "a file.py", data)
    assert store.put(source, tmp_path / "copy") == len(data)
    assert (tmp_path / "copy").read_bytes() == data
    digest = hashlib.sha256(data).hexdigest()
    assert _objects(store) == [store.root / digest]


def test_two_runs_share_one_inode(store, tmp_path):
    """The second run takes no space: its file is the first one's, and the source is not linked to."""
    source = _write(tmp_path / "train.py", b"print(1)\n")
    store.put(source, tmp_path / "run1.py")
    FileStore(store.root).put(source, tmp_path / "run2.py")
    assert (tmp_path / "run1.py").stat().st_ino == (tmp_path / "run2.py").stat().st_ino
    assert (tmp_path / "run1.py").stat().st_nlink == 3
    assert source.stat().st_nlink == 1


def test_other_content_and_other_mode_are_other_files(store, tmp_path):
    """A script that can be executed stays so and does not lend its mode to a file of the same content."""
    plain = _write(tmp_path / "plain", b"#!/bin/sh\n")
    script = _write(tmp_path / "script", b"#!/bin/sh\n", 0o755)
    store.put(plain, tmp_path / "plain copy")
    store.put(script, tmp_path / "script copy")
    assert (tmp_path / "plain copy").stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "script copy").stat().st_mode & 0o777 == 0o555
    assert [path.name[-1] == "x" for path in _objects(store)].count(True) == 1


@pytest.mark.parametrize("damage", ["shorter", "empty", "folder"])
def test_a_damaged_stored_file_is_not_used(store, tmp_path, damage):
    """A file that a power failure cut short, or something else at its name, does not come into a run."""
    source = _write(tmp_path / "train.py", b"lr = 0.001\n")
    store.put(source, tmp_path / "run1.py")
    (stored,) = _objects(store)
    if damage == "folder":
        stored.unlink()
        stored.mkdir()
    else:
        stored.chmod(0o644)
        stored.write_bytes({"shorter": b"lr", "empty": b""}[damage])
        stored.chmod(0o444)
    store.put(source, tmp_path / "run2.py")
    store.put(source, tmp_path / "run3.py")
    assert (tmp_path / "run2.py").read_bytes() == (tmp_path / "run3.py").read_bytes() == b"lr = 0.001\n"
    if damage != "folder":
        assert (tmp_path / "run2.py").stat().st_ino == (tmp_path / "run3.py").stat().st_ino == stored.stat().st_ino


def test_an_old_target_is_replaced(store, tmp_path):
    """Backing up into the same folder again brings the new content and leaves nothing else behind."""
    target = tmp_path / "run" / "train.py"
    target.parent.mkdir()
    for data in (b"1", b"2", b"2", b"1"):
        store.put(_write(tmp_path / "train.py", data), target)
        assert target.read_bytes() == data
    assert os.listdir(target.parent) == ["train.py"]
    assert len(_objects(store)) == 2


def test_a_large_file_is_read_in_pieces_and_shared(store, tmp_path, monkeypatch):
    """Beyond the size held in memory nothing else changes."""
    monkeypatch.setattr(filestore, "_IN_MEMORY", 1000)
    monkeypatch.setattr(filestore, "_PIECE", 64)
    data = bytes(range(256)) * 40
    source = _write(tmp_path / "big", data)
    assert store.put(source, tmp_path / "1") == store.put(source, tmp_path / "2") == len(data)
    assert (tmp_path / "1").read_bytes() == data
    assert (tmp_path / "1").stat().st_ino == (tmp_path / "2").stat().st_ino
    assert [path.name for path in _objects(store)] == [hashlib.sha256(data).hexdigest()]


def test_what_is_no_regular_file_is_refused_without_waiting(store, tmp_path):
    """A pipe nobody writes to, a link, a folder and a missing file raise SourceError and leave nothing."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(_write(tmp_path / "file", b"1"))
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder", "missing"):
        with pytest.raises(SourceError):
            store.put(tmp_path / name, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_trouble_on_the_storing_side_is_no_source_error(store, tmp_path):
    """A target whose folder is missing is another mistake than an unreadable source."""
    with pytest.raises(OSError) as caught:
        store.put(_write(tmp_path / "file", b"1"), tmp_path / "missing" / "copy")
    assert not isinstance(caught.value, SourceError)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK])
def test_without_links_each_run_has_a_copy(store, tmp_path, monkeypatch, number):
    """File systems without hard links get plain read-only copies."""

    def refuse(*args, **kwargs):
        raise OSError(number, "no links here")

    source = _write(tmp_path / "train.py", b"print(1)\n", 0o755)
    monkeypatch.setattr(os, "link", refuse)
    for name in ("run1.py", "run2.py"):
        store.put(source, tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"print(1)\n"
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o555
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["run1.py", "run2.py", "train.py"]


def test_when_a_file_has_all_the_links_it_can_have_a_fresh_one_is_shared(store, tmp_path, monkeypatch):
    """An empty __init__.py reaches ext4's 65,000 links after some runs; later runs share a second file."""
    source = _write(tmp_path / "__init__.py", b"")
    link = os.link
    most = 4

    def limited(old, new, **kwargs):
        if os.stat(old).st_nlink >= most:
            raise OSError(errno.EMLINK, "too many links")
        link(old, new, **kwargs)

    monkeypatch.setattr(os, "link", limited)
    for number in range(8):
        store.put(source, tmp_path / f"run{number}")
    inodes = [(tmp_path / f"run{number}").stat().st_ino for number in range(8)]
    assert len(set(inodes)) == 3
    assert len(_objects(store)) == 1


def test_another_mount_gets_copies(tmp_path):
    """Links across file systems fail for real: the store stands on a small tmpfs."""
    mount = tmp_path / "mount"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True)
    if done.returncode:
        pytest.skip("mounting needs root")
    try:
        store = FileStore(mount / ".store")
        source = _write(tmp_path / "train.py", b"print(1)\n")
        store.put(source, tmp_path / "run1.py")
        store.put(source, tmp_path / "run2.py")
        assert (tmp_path / "run2.py").read_bytes() == b"print(1)\n"
        assert _objects(store) == []
        with pytest.raises(OSError) as caught:
            store.put_bytes(os.urandom(2**21), mount / "too large")
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in mount.iterdir()] == [".store"]
    finally:
        subprocess.run(["umount", mount], check=True)


def test_a_store_that_cannot_be_written_costs_only_space(tmp_path):
    """A file where the store's folder should be does not keep a run from its code."""
    (tmp_path / ".store").write_text("in the way")
    FileStore(tmp_path / ".store").put(_write(tmp_path / "train.py", b"1"), tmp_path / "run.py")
    assert (tmp_path / "run.py").read_bytes() == b"1"


def test_eight_processes_share_one_store(tmp_path):
    """Eight processes that store the same 40 files at once end with one inode a content and no remains."""
    source = tmp_path / "source"
    for number in range(40):
        _write(source / f"{number}.py", b"x" * number * 100)
    script = textwrap.dedent("""
        import sys, os, time
        from rla_hooks.snapshot.filestore import FileStore
        source, root, target, begin = sys.argv[1:]
        os.mkdir(target)
        store = FileStore(root)
        while not os.path.exists(begin):
            time.sleep(0.001)
        for name in sorted(os.listdir(source)):
            store.put(os.path.join(source, name), os.path.join(target, name))
    """)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, source, tmp_path / "store", tmp_path / f"run{rank}", tmp_path / "begin"],
            env={**os.environ, "PYTHONPATH": PACKAGE_PARENT},
        )
        for rank in range(8)
    ]
    while not all((tmp_path / f"run{rank}").is_dir() for rank in range(8)):
        assert all(worker.poll() in (None, 0) for worker in workers)
        time.sleep(0.01)
    (tmp_path / "begin").touch()
    assert [worker.wait(120) for worker in workers] == [0] * 8
    for number in range(40):
        copies = [tmp_path / f"run{rank}" / f"{number}.py" for rank in range(8)]
        assert {copy.read_bytes() for copy in copies} == {b"x" * number * 100}
        assert len({copy.stat().st_ino for copy in copies}) == 1
    assert len(_objects(FileStore(tmp_path / "store"))) == 40
    assert len(list(tmp_path.glob("run*/*"))) == len(list(tmp_path.glob("run*/.*"))) + 320


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("size", [10, 33 * 2**20], ids=["small", "large"])
def test_a_copy_may_be_read_by_nobody_who_may_not_read_the_original(tmp_path, size):
    """A private file stays private, in the store too, beside a public one of the same content."""
    before = os.umask(0)
    try:
        store = FileStore(tmp_path / ".store")
        content = b"x" * size
        for mode, kept in (
            (0o600, 0o400),
            (0o644, 0o444),
            (0o640, 0o440),
            (0o700, 0o500),
            (0o755, 0o555),
            (0o200, 0o400),
        ):
            source = _write(tmp_path / f"source{mode}", content)
            source.chmod(mode)
            if mode == 0o200 and os.geteuid():
                continue  # only root can read it
            for number in (1, 2):
                copy = tmp_path / f"{number} copy of {mode}"
                store.put(source, copy)
                assert stat.S_IMODE(copy.stat().st_mode) == kept
        modes = sorted(stat.S_IMODE(file.stat().st_mode) for file in store.root.iterdir())
        assert modes == [0o400, 0o440, 0o444, 0o500, 0o555]
        assert (tmp_path / "1 copy of 384").samefile(tmp_path / "2 copy of 384")
    finally:
        os.umask(before)
