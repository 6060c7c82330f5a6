"""Drives a sweep: submits settings while there is room, waits for them, tries again what failed, stops in order."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from rla_hooks.endings import FAILED, INTERRUPTED, KILLED, PREEMPTED
from rla_hooks.errors import RLAError
from rla_hooks.launch.engines import Engine
from rla_hooks.launch.jobs import Job, Source
from rla_hooks.launch.task import Outcome, Task

_AGAIN = (FAILED, KILLED, PREEMPTED)  # what a further try may mend
_BATCH = 1000  # settings that are submitted at once


class Listener(Protocol):
    """Who is told what happens."""

    def started(self, job: Job) -> None: ...
    def again(self, job: Job, outcome: Outcome) -> None: ...
    def ended(self, job: Job) -> None: ...
    def stopping(self, running: int) -> None: ...


class Drive:
    """Runs the jobs of a source. task_of: makes the task of a job. died: what became of one whose process is gone."""

    def __init__(
        self,
        engine: Engine,
        source: Source,
        task_of: Callable[[Job], Task],
        died: Callable[[Job, Outcome], Outcome],
        retries: int,
        listener: Listener,
    ):
        self._engine, self._source, self._listener = engine, source, listener
        self._task_of, self._died, self._retries = task_of, died, retries
        self._again: deque[Job] = deque()
        self._running: dict[Any, Job] = {}
        self._is_stopping, self._signals = False, _Signals()

    def run(self) -> None:
        """Return when all have ended. Ctrl-C and SIGTERM end those that run in order, and are raised then."""
        with self._signals:
            try:
                while self._submit():
                    self._collect(self._retries)
                    self._signals.check()
            except (KeyboardInterrupt, SystemExit):
                self._stop()
                raise
            except RLAError:  # nothing more is taken; what runs goes on to its end
                while self._running:
                    self._collect(retries=-1)
                raise
            finally:
                self._engine.close(kill=bool(self._running))
                for job in self._running.values():
                    job.outcome = self._died(job, Outcome(KILLED, None, None, "it was killed"))

    def _submit(self) -> bool:
        """Fill the free slots; return whether anything runs."""
        slots = _BATCH + len(self._running) if self._engine.slots is None else self._engine.slots
        chosen: list[Job] = []
        while len(self._running) + len(chosen) < slots:
            job = self._again.popleft() if self._again else self._source.next()
            if job is None:
                break
            chosen.append(job)
        if chosen:
            handles = self._engine.submit([*map(self._task_of, chosen)])
            self._running.update(zip(handles, chosen))
            for job in chosen:
                self._listener.started(job)
        return bool(self._running)

    def _collect(self, retries: int) -> None:
        for handle in self._engine.wait(self._running):
            job = self._running.pop(handle)
            outcome = self._engine.outcome(handle)
            if outcome.status == KILLED:
                outcome = self._died(job, outcome)
                if self._is_stopping and outcome.run is None:
                    outcome = Outcome(INTERRUPTED, None, None, "it was stopped before it began")
            job.tries, job.outcome = job.tries + 1, outcome
            if outcome.status in _AGAIN and job.tries <= retries:
                self._again.append(job)
                self._listener.again(job, outcome)
            else:
                self._source.ended(job)
                self._listener.ended(job)

    def _stop(self) -> None:
        """End what runs, and wait for that; a second Ctrl-C does not."""
        self._is_stopping = True
        self._signals.came = None
        self._listener.stopping(len(self._running))
        self._engine.interrupt([*self._running])
        while self._running:
            self._collect(retries=-1)
            self._signals.check()


class _Signals:
    """While a sweep runs, Ctrl-C and SIGTERM raise, unless the program has handlers of its own.

    What is raised may be lost, in an import or a destructor that is amid its work: ``check`` raises it once more.
    """

    def __init__(self) -> None:
        self.came: BaseException | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if signal.getsignal(number) is default:
                self._before[number] = signal.signal(number, self._raise)

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _raise(self, number: int, frame: object) -> None:
        self.came = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        raise self.came

    def check(self) -> None:
        """Raise what has come, and has got lost on its way."""
        came, self.came = self.came, None
        if came is not None:
            raise came
