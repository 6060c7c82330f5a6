"""cut.json: what a cut does, and how far it has come.

    log/<run name>/cut/1/cut.json    {"format": 1, "done": true, "time": "2026-01-31T12:00:00+00:00",
                                      "checkpoint": "checkpoint-3000.pt", "step": 3000, "rows": 412,
                                      "checkpoints": ["checkpoint-4000.pt"], "files": {...}, "notes": []}

The folder appears whole, with all that is needed, in ``kept/``, and ``done`` is false. From then on the cut is only
carried on: each step looks whether it has been done already, so it may be interrupted and begun again at any point. In
the end a second cut.json, in which ``done`` is true, replaces the first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.cutting import checks
from rla_hooks.fields import Fields
from rla_hooks.layout import RunPaths
from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import read_json

FORMAT = 1
JOURNAL = "cut.json"
KEPT = "kept"  # the folder of what takes the place of the run's files
ROOM = "room"  # a file that is removed to make room for the manifest
STUB = "start"  # an event file without events
_NUMBER = pattern(r"[1-9][0-9]{0,8}")


class Cut(Fields):
    """What a resume has cut off a run.

    number: that of its folder, ``cut/<number>``. step, checkpoint: those of the checkpoint to which it went back; None
    if all was cut. rows: how many rows were cut, in all files. checkpoints: the files of those that were marked.
    """

    number: int
    step: int | None
    checkpoint: str | None
    rows: int
    checkpoints: list[str]


def folder_of(paths: RunPaths) -> Path:
    """The folder of all cuts of a run."""
    return paths.log_dir / "cut"


def finish_cut(paths: RunPaths) -> Cut | None:
    """Finish a cut that was interrupted, and remove one that had not begun; return it, or None if there is none.

    Whoever opens a run to go on calls this first, and must be its only writer. Raises OSError; then it can be called
    again. RunError if the run has a cut that is not finished, and whose cut.json is damaged, or not of a cut.
    """
    top = folder_of(paths)
    checks.need_folders(paths.log_dir, top)
    numbers = numbers_in(top)
    if os.path.isdir(top):
        for name in filter(atomic.is_temporary, os.listdir(top)):
            atomic.remove(top / name)
    if not numbers:
        return None
    folder = top / str(numbers[-1])
    content = journal_of(folder)
    if content is None:
        if is_undone(folder):
            raise checks.damaged(folder / JOURNAL, "it is damaged, or not what a cut of this version writes")
        return None
    if content["done"]:
        checks.need_folders(paths.log_dir, folder, folder / KEPT)
        _tidy(folder)  # it may have been killed after all was done
        return None
    return carry_on(paths, numbers[-1], content)


def numbers_in(top: Path) -> list[int]:
    """Return the numbers of the cuts in their folder, in order."""
    with suppress(FileNotFoundError):
        return sorted(int(name) for name in os.listdir(top) if _NUMBER.fullmatch(name))
    return []


def journal_of(folder: Path) -> dict[str, Any] | None:
    """Return the content of a cut's journal; None where there is none, or not one that a cut has written."""
    content = _read(folder)
    return content if content.get("format") == FORMAT and checks.is_whole(content) else None


def _read(folder: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return read_json(folder / JOURNAL)
    return {}


def is_undone(folder: Path) -> bool:
    """Whether a cut has begun to change files, and has not come to its end, as far as a damaged journal tells."""
    return _read(folder).get("done") is False or os.path.lexists(folder / KEPT / JOURNAL)


def former(paths: RunPaths) -> Iterator[dict[str, Any]]:
    """Yield the journals of the cuts that there were, in order; without one that makes a file of a former cut again."""
    top = folder_of(paths)
    known = set[str]()
    for number in numbers_in(top):
        content = journal_of(top / str(number))
        if content is None:
            continue
        added = {path for path, what in content["files"].items() if what["action"] == "add"}
        if known.isdisjoint(added):  # else what is in a file would be from the file itself, without an end
            known |= content["files"].keys()
            yield content


def made(paths: RunPaths) -> dict[str, Mapping[str, Any]]:
    """Return the event files that the cuts have made, by path: their start, and where the rest is from."""
    return {path: what for each in former(paths) for path, what in each["files"].items() if what["action"] == "add"}


def kept_bytes(path: Path, number: int) -> int:
    """Return how many bytes of rows a cut has kept of a csv file: all of one of which it has cut nothing."""
    content = journal_of(path.parent / "cut" / str(number))
    what = content["files"].get(path.name) if content else None
    if what is None:
        return sys.maxsize
    return int(what["kept"] - what["header"]) if what["action"] == "replace" else 0


def carry_on(paths: RunPaths, number: int, content: Mapping[str, Any]) -> Cut:
    """Do what is left to do of a cut. Raises OSError."""
    folder = folder_of(paths) / str(number)
    files: Mapping[str, Mapping[str, Any]] = content["files"]
    kept = folder / KEPT
    checks.need_folders(paths.log_dir, folder, kept, kept / "tb", folder / "tb", paths.tensorboard_dir)
    checks.need_no_links(folder / JOURNAL, [kept / STUB, kept / JOURNAL, *(kept / hidden(path) for path in files)])
    (folder / KEPT / ROOM).unlink(missing_ok=True)
    if content["checkpoints"]:
        atomic.sweep(paths.checkpoint_dir)  # of who was killed as it wrote the manifest
        manifest = Manifest(paths.checkpoint_dir)
        manifest.mark_cut([entry for entry in manifest.entries() if entry.file in content["checkpoints"]], number)
    # The new event file comes before the old ones go: TensorBoard would take a folder without any for no run.
    for path, what in sorted(files.items(), key=lambda item: item[1]["action"] != "add"):
        _do(paths.log_dir, folder, path, what)
    for changed in {(paths.log_dir / path).parent for path in files} | {folder}:
        sync_folder(changed)
    if (folder / KEPT / JOURNAL).exists():
        os.replace(folder / KEPT / JOURNAL, folder / JOURNAL)
    _tidy(folder)
    sync_folder(folder)
    return Cut(number, content["step"], content["checkpoint"], content["rows"], content["checkpoints"])


def _do(log_dir: Path, folder: Path, path: str, what: Mapping[str, Any]) -> None:
    """Do with one file what is to be done with it, as far as it is not done yet."""
    target, new, aside = log_dir / path, folder / KEPT / hidden(path), folder / hidden(path)
    action, size = what["action"], size_of(target)
    if action in ("replace", "add"):
        if not new.exists():
            return
        if action == "replace" and size is not None and size != what["size"]:
            os.replace(target, folder / f"changed-{target.name}")  # somebody has added rows meanwhile
        os.replace(new, target)
        return
    stub = folder / KEPT / STUB if what.get("stub") else None
    if size is not None and (stub is None or stub.exists()):  # else it is the one without events
        if (action == "move" and not aside.exists()) or (action == "drop" and size != what["size"]):
            os.replace(target, aside)
        elif action == "drop" and stub is None:
            target.unlink()
    if stub is not None and stub.exists():
        os.replace(stub, target)


def hidden(path: str) -> str:
    """Return the path of an event file by another name, which TensorBoard passes over.

    >>> hidden("tb/events.out.tfevents.1769846400.host.1.0")
    'tb/events.out.cut.1769846400.host.1.0'
    """
    return path.replace("tfevents", "cut")


def size_of(path: Path) -> int | None:
    """Return the size of a file; None if it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _tidy(folder: Path) -> None:
    """Remove what the cut needed, which is empty, or a start of an event file that was not used."""
    with suppress(OSError):
        for name in ("tb", "."):
            (folder / KEPT / name).rmdir()


def sync_folder(folder: Path) -> None:
    """Hand a folder to the disk."""
    with suppress(OSError):  # some network file systems cannot sync a folder
        atomic.fsync(folder)
