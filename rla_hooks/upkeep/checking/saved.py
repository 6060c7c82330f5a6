"""Checks the checkpoints of a run against their manifest: sizes, checksums, files that are gone or not listed."""

from __future__ import annotations

import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from rla_hooks import plaindata
from rla_hooks.checkpoints import staging
from rla_hooks.checkpoints.checksum import measure
from rla_hooks.checkpoints.entry import DEFAULT_NAME, Entry, entry_of
from rla_hooks.checkpoints.manifest import FILE, FORMAT, Manifest, manifest_bytes
from rla_hooks.checkpoints.old_listing import old_checkpoints
from rla_hooks.checkpoints.whole_files import MISSING
from rla_hooks.filenames import portable
from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import LIMIT, parse_object, read_bytes, read_json
from rla_hooks.state.checksums import Digest, of_folder
from rla_hooks.state.writing import FILE as STATE
from rla_hooks.texts import listed, printable, shown
from rla_hooks.upkeep.checking.found import Found, Mend
from rla_hooks.upkeep.checking.opening import Disk, mark_at, unreadable

# As Saver names them; of another suffix nothing tells whether a file is whole.
_NAME = pattern(r"(.+)-([0-9]{1,18})(?:\.[0-9]{1,9})?\.(pt|pkl|keras|keras\.pkl|tf|weights\.h5)")
_ZIPS = "pt", "keras"
_ZIP = b"PK\3\4"  # which torch's files begin with since its version 1.6
_WRITER = "rla verify"  # noted for files that are listed here, so that no saver deletes them
_MAX_FILES = 100_000
_MAX_NAMED = 5
_MAX_KNOWN = 100_000
_SPECIAL = "is no regular file"


class SavedFiles:
    """Checks checkpoints; files that several runs share are read once."""

    def __init__(self, disk: Disk):
        self._disk = disk
        self._known: dict[Any, str | None] = {}  # of entries what is wrong, and of parts of folders their CRC-32C

    def check(self, content: Listed, is_live: bool, of_rla: bool = False) -> Iterator[Found]:
        """Yield what is wrong with the checkpoints of a run. of_rla: the original RLA has made them."""
        folder, manifest = content.folder, Manifest(content.folder)
        yield from content.found(is_live)
        for entry in content.entries:
            problem = self._trouble(manifest, entry) or _contradiction(entry)
            if problem is None or (is_live and not _is_listed(manifest, entry)):
                continue
            mend = None
            if problem == MISSING:
                content.gone.append(entry)
                mend = content.mend("its entry is taken out of manifest.json")
            what = f"(checkpoint {shown(entry.name, 100)} of step {entry.step})"
            yield Found(folder / entry.file, f"{problem} {what}", mend=mend)
        if of_rla and not content.entries:
            yield from self._of_rla(folder)
        elif not is_live:
            yield from self._unlisted(folder, content)

    def _trouble(self, manifest: Manifest, entry: Entry) -> str | None:
        path = manifest.folder / entry.file
        try:
            status = os.stat(path)
        except OSError:
            return manifest.trouble(entry)
        if stat.S_ISDIR(status.st_mode):
            return self._trouble_of_folder(manifest, entry)
        if not stat.S_ISREG(status.st_mode):
            return _SPECIAL
        key = *_key(status), entry.size, entry.crc32c
        if key not in self._known:
            self._disk.count(1, status.st_size)
            self._remember(key, manifest.trouble(entry))
        return self._known[key]

    def _trouble_of_folder(self, manifest: Manifest, entry: Entry) -> str | None:
        """Compare a folder: a part that several states share, such as of a replay buffer, is read once."""
        path = manifest.folder / entry.file
        digests = []
        try:
            for file in staging.files_of(path):
                status = os.stat(file)
                if not stat.S_ISREG(status.st_mode):  # nobody may ever write into a FIFO, and a device has no end
                    return f"{_SPECIAL}: {printable(file.relative_to(path))}"
                key = _key(status)
                if key not in self._known:
                    self._disk.count(1, status.st_size)
                    self._remember(key, measure(file)[1])
                part = Digest(status.st_size, int(self._known[key] or "0", 16))
                digests.append((file.relative_to(path).as_posix(), part))
        except (OSError, RecursionError):
            return manifest.trouble(entry)
        size, crc = of_folder(digests)
        if size != entry.size:
            return f"has {size} bytes instead of the {entry.size} that were written{_other_parts(path, digests)}"
        if crc != entry.crc32c:
            changed = f"has changed since it was written (crc32c {crc}, not {entry.crc32c})"
            return f"{changed}{_other_parts(path, digests)}"
        return None

    def _remember(self, key: Any, known: str | None) -> None:
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[key] = known

    def _unlisted(self, folder: Path, content: Listed) -> Iterator[Found]:
        """Yield the files that a saver may have written, and that are in no manifest."""
        listed = {entry.file.partition("/")[0] for entry in content.entries}
        names = {portable(entry.name) for entry in content.entries} | {DEFAULT_NAME}
        with suppress(OSError):
            for name in sorted(each for each, _ in zip(os.listdir(folder), range(_MAX_FILES))):
                match = _NAME.fullmatch(name)
                if match is None or name in listed:
                    continue
                path, stem, step, kind = folder / name, match[1], int(match[2]), match[3]
                if stem not in names and not content.mentions(name):
                    yield Found(path, "is not in manifest.json: nothing of rla_hooks loads it", is_damage=False)
                elif (entry := self._whole(path, stem, step, kind)) is None:
                    text = "is not in manifest.json, and nothing tells that it is whole: nothing loads it"
                    yield Found(path, text, is_damage=False)
                else:
                    content.new.append(entry)
                    text = "is whole, and not in manifest.json: its saver was killed, or the manifest was damaged"
                    yield Found(path, text, mend=content.mend("it is listed in manifest.json"))

    def _of_rla(self, folder: Path) -> Iterator[Found]:
        """Yield torch's archives that are not whole; of the other files nothing tells."""
        for each in old_checkpoints(folder):
            try:
                with self._disk.open(each.path) as file:
                    is_zip = file.read(len(_ZIP)) == _ZIP
                    if is_zip and not _is_whole_zip(file):
                        yield Found(each.path, "is damaged: a checksum in it does not hold, or its end is missing")
            except OSError as error:
                yield unreadable(each.path, error)

    def _whole(self, path: Path, stem: str, step: int, kind: str) -> Entry | None:
        """Return an entry for a file of which its own content tells that it is whole."""
        try:
            with self._disk.open(path) as file:
                is_whole = _is_whole_zip(file) if kind in _ZIPS else kind == "pkl" and _is_whole_pickle(file)
            if not is_whole:
                return None
            size, crc = measure(path)
            return Entry(path.name, stem, step, os.stat(path).st_mtime, size, crc, {"writer": _WRITER})
        except OSError:
            return None


def _other_parts(folder: Path, digests: Iterable[tuple[str, Digest]]) -> str:
    """Say which parts of a state are not what its state.json tells, where it does."""
    try:
        noted = read_json(folder / STATE).get("files")
    except (OSError, ValueError):
        return ""
    if not isinstance(noted, dict):
        return ""
    found = {name: [digest.size, digest.crc32c] for name, digest in digests}
    other = [name for name, part in noted.items() if isinstance(part, list) and found.get(name) != part[:2]]
    return f": {listed([*map(printable, other)], _MAX_NAMED)}" if other else ""


def _key(status: os.stat_result) -> tuple[int, ...]:
    """Return what is another one for other files, and for files that somebody has written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _contradiction(entry: Entry) -> str | None:
    """Return how an entry differs from what the name of its file says, which the saver has made of it."""
    match = _NAME.fullmatch(entry.file) if entry.own else None
    if match is None or (match[1] == portable(entry.name) and int(match[2]) == entry.step):
        return None
    return f"is called so, and manifest.json says step {entry.step} of {shown(entry.name, 100)}"


def _is_listed(manifest: Manifest, entry: Entry) -> bool:
    """Whether a run that goes on has the entry still: its saver keeps the newest only."""
    return entry in Listed(manifest.folder).entries


def _is_whole_zip(file: BinaryIO) -> bool:
    """Whether all checksums in an archive hold: torch and Keras write one for each of its parts."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            size = file.seek(0, os.SEEK_END)
            return bool(parts) and sum(each.file_size for each in parts) <= 2 * size and archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError, RuntimeError):
        return False


def _is_whole_pickle(file: BinaryIO) -> bool:
    """Whether a file is plain data, from its beginning to its end."""
    data = file.read(LIMIT + 1)
    try:
        return len(data) <= LIMIT and data.endswith(b".") and isinstance(plaindata.loads(data), dict)
    except ValueError:
        return False


class Listed:
    """What the manifest in a folder lists, and is to list. gone: entries whose files are gone; new: files it lacks."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / FILE
        self.entries: list[Entry] = []
        self.gone: list[Entry] = []
        self.new: list[Entry] = []
        self.problem: str | None = None
        self._data, self._mark, self._is_newer = b"", b"", False
        self._error: OSError | None = None
        try:
            self._mark = mark_at(self.path)
            self._data = read_bytes(self.path)
            self._read()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self._error = error
        except ValueError as error:
            self.problem = f"is damaged: {printable(error)}"
            self._salvage()

    def _read(self) -> None:
        if not self._data:  # its first saver has just made it, to lock it
            return
        content = parse_object(self._data)
        number, listed = content.get("format"), content.get("checkpoints")
        if not isinstance(listed, list) or type(number) is not int or number < 1:
            raise ValueError("it holds no list of checkpoints of a known format")
        self._is_newer = number > FORMAT
        self.entries = [entry for entry in map(entry_of, listed) if entry]
        if len(self.entries) < len(listed) and not self._is_newer:
            self.problem = f"has {len(listed) - len(self.entries)} entries that cannot be used"

    def _salvage(self) -> None:
        """Read the lines that are whole: each entry has one of its own."""
        for line in self._data.split(b"\n"):
            with suppress(ValueError, RecursionError):
                entry = entry_of(json.loads(line.strip().rstrip(b",")))
                self.entries += [entry] if entry else []

    def found(self, is_live: bool) -> Iterator[Found]:
        """Yield what is wrong with the file itself."""
        if self._error is not None:
            yield unreadable(self.path, self._error)
        elif self.problem is not None:
            lines = f"{len(self.entries)} of its entries can be read"
            mend = None if is_live else self.mend("it is written anew: the entries that can be read, and whole files")
            yield Found(self.path, f"{self.problem}; {lines}", mend=mend)
        elif self._is_newer:
            yield Found(self.path, f"has a format that is newer than {FORMAT}: read as far as known", is_damage=False)

    def mentions(self, name: str) -> bool:
        """Whether a damaged manifest has a file's name in it."""
        quoted = json.dumps(name, ensure_ascii=False).encode("utf-8", "replace")
        return self.problem is not None and quoted in self._data

    def mend(self, how: str) -> Mend | None:
        """Return what writes the manifest as it is to be in the end, whichever finding asks for it."""
        if self._is_newer or self._error is not None:
            return None
        return Mend(how, self._write, mark=self._mark, path=self.path)

    def _write(self, old: BinaryIO, new: BinaryIO) -> None:
        entries = [entry for entry in self.entries if entry not in self.gone] + self.new
        new.write(manifest_bytes(sorted(entries, key=lambda entry: entry.time) if self.new else entries))
