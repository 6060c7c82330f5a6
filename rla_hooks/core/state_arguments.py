"""What the arguments of save_state and load_state mean, and whether they are right."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from rla_hooks.errors import ConfigError
from rla_hooks.every import Every
from rla_hooks.texts import shown

if TYPE_CHECKING:
    from rla_hooks.checkpoints.keeping import Keep

_MODES = ("max", "min")


def by_role(models: Any, optimizers: Any, schedulers: Any, buffers: Any, normalizers: Any, env: Any) -> dict[str, Any]:
    """Return the objects of a training by the names of their arguments."""
    objects = {"models": models, "optimizers": optimizers, "schedulers": schedulers, "buffers": buffers}
    return objects | {"normalizers": normalizers, "env": env}


def interval_of(every: int | datetime.timedelta | Every) -> Every:
    if isinstance(every, Every):
        return Every(every.steps, every.seconds)
    if isinstance(every, datetime.timedelta):
        return Every(seconds=every.total_seconds())
    if isinstance(every, int) and not isinstance(every, bool):
        return Every(steps=every)
    raise ConfigError(
        f"every is {shown(every)}. Allowed: a number of steps, a datetime.timedelta, or rla_hooks.hooks.Every(...)."
    )


def checked_keep(keep: Any, best: Any, mode: Any) -> Keep:
    from rla_hooks.checkpoints.keeping import Keep

    problems = []
    if keep is not None and (type(keep) is not int or keep < 1):
        problems.append(f"keep is {shown(keep)}. Pass a whole number of at least 1, or None to keep all.")
    if best is not None and (type(best) is not int or best < 0):
        problems.append(f"keep_best is {shown(best)}. Pass a whole number from 0 up, or None to keep all.")
    if mode not in _MODES:
        problems.append(f"mode is {shown(mode)}. Allowed: 'max', 'min'.")
    if problems:
        raise ConfigError(problems, "save_state")
    return Keep(keep, best)
