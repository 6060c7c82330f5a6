"""Settings as jobs of Slurm, by submitit."""

from __future__ import annotations

import getpass
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.endings import KILLED
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.launch.engines import SLURM, FutureEngine
from rla_hooks.launch.sending import can_be_sent
from rla_hooks.launch.task import Outcome, Task
from rla_hooks.masking import mask_text
from rla_hooks.texts import cut, shell_path, text_of

_LOOK = 2.0  # seconds between two looks at the queue of Slurm


class SubmititEngine(FutureEngine):
    """Jobs of Slurm, or of another cluster that submitit knows: ``local`` and ``debug`` are for tests."""

    def __init__(self, cluster: str, folder: Path, jobs: int | None, options: Mapping[str, Any]):
        import submitit

        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # settings may hold secrets
        except OSError as error:
            raise RLAError(f"{shell_path(folder)} cannot be made, for the files of jobs: {text_of(error)}") from None
        super().__init__(submitit.AutoExecutor(folder=folder, cluster=cluster), jobs)
        self.name, self._sent = cluster, list[Path]()
        self._missed: set[Any] = set()  # jobs that Slurm did not know at the last look
        self._gone: set[Any] = set()
        self._next_look = 0.0
        try:
            self._executor.update_parameters(**options)
        except (NameError, ValueError, TypeError) as error:
            raise ConfigError(f"submitit does not take the options of this sweep: {error}") from None

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        try:
            jobs = [*self._executor.submit_array(tasks)]  # one call of sbatch
        except Exception as error:  # of submitit, of sbatch, of the disk
            reason = mask_text(" ".join(str(error).split()) or type(error).__name__)
            raise RLAError(f"{self.name} has refused the jobs: {cut(reason, 500)}") from None
        for each in jobs:
            self._sent += [each.paths.submitted_pickle, each.paths.result_pickle]
        return jobs

    def wait(self, handles: Iterable[Any]) -> list[Any]:
        waiting = [*handles]
        return super().wait(waiting) or self._vanished(waiting)

    def _vanished(self, waiting: list[Any]) -> list[Any]:
        """Return jobs that have ended without a result, where Slurm's accounting is off, by which submitit sees that.

        They are missing in the queue at two looks: a result comes a moment after its job has left it.
        """
        if self.name != SLURM or time.monotonic() < self._next_look:
            return []
        self._next_look = time.monotonic() + _LOOK
        unknown = {each for each in waiting if each.state == "UNKNOWN"}
        if not unknown:
            return []
        command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={getpass.getuser()}"]
        try:
            listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
        except (OSError, subprocess.SubprocessError):
            return []
        missing = {each for each in unknown if each.job_id not in listed}
        gone, self._missed = missing & self._missed, missing
        self._gone |= gone
        return [*gone]

    def outcome(self, handle: Any) -> Outcome:
        if handle in self._gone and not handle.paths.result_pickle.exists():
            return Outcome(KILLED, None, None, "Slurm has ended its job, or somebody has")
        return super().outcome(handle)

    def check(self, task: Task) -> None:
        import cloudpickle

        can_be_sent(task, cloudpickle.dumps)

    def interrupt(self, handles: Iterable[Any]) -> None:
        for each in handles:
            with suppress(Exception):  # it has ended meanwhile
                each.cancel(check=False)

    def close(self, kill: bool = False) -> None:
        """Delete the pickles of the jobs, unless some may run still; what they have printed stays."""
        for path in self._sent if not kill else ():
            with suppress(OSError):
                path.unlink()
