"""Which settings of a sweep have a run already, and what is to become of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks import life
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.endings import FINISHED, PRUNED
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.layout import LOG
from rla_hooks.parameters import flatten, safe
from rla_hooks.query import SavedRun, runs
from rla_hooks.query.moved import paths_of
from rla_hooks.resume_checks import is_of_task, is_same_function, newest_checkpoint

_SCALARS = (bool, int, float, str, type(None))


class Existing:
    """The runs of a group, by their hyper-parameters. names: the parameters that the sweep gives values."""

    def __init__(self, log_root: Path, task: str | None, function: str | None, group: str, names: Iterable[str]):
        self._names, self._by_key = [*names], dict[Any, list[SavedRun]]()
        found = runs(log_root, task, group=group) if (log_root / LOG).is_dir() else ()
        self.runs = [run for run in found if is_of_task(run, task) and _is_of(run, function)]
        for run in self.runs:
            self._by_key.setdefault(self._key(run.hparams), []).append(run)

    @property
    def sweep_id(self) -> str | None:
        """The id of the sweep that these runs are of; None where there is none."""
        return next((run.sweep["id"] for run in reversed(self.runs) if run.sweep), None)

    def find(self, hyper_param: Mapping[str, Any]) -> SavedRun | None:
        """Return the run with exactly these hyper-parameters: a done one, else one that is alive, else the last."""
        flat = {key: safe(value) for key, value in flatten(hyper_param).items()}
        fit = [
            run
            for run in self._by_key.get(self._key(flat), ())
            if not FormerParameters(run.run_json, run.hparams).differences(hyper_param)
        ]
        return max(reversed(fit), key=lambda run: (is_done(run), is_alive(run)), default=None)

    def _key(self, flat: Mapping[str, Any]) -> tuple[Any, ...]:
        """What is equal for equal hyper-parameters, and quickly found; more is compared where it is."""
        values = (flat.get(name) for name in self._names)
        return tuple(value if isinstance(value, _SCALARS) and value == value else None for value in values)  # no NaN


def going_on(member: SweepMember) -> SweepMember:
    """Return a setting as it is to begin once more, where nobody kept which run it had: that run goes on."""
    mine = {"id": member.id, "index": member.index}, member.title
    runs = Existing(member.log_root, None, None, member.group, ()).runs
    found = [run for run in runs if (run.sweep, member.title and run.title) == mine]
    if not found:
        return member
    run = found[-1]
    return member.replaced(resume=str(run.log_dir), from_start=not has_checkpoint(run), is_again=True)


def _is_of(run: SavedRun, function: str | None) -> bool:
    return is_same_function(run.run_json.get("function"), function)


def is_done(run: SavedRun) -> bool:
    """Whether nothing is left to do."""
    return run.status in (FINISHED, PRUNED)


def is_alive(run: SavedRun) -> bool:
    """Whether it runs, as far as anybody can see from here."""
    return life.is_running(run.status)


def has_checkpoint(run: SavedRun) -> bool:
    """Whether the run can go on from where it was; else it begins anew."""
    return newest_checkpoint(Manifest(paths_of(run).checkpoint_dir)) is not None
