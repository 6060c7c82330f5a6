"""Tables of several runs: one row a run, and one row a value of a metric."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from rla_hooks.columns import Column, Columns
from rla_hooks.errors import ConfigError, did_you_mean, warn
from rla_hooks.query.curves import with_step, x_of_rows
from rla_hooks.query.filter_columns import are_equal
from rla_hooks.query.frames import AnyColumn, Repeated, column_of, joined, taken, times_column
from rla_hooks.query.names import BUILT_IN, LISTS, TEXTS, TIMES, values_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import cut, listed, printable, shell_path
from rla_hooks.writers.base import STEP, TIME

Names = str | Iterable[str] | None
ABOUT = "id", "task", "status", "started", "seconds", "rows"  # the first columns of a table of runs
_LONG = "id", "metric", "value"  # the columns that each long table has
_STATISTICS = "last.", "min.", "max."
_MOST_METRICS = 100  # that a table has without being asked for them
_MOST_REPEATED = 100  # differing parameters that a long table repeats in each row without being asked for them
_MOST_LISTED = 20  # names in an error


def table(runs: Sequence[SavedRun], metrics: Names, params: Names) -> dict[str, AnyColumn]:
    """Return one row a run: what it is, its parameters, and a value of each metric. See :meth:`Runs.table`."""
    shown = _first_metrics(runs) if metrics is None else {_label(name, ABOUT): name for name in _list(metrics)}
    columns = {name: built_in_column(name, map(BUILT_IN[name], runs)) for name in ABOUT}
    columns |= parameters(runs, params, {*columns, *shown})
    known: set[str] = set()
    for label, name in shown.items():
        values = _values(runs, name)
        if runs and values.count(None) == len(runs):
            known = known or metric_names(runs)
            _check_known("metric", name, known, _STATISTICS)
        columns[label] = column_of(values)
    return dict(columns)


def long_table(runs: Sequence[SavedRun], metrics: Names, x: str, params: Names) -> dict[str, AnyColumn]:
    """Return one row for each value of each metric of each run. See :meth:`Runs.metrics`."""
    import numpy

    wanted = None if metrics is None else _list(metrics)
    steps: list[Column] = []
    values: list[Any] = []
    pieces: list[tuple[int, int, int]] = []  # the run, the metric and the rows of each part
    names: dict[str, int] = {} if wanted is None else {name: number for number, name in enumerate(wanted)}
    found = {x: False} | dict.fromkeys(names, False)
    read = _rows_of(runs, None if wanted is None else with_step(wanted, x))
    for number, (run, columns) in enumerate(zip(runs, read)):
        found |= dict.fromkeys(found.keys() & columns.keys(), True)
        if x not in columns:
            continue
        _check_numbers(columns[x], x, run)
        of_rows = x_of_rows(columns, x)
        for name in _numeric(columns) if wanted is None else wanted:
            if name not in columns:
                continue
            _check_numbers(columns[name], name, run)
            step, value = _both(of_rows, columns[name])
            steps.append(Column(step))
            values.append(value)
            pieces.append((number, names.setdefault(name, len(names)), len(value)))
    missing = [name for name, is_there in found.items() if not is_there] if runs else []
    for name in missing:
        _check_known("column" if name == x else "metric", name, metric_names(runs) | {STEP, TIME})
    parts = numpy.array(pieces, dtype="int64").reshape(-1, 3)
    _check_any(wanted or (), {number for _, number, rows in pieces if rows}, x, runs)
    of_run, of_metric = (numpy.repeat(parts[:, part], parts[:, 2]) for part in (0, 1))
    about: dict[str, Column] = {"id": column_of([run.id for run in runs])}
    label = _label(x, _LONG)
    about |= parameters(runs, params, {*_LONG, label}, _MOST_REPEATED)
    table: dict[str, AnyColumn] = {name: Repeated(column, of_run) for name, column in about.items()}
    table[label] = joined(steps, "int64")
    table["metric"] = Repeated(column_of(names), of_metric)
    table["value"] = Column(numpy.concatenate(values) if values else numpy.empty(0))
    return table


def _check_any(wanted: Sequence[str], with_rows: Collection[int], x: str, runs: Sequence[SavedRun]) -> None:
    """Raise ConfigError for a metric that the runs have, but at no step that has x, too."""
    for number, name in enumerate(wanted if runs and x not in (STEP, TIME) else ()):
        if number not in with_rows:
            raise ConfigError(no_common_step(name, x))


def no_common_step(metric: str, x: str) -> str:
    """Say that the runs have a metric and the column ``x``, but at no step both."""
    names = f"{printable(repr(metric))} and {printable(repr(x))}"
    return f"no step of these runs has both {names}. Log them at the same steps, or give another x, such as {STEP!r}."


def stacked(runs: Sequence[SavedRun], metrics: Names) -> dict[str, Column]:
    """Return the rows of all runs as columns: id, step, time, and these metrics, or all. A run may lack some.

    A metric that is called id is the column that :func:`metric_column` names.
    """
    import numpy

    wanted = None if metrics is None else _list(metrics)
    rows = _rows_of(runs, None if wanted is None else [STEP, TIME, *wanted])
    read = [(run.id, columns) for run, columns in zip(runs, rows)]
    lengths = [max((len(column.values) for column in columns.values()), default=0) for _, columns in read]
    names = [STEP, TIME, *dict.fromkeys(name for _, columns in read for name in columns if name not in (STEP, TIME))]
    of_run = numpy.repeat(numpy.arange(len(read)), numpy.array(lengths, dtype="int64"))
    table = {"id": taken(Repeated(column_of((run_id for run_id, _ in read), "object"), of_run))}
    for name in names:
        parts = [columns.get(name, length) for (_, columns), length in zip(read, lengths)]
        table[metric_column(name)] = joined(parts, "int64" if name == STEP else "float64")
    return table


def metric_column(metric: str) -> str:
    """Return the name that a metric has as a column beside the runs' ids.

    >>> metric_column("loss"), metric_column("id")
    ('loss', 'last.id')
    """
    return _label(metric, ("id",))


def _label(metric: str, others: Collection[str]) -> str:
    """Return the name of a metric's column in a table that has these others."""
    return metric if metric not in others else f"last.{metric}"


def _rows_of(runs: Sequence[SavedRun], names: Iterable[str] | None) -> Iterator[Columns]:
    """Yield the rows of each run as columns. Files that cannot be read hide no other run: they give a warning."""
    from rla_hooks.query.bulk import columns_of_runs  # late: it needs numpy

    for run, columns in zip(runs, map(_all_columns, runs) if names is None else columns_of_runs(runs, names)):
        if isinstance(columns, OSError):
            where = shell_path(run.log_dir)
            warn(f"the rows of run {printable(run.id)} are left out: {where} cannot be read: {columns}")
        yield {} if isinstance(columns, OSError) else columns


def _all_columns(run: SavedRun) -> Columns | OSError:
    try:
        return run.columns()
    except OSError as error:
        return error


def parameters(
    runs: Sequence[SavedRun], params: Names, taken: Collection[str], most: int | None = None
) -> dict[str, Column]:
    """Return the parameters of each run as columns: those that differ, at most so many, all, or those of these names.

    One whose name is ``taken``, or that of something built in, is called ``hparams.<name>``.
    """
    if params in ("differing", "all"):
        names = _first(differing(runs), most) if params == "differing" else list(all_parameters(runs))
        free = {name: name if name not in BUILT_IN else f"hparams.{name}" for name in names}
        given = [run.hparams for run in runs]
        columns = {free[name]: column_of([each.get(name) for each in given]) for name in names}
    else:
        asked = [name for name in _list(params) if name not in BUILT_IN or name not in taken]
        columns = {name: _named(runs, name) for name in asked}
    return {name if name not in taken else f"hparams.{name}": column for name, column in columns.items()}


def _named(runs: Sequence[SavedRun], name: str) -> Column:
    values = values_of(runs, name)
    if runs and name not in BUILT_IN and values.count(None) == len(runs):
        known = all_parameters(runs).keys() | BUILT_IN.keys()
        _check_known("parameter", name.removeprefix("hparams."), known)
    return built_in_column(name, values) if name in BUILT_IN else column_of(values)


def built_in_column(name: str, values: Iterable[Any]) -> Column:
    """Return values of a built-in name as a column, whose type does not depend on whether a run has it."""
    if name in TIMES:
        return times_column(values)
    return column_of(values, without="object" if name in TEXTS | LISTS else "int64" if name != "seconds" else "float64")


def all_parameters(runs: Iterable[SavedRun]) -> dict[str, None]:
    """Return the names of the hyper-parameters of all runs, each once, in the order in which they first come."""
    names: dict[str, None] = {}
    for run in runs:
        names |= dict.fromkeys(run.hparams)
    return names


def differing(runs: Sequence[SavedRun]) -> list[str]:
    """Return the hyper-parameters that do not have the same value in all runs. One that is missing counts as None.

    Lists and nested values are compared by their content; 1 equals 1.0, NaN equals NaN, and true is no 1.
    """
    given = [run.hparams for run in runs]
    return [name for name in all_parameters(runs) if _differs([each.get(name) for each in given])]


def _first(names: list[str], most: int | None) -> list[str]:
    """A run may have ten thousands of parameters, and a long table repeats each in every row."""
    if most is not None and len(names) > most:
        warn(
            f"the table has the first {most} of {len(names):,} parameters that differ. Name those that you want: "
            "params=['...'], or take all of them: params='all'"
        )
    return names[:most]


def _differs(values: Sequence[Any]) -> bool:
    return not all(are_equal(value, values[0]) for value in values)


def metric_names(runs: Iterable[SavedRun]) -> set[str]:
    """Return the names of the metrics of all runs."""
    return {name for run in runs for name in run.last}


def _first_metrics(runs: Sequence[SavedRun]) -> dict[str, str]:
    """Return the last values that a table has without being asked: the names of columns, and those of the values."""
    names: dict[str, None] = {}
    for run in runs:
        names |= dict.fromkeys(run.last)
    if len(names) > _MOST_METRICS:
        warn(
            f"the table has the first {_MOST_METRICS} of {len(names):,} metrics. Name those that you want: "
            "runs.table(metrics=['...'])"
        )
    first = list(names)[:_MOST_METRICS]
    return {f"last.{name}" if name in ABOUT or name.startswith(_STATISTICS) else name: f"last.{name}" for name in first}


def _values(runs: Sequence[SavedRun], name: str) -> list[Any]:
    """Return the value of a metric of each run: the last one, or the statistic that the name begins with."""
    values = values_of(runs, name if name.startswith(_STATISTICS) else f"last.{name}")
    if name.startswith(_STATISTICS) and values.count(None) == len(values):  # a metric whose name begins so
        values = [run.last.get(name) for run in runs]
    return values


def _list(names: Names) -> list[str]:
    """Return names as a list, each once; one name may come as it is."""
    return [names] if isinstance(names, str) else list(dict.fromkeys(names or ()))


def _numeric(columns: Columns) -> list[str]:
    return [name for name, column in columns.items() if name not in (STEP, TIME) and _is_numeric(column)]


def _is_numeric(column: Column) -> bool:
    return column.values.dtype.kind in "if"


def _check_numbers(column: Column, name: str, run: SavedRun) -> None:
    if not _is_numeric(column):
        values = column.values if column.present is None else column.values[column.present]
        value = next((value for value in values.tolist() if isinstance(value, str)), "")
        raise ConfigError(
            f"{printable(repr(name))} of run {printable(run.id)} has the text {cut(printable(repr(value)), 60)}. "
            "Allowed: metrics that are numbers. For texts, read one run: run.metrics()"
        )


def _both(x: Column, metric: Column) -> tuple[Any, Any]:
    """Return x and the value of the rows that have both."""
    masks = [column.present for column in (x, metric) if column.present is not None]
    steps, values = x.values, metric.values.astype("float64", copy=False)
    if not masks:
        return steps, values
    present = masks[0] & masks[-1]
    return steps[present], values[present]


def _check_known(kind: str, name: str, known: Collection[str], statistics: Sequence[str] = ()) -> None:
    """Raise the error about a name that no run has, with the nearest and those that exist.

    statistics: what a name may begin with that is known without it, such as ``max.``.
    """
    kind_of_value = next((each for each in statistics if name.startswith(each)), "")
    bare = name.removeprefix(kind_of_value)
    if name in known or bare in known:
        return
    names = listed([cut(printable(each), 100) for each in sorted(known)], _MOST_LISTED)
    raise ConfigError(
        f"No run has the {kind} {cut(printable(repr(name)), 200)}. Known: {names or 'none'}."
        f"{printable(did_you_mean(name, [kind_of_value + each for each in known]))}"
    )
