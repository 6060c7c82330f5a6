"""What is sent to another process must be picklable, and the user is told where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.launch.task import Task
from rla_hooks.masking import mask_text


def can_be_sent(task: Task, dumps: Callable[[Any], object]) -> None:
    """Raise ConfigError, which says how to mend it, for a function or a value that cannot be pickled."""
    for what, thing in (("the values of a setting", task.setting), ("the function", task.main)):
        try:
            dumps(thing)
        except Exception as error:
            reason = mask_text(f"{type(error).__name__}: {error}")
            raise ConfigError(
                f"{what} cannot be sent to another process: {reason}. Define the function at "
                "the top of a module, and make files, locks, environments and models inside of it; pass names and "
                "numbers. Or use threads: on=concurrent.futures.ThreadPoolExecutor(2)."
            ) from None
