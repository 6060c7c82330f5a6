"""RLA's ``plot_saved_images``: pictures of many runs side by side; it draws with ``rla.plot_images``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from rla_hooks.easy_plot.drawing import chosen, show, told
from rla_hooks.errors import ConfigError, warn
from rla_hooks.old_words import tell_modern_name
from rla_hooks.plot import PaperFigure, plot_images
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.image_files import images_of
from rla_hooks.texts import listed, printable

__all__ = ["plot_saved_images"]


def plot_saved_images(
    data_root: str | os.PathLike[str],
    task_table_name: str,
    regs: Sequence[str],
    img_names: Sequence[str],
    hp_filter_dict: Mapping[str, Any] | None = None,
    verbose: bool = False,
    max_keep_num: int = 1,
    summarize_res: bool = True,
) -> list[PaperFigure]:
    """Put the newest picture of each run that fits a pattern in a grid, and return a figure for each name of pictures.

    regs, hp_filter_dict: the runs, as for :func:`~rla_hooks.easy_plot.plot_func_v2.plot_func`. img_names: glob patterns
    of files in the results of a run. Pictures that RLA's recorders have saved, ``<step>-<name>.png``, and others are
    found. max_keep_num: more than the newest one are told, not drawn. In a notebook the figures show themselves.
    Raises :class:`~rla_hooks.errors.ConfigError` where there are no such runs or pictures.

    >>> import numpy, rla_hooks as rla
    >>> from rla_hooks.easy_plot.plot_saved_images import plot_saved_images
    >>> for seed in range(2):
    ...     with rla.run(task="demo", log_root="data", writers=["csv"], backup="none", seed=seed):
    ...         _ = rla.save_figure("imgs/frame", numpy.eye(8), step=10)
    >>> (figure,) = plot_saved_images("data", "demo", ["20*"], ["imgs/frame*"])
    20*: 2 runs
    >>> figure.data[["seed", "name", "step"]].values.tolist()
    [[0, 'imgs/frame', 10], [1, 'imgs/frame', 10]]
    """
    tell_modern_name("easy_plot.plot_saved_images", "rla.plot_images(rla.runs(log_root, task=...), name)")
    mistakes = Mistakes("plot_saved_images")
    patterns = mistakes.names("img_names", img_names, '["*frame*.png"]')
    mistakes.raise_any()
    with mistakes.raised():
        found = chosen(data_root, task_table_name, regs, hp_filter_dict)
    if summarize_res or verbose:
        told(found, lambda run: f"{len(images_of(run))} pictures", verbose)
    runs = dict.fromkeys(run for some in found.values() for run in some)
    images = [(image, image.path.relative_to(run.results_dir).as_posix()) for run in runs for image in images_of(run)]
    names: dict[str, None] = {}
    for pattern in patterns:
        fitting = [image.name for image, path in images if fnmatchcase(path, pattern)]
        names |= dict.fromkeys(fitting)
        if not fitting:
            warn(f"plot_saved_images: no picture of these runs fits {printable(repr(pattern))}")
    if not names:
        known = printable(listed([*dict.fromkeys(path for _, path in images)], 10))
        raise ConfigError(f"no picture fits img_names. There are: {known or 'none'}.", "plot_saved_images")
    if max_keep_num > 1:
        warn(
            "plot_saved_images draws the newest picture of each run. To draw others: rla.plot_images(runs, name, step=)"
        )
    having = {name: [*dict.fromkeys(image.run for image, _ in images if image.name == name)] for name in names}
    figures = [plot_images(those, name) for name, those in having.items()]
    for figure in figures:
        show(figure)
    return figures
