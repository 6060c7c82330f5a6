"""An environment as hyper-parameters: its id, what it was made with, its wrappers and spaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium

_PLAIN = bool, int, float, str, type(None)
_MAX_TEXT = 300  # characters of a space


def describe(env: Any, seed: Any) -> dict[str, Any]:
    """Return the hyper-parameters of an environment. seed: that of the first reset, or None.

    env: one of Gymnasium's classes, with or without wrappers; or a vector environment, which is described by its
    first sub-environment where that is in this process.
    """
    chain = [*layers(env)]
    found: dict[str, Any] = {}
    if hasattr(env, "num_envs"):
        base = chain.pop()
        mode = env.metadata.get("autoreset_mode")
        found |= {"num_envs": env.num_envs, "vector": type(base).__name__}
        found |= {} if mode is None else {"autoreset_mode": str(getattr(mode, "value", mode))}
        chain += layers((getattr(base, "envs", None) or [None])[0])
    inner = chain.pop() if chain and not hasattr(chain[-1], "num_envs") else None  # None: in another process
    found |= _of_spec(env.spec or getattr(inner, "spec", None), inner)
    if chain or inner is not None:  # else they are not known
        found["wrappers"] = [_call_of(wrapper) for wrapper in chain]
    for name in ("observation_space", "action_space"):
        space = getattr(env, f"single_{name}", None) or getattr(env, name)
        found[name] = " ".join(str(space).split())[:_MAX_TEXT]
    if seed is not None:
        found["seed"] = seed
    return found


def layers(env: Any) -> Iterator[Any]:
    """The wrappers from the outermost one to the environment itself."""
    while env is not None:
        yield env
        env = env.env if isinstance(env, (gymnasium.Wrapper, gymnasium.vector.VectorWrapper)) else None


def _of_spec(spec: Any, env: Any) -> dict[str, Any]:
    if spec is None:
        return {} if env is None else {"id": type(env).__name__}
    found: dict[str, Any] = {"id": spec.id}
    for name in ("max_episode_steps", "reward_threshold"):
        if getattr(spec, name, None) is not None:
            found[name] = getattr(spec, name)
    for name, value in spec.kwargs.items():
        if isinstance(value, _PLAIN):
            found[f"kwargs.{name}"] = value
    return found


def _call_of(wrapper: Any) -> str:
    """The wrapper's name, with the arguments that read the same in every run."""
    given = getattr(wrapper, "_saved_kwargs", None)
    given = given if isinstance(given, dict) else {}
    shown = [f"{name}={value!r}" for name, value in given.items() if isinstance(value, _PLAIN) and name != "env"]
    return type(wrapper).__name__ + (f"({', '.join(shown)})" if shown else "")
