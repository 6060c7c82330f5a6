"""RLA's ``plot_func``: curves of the runs of a task whose folders fit patterns; it draws with ``rla.plot_curves``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.easy_plot.drawing import Drawn, by_pattern, chosen, draw, parameter_texts, present, saved, told
from rla_hooks.easy_plot.looks import check_lengths, options_of
from rla_hooks.easy_plot.points import transforms
from rla_hooks.layout import RESULTS
from rla_hooks.old_words import tell_modern_name
from rla_hooks.plot.checks import Mistakes
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.writers.base import STEP

__all__ = ["default_key_to_legend", "plot_func"]


def default_key_to_legend(
    parse_dict: dict[str, Any], split_keys: Sequence[str], y_name: str, use_y_name: bool = True
) -> str:
    """Return what a curve is called: its parameters, and the metric, if that is asked for; NF: there is no such.

    >>> default_key_to_legend({"lr": "0.1"}, ["lr", "info"], "loss")
    'lr=0.1.info=NF eval:loss'
    """
    text = ".".join(f"{key}={parse_dict.get(key, 'NF')}" for key in split_keys)
    return f"{text} eval:{y_name}" if use_y_name else text


def plot_func(
    data_root: str | os.PathLike[str],
    task_table_name: str,
    regs: Sequence[str],
    split_keys: Sequence[str],
    metrics: Sequence[str],
    use_buf: bool = False,
    verbose: bool = False,
    summarize_res: bool = True,
    x_bound: Any = None,
    xlabel: str | None = STEP,
    ylabel: str | Sequence[str] | None = None,
    scale_dict: Mapping[str, Any] | None = None,
    regs2legends: Sequence[str] | None = None,
    hp_filter_dict: Mapping[str, Any] | None = None,
    key_to_legend_fn: Callable[..., Any] = default_key_to_legend,
    split_by_metrics: bool = True,
    save_name: str | None = None,
    **looks: Any,
) -> Drawn:
    """Draw the curves of runs, of rla_hooks and of RLA, and return the numbers; ``.figure`` is the figure.

    regs: glob patterns of folders below ``log/<task>/``. split_keys: the parameters that tell curves apart; or
    regs2legends: a text for each pattern, whose runs are one curve. metrics: a panel each, unless split_by_metrics is
    False. hp_filter_dict: values that a parameter may have. x_bound: rows below it. scale_dict: functions, or factors,
    of a metric. key_to_legend_fn: as :func:`default_key_to_legend`. use_buf: rows are always kept in a cache.
    save_name: a file in ``<data_root>/results/easy_plot/``; save_path: one elsewhere. looks: those of RLA's
    ``plot_results``, such as ``resample=200``, ``shaded_range=False``, ``bound_line=[[20, "grey", "--", "BC"]]``.

    Raises :class:`~rla_hooks.errors.ConfigError` with all mistakes, and where there are no runs.

    >>> import rla_hooks as rla
    >>> from rla_hooks.easy_plot.plot_func_v2 import plot_func
    >>> for lr in (0.5, 0.25):
    ...     for seed in range(2):
    ...         with rla.run(task="demo", log_root="data", writers=["csv"], backup="none", lr=lr, seed=seed):
    ...             for step in range(3):
    ...                 rla.log({"return": lr * step + seed}, step=step)
    >>> drawn = plot_func("data", "demo", regs=["20*"], split_keys=["lr"], metrics=["return"], save_name="return.pdf")
    20*: 4 runs
    saved: data/results/easy_plot/return.pdf
    saved: data/results/easy_plot/return.png
    saved: data/results/easy_plot/return.csv
    >>> drawn.figure.data.groupby("label")["y"].max().to_dict()
    {'lr=0.25': 1.0, 'lr=0.5': 1.5}
    """
    tell_modern_name("easy_plot.plot_func", "rla.plot_curves(rla.runs(log_root, task=...), metrics, by=[...])")
    options = options_of({"xlim": None, **looks}, "plot_func")
    mistakes = Mistakes("plot_func")
    names = mistakes.names("metrics", metrics, '["perf/return"]')
    keys = mistakes.names("split_keys", split_keys, '["lr"]') if split_keys else []
    mistakes.raise_any()
    together = not split_by_metrics and len(names) > 1
    if ylabel is not None and not isinstance(ylabel, str):
        ylabel = check_lengths("ylabel", ylabel, 1 if together else len(names), "panel")
    with mistakes.raised():
        found = chosen(data_root, task_table_name, regs, hp_filter_dict)
        places = present(found, names)
        names = [names[place] for place in places]
        if ylabel is not None and not isinstance(ylabel, str) and not together:
            ylabel = [ylabel[place] for place in places]

        def by_keys(run: SavedRun, metric: str) -> str:
            return str(key_to_legend_fn(parameter_texts(run, keys), keys, metric, not split_by_metrics))

        label = by_keys if regs2legends is None else by_pattern(found, regs2legends)
        if summarize_res or verbose:
            told(found, lambda run: key_to_legend_fn(parameter_texts(run, keys), keys, "", False), verbose)
        how = {name: options[name] for name in ("resample", "smooth_step", "rescale_idx")}
        transform = transforms(names, scale_dict, {"x_bound": x_bound, **how})
    drawn = draw(
        found, names, label, options, is_sorted=regs2legends is None, together=together, transform=transform,
        xlabel=xlabel, ylabel=ylabel,
    )  # fmt: skip
    saved(drawn, Path(data_root, RESULTS, "easy_plot"), save_name, options["save_path"])
    return drawn
