"""Finds or creates the run that a callback writes to."""

from __future__ import annotations

import sys
from typing import Any

from rla_hooks.integrations._keras.state import RunState, state_of
from rla_hooks.integrations._options import warn_of_unused

from rla_hooks import Run
from rla_hooks.hooks import Handle, OwnRun, attach_or_plan, open_run


class RunBinding:
    """The run that the user has open, else the one that the callback wrote to before, else a new one.

    A copy of the callback that is made before the first :meth:`join` creates its own run; a later copy writes to the
    same run.
    """

    def __init__(self, own: OwnRun, name: str):
        self._own = own
        self._name = name
        self._handle: Handle | None = None
        self._joined: tuple[Run, RunState] | None = None  # looked up for each batch
        self._is_copy = False  # whether this is a copy of a binding that has a run

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_joined": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._is_copy = self._handle is not None

    @property
    def joined(self) -> tuple[Run, RunState] | None:
        """The run that was joined last, and its state; None before the first :meth:`join`."""
        if self._handle is None:
            return None
        run = self._handle.resolve()
        if self._joined is None or self._joined[0] is not run:
            self._joined = self._with_state(run)
        return self._joined

    def state(self) -> RunState | None:
        """Return the state of the run that :meth:`join` would return; None if it would create one."""
        run = open_run()
        joined = self.joined if run is None else self._with_state(run)
        return joined[1] if joined else None

    def join(self, progress_bar: bool, backend: str) -> tuple[Run, RunState]:
        """Return the run, started, and its state. ``progress_bar``: whether Keras shows one on stdout."""
        opened = open_run()
        if opened is not None or self._handle is None:
            self._handle = attach_or_plan(self._own)
        if opened is None or progress_bar:
            self._handle.resolve().quiet_stdout()
        is_asked = opened is not None and opened.settings.resume is not None  # to resume, as this callback is
        given = [name for name in self._own.given if not (is_asked and name == "resume")]
        if opened is not None:
            warn_of_unused("RLACallback", given, state_of(opened, self._name).warn)
        run = self._handle.run
        # Its own run, which has not started, or which the original of this copy may have started.
        takes_over = (run is None or (self._is_copy and run.made_by_hook)) and not _is_follower(backend)
        # Otherwise this is a forked process, which writes nothing to its parent's run.
        if takes_over or (run is not None and run.is_writing):
            self._handle.ensure_started()
        self._is_copy = False
        return self._with_state(self._handle.resolve())

    def _with_state(self, run: Run) -> tuple[Run, RunState]:
        return run, state_of(run, self._name)


def _is_follower(backend: str) -> bool:
    """Whether another process of a JAX training writes; JAX sets no environment variable with the rank."""
    jax: Any = sys.modules.get("jax") if backend == "jax" else None
    return jax is not None and jax.process_index() != 0
