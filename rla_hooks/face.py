"""The functions of ``import rla_hooks as rla``: each calls the same-named method of the current run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks import lifecycle
from rla_hooks.current import required
from rla_hooks.tester import Tester


def current_run() -> Tester | None:
    """Return the run that this code runs in, or None outside one."""
    return lifecycle.current()


def log(values: Mapping[str, Any], step: int | None = None) -> None:
    """Log a row of metrics to the current run; without a step rows count on. Raises RunError outside a run."""
    required("rla.log").log(values, step)


def new_saver(
    max_to_keep: int | None = 5, var_prefix: str | None = "", objects: Mapping[str, Any] | None = None
) -> None:
    """Set how the current run keeps checkpoints. See :meth:`Tester.new_saver`."""
    required("rla.new_saver").new_saver(max_to_keep, var_prefix, objects)


def save_checkpoint(
    model_dict: Mapping[str, Any] | None = None,
    related_variable: Mapping[str, Any] | None = None,
    checkpoint_name: str = "checkpoint",
    step: int | None = None,
) -> Path | None:
    """Save a checkpoint of the current run. See :meth:`Tester.save_checkpoint`."""
    run = required("rla.save_checkpoint")
    return run.save_checkpoint(model_dict, related_variable, checkpoint_name, step)


def load_checkpoint(
    step: int | None = None,
    checkpoint_name: str = "checkpoint",
    objects: Mapping[str, Any] | None = None,
    weights_only: bool = True,
) -> tuple[int, dict[str, Any]]:
    """Load a checkpoint of the current run. See :meth:`Tester.load_checkpoint`."""
    run = required("rla.load_checkpoint")
    return run.load_checkpoint(step, checkpoint_name, objects, weights_only)


def save_figure(name: str, figure: Any, step: int | None = None, pretty: bool = False) -> Path | None:
    """Save a figure or an image array under the current run's results. See :meth:`Tester.save_figure`."""
    return required("rla.save_figure").save_figure(name, figure, step, pretty)


def simple_plot(name: str, *args: Any, **kwargs: Any) -> Path | None:
    """Draw curves and save the figure. See :meth:`Tester.simple_plot`."""
    return required("rla.simple_plot").simple_plot(name, *args, **kwargs)


def simple_scatter(name: str, *args: Any, **kwargs: Any) -> Path | None:
    """Draw clouds of points and save the figure. See :meth:`Tester.simple_scatter`."""
    return required("rla.simple_scatter").simple_scatter(name, *args, **kwargs)


def simple_hist(name: str, *args: Any, **kwargs: Any) -> Path | None:
    """Draw histograms and save the figure. See :meth:`Tester.simple_hist`."""
    return required("rla.simple_hist").simple_hist(name, *args, **kwargs)
