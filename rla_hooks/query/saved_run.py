"""A run as read from its folders."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rla_hooks import rowfiles
from rla_hooks.columns import Columns
from rla_hooks.delegation import value_of
from rla_hooks.layout import CHECKPOINT, CODE, RESULTS, RunPaths
from rla_hooks.progress import Progress
from rla_hooks.query.curves import Best, best_of, check_keys, merged, rows_with, x_of_rows
from rla_hooks.query.entry import Entry, is_complete
from rla_hooks.query.frames import check_frame, to_frame
from rla_hooks.query.moved import folder_of
from rla_hooks.query.products import CheckpointFile, checkpoints_in, figures_in
from rla_hooks.query.rla_runs import events_folder
from rla_hooks.query.run_facts import RunFacts
from rla_hooks.query.stored import StoredEntry
from rla_hooks.query.summaries import Summary
from rla_hooks.writers.base import STEP

if TYPE_CHECKING:
    import pandas

_FOLDER = "Of this run; see rla_hooks.layout."


class SavedRun(RunFacts):
    """A run as read from its folders. ``problems`` lists what is damaged; everything else can be read.

    ``name``, ``task``; ``status``: ``running``, ``finished``, ``pruned``, ``preempted``, ``interrupted``,
    ``failed``; ``killed`` if it did not end and its process is gone; ``running (silent since 2026-01-31 12:00 UTC)`` if
    it runs, or ran, in a container or on another host, and has written nothing for ten minutes; ``unknown`` where
    run.json is damaged.
    ``hparams``: parameter.json; ``info``: run.json, and of a run that did not end what rows it has; ``paths``: where
    its files are; ``hints``: what is unusual, such as a folder that somebody has renamed. A saved run is what the files
    said: small ones when it was listed, rows when they are first asked for.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["lr"], task="demo", writers=["csv"], backup="none", tags=["sketch"])
    ... def main(lr=0.1, steps=3):
    ...     for step in range(steps):
    ...         rla.log({"loss": 1.0 / (step + 1)}, step=step)
    >>> main()
    >>> run = rla.runs()[-1]
    >>> run.task, run.status, run.hparams, run.record, run.tags
    ('demo', 'finished', {'lr': 0.1, 'steps': 3}, {'lr': 0.1}, ['sketch'])
    >>> run.info["rows"], run.info["last_step"], len(run.id)
    (3, 2, 8)
    """

    def __init__(self, paths: RunPaths, entry: Entry | StoredEntry):
        super().__init__(paths, entry)
        self._progress: Progress | None = None  # what its files of rows hold, where somebody has read them already

    def __repr__(self) -> str:
        return f"SavedRun({self.id}, {self.name!r}, {self.status})"

    def _repr_html_(self) -> str:
        """Return what the run is, its parameters and its metrics, for notebooks."""
        from rla_hooks.query.html import run_html

        return run_html(self, self.columns)

    @property
    def last(self) -> dict[str, Any]:
        """The last value of each metric."""
        last = self.info.get("last")
        return last if isinstance(last, dict) else {}

    @functools.cached_property
    def info(self) -> dict[str, Any]:
        """run.json; with ``rows``, ``last_step`` and ``last`` of its files where run.json does not tell.

        That is where it is running, was killed (also after a hook, or a signal, had reported its end), is of RLA, or
        somebody adds rows to it by ``rla.open``.
        """
        if self.run_json and is_complete(self.run_json, self.status):
            return self.run_json
        files = rowfiles.files(self.log_dir)
        if not files:  # it has other writers
            return self.run_json
        found, noted = self._progress or self._progress_in(files), self.run_json.get("last")
        last = {**(noted if isinstance(noted, dict) else {}), **found.last}
        count = self.run_json.get("rows") if found.rows is None else found.rows
        return self.run_json | {"rows": count, "last_step": found.last_step, "last": last}

    def _progress_in(self, files: Iterable[Path]) -> Progress:
        recent = rowfiles.recent(files)
        if not recent.older:
            return recent.progress
        from rla_hooks.query.summary_cache import progress_of

        return progress_of([(self.paths, recent)])[0]

    @property
    def code_dir(self) -> Path:
        """Of this run; of one that was renamed or moved that of its first name, where it is there."""
        return folder_of(self.paths, CODE, self.run_json)

    @property
    def checkpoint_dir(self) -> Path:
        """Of this run; of one that was renamed or moved that of its first name, where it is there."""
        return folder_of(self.paths, CHECKPOINT, self.run_json)

    @property
    def results_dir(self) -> Path:
        """Of this run; of one that was renamed or moved that of its first name, where it is there."""
        return folder_of(self.paths, RESULTS, self.run_json)

    log_dir: ClassVar[Path] = value_of("paths", "log_dir", _FOLDER)

    @property
    def tensorboard_dir(self) -> Path:
        """Where its event files are."""
        return self.paths.tensorboard_dir if self.run_json else events_folder(self.paths)

    def columns(self, keys: Iterable[str] | None = None) -> Columns:
        """Return the rows as columns: ``time-step``, ``timestamp`` and these metrics, or all.

        One row per dump, in the order of writing; those of several processes are joined by time.
        """
        from rla_hooks.query.column_cache import columns_in  # late: it needs numpy

        return columns_in(self.paths.log_root, self.log_dir, keys)

    def summary(self, metric: str) -> Summary | None:
        """Return what the values of a metric come to; None where no row has one. Also of a run that has not ended."""
        from rla_hooks.query.summary_cache import summaries_of  # late: it needs numpy

        return summaries_of([self.paths], [metric])[0].get(metric)

    @functools.cached_property
    def summaries(self) -> dict[str, Summary]:
        """The summaries of all metrics."""
        from rla_hooks.query.summary_cache import summaries_of

        return summaries_of([self.paths])[0]

    def metrics(self, keys: Iterable[str] | None = None, merge: bool = False, frame: str = "pandas") -> Any:
        """Return the rows as a DataFrame: one row per dump, in the order of writing; empty without rows.

        keys: only these metrics, with ``time-step`` and ``timestamp``. merge: one row a step, in the order of the
        steps; of each column the last value that the rows of the step have, so ``timestamp`` is that of the last one.
        frame: ``pandas`` or ``polars``.

        Rows of several processes are joined by time. A step may have several rows, each with other columns filled.
        Floats are bit-equal to those that were logged. Raises :class:`~rla_hooks.errors.RLAError` for a key that no row
        has, and if the library is not installed.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none"):
        ...     rla.log({"loss": 0.5}, step=0)
        ...     rla.log({"return": 21.0}, step=0)
        >>> run = rla.runs()[-1]
        >>> print(run.metrics(["loss", "return"], merge=True).drop(columns="timestamp"))
           time-step  loss  return
        0          0   0.5    21.0
        """
        check_frame(frame)
        columns = self._checked_columns(keys, "metrics()")
        return to_frame(merged(columns) if merge else columns, frame)

    def system_metrics(self, frame: str = "pandas") -> Any:
        """Return the use of the machine, system.csv, as a DataFrame; empty if the run has not measured it.

        ``time-step`` is the step of the last row of metrics, 0 before the first one. The columns are in docs/layout.md.
        frame: ``pandas`` or ``polars``.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none"):  # without system_metrics=10
        ...     rla.log({"loss": 0.5}, step=0)
        >>> rla.runs()[-1].system_metrics().empty
        True
        """
        check_frame(frame)
        return to_frame(self.system_columns(), frame)

    def system_columns(self) -> Columns:
        """Return what :meth:`system_metrics` does as columns."""
        return rowfiles.columns(rowfiles.files(self.log_dir, rowfiles.SYSTEM))

    def series(self, metric: str, x: str = STEP) -> pandas.Series[Any]:
        """Return a metric as a pandas Series over ``x``, any numeric column; rows without one of both are left out.

        A row that lacks ``x`` takes that of the nearest row of its step. A NaN that was logged stays. Raises
        :class:`~rla_hooks.errors.RLAError` for a metric that no row has, and if no step has both.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none"):
        ...     for step in range(3):
        ...         rla.log({"loss": 0.5**step, "epoch": step // 2}, step=10 * step)
        >>> rla.runs()[-1].series("loss").to_dict()
        {0: 1.0, 10: 0.5, 20: 0.25}
        >>> rla.runs()[-1].series("loss", x="epoch").index.tolist()
        [0, 0, 1]
        """
        check_frame("pandas")
        columns = self._checked_columns([metric, x], f"series({metric!r}, x={x!r})")
        pair = rows_with({x: x_of_rows(columns, x), metric: columns[metric]}, x)
        frame = to_frame(pair, "pandas")
        found: pandas.Series[Any] = frame.set_index(x, drop=x != metric)[metric]
        return found

    def best(self, metric: str, mode: str = "max", window: int = 1) -> Best:
        """Return the best mean over ``window`` values of a metric in a row, and its steps; see :class:`Best`.

        mode: ``max`` or ``min``. A metric that has fewer values: the mean of all. Windows with a NaN do not count.
        Raises :class:`~rla_hooks.errors.RLAError` for a metric that no row has, and for one of texts.
        """
        return best_of(self._checked_columns([metric], f"best({metric!r})"), metric, mode, window)

    def _checked_columns(self, keys: Iterable[str] | None, where: str) -> Columns:
        wanted = None if keys is None else [keys] if isinstance(keys, str) else [*keys]
        columns = self.columns(wanted)
        if any(key not in columns for key in wanted or ()):
            check_keys(wanted or (), columns, self.columns(), where)
        return columns

    def figures(self) -> list[Path]:
        """Return the files of its figures, images and videos: those in ``results_dir``, in the order of their names.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none"):
        ...     _ = rla.simple_plot(name="eval/returns", data=[[1, 2, 3]])
        >>> run = rla.runs()[-1]
        >>> [path.relative_to(run.results_dir).as_posix() for path in run.figures()]
        ['eval/returns.png']
        """
        return figures_in(self.results_dir)

    def checkpoints(self) -> list[CheckpointFile]:
        """Return its complete checkpoints, newest last: path, name, step, time in seconds since 1970, size in bytes.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none"):
        ...     for step in range(2):
        ...         _ = rla.save_checkpoint({"weights": [0.5, step]}, step=step)
        >>> [(each.path.name, each.step) for each in rla.runs()[-1].checkpoints()]
        [('checkpoint-0.pkl', 0), ('checkpoint-1.pkl', 1)]
        """
        return checkpoints_in(self.checkpoint_dir, of_rla=not self.run_json)


def set_progress(run: SavedRun, found: Progress) -> None:
    """Let a run know what its files of rows hold, so that it need not read them."""
    run._progress = found
