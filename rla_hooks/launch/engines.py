"""Where the settings of a sweep run: processes of this machine, somebody's executor, or a cluster.

An engine has slots: so many tasks it takes at once, None for all. What ``submit`` returns is in ``wait`` again when it
has ended, and ``outcome`` tells how: ``killed`` where the process has died, or never came to the task.
"""

from __future__ import annotations

import concurrent.futures
import os
import pickle
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Protocol

from rla_hooks import machine
from rla_hooks.endings import FAILED, INTERRUPTED, KILLED
from rla_hooks.errors import did_you_mean
from rla_hooks.launch.sending import can_be_sent
from rla_hooks.launch.task import Outcome, Task, prepare_worker
from rla_hooks.masking import mask_text
from rla_hooks.texts import shown

LOCAL, SLURM, RAY = "local", "slurm", "ray"
ENGINES = {LOCAL: ("joblib", "sweep"), SLURM: ("submitit", "sweep"), RAY: ("ray", "ray")}  # package and extra
_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")  # what libraries read: OMP_NUM_THREADS
_WAIT = 0.25  # seconds between two looks at what has no futures to wait for
_LONGEST_KILL = 5.0  # seconds
_GPUS = "CUDA_VISIBLE_DEVICES"


class Engine(Protocol):
    """What :mod:`rla_hooks.launch.driving` needs."""

    name: str
    slots: int | None

    def check(self, task: Task) -> None:
        """Raise ConfigError for a task that cannot be sent to where it is to run."""

    def submit(self, tasks: Sequence[Task]) -> list[Any]: ...
    def wait(self, handles: Iterable[Any]) -> list[Any]:
        """Return those that have ended, after a moment at most."""

    def outcome(self, handle: Any) -> Outcome: ...
    def interrupt(self, handles: Iterable[Any]) -> None:
        """End these tasks in order: those that run end as interrupted."""

    def close(self, kill: bool = False) -> None: ...


class FutureEngine:
    """Any executor of ``concurrent.futures``, or one that follows it: Dask's, MPI's."""

    def __init__(self, executor: Any, slots: int | None):
        self.name, self.slots, self._executor = type(executor).__name__, slots, executor

    def check(self, task: Task) -> None:
        if isinstance(self._executor, concurrent.futures.ProcessPoolExecutor):
            can_be_sent(task, pickle.dumps)

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        return [self._executor.submit(task) for task in tasks]

    def wait(self, handles: Iterable[Any]) -> list[Any]:
        futures = [*handles]
        if all(isinstance(each, concurrent.futures.Future) for each in futures):
            done, _ = concurrent.futures.wait(futures, _WAIT, concurrent.futures.FIRST_COMPLETED)
            return [*done]
        return _polled(futures)

    def outcome(self, handle: Any) -> Outcome:
        try:
            outcome: Outcome = handle.result()
        except concurrent.futures.CancelledError:
            return Outcome(INTERRUPTED, None, None, "it was stopped before it began")
        except Exception as error:  # not the task's, which raises nothing
            status = KILLED if _is_death(error) else FAILED
            return Outcome(status, None, None, _why(error))
        return outcome

    def interrupt(self, handles: Iterable[Any]) -> None:
        for each in handles:
            each.cancel()

    def close(self, kill: bool = False) -> None:
        """The executor is its owner's."""


class LocalEngine(FutureEngine):
    """Processes of this machine, of joblib's loky: one for each slot, so that the death of one concerns no other."""

    def __init__(self, jobs: int, divide: bool):
        from joblib.externals.loky import ProcessPoolExecutor

        self.name, self.slots = LOCAL, jobs
        shares = [_share(number, jobs) if divide else {} for number in range(jobs)]
        options = {"max_workers": 1, "initializer": prepare_worker, "initargs": (os.getpid(),)}
        self._new = [lambda share=share: ProcessPoolExecutor(env=share, **options) for share in shares]
        self._pools: list[Any] = [None] * jobs
        self._busy: dict[Any, int] = {}  # futures, and their slots

    def check(self, task: Task) -> None:
        from joblib.externals.loky.backend.reduction import dumps

        can_be_sent(task, dumps)

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        return [self._submit(task) for task in tasks]

    def _submit(self, task: Task) -> Any:
        slot = next(number for number in range(len(self._pools)) if number not in self._busy.values())
        if self._pools[slot] is None:
            self._pools[slot] = self._new[slot]()
        future = self._pools[slot].submit(task)
        self._busy[future] = slot
        return future

    def outcome(self, handle: Any) -> Outcome:
        outcome, slot = super().outcome(handle), self._busy.pop(handle)
        if outcome.status == KILLED:  # its process is gone
            self._pools[slot].shutdown(wait=False, kill_workers=True)
            self._pools[slot] = None
        return outcome

    def interrupt(self, handles: Iterable[Any]) -> None:
        for pool in filter(None, self._pools):
            for process in [*pool._processes]:
                with suppress(OSError):
                    os.kill(process, signal.SIGINT)

    def close(self, kill: bool = False) -> None:
        for pool in filter(None, self._pools):
            processes = [*(pool._processes or {}).values()]
            pool.shutdown(wait=not kill, kill_workers=kill)
            for process in processes if kill else ():  # a thread of loky kills them
                process.join(_LONGEST_KILL)


def _polled(handles: list[Any]) -> list[Any]:
    done = [each for each in handles if each.done()]
    if not done:
        time.sleep(_WAIT)
    return done


def _why(error: BaseException) -> str:
    """What an executor says, with the last line of the traceback of the other process, if there is one."""
    lines = str(error.__cause__ or "").replace('"""', "").strip().splitlines()
    return mask_text(f"{type(error).__name__}: {error}{f' ({lines[-1].strip()})' if lines else ''}")


def _is_death(error: BaseException) -> bool:
    """Whether it says that the process is gone: BrokenProcessPool of several libraries, submitit's lost job."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names.isdisjoint({"BrokenExecutor", "BrokenProcessPool", "UncompletedJobError"})


def _share(slot: int, jobs: int) -> dict[str, str]:
    """The environment of the processes of a slot: its part of the cores and of the GPUs; what is set there, stays."""
    facts = machine.facts()
    cores = min(each for each in (facts["usable_cores"], facts["cpu_limit"], 10**6) if each)
    threads = str(max(1, int(cores) // jobs))
    said = {*os.environ}
    share = {name: threads for each in _THREADS if (name := f"{each}_NUM_THREADS") not in said}
    visible = os.environ.get(_GPUS)
    gpus = [str(number) for number in range(len(facts["gpus"]))] if visible is None else visible.split(",")
    gpus = [each.strip() for each in gpus if each.strip()]
    if gpus and jobs > 1:
        share[_GPUS] = ",".join(gpus[slot::jobs]) if len(gpus) >= jobs else gpus[slot % len(gpus)]
    return share


def problems_of(on: Any, jobs: Any, cluster: Mapping[str, Any]) -> list[str]:
    """Return a line for each mistake in what a sweep is told of where it is to run.

    >>> problems_of("lokal", 0, {})[0]
    "on is 'lokal'. Known: local, slurm, ray, or an executor of concurrent.futures: ... Did you mean 'local'?"
    """
    problems = []
    is_known = on in ENGINES if isinstance(on, str) else callable(getattr(on, "submit", None))
    if not is_known:
        problems.append(
            f"on is {shown(on, 100)}. Known: {', '.join(ENGINES)}, or an executor of concurrent.futures: "
            f"ThreadPoolExecutor(2).{did_you_mean(on, ENGINES)}"
        )
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs == 0):
        problems.append(
            f"jobs is {shown(jobs, 100)}. Allowed: how many settings run at once, from 1 on; -1: one for each core."
        )
    if is_known and cluster and on not in (SLURM, RAY):
        problems.append(f"{', '.join(cluster)}: options of a cluster. Leave them out, or say on='slurm'.")
    package, extra = ENGINES.get(on, ("", "")) if isinstance(on, str) else ("", "")
    if package and find_spec(package) is None:
        problems.append(
            f"on={on!r} needs {package}, which is not installed. Install it: pip install 'rla-hooks[{extra}]'; or pass "
            "an executor of concurrent.futures."
        )
    return problems
