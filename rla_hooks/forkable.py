"""Which run and which checkpoint a fork means, and whether it can be forked. It only reads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints import links
from rla_hooks.checkpoints.entry import DEFAULT_NAME, Positions, is_state
from rla_hooks.checkpoints.manifest import Entry, Manifest
from rla_hooks.checkpoints.whole_files import MISSING
from rla_hooks.core.fork_request import Fork, ForkRequest, asked, forget_asked
from rla_hooks.core.settings import RunSettings
from rla_hooks.cutting import history
from rla_hooks.errors import ConfigError, warn
from rla_hooks.masking.pairs import MASK
from rla_hooks.query import SavedRun
from rla_hooks.query.given import saved_run
from rla_hooks.resume_checks import is_of_task
from rla_hooks.texts import cut, printable, shell_path, shown

_MAX_STEPS = 20
_MAX_CHANGES = 10
_SPARE = 64 << 20  # bytes that stay free on the disk


def choose(settings: RunSettings) -> Fork | None:
    """Return the run and the checkpoint that ``settings.fork``, or else the environment, means; None where none is.

    Raises ConfigError, which says what is there.
    """
    request = settings.fork or _of_environment(settings)
    return None if request is None else _fork(request, settings)


def _of_environment(settings: RunSettings) -> ForkRequest | None:
    """Return what ``rla fork`` asks of this program: of its first run of the original's task and function."""
    given = asked()
    if given is None:
        return None
    run, step = given
    saved = source(run, settings.config.log_root if settings.config else None)
    names = {saved.run_json.get("function"), settings.function} - {None}
    if not is_of_task(saved, settings.task_name) or len(names) > 1:
        return None
    forget_asked()
    try:
        return ForkRequest(saved, int(step) if step else None)
    except ValueError:
        raise ConfigError(f"RLA_FORK_STEP is {shown(step, 100)}. Allowed: the step of a checkpoint.") from None


def source(run: Any, log_root: Path | None) -> SavedRun:
    """Return the run that is to be forked. Raises ConfigError."""
    return saved_run(run, log_root, "fork")


def whole(saved: SavedRun, settings: RunSettings) -> Fork:
    """Return a fork of all rows and checkpoints of a run, also of one without checkpoints. Raises ConfigError."""
    what = _checked(saved)
    manifest = Manifest(saved.checkpoint_dir)
    has_any = any(entry.cut is None for entry in manifest.complete())
    entry = _chosen(manifest, None, what) if has_any else None
    before = [] if entry is None else _before(manifest, entry)
    if settings.config is not None:
        _check_room(before, manifest.folder, settings.config.log_root, what)
    return Fork(saved.id, saved.name, saved.paths, manifest.folder, entry, before, changes(saved, settings))


def _checked(saved: SavedRun) -> str:
    """Return how messages call a run that can be forked. Raises ConfigError for one that cannot."""
    what = f"the run {saved.id} ({printable(saved.name)})"
    if saved.problems or not saved.run_json:
        wrong = "; ".join(saved.problems) or "it has no run.json"
        raise ConfigError(f"{what} cannot be forked: it is damaged: {wrong}. Mend it, or start a new run.")
    if history.is_unfinished(saved.paths):
        raise ConfigError(
            f"{what} cannot be forked: a resume of it was ended while it cut its files. Resume it first: that "
            f"completes the cut (see {shell_path(saved.log_dir / 'cut')})."
        )
    return what


def _fork(request: ForkRequest, settings: RunSettings) -> Fork:
    config = settings.config
    saved = source(request.run, config.log_root if config else None)
    what = _checked(saved)
    if request.step is not None and (type(request.step) is not int or request.step < 0):
        raise ConfigError(
            f"step is {shown(request.step, 100)}. Allowed: the step of a checkpoint, or None for the newest."
        )
    manifest = Manifest(saved.checkpoint_dir)
    entry = _chosen(manifest, request.step, what)
    before = _before(manifest, entry)
    if config is not None:
        _check_room(before, manifest.folder, config.log_root, what)
    return Fork(saved.id, saved.name, saved.paths, manifest.folder, entry, before, changes(saved, settings))


def _chosen(manifest: Manifest, step: int | None, what: str) -> Entry:
    def wanted(entries: list[Entry]) -> list[Entry]:
        fit = [entry for entry in entries if entry.cut is None and step in (None, entry.step)]
        states = [entry for entry in fit if is_state(entry)]
        return states or [entry for entry in fit if entry.name == DEFAULT_NAME] or fit

    entry, problems = manifest.newest_whole(wanted)
    told = [f"{printable(other.file)} {problem}" for other, problem in problems if problem != MISSING]
    if entry is not None:
        for line in told:
            warn(f"The checkpoint {line}. The fork begins with step {entry.step} instead.")
        return entry
    entries = manifest.entries()
    steps = sorted({each.step for each in manifest.complete() if each.cut is None})
    damage = "".join(f" {line}." for line in told)
    if step is not None and steps:
        cuts = [each.cut for each in entries if each.step == step and each.cut is not None]
        why = f" that of the step was cut by a resume (it is in cut/{cuts[-1]});" if cuts else ""
        before = [each for each in steps if each < step]
        near = f" The nearest before it: {before[-1]}." if before else ""
        listed = ", ".join(map(str, steps[-_MAX_STEPS:]))
        raise ConfigError(
            f"{what} has no whole checkpoint of step {step}:{why} it has those of steps "
            f"{'... ' * (len(steps) > _MAX_STEPS)}{listed}.{near}{damage}"
        )
    raise ConfigError(
        f"{what} cannot be forked: it has no whole checkpoint in {shell_path(manifest.folder)}.{damage} "
        "Call the function itself for a new run: main(...)."
    )


def _before(manifest: Manifest, entry: Entry) -> list[Entry]:
    """Return the checkpoints that were saved up to this one, which is the last, and are whole by their size.

    One that was saved after it at the same step and position, the best one beside the newest say, is among them.
    """
    whole = [each for each in manifest.complete() if each.cut is None]
    for number, each in enumerate(whole):
        if (each.file, each.time) == (entry.file, entry.time):
            beside = [other for other in whole[number + 1 :] if entry.written is not None and _at(other) == _at(entry)]
            return [*whole[:number], *beside, each]
    return [entry]  # it has been deleted since: taking it over will tell


def _at(entry: Entry) -> tuple[int, Positions | None]:
    return entry.step, entry.written


def _check_room(entries: list[Entry], folder: Path, log_root: Path, what: str) -> None:
    """Raise ConfigError if the disk has no room for copies, where links cannot be."""
    try:
        root = next(each for each in (log_root, *log_root.parents) if each.is_dir())
        same = os.stat(root).st_dev == os.stat(folder).st_dev
        needed = sum(entry.size for entry in entries if not (same and links.may_link(entry)))
        free = shutil.disk_usage(root).free
    except (OSError, StopIteration):
        return
    if needed + _SPARE > free and needed:
        raise ConfigError(
            f"{what} cannot be forked: its checkpoints take {needed:,} bytes, and the disk of {shell_path(log_root)} "
            f"has {free:,} free. Make room, or set the log root to another disk."
        )


def changes(saved: SavedRun, settings: RunSettings) -> list[str]:
    """Return a text of each hyper-parameter that the fork has another value of."""
    now, found = settings.parameters(), []
    for key in dict.fromkeys([*saved.hparams, *now]):
        old, new = saved.hparams.get(key), now.get(key)
        if key in now and old != new and MASK not in (old, new):
            found.append(f"{key}: {shown(old, 40)} -> {shown(new, 40)}")
    more = [f"{len(found) - _MAX_CHANGES} more"] if len(found) > _MAX_CHANGES else []
    return [cut(each, 100) for each in found[:_MAX_CHANGES]] + more
