"""The hyper-parameters of an SB3 model: those of its algorithm's constructor, and what its environment is."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

# No hyper-parameters, or described by themselves.
_LEFT_OUT = {"self", "args", "kwargs", "policy", "env", "tensorboard_log", "verbose", "_init_setup_model"}
_OF_NORMALIZE = ("training", "norm_obs", "norm_reward", "clip_obs", "clip_reward", "gamma", "epsilon")


def hyper_parameters(model: BaseAlgorithm) -> dict[str, Any]:
    """Return ``algo``, ``policy``, the algorithm's arguments by their own names, and ``env``.

    An algorithm keeps each argument of its constructor as an attribute of that name, or with an underscore.
    """
    found: dict[str, Any] = {"algo": type(model).__name__, "policy": _policy(model)}
    for kind in reversed(type(model).__mro__[:-1]):
        constructor = vars(kind).get("__init__")
        for name in () if constructor is None else inspect.signature(constructor).parameters:
            attribute = name if hasattr(model, name) else f"_{name}"
            if name not in _LEFT_OUT and hasattr(model, attribute):
                found[name] = _plain(getattr(model, attribute))
    env = model.get_env()
    return found if env is None else found | {"env": _environment(env)}


def _policy(model: Any) -> str:
    """The name that the user may have given, such as MlpPolicy; else that of the class."""
    kind = getattr(model, "policy_class", type(model.policy))
    aliases = getattr(model, "policy_aliases", {})
    return next((alias for alias, each in aliases.items() if each is kind), kind.__name__)


def _plain(value: Any) -> Any:
    """A schedule that is constant is its number; a device its name."""
    if type(value).__name__ == "FloatSchedule":  # of 2.6 and newer
        value = value.value_schedule
    if type(value).__name__ == "ConstantSchedule":
        value = value.val
    return str(value) if type(value).__module__.startswith("torch") else value


def _environment(env: VecEnv) -> dict[str, Any]:
    found: dict[str, Any] = {"n_envs": env.num_envs}
    wrappers, each = [], env
    while True:
        wrappers.append(type(each).__name__)
        if isinstance(each, VecNormalize):
            found["normalize"] = {name: getattr(each, name) for name in _OF_NORMALIZE if hasattr(each, name)}
        inner = getattr(each, "venv", None)
        if inner is None:
            break
        each = inner
    found["vec_env"] = wrappers
    with suppress(Exception):  # one of the user's own that is no gymnasium.Env
        # A text such as <TimeLimit<OrderEnforcing<CartPoleEnv<CartPole-v1>>>>: of all that can be asked of an
        # environment in another process, what that process is sure to be able to send.
        text = str(env.env_method("__str__", indices=0)[0])
        found["id"], found["wrappers"] = _id_and_wrappers(text)
    found["observation_space"] = str(env.observation_space)
    found["action_space"] = str(env.action_space)
    return found


def _id_and_wrappers(text: str) -> tuple[str, list[str]]:
    """Return the id, or the class of an environment without one, and the names of all wrappers, the outermost first."""
    names = text.strip("<>").split("<")
    if names[-1].endswith(" instance"):
        return names[-1].removesuffix(" instance"), names[:-1]
    return (names[-1], names[:-2]) if len(names) > 1 else (names[0], [])
