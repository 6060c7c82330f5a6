"""The run that has begun takes over what another one has logged: RLA's ``fork_log_files`` and ``log_file_copy``."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from rla_hooks import rowfiles
from rla_hooks.checkpoints.links import take_file
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.core import late_forking
from rla_hooks.core.fork_request import Fork
from rla_hooks.core.forking import ForkedFiles, take_checkpoints, take_files
from rla_hooks.core.logger import Logger
from rla_hooks.core.run import Run
from rla_hooks.errors import ConfigError
from rla_hooks.forkable import changes, whole
from rla_hooks.layout import TMP_DATA, RunPaths
from rla_hooks.query.entry import read_entry
from rla_hooks.query.plain_rows import plain_rows
from rla_hooks.query.rla_runs import is_of_rla
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.smallfiles import open_regular
from rla_hooks.upkeep.import_files import copy_checkpoints
from rla_hooks.writers import make_writers
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import cells_of, read_header

_WRITTEN_ANEW = ("csv", "json", "tensorboard")


def take_over(run: Run, source: RunPaths) -> bool:
    """Give a run, which has begun and logged nothing yet, the rows, checkpoints, figures and data of another one.

    source: of a run of this package, or of the original RLA, whose files come in our form. Returns whether that was
    done: a run that cannot take it warns, and one that another process writes does nothing. Raises ConfigError where
    ``source`` cannot be forked, RunError where the disk does not allow it; then nothing has changed.
    """
    if not run.is_writing or run.paths is None:
        return False
    saved = SavedRun(source, read_entry(source))
    if os.path.realpath(source.log_dir) == os.path.realpath(run.paths.log_dir):
        raise ConfigError(f"the run {saved.id} cannot take over its own log files. Give the date of an earlier run.")
    wrong = late_forking.why_not(run)
    if wrong is not None:
        told = f"nothing was forked from {saved.id}, since {wrong}"
        run.guard.warn("fork", f"{told}. Fork right after the start of a run.")
        return False
    fork = _fork_of_rla(run, saved) if not saved.run_json and is_of_rla(source) else whole(saved, run.settings)
    late_forking.begin(run, fork, lambda paths: _filled(run, saved, fork, paths))
    with run.guard.warn_on_error("the figures of the former run"):
        _copy_new(saved.results_dir, run.paths.results_dir)
        _copy_new(source.log_root / TMP_DATA / source.name, run.paths.log_root / TMP_DATA / run.paths.name)
    return True


def _fork_of_rla(run: Run, saved: SavedRun) -> Fork:
    return Fork(saved.id, saved.name, saved.paths, saved.checkpoint_dir, None, [], changes(saved, run.settings))


def _filled(run: Run, saved: SavedRun, fork: Fork, paths: RunPaths) -> ForkedFiles:
    """Write the rows and the checkpoints of a former run into the folders of this one."""
    if saved.run_json and _has_our_form(saved):
        return take_files(fork, paths, late_forking.everything(saved.paths))
    _write_rows(run, saved, paths)
    if saved.run_json:  # rla import has made it
        return take_checkpoints(fork, paths, [replace(each, written=None) for each in fork.checkpoints])
    for left in copy_checkpoints(fork.checkpoint_dir, paths.checkpoint_dir) if fork.checkpoint_dir.is_dir() else ():
        run.guard.warn(("fork", left.path), f"not taken from the former run: {left}.")
    taken = Manifest(paths.checkpoint_dir).complete()
    fork = fork.replaced(entry=taken[-1] if taken else None)
    counts = Counter({"copy": sum(each.size for each in taken)} if taken else {})
    return ForkedFiles(fork, paths, taken, rowfiles.progress(rowfiles.files(paths.log_dir)), counts)


def _has_our_form(saved: SavedRun) -> bool:
    """Whether the columns of all files of rows begin as ours do: a file that does not is another program's."""
    for path in rowfiles.files(saved.log_dir):
        with open_regular(path) as file:
            if cells_of(read_header(file))[:2] != [STEP, TIME]:
                return False
    return True


def _write_rows(run: Run, saved: SavedRun, paths: RunPaths) -> None:
    """Write the rows of a run of RLA as this run's writers write them. Raises OSError."""
    config = run.settings.config
    wanted = [each for each in _WRITTEN_ANEW if config is not None and each in config.writers]
    columns = saved.columns()
    logger = Logger(make_writers(wanted, paths))
    try:
        for row in plain_rows(columns):
            values = {key: value for key, value in zip(columns, row, strict=True) if value is not None}
            step, time = values.pop(STEP, None), values.pop(TIME, None)
            logger.log(values, step, saved.started.timestamp() if time is None else time)  # RLA's first had no times
        if logger.missing.gaps:
            raise OSError(logger.missing.gaps[0].reason)
    finally:
        logger.close()


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
