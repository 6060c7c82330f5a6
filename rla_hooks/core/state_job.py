"""Writes one whole state of a run, here or in a thread beside the training."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks.checkpoints.entry import STATE, is_state
from rla_hooks.errors import CheckpointError
from rla_hooks.state import writing
from rla_hooks.state.reading import StateFolder

if TYPE_CHECKING:
    from rla_hooks.checkpoints.entry import Entry, Positions
    from rla_hooks.checkpoints.keeping import Keep
    from rla_hooks.checkpoints.saver import Saver
    from rla_hooks.state.whole import Snapshot

_LIBRARIES = ("rla_hooks", "numpy", "torch", "keras", "tensorflow", "jax", "flax", "optax", "gymnasium")
_LOOK = 0.1  # seconds after which it is looked whether a signal has come


def head_of(step: int, run: str) -> dict[str, Any]:
    """Return what state.json says of the state itself. run: the name of the run that saves it."""
    versions = {name: str(getattr(sys.modules.get(name), "__version__", "")) for name in _LIBRARIES}
    return {
        "step": step,
        "run": run,
        "time": time.time(),
        "versions": {name: each for name, each in versions.items() if each},
    }


class StateJob:
    """One state that is being written."""

    def __init__(
        self,
        saver: Saver,
        snapshot: Snapshot,
        step: int,
        info: dict[str, Any],
        written: Positions | None,
        keep: Keep,
    ):
        self.step, self.process = step, os.getpid()
        self._saver, self._snapshot, self._keep = saver, snapshot, keep
        self._info, self._written = info, written
        self._captured, self._ended = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._writing: Any = None

    def run(self) -> Path:
        """Write the state, and return its folder. Raises OSError."""
        path = self._saver.write(
            self._write, "", self.step, STATE, self._info, self._written, self._keep, lambda: self._writing.finish()
        )
        self._saver.trusted.add(path.name)
        return path

    def start(self) -> Path:
        """Begin to write in a thread, and return the folder once nothing more of the objects is needed."""
        path = self._saver.unused(f"state-{self.step}")
        thread = threading.Thread(target=self._work, name="writes a state of the run")
        thread.start()
        while not self._captured.wait(_LOOK):  # in short waits: handlers of signals run between them only
            pass
        if self._ended.is_set() and self._error is not None:
            raise self._error
        return path

    def wait(self) -> BaseException | None:
        """Wait for the end, and return the error that it has met with."""
        while not self._ended.wait(_LOOK):
            pass
        return self._error

    def _work(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()
            self._captured.set()

    def _write(self, path: Path) -> None:
        self._writing = writing.write(path, self._snapshot.plan, self._snapshot.content, self._former())
        try:
            self._snapshot.check_unchanged()
        except CheckpointError:
            self._writing.close()
            raise
        self._captured.set()

    def _former(self) -> Any:
        """The newest state, whose unchanged parts are linked; None where there is none that is whole.

        A link to a damaged part would damage each state from then on. What a resume has gone back from may be damaged.
        """
        if not self._snapshot.plan.parted:
            return None
        for entry in reversed(self._saver.manifest.entries()):
            if is_state(entry) and entry.cut is None and self._is_whole(entry):
                try:
                    state = StateFolder(self._saver.folder / entry.file)
                    return writing.Former(state.folder, state.digests)
                except (CheckpointError, OSError):
                    continue  # just being deleted
        return None

    def _is_whole(self, entry: Entry) -> bool:
        """Whether nothing is wrong with a state: those that were written here are not read again."""
        return entry.file in self._saver.trusted or self._saver.manifest.trouble_once(entry) is None
