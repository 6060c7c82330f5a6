"""Rollout buffers of Stable-Baselines3, whose arrays have another shape while they are read."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.buffers import RolloutBuffer

from rla_hooks.state.objects.attributes import Attributes
from rla_hooks.state.objects.walk import Walk


class RolloutBuffers(Attributes):
    """RolloutBuffer, DictRolloutBuffer and those of sb3-contrib: their arrays are replaced, their sizes compared.

    Replay buffers have no kind of their own: they are restored by their attributes, in place.
    """

    tag = "rollout_buffer"

    def matches(self, value: Any) -> bool:
        return isinstance(value, RolloutBuffer)

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        for name in ("buffer_size", "n_envs", "obs_shape", "action_dim"):
            own, stored = getattr(value, name), tree["attributes"].get(name)
            if own != stored:
                walk.problems.append(f"{at}.{name} is {own} and in the state {stored}")
        with walk.free():
            super().check(value, tree, at, walk)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        with walk.free():
            return super().put(value, tree, walk)


KINDS = [RolloutBuffers()]
