"""RLA's queries: what the runs that a pattern of folders fits have in one of the trees of a log root.

    from rla_hooks.query_tool import experiment_data_query
    found = experiment_data_query("../data", "cartpole", "2026/01/31/12-0*", "checkpoint")
    {start: result.all_ckps for start, result in found.items()}

They read runs of rla_hooks and of the original RLA, and run nothing of a file. ``rla.runs()`` has all of it, and more.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks import rowfiles
from rla_hooks.checkpoints.manifest import FILE as MANIFEST
from rla_hooks.easy_log.const import (
    ARCHIVE_TESTER,
    CHECKPOINT,
    HYPARAMETER,
    LOG,
    OTHER_RESULTS,
    TMP_DATA,
)
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.old_words import tell_modern_name
from rla_hooks.query.entry import read_entry
from rla_hooks.query.folder_patterns import runs_in_folders, start_in
from rla_hooks.query.rla_runs import is_of_rla, read_nested
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import shell_path, shown

if TYPE_CHECKING:
    from rla_hooks.query.old_tester import OldTester
    from rla_hooks.tester import Tester

__all__ = [
    "ArchiveQueryResult",
    "BasicQueryResult",
    "CkpResult",
    "HyperParamResult",
    "LogQueryResult",
    "OtherQueryResult",
    "experiment_data_query",
    "extract_valid_index",
    "single_experiment_query",
]
_Path = str | os.PathLike[str]
extract_valid_index = start_in


class BasicQueryResult:
    """What a run has in a tree. dirname: the folder, as a text."""

    def __init__(self, dirname: str):
        self.dirname = dirname

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dirname!r})"


class LogQueryResult(BasicQueryResult):
    """The folder of a run's rows."""


class ArchiveQueryResult(BasicQueryResult):
    """The archived Tester of a run. exp_manager: the Tester, or a function that loads it."""

    def __init__(self, exp_manager: Any, dirname: str):
        super().__init__(dirname)
        self._given = exp_manager

    @functools.cached_property
    def exp_manager(self) -> Any:
        """The Tester: of a run of rla_hooks as ``Tester.load`` gives it, of one of RLA an OldTester, which only reads.

        It is loaded when it is first asked for. Raises :class:`~rla_hooks.errors.RunError` for a damaged one.
        """
        return self._given() if callable(self._given) else self._given


class HyperParamResult(BasicQueryResult):
    """The hyper-parameters of a run, nested as they were given: ``hyper_param["optimizer"]["lr"]``."""

    def __init__(self, dirname: str, hyper_param: dict[str, Any]):
        super().__init__(dirname)
        self.hyper_param = hyper_param


class CkpResult(BasicQueryResult):
    """The checkpoints of a run. all_ckps: the names of the files and folders, in the order of the names."""

    def __init__(self, dirname: str, all_ckps: list[str]):
        super().__init__(dirname)
        self.all_ckps = all_ckps


class OtherQueryResult(BasicQueryResult):
    """The results of a run. location: the paths of all files; ctime: when each was written, in seconds since 1970."""

    def __init__(self, dirname: str, ctime: list[float], location: list[str]):
        super().__init__(dirname)
        self.ctime, self.location = ctime, location


def experiment_data_query(
    data_root: _Path, task_table_name: str, reg: str, data_type: str, single_res_filter: bool = False
) -> Any:
    """Return what runs have of a kind of data, by the date and time of their starts; runs without any are left out.

    data_root: the log root. task_table_name: the task, or a pattern. reg: a pattern of folders below the task, as a
    shell has it: ``2026/01/31/12-0*``. data_type: ``log``, ``archive_tester``, ``results``, ``tmp_data``,
    ``hyperparameter`` or ``checkpoint``: the constants of ``rla_hooks.easy_log.const``. single_res_filter: return the
    only result itself.

    Raises :class:`~rla_hooks.errors.ConfigError` for another kind or pattern, and
    :class:`~rla_hooks.errors.RunError` where ``single_res_filter`` finds none, or several.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none", net={"width": 64}) as run:
    ...     _ = rla.save_checkpoint({"weights": [0.5]}, step=3)
    >>> root = run.paths.log_root
    >>> [found.all_ckps for found in experiment_data_query(root, "demo", "*", "checkpoint").values()]
    [['checkpoint-3.pkl']]
    >>> experiment_data_query(root, "demo", "2*", "hyperparameter", single_res_filter=True).hyper_param
    {'net': {'width': 64}}
    """
    tell_modern_name("experiment_data_query", "rla.runs")
    read = _reader(data_type)
    found: dict[str, BasicQueryResult] = {}
    for run in runs_in_folders(data_root, task_table_name, reg):
        result = read(run)
        if result is not None:
            start = start_in(run.name) or run.name
            found[start if start not in found else run.name] = result
    if not single_res_filter:
        return found
    if len(found) != 1:
        raise RunError(
            f"{len(found) or 'no'} runs of {task_table_name}/{reg} in {shell_path(data_root)} have {data_type} data. "
            "Give a pattern that one run fits; see them: rla runs"
        )
    return next(iter(found.values()))


def single_experiment_query(data_root: _Path, task_table_name: str, log_date: str, data_type: str) -> Any:
    """Return what one run has of a kind of data. log_date: ``2026/01/31/12-00-00-000000``, as in the run's name.

    The rest is as in :func:`experiment_data_query`. Raises :class:`~rla_hooks.errors.RunError`, which names runs near
    the date, where there is no such run, or it has none.
    """
    from rla_hooks.query.dated import run_at

    tell_modern_name("single_experiment_query", "rla.runs")
    read, paths = _reader(data_type), run_at(log_date, task_table_name, data_root)
    found = read(SavedRun(paths, read_entry(paths)))
    if found is None:
        raise RunError(f"the run {paths.name} in {shell_path(data_root)} has no {data_type} data.")
    return found


def _reader(data_type: object) -> Callable[[SavedRun], BasicQueryResult | None]:
    if not isinstance(data_type, str) or data_type not in _READERS:
        raise ConfigError(f"data_type is {shown(data_type, 100)}. Allowed: {', '.join(_READERS)}.")
    return _READERS[data_type]


def _log(run: SavedRun) -> LogQueryResult | None:
    return LogQueryResult(str(run.log_dir)) if rowfiles.files(run.log_dir) else None


def _archive(run: SavedRun) -> ArchiveQueryResult | None:
    folder = run.paths.archive_dir
    is_there = run.paths.tester_pkl.is_file() or os.path.isfile(f"{folder}.pkl")
    return ArchiveQueryResult(functools.partial(_tester_of, run), str(folder)) if is_there else None


def _tester_of(run: SavedRun) -> Tester | OldTester:
    from rla_hooks.query.old_tester import OldTester
    from rla_hooks.tester import Tester

    return OldTester(run.paths) if is_of_rla(run.paths) else Tester.load(run.paths.archive_dir)


def _hyper_parameters(run: SavedRun) -> HyperParamResult | None:
    tree = run.paths.log_root / HYPARAMETER / run.name  # of RLA; its earlier versions, and rla_hooks, have log/ only
    given = dict(read_nested(run.paths)[0]) if is_of_rla(run.paths) else nested(run.hparams)
    return HyperParamResult(str(tree if tree.is_dir() else run.log_dir), given) if given else None


def _checkpoints(run: SavedRun) -> CkpResult | None:
    names = [name for name in _names_in(run.checkpoint_dir) if name != MANIFEST and not name.startswith(".")]
    return CkpResult(str(run.checkpoint_dir), names) if names else None


def _results(run: SavedRun) -> OtherQueryResult | None:
    return _files_of(run.results_dir)


def _tmp_data(run: SavedRun) -> OtherQueryResult | None:
    return _files_of(run.paths.log_root / TMP_DATA / run.name)


_READERS: dict[str, Callable[[SavedRun], BasicQueryResult | None]] = {
    LOG: _log,
    ARCHIVE_TESTER: _archive,
    OTHER_RESULTS: _results,
    TMP_DATA: _tmp_data,
    HYPARAMETER: _hyper_parameters,
    CHECKPOINT: _checkpoints,
}


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _files_of(folder: Path) -> OtherQueryResult | None:
    """Return the files in a folder and those below it, without hidden ones; links to folders are not followed."""
    every = (os.path.join(above, name) for above, _, names in os.walk(folder) for name in names if name[0] != ".")
    files = sorted(every)
    times = {file: os.lstat(file).st_mtime for file in files if os.path.lexists(file)}
    return OtherQueryResult(str(folder), [*times.values()], [*times]) if times else None


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters with dots in their names as nested dicts, as they were given.

    >>> nested({"lr": 0.1, "net.width": 64, "net.act.name": "relu", "lr.decay": 1})
    {'lr': 0.1, 'net': {'width': 64, 'act': {'name': 'relu'}}, 'lr.decay': 1}
    """
    found: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        at: Any = found
        for part in path:
            at = at.setdefault(part, {}) if isinstance(at, dict) else None
        if isinstance(at, dict):
            at[last] = value
        else:
            found[name] = value
    return found
