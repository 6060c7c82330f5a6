"""The functions of ``import rla_hooks as rla`` that speak to the current run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks.core import registry
from rla_hooks.core.run import Run
from rla_hooks.tester import needed_run


def current_run() -> Run | None:
    """Return the run that this code runs in, or None outside one.

    Threads that the training starts have the training's run; of runs that are open side by side none is current.

    >>> import rla_hooks as rla
    >>> print(rla.current_run())
    None
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     rla.current_run() is run
    True
    """
    run: Run | None = registry.current()
    return run


def log(values: Mapping[str, Any], step: int | None = None) -> None:
    """Log a row of metrics to the current run.

    values: numbers, strings, or arrays and tensors of one element, by name; None is a missing value, and what is no
    scalar is left out with one warning. step: the row's time step; rows without one count on. The row is in the
    operating system's hands when this returns. Raises :class:`~rla_hooks.errors.RunError` outside a run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     rla.log({"perf/return": 12.0, "loss": 0.5}, step=10)
    ...     rla.log({"perf/return": 13.0})
    >>> rla.runs()[-1].metrics()["time-step"].tolist()
    [10, 11]
    """
    needed_run("rla.log").log(values, step)


def new_saver(
    max_to_keep: int | None = 5, var_prefix: str | None = "", objects: Mapping[str, Any] | None = None
) -> None:
    """Set how the current run keeps checkpoints.

    max_to_keep: how many of the newest, of each checkpoint name; None: all. objects: what :func:`save_checkpoint`
    saves, and :func:`load_checkpoint` restores, where they are given none. var_prefix: only parameters whose name
    begins so. Raises :class:`~rla_hooks.errors.ConfigError` for what cannot be used, RunError outside a run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     rla.new_saver(max_to_keep=1)
    ...     for step in range(3):
    ...         path = rla.save_checkpoint({"weights": [1.0, 2.0]}, step=step)
    ...     sorted(file.name for file in run.checkpoint_dir.glob("*.pkl"))
    ['checkpoint-2.pkl']
    """
    needed_run("rla.new_saver").new_saver(max_to_keep, var_prefix, objects)


def save_checkpoint(
    model_dict: Mapping[str, Any] | None = None,
    related_variable: Mapping[str, Any] | None = None,
    checkpoint_name: str = "checkpoint",
    step: int | None = None,
) -> Path | None:
    """Save models, optimisers, tensors and plain data of the current run, complete or not at all; return the path.

    model_dict: by name; None takes the objects of :func:`new_saver`. related_variable: plain data that a loaded run
    gets back (``get_custom_data``). step: that of the last row where none is given. Trouble with the disk, or with
    what is given, costs one warning and returns None. Raises RunError outside a run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none"):
    ...     rla.save_checkpoint({"weights": [1.0, 2.0]}, checkpoint_name="best", step=7).name
    'best-7.pkl'
    """
    run = needed_run("rla.save_checkpoint")
    return run.save_checkpoint(model_dict, related_variable, checkpoint_name, step)


def load_checkpoint(
    step: int | None = None,
    checkpoint_name: str = "checkpoint",
    objects: Mapping[str, Any] | None = None,
    weights_only: bool = True,
) -> tuple[int, dict[str, Any]]:
    """Return (step, content) of the newest complete checkpoint of the current run, or of the one of ``step``.

    The content has the state of each object by its name. objects: models, optimisers and tensors that get their state
    back in place. No code of the file is run unless ``weights_only`` is False. Raises
    :class:`~rla_hooks.errors.CheckpointError` where there is none, or it does not fit; RunError outside a run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none"):
    ...     path = rla.save_checkpoint({"weights": [1.0, 2.0]}, step=7)
    ...     rla.load_checkpoint()
    (7, {'weights': [1.0, 2.0]})
    """
    run = needed_run("rla.load_checkpoint")
    return run.load_checkpoint(step, checkpoint_name, objects, weights_only)


def save_figure(name: str, figure: Any, step: int | None = None, pretty: bool = False) -> Path | None:
    """Save a matplotlib figure or an image under the current run's results, and show it in TensorBoard.

    name: with "/" for sub-folders. figure: a Figure or Axes, or an array of shape (H, W), (H, W, C) or (C, H, W), C in
    1, 3, 4, of bool, integers of 0 to 255 or floats of 0 to 1. step: stands in the file's name. pretty: PDF instead of
    PNG. Returns the path; None, after one warning, where it cannot be saved. Raises RunError outside a run.

    >>> import numpy, rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none"):
    ...     rla.save_figure("eval/frame", numpy.zeros((4, 4)), step=10).name
    'frame-10.png'
    """
    return needed_run("rla.save_figure").save_figure(name, figure, step, pretty)


def simple_plot(
    name: str,
    data: Any = None,
    x: Any = None,
    y: Any = None,
    labels: Any = None,
    pretty: bool = False,
    xlabel: str = "",
    ylabel: str = "",
    colors: Any = None,
    styles: Any = None,
    cover: bool = False,
    **options: Any,
) -> Path | None:
    """Draw curves and save the figure in the current run.

    data: a list of curves, over their index; or x and y: lists of them. labels, colors, styles: one for each curve;
    styles are matplotlib's format strings such as ``"x--"``. pretty: PDF instead of PNG. cover: replace a figure of
    that name, which else stays. options: ``step``, and those of ``Axes.plot``. Returns the path; None, after one
    warning, where nothing was drawn. Raises RunError outside a run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none"):
    ...     rla.simple_plot(name="returns", data=[[1, 2, 3], [1, 1, 2]], labels=["ours", "baseline"]).name
    'returns.png'
    """
    run = needed_run("rla.simple_plot")
    return run.simple_plot(name, data, x, y, labels, pretty, xlabel, ylabel, colors, styles, cover, **options)


def simple_scatter(
    name: str,
    datas: Any,
    texts: Any = None,
    pretty: bool = False,
    xlabel: str = "",
    ylabel: str = "",
    cover: bool = False,
    **options: Any,
) -> Path | None:
    """Draw clouds of points and save the figure in the current run.

    datas: arrays of shape (n, 2). texts: one for each cloud, at its mean. options: ``step``, and those of
    ``Axes.scatter``. The rest as in :func:`simple_plot`.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none"):
    ...     rla.simple_scatter("states", [[[0.0, 1.0], [1.0, 2.0]]], texts=["start"]).name
    'states.png'
    """
    run = needed_run("rla.simple_scatter")
    return run.simple_scatter(name, datas, texts, pretty, xlabel, ylabel, cover, **options)


def simple_hist(
    name: str,
    data: Any,
    labels: Any = None,
    pretty: bool = False,
    xlabel: str = "",
    ylabel: str = "",
    colors: Any = None,
    styles: Any = None,
    cover: bool = False,
    **options: Any,
) -> Path | None:
    """Draw one histogram for each sequence of numbers, over common bins, and save the figure in the current run.

    options: ``step``, and those of ``Axes.hist``. The rest as in :func:`simple_plot`.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none"):
    ...     rla.simple_hist("returns", [[1, 2, 2, 3]], labels=["ours"]).name
    'returns.png'
    """
    run = needed_run("rla.simple_hist")
    return run.simple_hist(name, data, labels, pretty, xlabel, ylabel, colors, styles, cover, **options)
