"""The environments of a vector: in this process (``envs``), or in processes of their own, which are asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from rla_hooks.errors import CheckpointError
from rla_hooks.state.objects import stored
from rla_hooks.state.objects import walk as walking
from rla_hooks.state.objects.remote import Agent, Answer
from rla_hooks.state.objects.walk import Walk

#: Fields of Gymnasium's SyncVectorEnv.
_SYNC = ("_autoreset_envs", "_env_obs", "_observations", "_rewards", "_terminations", "_truncations")


def is_vector_of_sb3(value: Any) -> bool:
    """Return whether a value is a vector environment of Stable-Baselines3, without importing it."""
    found = getattr(sys.modules.get("stable_baselines3.common.vec_env"), "VecEnv", None)
    return found is not None and isinstance(value, found)


def capture(vector: Any, at: str, walk: Walk) -> Any:
    """Return the states of the members; None where an environment has none."""
    if (envs := _envs(vector)) is not None:
        fields = {name: walk.capture(vars(vector)[name], f"{at}.{name}") for name in _fields(vector)}
        return {"fields": fields, "envs": [walk.capture(env, f"{at}[{index}]") for index, env in enumerate(envs)]}
    remote = _remote(vector)
    if remote is None:
        return None
    answers = remote("capture", [Agent(f"{at}[{index}]") for index in range(vector.num_envs)])
    for answer in answers:
        walk.problems += answer.problems
        walk.missing += answer.missing
    observations = getattr(vector, "observations", None)
    return {
        "fields": {"observations": walk.capture(observations, f"{at}.observations")},
        "autoreset": [answer.autoreset for answer in answers],
        "envs": [answer.tree for answer in answers],
    }


def check(vector: Any, tree: Any, at: str, walk: Walk) -> None:
    """Say in ``walk.problems`` why the states do not fit the members."""
    envs, remote = _envs(vector), _remote(vector)
    if (tree is None) != (envs is None and remote is None):
        walk.problems.append(f"{at} has members where the state has none, or the other way round")
    elif tree is None:
        return
    elif len(tree["envs"]) != vector.num_envs:
        walk.problems.append(f"{at} has {vector.num_envs} environments and in the state {len(tree['envs'])}")
    elif envs is not None:
        for index, env in enumerate(envs):
            walk.check(env, tree["envs"][index], f"{at}[{index}]")
    elif remote is not None:
        for answer in remote("check", _agents(tree, at)):
            walk.problems += answer.problems


def put(vector: Any, tree: Any, walk: Walk) -> None:
    """Put the states into the members."""
    if tree is None:
        return
    if (envs := _envs(vector)) is not None:
        for env, part in zip(envs, tree["envs"]):
            walk.put(env, part)
        for name in _fields(vector):
            setattr(vector, name, walk.put(vars(vector)[name], tree["fields"][name]))
        return
    remote = _remote(vector)
    assert remote is not None
    for answer in remote("put", _agents(tree, "it")):
        if answer.problems:
            raise CheckpointError(answer.problems[0])
    if tree["fields"]["observations"] is not None:  # they may lie in memory that is shared with the processes
        walking.put(vector.observations, tree["fields"]["observations"])


def _envs(vector: Any) -> list[Any] | None:
    found = vars(vector).get("envs")
    return list(found) if isinstance(found, (list, tuple)) and hasattr(vector, "num_envs") else None


def _fields(vector: Any) -> list[str]:
    return [name for name in _SYNC if name in vars(vector)]


def _agents(tree: Any, at: str) -> list[Agent]:
    return [
        Agent(f"{at}[{index}]", stored.loaded(part), autoreset)
        for index, (part, autoreset) in enumerate(zip(tree["envs"], tree["autoreset"]))
    ]


def _remote(vector: Any) -> Callable[[str, list[Agent]], list[Answer]] | None:
    """Return the function that sends each member its agent, and lets it do something there; None without processes."""
    if is_vector_of_sb3(vector) and hasattr(vector, "remotes"):

        def ask_sb3(what: str, agents: list[Agent]) -> list[Answer]:
            for index, agent in enumerate(agents):
                vector.set_attr(Agent.NAME, agent, indices=[index])
            return list(vector.env_method(Agent.NAME, what))

        return ask_sb3
    if hasattr(vector, "parent_pipes"):

        def ask(what: str, agents: list[Agent]) -> list[Answer]:
            vector.set_attr(Agent.NAME, agents)
            return list(vector.call(Agent.NAME, what))

        return ask
    return None
