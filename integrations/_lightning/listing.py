"""Lists what a ModelCheckpoint has saved in the run's manifest, with the rows that belong to it.

Lightning (2.6) logs the row of a batch, and that of an epoch, after the hook in which a checkpoint is saved, and logs
it no second time in a fit that goes on from that checkpoint. So the rows that come until the next batch or epoch begins
stand before the checkpoint: it is listed when they are there, or its position is moved then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.checkpoints import Manifest
from rla_hooks.hooks import Run, to_scalar
from rla_hooks.layout import path_within

WRITER = "lightning"  # what the manifest says of such a checkpoint


class Saved(NamedTuple):
    """What a ModelCheckpoint has just saved; of the best one of a monitored metric, the name is ``best``."""

    run: Run
    path: Path
    step: int | None
    name: str
    info: dict[str, Any]

    @classmethod
    def by(cls, checkpoint: Any, run: Run) -> Saved | None:
        """Return what it has saved; None if that is not in the run's checkpoint folder, or this rank writes nothing."""
        path, folder = getattr(checkpoint, "_last_checkpoint_saved", ""), run.checkpoint_dir
        if not path or not folder or not run.is_writing or not path_within(path, folder):
            return None
        name, monitor = "checkpoint", getattr(checkpoint, "monitor", None)
        info: dict[str, Any] = {"writer": WRITER}
        if monitor is not None and path in checkpoint.best_k_models:
            name = "best" if path == checkpoint.best_model_path else name
            info |= {"monitor": monitor, "score": float(to_scalar(checkpoint.best_k_models[path]))}
        return cls(run, Path(path), getattr(checkpoint, "_last_global_step_saved", None), name, info)

    def replaces_the_only_one(self) -> bool:
        """Whether this file has replaced the only complete checkpoint of the run."""
        folder = self.run.checkpoint_dir
        if folder is None:
            return False
        file, manifest = path_within(self.path, folder), Manifest(folder)
        is_listed = any(entry.file == file and entry.cut is None for entry in manifest.entries())
        return is_listed and all(entry.file == file for entry in manifest.complete())


class Place(NamedTuple):
    """A batch's end, or an epoch's: a fit that goes on from here begins with the next one."""

    batches: int
    epochs: int
    finished: int | None

    @classmethod
    def of(cls, trainer: Any) -> Place | None:
        """Return the place of the fit; None elsewhere: what comes there comes again in a fit that goes on from it.

        As Lightning itself finds out where a fit goes on (``update_restart_stage``): both hooks are over when
        ``completed`` has increased.
        """
        batch, epoch = trainer.fit_loop.epoch_loop.batch_progress, trainer.fit_loop.epoch_progress.total
        if batch.total.completed == batch.total.processed - 1:
            finished = None if batch.is_last_batch else epoch.processed  # the epoch's end comes only after its last
        elif epoch.completed == epoch.processed - 1 and epoch.processed == epoch.started:
            finished = None
        else:
            return None
        return cls(batch.total.ready, epoch.ready, finished)

    def holds(self, trainer: Any) -> bool:
        """Whether neither the next batch nor the next epoch has begun."""
        batch, epoch = trainer.fit_loop.epoch_loop.batch_progress.total, trainer.fit_loop.epoch_progress.total
        return (batch.ready, epoch.ready) == self[:2] and self.finished in (None, epoch.processed)


class Listing:
    """The checkpoints that were saved at the present place."""

    def __init__(self) -> None:
        self.saved: list[Saved] = []
        self._place: Place | None = None

    @property
    def is_open(self) -> bool:
        """Whether rows that come may still belong to a checkpoint."""
        return bool(self.saved)

    def add(self, checkpoint: Any, run: Run, trainer: Any, wait: bool) -> None:
        """List what a ModelCheckpoint has just saved. ``wait``: when the rows of its place are there, if that is safe.

        Then a process that is killed before them goes on from the checkpoint before, and logs them again.
        """
        saved = Saved.by(checkpoint, run)
        if saved is None:
            return
        place = None if trainer is None else Place.of(trainer)
        if place != self._place:
            self.close()
        if place is None:
            _register(saved, run.positions())
            return
        self._place = place
        self.saved.append(saved)
        if not wait or saved.replaces_the_only_one():
            self._list()

    def settle(self, trainer: Any) -> None:
        """List what is not listed, and move positions behind the rows that have come. The place may be over then."""
        if self.saved:
            self._list()
            if self._place is None or not self._place.holds(trainer):
                self.saved = []

    def before_row(self, trainer: Any) -> None:
        """If the row that comes is of another place, list the checkpoints without it."""
        if self._place is None or not self._place.holds(trainer):
            self.close()

    def close(self) -> None:
        """What comes now is after the checkpoints."""
        if self.saved:
            self._list()
            self.saved = []

    def _list(self) -> None:
        written = self.saved[0].run.positions()
        for saved in self.saved:
            _register(saved, written)


def _register(saved: Saved, written: Any) -> None:
    if saved.path.exists():  # it may have been deleted since
        saved.run.register_checkpoint(saved.path, saved.step, saved.name, saved.info, written)
