"""Lists the checkpoints of a Trainer in the run's manifest, when they are complete.

A Trainer writes to ``output_dir`` and deletes there. If that is in the run's checkpoint folder, its files are the
run's; if it is elsewhere, as for most people, the run's folder gets a link to each, and nothing is copied or moved.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.hooks import Run, WarnOnce, to_scalar
from rla_hooks.layout import path_within

WRITER = "transformers"  # what the manifest says of such a checkpoint
_LONGEST_WAIT = 5.0  # seconds for the files of other ranks at the end of a training


class Saved(NamedTuple):
    """A checkpoint that rank zero has saved."""

    run: Run
    path: Path
    step: int
    name: str
    info: dict[str, Any]

    def list(self, written: Any) -> None:
        if self.path.exists():  # it may have been deleted since
            self.run.register_checkpoint(self.path, self.step, self.name, self.info, written)


class Listing:
    """The checkpoints of one training."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._last: Saved | None = None
        self._written: Any = None  # the positions of its rows
        self._is_pending = False  # whether other ranks may still write files of it
        self._epoch_ended = False

    def saved(self, run: Run, args: Any, state: Any, warn: WarnOnce) -> None:
        """Rank zero has saved, and deleted what is too old. With several ranks it is listed after the next step."""
        folder = _folder_of(args.output_dir, state.global_step)
        if folder is None or run.checkpoint_dir is None or not run.may_save_checkpoint():
            return
        written = run.positions()
        path = _in_run(folder, run.checkpoint_dir, warn)
        if path is None:
            return
        info: dict[str, Any] = {"writer": WRITER}
        is_best = bool(state.best_model_checkpoint) and _same(state.best_model_checkpoint, folder)
        if is_best and state.best_metric is not None:
            info |= {"monitor": args.metric_for_best_model, "score": float(to_scalar(state.best_metric))}
        self._last = Saved(run, path, state.global_step, "best" if is_best else "checkpoint", info)
        self._written, self._is_pending = written, True
        if args.world_size == 1:
            self._list()
        _forget_deleted(run, folder.parent)

    def step_ends(self) -> None:
        """All ranks have taken a further step together, so all have saved."""
        if self._is_pending:
            self._list()

    def epoch_begins(self) -> None:
        self._epoch_ended = False

    def epoch_ends(self) -> None:
        self._epoch_ended = True

    def row_logged(self, step: int, logs: Any) -> None:
        """The row of an epoch's end may come after the checkpoint of its last step.

        A training that goes on from there begins with the next epoch, and does not log that row again.
        """
        last = self._last
        if last is None or not self._epoch_ended or step != last.step or "train_runtime" in logs:
            return
        self._written = last.run.positions()
        if not self._is_pending:
            last.list(self._written)

    def end(self, args: Any) -> None:
        """The training has ended, and has deleted what is too old. Rows that come now come again in another one."""
        last, self._epoch_ended = self._last, False
        if last is None:
            return
        if self._is_pending:
            _wait_for_ranks(last.path, args)
            self._list()
        _forget_deleted(last.run, Path(os.path.realpath(last.path)).parent)

    def _list(self) -> None:
        self._is_pending = False
        if self._last is not None:
            self._last.list(self._written)


def _folder_of(output_dir: str, step: int) -> Path | None:
    """The checkpoint of this step in ``output_dir``; of a hyperparameter_search the newest one in a folder there."""
    name = f"checkpoint-{step}"
    folder = Path(output_dir, name)
    if folder.is_dir():
        return folder
    of_trials = [each for each in Path(output_dir).glob(f"*/{name}") if each.is_dir()]
    return max(of_trials, key=lambda each: each.stat().st_mtime, default=None)


def _in_run(folder: Path, of_run: Path, warn: WarnOnce) -> Path | None:
    """Return the path of a checkpoint in the run's folder, where it gets a link if it is elsewhere."""
    if path_within(folder, of_run) is not None:
        return folder
    target = os.path.abspath(folder)
    try:
        of_run.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            link = of_run / (folder.name if number == 1 else f"{folder.name}-{number}")
            if not os.path.lexists(link):
                os.symlink(target, link, target_is_directory=True)
                return link
            if link.is_symlink() and os.path.realpath(link) == os.path.realpath(target):
                return link
    except OSError as error:
        message = (
            f"the checkpoint {target} is not listed in the run: no link can be made ({error}). Let the Trainer save "
            "in the run: TrainingArguments(output_dir=str(rla.current_run().checkpoint_dir))."
        )
        warn("link", message)
    return None


def _forget_deleted(run: Run, output_dir: Path) -> None:
    """Remove from the manifest what the Trainer has deleted in ``output_dir``, and the links to it."""
    folder = run.checkpoint_dir
    if folder is None or not run.is_writing:
        return
    try:
        for entry in [*os.scandir(folder)]:
            is_gone = entry.is_symlink() and not os.path.exists(entry.path)
            if is_gone and _same(os.path.dirname(os.readlink(entry.path)), output_dir):
                os.unlink(entry.path)
    except OSError:  # they are looked at again after the next save
        pass
    run.forget_deleted_checkpoints()


def _wait_for_ranks(path: Path, args: Any) -> None:
    """Wait for what other ranks save: the states of their random numbers come last (4.x, 5.x)."""
    names = [] if args.save_only_model else [f"rng_state_{rank}.pth" for rank in range(args.world_size)]
    last = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < last and not all((path / name).exists() for name in names):
        time.sleep(0.05)


def _same(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
