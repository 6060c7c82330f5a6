"""Objects that say their state: with ``state_dict`` and ``load_state_dict``, or ``get_state`` and ``set_state``."""

from __future__ import annotations

from typing import Any

from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Methods(Kind):
    """Objects whose class has two methods that return and take the state: ``get()`` and ``put(state)``."""

    def __init__(self, get: str, put: str):
        self.tag, self._get, self._put = get, get, put

    def matches(self, value: Any) -> bool:
        return has_methods(value, self._get, self._put)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        state = getattr(value, self._get)()
        return {TAG: self.tag, "class": type(value).__name__, "state": walk.capture(state, at)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        walk.check(self._state_of(value), tree["state"], at)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        """Put the tree into what the object says its state is, and give it that: arrays that it lends are filled."""
        getattr(value, self._put)(walk.put(self._state_of(value), tree["state"]))
        return value

    def _state_of(self, value: Any) -> Any:
        """The state of an object; None for one that was not used yet, and has none."""
        try:
            return getattr(value, self._get)()
        except Exception:
            return None


def has_methods(value: Any, *names: str) -> bool:
    """Return whether the class of a value has these methods; a class itself does not count.

    >>> has_methods({}, "get", "items"), has_methods(dict, "get")
    (True, False)
    """
    return not isinstance(value, type) and all(callable(getattr(type(value), name, None)) for name in names)


KINDS = [Methods("state_dict", "load_state_dict"), Methods("get_state", "set_state")]
