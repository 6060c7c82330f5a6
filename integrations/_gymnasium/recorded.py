"""What the wrappers have in common, and the checks of their arguments."""

from __future__ import annotations

import copy
from typing import Any

from rla_hooks.integrations._gymnasium.describe import layers
from rla_hooks.integrations._gymnasium.tracker import Tracker
from rla_hooks.integrations._gymnasium.videos import Videos, arguments

from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Argument, OwnRun, check_arguments, is_count

_HOOK = "track_episodes"


class Recorded:
    """What both wrappers have. The attributes begin with ``_rla``: get_wrapper_attr looks at ours before the env's."""

    _rla_tracker: Tracker
    _rla_length = 0  # the steps of the present episode that are not counted elsewhere yet
    _rla_films: Any  # the tracker's
    _rla_shared: Any  # None while nothing is recorded

    @property
    def tracked_steps(self) -> int:
        """The steps that the environments of this name have made in the run; those of all sub-environments count.

        >>> import gymnasium
        >>> from rla_hooks.integrations.gymnasium import track_episodes
        >>> track_episodes(gymnasium.make("CartPole-v1")).tracked_steps
        0
        """
        return 0 if self._rla_shared is None else int(self._rla_shared.steps)

    def _rla_get_state(self) -> dict[str, Any]:
        """What a whole state of the training keeps: the episodes that have begun, and how many steps were made."""
        shared = self._rla_shared
        counts = None if shared is None else (shared.steps, shared.number(shared.episodes))
        return {"counts": counts, "waiting": self._rla_tracker.waiting, **self._rla_episodes()}

    def _rla_set_state(self, state: dict[str, Any]) -> None:
        """Go on with the episodes of a state that was loaded. Their films, which would begin amid them, are dropped."""
        self._rla_tracker.drop_films()
        if self._rla_shared is None:
            self._rla_join()
        self._rla_tracker.waiting = [tuple(each) for each in state["waiting"]]
        shared, first = self._rla_shared, None
        self._rla_take_episodes(state)
        if shared is not None and state["counts"] is not None:
            steps, episodes = state["counts"]
            shared.go_on(steps, episodes)
            first = episodes - shared.episodes
        self._rla_take_numbers(state["numbers"], first)

    def _rla_join(self) -> None:
        """Take part in the run that is open."""
        self._rla_shared = self._rla_tracker.join()

    def _rla_episodes(self) -> dict[str, Any]:
        raise NotImplementedError

    def _rla_take_episodes(self, state: dict[str, Any]) -> None:
        raise NotImplementedError

    def _rla_take_numbers(self, numbers: Any, first: int | None) -> None:
        """Take the numbers in the run of the present episodes; first: that of the first one of this process."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_rla_shared": None, "_rla_films": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._rla_films = self._rla_tracker.films

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = memo[id(self)] = type(self).__new__(type(self))
        made.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        made._rla_tracker.is_copy = True
        return made


def tracker(
    env: Any, video: Any, every: Any, keep: Any, max_frames: Any, name: Any, steps: Any, row_every: Any, options: Any
) -> Tracker:
    """Check all arguments, and return what the wrapper records with. Nothing is created on the disk."""
    own = OwnRun(_HOOK, "gymnasium", **options)
    is_name = isinstance(name, str) and name != "" and name.isprintable() and not set("/\\") & set(name)
    table = {
        **arguments(video, every, keep, max_frames),
        "name": Argument(name, lambda _: is_name, "a text such as 'eval', without slashes"),
        "steps": Argument(steps, lambda value: value is None or callable(value), "a function that returns a number"),
        "row_every": Argument(row_every, lambda value: value is None or is_count(value), "a whole number above 0"),
    }
    check_arguments(_HOOK, (), table, own)
    videos = Videos(video, every, keep, max_frames)
    videos.check_render_mode(env.render_mode, env.spec)
    outermost = [env, *(getattr(env.unwrapped, "envs", None) or ())]
    if any(isinstance(layer, Recorded) for each in outermost for layer in layers(each)):
        raise ConfigError(
            "the environment, or one inside of it, is tracked already: its episodes would be there twice. Call "
            "track_episodes once, on the outermost environment that the training steps."
        )
    return Tracker(_HOOK, name, own, steps, videos)
