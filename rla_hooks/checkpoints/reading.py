"""Reads a checkpoint that is whole, of a large one at the same time as its checksum is computed."""

from __future__ import annotations

from typing import Any

from rla_hooks.checkpoints import backends, checksum
from rla_hooks.checkpoints.backends import checkpoint_errors
from rla_hooks.checkpoints.entry import Entry
from rla_hooks.checkpoints.manifest import Manifest


class Reading:
    """Reads one checkpoint. Nothing of it is handed out before its checksum was compared.

    With ``weights_only=False`` a file may run code as it is read, so that it is read after the comparison only.
    """

    def __init__(self, manifest: Manifest, weights_only: bool):
        self._manifest, self._weights_only = manifest, weights_only
        self._entry: Entry | None = None  # whose file was read while it was checked
        self._content: dict[str, Any] = {}
        self._error: Exception | None = None

    def trouble(self, entry: Entry) -> str | None:
        """As :meth:`Manifest.trouble`; for :meth:`Manifest.newest_whole`, which asks for one entry after the other."""
        if entry.size < checksum.LARGE or not self._weights_only or not _reads_any_bytes(entry.file):
            return self._manifest.trouble(entry)
        problem = self._manifest.trouble(entry, lambda: self._try_to_read(entry))
        if problem is not None:
            self._entry, self._content, self._error = None, {}, None
        return problem

    def content_of(self, entry: Entry) -> dict[str, Any]:
        """Return the content of an entry without trouble. Raises what the backend does."""
        if self._entry is not entry:
            return self._read(entry)
        if self._error is not None:
            raise self._error
        return self._content

    def _try_to_read(self, entry: Entry) -> None:
        self._entry = entry
        try:
            self._content = self._read(entry)
        except Exception as error:  # a damaged file; or, as its checksum will tell, a real one
            self._error = error

    def _read(self, entry: Entry) -> dict[str, Any]:
        path = self._manifest.folder / entry.file
        with checkpoint_errors("cannot be restored"):
            return backends.backend_named(path.name).implementation().load(path, self._weights_only)


def _reads_any_bytes(file: str) -> bool:
    try:
        return getattr(backends.backend_named(file).implementation(), "reads_any_bytes", False)
    except Exception:  # of a kind that cannot be read here: what reads it will say so
        return False
