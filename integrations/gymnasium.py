"""track_episodes: the episodes of a Gymnasium environment as rows, and videos of some of them.

from rla_hooks.integrations.gymnasium import track_episodes

env = track_episodes(gymnasium.make("CartPole-v1", render_mode="rgb_array"), video="cubes")
envs = track_episodes(gymnasium.make_vec("CartPole-v1", num_envs=8))
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rla_hooks.integrations import _versions

_versions.check("gymnasium", (1, 0), "pip install 'rla-hooks[gymnasium]'")  # before the import, which would say less

# ruff: noqa: E402
import gymnasium
from rla_hooks.integrations._gymnasium.describe import describe, layers
from rla_hooks.integrations._gymnasium.recorded import Recorded, tracker
from rla_hooks.integrations._gymnasium.vector import TrackVectorEpisodes

from rla_hooks.errors import ConfigError

__all__ = ["TrackEpisodes", "TrackVectorEpisodes", "track_episodes"]


def track_episodes(env: Any, video: Any = None, every: int | None = None, **options: Any) -> Any:
    """Return ``env`` in a wrapper that records its episodes in the run that is open; if there is none, in a new one.

    env: an environment of Gymnasium, or a vector environment. At the end of each episode there is a row with
    ``episode/return``, ``episode/length``, ``episode/time`` in seconds, ``episode/number`` and, if the last info has
    ``is_success`` or ``success``, ``episode/success``. The time step is the number of steps that the environments of
    this name have made in the run; resets by a vector environment are no steps.

    video: the episodes that are filmed: "first", "every" (the first of each ``every`` episodes, by default 100),
    "cubes" (0, 1, 8, 27, ... 729, then each thousandth), "best" (each episode of the first sub-environment is rendered,
    and the video of the highest return kept), a function of the episode's number, or several of these in a list.

    Further options: name: the first part of the columns, by default "episode"; environments of one name count their
    steps and episodes together. steps: a function that returns the time step, in place of the environment's steps.
    keep: the number of newest videos that are kept, by default 10. max_frames: the most of one video, by default 3000.
    row_every: the number of episodes in a row of a vector environment, as means; by default 1, with more than 64
    sub-environments their number. All others are those of ``rla.run``, for a run that the wrapper creates; but
    ``record`` is a mapping. Raises ConfigError with all mistakes.

    >>> import gymnasium, rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     env = track_episodes(gymnasium.make("CartPole-v1", max_episode_steps=5))
    ...     for _ in range(2):
    ...         _, info = env.reset(seed=1)
    ...         over = False
    ...         while not over:
    ...             *_, terminated, over, info = env.step(env.action_space.sample())
    >>> rla.runs()[-1].metrics()["episode/return"].tolist()
    [5.0, 5.0]
    """
    if isinstance(env, gymnasium.vector.VectorEnv):
        return TrackVectorEpisodes(env, video, every, **options)
    if isinstance(env, gymnasium.Env):
        return TrackEpisodes(env, video, every, **options)
    raise ConfigError(
        f"env is {env!r:.100} ({type(env).__name__}). Allowed: an environment of gymnasium, or a "
        "gymnasium.vector environment. For the environments of Stable-Baselines3 give make_vec_env "
        "wrapper_class=track_episodes, or use RLACallback of rla_hooks.integrations.sb3."
    )


class TrackEpisodes(Recorded, gymnasium.Wrapper, gymnasium.utils.RecordConstructorArgs):
    """Records the episodes of one environment: see :func:`track_episodes`.

    A pickled one joins the run that is open where it is loaded; one that ``copy.deepcopy`` has made records nothing,
    since it is there to look ahead.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        video: Any = None,
        every: int | None = None,
        keep: int = 10,
        max_frames: int = 3000,
        name: str = "episode",
        steps: Callable[[], Any] | None = None,
        **options: Any,
    ):
        given = {"video": video, "every": every, "keep": keep, "max_frames": max_frames, "name": name, **options}
        # For spec. Not ``steps``, a function of this program's training.
        gymnasium.utils.RecordConstructorArgs.__init__(self, **{k: v for k, v in given.items() if v is not None})
        gymnasium.Wrapper.__init__(self, env)
        self._rla_tracker = tracker(env, video, every, keep, max_frames, name, steps, None, options)
        self._rla_films, self._rla_shared = self._rla_tracker.films, None
        self._rla_resets_itself = any(isinstance(each, gymnasium.wrappers.Autoreset) for each in layers(env))
        self._rla_return, self._rla_length, self._rla_number, self._rla_began = 0.0, 0, -1, 0.0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        result = self.env.reset(seed=seed, options=options)
        tracker, before = self._rla_tracker, self._rla_shared
        tracker.end_film(0)  # of an episode that was not played to its end
        self._rla_leave_episode()
        self._rla_shared = tracker.join()
        if self._rla_shared is not None:
            tracker.describe(lambda: describe(self.env, seed))
            if self._rla_shared is not before:
                if before is not None:
                    before.members.discard(self)
                self._rla_begin()
            if tracker.begin_film(0, self._rla_number, self.metadata):
                tracker.add_frame(0, self._rla_render)
        self._rla_began = time.perf_counter()
        return result

    def _rla_begin(self) -> None:
        """Count together with the other environments of the run."""
        self._rla_shared.members.add(self)
        self._rla_number = self._rla_shared.take_numbers(1)

    def _rla_join(self) -> None:
        super()._rla_join()
        if self._rla_shared is not None:
            self._rla_begin()

    def _rla_episodes(self) -> dict[str, Any]:
        shared = self._rla_shared
        return {
            "return": self._rla_return,
            "length": self._rla_length,
            "seconds": time.perf_counter() - self._rla_began,
            "numbers": None if shared is None else shared.number(self._rla_number),
        }

    def _rla_take_episodes(self, state: dict[str, Any]) -> None:
        self._rla_return, self._rla_length = state["return"], state["length"]
        self._rla_began = time.perf_counter() - state["seconds"]

    def _rla_take_numbers(self, numbers: Any, first: int | None) -> None:
        if numbers is not None and first is not None:
            self._rla_number = numbers - first

    def step(self, action: Any) -> Any:
        _, reward, terminated, truncated, info = result = self.env.step(action)
        try:
            self._rla_return += reward if type(reward) is float else _number(reward)
        except Exception as error:
            self._rla_return = float("nan")
            self._rla_tracker.trouble("a reward is no number, so the return is NaN", error)
        self._rla_length += 1
        if self._rla_films:
            self._rla_tracker.add_frame(0, self._rla_render)
        if terminated or truncated:
            self._rla_end(info)
        return result

    def _rla_end(self, info: Any) -> None:
        """The episode is over. There may be no reset, but a further step."""
        tracker, now = self._rla_tracker, time.perf_counter()
        total, length, number = self._rla_return, self._rla_length, self._rla_number
        seconds, self._rla_began = now - self._rla_began, now
        self._rla_leave_episode()
        tracker.row(total, length, seconds, number, info)
        tracker.end_film(0, total)
        if self._rla_resets_itself:  # by the next step, which is none of the episode's
            self._rla_length = -1
            tracker.begin_film(0, self._rla_number, self.metadata)

    def _rla_leave_episode(self) -> None:
        """The steps of the present episode, if there are any, are made; what comes next is another one."""
        if self._rla_length > 0 and self._rla_shared is not None:
            self._rla_shared.made += self._rla_length
            self._rla_number = self._rla_shared.take_numbers(1)
        self._rla_return, self._rla_length = 0.0, 0

    def _rla_render(self) -> Any:
        if not str(self.env.render_mode).endswith("_list"):
            return self.env.render()
        return self.env.get_wrapper_attr("frame_list")[-1]  # render() would take the frames away from the user

    def close(self) -> None:
        self._rla_tracker.finish()
        self._rla_leave_episode()
        super().close()

    def __del__(self) -> None:
        """What it has counted in an episode that has not ended stays counted."""
        try:  # not suppress: when the program ends, the names of this module may be gone
            self._rla_leave_episode()
        except Exception:  # of an object that was never complete
            pass


def _number(reward: Any) -> float:
    """Also of an array of one element, of which numpy makes no float."""
    try:
        return float(reward)
    except TypeError:
        return float(reward.item())
