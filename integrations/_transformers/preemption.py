"""Stops a training that a cluster preempts: all ranks after the same step, which is then saved.

Ranks agree by an operation that all of them take part in. Where only some have the callback it would wait for ever, so
each rank first says in the store of the process group that it has one.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Any

from rla_hooks import hooks
from rla_hooks.hooks import Run

_AGREE_EVERY = 1.0  # seconds
_MOST_STEPS = 100  # between two agreements, since a training may become slower
_trainings = 0  # that have begun in this process


class Preemption:
    """Of one training: whether it stops here."""

    def __init__(self) -> None:
        self.is_leaving = False
        self._next, self._last = 0, (0, 0.0)  # the step at which the ranks agree; and the last one, with its time
        self._keys: list[str] = []  # what each rank has said
        self._is_everywhere: bool | None = None

    def begin(self, run: Run, args: Any) -> None:
        """A training begins: from now on signals are a preemption. Called on all ranks that have the callback."""
        global _trainings
        self.__init__()  # type: ignore[misc]
        _trainings += 1
        _release_sigterm()
        hooks.watch_preemption(run)
        store = _store() if args.world_size > 1 else None
        if store is not None:
            self._keys = [f"rla_hooks/{_trainings}/{rank}" for rank in range(args.world_size)]
            store.set(self._keys[args.process_index], "1")

    def end(self, run: Run) -> None:
        """The training is over; a Trainer with ``enable_jit_checkpoint`` has set what was there before it (5.x)."""
        hooks.watch_preemption(run)

    def is_due(self, run: Run, args: Any, state: Any) -> bool:
        """Whether the training is to stop after this step; on all ranks or on none."""
        asked = run.should_stop()
        if args.world_size > 1:
            asked = self._agreed(asked, args, state.global_step)
        self.is_leaving = self.is_leaving or asked
        return asked

    def _agreed(self, asked: bool, args: Any, step: int) -> bool:
        if step < self._next or not self._takes_all_ranks():
            return False
        (last, then), now = self._last, time.monotonic()
        self._last = step, now
        every = (step - last) * _AGREE_EVERY / (now - then) if then and now > then else 1.0
        # At most twice as many as the last time: the first steps, from which little is known, may be quick ones.
        mine = [int(asked), max(1, min(int(every), 2 * (step - last), _MOST_STEPS))]
        torch = sys.modules["torch"]
        values = torch.tensor(mine, device=args.device)
        torch.distributed.all_reduce(values, op=torch.distributed.ReduceOp.MAX)
        agreed, most = values.tolist()
        self._next = step + most
        if agreed and not asked:  # the signal went to another rank; what this one reports of its end counts, too
            hooks.preempted(signal.SIGTERM)
        return bool(agreed)

    def _takes_all_ranks(self) -> bool:
        """Whether all ranks have the callback. After the first step, which they took together, all have said so."""
        if self._is_everywhere is None:
            store = _store()
            self._is_everywhere = bool(self._keys) and store is not None and bool(store.check(self._keys))
        return self._is_everywhere


def _release_sigterm() -> None:
    """Let the run have SIGTERM, which ``enable_jit_checkpoint`` takes: both save, and the run would not know why (5.x).

    It looks at the signal three seconds later, and a run that it stops would look like one that is finished.
    """
    handler = signal.getsignal(signal.SIGTERM)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and str(getattr(handler, "__module__", "")).startswith("transformers."):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _store() -> Any:
    """The store of the process group; None where there is none, or another version of torch has another way."""
    torch = sys.modules.get("torch")
    try:
        return torch.distributed.distributed_c10d._get_default_store()  # type: ignore[union-attr]  # torch 2.x
    except Exception:
        return None
