"""Works on an environment in the process where it lives: a worker of Gymnasium's AsyncVectorEnv or of SubprocVecEnv.

Their workers get and set attributes of an environment, and call those that are functions, by name. So an agent is set
as an attribute, called, and finds the environment in the worker that calls it.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from rla_hooks.state.objects.walk import Walk
from rla_hooks.texts import text_of


class Answer(NamedTuple):
    """What an agent brings back. autoreset: whether the worker resets the environment at its next step."""

    tree: Any = None
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    autoreset: bool = False


class Agent:
    """Captures, checks or puts the state of the environment of a worker.

    at: the name of the environment in messages. tree: what is checked and put.
    """

    NAME = "rla_state_agent"

    def __init__(self, at: str, tree: Any = None, autoreset: bool = False):
        self.at, self.tree, self.autoreset = at, tree, autoreset

    def __call__(self, what: str) -> Answer:
        """Do ``what``. Raises nothing: a worker of Gymnasium would end."""
        names = sys._getframe(1).f_locals  # of the worker
        env, autoreset = names.get("env"), bool(names.get("autoreset", False))
        if env is None:
            return Answer(problems=(f"{self.at}: its worker keeps the environment where it is not found",))
        try:
            return self._answer(what, env, autoreset)
        except Exception as error:
            return Answer(problems=(f"{self.at}: {type(error).__name__}: {text_of(error)}",))

    def _answer(self, what: str, env: Any, autoreset: bool) -> Answer:
        walk = Walk()
        if what == "capture":
            tree = walk.capture(env, self.at)
            return Answer(tree, tuple(walk.problems), tuple(walk.missing), autoreset or _is_waiting(env))
        if what == "check":
            walk.check(env, self.tree, self.at)
            if autoreset and not self.autoreset:
                walk.problems.append(f"{self.at} would be reset by its next step. Reset the environments before")
            return Answer(problems=tuple(walk.problems))
        walk.put(env, self.tree)
        if self.autoreset and not autoreset:
            _reset_at_next_step(env)
        return Answer()


def _reset_at_next_step(env: Any) -> None:
    """Let the next step be a reset. So the worker would have it, but its own note of that cannot be changed."""

    def step(action: Any) -> Any:
        observation, info = reset()
        return observation, 0, False, False, info

    def reset(**options: Any) -> Any:
        del env.step, env.reset
        return env.reset(**options)

    env.step, env.reset = step, reset


def _is_waiting(env: Any) -> bool:
    return getattr(vars(env).get("step"), "__qualname__", "").startswith(_reset_at_next_step.__name__)
