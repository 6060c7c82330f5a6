"""The files of a run: media that are logged, and what ``save`` and ``restore`` copy. All lie in its results folder."""

from __future__ import annotations

import csv
import glob
import os
import re
import shutil
from pathlib import Path

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
            unfinished = path.with_name(f".{path.name}")
            unfinished.write_bytes(content)
            os.replace(unfinished, path)
        return path

    def copy(self, key: str, step: int, source: str | os.PathLike[str]) -> Path | None:
        """Copy a file that the script has made, as :meth:`write` names it."""
        path = self._path(key, step, Path(source).suffix.lower())
        if path is not None:
            shutil.copyfile(source, path)
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

        base: the folder below which their sub-folders are kept. again: they are copied at the end of the run, too.
        """
        if self.folder is None:
            return []
        base = Path(base or os.path.dirname(os.fspath(pattern))).absolute()
        copies = []
        for name in sorted(glob.glob(os.fspath(pattern), recursive=True)):
            source = Path(name).absolute()
            if source.is_dir():
                continue
            inside = source.relative_to(base) if source.is_relative_to(base) else Path(source.name)
            target = self.folder / inside
            if not source.is_relative_to(self.folder):  # else it is there already
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


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}")
    shutil.copy2(source, unfinished)
    os.replace(unfinished, target)
