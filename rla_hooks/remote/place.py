"""A log root on another machine: the files that are there, and what may be done to them."""

from __future__ import annotations

import os
import posixpath
import shlex
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from rla_hooks.layout import LOG, RUN_JSON, TREES
from rla_hooks.remote.address import Address
from rla_hooks.remote.errors import RemoteError, remote_error
from rla_hooks.remote.files import INCOMING, PART, STORED, Stat, and_above, is_safe, names_in, stamp_of, stat_of

PIECE = 1 << 23  # bytes that are moved at once: what is lost where a transfer breaks off
_REQUEST = 1 << 17  # bytes that one request of SFTP writes


class Place:
    """The log root at an address. Every method raises RemoteError where the machine, or the way to it, fails."""

    def __init__(self, address: Address, fs: Any, root: str):
        self.address, self.fs, self.root = address, fs, root.rstrip("/") or "/"
        self.has_rename = address.protocol not in ("s3", "gs")
        self.can_append = self.has_rename
        # ssh and TLS check each byte on the way.
        self.reads_back = address.protocol in ("ftp", "file")
        self.at_once = 4 if address.protocol == "file" else 8
        self.has_links = True  # whether a file there can be made of one that is there
        self.stopped = threading.Event()  # set when nobody waits for what is moved any more
        self._made = set[str]()  # folders
        self._sftp: Any = None
        self._shell: bool | None = None if address.protocol == "ssh" else False

    def path(self, name: str) -> str:
        return posixpath.join(self.root, name)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Raise what a library raises in the block as a RemoteError."""
        try:
            yield
        except Exception as error:
            raise remote_error(self.address, error) from None

    # --- what is there ------------------------------------------------------------------------------------------------

    def names(self) -> set[str]:
        """Return the names of the runs there."""
        return names_in(self.files())

    def files(self, runs: Iterable[str] | None = None) -> dict[str, Stat]:
        """Return the files of all runs there, or of these, and of the store of code, by their paths in the log root."""
        starts = [*TREES, f"{INCOMING}/{LOG}"]
        if runs is not None:
            wanted = [*runs]
            if len(wanted) <= 50:  # else one look at everything is quicker
                starts = [f"{tree}/{name}" for name in wanted for tree in starts] + [STORED]
        with self.telling():
            found = self._found_by_shell(starts)
            if found is None:
                found = {}
                for start in starts:
                    found.update(self._found(start))
        return {name: stat for name, stat in found.items() if is_safe(name)}

    def _found_by_shell(self, starts: list[str]) -> dict[str, Stat] | None:
        """All files in one go, by find(1) on a host of ssh; None where it cannot be called."""
        if self._shell is False:
            return None
        words = " ".join(map(shlex.quote, starts))
        command = (
            f"echo shell; cd {shlex.quote(self.root)} 2>/dev/null || {{ echo missing; exit 0; }}; "
            "find . -maxdepth 0 -printf 'found\\n' 2>/dev/null && "
            f"find {words} -type f -printf '%s %T@ %i %p\\0' 2>/dev/null"
        )
        answer = bytes(self.fs.execute(command, check=False, encoding=None).stdout or b"")
        self._shell = answer.startswith(b"shell\n")
        if answer == b"shell\nmissing\n":
            return {}
        start = b"shell\nfound\n"
        if not answer.startswith(start):
            return None
        found = {}
        for line in answer[len(start) :].split(b"\0")[:-1]:
            size, time, inode, name = line.split(b" ", 3)
            found[os.fsdecode(name)] = Stat(int(size), float(time), int(inode))
        return found

    def _found(self, start: str) -> dict[str, Stat]:
        top = self.path(start)
        try:
            if hasattr(self.fs, "invalidate_cache"):
                self.fs.invalidate_cache()
            details = self.fs.find(top, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        strip = len(self.fs._strip_protocol(self.root).rstrip("/")) + 1
        return {name[strip:]: stat_of(each) for name, each in details.items() if each.get("type") == "file"}

    def stat(self, name: str) -> Stat:
        with self.telling():
            self._forget(name)
            return stat_of(self.fs.info(self.path(name)))

    def _forget(self, name: str) -> None:
        with suppress(Exception):
            self.fs.invalidate_cache(posixpath.dirname(self.path(name)))

    # --- what is moved ------------------------------------------------------------------------------------------------

    def fetch(self, name: str, file: Path) -> None:
        """Copy a file from there. FileNotFoundError passes as it is: a run that goes on may have replaced it."""
        with self.telling():
            self.fs.get_file(self.path(name), str(file))

    def read(self, name: str, start: int, end: int) -> bytes:
        return b"".join(self.pieces(name, start, end))

    def pieces(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """Yield what a file there has from one byte up to another one, in pieces."""
        with self.telling():
            if not self.has_rename:
                for at in range(start, end, PIECE):
                    self.go_on()
                    yield self.fs.cat_file(self.path(name), start=at, end=min(at + PIECE, end))
            elif start < end:
                with self.fs.open(self.path(name), "rb") as file:  # the cat_file of sshfs reads all of it
                    file.seek(start)
                    while start < end and (data := file.read(min(PIECE, end - start))):
                        self.go_on()
                        yield data
                        start += len(data)

    def go_on(self) -> None:
        """Raise RemoteError where the transfer is to stop."""
        if self.stopped.is_set():
            raise RemoteError(f"{self.address}: interrupted")

    def put(self, file: Path, name: str) -> None:
        """Copy a small file there."""
        with self.telling():
            self.go_on()
            if self.address.protocol == "file":  # the others make it by themselves
                self._make(posixpath.dirname(self.path(name)))
            self.fs.put_file(str(file), self.path(name))

    def date(self, name: str, seconds: float) -> None:
        """Give a file there the time that it has here, where that can be: the clock there may say another one."""
        with suppress(Exception):
            if self.address.protocol == "file":
                os.utime(self.path(name), (seconds, seconds))
            elif self.address.protocol == "ssh":
                from fsspec.asyn import sync

                self._sftp = self._sftp or sync(self.fs.loop, self.fs.client.start_sftp_client)
                sync(self.fs.loop, self._sftp.utime, self.path(name), times=(seconds, seconds))

    def write(self, name: str, source: BinaryIO, start: int) -> None:
        """Write what is left of an open file into one that is there, from a byte on."""
        with self.telling():
            self._make(posixpath.dirname(self.path(name)))
            with self.fs.open(self.path(name), "r+b" if start else "wb") as file:
                file.seek(start)
                while data := source.read(PIECE):
                    self.go_on()
                    file.write(data)

    def good_until(self, size: int) -> int:
        """Return up to which byte a file surely is what was written, where a transfer broke off at ``size`` bytes.

        The requests of a piece are under way together.
        """
        return max(size - 1, 0) // PIECE * PIECE

    def _make(self, folder: str) -> None:
        if folder not in self._made:
            self.fs.makedirs(folder, exist_ok=True)
            self._made.add(folder)

    def append(self, name: str, data: bytes, start: int) -> None:
        """Write bytes into a file, whose length is ``start``; where that breaks off, the first of them have come."""
        with self.telling(), self.fs.open(self.path(name), "r+b") as file:
            file.seek(start)
            for at in range(0, len(data), _REQUEST):
                file.write(data[at : at + _REQUEST])

    def parts(self, folder: str) -> dict[str, int]:
        """Return the sizes of what is not whole yet in a folder, by names."""
        with self.telling():
            try:
                self._forget(f"{folder}/x")
                found = self.fs.ls(self.path(folder), detail=True)
            except FileNotFoundError:
                return {}
        leaves = ((posixpath.basename(each["name"]), each) for each in found)
        return {leaf: int(each["size"]) for leaf, each in leaves if leaf.endswith(PART) and each["type"] == "file"}

    def remove_part(self, name: str) -> None:
        """Remove what a transfer has left of a file; whether that goes well does not matter."""
        with suppress(Exception):
            self.fs.rm_file(self.path(name))

    def stamp(self, name: str) -> str | None:
        """Return what changes when the content of a file does; None where that is not known."""
        with self.telling():
            self._forget(name)
            return stamp_of(self.fs.info(self.path(name)))

    def link(self, stored: str, name: str) -> bool:
        """Make a file there of one that is there, by a hard link or a copy on that side; False where that cannot be."""
        kind = self.address.protocol
        with self.telling():
            if kind == "file":
                Path(self.path(name)).parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(self.path(stored), self.path(name))
                except OSError:
                    return False
                return True
            if kind in ("s3", "gs"):
                self.fs.cp_file(self.path(stored), self.path(name))
                return True
            if self._shell:
                folder = posixpath.dirname(self.path(name))
                words = [shlex.quote(each) for each in (folder, self.path(stored), self.path(name))]
                done = self.fs.execute(f"mkdir -p -- {words[0]} && ln -f -- {words[1]} {words[2]}", check=False)
                return bool(done.exit_status == 0)
        return False

    def place_run(self, name: str) -> None:
        """Put the log folder of a new run, which is whole by now, where lists find it.

        Where another sender of the run has done it just before, what still waits is the same, and goes.
        """
        waiting, target = self.path(f"{INCOMING}/{LOG}/{name}"), self.path(f"{LOG}/{name}")
        with self.telling():
            self._make(posixpath.dirname(target))
            try:
                self._rename(waiting, target)
            except Exception:
                if not self.fs.exists(f"{target}/{RUN_JSON}"):
                    raise
                with suppress(Exception):
                    self.fs.rm(waiting, recursive=True)

    def tidy(self, names: Iterable[str]) -> None:
        """Remove the empty folders that new runs have passed through."""
        folders = {posixpath.dirname(f"{INCOMING}/{LOG}/{name}") for name in names}
        for folder in {parent for each in folders for parent in and_above(each)}:
            self._made.discard(self.path(folder))
        for folder in sorted({parent for each in folders for parent in and_above(each)}, key=len, reverse=True):
            with suppress(Exception):  # another sender uses it
                # sshfs has no rmdir that can be called like this; its rm takes an empty folder
                (self.fs.rm if self.address.protocol == "ssh" else self.fs.rmdir)(self.path(folder))

    def rename(self, old: str, new: str) -> None:
        with self.telling():
            self._rename(self.path(old), self.path(new))

    def _rename(self, old: str, new: str) -> None:
        if self.address.protocol == "file":
            os.replace(old, new)
        else:
            self.fs.mv(old, new)

    def has_rsync(self) -> bool:
        """Whether rsync is on the other end."""
        with self.telling():
            return bool(self._shell) and self.fs.execute("command -v rsync", check=False).exit_status == 0

    def try_out(self) -> None:
        """Write, read and remove a small file, or raise RemoteError."""
        name, data = f".try-{os.urandom(8).hex()}{PART}", os.urandom(64)
        with self.telling():
            self.fs.makedirs(self.root, exist_ok=True)
            self.fs.pipe_file(self.path(name), data)
            same = self.fs.cat_file(self.path(name)) == data
            self.fs.rm_file(self.path(name))
            if not same:
                raise OSError("a file that was written there reads otherwise")
