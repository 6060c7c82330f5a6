"""RLA's figures of curves: which runs they are of, what a curve is called, and what ``rla.plot_curves`` makes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.easy_plot.looks import arguments_of, check_lengths
from rla_hooks.errors import ConfigError, warn
from rla_hooks.plot import CurveFigure, PaperFigure, plot_curves
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.windows import give_to_pyplot
from rla_hooks.query.folder_patterns import runs_in_folders
from rla_hooks.query.run_list import Runs
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.tables import metric_names
from rla_hooks.texts import listed, printable, shell_path, shown, text_of

__all__ = ["Drawn"]

ALL = "ALL"  # what RLA calls the panel that has all metrics
_KINDS = {"stderr": ("se", "err"), "std": ("ss", "std"), "minmax": ("sr", "range")}
Label = Callable[[SavedRun, str], str]  # of a run and a metric


class Drawn(tuple[dict[str, Any], dict[str, Any]]):
    """What RLA's functions return: the curves, and their ends; ``figure`` is what ``rla.plot_curves`` returned.

    curves: ``{panel: {label + "-se": [None, mean, spread]}}``, with ``-se``, ``-ss`` and ``-sr`` as the band is a
    standard error, a standard deviation, or the range, which has the lowest and the highest in place of these two.
    ends: ``{label + "-err": [mean, spread]}`` at the last x, likewise.
    """

    figure: CurveFigure


def chosen(data_root: Any, task: Any, regs: Any, hp_filter: Mapping[str, Any] | None) -> dict[str, Runs]:
    """Return the runs that each pattern fits, and the filter. Raises ConfigError where none is there."""
    patterns = [regs] if isinstance(regs, str) else regs
    if not isinstance(patterns, (list, tuple)) or not patterns or not isinstance(task, str) or not task:
        raise ConfigError(
            f"regs is {shown(regs, 100)}, of the task {shown(task, 60)}. Allowed: a list of patterns below the task, "
            "such as ['2026/01/31/*lr=0.1*']."
        )
    if hp_filter is not None and not isinstance(hp_filter, Mapping):
        raise ConfigError(
            f"hp_filter_dict is {shown(hp_filter, 100)}. Allowed: a mapping, such as {{'lr': [0.1, 0.2]}}."
        )
    allowed = {key: {str(value) for value in _several(values)} for key, values in (hp_filter or {}).items()}
    found = {}
    for pattern in patterns:
        of_pattern = runs_in_folders(data_root, task, pattern)
        fitting = [run for run in of_pattern if _fits(run, allowed)]
        query = f"{of_pattern.query}{f' with {shown(hp_filter, 200)}' if allowed else ''}"
        found[pattern] = Runs(fitting, query)
    if not any(found.values()):
        tried = printable(listed([repr(each) for each in patterns], 6))
        raise ConfigError(
            f"no run of the task {printable(repr(task))} in {shell_path(Path(data_root))} fits {tried}. Allowed: "
            "patterns of the folders below the task, such as '2026/01/31/*', or '*' for all. To see what there is: "
            f"rla runs --log-root {shell_path(Path(data_root))}"
        )
    return found


def _several(values: Any) -> Iterable[Any]:
    return values if isinstance(values, (list, tuple, set, frozenset)) else [values]


def _fits(run: SavedRun, allowed: Mapping[str, set[str]]) -> bool:
    """Whether a run has one of these values of each parameter, where it has that parameter."""
    return all(str(run.hparams[key]) in values for key, values in allowed.items() if key in run.hparams)


def parameter_texts(run: SavedRun, keys: Sequence[str]) -> dict[str, str]:
    """Return the values of parameters as texts; ``NF`` for those that the run does not have."""
    known = run.record | run.hparams
    return {key: str(known[key]) if key in known else "NF" for key in keys}


def told(found: Mapping[str, Runs], label: Callable[[SavedRun], object], is_long: bool) -> None:
    """Print how many runs each pattern has found; long: and which, and what their curves are called."""
    for pattern, runs in found.items():
        print(f"{printable(pattern)}: {len(runs)} run{'' if len(runs) == 1 else 's'}")
        for run in runs if is_long else ():
            print(f"  {printable(run.name)} [{printable(str(label(run)))}]")


def present(found: Mapping[str, Runs], metrics: Sequence[str]) -> list[int]:
    """Return the places of the metrics that a run has, and print the others, which RLA left out.

    All of them where no run has any: ``rla.plot_curves`` then says which there are.
    """
    known = metric_names([run for runs in found.values() for run in runs])
    there = [place for place, metric in enumerate(metrics) if metric in known]
    for metric in metrics if there else ():
        if metric not in known:
            print(f"no run has {printable(repr(metric))}: it is left out")
    return there or [*range(len(metrics))]


def by_pattern(found: Mapping[str, Runs], texts: Any) -> Label:
    """Return the function that labels a run by the pattern that has found it. Raises ConfigError for one of two."""
    names = dict(zip(found, check_lengths("the legend", texts, len(found), "pattern in regs")))
    label_of: dict[SavedRun, str] = {}
    for pattern, runs in found.items():
        for run in runs:
            if label_of.setdefault(run, names[pattern]) != names[pattern]:
                raise ConfigError(
                    f"{printable(run.name)} fits {pattern!r} and another pattern of regs. Allowed: one curve for each "
                    "run. Give patterns that exclude each other."
                )
    return lambda run, metric: label_of[run]


def draw(
    found: Mapping[str, Runs],
    metrics: list[str],
    label: Label,
    options: Mapping[str, Any],
    *,
    is_sorted: bool = True,
    together: bool = False,
    transform: Any = None,
    xlabel: str | None = None,
    ylabel: Any = None,
    rename: Callable[[list[str]], list[str]] | None = None,
) -> Drawn:
    """Draw the runs, of which those with one label are a curve.

    is_sorted: curves stand in the order of their labels, else of the patterns. rename: gives all labels other texts.
    """
    runs = [*dict.fromkeys(run for some in found.values() for run in some)]
    together = together and len(metrics) > 1
    keys = {run: label(run, metrics[0]).removesuffix(f" eval:{metrics[0]}") for run in runs}
    runs = sorted(runs, key=keys.__getitem__) if is_sorted else runs
    texts = _texts(runs, metrics if together else metrics[:1], label, keys)
    if rename is not None:
        texts = dict(zip(sorted(texts, key=texts.__getitem__), rename(sorted(texts.values()))))
    legend = lambda values: texts[values["label"], values.get("metric", metrics[0])]  # noqa: E731
    arguments = arguments_of(options, 1 if together else len(metrics))
    if arguments["legend"] is None:
        arguments["legend"] = legend
    chosen_runs = Runs(runs, " + ".join(some.query for some in found.values()))
    figure = plot_curves(chosen_runs, metrics, by=keys.__getitem__, together=together, transform=transform, **arguments)
    _finish(figure, options, xlabel, ylabel)
    result = Drawn(_returned(figure, texts, together or len(metrics) == 1, arguments["band"]))
    result.figure = figure
    return result


def _texts(
    runs: Sequence[SavedRun], metrics: Sequence[str], label: Label, keys: Mapping[SavedRun, str]
) -> dict[tuple[str, str], str]:
    """Return the text of each curve by its key and metric; what names no metric does so where there are several."""
    texts = {(keys[run], metric): label(run, metric).strip() for run in runs for metric in metrics}
    if len({*texts.values()}) < len(texts):
        texts = {(key, metric): f"{text} eval:{metric}" for (key, metric), text in texts.items()}
    return texts


def _finish(figure: CurveFigure, options: Mapping[str, Any], xlabel: Any, ylabel: Any) -> None:
    """Give the panels the labels, the limits of x, and the colours of lines that plot_curves has no word for."""
    names = None if ylabel is None else [ylabel] if isinstance(ylabel, str) else [*map(str, ylabel)]
    for number, axes in enumerate(figure.axes):
        if axes.get_xlabel() and xlabel is not None:
            set_name(axes.xaxis.label, str(xlabel), is_math=True)
        if names is not None:
            set_name(axes.yaxis.label, names[min(number, len(names) - 1)], is_math=True)
        if options["xlim"] is not None:
            axes.set_xlim(*options["xlim"])
    for _, color, style, text in options["bound_line"] or ():
        lines = [line for axes in figure.axes for line in axes.lines if line.get_label() == str(text)]
        for legend in figure.figure.legends:
            pairs = zip(legend.get_lines(), legend.get_texts())
            lines += [line for line, artist in pairs if artist.get_text() == str(text)]
        for line in lines:
            line.set(color=color, linestyle=style)


def _returned(
    figure: CurveFigure, texts: Mapping[tuple[str, str], str], is_one: bool, bands: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    curves: dict[str, Any] = {}
    ends: dict[str, Any] = {}
    for (metric, key), rows in figure.data.groupby(["metric", "label"], sort=False):
        text = texts.get((key, metric)) or next(text for (each, _), text in texts.items() if each == key)
        panel = curves.setdefault(ALL if is_one else metric, {})
        y = rows["y"]
        for at, band in enumerate(bands):
            ends_of = [rows[name if at == 0 else f"{name}.{band}"].fillna(y) for name in ("low", "high")]  # of one seed
            low, high = (each.to_numpy(float) for each in ends_of)
            pair = (low, high) if band == "minmax" else (y.to_numpy(float), (high - low) / 2)
            short, long = _KINDS[band]
            panel[f"{text}-{short}"] = [None, *pair]
            ends[f"{text if is_one else f'{text} {metric}'}-{long}"] = [float(each[-1]) for each in pair]
    return curves, ends


def saved(drawn: Drawn, folder: Path, name: Any, path: Any = None) -> None:
    """Write the figure to a file in the folder, or to the path, and say where; show it, too.

    Where it is neither written nor shown, say how to.
    """
    if name is not None or path is not None:
        target = os.path.join(folder, str(name)) if path is None else os.fspath(path)
        for written in drawn.figure.save(target):
            print(f"saved: {shell_path(written)}")
    if not show(drawn.figure) and name is None and path is None:
        print("the figure is in the result: result.figure.save('figures/curves.pdf'), or give save_name='curves.pdf'")


def show(figure: PaperFigure) -> bool:
    """Show a figure below the cell of a notebook, elsewhere in a window, if pyplot has windows.

    Elsewhere it is pyplot's current figure: programs of RLA go on with ``plt.savefig``. Return whether it was shown.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "kernel"):
        ipython.display.display(figure)
        return True
    try:
        has_windows = give_to_pyplot(figure.figure)
    except Exception as error:  # of MPLBACKEND
        warn(f"the figure cannot be shown: pyplot says {printable(text_of(error))}. It is in the result: .figure.save")
        return False
    if has_windows:
        sys.modules["matplotlib.pyplot"].show()
    return has_windows
