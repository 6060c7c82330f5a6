"""Caches of what was read: shared by processes and threads, gone or damaged at any moment, never in anybody's way."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from rla_hooks.query import cache as caches
from rla_hooks.query import database
from rla_hooks.query.cache import open_cache
from rla_hooks.query.database import Kind

pytestmark = pytest.mark.usefixtures("quiet")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs links, rights and signals")
KIND = Kind("demo", 1, "CREATE TABLE seen (name BLOB PRIMARY KEY); CREATE INDEX by_name ON seen (name)")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the caches of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "rla_hooks"
    caches.forget_state()


def add(*names):
    return lambda db: db.executemany("INSERT INTO seen VALUES (?)", [[name] for name in names])


def names(db):
    return [name for (name,) in db.execute("SELECT name FROM seen ORDER BY name")]


def file_in(folder):
    (found,) = folder.glob("*.sqlite")
    return found


def read_by_sqlite(folder):
    """What a connection that owes nothing to rla_hooks finds."""
    connection = sqlite3.connect(file_in(folder))
    try:
        return names(connection)
    finally:
        connection.close()


def test_what_is_written_is_there_for_the_next_process(tmp_path, folder):
    """In one file, in a folder that nobody else may open; and nothing is written into the log root."""
    root = tmp_path / "root"
    root.mkdir(), folder.mkdir(parents=True)
    folder.chmod(0o755)
    assert open_cache(root, KIND).write(add(b"a", "né\udcff".encode("utf-8", "surrogateescape")))
    caches.forget_state()
    assert open_cache(root, KIND).read(names) == [b"a", b"n\xc3\xa9\xff"] == read_by_sqlite(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and not list(root.iterdir())
    assert not open_cache(root, KIND).in_memory and open_cache(root, KIND).size() >= 4096


@needs_posix
def test_links_to_one_root_share_a_file(tmp_path, folder):
    """Another root, another kind and another version have files of their own."""
    (tmp_path / "root").mkdir(), (tmp_path / "link").symlink_to("root")
    open_cache(tmp_path / "root", KIND).write(add(b"a"))
    assert open_cache(tmp_path / "link", KIND).read(names) == [b"a"]
    for root, kind in [("other", KIND), ("root", KIND._replace(name="more")), ("root", KIND._replace(version=2))]:
        assert open_cache(tmp_path / root, kind).read(names) == []
    assert len([*folder.glob("*.sqlite")]) == 4


def test_what_raises_is_rolled_back(tmp_path, folder):
    """Whatever it raises, also Ctrl-C: the cache is as it was, and goes on."""
    cache = open_cache(tmp_path, KIND)
    cache.write(add(b"a"))
    for error in (KeyboardInterrupt, ValueError):

        def work(db, error=error):
            add(b"b")(db)
            raise error

        with pytest.raises(error):
            cache.write(work)
    assert cache.read(names) == [b"a"] == read_by_sqlite(folder)
    cache.write(add(b"c"))
    assert cache.read(names) == [b"a", b"c"]


@pytest.mark.parametrize("moment", ["open", "closed"])
@pytest.mark.parametrize("damage", ["empty", "text", "random", "middle", "short", "tables", "version"])
def test_a_damaged_file_is_built_anew(damage, moment, tmp_path, folder):
    """Random bytes, half a file, other tables: the cache is empty, takes what it gets, and says nothing."""
    cache = open_cache(tmp_path, KIND)
    cache.write(add(*(b"%064d" % number for number in range(10_000))))
    file, random_bytes = file_in(folder), random.Random(3).randbytes
    if moment == "closed":
        caches.forget_state()
        cache = open_cache(tmp_path, KIND)
    size = file.stat().st_size
    if damage in ("tables", "version"):
        connection = sqlite3.connect(file)
        connection.execute("DROP TABLE seen" if damage == "tables" else "PRAGMA user_version = 7")
        connection.close()
    elif damage == "short":
        os.truncate(file, size // 2)
    elif damage == "middle":
        with file.open("r+b") as open_file:
            open_file.seek(4096)
            open_file.write(random_bytes(size - 4096))
    else:
        file.write_bytes({"empty": b"", "text": b"no database" * 999, "random": random_bytes(size)}[damage])
    assert len(cache.read(names)) in (0, 10_000), "all or nothing: what this process has read before, it may use"
    caches.forget_state()
    cache = open_cache(tmp_path, KIND)
    found = cache.read(names)
    cache.write(add(b"new"))
    assert read_by_sqlite(folder) == [*found, b"new"] and not cache.in_memory


def test_a_work_that_finds_nonsense_empties_the_cache(tmp_path, folder):
    """It says so by sqlite3.DatabaseError, and is called again."""
    cache = open_cache(tmp_path, KIND)
    cache.write(add(b"nonsense"))

    def work(db):
        if b"nonsense" in names(db):
            raise sqlite3.DatabaseError("what stands there makes no sense")
        return names(db)

    assert cache.read(work) == [] == read_by_sqlite(folder)


def test_a_file_that_is_deleted_while_open_is_made_again(tmp_path, folder):
    """The next use sees it; so it is with the whole folder."""
    cache = open_cache(tmp_path, KIND)
    cache.write(add(b"a"))
    file_in(folder).unlink()
    assert cache.read(names) == []
    cache.write(add(b"b"))
    assert read_by_sqlite(folder) == [b"b"]
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    assert cache.read(names) == [] and cache.write(add(b"c")) and read_by_sqlite(folder) == [b"c"]


def unwritable(folder, monkeypatch):
    folder.parent.write_text("a file is in the way")


def another_users(folder, monkeypatch):
    folder.mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)


def without_home(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/not/allowed")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(caches.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))


@needs_posix
@pytest.mark.parametrize("trouble", [unwritable, another_users, without_home])
def test_where_no_file_can_be_had_the_cache_is_in_memory(trouble, tmp_path, folder, monkeypatch, warnings_as_text):
    """One warning in a process says what, where, and what to do; the cache works as long as the process."""
    trouble(folder, monkeypatch)
    for root in (tmp_path / "a", tmp_path / "b"):
        cache = open_cache(root, KIND)
        assert cache.write(add(b"a")) and cache.read(names) == [b"a"] and cache.in_memory
    (text,) = warnings_as_text
    assert "Set the variable XDG_CACHE_HOME" in text
    assert str(folder) in text or trouble is without_home
    warnings_as_text.clear()


@needs_posix
def test_a_full_disk_and_a_read_only_one(mounted, tmp_path, monkeypatch, warnings_as_text):
    """What was stored before is read; what does not fit is kept in memory, with one warning."""
    disk = mounted("tmpfs", "size=256k")
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    cache = open_cache(tmp_path, KIND)
    assert cache.write(add(b"a"))
    many = [b"%01000d" % number for number in range(1000)]
    assert cache.write(add(*many)) and cache.read(names) == many and cache.in_memory
    assert len(warnings_as_text) == 1 and "disk is full" in warnings_as_text.pop()
    assert read_by_sqlite(disk / "rla_hooks") == [b"a"]
    caches.forget_state()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    cache = open_cache(tmp_path, KIND)
    assert cache.read(names) == [b"a"], "a disk that can only be read serves readers"
    assert cache.write(add(b"b")) and cache.read(names) == [b"b"]
    assert len(warnings_as_text) == 1 and "read" in warnings_as_text.pop()


def test_a_cache_that_is_busy_stops_nobody(tmp_path, folder, monkeypatch):
    """Another process that holds it for too long: reading goes on as if it were empty, writing says that it did not."""
    monkeypatch.setattr(database, "BUSY", 0.1)
    cache = open_cache(tmp_path, KIND)
    cache.write(add(b"a"))
    other = sqlite3.connect(file_in(folder), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    begin = time.monotonic()
    assert cache.read(names) == [] and cache.write(add(b"b")) is False
    assert time.monotonic() - begin < 60
    other.execute("COMMIT")
    other.close()
    assert cache.read(names) == [b"a"] and not cache.in_memory


def test_threads_share_a_cache(tmp_path, folder):
    """Their transactions do not mix."""
    cache = open_cache(tmp_path, KIND)

    def work(number):
        for step in range(20):
            cache.write(add(b"%d-%d" % (number, step)))
            cache.read(names)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_by_sqlite(folder)) == 80


def test_a_forked_child_opens_its_own(tmp_path, folder, forked):
    """Parent and child write to the same file by connections of their own."""
    cache = open_cache(tmp_path, KIND)
    cache.write(add(b"parent"))

    def child():
        own = open_cache(tmp_path, KIND)
        assert own is not cache and own.write(add(b"child"))

    assert forked(child).ended() == 0
    cache.write(add(b"parent again"))
    assert read_by_sqlite(folder) == [b"child", b"parent", b"parent again"]


WRITING = """
import sys
from rla_hooks.query import cache as caches
from rla_hooks.query import database
from rla_hooks.query.cache import open_cache
from rla_hooks.query.database import Kind
database.BUSY = 120.0
kind = Kind("demo", 1, "CREATE TABLE seen (name BLOB PRIMARY KEY); CREATE INDEX by_name ON seen (name)")
cache, who = open_cache(sys.argv[1], kind), sys.argv[2]
for step in range(int(sys.argv[3])):
    cache.write(lambda db: db.executemany(
        "INSERT INTO seen VALUES (?)", [[f"{who}-{step}-{part}".encode()] for part in range(50)]))
    print(step, flush=True)
"""


def writer(root, who, steps):
    return subprocess.Popen(
        [sys.executable, "-c", WRITING, root, who, str(steps)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.norerun
def test_processes_write_at_once(tmp_path, folder):
    """All of them make the file at the same moment, and all that they write is in it."""
    processes = [writer(tmp_path, str(number), 20) for number in range(3)]
    for process in processes:
        assert process.communicate()[1] == b"" and process.returncode == 0
    assert len(read_by_sqlite(folder)) == 3 * 20 * 50


@needs_posix
@pytest.mark.norerun
def test_a_process_that_is_killed_leaves_whole_transactions(tmp_path, folder):
    """kill -9 in the middle of writing: each of its transactions is there or not, and the next process goes on."""
    cache = open_cache(tmp_path, KIND)
    for attempt in range(10):
        process = writer(tmp_path, str(attempt), 100_000)
        for _ in range(attempt):
            process.stdout.readline()
        process.kill()
        process.communicate()
        found = cache.read(names)
        assert len(found) % 50 == 0 and cache.write(add(b"x%d" % attempt)), "no lock is left"
        cache.write(lambda db, attempt=attempt: db.execute("DELETE FROM seen WHERE name = ?", [b"x%d" % attempt]))
    assert len(read_by_sqlite(folder)) >= 50 and not cache.in_memory


def test_files_that_nobody_uses_are_removed(tmp_path, folder):
    """Those of roots that are gone, after 90 days; what is not ours stays."""
    for root in ("gone", "used"):
        open_cache(tmp_path / root, KIND).write(add(b"a"))
    old, foreign = time.time() - 100 * 86400, folder / "mine.sqlite"
    foreign.touch()
    for file in folder.iterdir():
        os.utime(file, (old, old))
    caches.forget_state()
    open_cache(tmp_path / "used", KIND).read(names)
    assert len([*folder.glob("demo*")]) == 2
    open_cache(tmp_path / "new", KIND).read(names)
    assert len([*folder.glob("demo*")]) == 2 and foreign.exists()
    assert open_cache(tmp_path / "used", KIND).read(names) == [b"a"]
