"""Where a fit is in its data, and how it begins with them again after the random state was restored."""

from __future__ import annotations

from typing import Any


def point(trainer: Any) -> tuple[int, int, int]:
    """Return numbers that are the same for all that is saved at one point of a fit."""
    loop = trainer.fit_loop
    return trainer.global_step, loop.epoch_loop.batch_progress.total.ready, loop.epoch_progress.total.processed


def begin_again(trainer: Any) -> None:
    """Let the first epoch of a fit that goes on be shuffled by the random state of now.

    Lightning has begun to iterate over the data before a callback can restore anything (2.6). Not in the middle of an
    epoch, and not for a loader with a state of its own: Lightning has restored where these are.
    """
    loop = trainer.fit_loop
    fetcher, loader = getattr(loop, "_data_fetcher", None), getattr(loop, "_combined_loader", None)
    if fetcher is None or loader is None or not loop.epoch_loop.batch_progress.is_last_batch:
        return
    if any(hasattr(each, "load_state_dict") for each in loader.flattened):
        return
    if fetcher.length is None:  # it holds batches already, to know which one is the last
        iter(fetcher)
    else:
        fetcher.iterator = _Later(loader)


class _Later:
    """Iterates over a loader, and begins with the first batch: what the hooks before it draw comes first."""

    def __init__(self, loader: Any):
        self._loader = loader
        self._iterator: Any = None

    def __iter__(self) -> _Later:
        return self

    def __next__(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._loader)
        return next(self._iterator)
