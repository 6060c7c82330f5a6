"""The functions of wandb, for scripts that were written for it: ``import rla_hooks.integrations.wandb as wandb``.

Every run becomes plain folders of rla_hooks: no network, no account, and nothing of wandb is needed. docs/from_wandb.md
says what becomes of each call.

    import rla_hooks.integrations.wandb as wandb

    with wandb.init(project="cartpole", config={"lr": 1e-3}) as run:
        run.log({"return": 12.0})
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from rla_hooks.integrations._wandb import charts as plot
from rla_hooks.integrations._wandb import data_types, errors, missing, util
from rla_hooks.integrations._wandb.charts import plot_table, visualize
from rla_hooks.integrations._wandb.config import Config
from rla_hooks.integrations._wandb.data_types import (
    Audio,
    Histogram,
    Html,
    Image,
    Molecule,
    Object3D,
    Plotly,
    Table,
    Video,
)
from rla_hooks.integrations._wandb.errors import CommError, Error, UsageError
from rla_hooks.integrations._wandb.missing import AlertLevel, Api, Artifact, agent, controller, sweep
from rla_hooks.integrations._wandb.open_runs import NoSummary, OpenRuns
from rla_hooks.integrations._wandb.run import Run
from rla_hooks.integrations._wandb.summary import Summary

import rla_hooks

__version__ = rla_hooks.__version__
# fmt: off
__all__ = [
    "AlertLevel", "Api", "Artifact", "Audio", "CommError", "Config", "Error", "Histogram", "Html", "Image", "Molecule",
    "Object3D", "Plotly", "Run", "Settings", "Summary", "Table", "UsageError", "Video", "agent", "alert", "controller",
    "data_types", "define_metric", "errors", "finish", "init", "log", "log_artifact", "log_model", "login", "plot",
    "plot_table", "require", "restore", "save", "setup", "sweep", "teardown", "termerror", "termlog", "termwarn",
    "unwatch", "use_artifact", "use_model", "util", "visualize", "watch",
]
# fmt: on

if TYPE_CHECKING:
    run: Run | None
    config: Config
    summary: Summary

_runs = OpenRuns()
forget_state = _runs.forget  # between two tests


class _Module(types.ModuleType):
    """``wandb.run``, ``wandb.config`` and ``wandb.summary`` are those of the present run."""

    @property
    def run(self) -> Run | None:
        return _runs.present

    @property
    def config(self) -> Config:
        return _runs.config

    @config.setter
    def config(self, values: Any) -> None:
        if values is not _runs.config:
            _runs.config.update(values, allow_val_change=True)

    @property
    def summary(self) -> Summary | NoSummary:
        present = _runs.present
        return NoSummary() if present is None else present.summary

    def __getattr__(self, name: str) -> Any:
        advice = ""
        if name in ("integration", "keras", "lightning", "sb3", "sklearn", "xgboost", "lightgbm", "fastai"):
            advice = ". rla_hooks has a hook for each framework in its place: docs/frameworks.md"
        raise AttributeError(f"{self.__name__} has no {name!r}{advice}")


sys.modules[__name__].__class__ = _Module


# What scripts reach through the package, in annotations and before ``init``.
tensorboard = types.SimpleNamespace(patch=_runs.sync_tensorboard, unpatch=lambda: None)
gym = types.SimpleNamespace(monitor=missing.tell_monitor)
sdk = wandb_sdk = types.SimpleNamespace(
    wandb_run=types.SimpleNamespace(Run=Run),
    wandb_config=types.SimpleNamespace(Config=Config),
    wandb_summary=types.SimpleNamespace(Summary=Summary),
    data_types=data_types,
)


class Settings(types.SimpleNamespace):
    """Takes everything. ``mode``, ``project``, ``run_name`` and the like count where ``init`` is not told otherwise."""


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: Any = None,
    id: str | None = None,
    name: str | None = None,
    notes: str | None = None,
    tags: Any = None,
    config: Any = None,
    config_exclude_keys: list[str] | None = None,
    config_include_keys: list[str] | None = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,
    anonymous: Any = None,
    reinit: bool | str | None = None,
    resume: bool | str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,
    tensorboard: bool | None = None,
    sync_tensorboard: bool | None = None,
    monitor_gym: bool | None = None,
    settings: Any = None,
    magic: Any = None,
    **options: Any,
) -> Run:
    """Start a run, and return it; in a tracked call or block, join its run.

    options: those of ``rla.run``, such as ``log_root``, ``writers`` and ``record``, the names of values of the config
    that become part of the run's name. Raises ConfigError with all mistakes before anything is created.

    >>> run = init(project="demo", config={"lr": 0.1}, writers=["csv"], backup="none")
    >>> for step in range(3):
    ...     run.log({"loss": 1.0 / (step + 1)})
    >>> run.config.lr, run.step, run.summary["loss"]
    (0.1, 3, 0.3333333333333333)
    >>> run.finish()
    >>> rla_hooks.runs()[-1].last
    {'loss': 0.3333333333333333}
    """
    given = {"entity": entity, "project": project, "dir": dir, "id": id, "name": name, "notes": notes, "tags": tags}
    given |= {"group": group, "job_type": job_type, "mode": mode, "resume": resume}
    given |= {"resume_from": resume_from, "fork_from": fork_from}
    keys = config_include_keys, config_exclude_keys
    syncs = bool(sync_tensorboard or tensorboard)
    return _runs.init(given, config, keys, settings, reinit, syncs, bool(monitor_gym), options)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """End the present run, as failed with an ``exit_code`` other than 0; nothing without one."""
    present = _runs.present
    if present is not None:
        present.finish(exit_code)


join = finish


def log(data: Any, step: int | None = None, commit: bool | None = None, **unused: Any) -> None:
    """Log to the present run: see :meth:`Run.log`."""
    (_runs.newest or _runs.needed("log")).log(data, step, commit)


def define_metric(name: str, *args: Any, **kwargs: Any) -> Any:
    """See :meth:`Run.define_metric`."""
    return _runs.needed("define_metric").define_metric(name, *args, **kwargs)


def watch(models: Any, *args: Any, **kwargs: Any) -> None:
    """See :meth:`Run.watch`."""
    _runs.needed("watch").watch(models, *args, **kwargs)


def unwatch(models: Any = None) -> None:
    """See :meth:`Run.unwatch`."""
    _runs.needed("unwatch").unwatch(models)


def save(glob_str: Any = None, *args: Any, **kwargs: Any) -> bool | list[str]:
    """See :meth:`Run.save`."""
    return _runs.needed("save").save(glob_str, *args, **kwargs)


def restore(name: str, *args: Any, **kwargs: Any) -> Any:
    """See :meth:`Run.restore`."""
    return _runs.needed("restore").restore(name, *args, **kwargs)


def alert(title: str, text: str = "", level: Any = None, wait_duration: Any = None) -> None:
    """See :meth:`Run.alert`."""
    _runs.needed("alert").alert(title, text, level)


def log_artifact(*args: Any, **kwargs: Any) -> Any:
    """Say once what to use."""
    return _runs.needed("log_artifact").log_artifact(*args, **kwargs)


def use_artifact(*args: Any, **kwargs: Any) -> Any:
    """Say once what to use."""
    return _runs.needed("use_artifact").use_artifact(*args, **kwargs)


log_model = link_model = log_artifact
use_model = use_artifact


def login(*args: Any, **kwargs: Any) -> bool:
    """Return True: no account is needed."""
    return True


def setup(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


def require(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


def teardown(exit_code: int | None = None) -> None:
    """End the present run."""
    finish(exit_code)


def termlog(string: str = "", *args: Any, **kwargs: Any) -> None:
    """Print a line on stderr."""
    print(f"wandb: {string}", file=sys.stderr)


termwarn = termerror = termlog
