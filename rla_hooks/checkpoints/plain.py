"""Checkpoints of plain data and numpy arrays, as a restricted pickle: for programs without a framework."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints import _states
from rla_hooks.errors import CheckpointError
from rla_hooks.plaindata import Place, PlainDataError, Tagger, loads, pack


def matches(models: Mapping[str, Any]) -> bool:
    """Takes everything: what cannot be stored is left out."""
    return True


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """The tagged plain data of the models, and what was left out. The prefix has no use here."""
    left_out: list[str] = []
    return Collector(left_out).value(dict(models)), left_out


def save(path: Path, content: Any) -> None:
    """Write what ``collect`` gave."""
    path.write_bytes(pack(content))


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """The content; foreign code never runs, whatever ``weights_only`` says."""
    try:
        content = loads(path.read_bytes())
    except PlainDataError as error:
        raise CheckpointError(f"was refused: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content)} instead of a dict. rla_hooks did not write it.")
    return content


def restore(
    models: Mapping[str, Any],
    content: Mapping[str, Any],
    var_prefix: str,
    passed_over: Callable[[Any], bool] = lambda value: False,
) -> None:
    """Give objects with ``load_state_dict`` their state and numpy arrays their values. The rest stays.

    ``passed_over`` says which objects another backend restores.
    """

    def wanted(value: Any) -> bool:
        return not passed_over(value) and (_states.takes_state(value) or _is_array(value))

    found = _states.targets(models, content, wanted)
    arrays = [target for target in found if _is_array(target.value)]
    problems = [problem for target in arrays if (problem := _mismatch(target))]
    if problems:
        raise CheckpointError(f"does not fit what shall be restored: {_states.shorten(problems)}")
    _states.load_states([target for target in found if not _is_array(target.value)])
    for target in arrays:
        target.value[...] = target.state


class Collector(Tagger):
    """Tags plain data, and what ``state_dict()`` of an object gives."""

    def leaf(self, value: Any, where: Place) -> Any:
        if not self.in_key and _states.has_state(value):
            with self.inside(value, where):
                return self.stored(_states.state_of(value, where), where)
        return super().leaf(value, where)


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _mismatch(target: _states.Target) -> str | None:
    import numpy as np

    if not _is_array(target.state):
        return f"{target.name!r} is an array and in the file a {type(target.state)}"
    if target.value.shape != target.state.shape:
        return f"{target.name!r} has shape {target.value.shape} and in the file {target.state.shape}"
    if not np.can_cast(target.state.dtype, target.value.dtype, "same_kind"):
        return f"{target.name!r} has dtype {target.value.dtype} and in the file {target.state.dtype}"
    return None if target.value.flags.writeable else f"{target.name!r} is a read-only array"
