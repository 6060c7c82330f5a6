"""Restores a whole state from a checkpoint folder: the newest one that is not damaged, or that of a step."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.errors import CheckpointError
from rla_hooks.texts import printable, shown

if TYPE_CHECKING:
    from rla_hooks.checkpoints.entry import Entry
    from rla_hooks.checkpoints.manifest import Manifest
    from rla_hooks.core.loading import Source
    from rla_hooks.state.restoring import Restored

_ATTEMPTS = 10  # to load a state while another process deletes them


class State(NamedTuple):
    """What :func:`load_state` has restored.

    step: the last step that was finished. extra: what was saved as ``extra``. restored: the objects by role and name;
    one that cannot be changed in place (an array of JAX, a tuple) is a new one. missing: a line for each part of the
    state that was not restored, such as an environment that does not tell its own.

    >>> state = State(3, {"epsilon": 0.1}, {"models": {"policy": [0.5] * 1000}}, [])
    >>> state.step, state.extra
    (3, {'epsilon': 0.1})
    >>> state
    State(step=3, extra={'epsilon': 0.1}, restored: models (policy))
    """

    step: int
    extra: Any
    restored: Mapping[str, Mapping[str, Any]]
    missing: list[str]

    def __repr__(self) -> str:
        """The names of what was restored, which may be a buffer of a million rows."""
        roles = ", ".join(f"{role} ({', '.join(map(str, objects))})" for role, objects in self.restored.items())
        missing = f", {len(self.missing)} missing" if self.missing else ""
        return f"State(step={self.step}, extra={reprlib.repr(self.extra)}, restored: {roles or 'nothing'}{missing})"


def restore_from(
    folder: Path, given: Mapping[str, Any], extra: Any, step: int | None, partial: bool, random: bool = True
) -> tuple[Entry, Restored] | None:
    """Restore the newest whole state in a checkpoint folder; None where there has been none. Raises CheckpointError."""
    from rla_hooks.checkpoints.manifest import Manifest
    from rla_hooks.state import restoring, whole
    from rla_hooks.state.reading import StateFolder

    manifest = Manifest(folder)
    objects = {role: whole.named(role, each) for role, each in given.items()}
    for attempt in range(_ATTEMPTS):
        entry = _chosen(manifest, step)
        if entry is None:
            return None
        path = folder / entry.file
        try:
            return entry, restoring.restore(StateFolder(path), objects, extra, partial, random)
        except CheckpointError as error:
            if attempt < _ATTEMPTS - 1 and not os.path.lexists(path):
                continue  # another process, which keeps only the newest ones, has deleted it
            raise CheckpointError(f"{printable(path)} {error}") from error
    raise AssertionError("the last attempt returns or raises")


def load_outside(source: Source, given: Mapping[str, Any], extra: Any, step: int | None, partial: bool) -> State | None:
    """Restore the state of another run where no run is open."""
    step = source.entry.step if source.entry is not None and step is None else step
    found = restore_from(source.folder, given, extra, step, partial)
    return None if found is None else state_of(*found)


def state_of(entry: Entry, restored: Restored) -> State:
    """Return what the program gets of a state that was restored."""
    return State(entry.step, restored.extra, restored.objects, restored.missing)


def _chosen(manifest: Manifest, step: int | None) -> Entry | None:
    """Return the newest whole state, or that of a step. Raises CheckpointError where all are damaged, or none fits."""
    from rla_hooks.checkpoints.entry import is_state
    from rla_hooks.checkpoints.whole_files import MISSING
    from rla_hooks.errors import warn

    def wanted(entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if is_state(entry) and step in (None, entry.step)]

    entry, problems = manifest.newest_whole(wanted, manifest.trouble_once)
    if entry is not None:
        for other, problem in problems:
            if problem != MISSING:  # else somebody has deleted it
                place = printable(manifest.folder / other.file)
                warn(f"The state {place} {problem}. Step {entry.step} is loaded instead.")
        return entry
    lines = [f"The state {printable(manifest.folder / other.file)} {problem}" for other, problem in problems]
    there = [each for each in manifest.complete() if is_state(each)]
    if not there and not lines and step is None:
        return None
    steps = ", ".join(str(each.step) for each in there) or "none"
    of_step = "" if step is None else f" of step {shown(step)}"
    raise CheckpointError(
        f"No state{of_step} can be loaded from {printable(manifest.folder)}. "
        f"{''.join(f'{line}. ' for line in lines)}States are there of the steps: {steps}."
    )
