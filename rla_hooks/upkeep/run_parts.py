"""Runs that somebody gives an act: which they are, what belongs to them in all trees, and whether they are running."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.layout import ARCHIVE, LOG, TRASH, TREES, RunPaths
from rla_hooks.life import STALE_AFTER, is_gone, is_running, last_write, silent_since
from rla_hooks.query.entry import read_entry
from rla_hooks.query.given import saved_run
from rla_hooks.query.moved import noted_name
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import select
from rla_hooks.run_folders import run_names
from rla_hooks.run_name import is_run_name
from rla_hooks.texts import printable, shell_path, shown

OTHERS = TREES[1:]  # the trees beside log/


def runs_given(runs: Any, log_root: str | os.PathLike[str] | None, what: str) -> tuple[Path, list[SavedRun]]:
    """Return the runs that somebody means, each once, as their files are now; and their log root.

    runs: one or several: saved runs, open ones, or texts. Raises :class:`~rla_hooks.errors.ConfigError` for what is no
    run, for runs of several log roots, of other tools, or that are in the trash, and for none.
    """
    is_one = isinstance(runs, (SavedRun, str, os.PathLike)) or not isinstance(runs, Iterable)
    saved = [saved_run(run, log_root, what) for run in ([runs] if is_one else runs)]
    if not saved:
        raise ConfigError(f"{what} got no runs. Give at least one: of rla.runs(), an id, or a name.")
    if foreign := [run for run in saved if type(run.paths) is not RunPaths and not hasattr(run.paths, "first_name")]:
        raise ConfigError(
            f"{what} got {shown(foreign[0].name, 100)}, a run of another tool. Allowed: runs of rla_hooks, and of RLA."
        )
    roots = {os.path.realpath(run.paths.log_root): run.paths.log_root for run in saved}
    if len(roots) > 1:
        raise ConfigError(
            f"{what} got runs of {len(roots)} log roots: {', '.join(map(shell_path, roots.values()))}. "
            "Allowed: those of one. Do one log root after the other."
        )
    ((real, root),) = roots.items()
    above, name = os.path.split(real)
    if os.path.basename(above) == TRASH and name.isdigit():
        raise ConfigError(f"{what} got runs in the trash ({shell_path(root)}). Bring them back first: rla undo.")
    return root, [*{run.name: run for run in saved}.values()]


def fresh(run: SavedRun) -> SavedRun:
    """Return the run as its files are now."""
    return SavedRun(run.paths, read_entry(run.paths))


def parts_of(run: SavedRun) -> list[str]:
    """Return what belongs to a run in all trees, its log folder first.

    Of a run whose log folder was renamed or moved by hand that is also what lies under the name in its run.json, unless
    that is another run's: one of this name is there, or another one notes it, too.
    """
    paths, root = run.paths, run.paths.log_root
    names = [paths.name]
    noted = noted_name(run.run_json)
    is_moved = noted is not None and noted != paths.name and not os.path.lexists(root / LOG / noted)
    if noted is not None and is_moved and not _is_shared(run, noted):
        names.append(noted)
    places = [f"{kind}/{name}" for name in names for kind in OTHERS]
    if not run.run_json:
        places.append(f"{ARCHIVE}/{paths.name}.pkl")  # as the original RLA has it
    return [f"{LOG}/{paths.name}", *(place for place in places if os.path.lexists(f"{root}/{place}"))]


def _is_shared(run: SavedRun, noted: str) -> bool:
    """Whether another run, in a folder of another name, notes this one, too."""
    every = select(run.paths.log_root).runs()
    return any(each.name != run.name and noted_name(each.run_json) == noted for each in every)


def runs_inside(run: SavedRun) -> list[str]:
    """Return the names of runs that lie in the log folder of a run; a folder with a run's own name holds none."""
    if is_run_name(run.name):
        return []
    return [name for name in run_names(run.paths.log_root, run.name) if name != run.name]


def why_running(run: SavedRun) -> str | None:
    """Return why a run counts as running, as the end of a sentence; None if it does not.

    So does one to which ``rla.open`` adds; and one without a readable run.json, of the original RLA say, to whose files
    somebody has written in the last ten minutes.
    """
    folders = (run.paths.log_dir, run.tensorboard_dir, run.checkpoint_dir)
    if is_running(run.status):
        return f"is {run.status}{_process(run.run_json)}"
    adding = run.run_json.get("appending")
    for process in adding if isinstance(adding, list) else ():
        if isinstance(process, dict) and not is_gone(process, folders) and silent_since(process, folders) is None:
            return f"is being added to{_process(process)}"
    if not run.run_json:
        written = last_write(folders)
        if written is not None and abs(time.time() - written) < STALE_AFTER:
            return f"may be running: its files were written to less than {STALE_AFTER / 60:.0f} minutes ago"
    return None


def _process(noted: Mapping[str, Any]) -> str:
    pid, host = noted.get("pid"), noted.get("host")
    return f" (process {printable(pid)} on {printable(host)})" if pid is not None else ""


def seen_of(run: SavedRun) -> tuple[Any, ...]:
    """Return what is another one when the run has been resumed, opened, or has got more rows."""
    return seen_at(run.paths)


def seen_at(paths: RunPaths) -> tuple[Any, ...]:
    """Return what :func:`seen_of` does of the run at these paths."""
    try:
        state = os.stat(paths.run_json)
        noted: tuple[Any, ...] = (state.st_mtime_ns, state.st_size, state.st_ino)
    except OSError:
        noted = ()
    return (*noted, last_write((paths.log_dir, paths.tensorboard_dir)))
