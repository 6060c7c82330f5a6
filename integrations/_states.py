"""The state beside the checkpoints of a framework that has files of its own: what these do not have.

    state-1200/     by run.save_state: the random state, and the objects that the user adds

It is saved before the file of the same step, so that each file that a resume can go on from has its state.
"""

from __future__ import annotations

from typing import Any

from rla_hooks.checkpoints import Manifest
from rla_hooks.hooks import Argument, Run, WarnOnce

_WRITER = "state"  # what the manifest says of whole states


def argument(state: Any) -> Argument:
    """The argument ``state`` of a callback."""
    fits = isinstance(state, bool) or (isinstance(state, dict) and all(isinstance(name, str) for name in state))
    return Argument(state, lambda _: fits, "True, False, {name: object}, such as {'buffer': buffer}")


class StateBeside:
    """Saves and loads the states of one callback. state: its argument."""

    def __init__(self, state: bool | dict[str, Any]):
        self._is_wanted = state is not False
        # The user's own dict: what cannot be changed in place, as an array of JAX, is replaced in it.
        self._added: dict[str, Any] = state if isinstance(state, dict) else {}
        self._saved: tuple[Any, Any] | None = None  # the run and the point that were saved last

    def __bool__(self) -> bool:
        return self._is_wanted

    def begin(self) -> None:
        """A fit begins, which may come to the points of a former one."""
        self._saved = None

    def save(self, run: Run, step: int, point: Any, keep: int | None, warn: WarnOnce, **objects: Any) -> None:
        """Save the state, once at each point of the training. If that fails, there is one warning.

        keep: how many files stay (None: all). A state more than one has to: the file of the new one may be missing.
        """
        if not self._is_wanted or not run.is_writing or self._saved == (run.name, point):
            return
        self._saved = run.name, point
        try:
            run.save_state(step, buffers=self._added, **objects, keep=None if keep is None else max(2, keep))
        except Exception as error:  # an object that cannot be stored
            what = str(error).removeprefix(f"the state of step {step} was not saved: ").rstrip(".")
            warn("state", f"the state of step {step} was not saved: {what}. The training goes on.")

    def load(self, run: Run, step: int, warn: WarnOnce, **objects: Any) -> bool:
        """Load the state of the checkpoint that a run goes on from; return whether there is one.

        Raises CheckpointError, which names all that does not fit; then no object has changed.
        """
        if not self._is_wanted or run.checkpoint_dir is None:
            return False
        entries = Manifest(run.checkpoint_dir).complete()
        if not any(entry.step == step and entry.info.get("writer") == _WRITER for entry in entries):
            added = f", and {', '.join(self._added)} as the program has made them" if self._added else ""
            what = f"there is no state of step {step}, where the training goes on: its random numbers are new ones"
            warn("no state", f"{what}{added}. The newest checkpoints have one, once they were saved with state=.")
            return False
        state = run.load_state(step=step, buffers=self._added, **objects)
        if state is not None and state.missing:
            warn("missing", f"the state of step {step} does not have all: {'; '.join(state.missing)}.")
        return state is not None
