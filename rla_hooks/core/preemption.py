"""Preemption: a cluster sends a signal, the program saves and stops, and goes on later in the same run.

SIGTERM, SIGUSR1 and SIGUSR2 are a preemption only where somebody will act on it: in a run that is started with
``resume=``, or once ``should_stop`` or a hook (:func:`watch`) has asked. What then happens:

    the signal            should_stop() is true; run.json says ``preempted``; the grace time begins
    the training stops    it has saved a checkpoint; the tracked call or block ends, and raises SystemExit(128 + signal)
    it does not stop      a second signal, or the end of the grace time, ends the runs and the process

All runs of the process are preempted, and so are those that are started afterwards. The handlers are set in the main
thread, where the program, faulthandler, or a framework has none; with the last run they are taken back.

The handler itself only sets a number. A thread notes the status and waits for the grace time, so that neither a row
that is being written nor a training that hangs is in the way. Launchers often send one signal twice, to the group of
processes and by themselves: within two seconds it counts once.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

from rla_hooks import ranks
from rla_hooks.core import (
    handover,
    preemption_settings,
    process_end,
    program_exit,
    registry,
    signal_handlers,
    worker_signals,
)
from rla_hooks.endings import FAILED, FINISHED, PREEMPTED, ending_of, traceback_module
from rla_hooks.errors import warn
from rla_hooks.locks import in_forked_child

_SAME = 2.0  # seconds in which a further signal is the same event
_STUCK = 2.0  # seconds that a main thread has to react to the end of the grace time

_is_asked = False  # whether signals are a preemption of the runs of this process
_is_armed = False  # whether all handlers for that are there, too, which only the main thread can set
_number = 0  # of the signal that has asked for a stop; 0: none has


def should_stop_of(run: Any) -> bool:
    """What :func:`should_stop` does, for a run that need not be the current one: ``run.should_stop()``."""
    if not _is_armed:
        watch(run)
    return _number != 0


def should_stop() -> bool:
    """Return whether the training is to save and stop, since the cluster takes its machine away.

    Call it once a step; it takes less than a microsecond. The first call in a run makes SIGTERM, SIGUSR1 and SIGUSR2 a
    preemption: after one of them it returns True, and the program has RLA_GRACE seconds (20) to save and return. The
    run's status is then ``preempted``, and the tracked call, or the block, raises ``SystemExit(128 + signal)``. Call it
    first in the main thread, since Python sets handlers of signals there alone. Each process of a distributed training
    answers for itself: see docs/clusters.md. Outside of a run, and with ``RLA_MODE=off``, it changes nothing.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     for step in range(3):
    ...         rla.log({"loss": 1 / (step + 1)}, step=step)
    ...         if rla.should_stop():
    ...             rla.save_checkpoint(step, step=step)
    ...             break
    """
    if not _is_armed:
        _watch_current()
    return _number != 0


def _watch_current() -> None:
    if handover.is_off():
        return
    run = registry.current()
    if run is not None:
        watch(run)
    elif registry.open_count():
        _state.arm()


def watch(run: Any, on_stop: Callable[[], object] | None = None, handled: Sequence[int] | None = None) -> None:
    """From now on, signals are a preemption of the runs of this process: see ``hooks.watch_preemption``."""
    if handled is not None:
        _state.handled = tuple(handled)
        signal_handlers.take_back(on_signal, _state.handled)
    if on_stop is not None:
        _state.listeners.add(weakref.WeakMethod(on_stop))  # type: ignore[arg-type]  # the hook may go before the run
    if not run.is_writing and run.state is handover.State.FOLLOWER:
        if handover.is_off():
            return
        _state.followers.add(run)  # it is in no list of open runs, and its process must live as long as that of rank 0
    _state.arm()


class _State:
    """The preemption of this process; process_end knows it by ``process_end.preemption``."""

    def __init__(self) -> None:
        self.settings = preemption_settings.from_environment()
        self.followers: set[Any] = set()  # runs that other ranks write
        self.listeners: set[weakref.WeakMethod[Any]] = set()  # methods of hooks, called when the signal has come
        self.handled: tuple[int, ...] = ()  # signals that a framework has its own handlers of
        self.requeued = False
        self._since = 0.0  # when the signal came
        self._is_over = False  # whether the grace time has ended
        self._process = ranks.process_id
        self._registered = 0  # functions to be called at the end, when the signal came
        self._is_leaving = False
        self._has_warned = False  # that handlers are missing
        self._waiting: Any = None  # the lock that the thread waits for, until the runs have ended

    @property
    def number(self) -> int:
        return _number

    # --- before ---------------------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Set the handlers that are not set."""
        global _is_armed, _is_asked
        if process_end.preemption is not self or not _is_asked:
            self.settings = preemption_settings.from_environment()
            for problem in self.settings.problems:
                warn(f"{problem} The default is used.")
            process_end.preemption = self
            _is_asked = True
            worker_signals.arm()
        process_end.catch_sigterm()
        signal_handlers.set_free(on_signal, self.handled)
        _is_armed = process_end.in_main_thread()
        if not _is_armed and not self._has_warned:
            self._has_warned = True
            self._warn_of_thread()

    def _warn_of_thread(self) -> None:
        """Asked in another thread: tell the signals that end the program as if nobody had asked."""
        free = signal_handlers.free(self.handled)
        if free:
            warn(
                f"should_stop, or resume=, was asked in a thread, and only the main thread can set handlers: "
                f"{', '.join(free)} will end this program without a preemption. Start the run in the main thread, or "
                "call rla.should_stop() there once while a run is open."
            )

    def on_new_run(self) -> None:
        """A run starts in a program that was asked to stop: it is asked, too."""
        if _number:
            self.arm()
            if self._waiting is None:
                self._begin_grace()

    # --- the signal -----------------------------------------------------------------------------------------------

    def is_first(self, number: int) -> bool | None:
        """Take a signal: True if it is the first, or the same once more; False if the program has to end at once."""
        global _number
        if not _is_asked:
            return None
        if not _number:
            _number, self._since = number, time.monotonic()
            worker_signals.tell()
            atexit.register(self._at_exit)
            self._registered = atexit._ncallbacks()
            self._begin_grace()
            return True
        return not self._is_over and time.monotonic() - self._since < _SAME

    def _begin_grace(self) -> None:
        self._waiting = _thread.allocate_lock()
        self._waiting.acquire()
        try:
            _thread.start_new_thread(self._wait, (self._waiting,))
        except RuntimeError:  # none can be had: then a second signal ends the program, or the cluster
            self._note()

    def _note(self) -> None:
        for run in registry.ending_runs():
            with suppress(Exception):  # OSError, of a full disk; the end notes it again
                run.ending.report_preempted(signal.Signals(_number).name)  # type: ignore[attr-defined]

    def _wait(self, until_ended: Any) -> None:
        """The thread: note the status, and end the process unless its runs have ended in time."""
        for listener in list(self.listeners):
            with suppress(Exception):  # of a hook; the training can still ask
                (listener() or bool)()
        self._note()
        grace = self.settings.grace
        if not program_exit.is_shell():
            name = signal.Signals(_number).name
            _say_in_time(f"{name}: the run is preempted, and has {grace:g} s to save and stop (RLA_GRACE)")
        if until_ended.acquire(timeout=grace):
            return
        self._is_over = True
        _say_in_time("the grace time is over: ended without waiting for the program")
        os.kill(os.getpid(), _number)
        if until_ended.acquire(timeout=_STUCK):
            return
        _thread.start_new_thread(process_end.end_all, (registry.ending_runs,))  # which may hang at a device, too
        until_ended.acquire(timeout=_STUCK)
        os._exit(self.exit_code)

    # --- after ----------------------------------------------------------------------------------------------------

    @property
    def exit_code(self) -> int:
        code = self.settings.exit_code
        return 128 + _number if code is None else code

    def forget(self, follower: object) -> None:
        """The block of a run that another rank writes has ended."""
        self.followers.discard(follower)
        if not registry.ending_runs():
            self.release()

    def release(self) -> None:
        """No run is open: take the handlers back, and wait for nothing any more."""
        global _is_armed, _is_asked
        if self.followers:
            return
        _is_armed = _is_asked = False
        worker_signals.tell(is_over=True)
        self.listeners.clear()
        self.handled = ()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.release()
        process_end.release_sigterm()
        signal_handlers.take_back(on_signal)

    def leave(self, error: BaseException | None) -> None:
        """A tracked call or a block has ended, by ``error`` or well. If it was preempted, leave the program.

        Only in the main thread: SystemExit ends no other. An error that made the run fail is printed, since Python
        prints none when SystemExit follows.
        """
        if not _number or not process_end.in_main_thread() or issubclass(type(error), KeyboardInterrupt):
            return
        name = signal.Signals(_number).name
        if program_exit.is_shell():
            _say(f"{name}: the run was preempted; resume it to go on")
            self._forget_signal()
            return
        self._requeue()
        if type(error) is SystemExit and error.code == self.exit_code:
            return
        if error is not None and ending_of(error) == FAILED and not issubclass(type(error), SystemExit):
            with suppress(Exception):
                traceback_module().print_exception(type(error), error, error.__traceback__)
        raise SystemExit(self.exit_code) from error

    def _forget_signal(self) -> None:
        global _number
        if not registry.open_count():
            _number = 0

    def _requeue(self, at_once: bool = False) -> None:
        """Queue the job again, once, when the last run has ended."""
        wanted = self.settings.requeue and not self.requeued and ranks.is_writer_rank()
        if wanted and (at_once or not registry.open_count()):
            self.requeued = True
            from rla_hooks.core import slurm

            slurm.requeue()

    def _at_exit(self) -> None:
        """Give a program that ends well the exit code of a preemption: of runs that hooks have opened, nobody has.

        Python has no call for that. So whatever else is to be called at the end is called from here, and then the
        process is left. A function that was registered after the signal has been called before this one: a second time
        would be wrong, so the exit code stays.
        """
        if self._process != ranks.process_id or program_exit.is_shell() or self._is_leaving:
            return
        self._is_leaving = True
        end = program_exit.how()
        process_end.end_with_program()
        if end.error is None or issubclass(type(end.error), (str, SystemExit)):
            self._requeue()
        if not (end.status == FINISHED or end.is_guess) or atexit._ncallbacks() != self._registered:
            return
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # closed, or none
                stream.flush()
        os._exit(self.exit_code)

    def before_death(self) -> None:
        """The process dies of a signal, and its runs have ended."""
        self._requeue(True)


_state = _State()


def on_signal(number: int, frame: FrameType | None) -> None:
    """Python's handler of SIGUSR1 and SIGUSR2. In a forked child that has not asked, they are its parent's."""
    if _state.is_first(number) is False:
        process_end.die(number, frame, PREEMPTED)


def tell(number: int) -> None:
    """A framework's handler has got this signal, and has queued the job again."""
    if _is_asked:
        _state.requeued = True
        on_signal(number, None)


def forget_state() -> None:
    """Forget the signal, as between two tests, and in a forked child."""
    global _is_armed, _is_asked, _number, _state
    _is_armed, _is_asked, _number, _state = False, False, 0, _State()
    process_end.preemption = None


def _say(text: str) -> None:
    with suppress(Exception):  # a closed stderr, or none
        sys.stderr.write(f"rla_hooks: {text}\n")  # one write, also unbuffered: nothing of others comes in between
        sys.stderr.flush()


def _say_in_time(text: str) -> None:
    """Say it, but do not wait for a stderr that nobody reads: the end of the process must come."""
    said = _thread.allocate_lock()
    said.acquire()

    def say() -> None:
        _say(text)
        said.release()

    with suppress(RuntimeError):  # no thread can be had
        _thread.start_new_thread(say, ())
        said.acquire(timeout=_STUCK)


def _after_fork_in_child() -> None:
    was_asked = _is_asked
    forget_state()
    if was_asked:
        worker_signals.begin_worker()


in_forked_child(_after_fork_in_child)
