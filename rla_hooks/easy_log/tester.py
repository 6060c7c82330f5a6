"""RLA's ``tester``: ``from rla_hooks.easy_log.tester import tester``.

``from rla_hooks.easy_log import tester`` gives this module, which takes the same calls. Inside ``@rla.track`` it is the
run of the tracked call, elsewhere the process's own Tester, which ``tester.log_files_gen()`` starts and the end of the
process ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rla_hooks.easy_log.exp_loader import (
    ExperimentLoader,
    fork_tester_log_files,
    import_hyper_parameters,
    load_from_record_date,
    load_tester_from_record_date,
)
from rla_hooks.tester import Tester, current_tester, stand_for_tester

__all__ = [
    "ExperimentLoader",
    "Tester",
    "exp_manager",
    "fork_tester_log_files",
    "import_hyper_parameters",
    "load_from_record_date",
    "load_tester_from_record_date",
    "tester",
    "time_step_holder",
]


class _Current:
    """A proxy for an object that is looked up at each use: the Tester that is current then, say."""

    def __init__(self, find: Callable[[], Any], name: str):
        object.__setattr__(self, "_find", find)
        object.__setattr__(self, "_name", name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance(tester, Tester) is true
        return type(self._find())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._find(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._find(), name)

    def __dir__(self) -> list[str]:
        return dir(self._find())

    def __repr__(self) -> str:
        return repr(self._find())

    def __reduce__(self) -> str:
        return str(self._name)  # pickled by its name: in another process it is the proxy there


tester: Any = _Current(current_tester, "tester")
exp_manager = tester
time_step_holder: Any = _Current(lambda: current_tester().logger.time_step, "time_step_holder")
stand_for_tester(__name__)
