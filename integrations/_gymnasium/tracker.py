"""What the wrappers of one and of many environments share: the run, the numbers of steps and episodes, rows, films."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy
from rla_hooks.integrations._gymnasium.film import Film
from rla_hooks.integrations._gymnasium.shared import Shared
from rla_hooks.integrations._gymnasium.videos import AT_ONCE, Videos
from rla_hooks.integrations._options import warn_of_unused

from rla_hooks.hooks import Handle, OwnRun, Run, WarnOnce, attach_or_plan, open_run

_SUCCESS = "is_success", "success"


_shared: weakref.WeakKeyDictionary[Run, dict[str, Shared]] = weakref.WeakKeyDictionary()
_own_runs: weakref.WeakKeyDictionary[Handle, dict[str, Any]] = weakref.WeakKeyDictionary()  # created here, by options


class Tracker:
    """Records the episodes of one wrapper. What goes wrong gives one warning, and the training goes on."""

    def __init__(self, hook: str, name: str, own: OwnRun, steps: Callable[[], Any] | None, videos: Videos):
        self.hook, self.name, self.videos = hook, name, videos
        self.keys = tuple(f"{name}/{key}" for key in ("return", "length", "time", "number"))
        self.warn = WarnOnce()
        self.run: Run | None = None
        self.shared: Shared | None = None
        self._described: Shared | None = None  # which knows the kind of this environment
        self.is_copy = False  # made by copy.deepcopy: it looks ahead, and its episodes are none of the training's
        self.films: dict[int, tuple[Film, int, bool]] = {}  # by sub-environment, with its number and whether chosen
        self._own, self._steps = own, steps
        self._handle: Handle | None = None
        self._waiting: list[Any] = []  # episodes that have no row yet: arrays of return, length, time and success
        self._count_waiting = 0

    def __getstate__(self) -> dict[str, Any]:
        """A copy has no run and no films; in another process it joins the run that is open there."""
        return self.__dict__ | {
            "run": None,
            "shared": None,
            "_described": None,
            "films": {},
            "_handle": None,
            "_waiting": [],
            "_count_waiting": 0,
        }

    # --- the run --------------------------------------------------------------------------------------------------

    def join(self) -> Shared | None:
        """Return what belongs to the run of the environment, which starts if it is to be a new one; else None.

        None: this process, or this copy, records nothing.
        """
        try:
            run = None if self.is_copy else self._find()
        except Exception as error:
            self.trouble("the run", error)
            run = None
        if run is not self.run:
            self.run, self.shared = run, None
            if run is not None:
                self.shared = _shared.setdefault(run, {}).setdefault(self.name, Shared(run, self.name))
                self.warn = self.shared.warn
                run.at_end(_weakly(self.finish))
        return self.shared

    def _find(self) -> Run | None:
        run = open_run()
        if run is not None and run is self.run and run.is_writing:  # the usual case, at each reset
            return run
        if _is_worker() and not (run is not None and run.is_writing):
            self._tell_worker()
            return None
        if run is not None:
            warn_of_unused(self.hook, self._own.given, self.warn)
            self._handle = attach_or_plan(self._own, tell=False)
        elif self._handle is None:
            self._handle = self._of_others() or attach_or_plan(self._own, tell=False)
            _own_runs[self._handle] = dict(self._own.options)
            planned = self._handle.resolve()
            if planned.made_by_hook:
                planned.quiet_stdout()  # a table for each episode hides what the script prints
        run = self._handle.ensure_started()
        return run if run.is_writing else None

    def _of_others(self) -> Handle | None:
        """Return the run that another environment of the same training has created.

        Environments that train together, those of a DummyVecEnv, say, are all reset before one of them is stepped.
        """
        handle: Handle
        for handle, options in reversed([*_own_runs.items()]):
            run = handle.run
            if run is None or not run.is_writing or run.status != "running" or options != self._own.options:
                continue
            shared = _shared.get(run, {}).get(self.name)
            if shared is None or shared.steps_here == 0:
                return handle
        return None

    def _tell_worker(self) -> None:
        """Say once that nothing is recorded; of the workers of an AsyncVectorEnv the first one says it."""
        name = sys.modules["multiprocessing.process"].current_process().name  # type: ignore[attr-defined]
        is_off = os.environ.get("RLA_MODE", "").strip().lower() == "off"
        if is_off or (name.startswith("Worker<") and not name.endswith("-0")):
            return
        self.warn(
            "worker",
            "this environment runs in a worker process, where it does not record its episodes: each worker would count "
            "steps of its own. Track the vector environment, in the process that has the run: "
            "track_episodes(AsyncVectorEnv(...)). If the training itself runs here, open a run here, by rla.run(...).",
        )

    def describe(self, make: Callable[[], Mapping[str, Any]]) -> None:
        """Add the hyper-parameters that ``make`` returns to the run's, once; tell an environment of another kind."""
        if self.run is None or self.shared is None or self._described is self.shared:
            return
        self._described, is_first, self.shared.is_described = self.shared, not self.shared.is_described, True
        prefix = "" if self.name == "episode" else f"{self.name}."
        try:
            found = make()
            if other := self.shared.other_than(found.get("id")):
                names = f"{other} and {found['id']} share the columns {self.name}/..., which mixes their episodes"
                self.warn("mixed", f"{self.hook}: {names}. Give one of them a name of its own: name='eval'.")
            if is_first:
                self.run.add_hyper_params({f"{prefix}env.{key}": value for key, value in found.items()})
        except Exception as error:
            self.trouble("the environment's hyper-parameters", error)

    def trouble(self, what: str, error: Exception) -> None:
        """Warn once of an error, which must not end the training."""
        text = f"{type(error).__name__}: {error}"
        self.warn(("trouble", what), f"{self.hook}: {what}: {text}. The training goes on.")

    # --- rows -----------------------------------------------------------------------------------------------------

    def step(self) -> int:
        """The time step of a row now."""
        assert self.shared is not None
        if self._steps is not None:
            try:
                return int(self._steps())
            except Exception as error:
                self.trouble("steps() has failed, so rows have the steps of the environment", error)
        return self.shared.steps

    def row(self, total: float, length: int, seconds: float, number: int, info: Any, index: int | None = None) -> None:
        """Log a row for an episode that has ended. info, index: as :func:`success_of` takes them."""
        if self.run is None or self.shared is None:
            return
        number = self.shared.number(number)
        if total != total:
            self.warn("nan", f"the return of episode {number} is NaN: the environment has given such a reward.")
        values = dict(zip(self.keys, (total, length, seconds, number)))
        success = self._success(info, index)
        if success is not None:
            values[f"{self.name}/success"] = success
        self.run.log(values, self.step())

    def _success(self, info: Any, index: int | None) -> float | None:
        try:
            return success_of(info, index)
        except Exception as error:  # the user's objects
            self.trouble("the success of an episode cannot be read", error)
            return None

    def rows(self, returns: Any, lengths: Any, seconds: Any, numbers: Any, infos: Any, which: Any, every: int) -> None:
        """Log the episodes of the sub-environments ``which``, as arrays: each one, or means of at least ``every``."""
        if every == 1:
            rows = zip(*(each.tolist() for each in (returns, lengths, seconds, numbers, which)))
            for total, length, passed, number, index in rows:
                self.row(total, length, passed, number, infos, index)
            return
        known = None
        if not isinstance(infos, Mapping) or any(key in infos for key in ("final_info", *_SUCCESS)):
            successes = (self._success(infos, index) for index in which.tolist())
            known = numpy.array([numpy.nan if success is None else success for success in successes])
        self._waiting.append((returns, lengths, seconds, numpy.full(len(which), numpy.nan) if known is None else known))
        self._count_waiting += len(which)
        if self._count_waiting >= every:
            self._mean_row()

    @property
    def waiting(self) -> list[Any]:
        """The episodes that have no row yet, since a row is the mean of several."""
        return list(self._waiting)

    @waiting.setter
    def waiting(self, episodes: list[Any]) -> None:
        self._waiting, self._count_waiting = episodes, sum(len(each[0]) for each in episodes)

    def _mean_row(self) -> None:
        """Log a row with the means of the episodes that have none yet."""
        if not self._waiting or self.run is None:
            return
        returns, lengths, seconds, successes = map(numpy.concatenate, zip(*self._waiting))
        self._waiting, self._count_waiting = [], 0
        means = (float(each.mean()) for each in (returns, lengths, seconds))
        values: dict[str, Any] = {**dict(zip(self.keys, means)), f"{self.name}/count": len(returns)}
        known = successes[~numpy.isnan(successes)]
        if len(known):
            values[f"{self.name}/success"] = float(known.mean())
        self.run.log(values, self.step())

    # --- films ----------------------------------------------------------------------------------------------------

    def begin_film(self, index: int, number: int, metadata: Mapping[str, Any]) -> bool:
        """Film the episode of this number in the sub-environment ``index``, if it is chosen; return whether it is."""
        if self.run is None or self.shared is None or not self.videos.words:
            return False
        try:
            chosen = self.videos.is_chosen(self.shared.number(number))
            if (chosen or (self.videos.films_all and index == 0)) and len(self.films) < AT_ONCE:
                self.films[index] = self.videos.film(self.run, metadata.get("render_fps")), number, chosen
        except Exception as error:
            self._no_more_films(error)
        return index in self.films

    def add_frame(self, index: int, render: Callable[[], Any]) -> None:
        """Add what ``render`` returns to the film of a sub-environment."""
        film = self.films[index][0]
        if film.is_full:
            return
        try:
            film.add(render())
        except Exception as error:
            self._no_more_films(error)

    def end_film(self, index: int, total: float | None = None) -> None:
        """The episode is over; total: its return, None if it was not played to its end."""
        if index not in self.films or self.run is None or self.shared is None:
            return
        film, number, chosen = self.films.pop(index)
        shared = self.shared
        try:
            if shared.shelf.is_new:
                shared.shelf.take_former(self.run, shared.former[0])
            shared.shelf.end(self.run, self.videos, film, shared.number(number), self.step(), chosen, total)
        except BaseException as error:
            film.drop()
            if not isinstance(error, Exception):  # Ctrl-C
                raise
            self.trouble("a video was not saved", error)

    def _no_more_films(self, error: Exception) -> None:
        self.trouble("no more videos are recorded", error)
        self.drop_films()
        self.videos.words = ()

    def drop_films(self) -> None:
        """Forget the films of the present episodes."""
        for film, _, _ in self.films.values():
            film.drop()
        self.films.clear()

    def finish(self) -> None:
        """The environment is closed, or its run ends: log and save what is left."""
        self._mean_row()
        for index in list(self.films):
            self.end_film(index)


def success_of(info: Any, index: int | None = None) -> float | None:
    """Return whether an episode was a success, as 0.0 or 1.0, if its last info tells.

    index: of the sub-environment, if these are infos of a vector environment: a dict of arrays with masks, or a list.
    """
    if isinstance(info, (list, tuple)) and index is not None:
        info, index = info[index], None
    if not isinstance(info, Mapping):
        return None
    final = info.get("final_info")  # where the environment was reset within the step
    if isinstance(final, Mapping):
        info = final
    for key in _SUCCESS:
        value = info.get(key)
        if value is None:
            continue
        if index is not None:
            mask = info.get(f"_{key}")
            value = value[index] if mask is None or mask[index] else None
        if value is not None:
            return float(value)
    return None


def _is_worker() -> bool:
    """Whether multiprocessing has started this process."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and module.parent_process() is not None


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls the method, if its object is still there."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        found = reference()
        if found is not None:
            found()

    return call
