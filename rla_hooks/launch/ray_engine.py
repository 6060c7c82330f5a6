"""Settings as tasks of Ray: on the cluster that the program is connected to, else on one of this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rla_hooks.endings import FAILED, KILLED
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.launch.sending import can_be_sent
from rla_hooks.launch.task import Outcome, Task
from rla_hooks.masking import mask_text
from rla_hooks.texts import cut

_WAIT = 0.25  # seconds


class RayEngine:
    """Each setting is a task. options: those of ``ray.remote``, such as num_gpus."""

    name = "ray"

    def __init__(self, jobs: int | None, options: Mapping[str, Any]):
        import ray

        self._ray, self.slots = ray, jobs
        try:
            self._call = ray.remote(**{"max_retries": 0, **options})(_call)  # the sweep tries again, in the same run
        except (ValueError, TypeError) as error:
            raise ConfigError(f"Ray does not take the options of this sweep: {error}") from None
        self._is_own = not ray.is_initialized()
        if self._is_own:
            ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)

    def check(self, task: Task) -> None:
        from ray import cloudpickle

        can_be_sent(task, cloudpickle.dumps)

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        with self._in_words():
            return [self._call.remote(task) for task in tasks]

    def wait(self, handles: Iterable[Any]) -> list[Any]:
        with self._in_words():
            done, _ = self._ray.wait([*handles], timeout=_WAIT)
        return [*done]

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Raise RLAError where the cluster is gone. Where its head is, Ray ends the program itself, a minute later."""
        try:
            yield
        except (self._ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
            reason = mask_text(" ".join(str(error).split()) or type(error).__name__)
            raise RLAError(f"Ray does not answer: {cut(reason, 500)}") from None

    def outcome(self, handle: Any) -> Outcome:
        errors = self._ray.exceptions
        try:
            outcome: Outcome = self._ray.get(handle)
        except errors.RayError as error:
            status = FAILED if isinstance(error, errors.RayTaskError) else KILLED
            return Outcome(status, None, None, mask_text(f"{type(error).__name__}: {' '.join(str(error).split())}"))
        return outcome

    def interrupt(self, handles: Iterable[Any]) -> None:
        for each in handles:
            with suppress(Exception):  # it has ended meanwhile
                self._ray.cancel(each)

    def close(self, kill: bool = False) -> None:
        if self._is_own:
            self._ray.shutdown()


def _call(task: Task) -> Outcome:
    return task()
