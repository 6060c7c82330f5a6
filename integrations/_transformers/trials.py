"""A hyperparameter_search: each trial is a run of its own, recorded under its hyper-parameters."""

from __future__ import annotations

from typing import Any

import rla_hooks as rla
from rla_hooks import hooks
from rla_hooks.hooks import OwnRun, Run

_NOT_OF_TRIALS = ("resume", "allow", "same_code", "from_start", "record", "task", "title")


class Trial:
    """The trial that goes on. Inside of a run that the user has open its run is a child of that one.

    ``rla.start`` makes it the open run, so whatever else the training logs goes there, too.
    """

    def __init__(self, own: OwnRun):
        self._own = own
        self._run: Run | None = None
        self._params: Any = None

    def begin(self, state: Any) -> None:
        """Start the run of a trial, unless it is the same one: a Trainer begins again with smaller batches."""
        params = dict(state.trial_params or {})
        if self._run is not None and self._params == params:
            return
        self.give_up()
        options = {name: value for name, value in self._own.options.items() if value is not None}
        parent = hooks.open_run()
        task = options.get("task") or (parent.task_name if parent else None) or self._own.default_task
        record = {**(options.get("record") or {}), **params}
        options = {name: value for name, value in options.items() if name not in _NOT_OF_TRIALS}
        self._run = rla.start(task, [*record], title=state.trial_name, hyper_parameters=record, **options)
        self._params = params

    def end(self, state: Any, control: Any) -> None:
        """Finish the run. A Trainer ends the training of a trial that is pruned before its last step (5.x)."""
        run, self._run = self._run, None
        if run is not None:
            is_over = control.should_training_stop or state.global_step >= state.max_steps
            run.finish("finished" if is_over else "pruned")

    def give_up(self) -> None:
        """An exception has left the last trial, and the search goes on."""
        run, self._run = self._run, None
        if run is not None:
            run.finish("failed")
