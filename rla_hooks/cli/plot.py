"""``rla plot``: a metric as a curve in the terminal, or as a figure for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rla_hooks.cli import completion
from rla_hooks.cli import figure_options as options
from rla_hooks.cli.cells import is_unicode
from rla_hooks.cli.common import Archived, EachRun, Json, Limit, LogRoot, Task, Where, app, names_in
from rla_hooks.cli.draw import MOST_CURVES, Curve, Look, chart
from rla_hooks.cli.figures import check_terminal, draw
from rla_hooks.cli.figures import show as show_figure
from rla_hooks.cli.objects import objects_of, print_json
from rla_hooks.cli.screen import stdout_console
from rla_hooks.cli.several import check_metrics, metrics_of, rows_of, several, short_names
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query import Runs, SavedRun
from rla_hooks.texts import listed, printable, shown
from rla_hooks.writers.base import STEP, TIME

_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


@app.command("plot")
def plot(
    metric: Annotated[str, typer.Argument(metavar="METRIC", autocompletion=completion.metrics)],
    run: EachRun = None,
    x: Annotated[
        str | None, typer.Option(help="What runs along the axis: timestamp, or a metric; by default time-step.")
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(min=0, help="Draw the mean of so many rows, up to each row; of a figure also a weight below 1."),
    ] = None,
    width: Annotated[int | None, typer.Option(min=20, max=1000, help="Columns; else those of the terminal.")] = None,
    height: Annotated[
        int | None, typer.Option(min=3, max=500, help="Lines of the curve in the terminal; by default 16.")
    ] = None,
    save: options.Save = None,
    show: options.Show = False,
    kind: options.Kind = None,
    by: options.By = None,
    tasks: options.Tasks = None,
    split: options.Split = None,
    score: options.Score = None,
    window: options.Window = None,
    band: options.Band = None,
    estimator: options.Estimator = None,
    aggregate: options.Aggregate = None,
    thresholds: options.Thresholds = None,
    gamma: options.Gamma = None,
    normalize: options.Normalize = None,
    level: options.Level = None,
    reps: options.Reps = None,
    seed: options.Seed = None,
    resample: options.Resample = None,
    x_range: options.XRange = None,
    y_range: options.YRange = None,
    scale: options.Scale = None,
    log: options.Log = None,
    share: options.Share = None,
    baseline: options.Baseline = None,
    legend: options.Legend = None,
    individual: options.Individual = None,
    overlap: options.Overlap = None,
    together: options.Together = None,
    colors: options.Colors = None,
    markers: options.Markers = None,
    step: options.Step = None,
    columns: options.Columns = None,
    title: options.Title = None,
    size: options.Size = None,
    where: Where = None,
    limit: Limit = None,
    task: Task = None,
    log_root: LogRoot = None,
    archived: Archived = False,
    as_json: Json = False,
) -> None:
    """Draw a metric as curves in the terminal, or a figure for a paper with --save or --show.

    In the terminal by default of the newest run; several have a legend of what they differ in. A gap is where the
    metric is NaN or infinite. The time stamps of a run count from its first row, without
    the time in which it waited to be resumed.

    A figure is by default of all runs: a curve with a band for those that differ only in their seeds, or another
    --kind. Several metrics have commas between them. Options that begin with "Figure" count only there, and are
    those of rla.plot_curves and its kin; see docs/plots.md.

    Examples:

        rla plot perf/return
        rla plot perf/return latest latest~1 --smooth 20
        rla plot perf/return --by algo --save return.pdf
        rla plot perf/return --by algo --kind bars --baseline random=20 --show
    """
    given = {name: value for name, value in locals().items() if name in options.OPTIONS}
    is_figure = save is not None or show
    found = several(run, log_root, task, where, limit, default=() if is_figure else ["latest"])
    if not is_figure:
        check_terminal(given)
        _in_terminal(found, metric, x or STEP, _rows(smooth), (width, height or 16), as_json)
        return
    if width is not None or height is not None:
        raise ConfigError("--width and --height count only in the terminal. The size of a figure: --size.")
    if smooth is not None:
        given["smooth"] = int(smooth) if smooth >= 1 and smooth.is_integer() else smooth
    is_one = kind == "images" or any(metric in each.last for each in found)
    figure = draw(found, [metric] if is_one else names_in([metric]), kind or "curves", given | {"x": x})
    files = figure.save(save) if save is not None else []
    if as_json:
        print_json({"files": [str(file) for file in files], "query": figure.query, "data": objects_of(figure.columns)})
    else:
        for file in files:
            print(printable(file))
    if show:
        show_figure(figure)


def _rows(smooth: float | None) -> int:
    """Return how many rows a curve in the terminal is smoothed over."""
    if smooth is None:
        return 1
    if smooth < 1 or not smooth.is_integer():
        raise ConfigError(f"--smooth is {smooth:g}. Allowed: a number of rows; of a figure, also a weight below 1.")
    return int(smooth)


def _in_terminal(found: Runs, metric: str, x: str, smooth: int, size: tuple[int | None, int], as_json: bool) -> None:
    """Draw a curve for each run."""
    check_metrics([metric, *([x] if x not in (STEP, TIME) else [])], found)
    pairs = [(each, _curve(each, label, metric, x)) for each, label in zip(found, short_names(found), strict=True)]
    drawn = [(each, curve) for each, curve in pairs if curve is not None]
    curves = [curve if smooth == 1 else _smoothed(curve, smooth) for _, curve in drawn]
    if not curves:
        raise RLAError(_no_numbers(metric, x, found))
    if as_json:
        documents = [
            {"id": each.id, "name": each.name, "label": label, "x": xs, "y": ys}
            for (each, _), (label, xs, ys) in zip(drawn, curves, strict=True)
        ]
        print_json({"metric": metric, "x": x, "smooth": smooth, "runs": documents})
        return
    _print(curves, metric if smooth == 1 else f"{metric}  (mean of {smooth})", x, *size)


def _no_numbers(metric: str, x: str, found: Sequence[SavedRun]) -> str:
    """Say that no curve can be drawn, and of which metrics one can."""
    texts = {name for run in found for name, value in run.last.items() if isinstance(value, str)}
    others = [name for name in metrics_of(found) if name not in texts | {metric}]
    over = "" if x in (STEP, TIME) else f" over {shown(x, 100)}"
    hint = f" Give another metric: {listed(others, 20)}." if others else ""
    return f"{shown(metric, 100)}{over} of these runs holds no numbers.{hint}"


def _print(curves: Sequence[Curve], title: str, x: str, width: int | None, height: int) -> None:
    console = stdout_console()
    fits = console.width if console.is_terminal else 80
    look = Look(width or fits, height, is_unicode(), console.color_system is not None and not console.no_color)
    drawn = list(curves)[-MOST_CURVES:]
    if len(drawn) < len(curves):
        title += f"  (the newest {len(drawn)} of {len(curves)} runs)"
    name = x
    if x == TIME:
        longest = max(float(curve.xs.max()) for curve in drawn)
        seconds, unit = next(each for each in _UNITS if longest >= 2 * each[0] or each[0] == 1)
        drawn = [curve._replace(xs=curve.xs / seconds) for curve in drawn]
        name = f"{unit} since the first row"
    console.width = max(console.width, look.width + 1)
    console.print(chart(drawn, title, name, look), end="")


def _curve(run: SavedRun, label: str, metric: str, x: str) -> Curve | None:
    """Return the points of a run; None where it has none."""
    import numpy

    from rla_hooks.query.curves import seconds_in, x_of_rows

    columns = rows_of(run, [metric, x])
    if any(name not in columns or columns[name].values.dtype == object for name in (metric, x)):
        return None
    ys, xs = columns[metric], x_of_rows(columns, x)
    there: Any = numpy.ones(len(ys.values), bool)
    for column in (ys, xs):
        there &= True if column.present is None else column.present
    found = xs.values[there].astype(float)
    if not len(found):
        return None
    if x == TIME:
        found = seconds_in(xs, run.resumed_at)[there]
    return Curve(label, found, ys.values[there].astype(float))


def _smoothed(curve: Curve, rows: int) -> Curve:
    from rla_hooks.plot.gather import Points
    from rla_hooks.plot.resample import smoothed

    return curve._replace(ys=smoothed(Points(curve.xs, curve.ys), rows).y)
