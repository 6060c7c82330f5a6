"""The runs that ``wandb.init`` has opened in this process: which one is present, and what a further init does."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from rla_hooks.integrations._wandb import missing, starting
from rla_hooks.integrations._wandb.config import Config, defaults, parse
from rla_hooks.integrations._wandb.errors import UsageError
from rla_hooks.integrations._wandb.run import Run, is_notebook

from rla_hooks import hooks

_NEW = (True, "finish_previous", "create_new")  # values of ``reinit`` with which a further init starts a further run
_OLD = (None, False, "default", "return_previous")


class NoSummary:
    """``wandb.summary`` while there is no run: whatever is done with it raises UsageError."""

    def _refuse(self, *args: Any) -> Any:
        raise UsageError("wandb.summary was used without a run. Call wandb.init() before.")

    __getitem__ = __setitem__ = __contains__ = __iter__ = __len__ = update = get = keys = items = _refuse

    def __setattr__(self, name: str, value: Any) -> None:
        self._refuse()


class OpenRuns:
    """``newest`` is the run that was opened last, though it may be over; ``present`` is None then."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin as a new program does."""
        self.newest: Run | None = None
        self._early = Config()  # what a script sets before init
        self._syncs = False  # whether the next run gets what SummaryWriters get
        self._lock, self._pid = threading.RLock(), os.getpid()
        self._ours: weakref.WeakSet[hooks.Run] = weakref.WeakSet()  # also those of the user's that were joined once

    @property
    def present(self) -> Run | None:
        run = self.newest
        return None if run is None or run.is_over else run

    @property
    def config(self) -> Config:
        present = self.present
        return self._early if present is None else present.config

    def needed(self, what: str) -> Run:
        """Return the present run. Raises UsageError if there is none."""
        run = self.present
        if run is None:
            raise UsageError(f"wandb.{what} was called without a run. Call wandb.init() before.")
        return run

    def init(self, *arguments: Any) -> Run:
        """See ``init`` in integrations/wandb.py."""
        if self._pid != os.getpid():  # another thread of the parent may have held it at the fork
            self._lock, self._pid = threading.RLock(), os.getpid()
        with self._lock:  # else a thread takes the run that another one starts for the user's own
            return self._init(*arguments)

    def _init(
        self,
        given: dict[str, Any],
        config: Any,
        keys: tuple[list[str] | None, list[str] | None],
        settings: Any,
        reinit: Any,
        syncs: bool,
        monitors: bool,
        options: dict[str, Any],
    ) -> Run:
        if reinit not in (*_NEW, *_OLD):
            raise UsageError(f"reinit is {reinit!r}. Known: True, False, {', '.join(map(str, (*_NEW, *_OLD)[1:]))}.")
        values = self._values(config, keys)
        present = self.present
        if present is not None and not present.is_of_parent:
            if reinit in _OLD and not (is_notebook() and reinit != "return_previous"):
                present.config.update(values, allow_val_change=True)
                return present
            if reinit != "create_new":
                present.finish()
        given = starting.with_settings(given, settings)
        run = self._open(given, values, options)
        if present is None or reinit != "create_new":
            self.newest = run
        if syncs or self._syncs:
            self._syncs = False
            run.mirror_tensorboard()
        if monitors and not run.disabled:
            missing.tell_monitor()
        return run

    def sync_tensorboard(self, *args: Any, **kwargs: Any) -> None:
        """Give the present run, or the next one, what SummaryWriters get."""
        present = self.present
        if present is None:
            self._syncs = True
        else:
            present.mirror_tensorboard()

    def _values(self, config: Any, keys: tuple[list[str] | None, list[str] | None]) -> dict[str, Any]:
        include, exclude = keys
        own = {key: value for key, value in parse(config).items() if key not in (exclude or ())}
        if include:
            own = {key: value for key, value in own.items() if key in include}
        return {**defaults(), **self._early.as_dict(), **own, **missing.sweep_values()}

    def _open(self, given: dict[str, Any], values: dict[str, Any], options: dict[str, Any]) -> Run:
        around, result = hooks.open_run(), None
        joined = around is not None and around not in self._ours
        if starting.is_disabled(given.get("mode")):
            run, joined = hooks.Run.silent(), False
        elif around is not None and joined:
            run = around
            self._label(run, given)
        else:
            run, result = starting.start(given, values, options)
        self._ours.add(run)
        found, self._early = self._early, Config()  # a script may have kept it, and goes on to use it
        found.update(values, allow_val_change=True)
        return Run(run, found, given, joined, result)

    @staticmethod
    def _label(run: hooks.Run, given: dict[str, Any]) -> None:
        """Add what is given to the labels of the user's run; a title that it has stays."""
        if tags := starting.tags_of(given):
            run.tag(*tags)
        if given.get("notes"):
            run.set_note(str(given["notes"]), append=True)
        if given.get("name") and not run.settings.labels.title:
            run.set_title(starting.one_line(given["name"]))
