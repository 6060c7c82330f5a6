"""The wrapper of a vector environment."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy
from rla_hooks.integrations._gymnasium.describe import describe
from rla_hooks.integrations._gymnasium.recorded import Recorded, tracker

from rla_hooks.errors import ConfigError

_NEXT_STEP, _SAME_STEP, _DISABLED = "nextstep", "samestep", "disabled"  # modes of autoreset
_MANY = 64  # sub-environments; with more of them, a row is the mean of so many episodes


class TrackVectorEpisodes(Recorded, gymnasium.vector.VectorWrapper):
    """Records the episodes of a vector environment, in each of Gymnasium's autoreset modes: see :func:`track_episodes`.

    A step in which the vector environment resets a sub-environment is none of that one's episode, and does not count.
    """

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv,
        video: Any = None,
        every: int | None = None,
        keep: int = 10,
        max_frames: int = 3000,
        name: str = "episode",
        steps: Callable[[], Any] | None = None,
        row_every: int | None = None,
        **options: Any,
    ):
        self._rla_tracker = tracker(env, video, every, keep, max_frames, name, steps, row_every, options)
        self._rla_mode = _autoreset_mode(env)
        super().__init__(env)
        self._rla_films, self._rla_shared = self._rla_tracker.films, None
        self._rla_count = count = env.num_envs
        self._rla_row_every = row_every or (1 if count <= _MANY else count)
        self._rla_now = 0  # steps of the vector environment
        self._rla_over: Any = None  # the sub-environments that the next step resets
        self._rla_returns = numpy.zeros(count)
        self._rla_begins, self._rla_numbers = numpy.zeros(count, int), numpy.zeros(count, int)
        self._rla_began = numpy.zeros(count)  # on the clock

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        mask = options.get("reset_mask") if isinstance(options, dict) else None  # the environment takes it out
        result = self.env.reset(seed=seed, options=options)
        if mask is None or self._rla_shared is None:
            self._rla_tracker.finish()
            self._rla_shared = self._rla_tracker.join()
            if self._rla_shared is not None:
                self._rla_tracker.describe(lambda: describe(self.env, seed))
            which = numpy.arange(self._rla_count)
        else:
            which = numpy.flatnonzero(mask)
        self._rla_over = None
        self._rla_begin(which)
        return result

    def step(self, actions: Any) -> Any:
        _, rewards, terminations, truncations, infos = result = self.env.step(actions)
        shared = self._rla_shared
        if shared is None:
            return result
        if type(rewards) is not numpy.ndarray:
            rewards, terminations, truncations = map(_to_numpy, (rewards, terminations, truncations))
        try:
            if rewards.ndim > 1:  # (n, 1), of a learned reward say
                rewards = rewards.reshape(self._rla_returns.shape)
            numpy.add(self._rla_returns, rewards, out=self._rla_returns)
        except Exception as error:
            self._rla_returns[:] = numpy.nan
            self._rla_tracker.trouble("the rewards are no array of numbers, so returns are NaN", error)
        self._rla_now += 1
        shared.made += self._rla_count
        over = self._rla_over
        if over is not None:
            self._rla_over = None
            shared.made -= len(over)
        if self._rla_films or numpy.count_nonzero(terminations) or numpy.count_nonzero(truncations):
            self._rla_after_step(numpy.flatnonzero(numpy.logical_or(terminations, truncations)), infos)
        if over is not None:
            self._rla_begin(over)
        return result

    def _rla_episodes(self) -> dict[str, Any]:
        shared = self._rla_shared
        return {
            "now": self._rla_now,
            "over": self._rla_over,
            "returns": self._rla_returns,
            "begins": self._rla_begins,
            "seconds": time.perf_counter() - self._rla_began,
            "numbers": None if shared is None else shared.number(self._rla_numbers),
        }

    def _rla_take_episodes(self, state: dict[str, Any]) -> None:
        self._rla_now, self._rla_over = state["now"], state["over"]
        self._rla_returns[:], self._rla_begins[:] = state["returns"], state["begins"]
        self._rla_began = time.perf_counter() - state["seconds"]

    def _rla_take_numbers(self, numbers: Any, first: int | None) -> None:
        if numbers is not None and first is not None:
            self._rla_numbers[:] = numbers - first

    def _rla_after_step(self, over: Any, infos: Any) -> None:
        """Film the step, and note the episodes that are over."""
        if self._rla_films:
            begun = set(over.tolist()) if self._rla_mode == _SAME_STEP else ()  # they show the next episode already
            self._rla_add_frames([index for index in self._rla_films if index not in begun])
        if not len(over):
            return
        returns, lengths = self._rla_returns[over], self._rla_now - self._rla_begins[over]
        seconds = time.perf_counter() - self._rla_began[over]
        self._rla_tracker.rows(returns, lengths, seconds, self._rla_numbers[over], infos, over, self._rla_row_every)
        if self._rla_films:
            for index, total in zip(over.tolist(), returns.tolist()):
                self._rla_tracker.end_film(index, total)
        if self._rla_mode == _NEXT_STEP:
            self._rla_over = over
        elif self._rla_mode == _SAME_STEP:
            self._rla_begin(over)

    def _rla_begin(self, which: Any) -> None:
        """New episodes begin in these sub-environments."""
        if self._rla_shared is None:
            return
        self._rla_returns[which] = 0.0
        self._rla_begins[which] = self._rla_now
        self._rla_began[which] = time.perf_counter()
        number = self._rla_shared.take_numbers(len(which))
        self._rla_numbers[which] = numpy.arange(number, number + len(which))
        if self._rla_tracker.videos.words:
            for index in which.tolist():
                self._rla_tracker.end_film(index)  # of an episode that was not played to its end
            begin, numbers = self._rla_tracker.begin_film, self._rla_numbers
            self._rla_add_frames([i for i in which.tolist() if begin(i, int(numbers[i]), self.metadata)])

    def _rla_add_frames(self, which: list[int]) -> None:
        """Add a frame to the film of each of these sub-environments."""
        envs = getattr(self.env.unwrapped, "envs", None)
        render_all: Callable[[], Any] = functools.cache(self.env.render)  # which is the only way in other processes
        for index in which:
            if index in self._rla_films:
                render = functools.partial(_picture, render_all, index) if envs is None else envs[index].render
                self._rla_tracker.add_frame(index, render)

    def close(self, **kwargs: Any) -> None:
        if "env" in self.__dict__:  # Gymnasium 1.0 closes what is deleted, also after a mistake in the arguments
            self._rla_tracker.finish()
            super().close(**kwargs)


def _autoreset_mode(env: Any) -> str:
    """Return the autoreset mode as one of three words. Gymnasium 1.0 has one mode only, and does not say it."""
    mode = env.metadata.get("autoreset_mode", "NextStep")
    word = str(getattr(mode, "value", mode)).replace("_", "").lower()
    if word not in (_NEXT_STEP, _SAME_STEP, _DISABLED):
        raise ConfigError(
            f"metadata['autoreset_mode'] of the vector environment is {mode!r}. Allowed: "
            "gymnasium.vector.AutoresetMode.NEXT_STEP, SAME_STEP or DISABLED."
        )
    return word


def _picture(render: Callable[[], Any], index: int) -> Any:
    return render()[index]


def _to_numpy(values: Any) -> Any:
    """Return an array of torch or JAX, wherever it lies, as numpy's."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return numpy.asarray(values)
