"""Reads from a Trainer: its ranks, whether a step is logged, its namespace; and shares the run among the ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rla_hooks.integrations import _versions

from rla_hooks.hooks import Run

NAMESPACES = ("pytorch_lightning", "lightning.pytorch")  # two trees of classes


def share(run: Run, trainer: Any) -> None:
    """Make the run of rank zero that of all ranks, which all call this; the others then write nothing.

    torchrun passes no folders on to the ranks, and a launcher that copies the Trainer copies a run that writes.
    """
    if trainer.world_size == 1:
        return
    paths = trainer.strategy.broadcast(run.paths)
    if not trainer.is_global_zero:
        run.follow(paths)
    elif run.is_writing:
        run.adopt()  # where it came by pickle it is not yet the current run of this process


def add_hyper_params(run: Run, params: Mapping[str, Any]) -> None:
    """Add a module's hyper-parameters to the run's, without the notes that LightningCLI leaves among them (2.6)."""
    run.add_hyper_params({key: params[key] for key in params if key not in ("_instantiator", "_class_path")})


def logs_step(trainer: Any, module: Any) -> bool:
    """Whether Lightning logs the metrics of the batch that has just ended."""
    return (
        bool(trainer.log_every_n_steps)
        and trainer._logger_connector.should_update_logs
        and not (module.automatic_optimization and trainer.fit_loop._should_accumulate())
    )


def steps_taken(trainer: Any) -> int:
    """Return how many batches took an optimizer step. In a batch's own hook that batch is not among them."""
    return int(trainer.fit_loop.epoch_loop._batches_that_stepped)


def check_namespace(callback: Any, trainer: Any) -> None:
    """Raise ConfigError for a callback of the other namespace, which the Trainer would not use for checkpoints."""
    ours = _versions.package_of(callback, NAMESPACES)
    _versions.check_same_package(ours, trainer, "Trainer", NAMESPACES)
