"""Checks of the values of RLACallback's arguments."""

from __future__ import annotations

import os
from typing import Any

from rla_hooks.hooks import Argument, is_count

_FILES = " Files belong to the run's folders; Keras' own ModelCheckpoint beside it may write elsewhere."
EPOCHS = "a whole number of epochs above 0"
SAME = "same"  # run: the one that was interrupted goes on
CHECKPOINT = f"True, False, None, {SAME!r}, a path that is there, or a run of rla.runs()"
_EVERY = " It is save_every, in epochs."
HINTS = dict.fromkeys(("filepath", "log_dir", "filename"), _FILES)  # for arguments of other callbacks
HINTS |= dict.fromkeys(("save_freq", "checkpoint_every"), _EVERY)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_mode(value: Any) -> bool:
    return isinstance(value, str) and value in ("min", "max", "auto")


def is_count_or_none(value: Any) -> bool:
    return value is None or is_count(value)


def is_cadence(value: Any) -> bool:
    return value in ("epoch", "batch") if isinstance(value, str) else is_count(value)


def is_model_name(value: Any) -> bool:
    """Whether the value may be part of file names; the empty text means no name."""
    if not isinstance(value, str) or len(value.encode()) > 100:
        return False
    return value == "" or (value.isprintable() and value[0] != "." and not set("/\\") & set(value))


def is_checkpoint(value: Any) -> bool:
    if isinstance(value, str) and value == SAME:
        return True
    if isinstance(value, (str, os.PathLike)):
        return os.path.exists(value)
    return value is None or isinstance(value, bool) or getattr(value, "checkpoint_dir", None) is not None


def no_state(state: Any) -> Argument:
    """The argument ``state`` of a callback with a name: the random state is that of all models of the program."""
    return Argument(state, lambda value: value is False, "False beside name=; call rla.save_state for several models")
