"""The files of a run: media that are logged, and what ``save`` and ``restore`` copy. All lie in its results folder."""

from __future__ import annotations

import csv
import glob
import os
import re
import shutil
from pathlib import Path

from rla_hooks import atomic
from rla_hooks.hooks import Run

CAPTIONS = "captions.csv"


class Results:
    """Writes files under ``results/<run>``. Where this process writes none, it does nothing.

    Errors are those of the disk; who calls it warns.
    """

    def __init__(self, run: Run):
        self._run = run
        self._saved: dict[Path, Path] = {}  # what ``save`` copies again at the end: where to, and where from

    @property
    def folder(self) -> Path | None:
        return self._run.results_dir if self._run.is_writing else None

    # --- media ----------------------------------------------------------------------------------------------------

    def write(self, key: str, step: int, suffix: str, content: bytes) -> Path | None:
        """Write ``<key>-<step><suffix>``, with sub-folders for "/"; return its path."""
        path = self._path(key, step, suffix)
        if path is not None:
            atomic.write_bytes(path, content, sync=False)
        return path

    def copy(self, key: str, step: int, source: str | os.PathLike[str]) -> Path | None:
        """Copy a file that the script has made, as :meth:`write` names it."""
        path = self._path(key, step, Path(source).suffix.lower())
        if path is not None:
            _copy(source, path)
        return path

    def _path(self, key: str, step: int, suffix: str) -> Path | None:
        if self.folder is None:
            return None
        parts = [re.sub(r"[^\w.\-]", _escaped, part[:60])[:150] for part in key.split("/") if part.strip(".")]
        *folders, last = parts or ["media"]
        folder = self.folder.joinpath(*folders)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{last.removesuffix(suffix)}-{step}{suffix}"

    def add_caption(self, path: Path, caption: str) -> None:
        """Add a line to captions.csv: the file, and what stands below it."""
        if self.folder is None:
            return
        file = self.folder / CAPTIONS
        is_new = not file.exists()
        with open(file, "a", encoding="utf-8", newline="") as rows:
            writer = csv.writer(rows)
            if is_new:
                writer.writerow(["file", "caption"])
            writer.writerow([path.relative_to(self.folder).as_posix(), caption])

    # --- save and restore -----------------------------------------------------------------------------------------

    def save(self, pattern: str | os.PathLike[str], base: str | os.PathLike[str] | None, again: bool) -> list[str]:
        """Copy the files that fit a pattern into the results folder; return their paths there.

        Their folders below ``base`` are kept. Without it, those below the working directory; of a pattern that is
        absolute, or leads out of it, the last one. again: they are copied at the end of the run, too.
        """
        if self.folder is None:
            return []
        below = _base_of(os.fspath(pattern), base)
        copies = []
        for name in sorted(glob.glob(os.fspath(pattern), recursive=True)):
            source = Path(os.path.abspath(name))  # without "..", which would lead out of the results folder
            if source.is_dir():
                continue
            if source.is_relative_to(self.folder):  # it is there already
                copies.append(str(source))
                continue
            inside = source.relative_to(below if source.is_relative_to(below) else source.parent.parent)
            target = self.folder / inside
            _copy(source, target)
            if again:
                self._saved[target] = source
            copies.append(str(target))
        return copies

    def save_again(self) -> None:
        """Copy those files that have changed since they were saved."""
        saved, self._saved = self._saved, {}
        for target, source in saved.items():
            if source.is_file() and source.stat().st_mtime_ns != target.stat().st_mtime_ns:
                _copy(source, target)

    def find(self, name: str) -> Path | None:
        """Return a file that was saved, if it is there."""
        folder = self._run.results_dir
        path = None if folder is None else folder / name
        return path if path is not None and path.is_file() else None


def _escaped(found: re.Match[str]) -> str:
    """As in the names of figures: a blank is %20."""
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))


def _base_of(pattern: str, base: str | os.PathLike[str] | None) -> Path:
    """Return the folder below which folders are kept, as wandb does it (0.19): files of one name stay apart."""
    if base is not None:
        return Path(os.path.abspath(base))
    found = Path(os.path.abspath(pattern))
    if not os.path.isabs(pattern) and found.is_relative_to(Path.cwd()):
        return Path.cwd()
    found = found.parent.parent
    while glob.has_magic(str(found)):
        found = found.parent
    return found


def _copy(source: str | os.PathLike[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(target, sync=False) as unfinished:
        shutil.copy2(source, unfinished)
