"""What RLACallback for Keras may be given. All mistakes are told at once, before a training starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

from rla_hooks.integrations import _runs

from rla_hooks.errors import ConfigError, did_you_mean

#: What is given for a run of one's own where the user gives nothing.
OWN_RUN = {"task": "keras", "config": None, "log_root": None, "record": None, "writers": None, "backup": None}

_KNOWN = "monitor mode save_best_only max_to_keep save_weights_only save_every log_every figures figures_every".split()
_KNOWN += "log_lr log_weights resume name task config log_root record writers backup".split()


def check(unknown: Iterable[str], of_own_run: Mapping[str, Any], **given: Any) -> None:
    """Raise one ConfigError that names every argument which cannot be used. ``of_own_run``: those of a run."""
    problems = [_unknown(key) for key in unknown]
    allowed = {
        "monitor": "the name of a metric, such as 'val_loss'",
        "mode": "'min', 'max', 'auto'",
        "log_every": "'epoch', 'batch', or a number of batches above 0",
        "max_to_keep": "a whole number above 0, or None",
        "save_every": "a whole number of epochs above 0, or None",
        "figures": "{name: fn(model, epoch, logs) -> Figure}",
        "figures_every": "a whole number of epochs above 0",
        "resume": "True, None, a path that is there, or a run of rla.runs()",
        "name": "a text such as 'actor', without slashes",
    }
    for name, value in given.items():
        if not _FITS[name](value):
            problems.append(f"{name} is {value!r}. Allowed: {allowed[name]}.")
    if of_own_run != OWN_RUN:  # else the config that lies here is perhaps not meant
        try:
            _runs.configured(**of_own_run)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems, "RLACallback")


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def _are_functions(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and all(map(callable, value.values())))


def _is_name(value: Any) -> bool:
    """Whether the value may stand in the names of files."""
    if not isinstance(value, str) or len(value.encode()) > 100:
        return False
    return value == "" or (value.isprintable() and value[0] != "." and not set("/\\") & set(value))


def _is_checkpoint(value: Any) -> bool:
    if isinstance(value, (str, os.PathLike)):
        return os.path.exists(value)
    return value is None or isinstance(value, bool) or getattr(value, "checkpoint_dir", None) is not None


_FITS = {
    "monitor": lambda value: isinstance(value, str) and value != "",
    "mode": lambda value: isinstance(value, str) and value in ("min", "max", "auto"),
    "log_every": lambda value: (isinstance(value, str) and value in ("epoch", "batch")) or _is_count(value),
    "max_to_keep": lambda value: value is None or _is_count(value),
    "save_every": lambda value: value is None or _is_count(value),
    "figures": _are_functions,
    "figures_every": _is_count,
    "resume": _is_checkpoint,
    "name": _is_name,
}


def _unknown(key: str) -> str:
    hint = did_you_mean(key, _KNOWN)
    if key in ("filepath", "log_dir", "filename"):
        hint = " Files belong to the run's folders; Keras' own ModelCheckpoint beside it may write elsewhere."
    return f"unknown argument {key!r}. Known: {', '.join(_KNOWN)}.{hint}"
