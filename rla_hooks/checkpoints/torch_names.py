"""Names of parameters of modules that ``torch.compile``, DataParallel or DDP have wrapped.

    body.weight                     the module itself
    _orig_mod.body.weight           torch.compile(module)
    module.body.weight              DataParallel(module), DistributedDataParallel(module)
    body._orig_mod.weight           a module with a compiled part

A checkpoint has the names of the module that was saved. They are fitted to those of the module that is restored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from rla_hooks.checkpoints.state_dicts import Target

_WRAPPERS = ("_orig_mod", "module")


def unwrapped(name: str) -> str:
    """Return a name without the parts that wrappers have added.

    >>> unwrapped("_orig_mod.module.body.weight"), unwrapped("body._orig_mod.weight"), unwrapped("body.weight")
    ('body.weight', 'body.weight', 'body.weight')
    """
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def fitted(target: Target) -> Target:
    """Return the target with the names in its state as the module has them, where only wrappers are in between."""
    if not isinstance(target.state, Mapping):
        return target
    own = target.value.state_dict()
    names = renamed(target.state, own)
    state = OrderedDict((names[name], value) for name, value in target.state.items())
    metadata = getattr(target.state, "_metadata", None)  # versions of the modules, by their names
    if isinstance(metadata, Mapping):
        names = renamed(metadata, getattr(own, "_metadata", ()))
        state._metadata = OrderedDict(  # type: ignore[attr-defined]
            (names[name], value) for name, value in metadata.items()
        )
    return target._replace(state=state)


def renamed(stored: Iterable[Any], own: Iterable[Any]) -> dict[Any, Any]:
    """Return for each stored name the own one that is meant: the same one, else the only one that differs by wrappers.

    A module may have a part of its own that is named ``module``: where a name is not the only one, nothing is renamed.
    """
    stored, own = list(stored), set(own)
    open_names: dict[str, list[str]] = {}
    for name in own.difference(stored):
        open_names.setdefault(unwrapped(str(name)), []).append(name)
    names = {name: name for name in stored}
    for name in stored:
        candidates = open_names.get(unwrapped(str(name)), [])
        if name not in own and len(candidates) == 1:
            names[name] = candidates[0]
    return names if len(set(names.values())) == len(names) else {name: name for name in stored}
