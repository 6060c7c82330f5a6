"""Checkpoints of plain data and numpy arrays, as a restricted pickle: for programs without a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints import compare, state_dicts
from rla_hooks.checkpoints.compare import ArraySpec
from rla_hooks.checkpoints.state_dicts import PrefixFilter, is_array
from rla_hooks.encoding import KeyPath
from rla_hooks.errors import CheckpointError
from rla_hooks.plaindata import PlainDataError, PlainEncoder, loads, pack
from rla_hooks.smallfiles import open_regular

reads_any_bytes = True


def matches(models: Mapping[str, Any]) -> bool:
    """Return True: this backend takes everything, and leaves out what cannot be stored."""
    return True


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """Return the encoded plain data of the models, and what was left out. ``var_prefix`` is ignored."""
    collector = Collector(PrefixFilter(""))
    return state_dicts.collect(collector, models, collector.prefix_filter)


def save(path: Path, content: Any) -> None:
    """Write what ``collect`` returned."""
    path.write_bytes(pack(content))


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """Return the content; foreign code never runs, whatever ``weights_only`` says."""
    try:
        with open_regular(path) as file:
            content = loads(file.read())
    except PlainDataError as error:
        raise CheckpointError(f"was refused: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content)} instead of a dict. rla_hooks did not write it.")
    return content


def restore(
    models: Mapping[str, Any],
    content: Mapping[str, Any],
    var_prefix: str,
    is_excluded: Callable[[Any], bool] = lambda value: False,
) -> None:
    """Give objects with ``load_state_dict`` their state and numpy arrays their values. Other data stays.

    ``is_excluded`` returns whether another backend restores an object.
    """

    def is_wanted(value: Any) -> bool:
        return not is_excluded(value) and (state_dicts.takes_state(value) or is_array(value))

    found = state_dicts.targets(models, content, is_wanted)
    arrays = [target for target in found if is_array(target.value)]
    compare.check([line for target in arrays if (line := problem(target))])
    state_dicts.load_states([target for target in found if not is_array(target.value)])
    for target in arrays:
        target.value[...] = target.state


class Collector(PlainEncoder):
    """Encodes plain data, and objects by their ``state_dict()``. The filter is for the backends that derive from it."""

    def __init__(self, prefix_filter: PrefixFilter):
        super().__init__([])
        self.prefix_filter = prefix_filter

    def encode_leaf(self, value: Any, keys: KeyPath) -> Any:
        if not self.in_key and state_dicts.has_state(value):
            with self.entered(value, keys):
                return self.encode(state_dicts.state_of(value, keys), keys)
        return super().encode_leaf(value, keys)


def problem(target: state_dicts.Target) -> str | None:
    """Return why the file does not fit an array; None if it does."""
    import numpy as np

    name, own, stored = repr(target.name), target.value, target.state
    if not is_array(stored):
        return compare.other_kind(name, "an array", stored)
    if not own.flags.writeable:
        return f"{name} is a read-only array"
    dtype = own.dtype if np.can_cast(stored.dtype, own.dtype, "same_kind") else stored.dtype
    return compare.difference(name, ArraySpec(own.shape, str(own.dtype)), ArraySpec(stored.shape, str(dtype)))
