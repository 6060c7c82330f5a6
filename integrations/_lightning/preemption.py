"""Stops a fit that a cluster preempts: all ranks at the same batch, after a checkpoint.

Lightning has two ways of its own. SIGTERM makes it raise SIGTERMException, a SystemExit, after the present batch (2.6);
this module raises the same after any signal, since ``trainer.should_stop`` would first validate, count the epoch as
done, and wait for ``min_epochs``. And with ``SLURMEnvironment(auto_requeue=True)`` a handler of Lightning's, which is
set before the training if there is none, saves, and queues the job again.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

from rla_hooks.integrations import _versions
from rla_hooks.integrations._lightning.trainer import NAMESPACES

from rla_hooks import hooks
from rla_hooks.hooks import Run

_AGREE_EVERY = 1.0  # seconds; ranks that wait for each other must not stop at different batches
_MOST_BATCHES = 100  # between two agreements, since a fit may become slower


class Preemption:
    """Of one callback: whether the ranks stop here."""

    def __init__(self) -> None:
        self.is_leaving = False  # a checkpoint was saved, and the fit is about to be left
        self._next, self._last = 0, (0, 0.0)  # the batch at which the ranks agree; and the last one, with its time

    def begin(self, run: Run, trainer: Any) -> None:
        """A fit is set up: from now on signals are a preemption, but for the one that Lightning handles itself."""
        self.__init__()  # type: ignore[misc]
        number = _requeue_signal(trainer)
        hooks.watch_preemption(run, handled=() if number is None else (number,))

    def listen(self, trainer: Any) -> None:
        """The training begins, and Lightning's handlers are there: learn when the one that queues again is called."""
        number = _requeue_signal(trainer)
        handler = None if number is None else signal.getsignal(number)
        if number is None or not callable(handler) or "lightning" not in str(getattr(handler, "__module__", "")):
            return  # one of the user's, which Lightning lets stand, or ours, in a second fit

        def handle(number: int, frame: Any) -> None:
            handler(number, frame)
            hooks.preempted(number)

        try:
            signal.signal(number, handle)  # Lightning restores what was there before the fit
        except ValueError:  # not in the main thread
            return

    def end(self, run: Run) -> None:
        """The fit is over, and Lightning's handlers are gone."""
        hooks.watch_preemption(run, handled=())

    def is_due(self, run: Run, trainer: Any) -> bool:
        """Whether the training is to stop after this batch; on all ranks or on none."""
        asked = run.should_stop()
        if trainer.world_size == 1:
            return asked
        batch = int(trainer.fit_loop.total_batch_idx)
        if batch < self._next:
            return False
        (last, then), now = self._last, time.monotonic()
        passed = batch - last
        every = passed * _AGREE_EVERY / (now - then) if then and now > then else 1.0
        self._last = batch, now
        agreed = bool(trainer.strategy.reduce_boolean_decision(asked, all=False))
        # At most twice as many as the last time: the first batches, from which little is known, may be quick ones.
        self._next = batch + trainer.strategy.broadcast(max(1, min(int(every), 2 * passed, _MOST_BATCHES)))
        if agreed and not asked:  # the signal went to another rank; what this one reports of its end counts, too
            hooks.preempted(signal.SIGTERM)
        return agreed


def stop(trainer: Any) -> None:
    """Leave the fit as Lightning does after SIGTERM."""
    package = _versions.package_of(trainer, NAMESPACES)
    raise getattr(sys.modules.get(f"{package}.utilities.exceptions"), "SIGTERMException", SystemExit)


def _requeue_signal(trainer: Any) -> int | None:
    """The signal with which Lightning queues a job of Slurm again; None where it does not."""
    environment = getattr(
        trainer._accelerator_connector, "cluster_environment", None
    )  # as its own connector asks (2.6)
    if not getattr(environment, "auto_requeue", False) or not hasattr(signal, "SIGUSR1"):
        return None
    return int(getattr(environment, "requeue_signal", None) or signal.SIGUSR1)
