"""The run that has begun takes over what another one has logged: RLA's ``fork_log_files`` and ``log_file_copy``."""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path

from rla_hooks import rowfiles
from rla_hooks.checkpoints import old_files
from rla_hooks.checkpoints.links import take_file
from rla_hooks.checkpoints.manifest import Entry
from rla_hooks.core import late_forking
from rla_hooks.core.fork_request import Fork
from rla_hooks.core.forking import ForkedFiles, take_files
from rla_hooks.core.logger import Logger
from rla_hooks.core.run import Run
from rla_hooks.errors import ConfigError
from rla_hooks.forkable import changes, whole
from rla_hooks.layout import RESULTS, TMP_DATA, RunPaths
from rla_hooks.query.entry import read_entry
from rla_hooks.query.plain_rows import plain_rows
from rla_hooks.query.rla_runs import is_of_rla
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.writers import make_writers
from rla_hooks.writers.base import STEP, TIME

_REPLAYED = ("csv", "json", "tensorboard")


def take_over(run: Run, source: RunPaths) -> bool:
    """Give a run, which has begun and logged nothing yet, the rows, checkpoints, figures and data of another one.

    source: of a run of this package, or of the original RLA, of which the checkpoints stay where they are. Returns
    whether that was done: a run that cannot take it warns, and one that another process writes does nothing. Raises
    ConfigError where ``source`` cannot be forked, RunError where the disk does not allow it; then nothing has changed.
    """
    if not run.is_writing or run.paths is None:
        return False
    saved = SavedRun(source, read_entry(source))
    if os.path.realpath(source.log_dir) == os.path.realpath(run.paths.log_dir):
        raise ConfigError(f"the run {saved.id} cannot take over its own log files. Give the date of an earlier run.")
    wrong = late_forking.why_not(run)
    if wrong is not None:
        told = (
            f"nothing was forked from {saved.id}: this run cannot take it, since {wrong}. Fork right after the start."
        )
        run.guard.warn("fork", told)
        return False
    if is_of_rla(source) and not saved.run_json:
        fork = _fork_of_rla(run, saved)
        late_forking.begin(run, fork, lambda paths: _replayed(run, saved, fork, paths))
    else:
        fork = whole(saved, run.settings)
        late_forking.begin(run, fork, lambda paths: take_files(fork, paths, late_forking.everything(source)))
    with run.guard.warn_on_error("the figures of the former run"):
        for tree in (RESULTS, TMP_DATA):
            _copy_new(source.log_root / tree / source.name, run.paths.log_root / tree / run.paths.name)
    return True


def old_entry(step: int, path: Path, name: str = "checkpoint") -> Entry:
    """Return what stands for a checkpoint of the original RLA: it goes by its step, all rows of which come before."""
    return Entry(path.name, name, step, math.inf, 0, "")


def _fork_of_rla(run: Run, saved: SavedRun) -> Fork:
    files = old_files.steps_in(saved.checkpoint_dir)
    entry = old_entry(*next(reversed(files.items()))) if files else None
    return Fork(saved.id, saved.name, saved.paths, saved.checkpoint_dir, entry, [], changes(saved, run.settings))


def _replayed(run: Run, saved: SavedRun, fork: Fork, paths: RunPaths) -> ForkedFiles:
    """Write the rows of a run of RLA as this run's writers write them: RLA's files have another form."""
    config = run.settings.config
    wanted = [each for each in _REPLAYED if config is not None and each in config.writers]
    columns = saved.columns()
    logger = Logger(make_writers(wanted, paths))
    try:
        for row in plain_rows(columns):
            values = {key: value for key, value in zip(columns, row, strict=True) if value is not None}
            step, time = values.pop(STEP, None), values.pop(TIME, None)
            logger.log(values, step, _time_of(saved) if time is None else time)
        if logger.missing.gaps:
            raise OSError(logger.missing.gaps[0].reason)
    finally:
        logger.close()
    return ForkedFiles(fork, paths, [], rowfiles.progress(rowfiles.files(paths.log_dir)), Counter())


def _time_of(saved: SavedRun) -> float:
    """The first versions of RLA wrote no time of a row; no row is later than its file."""
    try:
        return saved.paths.progress_csv.stat().st_mtime
    except OSError:
        return saved.started.timestamp()


def _copy_new(source: Path, target: Path) -> None:
    """Copy the regular files of a folder that the other one does not have."""
    for top, _, names in os.walk(source):
        folder = target / Path(top).relative_to(source)
        for name in names:
            path, new = Path(top, name), folder / name
            if path.is_symlink() or not path.is_file() or os.path.lexists(new):
                continue
            folder.mkdir(parents=True, exist_ok=True)
            take_file(path, new, link=False)
