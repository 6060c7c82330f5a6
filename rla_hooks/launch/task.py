"""One setting of a sweep, in the process that runs it: a call of the tracked function that never raises."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.calls import is_coroutine
from rla_hooks.core import handover, registry
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.endings import FINISHED, ending_of
from rla_hooks.errors import RLAError
from rla_hooks.masking import mask_text

if TYPE_CHECKING:
    from rla_hooks.tracked import SweptFunction

UNTRACKED = "untracked"  # the status of a call whose run could not be written: its log root is on a full disk, say
_LONGEST_END = 600.0  # seconds that a run may take to end: it may save a checkpoint
_is_running = False  # whether this process, a worker, runs a task that has not been interrupted


class Outcome(NamedTuple):
    """How a call has ended. run: the folder of its run; None where none has started. value: what it returned."""

    status: str
    run: str | None = None
    value: Any = None
    error: str | None = None


class Task:
    """A call of a tracked function with one setting. It can be pickled if the function and the setting can be."""

    def __init__(self, main: Any, setting: dict[str, Any], member: SweepMember):
        self.main, self.setting, self.member = main, setting, member

    def __call__(self) -> Outcome:
        global _is_running
        _is_running = True
        try:
            return self._outcome()
        finally:
            _is_running = False

    def _outcome(self) -> Outcome:
        from rla_hooks.launch import claims  # late: it reads saved runs

        swept: SweptFunction = self.main.swept
        args, kwargs = swept.parameters.as_call(self.setting)
        run = None
        try:
            if handover.is_off():
                return Outcome(FINISHED, None, _number(call(self.main, self.setting)))
            with ExitStack() as stack:
                with claims.held(self.member) as claim:
                    if claim.is_taken:
                        return Outcome(claims.status_of(claim), str(claim.run.log_dir) if claim.run else None)
                    block = swept.block(tuple(args), kwargs, claim.member)
                    run = stack.enter_context(block)
                    claim.begun(run.paths)
                value = block.keep_result(_called(swept.function, args, kwargs))
            return Outcome(run.status or UNTRACKED, _folder(run), _number(value))
        except BaseException as error:  # the sweep goes on, and is told
            status = None if run is None else run.status
            return Outcome(status or ending_of(error), _folder(run), None, _in_words(error))

    def checkpoint(self) -> Any:
        """What submitit calls before Slurm takes the machine away: the job is queued again, and its run goes on."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(Again(self))


class Again:
    """A task that has run before: it goes on with its run."""

    def __init__(self, task: Task):
        self._task = task

    def __call__(self) -> Outcome:
        from rla_hooks.launch.existing import going_on

        task = self._task
        return Task(task.main, task.setting, going_on(task.member))()

    def checkpoint(self) -> Any:
        return self._task.checkpoint()


def call(main: Any, setting: dict[str, Any]) -> Any:
    """Call a tracked function with a setting here, as a program without a sweep does."""
    args, kwargs = main.swept.parameters.as_call(setting)
    return _called(main, args, kwargs)


def _called(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    if not is_coroutine(function):
        return function(*args, **kwargs)
    import asyncio

    return asyncio.run(function(*args, **kwargs))


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) else None


def _folder(run: Any) -> str | None:
    return str(run.paths.log_dir) if run is not None and run.paths is not None else None


def _in_words(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return mask_text(text if isinstance(error, RLAError) else f"{type(error).__name__}{f': {text}' if text else ''}")


def prepare_worker(parent: int) -> None:
    """Make this process one that sweeps: one Ctrl-C ends the present run in order, and so does the sweep's death."""
    signal.signal(signal.SIGINT, _interrupt_once)
    if os.name == "posix":
        threading.Thread(target=_watch_parent, args=(parent,), name="rla_hooks: sweep", daemon=True).start()


def _interrupt_once(number: int, frame: object) -> None:
    """The terminal sends Ctrl-C to all processes, and the sweep sends it once more: the run's end is left alone."""
    global _is_running
    if _is_running:
        _is_running = False
        raise KeyboardInterrupt


def _watch_parent(parent: int) -> None:
    """Nobody asks for the result of a run whose sweep was killed: it ends as interrupted, and can go on."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
    until = time.monotonic() + _LONGEST_END
    while registry.open_count() and time.monotonic() < until:
        time.sleep(0.2)
    os._exit(1)
