"""Whether cut.json is one that a cut has written: a run may come from anywhere, and what it says is done to files.

It may name a run's own files only: those of rows beside it, and the event files in ``tb``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks import rowfiles
from rla_hooks.errors import RunError
from rla_hooks.texts import shell_path
from rla_hooks.writers import json_writer

_FOLDER = "tb"
_LARGEST = 1 << 62  # bytes


def is_whole(content: Mapping[str, Any]) -> bool:
    """Whether the content of a cut.json has all that a cut writes, and nothing that a cut would not do.

    >>> files = {"progress.csv": {"action": "move", "size": 10, "rows": 1}}
    >>> content = {"done": False, "step": 3, "checkpoint": "a.pkl", "rows": 1, "checkpoints": [], "files": files}
    >>> is_whole(content), is_whole(content | {"files": {"../progress.csv": files["progress.csv"]}})
    (True, False)
    """
    step, file, files = content.get("step"), content.get("checkpoint"), content.get("files")
    marked = content.get("checkpoints")
    return (
        type(content.get("done")) is bool
        and (step is None or type(step) is int)
        and (file is None or isinstance(file, str))
        and _is_size(content.get("rows"))
        and isinstance(marked, list)
        and all(isinstance(each, str) for each in marked)
        and isinstance(files, dict)
        and all(isinstance(what, dict) and _is_known(path, what, files) for path, what in files.items())
    )


def _is_known(path: str, what: Mapping[str, Any], files: Mapping[str, Any]) -> bool:
    """Whether this is something that a cut does with such a file."""
    action = what.get("action")
    if not _is_size(what.get("size")) or type(what.get("stub", False)) is not bool:
        return False
    if rowfiles.is_name(path) or json_writer.is_name(path):
        sizes = _is_size(what.get("header")) and _is_size(what.get("kept")) and what["header"] <= what["kept"]
        return "stub" not in what and (action == "move" or (action == "replace" and sizes))
    if not is_event_file(path):
        return False
    if action == "add":
        of = what.get("of")
        return _is_size(what.get("start")) and isinstance(of, list) and all(_is_source(each, files) for each in of)
    return action in ("move", "drop")


def _is_source(source: Any, files: Mapping[str, Any]) -> bool:
    """Whether this is a part of an event file that the same cut has taken away."""
    if not isinstance(source, list) or len(source) != 3 or not isinstance(source[0], str):
        return False
    path, begin, end = source
    what = files.get(path)
    was_there = isinstance(what, dict) and what.get("action") in ("move", "drop")
    return was_there and _is_size(begin) and _is_size(end) and begin <= end


def is_event_file(path: str) -> bool:
    """Whether the path, in the log folder, is that of an event file which a cut may touch.

    >>> is_event_file("tb/events.out.tfevents.1"), is_event_file("tb/../tfevents"), is_event_file("tb/a/tfevents")
    (True, False, False)
    """
    folder, _, name = path.partition("/")
    return folder == _FOLDER and "tfevents" in name and not {"/", "\\", "\0", os.sep} & set(name)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def need_folders(log_dir: Path, *folders: Path) -> None:
    """Raise RunError if one of the folders is a link or no folder: what is done there would be done elsewhere."""
    for folder in folders:
        try:
            mode = os.lstat(folder).st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "no folder"
            raise RunError(
                f"the run in {shell_path(log_dir)} cannot be cut back: {shell_path(folder)} is {kind}, and what is cut "
                "may only be moved within the run. Nothing was changed. Put a folder in its place, or move it away."
            )


def need_no_links(cut_json: Path, files: Iterable[Path]) -> None:
    """Raise RunError if one of the files that a cut has prepared is a link."""
    for file in files:
        if file.is_symlink():
            raise damaged(cut_json, f"{shell_path(file)} is a link")


def damaged(cut_json: Path, why: str) -> RunError:
    """Return the error for a cut that was not finished, and cannot be."""
    folder = shell_path(cut_json.parent)
    return RunError(
        f"a cut of this run was not finished, and {shell_path(cut_json)} cannot be used to finish it: {why}. Nothing "
        f"was changed. Put back cut.json as the cut has written it; or look at what is in {folder} (in kept/ what "
        "was to stay, beside it what was cut), put that in its place by hand, and remove the folder."
    )
