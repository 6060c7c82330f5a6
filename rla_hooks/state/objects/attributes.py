"""Objects without methods for their state, such as a replay buffer of one's own: by their attributes.

All must be data: arrays, numbers, containers, random streams, objects like these. Functions, classes, spaces, devices
and locks are no state; they stay as they are.
"""

from __future__ import annotations

import enum
import logging
import re
import sys
import threading
import types
from functools import partial
from pathlib import PurePath
from typing import Any

from rla_hooks.state.objects.walk import TAG, Kind, Walk

_NO_STATE = (
    *(type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, partial, property),
    *(enum.Enum, logging.Logger, re.Pattern, PurePath, type(threading.Lock()), type(threading.RLock())),
)
#: Environments, which are passed by themselves.
_ENVIRONMENTS = [
    ("gymnasium", "Env"),
    ("gymnasium.vector", "VectorEnv"),
    ("stable_baselines3.common.vec_env", "VecEnv"),
]
#: Classes of frameworks whose objects are no state.
_NO_STATE_OF = [
    ("gymnasium", "Space"),
    ("gymnasium.envs.registration", "EnvSpec"),
    ("torch", "device"),
    ("torch", "dtype"),
    ("numpy", "dtype"),
    *_ENVIRONMENTS,
]


class Attributes(Kind):
    """Objects with a ``__dict__``: each attribute is restored by its own kind, arrays in place.

    What was not there yet when the state was saved is left as it is.
    """

    tag = "object"

    def matches(self, value: Any) -> bool:
        return hasattr(value, "__dict__") and not is_no_state(value) and _has_no_more(value)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        parts = {name: walk.capture(part, f"{at}.{name}") for name, part in state_attributes(value).items()}
        walk.left_out += [(f"{at}.{name}", env) for name, part in vars(value).items() for env in _environments_in(part)]
        return {TAG: self.tag, "class": type(value).__name__, "attributes": parts}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if walk.has_class(value, tree["class"], at):
            own = vars(value)
            for name, part in tree["attributes"].items():
                walk.check(own.get(name), part, f"{at}.{name}")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        own = vars(value)
        for name, part in tree["attributes"].items():
            own[name] = walk.put(own.get(name), part)
        return value


def state_attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object that may be state."""
    return {name: part for name, part in vars(value).items() if not is_no_state(part)}


def is_no_state(value: Any) -> bool:
    """Return whether a value is code or a setting that a state does not have.

    >>> is_no_state(len), is_no_state(5)
    (True, False)
    """
    if isinstance(value, _NO_STATE) or _is_compiled(value) or _is_of(value, _NO_STATE_OF):
        return True
    # a GradientTransformation of Optax, say
    return isinstance(value, tuple) and bool(value) and all(map(is_no_state, value))


def _environments_in(value: Any) -> list[Any]:
    """Return what is left out of an object because it is an environment; there may be a tuple of them."""
    if isinstance(value, tuple) and value and is_no_state(value):
        return [env for each in value for env in _environments_in(each)]
    return [value] if _is_of(value, _ENVIRONMENTS) else []


def _is_of(value: Any, classes: list[tuple[str, str]]) -> bool:
    """Return whether a value is of one of these classes, without importing one."""
    for module, name in classes:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(value, kind):
            return True
    return False


def _has_no_more(value: Any) -> bool:
    """Whether the attributes are all that an object has: not so of files, generators, and what C has made else.

    Python tells that by whether it could copy the object without help.
    """
    if type(value) is types.SimpleNamespace:
        return True
    for name in ("__reduce__", "__reduce_ex__", "__getstate__"):
        method = getattr(type(value), name, None)
        if method is not getattr(object, name, None):
            return isinstance(method, types.FunctionType)
    try:
        object.__reduce_ex__(value, 2)
    except Exception:
        return False
    return True


def _is_compiled(value: Any) -> bool:
    """Whether a value is a function that a library has made of one: of no class that is written in Python."""
    if not callable(value):
        return False
    call = getattr(type(value), "__call__", None)  # noqa: B004
    return not isinstance(call, types.FunctionType) or type(value).__module__.startswith("tensorflow.python.eager")


KINDS = [Attributes()]
