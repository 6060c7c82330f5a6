"""The cut: what of a run's files came after a checkpoint is kept aside."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.checkpoints.entry import Entry
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.cutting import checks, csvfiles, eventfiles, journal, jsonfiles
from rla_hooks.cutting.journal import KEPT, ROOM, STUB, Cut
from rla_hooks.cutting.parts import Part, copy
from rla_hooks.errors import RunError, warn
from rla_hooks.layout import RunPaths
from rla_hooks.texts import shell_path
from rla_hooks.writers.events import file_start
from rla_hooks.writers.tensorboard_writer import new_name

_MOST_TOLD = 3  # notes in one warning


def cut_to(paths: RunPaths, entry: Entry, own: Container[str] = ()) -> Cut | None:
    """Cut the run back to a checkpoint of its manifest; return None if nothing came after it.

    Rows and events after its position are kept in ``cut/<n>/``, and the checkpoints after it are marked: they are none
    of the run's any more. A checkpoint without a record of its position is gone back to by its step. What is not as it
    was at the checkpoint, since somebody has shortened a file, is left as it is, with a warning.

    own: the names of event files that have appeared since the run was resumed, which are left alone.

    Raises OSError, and nothing has changed if the disk is full or cannot be written; RunError if the checkpoint itself
    was cut. If it fails or is killed later, :func:`finish_cut` goes on.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     for step in range(3):
    ...         rla.log({"loss": 1 / (step + 1)}, step=step)
    ...         _ = rla.save_checkpoint({"weight": step}, step=step)
    >>> cut_to(run.paths, Manifest(run.paths.checkpoint_dir).complete()[0])
    Cut(number=1, step=0, checkpoint='checkpoint-0.pkl', rows=2, checkpoints=['checkpoint-1.pkl', 'checkpoint-2.pkl'])
    >>> len(rla.runs()[-1].metrics())
    1
    """
    if entry.cut is not None:
        raise RunError(
            f"The checkpoint {entry.file} (step {entry.step}) was cut itself ({shell_path(_top(paths))}/{entry.cut}): "
            "the rows before it are not those of the run any more. Allowed: a checkpoint that is not cut."
        )
    return _cut(paths, entry, own)


def cut_all(paths: RunPaths) -> Cut | None:
    """Cut all rows, events and checkpoints of the run; return None if there are none. See :func:`cut_to`."""
    return _cut(paths, None, ())


def _top(paths: RunPaths) -> Path:
    return journal.folder_of(paths)


def _cut(paths: RunPaths, entry: Entry | None, own: Container[str]) -> Cut | None:
    journal.finish_cut(paths)
    checks.need_folders(paths.log_dir, paths.tensorboard_dir)
    notes: list[str] = []
    with _explained(paths):
        parts = _parts(paths, entry, notes, own)
        checkpoints = _after(Manifest(paths.checkpoint_dir).entries(), entry)
        if not parts and not checkpoints:
            number = None
        else:
            content = {
                "format": journal.FORMAT,
                "done": False,
                "time": datetime.now(timezone.utc).isoformat(),
                "checkpoint": entry.file if entry else None,
                "step": entry.step if entry else None,
                "rows": _rows_cut(parts),
                "checkpoints": [each.file for each in checkpoints],
                "files": {},
                "notes": notes,
            }
            number = _prepare(paths, parts, content)
    if notes:
        more = f"; and so on, {len(notes)} in all" if len(notes) > _MOST_TOLD else ""
        warn(f"in {shell_path(paths.log_dir)}, {'; '.join(notes[:_MOST_TOLD])}{more}.")
    return None if number is None else journal.carry_on(paths, number, content)


def _parts(paths: RunPaths, entry: Entry | None, notes: list[str], own: Container[str]) -> list[Part]:
    """Return what is to be done with each file of which something is cut."""
    written: Mapping[str, tuple[int | None, int]] | None = entry.written if entry else {}
    step, time_of = (entry.step, entry.time) if entry else (0, 0.0)
    made, gone = dict[str, Any](), set[str]()
    for content in journal.former(paths):
        for path, what in content["files"].items():
            if what["action"] == "add":
                made[path] = what
            elif what["action"] in ("move", "drop"):
                gone.add(path)
    for path, (_, size) in (written or {}).items():
        there = journal.size_of(paths.log_dir / path)
        if path not in gone and (there is None or there < size):
            now = "is not there any more" if there is None else f"has {there} bytes"
            notes.append(f"{path} {now}, and had {size} bytes at the checkpoint: nothing of it is cut")
    return [
        *csvfiles.parts(paths.log_dir, written, step, time_of, notes),
        *jsonfiles.parts(paths.log_dir, written, step, time_of),
        *eventfiles.parts(paths.tensorboard_dir, written, step, time_of, made, gone, own),
    ]


def _rows_cut(parts: Sequence[Part]) -> int:
    """Return how many rows are cut: those of the csv files, which files of JSON lines have again, or of these alone."""
    in_json = [part.path.endswith(".json") for part in parts]
    return sum(part.rows for part, is_json in zip(parts, in_json) if is_json == all(in_json))


def _after(entries: Sequence[Entry], entry: Entry | None) -> list[Entry]:
    """Return the entries after this one, in the order in which they were saved, that are not cut yet.

    One that was saved at the same step and position is not after it: the best one beside the newest, say.
    """
    uncut = [each for each in entries if each.cut is None]
    if entry is None:
        return uncut
    if entry.written is not None:
        at = entry.step, entry.written
        uncut = [each for each in uncut if each.file == entry.file or (each.step, each.written) != at]
    for number, each in enumerate(uncut):
        if (each.file, each.time) == (entry.file, entry.time):
            return uncut[number + 1 :]
    return [each for each in uncut if each.time > entry.time]


@contextmanager
def _explained(paths: RunPaths) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            error.errno,
            f"The run {paths.name} cannot be cut back: {reason}. Nothing was changed. "
            "Allowed: a disk that this user may write, with room for another copy of the run's rows and events.",
            error.filename,
        ) from error


def _prepare(paths: RunPaths, parts: Sequence[Part], content: dict[str, Any]) -> int:
    """Write all that the cut needs into a new folder, and return its number: from then on it is carried on."""
    top = _top(paths)
    changed = {(paths.log_dir / part.path).parent for part in parts}
    for folder in {paths.log_dir, *changed, *([paths.checkpoint_dir] if content["checkpoints"] else ())}:
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "it may not be written", os.fspath(folder))
    top.mkdir(exist_ok=True)
    number = max(journal.numbers_in(top), default=0) + 1
    try:
        with atomic.temporary_in(top) as folder:
            (folder / KEPT / eventfiles.FOLDER).mkdir(parents=True)
            (folder / eventfiles.FOLDER).mkdir()
            content["files"] = {part.path: part.entry() for part in parts}
            for part in parts:
                if part.action == "replace":
                    _write_rows(paths.log_dir / part.path, part, folder)
            content["files"] |= _write_events(
                paths, [part for part in parts if part.action in ("move", "drop")], folder, content["notes"]
            )
            if content["checkpoints"]:
                size = os.stat(paths.checkpoint_dir / "manifest.json").st_size
                (folder / KEPT / ROOM).write_bytes(b" " * (size + 20 * len(content["checkpoints"]) + 4096))
            atomic.write_json(folder / KEPT / journal.JOURNAL, content | {"done": True}, sync=True)
            atomic.write_json(folder / journal.JOURNAL, content, sync=True)
            for made in (folder / KEPT / eventfiles.FOLDER, folder / KEPT, folder / eventfiles.FOLDER, folder):
                journal.sync_folder(made)
            os.rename(folder, top / str(number))
    except BaseException:
        with suppress(OSError):
            top.rmdir()
        raise
    journal.sync_folder(top)
    journal.sync_folder(paths.log_dir)
    return number


def _write_rows(path: Path, part: Part, folder: Path) -> None:
    """Write the rows that stay, and those that are cut, each behind the header."""
    with open(path, "rb") as old:
        for target, ranges in ((folder / KEPT / part.path, part.kept), (folder / part.path, part.lost)):
            with open(target, "xb", buffering=0) as new:
                copy(old, new, [(0, part.header), *ranges])
                os.fsync(new.fileno())
            shutil.copymode(path, target)


def _write_events(paths: RunPaths, parts: Sequence[Part], folder: Path, notes: list[str]) -> dict[str, Any]:
    """Write what stays of all event files into one, and return what the journal is to know of it."""
    parts = [part for part in parts if part.path.startswith(f"{eventfiles.FOLDER}/")]
    if not parts:
        return {}
    now = time.time_ns()
    (folder / KEPT / STUB).write_bytes(file_start(now / 1e9))
    path = f"{eventfiles.FOLDER}/{_name_of_kept(paths.tensorboard_dir, now, parts, notes)}"
    start = file_start(now / 1e9, forget=True)
    with open(folder / KEPT / journal.hidden(path), "xb", buffering=0) as new:
        new.write(start)
        for part in parts:
            with open(paths.log_dir / part.path, "rb") as old:
                copy(old, new, part.kept)
        os.fsync(new.fileno())
        shutil.copymode(paths.log_dir / parts[-1].path, new.name)
    of = [[part.path, begin, end] for part in parts for begin, end in part.kept]
    return {path: {"action": "add", "size": 0, "start": len(start), "of": of}}


def _name_of_kept(tensorboard_dir: Path, now: int, parts: Sequence[Part], notes: list[str]) -> str:
    """Return the name of the new event file.

    It tells to forget what was read before, so it stands before the files that are left alone.
    """
    old = {part.path.partition("/")[2] for part in parts}
    names = eventfiles.names_in(tensorboard_dir)
    left = next((name for name in names if name not in old), None)
    if left is None:
        return new_name(os.fspath(tensorboard_dir), now)
    name = eventfiles.name_before(left, names)
    if name > left:
        notes.append(f"TensorBoard may not show the events of {left}, whose name leaves no room for one before it")
    return name
