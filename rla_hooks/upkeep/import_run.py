"""Makes one run of ours of a run of the original RLA: whole in the trash of the new log root first, then in its place.

The log folder goes last, so that no list has half a run; what a killed import has left in the trash, the next one
removes, and the trees that were in their places already it finds there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks import atomic, plaindata
from rla_hooks.checkpoints.entry import MANIFEST
from rla_hooks.endings import UNKNOWN
from rla_hooks.layout import ARCHIVE, CHECKPOINT, CODE, HYPARAMETER, KINDS, LOG, RUN_JSON, TRASH, RunPaths
from rla_hooks.life import last_write
from rla_hooks.masking import mask_value
from rla_hooks.query.moved import parsed
from rla_hooks.query.rla_runs import read_attribute, read_nested
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.record import FORMAT
from rla_hooks.texts import iso_time
from rla_hooks.upkeep.import_files import PICKLE, Left, copy_checkpoints, copy_log, copy_pickle, copy_tree, same_files
from rla_hooks.upkeep.journal import make_trash
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.run_parts import parts_of
from rla_hooks.writers.base import TIME

IMPORTED = "imported"  # the key in run.json
_MOST_NOTES = 100
_TEXTS = (CODE, HYPARAMETER)  # trees in whose files passwords may stand


def as_noted(text: str) -> str:
    """Return a name as run.json has it: one whose bytes are no UTF-8 cannot stand there as it is."""
    return text.encode("utf-8", "backslashreplace").decode()


class Origin(NamedTuple):
    """Where an imported run is from, as its run.json says: the old log root, the old name, and what there was of it."""

    root: str
    name: str
    files: int
    bytes: int

    @classmethod
    def of(cls, run: SavedRun) -> Origin | None:
        """Return what run.json says; None for a run that was not imported."""
        noted = run.run_json.get(IMPORTED)
        values = [noted.get(name) for name in cls._fields] if isinstance(noted, dict) else []
        if [*map(type, values)] != [str, str, int, int]:
            return None
        return cls(*values)  # type: ignore[arg-type]  # as just checked


def import_run(run: SavedRun, new: RunPaths, origin: Origin) -> list[str]:
    """Copy a run into a new log root, under a new name; return a line for each file that is left.

    Nothing of the old run is changed. Raises OSError where the new files cannot be written; then no list has the run.
    """
    sources = [part for part in parts_of(run) if not part.startswith(f"{LOG}/")]
    old_root, left = run.paths.log_root, list[Left]()
    with _staging(new.log_root, [*KINDS, *(part.partition("/")[0] for part in sources)]) as staged:
        for part in sources:
            tree = part.partition("/")[0]
            if tree == CHECKPOINT:
                left += copy_checkpoints(old_root / part, staged[tree])
            elif tree == ARCHIVE and part.endswith(".pkl"):
                left += copy_pickle(old_root / part, staged[tree] / PICKLE)
            else:
                left += copy_tree(old_root / part, staged[tree], masked=tree in _TEXTS)
        left += copy_log(run.log_dir, staged[LOG])
        lines = [*run.problems, *map(str, left)]
        _write_records(run, new, origin, staged, lines)
        for tree in sorted(staged, key=lambda each: each == LOG):
            _put(staged[tree], new.log_root / tree / new.name)
    return lines


@contextmanager
def _staging(root: Path, trees: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Yield a place for the folder of each tree, on its disk and in no list."""
    checks, places = Checks(root), dict[str, Path]()
    with ExitStack() as stack:
        for tree in dict.fromkeys(trees):
            (root / tree).mkdir(parents=True, exist_ok=True)
            trash = root / checks.anchor(f"{tree}/x") / TRASH
            make_trash(trash)
            atomic.sweep(trash)
            places[tree] = stack.enter_context(atomic.temporary_in(trash))
            places[tree].mkdir()  # each run of ours has all of them: who adds to it writes there
        yield places


def _put(staged: Path, target: Path) -> None:
    """Move a folder to its place. Raises OSError where another one is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        target.rmdir()  # it is empty
    if not os.path.lexists(target):
        os.rename(staged, target)
    elif not same_files(staged, target):  # else it is from an import that was killed between two folders
        raise FileExistsError(errno.EEXIST, "other files are there already", str(target))


def _write_records(run: SavedRun, new: RunPaths, origin: Origin, staged: dict[str, Path], lines: Sequence[str]) -> None:
    """Write parameter.json, tester.pkl and run.json into the folders that were copied."""
    log, archive = staged[LOG], staged[ARCHIVE]
    (log / new.tensorboard_dir.name).mkdir(exist_ok=True)
    atomic.write_json(log / "parameter.json", run.hparams)
    task = _task_of(run)
    atomic.write_bytes(archive / "tester.pkl", plaindata.pack(plaindata.encode(_tester(run, new, task), [])))
    atomic.write_json(log / RUN_JSON, _record(run, new, origin, task, lines), sync=True)
    written = last_write((run.log_dir, run.tensorboard_dir, run.checkpoint_dir))
    for path in (log / RUN_JSON, staged[CHECKPOINT] / MANIFEST):
        if written is not None and path.exists():  # so that they do not seem to be the last that the run has written
            os.utime(path, (written, written))


def _record(run: SavedRun, new: RunPaths, origin: Origin, task: str, lines: Sequence[str]) -> dict[str, Any]:
    """Return what run.json says: what is known of the run, and nothing that is not."""
    info, now = run.info, iso_time()
    return {
        "format": FORMAT,
        "id": run.id,
        "name": new.name,
        "task": task,
        "status": UNKNOWN,
        "started": iso_time(run.started.timestamp()),
        "ended": _last_time(run),
        "seconds": None,
        "rows": info.get("rows"),
        "last_step": info.get("last_step"),
        "last": info.get("last", {}),
        "gaps": [],
        "warnings": [],
        "notes": [{"time": now, "text": f"not imported: {line}"} for line in lines[:_MOST_NOTES]],
        "restarts": [],
        "error": None,
        "signal": None,
        "reported": False,
        IMPORTED: {**origin._asdict(), "time": now},
    }


def _last_time(run: SavedRun) -> str | None:
    """Return when the last row was written; None where rows have no times, or cannot be read, which the copy tells."""
    with suppress(OSError, ValueError, OverflowError):
        times = run.columns([TIME]).get(TIME)
        return iso_time(float(times.values[-1])) if times is not None and len(times.values) else None
    return None


def _tester(run: SavedRun, new: RunPaths, task: str) -> dict[str, Any]:
    """Return the content of tester.pkl, as rla_hooks/core/archive.py reads it: what RLA's own pickle has of it."""
    data = _pickled(run, "custom_data")
    framework = _pickled(run, "private_config").get("DL_FRAMEWORK")
    named = parsed(run.name)
    return {
        "format": 1,
        "name": new.name,
        "task": task,
        "parent": None,
        "hyper_param": {key: mask_value(str(key), value) for key, value in read_nested(run.paths)[0].items()},
        "hyper_param_record": [f"{key}={value}" for key, value in (named.record if named else {}).items()],
        "private_config": {"DL_FRAMEWORK": framework} if isinstance(framework, str) else {},
        "writers": ["csv"],
        "time_step": run.info.get("last_step"),
        "custom_data": {key: value for key, value in data.items() if isinstance(key, str)},
    }


def _pickled(run: SavedRun, name: str) -> dict[Any, Any]:
    """Return a mapping of the pickled Tester, read as plain data; empty where there is none."""
    try:
        found = read_attribute(run.paths, name)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _task_of(run: SavedRun) -> str:
    return run.task or IMPORTED
