"""``rla.plot_curves``: learning curves with honest bands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy

from rla_hooks.errors import warn
from rla_hooks.plot.bands import check_band
from rla_hooks.plot.checks import Mistakes, is_number
from rla_hooks.plot.curve_data import Options, Panel, curves_of, numbers_of, panels_of
from rla_hooks.plot.curve_figure import CurveFigure, Look, drawn
from rla_hooks.plot.groups import (
    LABEL,
    Group,
    Legend,
    chosen_runs,
    grouped,
    joined,
    joined_text,
    labelled,
    names_of,
    with_metrics,
)
from rla_hooks.plot.looks import check_looks, check_on_log_axis, lines_of
from rla_hooks.plot.output import check_save
from rla_hooks.plot.paper import check_size
from rla_hooks.plot.resample import check_resample, check_smooth
from rla_hooks.plot.transforms import Transform, check_transform
from rla_hooks.plot.twins import twins_note
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.writers.base import STEP

_MANY = 20  # curves of a panel that nobody can tell apart


def plot_curves(
    runs: Any,
    metrics: str | Sequence[str],
    by: str | Sequence[str] | Callable[[SavedRun], Any] | None = None,
    *,
    x: str = STEP,
    band: str | Sequence[str] | None = "ci95",
    estimator: str = "mean",
    transform: Transform | Mapping[str, Transform] | None = None,
    smooth: float | int | None = None,
    resample: str | int | Sequence[float] | numpy.ndarray[Any, Any] = "auto",
    overlap: bool = False,
    split: str | None = None,
    together: bool = False,
    columns: int | None = None,
    share: str | None = "xy",
    x_range: tuple[float | None, float | None] | None = None,
    y_range: tuple[float | None, float | None] | None = None,
    scale: float = 1.0,
    log: str | None = None,
    legend: Legend | bool = None,
    colors: Any = None,
    markers: Any = None,
    baselines: Mapping[str, Any] | None = None,
    individual: bool = False,
    title: str | None = None,
    size: Any = "neurips",
    save: str | os.PathLike[str] | None = None,
) -> CurveFigure:
    """Draw learning curves: of runs that differ only in their seeds one curve with a band. Return the figure.

    runs: what :func:`rla_hooks.runs` returns, a list of its runs, or a task's name.
    metrics: one name, or several, of which each has a panel; together: they are curves of one panel. split: a
    parameter; each of its values has a panel. columns: so many panels in a row.
    by: the parameters that tell curves apart; without it those that differ among the runs, but for seeds and ``split``;
    or a function of a run that returns the label of its curve.
    x: any column of numbers; ``"timestamp"`` is the time since a run's first row, without that in which it
    waited to be resumed.

    estimator: ``"mean"``, ``"median"`` or ``"iqm"`` of the seeds. band: ``"ci95"`` (the t interval of a mean, else the
    percentile bootstrap), ``"stderr"``, ``"std"``, ``"minmax"``, ``"iqr"``, None, or a list, of which the further ones
    are fainter. The figure says which; of one seed there is none.
    transform: a function of x and y of a run, two arrays, that returns both; or a mapping from metrics to functions.
    smooth: None; a weight such as 0.9 of a debiased exponential mean; or a number of rows to take the mean of.
    resample: where curves have points: ``"auto"`` at the steps of their runs (1,000 at most), a number of points evenly
    spaced (100,000 at most), or an array of x. Between two rows of a run lies a line; before its first row, after its
    last one, and beside a NaN or an infinity it has no value. Where seeds are missing the line is thin, and the legend
    says "5 to 3 seeds". Runs that end less than an interval, and 5 % of the range, apart end together, at the first of
    these ends, unless an array names points behind it; likewise at the beginning. overlap: only where all runs of a
    curve have rows.

    x_range, y_range: (low, high), None for an end that follows the data. scale: a factor on y. log: ``"x"``, ``"y"`` or
    ``"xy"``. share: the axes that panels share: ``"xy"``, ``"x"``, ``"y"`` or None; y only among those of one metric.
    legend: a mapping from labels or values to texts, or a function of a dict of a curve's values; False for none.
    colors, markers: a list, or a mapping as ``legend`` takes it; ``markers=False`` for none. baselines: horizontal
    lines, a number each, or a mapping from metrics, or values of ``split``, to numbers; ``scale`` holds for them, too.
    individual: draw each run as well, as a thin line. title: a text, also with ``$mathematics$``.
    size: a name in ``rla_hooks.plot.paper.SIZES`` (neurips, iclr, icml, icml-wide, jmlr), a width, or (width, height)
    in inches; the legend is added to the height. save: a path; see ``CurveFigure.save``.

    Raises :class:`~rla_hooks.errors.ConfigError` with all mistakes, and for no runs or metrics that no run has. What is
    left out of the figure gives a warning: runs without the metric, rows that a resumed run has logged again; so does,
    as the figure says, too, what runs of one curve differ in beside their seeds.

    >>> import rla_hooks as rla
    >>> for algo in ("ppo", "sac"):
    ...     for seed in range(3):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", algo=algo, seed=seed):
    ...             for step in range(0, 5000, 1000):
    ...                 rla.log({"perf/return": step / 1000 + seed}, step=step)
    >>> figure = rla.plot_curves(rla.runs(task="demo"), "perf/return", by="algo", size="icml", save="figures/return")
    >>> figure.data.groupby("algo")["y"].max().to_dict(), len(figure.axes)
    ({'ppo': 5.0, 'sac': 5.0}, 1)
    """
    mistakes = Mistakes("plot_curves")
    names = mistakes.names("metrics", metrics, '"perf/return"')
    mistakes.range("x_range", x_range)
    mistakes.range("y_range", y_range)
    mistakes.text("x", x)
    check_band(mistakes, estimator, band, several=True)
    check_transform(mistakes, transform, names)
    check_smooth(mistakes, smooth)
    check_resample(mistakes, resample)
    check_size(mistakes, size)
    check_looks(mistakes, colors, markers, baselines)
    mistakes.choice("log", log, ("x", "y", "xy", None))
    mistakes.choice("share", share, ("xy", "x", "y", None))
    for flag, value in (("individual", individual), ("overlap", overlap), ("together", together)):
        mistakes.flag(flag, value)
    if columns is not None and not (isinstance(columns, int) and columns >= 1):
        mistakes.wrong("columns", columns, "a number of panels in a row, from 1 on, or None for as many as fit.")
    if not is_number(scale) or scale == 0:
        mistakes.wrong("scale", scale, "a number other than 0, by which y is multiplied.")
    if "y" in str(log or "") and not mistakes.found:
        check_on_log_axis(mistakes, baselines or {}, scale)
    mistakes.text_or_none("title", title)
    mistakes.text_or_none("split", split)
    check_save(mistakes, save, "-".join(names) or None)
    mistakes.raise_any()
    found = chosen_runs(runs, "plot_curves")
    texts = None if isinstance(legend, bool) else legend
    with mistakes.raised():
        apart = [LABEL] if callable(by) else [name for name in names_of(found, by) if name != split]
        of_groups = None if together else texts
        groups = labelled(found, by, of_groups) if callable(by) else grouped(found, apart, of_groups)
        groups = with_metrics(groups, apart, names, texts) if together else groups
        bands = [band] if isinstance(band, str) else [each for each in band or () if each is not None]
        options = Options(
            metrics=names, by=apart, split=split, x=x, bands=bands, estimator=estimator, transform=transform,
            smooth=smooth, resample=resample, overlap=overlap, x_range=x_range or (None, None),
            y_range=y_range or (None, None), scale=float(scale), log=log or "",
        )  # fmt: skip
        panels = panels_of(found, [""] if together else names, split)
        curves = curves_of(found, groups, panels, options)
        lines = lines_of(groups, colors, markers)
    if len(groups) > _MANY:
        warn(
            f"the figure has {len(groups)} curves, which nobody can tell apart. Name what is to be compared by by=, or "
            "choose fewer runs by rla.runs(where=...)"
        )
    parts = [*_of_curves(groups, panels)]
    remarks = [joined_text("plot_curves", "curve", joined(parts, [*apart, split])), *twins_note(parts)]
    look = Look(
        lines, baselines or {}, individual, title, size, share or "", columns, with_legend=legend is not False,
        is_math=texts is not None, remarks=remarks,
    )  # fmt: skip
    figure, axes = drawn(curves, groups, panels, options, look)
    result = CurveFigure(figure, axes, numbers_of(curves, groups, panels, options), found.query, "-".join(names))
    if save is not None:
        result.save(save)
    return result


def _of_curves(groups: Sequence[Group], panels: Sequence[Panel]) -> Iterator[list[SavedRun]]:
    """Yield the runs of each curve."""
    for panel in panels:
        inside = {*map(id, panel.runs)}
        for group in groups:
            yield [run for run in group.runs if id(run) in inside]
