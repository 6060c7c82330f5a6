"""Replay buffers of TorchRL: by their ``state_dict``, with what that has of C++ objects and random streams."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
from torchrl.data.replay_buffers import ReplayBuffer

from rla_hooks.state.objects import stored
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Buffers(Kind):
    """Buffers with any storage, sampler and writer. The storage must have the same size; arrays are filled in place.

    A lazy storage that has no data yet gets those of the state.
    """

    tag = "torchrl_buffer"

    def matches(self, value: Any) -> bool:
        return isinstance(value, ReplayBuffer)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        state = {key: walk.capture(part, f"{at}.{key}") for key, part in value.state_dict().items()}
        return {TAG: self.tag, "class": type(value).__name__, "size": _size(value), "state": state}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if not walk.has_class(value, tree["class"], at):
            return
        if _size(value) != tree["size"]:
            walk.problems.append(f"{at} has room for {_size(value)} and in the state for {tree['size']}")
        else:
            own = value.state_dict()
            for key, part in tree["state"].items():
                if key == "_storage":
                    walk.check(own[key], part, f"{at}.{key}")
                elif not (key == "_rng" and value._rng is None):
                    with walk.free():
                        walk.check(own.get(key), part, f"{at}.{key}")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        own, stream = value.state_dict(), value._rng
        state = {"_storage": walk.put(own["_storage"], tree["state"]["_storage"])}
        with walk.free():
            for key, part in tree["state"].items():
                if key != "_storage":
                    state[key] = walk.put(own.get(key), part)
        with warnings.catch_warnings():  # it would rather have data in the storage before
            warnings.filterwarnings("ignore", message="Loading the storage on an uninitialized")
            value.load_state_dict(state)
        if stream is not None and state.get("_rng") is not None:  # the buffer has made a new one
            stream.set_state(state["_rng"][0])
            value.set_rng(stream)
        return value


class SegmentTrees(Kind):
    """The sums of priorities, objects of C++: by the values of their leaves, from which all others follow."""

    tag = "segment_tree"

    def matches(self, value: Any) -> bool:
        return "SegmentTreeFp" in type(value).__name__ and hasattr(value, "identity_element")

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "class": type(value).__name__, "values": numpy.array(value[numpy.arange(value.size)])}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        own, stored = (type(value).__name__, value.size), (tree["class"], len(tree["values"]))
        if own != stored:
            walk.problems.append(f"{at} is a {own[0]} of {own[1]} and in the state a {stored[0]} of {stored[1]}")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value[numpy.arange(value.size)] = stored.read(tree["values"])
        return value


def _size(buffer: Any) -> int:
    return int(buffer._storage.max_size)


KINDS = [Buffers(), SegmentTrees()]
