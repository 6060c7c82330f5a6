"""How a framework's hook finds the run it belongs to, or plans one of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rla_hooks as rla
from rla_hooks import Run
from rla_hooks.hooks import OwnRun


def join_or_plan(tell: bool = True, **options: Any) -> Run:
    """Return the run that is open here, or a Run whose name is chosen but of which nothing exists on disk.

    ``options``: those of :func:`configured`. ``tell``: let the scripts that a launcher starts know the name.
    """
    run = open_run()
    if run is not None:
        return run
    run = configured(**options)
    run.quiet_stdout()
    run.plan(tell)
    return run


def configured(
    *,
    task: str,
    config: str | None,
    log_root: str | None,
    record: Mapping[str, Any] | None,
    writers: list[str] | None,
    backup: str | None,
) -> Run:
    """Return a Run for a run of a hook's own; nothing is created. Raises ConfigError with all mistakes."""
    own = OwnRun(
        "run", task, task=task, config=config, log_root=log_root, record=record, writers=writers, backup=backup
    )
    return Run(own.settings())


def open_run(progress_bar: bool = True) -> Run | None:
    """Return the run that the user has opened. That of another logger is none to join: two loggers are two runs.

    ``progress_bar``: the framework has one on stdout.
    """
    run = rla.current_run()
    if run is None or run.made_by_hook:
        return None
    if progress_bar:
        run.quiet_stdout()
    return run


def settled(run: Run) -> Run:
    """Return the run that the user has opened since ``run`` was planned, if nothing has been written to that; or it."""
    if run.made_by_hook and not run.is_writing:
        return open_run() or run
    return run


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without nesting: those of an inner dict become ``<key>/<inner key>``."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            result |= {f"{key}/{inner}": leaf for inner, leaf in flat(value).items()}
        else:
            result[str(key)] = value
    return result


def add_hyper_params(run: Run, params: Mapping[str, Any]) -> None:
    """Add a module's hyper-parameters to the run's, without the notes that LightningCLI leaves among them (2.6)."""
    run.add_hyper_params({key: params[key] for key in params if key not in ("_instantiator", "_class_path")})


def started(run: Run) -> Run:
    """Start a planned run; take over one whose process was forked for the training."""
    if not run.is_writing:
        run.adopt()
    return run


def share(run: Run, trainer: Any) -> None:
    """Make the run of rank zero that of all ranks, which all call this; the others know its folders and write nothing.

    A launcher like torchrun tells them nothing, and one that copies the Trainer makes each of them believe it writes.
    """
    if trainer.world_size == 1:
        return
    paths = trainer.strategy.broadcast(run.paths)
    if not trainer.is_global_zero:
        run.follow(paths)
    elif run.is_writing:
        run.adopt()  # where it came by pickle it is not yet the current run of this process


def list_checkpoint(run: Run, callback: Any) -> None:
    """Note what a ModelCheckpoint has just saved, if it lies in the run's checkpoint folder."""
    path, folder = getattr(callback, "_last_checkpoint_saved", ""), run.checkpoint_dir
    if path and folder and run.is_writing and os.path.abspath(path).startswith(f"{folder}{os.sep}"):
        run.register_checkpoint(Path(path), getattr(callback, "_last_global_step_saved", None))
