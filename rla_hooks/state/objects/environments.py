"""Environments of Gymnasium and Stable-Baselines3: single ones, and vectors of them in this process or in others."""

from __future__ import annotations

from typing import Any

import gymnasium

from rla_hooks.state.objects import layers, members
from rla_hooks.state.objects.environment_fields import name_of
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Environments(Kind):
    """An environment with its wrappers. What cannot be restored of it is named in ``walk.missing``.

    It must be made as it was: with the same spaces, and wrapped in the same way.
    """

    tag = "environment"

    def matches(self, value: Any) -> bool:
        return isinstance(value, (gymnasium.Env, gymnasium.vector.VectorEnv)) or members.is_vector_of_sb3(value)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        found = layers.layers_of(value)
        walk.environments += found
        with walk.free():
            return {
                TAG: self.tag,
                "id": _id_of(found[-1]),
                "spaces": _spaces(value),
                "layers": [layers.capture(layer, _place(at, index, found), walk) for index, layer in enumerate(found)],
                "members": members.capture(found[-1], at, walk),
            }

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        found = layers.layers_of(value)
        own_id, own_spaces = _id_of(found[-1]), _spaces(value)
        names = [name_of(type(layer)) for layer in found]
        stored = [layer["class"] for layer in tree["layers"]]
        if own_id != tree["id"]:
            walk.problems.append(f"{at} is {own_id or names[-1]} and in the state {tree['id'] or stored[-1]}")
        elif names != stored:
            walk.problems.append(f"{at} is made of {_chain(names)} and in the state of {_chain(stored)}")
        elif own_spaces != tree["spaces"]:
            walk.problems.append(f"{at} has the spaces {_chain(own_spaces)} and in the state {_chain(tree['spaces'])}")
        else:
            with walk.free():
                for index, layer in enumerate(found):
                    layers.check(layer, tree["layers"][index], _place(at, index, found), walk)
                members.check(found[-1], tree["members"], at, walk)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        found = layers.layers_of(value)
        with walk.free():
            layers.put_own(found, tree["layers"], walk)
            for layer, part in zip(found, tree["layers"]):
                layers.put(layer, part, walk)
            members.put(found[-1], tree["members"], walk)
        return value


def _place(at: str, index: int, found: list[Any]) -> str:
    return at if index == 0 and len(found) == 1 else f"{at}.{type(found[index]).__name__}"


def _id_of(env: Any) -> str | None:
    spec = getattr(env, "spec", None)
    return getattr(spec, "id", None)


def _spaces(env: Any) -> list[str]:
    return [repr(env.observation_space), repr(env.action_space)]


def _chain(names: list[str]) -> str:
    return ", ".join(name.removeprefix("gymnasium.") for name in names)


KINDS = [Environments()]
