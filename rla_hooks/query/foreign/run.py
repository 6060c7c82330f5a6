"""A folder of another tool as a saved run."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.columns import Columns
from rla_hooks.errors import RLAError
from rla_hooks.layout import RunPaths
from rla_hooks.query.entry import UNKNOWN, Entry
from rla_hooks.query.foreign.scan import Found, find
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.summaries import Summary, summarize
from rla_hooks.texts import shell_path
from rla_hooks.writers.base import STEP, TIME

if TYPE_CHECKING:
    from rla_hooks.query.foreign.parts import Part, Problems
    from rla_hooks.rows.pieces import FileRows, JoinedRows

_LATEST = 1e11  # seconds since 1970; a file system takes any time


class _Sums(NamedTuple):
    """What the rows of a run come to; the rows themselves are not kept, for a list may have thousands of runs."""

    length: int
    last_step: int | float | None
    summaries: dict[str, Summary]
    problems: Problems


class ForeignPaths(RunPaths):
    """Where the files of a run of another tool are: in one folder, and not in trees."""

    def __init__(self, log_root: Path, name: str, found: Found):
        super().__init__(log_root, name)
        self.found = found

    @property
    def log_dir(self) -> Path:
        return self.log_root / self.found.folder

    @property
    def results_dir(self) -> Path:
        return self.log_dir / "results"

    @property
    def checkpoint_dir(self) -> Path:
        return self.log_dir / "checkpoints"  # where Lightning puts them

    @property
    def code_dir(self) -> Path:
        return self.log_dir / "code"

    @property
    def tensorboard_dir(self) -> Path:
        return self.log_dir

    @property
    def labels_json(self) -> Path:
        raise RLAError(
            f"{shell_path(self.log_dir)} was written by another tool: such folders are read only. "
            "Tags, notes and titles are for runs of rla_hooks."
        )

    @functools.cached_property
    def parts(self) -> list[Part]:
        """What reads the files, in the order in which it is asked."""
        from rla_hooks.query.foreign import tables
        from rla_hooks.query.foreign.events import EventFiles

        def paths(names: Iterable[str]) -> list[Path]:
            return [self.log_dir / name for name in names]

        found = self.found
        parts: list[Part] = [tables.Table(path) for path in paths(found.tables)]
        parts += [tables.KerasTable(path) for path in paths(found.keras)]
        parts += [tables.Monitors(paths(found.monitors))] if found.monitors else []
        parts += [EventFiles(paths(found.events))] if found.events else []
        parts += [tables.HparamsYaml(path) for path in paths(found.yaml)]
        return parts

    def read_rows(self, wanted: Sequence[str] | None, problems: Problems | None = None) -> JoinedRows:
        """Return the rows of all files: these metrics, or all. What one file has of a metric, no later one gives.

        problems: those of files that cannot be read are added.
        """
        from rla_hooks.rows.pieces import join_files

        problems = {} if problems is None else problems
        found: list[FileRows] = []
        known: dict[str, None] = {}
        for part in self.parts:
            missing = None if wanted is None else [name for name in wanted if name not in (STEP, TIME, *known)]
            if known and missing == []:
                break
            read = part.rows(missing, known, problems)
            known |= dict.fromkeys(name for rows in read for name in rows.names if name not in (STEP, TIME))
            found += [rows for rows in read if not missing or not rows.pieces.keys().isdisjoint(missing)]
        return join_files(found)


class ForeignRun(SavedRun):
    """A run of TensorBoard, Lightning, Stable-Baselines3 or Keras, with what a saved run has, as far as it is there.

    ``name`` is the path below the folder that was asked for, ``task`` its first folder, or that folder's name. Nobody
    knows how it ended: ``status`` is ``unknown``.
    """

    paths: ForeignPaths

    def __init__(self, root: Path, found: Found):
        name = "/".join(filter(None, (found.folder, found.name)))
        task = name.partition("/")[0] if "/" in name else root.name
        entry = Entry(name or root.name, task, UNKNOWN, {}, {}, {})
        super().__init__(ForeignPaths(root, entry.name, found), entry)

    @functools.cached_property
    def _hparams(self) -> tuple[dict[str, Any], Problems]:
        """The hyper-parameters, and what is damaged."""
        hparams: dict[str, Any] = {}
        problems: Problems = {}
        for part in reversed(self.paths.parts):  # hparams.yaml first
            try:
                if not (hparams and part.repeats_hparams):
                    hparams |= part.hparams()
            except (OSError, ValueError) as error:
                name = part.files[0].name
                problems[name] = f"{name} cannot be read: {error}"
        return hparams, problems

    @property
    def hparams(self) -> dict[str, Any]:  # type: ignore[override]
        """Those in hparams.yaml, in a Monitor's first line, or in TensorBoard's hparams plugin."""
        return self._hparams[0]

    @property
    def problems(self) -> tuple[str, ...]:  # type: ignore[override]
        """What is damaged, a line for each."""
        return tuple((self._hparams[1] | self._sums.problems).values())

    @property
    def record(self) -> dict[str, Any]:
        """Nothing: other tools put no parameters into the name."""
        return {}

    @functools.cached_property
    def started(self) -> datetime:  # type: ignore[override]
        """When its files say that it started, in UTC; else the earliest time at which one of them was changed."""
        noted = [time for time in (part.started() for part in self.paths.parts) if time is not None]
        begin = min(noted) if noted else self._earliest_change()
        return datetime.fromtimestamp(min(max(begin, 0.0), _LATEST), timezone.utc)

    def _earliest_change(self) -> float:
        times = []
        for part in self.paths.parts:
            for path in part.files:
                with suppress(OSError):
                    times.append(os.stat(path).st_mtime)
        return min(times, default=0.0)

    @functools.cached_property
    def info(self) -> dict[str, Any]:
        """``rows``, ``last_step`` and ``last``, as its files have them.

        last_step is the greatest one: the row of torch's ``add_hparams`` has step 0, and comes last.
        """
        last = {name: summary.last for name, summary in self.summaries.items()}
        return {"rows": self._sums.length, "last_step": self._sums.last_step, "last": last}

    @property
    def checkpoint_dir(self) -> Path:
        """Lightning's ``checkpoints`` in the folder; of other tools it is not there."""
        return self.paths.checkpoint_dir

    @property
    def code_dir(self) -> Path:
        """It is seldom there: no other tool keeps the code."""
        return self.paths.code_dir

    @property
    def results_dir(self) -> Path:
        """It is seldom there: no other tool keeps figures."""
        return self.paths.results_dir

    @property
    def tensorboard_dir(self) -> Path:
        """The folder."""
        return self.paths.tensorboard_dir

    def columns(self, keys: Iterable[str] | None = None) -> Columns:
        """Return the rows as columns: ``time-step``, ``timestamp`` where it is known, and these metrics, or all.

        docs/query.md says which column of each tool is the step. A metric that several files have is taken from the
        tables; event files give the others.
        """
        rows = self.paths.read_rows(None if keys is None else [*dict.fromkeys(keys)])
        ordered = dict.fromkeys([STEP, TIME, *(rows.names if keys is None else keys)])
        return {name: rows.column(name) for name in ordered if name in rows.pieces}

    def summary(self, metric: str) -> Summary | None:
        """Return what the values of a metric come to; None where no row has one."""
        return summarize(self.paths.read_rows([metric])).get(metric)

    @property
    def summaries(self) -> dict[str, Summary]:  # type: ignore[override]
        """The summaries of all metrics."""
        return self._sums.summaries

    @functools.cached_property
    def _sums(self) -> _Sums:
        problems: Problems = {}
        rows = self.paths.read_rows(None, problems)
        steps = rows.values(STEP).values.tolist() if STEP in rows.pieces else []
        numbers = [each for each in steps if isinstance(each, (int, float)) and each == each]  # no NaN
        return _Sums(rows.length, max(numbers, default=None), summarize(rows), problems)


def foreign_runs(root: Path, task: str | None = None) -> list[SavedRun]:
    """Return the runs of other tools in a folder and below, in the order of their starts."""
    runs: list[SavedRun] = [ForeignRun(root, found) for found in find(root)]
    chosen = [run for run in runs if task is None or run.task == task or f"{run.name}/".startswith(f"{task}/")]
    return sorted(chosen, key=lambda run: (run.started, run.name))
