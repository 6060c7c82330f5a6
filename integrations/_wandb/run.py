"""``wandb.run``: what ``wandb.init`` returns."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from rla_hooks.integrations._wandb import missing
from rla_hooks.integrations._wandb.config import Config
from rla_hooks.integrations._wandb.facts import Facts
from rla_hooks.integrations._wandb.files import Results
from rla_hooks.integrations._wandb.logged import Sorted
from rla_hooks.integrations._wandb.metrics import DefinedMetrics, Metric
from rla_hooks.integrations._wandb.mirror import Mirror
from rla_hooks.integrations._wandb.summary import Summary
from rla_hooks.integrations._wandb.watching import Watched

from rla_hooks import hooks
from rla_hooks.endings import FAILED, FINISHED
from rla_hooks.errors import WarnOnce

_PLAIN = frozenset([float, int, str, bool])  # what a row takes as it is
_MOST_STEPS = 2**63


class Run(Facts):
    """A run of rla_hooks with the words of wandb's.

    joined: whether it is the user's own run, which its owner ends. result: of its life before.
    """

    def __init__(self, run: hooks.Run, config: Config, given: Mapping[str, Any], joined: bool, result: Any = None):
        super().__init__(run, given)
        self._joined = joined
        self._pid, self._lock, self._warn = os.getpid(), threading.RLock(), WarnOnce()
        last = run.logger.last_step
        self._step = 0 if last is None else max(last + 1, self._rows_so_far())
        self._may_go_back = last is not None  # the first ``step=`` after a resume: to where the script goes on
        self._is_open = False  # whether a row waits for further values
        self._metrics = DefinedMetrics()
        self._unplaced: dict[str, Any] = {}  # values of the open row whose step_metric has not come yet
        self._axes: dict[str, Any] = {}  # the step metrics that it has
        self._watched = Watched(run, lambda: self._step)
        self._results = Results(run)
        self._mirror: Mirror | None = None
        self.starting_step = self._step
        self.is_finished = self._has_ended = False
        self.config = config
        self.summary = Summary(run, self._metrics, result)
        config._bind(run, joined)
        run.at_end(self._at_end)
        atexit.register(self._late_end)

    # --- rows -----------------------------------------------------------------------------------------------------

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, **unused: Any) -> None:
        """Log a row: numbers, texts, media, and nested mappings of these.

        Without ``step`` rows count by themselves. With it, or with ``commit=False``, the row waits for further values
        of its step; it is written by the next step, by a call that commits, and at the end. A step that is below that
        of the last call is left out, as by wandb; but the first one after a resume may go back.
        """
        if os.getpid() != self._pid:  # a forked child, in which the lock may be held for ever
            self._run.log(data)
            return
        with self._lock:
            is_row = step is None and commit is not False and not (self._is_open or self._metrics or self._watched)
            if is_row and type(data) is dict and _PLAIN.issuperset(map(type, data.values())):
                self._run.log(data, self._step)
                self._step += 1
                return
            if not isinstance(data, Mapping):
                self._run.log(data)  # which warns
            elif step is None or self._goes_to(step):
                self._log(data, commit if commit is not None else step is None)

    def _goes_to(self, step: Any) -> bool:
        """Make ``step`` the present one; return False for one that has gone by."""
        try:
            step = int(step)
        except (TypeError, ValueError, OverflowError):
            self._warn("step", f"wandb.log got step={step!r}, which is no whole number; the rows are counted instead.")
            return True
        if not -_MOST_STEPS <= step < _MOST_STEPS:  # all later ones would be below it
            self._warn(
                "step",
                f"wandb.log got a step of {step.bit_length()} bits, which no file holds; the rows are counted instead.",
            )
            return True
        if step < self._step and not self._may_go_back:
            self._warn(
                "lower",
                f"wandb.log got step={step}, after step {self._step}: as by wandb, the row is left out. Call "
                "define_metric(name, step_metric=...) for metrics over an axis of their own, or rla.log(values, step).",
            )
            return False
        self._may_go_back = False
        if step != self._step:
            self._write_open_row()
            self._step = step
        return True

    def _rows_so_far(self) -> int:
        """Of all lives: the next step, if rows counted by themselves, and some were placed by a step_metric."""
        record = self._run.record
        return self._run.logger.rows if self._joined or record is None else int(record.content["rows"])

    def _log(self, data: Mapping[str, Any], commits: bool) -> None:
        found = Sorted(data)
        row, step = {**found.row, **self._watched.take()}, self._step
        if self._metrics:
            self._metrics.note(row)
            row, step = self._place(row, commits)
        found.write_media(self._run, self._results, step, self._warn)
        if commits and not self._is_open:
            if row:
                self._run.log(row, step)
        else:
            self._add(row, step)
            self._is_open = True
        if commits:
            self._write_open_row()
            self._axes = {}
            self._step += 1

    def _place(self, row: dict[str, Any], commits: bool) -> tuple[dict[str, Any], int]:
        """Return the values that can be written now, and their time step; others wait for their step_metric.

        commits: nothing more comes for this row.
        """
        waiting, self._unplaced = self._unplaced, {}
        if waiting.keys() & row.keys():  # each makes a row
            self._add(*self._place(waiting, commits=True))
            waiting = {}
        row = waiting | row
        axes = self._metrics.axes(row)
        known = {name: self._axes[name] for name in axes if name in self._axes and name not in row}
        found, step = self._metrics.place(row | known, self._step)
        if not commits and not axes <= row.keys() | known.keys():
            self._unplaced = row
            return {}, step
        self._axes |= {name: found[name] for name in axes if name in found}
        return {key: value for key, value in found.items() if key not in known}, step

    def _add(self, row: Mapping[str, Any], step: int) -> None:
        for key, value in row.items():
            self._run.add_scalar(key, value, step)

    def _write_open_row(self) -> None:
        if self._is_open:
            if self._unplaced:
                self._add(*self._place({}, commits=True))
            self._run.logger.settle()
            self._is_open, self._axes = False, {}

    @property
    def step(self) -> int:
        """The step of the next row."""
        return self._step

    def define_metric(
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,
        **unused: Any,
    ) -> Metric:
        """Say over which metric one is drawn, which becomes the time step of its rows, and what its summary is."""
        return self._metrics.define(name, step_metric, step_sync, summary, goal, overwrite)

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: str | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
    ) -> None:
        """Log the norm and the histograms of gradients, parameters or both, each ``log_freq`` backward passes."""
        self._watched.add(models, log, log_freq)

    def unwatch(self, models: Any = None) -> None:
        """Watch modules no longer."""
        self._watched.remove(models)

    # --- files ----------------------------------------------------------------------------------------------------

    def save(
        self, glob_str: Any = None, base_path: Any = None, policy: str = "live", **unused: Any
    ) -> bool | list[str]:
        """Copy files into the results folder; at the end again, if they have changed, but for ``policy="now"``."""
        if glob_str is None:  # an old way to write the config
            return True
        try:
            return self._results.save(glob_str, base_path, again=policy != "now")
        except OSError as error:
            self._warn("save", f"wandb.save({os.fspath(glob_str)!r}) failed: {error}. The training goes on.")
            return []

    def restore(self, name: str, run_path: Any = None, replace: bool = False, root: Any = None) -> TextIO | None:
        """Open a file that was saved in this run, before it was resumed, say; None if there is none."""
        path = self._results.find(name)
        return None if path is None else open(path, encoding="utf-8", errors="replace")

    def log_code(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the code of a run is kept, unless ``backup`` is "none"."""

    # --- what there is no place for -------------------------------------------------------------------------------

    def alert(self, title: str, text: str = "", level: Any = None, wait_duration: Any = None) -> None:
        """Write it to the run's log; nobody is called."""
        missing.told("alert", "wandb.alert: nobody is notified; alerts stand in the run's log.txt.")
        level = getattr(level, "value", level) or "INFO"
        self._run.logger.message(f"alert ({level}): {title}{': ' if text else ''}{text}")

    def use_artifact(self, artifact_or_name: Any, *args: Any, **kwargs: Any) -> Any:
        return missing.Artifact(str(artifact_or_name))

    def log_artifact(self, artifact_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        is_one = isinstance(artifact_or_path, missing.Artifact)
        return artifact_or_path if is_one else missing.Artifact(str(artifact_or_path))

    upsert_artifact = finish_artifact = link_artifact = log_model = use_model = link_model = log_artifact

    def mark_preempting(self) -> None:
        """Do nothing: rla_hooks notes by itself that a cluster has ended a run."""

    def display(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def to_html(self, *args: Any, **kwargs: Any) -> str:
        return ""

    # --- end ------------------------------------------------------------------------------------------------------

    def mirror_tensorboard(self) -> None:
        """Log what SummaryWriters of the script get, too, until the end."""
        if self._run.is_writing and self._mirror is None:
            self._mirror = Mirror(self._run)
            self._mirror.start()

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """End the run: as failed with an ``exit_code`` other than 0. A run of the user's own goes on."""
        self._finish(FAILED if exit_code else FINISHED, None)

    join = finish

    def _finish(self, status: str, error: BaseException | None) -> None:
        if self.is_finished:
            return
        self.is_finished = True
        if self._joined:
            self._at_end()
            if status != FINISHED:
                self._run.report(status, error)
            self._run.flush()
        else:
            self._run.finish(status, error)
            self._late_end()

    def _late_end(self) -> None:
        """A run that is interrupted does not call :meth:`_at_end`."""
        if not self._has_ended:
            self._at_end()
            self._run.flush()

    def _at_end(self) -> None:
        """What is left to do, when the run ends."""
        self._has_ended = True
        atexit.unregister(self._late_end)
        if self._mirror is not None:
            self._mirror.stop()
        self._watched.remove()
        if os.getpid() == self._pid:
            self._write_open_row()
            self.summary.keep(is_end=True)
            try:
                self._results.save_again()
            except OSError as error:
                self._warn("save", f"wandb.save: a file could not be copied again: {error}.")

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.is_finished or self._run.state.value == "ended"

    @property
    def is_of_parent(self) -> bool:
        """Whether this is a forked child of the process that has opened it."""
        return os.getpid() != self._pid

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish(FINISHED if error is None else hooks.ending_of(error), error)

    def __deepcopy__(self, memo: Any) -> Run:
        """Return itself, as wandb's does: a copy of an agent that has it logs to the same run."""
        return self

    def __copy__(self) -> Run:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it adds to the run, in files of its own."""
        return _of_copy, (self._run, self.config, dict(self._given))

    def __repr__(self) -> str:
        return f"<wandb run {self.name!r}: {self._run!r}>"


def _of_copy(run: hooks.Run, config: Config, given: dict[str, Any]) -> Run:
    return Run(run, config, given, joined=True)


def is_notebook() -> bool:
    return "ipykernel" in sys.modules
