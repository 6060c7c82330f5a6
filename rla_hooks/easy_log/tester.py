"""RLA's ``tester``: ``from rla_hooks.easy_log.tester import tester``.

Inside ``@rla.track`` it is the run of the tracked call, elsewhere the process's own Tester, which
``tester.log_files_gen()`` starts and the end of the process ends.
"""

from __future__ import annotations

from typing import Any

from rla_hooks import lifecycle
from rla_hooks.current import own_tester
from rla_hooks.tester import Tester

__all__ = ["Tester", "exp_manager", "tester", "time_step_holder"]


def current_tester() -> Tester:
    """Return the run that RLA's words mean here."""
    return lifecycle.current() or own_tester()


class _Door:
    """Stands for the object that ``find`` returns at the time of each use."""

    def __init__(self, find: Any):
        object.__setattr__(self, "_find", find)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._find(), name, value)

    def __dir__(self) -> list[str]:
        return dir(self._find())

    def __repr__(self) -> str:
        return repr(self._find())

    def __reduce__(self) -> str:
        # Pickled by its name: in another process it stands for what is current there.
        return "time_step_holder" if self is time_step_holder else "tester"


tester: Any = _Door(current_tester)
exp_manager = tester
time_step_holder: Any = _Door(lambda: current_tester().logger.time_step)
