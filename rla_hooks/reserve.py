"""Room on the disk for run.json, so that a run can tell how it ended though the disk is full.

On a full disk, or one without inodes, no temporary file can be written beside run.json. So there are two files of
blanks beside it while a run is open. If need be, the new content is written over one of them, which takes no room, and
it is moved onto run.json: readers see the old content or the new one, also if the process dies in between. A file so
written is filled up with blanks, which JSON allows; the next time, the two change places.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks import atomic, ranks

SIZE = 16 << 10  # bytes of each file, and so of the longest content; more where there is a long content already
_SPARE = 8 << 10  # bytes that a content may grow by
_CUT = {"error": 4000, "warnings": 5, "gaps": 20, "restarts": 5}  # characters, or elements; the result goes before
_FULL = (errno.ENOSPC, errno.EDQUOT)  # no blocks or inodes are left, on the disk or for this user


class Reserve:
    """Two files of blanks beside ``path``, and what writes ``path`` with them.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     reserve = Reserve(Path(folder, "run.json"))
    ...     reserve.keep()
    ...     reserve.write_json({"status": "finished"})
    ...     reserve.drop()
    ...     sorted(os.listdir(folder))
    ['run.json']
    """

    def __init__(self, path: Path):
        self.path = path
        self.size = SIZE
        self._files: list[Path] = []
        self._is_kept = False
        self._process = ranks.process_id

    @property
    def _is_own(self) -> bool:
        """Whether the files are this process's, rather than those of the one that it was forked from."""
        return self._process == ranks.process_id

    def keep(self) -> None:
        """Make the files, as far as there is room for them. A run.json that has grown long gets longer ones."""
        if not self._files:
            with suppress(OSError):
                self.size = max(self.size, -(-(self.path.stat().st_size + _SPARE) // SIZE) * SIZE)
        if not self._is_own:
            self._files, self._process = [], ranks.process_id
        self._is_kept = True
        with suppress(OSError):
            self._make()

    def need(self) -> None:
        """Make the files. Raises OSError where there is no room for both; then there is none of them."""
        self.keep()
        try:
            self._make()
        except OSError:
            self.drop()
            raise

    def _make(self) -> None:
        while len(self._files) < 2:
            file = atomic.temporary_name(self.path.parent)
            self._files.append(file)
            try:
                with open(file, "xb", buffering=0) as new:
                    if new.write(b" " * self.size) < self.size:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._discard(self._files.pop())
                raise

    def write_json(self, content: Mapping[str, Any]) -> None:
        """Write ``content`` to ``path``, complete or not at all. Raises OSError where that fails.

        With the reserve, a long traceback and long lists are cut at their beginnings, as far as needed.
        """
        if self._is_scarce() and (data := _fitting(content, self.size)) is not None:
            self._replace(data)
            return
        try:
            atomic.write_json(self.path, content)
        except OSError as error:
            if error.errno not in _FULL or not self._files or not self._is_own:
                raise
            data = _fitting(content, self.size)
            if data is None:
                raise
            self._replace(data)

    def _is_scarce(self) -> bool:
        """Whether one of the two files is all there is, since run.json has the room of the other.

        That room must not go for a temporary file that happens to fit this time.
        """
        if not self._is_kept or not self._is_own or len(self._files) != 1:
            return False
        self.keep()
        return len(self._files) == 1

    def _replace(self, data: bytes) -> None:
        file = self._files.pop()
        try:
            with open(file, "r+b", buffering=0) as old:
                old.write(data.ljust(self.size))
            self._save_former()
            os.replace(file, self.path)
        finally:
            self._discard(file)

    def _save_former(self) -> None:
        """Keep the file that is about to be replaced, if it has the room: no other process can take it meanwhile."""
        with suppress(OSError):  # a file system without hard links
            if self.path.stat().st_size == self.size:
                kept = atomic.temporary_name(self.path.parent)
                os.link(self.path, kept)
                self._files.append(kept)

    def drop(self) -> None:
        """Remove the files: the run has ended."""
        self._is_kept = False
        while self._files:
            file = self._files.pop()
            if self._is_own:
                self._discard(file)

    def __getstate__(self) -> dict[str, Any]:
        """A copy keeps no room: the files are the original's."""
        return {"path": self.path, "size": self.size, "_files": [], "_is_kept": False, "_process": self._process}

    def _discard(self, file: Path) -> None:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        atomic.release_name(file)


def _fitting(content: Mapping[str, Any], size: int = SIZE) -> bytes | None:
    """Return the content as JSON of at most ``size`` bytes, and None if it is too long even when it is cut."""
    short, data = dict(content), atomic.json_bytes(content)
    if len(data) > size and short.pop("result", None) is not None:
        data = atomic.json_bytes(short)
    for key, kept in _CUT.items():
        if len(data) > size and isinstance(short.get(key), (str, list)):
            short[key] = short[key][-kept:]
            data = atomic.json_bytes(short)
    return data if len(data) <= size else None
