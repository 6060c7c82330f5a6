"""A log root on another machine: the files that are there, and what may be done to them."""

from __future__ import annotations

import io
import os
import posixpath
import shlex
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.layout import CODE, LOG, RUN_JSON, TREES
from rla_hooks.remote.address import Address
from rla_hooks.remote.errors import remote_error
from rla_hooks.run_name import is_run_name
from rla_hooks.snapshot.filestore import STORE

INCOMING = ".incoming"  # of new runs, until they are whole: LOG_ROOT/.incoming/log/<run name>
PART = ".rla-part"  # files, and rsync's folders, of what is not whole yet
_STORE = f"{CODE}/{STORE}"


class Stat(NamedTuple):
    """What is known of a file: bytes, seconds since 1970 of its last change (None: not told), inode (0: none)."""

    size: int
    time: float | None = None
    inode: int = 0


class Place:
    """The log root at an address. Every method raises RemoteError where the machine, or the way to it, fails."""

    def __init__(self, address: Address, fs: Any, root: str):
        self.address, self.fs, self.root = address, fs, root.rstrip("/") or "/"
        self.has_rename = address.protocol not in ("s3", "gs")
        self.can_append = self.has_rename
        # ssh and TLS check each byte on the way.
        self.reads_back = address.protocol in ("ftp", "file")
        self.at_once = {"ftp": 1, "ftps": 1, "file": 4}.get(address.protocol, 8)  # one connection of FTP does one thing
        self.is_ftp = address.protocol in ("ftp", "ftps")
        self._made = set[str]()  # folders
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
                starts = [f"{tree}/{name}" for name in wanted for tree in starts] + [_STORE]
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
        if start >= end:
            return b""
        with self.telling():
            if self.is_ftp:  # fsspec breaks a transfer off to end it, which servers resent
                pieces: list[bytes] = []
                self.fs.ftp.retrbinary(f"RETR {self.path(name)}", pieces.append, rest=start)
                return b"".join(pieces)[: end - start]
            return bytes(self.fs.cat_file(self.path(name), start=start, end=end))

    def send(self, file: Path, name: str) -> None:
        """Make a file there: whole, or not at all."""
        with self.telling():
            if not self.has_rename:
                self.fs.put_file(str(file), self.path(name))
                return
            folder, leaf = posixpath.split(self.path(name))
            part = posixpath.join(folder, f".{zlib.crc32(os.fsencode(leaf)):08x}{PART}")
            if self.address.protocol != "ssh":  # sshfs makes it by itself
                self._make(folder)
            if self.is_ftp:  # fsspec's own way leaves the end of a longer file that is there
                with open(file, "rb") as data:
                    self.fs.ftp.storbinary(f"STOR {part}", data)
            else:
                self.fs.put_file(str(file), part)
            self._rename(part, self.path(name))

    def _make(self, folder: str) -> None:
        if folder not in self._made:
            self.fs.makedirs(folder, exist_ok=True)
            self._made.add(folder)

    def append(self, name: str, data: bytes) -> None:
        with self.telling():
            if self.is_ftp:
                self.fs.ftp.storbinary(f"APPE {self.path(name)}", io.BytesIO(data))
            else:
                with self.fs.open(self.path(name), "ab") as file:
                    file.write(data)

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
        """Put the log folder of a new run, which is whole by now, where lists find it."""
        with self.telling():
            target = self.path(f"{LOG}/{name}")
            self._make(posixpath.dirname(target))
            self._rename(self.path(f"{INCOMING}/{LOG}/{name}"), target)

    def tidy(self, names: Iterable[str]) -> None:
        """Remove the empty folders that new runs have passed through."""
        folders = {posixpath.dirname(f"{INCOMING}/{LOG}/{name}") for name in names}
        for folder in {parent for each in folders for parent in _and_above(each)}:
            self._made.discard(self.path(folder))
        for folder in sorted({parent for each in folders for parent in _and_above(each)}, key=len, reverse=True):
            with suppress(Exception):  # another sender uses it
                # sshfs has no rmdir that can be called like this; its rm takes an empty folder
                (self.fs.rm if self.address.protocol == "ssh" else self.fs.rmdir)(self.path(folder))

    def _rename(self, old: str, new: str) -> None:
        if self.address.protocol == "file":
            os.replace(old, new)
            return
        try:
            self.fs.mv(old, new)
        except Exception:
            if not self.is_ftp:
                raise
            self.fs.rm_file(new)  # some servers of FTP rename onto no file
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


def _and_above(folder: str) -> list[str]:
    parts = folder.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def stat_of(info: dict[str, Any]) -> Stat:
    """Return what fsspec tells of a file, whose words differ from one file system to the next."""
    time: Any = info.get("mtime") or info.get("LastModified") or info.get("updated")
    seconds = time.timestamp() if hasattr(time, "timestamp") else time
    return Stat(
        int(info["size"]), float(seconds) if isinstance(seconds, (int, float)) else None, int(info.get("ino", 0))
    )


def is_safe(name: str) -> bool:
    """Whether a path of another machine stays in the log root, and is no temporary file."""
    parts = name.split("/")
    return (
        not name.startswith("/") and not {"", ".", ".."} & set(parts) and PART not in name and not _is_temporary(parts)
    )


def _is_temporary(parts: list[str]) -> bool:
    return parts[-1].startswith(".saving-") or any("\0" in part or (os.name == "nt" and "\\" in part) for part in parts)


def names_in(files: Iterable[str]) -> set[str]:
    """Return the names of the runs that have these files: folders with a run.json, or with a run's name, in log/."""
    found, folders = set[str](), set[str]()
    for path in files:
        if path.startswith(f"{LOG}/"):
            folder, _, leaf = path[len(LOG) + 1 :].rpartition("/")
            if leaf == RUN_JSON and folder:
                found.add(folder)
            folders.add(folder)
    for folder in folders - found:
        parts = folder.split("/")
        found.update(name for end in range(5, len(parts) + 1) if is_run_name(name := "/".join(parts[:end])))
    return {name for name in found if not _is_in_another(name, found)}


def _is_in_another(name: str, names: set[str]) -> bool:
    parts = name.split("/")
    return any("/".join(parts[:end]) in names for end in range(1, len(parts)))


def by_run(files: Iterable[str], names: set[str]) -> dict[str, list[str]]:
    """Return the files of each run; those of new runs that are not whole yet are under the path that they will have."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for path in files:
        parts = path.split("/")
        for end in range(2, len(parts)):
            name = "/".join(parts[1:end])
            if parts[0] in TREES and name in found:
                found[name].append(path)
                break
    return found
