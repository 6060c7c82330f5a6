"""Reads runs back from their folders. It needs no open run and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import unquote

from rla_hooks.config.reading import log_root_of
from rla_hooks.delegation import value_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.layout import RunPaths, check_task, parse, run_names
from rla_hooks.life import read_status
from rla_hooks.query import rows
from rla_hooks.smallfiles import read_json

if TYPE_CHECKING:
    import pandas

UNKNOWN = "unknown"
_FOLDER = "Of this run; see rla_hooks.layout."


class HasCheckpoints(Protocol):
    """A saved run, or one that is open."""

    @property
    def checkpoint_dir(self) -> Path | None: ...


@dataclass(frozen=True)
class SavedRun:
    """A run as read from its folders. ``problems`` lists what is damaged; everything else can be read.

    ``name``, ``task``, ``status``; ``hparams``: parameter.json; ``info``: run.json; ``paths``: where its files are.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["lr"], task="demo", writers=["csv"], backup="none")
    ... def main(lr=0.1, steps=3):
    ...     for step in range(steps):
    ...         rla.log({"loss": 1.0 / (step + 1)}, step=step)
    >>> main()
    >>> run = rla.runs()[-1]
    >>> run.task, run.status, run.hparams
    ('demo', 'finished', {'lr': 0.1, 'steps': 3})
    >>> run.info["rows"], run.info["last_step"], run.record
    (3, 2, {'lr': '0.1'})
    """

    paths: RunPaths = field(repr=False)
    name: str
    task: str
    status: str
    hparams: dict[str, Any] = field(repr=False)
    info: dict[str, Any] = field(repr=False)  # run.json
    problems: tuple[str, ...] = ()

    @property
    def record(self) -> dict[str, str]:
        """The record parameters as texts, as in the run's name; ``hparams`` has the values."""
        return parse(self.name).record

    log_dir: ClassVar[Path] = value_of("paths", "log_dir", _FOLDER)
    code_dir: ClassVar[Path] = value_of("paths", "code_dir", _FOLDER)
    checkpoint_dir: ClassVar[Path] = value_of("paths", "checkpoint_dir", _FOLDER)
    results_dir: ClassVar[Path] = value_of("paths", "results_dir", _FOLDER)
    tensorboard_dir: ClassVar[Path] = value_of("paths", "tensorboard_dir", _FOLDER)

    def metrics(self) -> pandas.DataFrame:
        """Return the rows as a pandas DataFrame, one row per dump, in the order of writing; empty without rows.

        Those of several processes are joined by time. A step may have several rows, each with other columns filled.
        Floats are bit-equal to those that were logged. Raises :class:`~rla_hooks.errors.RLAError` if pandas is not
        installed.
        """
        try:
            return rows.read(rows.files(self.log_dir))
        except ModuleNotFoundError as error:
            raise RLAError("metrics() needs pandas. Install it: pip install 'rla-hooks[pandas]'") from error


def runs(log_root: str | os.PathLike[str] | None = None, task: str | None = None) -> list[SavedRun]:
    """Return the saved runs of a log root, newest last.

    log_root: by default that of the config (see :func:`rla_hooks.config.load`). task: only runs of this task. A damaged
    run is listed, too, with what is wrong in ``problems``; so are runs of the original RLA.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["seed"], task="demo", writers=["csv"], backup="none")
    ... def main(seed):
    ...     rla.log({"return": 10.0 * seed}, step=0)
    >>> for seed in range(3):
    ...     main(seed)
    >>> [(run.hparams["seed"], run.info["last"]["return"]) for run in rla.runs(task="demo")]
    [(0, 0.0), (1, 10.0), (2, 20.0)]
    """
    root = log_root_of(log_root)
    return [_read(RunPaths(root, name)) for name in run_names(root, task)]


def _read(paths: RunPaths) -> SavedRun:
    problems: list[str] = []
    info: dict[str, Any] = {}
    hparams: dict[str, Any] = {}
    status = UNKNOWN
    with _noting(problems, paths.run_json):
        info = read_json(paths.run_json)
        status = read_status(info, (paths.log_dir, paths.tensorboard_dir, paths.checkpoint_dir))
    with _noting(problems, paths.parameter_json):
        hparams = read_json(paths.parameter_json)
    return SavedRun(paths, paths.name, _task(paths.name, info), status, hparams, info, tuple(problems))


@contextmanager
def _noting(problems: list[str], path: Path) -> Iterator[None]:
    """Add to the problems why a file cannot be read."""
    try:
        yield
    except FileNotFoundError:
        problems.append(f"{path.name} is missing")
    except (OSError, ValueError) as error:
        problems.append(f"{path.name} cannot be read: {error}")


def _task(name: str, info: dict[str, Any]) -> str:
    """The task as the user wrote it; its folders have it in escaped form."""
    folders, written = parse(name).task, info.get("task")
    with suppress(ConfigError):
        if check_task(written) == folders:
            return str(written)
    return unquote(folders)


def latest_checkpoint(run: HasCheckpoints | str | os.PathLike[str], name: str | None = None) -> Path | None:
    """Return the path of the newest complete checkpoint of a run, or None if there is none.

    run: a saved run, an open one, or the path of a checkpoint folder. name: only checkpoints that were saved under this
    name, such as "best".

    >>> import rla_hooks as rla
    >>> @rla.track(task="demo", writers=["csv"], backup="none")
    ... def main():
    ...     for step in range(3):
    ...         rla.save_checkpoint({"weights": [0.5, step]}, step=step)
    >>> main()
    >>> run = rla.runs()[-1]
    >>> rla.latest_checkpoint(run).name, rla.latest_checkpoint(run, "best")
    ('checkpoint-2.pkl', None)
    """
    from rla_hooks.checkpoints.manifest import latest

    folder: Any = getattr(run, "checkpoint_dir", run)
    return None if folder is None else latest(folder, name)
