"""Parts of a state that say themselves how they are captured, and Python's own random streams."""

from __future__ import annotations

import random
from typing import Any

from rla_hooks.state.objects import stored
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Part:
    """What stands for something that is no object of its own, such as the random state of numpy.

    name: the tag of its trees.
    """

    name = ""

    def capture(self, at: str, walk: Walk) -> dict[str, Any]:
        """Return what is in the tree besides the tag."""
        raise NotImplementedError

    def check(self, tree: dict[str, Any], at: str, walk: Walk) -> None:
        """Say in ``walk.problems`` why the tree does not fit."""

    def put(self, tree: dict[str, Any], walk: Walk) -> None:
        """Put the tree."""
        raise NotImplementedError


class Parts(Kind):
    """Objects of :class:`Part`."""

    tag = "part"

    def matches(self, value: Any) -> bool:
        return isinstance(value, Part)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "name": value.name, **value.capture(at, walk)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value.name != tree["name"]:
            walk.problems.append(f"{at} is the {value.name} and in the state the {tree['name']}")
        else:
            value.check(tree, at, walk)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value.put(stored.loaded(tree), walk)
        return value


class Streams(Kind):
    """random.Random: in place. A random.SystemRandom has no state."""

    tag, replaceable = "python_random", True

    def matches(self, value: Any) -> bool:
        return isinstance(value, random.Random)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        if isinstance(value, random.SystemRandom):
            walk.problems.append(f"{at} is a SystemRandom, which has no state. Use a random.Random")
            return None
        return {TAG: self.tag, "state": value.getstate()}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if isinstance(value, random.SystemRandom):
            walk.problems.append(f"{at} is a SystemRandom, which has no state. Use a random.Random")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value = random.Random() if value is None else value
        value.setstate(python_state(stored.loaded(tree["state"])))
        return value


def python_state(state: Any) -> Any:
    """Return a state as ``random.setstate`` takes it: of tuples."""
    version, words, gauss = state
    return version, tuple(words), gauss


KINDS = [Parts(), Streams()]
