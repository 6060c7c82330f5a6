"""The whole states of a run: when one is saved, where, and what a load of it does to the run. See rla_hooks/state/.

state_arguments: what the arguments mean; state_job: the writing of one state; state_loading: which one is loaded.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks.core import process_end
from rla_hooks.core.checkpoints import RunCheckpoints
from rla_hooks.core.custom_data import CustomData
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.core.logger import Logger
from rla_hooks.core.state_arguments import by_role, checked_keep, interval_of
from rla_hooks.core.state_loading import State, restore_from, state_of
from rla_hooks.errors import CheckpointError
from rla_hooks.every import Every
from rla_hooks.texts import text_of
from rla_hooks.writers.base import STEP

if TYPE_CHECKING:
    from rla_hooks.checkpoints.keeping import Keep
    from rla_hooks.core.state_job import StateJob


class RunStates:
    """Saves and loads the whole states of a run. ``saved`` is called after each save."""

    def __init__(
        self,
        ownership: Ownership,
        logger: Logger,
        guard: Guard,
        custom_data: CustomData,
        checkpoints: RunCheckpoints,
        saved: Callable[[], None],
    ):
        self._ownership, self._logger, self._guard = ownership, logger, guard
        self._custom_data, self._checkpoints, self._saved = custom_data, checkpoints, saved
        self._intervals: dict[Any, Every] = {}
        self._began_at: int | None = None  # the step of the state that was loaded
        self._stopping: object = None  # the request to stop for which a state was saved
        self._has_saved = False
        self._job: StateJob | None = None

    def save_state(
        self,
        step: int | None = None,
        *,
        models: Any = None,
        optimizers: Any = None,
        schedulers: Any = None,
        buffers: Any = None,
        normalizers: Any = None,
        env: Any = None,
        extra: Any = None,
        keep: int | None = 3,
        keep_best: int = 1,
        monitor: str | None = None,
        mode: str = "max",
        every: int | datetime.timedelta | Every | None = None,
        wait: bool = True,
    ) -> Path | None:
        """Save all that the training is: what it continues from is what it was, bit for bit.

        That is the objects given here, the random state of Python, numpy, torch, TensorFlow and Keras, and how far the
        metrics have come. Return the folder; None where it is not due by ``every``, or nothing is written here.

        step: the last step that was finished; by default that of the last row. models, optimizers, schedulers, buffers,
        normalizers, env: objects, or dicts of names and objects. extra: plain data, arrays, random generators.

        keep, keep_best: how many of the newest stay, and how many of those with the best value of the metric
        ``monitor``, by ``mode`` "max" or "min"; None: all. every: save only so many steps after the last time, or after
        a ``datetime.timedelta``; once a signal asks the program to stop, the next call saves in any case. The last
        step is saved only where it is one of these. wait: False to go on once the objects are copied; the next save, a
        load or the end of the run waits for the rest.

        If the disk fails, this gives one warning and returns None. Raises CheckpointError for objects that cannot be
        stored, unless a state was saved before: then it is a warning, too. ConfigError for bad arguments.

        >>> import numpy as np
        >>> import rla_hooks as rla
        >>> def main(steps):
        ...     weights = np.zeros(2)
        ...     state = rla.load_state(models=weights)
        ...     for step in range(state.step + 1 if state else 0, steps):
        ...         weights += np.random.random(2)
        ...         rla.log({"weight": weights[0]}, step=step)
        ...         rla.save_state(step, models=weights, every=10)
        >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
        ...     main(15)
        >>> sorted(path.name for path in run.checkpoint_dir.glob("state-*"))
        ['state-0', 'state-10']
        """
        self._ownership.need_started("save_state")
        if not self._ownership.is_writing:
            return None
        step = self._logger.current_step(step)
        if every is not None and not self._is_due(every, step):
            return None
        if not self._checkpoints.may_save_checkpoint():
            return None
        info, rule = self._score(monitor, mode), checked_keep(keep, keep_best, mode)
        given = by_role(models, optimizers, schedulers, buffers, normalizers, env)
        try:
            return self._save(step, given, extra, info, rule, wait)
        except (OSError, CheckpointError) as error:
            if isinstance(error, CheckpointError) and not self._has_saved:  # a mistake of the program, at its beginning
                raise
            self._warn(step, error)
            return None

    def _save(
        self, step: int, given: dict[str, Any], extra: Any, info: dict[str, Any], rule: Keep, wait: bool
    ) -> Path | None:
        from rla_hooks.checkpoints.entry import STATE
        from rla_hooks.core.state_job import StateJob, head_of  # late: it needs numpy
        from rla_hooks.state import whole

        self.finish_saving()
        written = self._checkpoints.positions()
        objects = {role: whole.named(role, each) for role, each in given.items()}
        try:
            paths = self._ownership.paths
            snapshot = whole.capture(objects, extra, head_of(step, paths.name if paths else ""))
        except CheckpointError as error:
            raise CheckpointError(f"the state of step {step} was not saved: {error}") from error
        self._custom_data[STEP] = step
        job = StateJob(self._checkpoints.saver, snapshot, step, {"writer": STATE, **info}, written, rule)
        if wait:
            path = job.run()
        else:
            snapshot.plan.freeze()
            self._saved()  # now, while the disk is not busy with the state
            path = job.start()
            self._job = job
        self._has_saved = True
        if wait:
            self._guard.warn.rearm("state")
            self._saved()
        return path

    def finish_saving(self) -> None:
        """Wait for a state that is being written. If that fails, there is a warning."""
        job, self._job = self._job, None
        if job is None or job.process != os.getpid():
            return
        error = job.wait()
        if error is not None:
            self._warn(job.step, error)
        else:
            self._guard.warn.rearm("state")

    def _warn(self, step: int, error: BaseException) -> None:
        what = text_of(error).removeprefix(f"the state of step {step} was not saved: ").rstrip(".")
        self._guard.warn("state", f"the state of step {step} was not saved: {what}. The training goes on.")

    def _is_due(self, every: int | datetime.timedelta | Every, step: int) -> bool:
        stopping = process_end.preempted_by()
        if stopping is not None and stopping != self._stopping:
            self._stopping = stopping
            return True
        key = (every.steps, every.seconds) if isinstance(every, Every) else every
        interval = self._intervals.get(key)
        if interval is None:
            interval = self._intervals[key] = interval_of(every)
            if self._began_at is not None:
                interval(self._began_at)  # it counts from there
        return interval(step)

    def _score(self, monitor: str | None, mode: str) -> dict[str, Any]:
        if monitor is None:
            return {}
        value = self._logger.last_values.get(monitor)
        known = isinstance(value, (int, float)) and not isinstance(value, bool)
        return {"monitor": monitor, "mode": mode, "score": float(value) if known else None}  # type: ignore[arg-type]

    # --- load -----------------------------------------------------------------------------------------------------

    def load_state(
        self,
        *,
        models: Any = None,
        optimizers: Any = None,
        schedulers: Any = None,
        buffers: Any = None,
        normalizers: Any = None,
        env: Any = None,
        extra: Any = None,
        run: Any = None,
        step: int | None = None,
        partial: bool = False,
    ) -> State | None:
        """Restore the newest whole state of the run into the objects, in place; None where the run has none yet.

        models, optimizers, schedulers, buffers, normalizers, env: the objects, as they were given to ``save_state``.
        What cannot be changed in place, such as arrays of JAX, is new in the dict that was passed, and in ``restored``
        of the result. extra: where the generators and arrays in ``extra`` are restored in place, too. step: of the
        state; by default the newest.

        partial: True to restore what fits, and to name the rest in ``missing``. Else everything has to fit: the error
        names all that does not, and nothing has changed.

        run: another run, from which the state is taken, in any way that ``load_checkpoint`` knows. Of a run that was
        resumed, the rows after the state's step are cut, as by ``load_checkpoint``.

        Raises CheckpointError if the state does not fit, or if there is none of ``step``; RunError if no run has
        started.

        >>> import numpy as np
        >>> import rla_hooks as rla
        >>> weights = np.ones(2)
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     path = rla.save_state(7, models={"policy": weights}, extra={"epsilon": 0.1})
        ...     weights[:] = 0
        ...     state = rla.load_state(models={"policy": weights})
        >>> state.step, state.extra, weights.tolist()
        (7, {'epsilon': 0.1}, [1.0, 1.0])
        """
        self._ownership.need_started("load_state")
        self.finish_saving()
        given = by_role(models, optimizers, schedulers, buffers, normalizers, env)
        is_own = run is None
        if run is not None:
            source, is_own = self._source(run)
            folder = source.folder
            step = source.entry.step if source.entry is not None and step is None else step
        elif self._checkpoints.folder is None:
            return None
        else:
            folder = self._checkpoints.folder
            step = self._checkpoints.first_step("state") if step is None else step
        random = self._ownership.is_writing or not is_own  # other ranks have their own
        found = restore_from(folder, given, extra, step, partial, random)
        if found is None:
            return None
        entry, restored = found
        if is_own:
            self._checkpoints.saver.trusted.clear()
            self._checkpoints.loaded(entry)
        elif self._ownership.is_writing:
            self._checkpoints.loaded_of(source, entry)
        self._began_at = entry.step
        for interval in self._intervals.values():
            interval(entry.step)
        return state_of(entry, restored)

    def _source(self, run: Any) -> tuple[Any, bool]:
        """Return where another run's states are, and whether it is this run all the same."""
        from rla_hooks.core import loading

        paths = self._ownership.paths
        source = loading.source_of(run, *((paths.log_root, paths.name) if paths else ()))
        own = paths is not None and os.path.realpath(source.folder) == os.path.realpath(paths.checkpoint_dir)
        return source, own
