"""The list of a run's complete checkpoints.

    checkpoint/<run name>/checkpoint-1000.pt
                          checkpoint-2000.pt
                          manifest.json       {"format": 2, "checkpoints": [{"file": "checkpoint-1000.pt",
                                               "name": "checkpoint", "step": 1000, "time": 1769846400.0,
                                               "size": 52428800, "crc32c": "e3069283", "info": {}}, ...]}

An entry is added after its file is complete; entries are in the order of writing. A file without an entry is
incomplete, or not written by this run; it is neither read nor deleted. A checkpoint may also be a folder: then
``size`` is the sum over its files, and ``crc32c`` is that of their names and contents in sorted order. Three more keys
may be there: ``written``, how far the run's metrics had come, ``cut`` and ``own`` (see :class:`Entry`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.checkpoints import whole_files
from rla_hooks.checkpoints.checksum import measure
from rla_hooks.checkpoints.entry import MANIFEST, Positions, entry_of, is_state
from rla_hooks.checkpoints.entry import Entry as Entry
from rla_hooks.checkpoints.whole_files import MISSING
from rla_hooks.errors import warn
from rla_hooks.locks import locked
from rla_hooks.smallfiles import parse_object, read_bytes
from rla_hooks.texts import printable, shown

FILE = MANIFEST
FORMAT = 2  # as format 1; but its run may have been written by several processes
_LOOKS = 50  # entries of which a save looks whether their files are gone
_ATTEMPTS = 100  # to find a checkpoint while a saver deletes them


class Manifest:
    """The manifest in a run's checkpoint folder. The folder need not exist until something is added.

    Reading never raises for a damaged manifest: it warns (RLAWarning), and gives the entries that can be used.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = Manifest(folder)
    ...     _ = Path(folder, "model.h5").write_bytes(b"weights")
    ...     entry = manifest.add("model.h5", "model", step=1000)
    ...     entry.size, manifest.trouble(entry), [entry.step for entry in manifest.complete()]
    (7, None, [1000])
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.path = self.folder / FILE
        self._next_look = 0  # the entry at which the next save begins to look whether files are gone
        self._known: tuple[bytes, list[Entry]] = b"", []  # the file as it was last read or written, and its entries

    def entries(self) -> list[Entry]:
        """Return all that is recorded, oldest first, whether the files are still there or not, and those that were cut.

        What cannot be understood is left out with a warning. Changes nothing on disk.
        """
        try:
            return self._read()[0]
        except OSError as error:
            self._warn(f"cannot be read ({error})")
            return []

    def readable(self) -> list[Entry] | None:
        """Return all that is recorded, as :meth:`entries` does; None if that is not all: it is damaged, or too new.

        >>> Manifest("no such folder").readable()
        []
        """
        try:
            entries, problem = self._read()
        except OSError as error:
            problem = self._warn(f"cannot be read ({error})")
        return None if problem else entries

    def complete(self) -> list[Entry]:
        """Return the entries whose files are there in full size, oldest first. :meth:`trouble` checks contents.

        Those that a resume has cut are no checkpoints of the run any more, here and in all that finds the newest.
        """
        return [entry for entry in self._uncut() if self.has_size(entry)]

    def _uncut(self) -> list[Entry]:
        return [entry for entry in self.entries() if entry.cut is None]

    def newest(self, name: str | None = None, step: int | None = None, states: bool = True) -> Entry | None:
        """Return the whole one that was written last, of this name and step where they are given; None without.

        states: whether a whole state of the run (``rla.save_state``) may be it.
        Its checksum is compared, which reads the file, once in this process. Damaged ones are passed over with a
        warning, those that somebody has deleted without one.
        """

        def wanted(entries: list[Entry]) -> list[Entry]:
            named = [each for each in entries if name in (None, each.name) and step in (None, each.step)]
            return [each for each in named if states or not is_state(each)]

        entry, problems = self.newest_whole(wanted, self.trouble_once)
        for other, problem in problems:
            if problem != MISSING:
                instead = f"Step {entry.step} is taken instead" if entry else "There is no whole one before it"
                warn(f"The checkpoint {printable(self.folder / other.file)} {problem}. {instead}.")
        return entry

    def newest_whole(
        self, wanted: Callable[[list[Entry]], list[Entry]], trouble: Callable[[Entry], str | None] | None = None
    ) -> tuple[Entry | None, list[tuple[Entry, str]]]:
        """Return the last of the ``wanted`` entries that is whole, and what is wrong with those after it.

        wanted: selects some of all entries but the cut ones. trouble: tells what is wrong with one, as :meth:`trouble`
        does. If files disappear meanwhile, since a saver keeps only the newest ones, it looks again at what the
        manifest says then.
        """
        for attempt in range(_ATTEMPTS):
            entries, problems = self._uncut(), list[tuple[Entry, str]]()
            for entry in reversed(wanted(entries)):
                problem = (trouble or self.trouble)(entry)
                if problem is None:
                    return entry, problems
                problems.append((entry, problem))
                if problem == MISSING and attempt < _ATTEMPTS - 1 and self._uncut() != entries:
                    break
            else:
                break
        return None, problems

    def add(
        self,
        file: str,
        name: str,
        step: int,
        measured: tuple[int, str] | None = None,
        info: Mapping[str, Any] | None = None,
        written: Positions | None = None,
        own: bool = False,
    ) -> Entry:
        """List a complete file (or folder) of the checkpoint folder. ``measured``: its size and crc32c, if known.

        An entry of the same file is replaced, also a cut one: the file is another checkpoint now.
        Drops entries whose files are gone; of hundreds, it looks at some each time. own: as in :class:`Entry`.
        Raises OSError.
        """
        size, crc = measured or measure(self.folder / file)
        entry = Entry(file, name, step, time.time(), size, crc, dict(info or {}), written, own=own or None)
        with self.locked():
            kept = [old for old in self._take() if old.file != file]
            begin = self._next_look if self._next_look < len(kept) > _LOOKS else 0
            looked = [old for old in kept[begin : begin + _LOOKS] if os.path.lexists(self.folder / old.file)]
            self._next_look = begin + len(looked)
            self._write([*kept[:begin], *looked, *kept[begin + _LOOKS :], entry])
        return entry

    def take_over(self, entries: Iterable[Entry]) -> None:
        """List checkpoints of another run, which are in this folder now, as they are. Raises OSError."""
        with self.locked():
            new = {entry.file: entry for entry in entries}
            self._write([*(old for old in self._take() if old.file not in new), *new.values()])

    def put_back(self, entries: Iterable[Entry]) -> None:
        """List checkpoints again whose files have come back, each at its place in time. Raises OSError."""
        with self.locked():
            here = self._take()
            new = [entry for entry in entries if entry.file not in {each.file for each in here}]
            if new:
                self._write(sorted([*here, *new], key=lambda entry: entry.time))

    def forget(self, *entries: Entry) -> None:
        """Drop entries. The files stay. Raises OSError."""
        with self.locked():
            # Not synced: an entry that comes back after a power cut names a missing file, which is harmless.
            self._write([entry for entry in self._take() if entry not in entries], sync=False)

    def mark_cut(self, entries: Iterable[Entry], number: int) -> None:
        """Mark entries as cut by the cut of this number; their files stay. Raises OSError.

        Those that have been cut before keep their mark, so this may be done again.
        """
        marked = {(entry.file, entry.time) for entry in entries}
        with self.locked():
            before = self._take()
            after = [
                replace(entry, cut=number) if entry.cut is None and (entry.file, entry.time) in marked else entry
                for entry in before
            ]
            if after != before:
                self._write(after)

    def missing(self) -> list[Entry]:
        """Return the entries whose files are gone."""
        return [entry for entry in self.entries() if not os.path.lexists(self.folder / entry.file)]

    def locked(self) -> AbstractContextManager[bool]:
        """Keep other savers of the run, in this process and in others, from changing the manifest during the block."""
        return locked(self.path, create=True)

    def has_size(self, entry: Entry) -> bool:
        """Return whether the entry's file is there and as large as it was written."""
        return whole_files.has_size(self.folder, entry)

    def trouble(self, entry: Entry, meanwhile: Callable[[], object] | None = None) -> str | None:
        """Return what is wrong with the entry's file, as the end of a sentence; None when nothing is.

        meanwhile: what reads the file, of a large one while its checksum is computed. It is called if the size is
        right, raises nothing but Ctrl-C and its kin, and what it has read must not be used if something is wrong.
        """
        return whole_files.trouble(self.folder, entry, meanwhile)

    def trouble_once(self, entry: Entry) -> str | None:
        """As :meth:`trouble`; a file that was whole is not read again as long as nobody has changed it."""
        return whole_files.trouble_once(self.folder, entry, self.trouble)

    def _read(self) -> tuple[list[Entry], str | None]:
        """Return the entries, and what is wrong with the manifest. Raises OSError if it cannot be read now."""
        try:
            data = read_bytes(self.path)
            known, entries = self._known  # to parse a thousand entries takes longer than a save
            if data == known or not data:  # it is empty where its first saver has just made it, to lock it
                return (list(entries) if data else []), None
            content = parse_object(data)
        except (FileNotFoundError, NotADirectoryError):
            return [], None
        except (ValueError, IsADirectoryError) as error:
            return [], self._warn(f"is damaged ({error})")
        number, listed = content.get("format"), content.get("checkpoints")
        if not isinstance(listed, list):
            return [], self._warn("holds no list of checkpoints")
        if type(number) is not int or number < 1:
            return [], self._warn(f"has format {shown(number, 40)}; this version reads formats 1 to {FORMAT}")
        good = [entry for entry in map(entry_of, listed) if entry]
        if number > FORMAT:
            newer = f"has format {number}; this version knows formats 1 to {FORMAT}, and reads it as far as it can"
            return good, self._warn(newer)
        if len(good) < len(listed):
            return good, self._warn(f"has {len(listed) - len(good)} entries that cannot be used")
        self._known = data, list(good)
        return good, None

    def _warn(self, problem: str) -> str:
        rest = "Checkpoints that it does not list are neither loaded nor deleted; their files are untouched."
        warn(f"{printable(self.path)} {problem}. {rest}")
        return problem

    def _take(self) -> list[Entry]:
        """Return the entries before a change; a manifest that cannot be read in full is renamed first, and stays."""
        entries, problem = self._read()
        if problem:
            number = 1
            while os.path.lexists(aside := self.folder / f"{FILE}.damaged-{number}"):
                number += 1
            os.replace(self.path, aside)
        return entries

    def _write(self, entries: list[Entry], sync: bool = True) -> None:
        data = manifest_bytes(entries)
        atomic.write_bytes(self.path, data, sync)
        self._known = data, entries


def manifest_bytes(entries: Iterable[Entry]) -> bytes:
    """Return the content of a manifest with these entries.

    >>> manifest_bytes([])
    b'{\\n  "format": 2,\\n  "checkpoints": [\\n\\n  ]\\n}\\n'
    """
    lines = ",\n".join([f"    {entry.line}" for entry in entries])
    text = f'{{\n  "format": {FORMAT},\n  "checkpoints": [\n{lines}\n  ]\n}}\n'
    return text.encode("utf-8", "backslashreplace")


def latest(folder: str | os.PathLike[str], name: str | None = None) -> Path | None:
    """Return the path of the newest complete checkpoint (a file, or a folder) in a run's checkpoint folder.

    name: of the checkpoint; None: any, but for whole states, which no framework reads. None where there is no complete
    one. Changes nothing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "model.h5").write_bytes(b"weights")
    ...     entry = Manifest(folder).add("model.h5", "model", step=1000)
    ...     latest(folder).name, latest(folder, "best")
    ('model.h5', None)
    """
    manifest = Manifest(folder)
    entry = manifest.newest(name, states=name is not None)
    return manifest.folder / entry.file if entry else None
