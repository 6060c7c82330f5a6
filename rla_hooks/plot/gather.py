"""The points of metrics of many runs: x and y as they were logged, in the order of x."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy

from rla_hooks.columns import Column, Columns
from rla_hooks.errors import ConfigError, did_you_mean, warn
from rla_hooks.query.bulk import columns_of_runs
from rla_hooks.query.curves import seconds_in, with_step, x_of_rows
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.tables import metric_names, no_common_step
from rla_hooks.texts import cut, listed, printable, shell_path
from rla_hooks.writers.base import STEP, TIME

Array = numpy.ndarray[Any, Any]
_MOST_LISTED = 10  # names, and runs, in a message


class Points(NamedTuple):
    """A metric of one run. x: float64, finite, growing; y: float64, NaN and infinities as they were logged.

    replaced: how many points were left out, since later ones stand at the same x or went back behind it.
    """

    x: Array
    y: Array
    replaced: int = 0


def points_of(run: SavedRun, metric: str, x: str = STEP) -> tuple[Array, Array]:
    """Return a metric of a run over ``x``; see :func:`points_of_runs`, which reads many runs faster.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     for step, value in enumerate([1.0, float("nan"), 3.0]):
    ...         rla.log({"return": value}, step=10 * step)
    >>> x, y = points_of(rla.runs()[-1], "return")
    >>> x.tolist(), y.tolist()
    ([0.0, 10.0, 20.0], [1.0, nan, 3.0])
    """
    found = points_of_runs([run], [metric], x)[0][metric]
    return found.x, found.y


def points_of_runs(runs: Sequence[SavedRun], metrics: Sequence[str], x: str = STEP) -> list[dict[str, Points]]:
    """Return the points of these metrics of each run; a run without such a metric lacks it in its dict.

    x: any column of numbers; of ``timestamp`` the seconds since the first row of the run, without the time in which it
    waited to be resumed. A row that lacks x takes that of the nearest row of its step. Rows without the metric or
    without a finite x are no points. Where x goes back, as after a resume of a run whose rows nobody has cut, the later
    rows replace those before them that stand at the same x or behind it. A warning names the runs that lack a metric,
    and says how many points were replaced.

    Raises :class:`~rla_hooks.errors.ConfigError` for a metric that no run has, and for texts.
    """
    found: list[dict[str, Points]] = []
    problems: dict[str, None] = {}
    with_x = False
    for run, columns in zip(runs, columns_of_runs(runs, with_step(metrics, x))):
        if isinstance(columns, OSError):
            where = shell_path(run.log_dir)
            warn(f"run {printable(run.id)} is left out: its rows in {where} cannot be read: {columns}")
            columns = {}
        texts = [problem for name in (x, *metrics) if (problem := _text_in(columns, name, run))]
        problems |= dict.fromkeys(texts[:1])
        with_x |= x in columns
        found.append({} if texts else dict(_points_in(run, columns, metrics, x)))
    if problems:
        raise ConfigError([*problems][:_MOST_LISTED])
    _check(runs, metrics, x, with_x, found)
    return found


def _points_in(run: SavedRun, columns: Columns, metrics: Iterable[str], x: str) -> Iterable[tuple[str, Points]]:
    if x not in columns:
        return
    of_rows = x_of_rows(columns, x)
    if x == TIME:
        of_rows = of_rows._replace(values=seconds_in(of_rows, run.resumed_at))
    for metric in metrics:
        if metric in columns:
            xs, ys = _both(of_rows, columns[metric])
            if len(xs):
                yield metric, in_order(xs, ys)


def _both(x: Column, y: Column) -> tuple[Array, Array]:
    """Return x and y of the rows that have both, and a finite x."""
    xs, ys = (column.values.astype("float64", copy=False) for column in (x, y))
    masks = [column.present for column in (x, y) if column.present is not None]
    is_finite = numpy.isfinite(xs)
    if not is_finite.all():
        masks.append(is_finite)
    if not masks:
        return xs, ys
    there = numpy.logical_and.reduce(masks)
    return xs[there], ys[there]


def in_order(x: Array, y: Array) -> Points:
    """Return points in the order of x: later ones replace those before them at the same x or behind it.

    >>> points = in_order(numpy.array([0.0, 1.0, 2.0, 3.0, 1.5, 2.5]), numpy.arange(6.0))
    >>> points.x.tolist(), points.y.tolist(), points.replaced
    ([0.0, 1.0, 1.5, 2.5], [0.0, 1.0, 4.0, 5.0], 2)
    """
    if len(x) < 2 or (x[1:] > x[:-1]).all():
        return Points(x, y)
    least_behind = numpy.minimum.accumulate(x[::-1])[::-1]  # of each row and those behind it
    kept = numpy.append(x[:-1] < least_behind[1:], True)
    return Points(x[kept], y[kept], int(len(x) - kept.sum()))


def _text_in(columns: Columns, name: str, run: SavedRun) -> str:
    """Return what is wrong with a column of texts; of one of numbers nothing."""
    if name not in columns or columns[name].values.dtype.kind in "if":
        return ""
    values, present = columns[name]
    texts = (values if present is None else values[present]).tolist()
    value = next((text for text in texts if isinstance(text, str) and not _is_number(text)), texts[0] if texts else "")
    return (
        f"{cut(printable(repr(name)), 200)} of run {printable(run.id)} has the text {cut(printable(repr(value)), 60)}. "
        "Allowed: columns of numbers. To see texts: run.metrics()"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check(
    runs: Sequence[SavedRun], metrics: Sequence[str], x: str, with_x: bool, found: Sequence[Mapping[str, Points]]
) -> None:
    """Raise ConfigError for names that no run has; warn where some runs lack a metric, or points were replaced."""
    problems = [] if with_x else [_without_x(x, runs)]
    for metric in metrics if with_x else ():
        lack = [run.id for run, points in zip(runs, found) if metric not in points]
        if len(lack) == len(runs):
            problems.append(_without(metric, x, runs))
        elif lack:
            warn(
                f"{len(lack)} of {len(runs)} runs have no {printable(repr(metric))} and are left out of its curves: "
                f"{listed([*map(printable, lack)], _MOST_LISTED)}"
            )
    if problems:
        raise ConfigError(problems)
    _warn_of_replaced(runs, x, found)


def _without_x(x: str, runs: Sequence[SavedRun]) -> str:
    known = metric_names(runs)
    if not known:
        which = f"none of the {len(runs):,} runs has" if len(runs) > 1 else f"run {printable(runs[0].id)} has no"
        return (
            f"{which} rows of metrics in its csv files. Log some by rla.log(values, step=...), with csv among the "
            "writers, or choose runs that have rows: rla.runs(where='rows > 0')"
        )
    return _unknown("column", x, known | ({STEP, TIME} - {x}))


def _without(metric: str, x: str, runs: Sequence[SavedRun]) -> str:
    known = metric_names(runs)
    if metric not in known:
        return _unknown("metric", metric, known)
    return no_common_step(metric, x)


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = listed([cut(printable(each), 100) for each in sorted(known)], _MOST_LISTED)
    near = printable(did_you_mean(name, known))
    return f"no run has the {kind} {cut(printable(repr(name)), 200)}. Known: {names or 'none'}.{near}"


def _warn_of_replaced(runs: Sequence[SavedRun], x: str, found: Sequence[Mapping[str, Points]]) -> None:
    counts = {run.id: max((each.replaced for each in points.values()), default=0) for run, points in zip(runs, found)}
    some = [f"{printable(name)} ({count:,} rows)" for name, count in counts.items() if count]
    if some:
        warn(
            f"{printable(repr(x))} goes back, or stands still, in {len(some)} of {len(runs)} runs: {listed(some, 5)}. "
            "Of these rows the ones logged last are drawn."
        )
