"""What all environments of one name have in common in a run: the numbers of their steps and episodes."""

from __future__ import annotations

import weakref
from typing import Any

from rla_hooks.integrations._gymnasium.videos import Shelf

from rla_hooks.hooks import Run, WarnOnce


class Shared:
    """What all environments of one name have in common in a run: environments of one training count together."""

    def __init__(self, run: Run, name: str):
        self.made = 0  # steps; not those of the present episode of a member
        self.members: weakref.WeakSet[Any] = weakref.WeakSet()  # the wrappers of single environments
        self.episodes = 0
        self.is_described = False
        self._id: str | None = None  # of the first environment
        self.warn = WarnOnce()
        self.shelf = Shelf(name)
        self._name = name
        self._resumed: Run | None = run if run.is_resumed and run.record is not None else None
        self._former = (0, 0) if self._resumed is None else self._found(run)

    @property
    def former(self) -> tuple[int, int]:
        """The steps and episodes behind which a resumed run goes on.

        They are not known before the checkpoint is loaded, which cuts rows: SB3's ``learn`` resets environments first.
        """
        run = self._resumed
        if run is not None and not run.awaits_checkpoint:
            self._resumed = None
            if _loaded_step(run) is not None:
                self._former = self._found(run)
        return self._former

    def _found(self, run: Run) -> tuple[int, int]:
        """Where the rows end; or at the checkpoint, whose episode may have had steps, and no row yet."""
        content = run.record.content if run.record is not None else {}
        step = max(content.get("last_step") or 0, _loaded_step(run) or 0)
        return int(step), int(content.get("last", {}).get(f"{self._name}/number", -1)) + 1

    @property
    def steps(self) -> int:
        """The steps that all environments have made in the run."""
        return self.former[0] + self.steps_here

    @property
    def steps_here(self) -> int:
        """Those of this process. A single environment counts by itself, which costs less at each step."""
        return self.made + sum(max(int(member._rla_length), 0) for member in self.members)

    def go_on(self, steps: int, episodes: int) -> None:
        """Count on from a whole state that was loaded: so many steps had been made, and episodes begun."""
        self._resumed, self._former = None, (steps - self.steps_here, episodes - self.episodes)

    def other_than(self, id: str | None) -> str | None:
        """The id of the first environment, if it is known and another one than this."""
        self._id = self._id or id
        return self._id if id not in (None, self._id) else None

    def number(self, taken: int) -> int:
        """Return the number in the run of an episode that has taken this one."""
        return self.former[1] + taken

    def take_numbers(self, count: int) -> int:
        """Return the first of so many numbers for new episodes, which count from the start of this process."""
        number = self.episodes
        self.episodes += count
        return number


def _loaded_step(run: Run) -> int | None:
    """The step of the checkpoint with which a resumed run has begun its present life; None before it is loaded."""
    restarts = run.record.content.get("restarts") if run.record is not None else None
    step = restarts[-1].get("step") if restarts else None
    return step if isinstance(step, int) else None
