"""Keeps the best score of a training over its processes: with the file that has it. "Rule 26" is of docs/keras.md."""

from __future__ import annotations

from pathlib import Path

from rla_hooks.integrations._keras.checkpoints import Checkpoints, Monitor, newest_whole
from rla_hooks.integrations._keras.saving import link_or_copy, suffix_of
from rla_hooks.integrations._keras.sources import INHERITED_FROM
from rla_hooks.integrations._keras.state import RunState

from rla_hooks import Run
from rla_hooks.checkpoints import Entry, Manifest, Saver


def keep_best(folder: Path, entry: Entry, run: Run, state: RunState, checkpoints: Checkpoints) -> str:
    """Give the best file a second name in this run, if it lacks it; return in words the best score.

    folder, entry: of the checkpoint that was restored. Rules 26 to 28, 30, 42: a score without its file must not count,
    since this run would then have no best checkpoint.
    """
    if not run.is_writing or run.checkpoint_dir is None:
        return ""
    monitor, name = checkpoints.monitor, checkpoints.best
    best = newest_whole(Manifest(run.checkpoint_dir), name)
    is_here = folder.resolve() == run.checkpoint_dir.resolve()
    if is_here:
        wanted = _best_left(folder, entry, best, checkpoints)
    else:
        wanted = (
            None if best is not None and INHERITED_FROM not in best.info else _best_beside(folder, entry, checkpoints)
        )
    if wanted is not None:
        best, path = wanted, folder / wanted.file
        info = {**best.info, INHERITED_FROM: str(path.parent)}
        try:
            saver = Saver(run.checkpoint_dir, 1)
            saver.write(lambda new: link_or_copy(path, new), suffix_of(path), best.step, name, info, run.positions())
        except OSError as error:
            state.warn("inherit", f"the best checkpoint {path} was not taken over: {error}")
            return ""
        state.best.pop(monitor.name, None)  # it is read from the manifest
    score = monitor.best_in(best.info) if best is not None else None
    return "" if score is None else f", best {monitor.name} {score}"


def _best_left(folder: Path, entry: Entry, best: Entry | None, checkpoints: Checkpoints) -> Entry | None:
    """Return what is to be the best of a resumed run, since the file that was it is cut, or was never listed.

    One of the newest files that are left may be it: the best score up to the checkpoint is the score of that one.
    """
    monitor = checkpoints.monitor
    bound = monitor.best_in(entry.info)
    if bound is None or (best is not None and monitor.best_in(best.info) == bound):
        return None

    def wanted(entries: list[Entry]) -> list[Entry]:
        ours = [each for each in entries if each.name == checkpoints.newest and each.info.get("score") == bound]
        return [each for each in ours if monitor.best_in(each.info) == bound]

    return Manifest(folder).newest_whole(wanted)[0]


def _best_beside(folder: Path, entry: Entry, checkpoints: Checkpoints) -> Entry | None:
    """Return the best checkpoint of a folder: ``entry`` itself where it is the best (rule 30)."""
    monitor: Monitor = checkpoints.monitor
    score = monitor.best_in(entry.info)
    best = newest_whole(Manifest(folder), checkpoints.best)
    known = monitor.best_in(best.info) if best else None
    is_later = best is None or entry.time > best.time
    if score is not None and entry.info.get("score") == score != known and is_later:
        return entry
    return best if known is not None else None
