"""Replay buffers of Tianshou, and its batches."""

from __future__ import annotations

from typing import Any

from tianshou.data import Batch, ReplayBuffer, ReplayBufferManager

from rla_hooks.state.objects.attributes import Attributes, state_attributes
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Batches(Kind):
    """Batches: the arrays by their keys, in place where they are there already."""

    tag, replaceable = "tianshou_batch", True

    def matches(self, value: Any) -> bool:
        return isinstance(value, Batch)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "items": walk.capture(dict(value.items()), at)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        walk.check({} if value is None else dict(value.items()), tree["items"], at)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        items = walk.put({} if value is None else dict(value.items()), tree["items"])
        value = Batch() if value is None else value
        for key, part in items.items():
            value[key] = part
        return value


class Buffers(Attributes):
    """Buffers of all kinds. The parts of a buffer for several environments share its data, which is stored once."""

    tag = "tianshou_buffer"

    def matches(self, value: Any) -> bool:
        return isinstance(value, ReplayBuffer)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        tree: dict[str, Any] = {TAG: self.tag, "class": type(value).__name__, "parts": []}
        own = state_attributes(value)
        if isinstance(value, ReplayBufferManager):
            own.pop("buffers")
            tree["parts"] = [self._of_part(part, f"{at}[{i}]", walk) for i, part in enumerate(value.buffers)]
        tree["attributes"] = {name: walk.capture(part, f"{at}.{name}") for name, part in own.items()}
        return tree

    def _of_part(self, part: Any, at: str, walk: Walk) -> Any:
        own = {name: each for name, each in state_attributes(part).items() if name != "_meta"}
        return {
            TAG: self.tag,
            "class": type(part).__name__,
            "parts": [],
            "attributes": {name: walk.capture(each, f"{at}.{name}") for name, each in own.items()},
        }

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value.maxsize != tree["attributes"].get("maxsize"):
            stored = tree["attributes"].get("maxsize")
            walk.problems.append(f"{at} has room for {value.maxsize} and in the state for {stored}")
            return
        super().check(value, tree, at, walk)
        own = getattr(value, "buffers", ())
        if len(own) != len(tree["parts"]):
            walk.problems.append(f"{at} has {len(own)} parts and in the state {len(tree['parts'])}")
            return
        for index, part in enumerate(tree["parts"]):
            walk.check(own[index], part, f"{at}[{index}]")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        super().put(value, tree, walk)
        for own, part in zip(getattr(value, "buffers", ()), tree["parts"]):
            super().put(own, part, walk)
        if tree["parts"]:
            value.set_batch(value._meta)
        return value


KINDS = [Batches(), Buffers()]
