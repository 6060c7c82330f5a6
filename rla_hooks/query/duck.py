"""SQL over saved runs: DuckDB, in memory, over two views that are made of columns."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rla_hooks.columns import Column
from rla_hooks.errors import ConfigError, nearest
from rla_hooks.query.frames import check_frame, library, to_frame, writable
from rla_hooks.query.selection import select
from rla_hooks.query.sql_results import columns_of
from rla_hooks.query.sql_views import Asked, MetricsView, RunsView, View
from rla_hooks.texts import listed, printable, shown

if TYPE_CHECKING:
    import pandas

_SETTINGS = {
    "enable_external_access": "false",  # no files, no network
    "python_enable_replacements": "false",  # a table is a view of ours, not a variable of the program
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "temp_directory": "",  # or it would make one in the current folder when memory is short
}
_DTYPES = {"O": "VARCHAR", "i": "BIGINT", "f": "DOUBLE", "b": "BOOLEAN", "M": "TIMESTAMP"}
_MOST_LISTED = 30  # names in an error
_UNKNOWN = re.compile(r'Referenced (?:column|table) "(.*?)" not found')


def sql(
    query: str,
    log_root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    where: str | None = None,
    frame: str = "pandas",
) -> pandas.DataFrame:
    """Return what a SQL query over the saved runs gives, as a DataFrame. The SQL is that of DuckDB.

    There are two views. ``runs`` has one row a run: ``id``, ``name``, ``task``, ``status``, ``started`` and the other
    names of the filter language, the hyper-parameters (``"hparams.task"`` where a built-in name hides one), and
    ``"last.<metric>"``; ``"min.<metric>"`` and ``"max.<metric>"`` are there, too, but not part of ``*``. ``metrics``
    has one row a dump: ``id``, ``"time-step"``, ``timestamp`` and each metric. Names with other signs than letters,
    digits and ``_`` stand in double quotes. ``tags`` is a list; what a run lacks is NULL. A name that differs from an
    earlier one only in small and capital letters, which SQL takes for the same, has ``#2`` at its end.

    log_root, task, where: only the runs that :func:`rla_hooks.runs` chooses by them. frame: ``"pandas"`` or
    ``"polars"``. Only columns that the query names are read. It cannot read or write any file.
    Raises :class:`~rla_hooks.errors.ConfigError` for a query that DuckDB refuses, with the place, and
    :class:`~rla_hooks.errors.RLAError` if duckdb, or the library of frames, is not installed.

    >>> import rla_hooks as rla
    >>> for seed in range(4):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", algo="ab"[seed % 2], seed=seed) as run:
    ...         rla.log({"perf/return": 10.0 * seed}, step=0)
    >>> rla.sql('''select algo, count(*) as runs, avg("last.perf/return") as mean
    ...            from runs where seed is not null group by algo order by algo''', task="demo")
      algo  runs  mean
    0    a     2  10.0
    1    b     2  20.0
    """
    check_frame(frame)
    if not isinstance(query, str) or not query.strip() or query != writable(query):  # surrogates are no text
        raise ConfigError(f"The query is {shown(query, 100)}. Allowed: SQL, such as 'select id, task from runs'.")
    duckdb = library("duckdb", "sql")
    chosen = select(log_root, task, where)
    views: dict[str, View] = {"runs": RunsView(chosen), "metrics": MetricsView(chosen)}
    with closing(duckdb.connect(":memory:", config=_SETTINGS)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        asked = Asked(connection, query)
        for name, view in views.items():
            _make_view(connection, name, view.columns(asked) if asked.table(name) else view.columns(Asked()))
        connection.execute("set lock_configuration = true")
        try:
            result = connection.execute(query)
            columns = columns_of(result.description, result.fetchnumpy()) if result.description else {}
        except duckdb.Error as error:
            raise ConfigError(_explained(str(error), query, views)) from None
        except AttributeError:  # nothing but a comment
            raise ConfigError("The query is empty. Allowed: SQL, such as 'select id, task from runs'.") from None
    return to_frame(columns, frame)


def _make_view(connection: Any, name: str, columns: Mapping[str, Column]) -> None:
    """Make a view of columns, whose types are those of the arrays, and which is NULL where there is no value."""
    import numpy

    raw: dict[str, Any] = {}
    selected: list[str] = []
    for number, (column_name, (values, present)) in enumerate(columns.items()):
        raw[f"v{number}"] = values
        value = f"v{number}::{_DTYPES[values.dtype.kind]}"
        if values.dtype.kind == "f" and numpy.isnan(values).any():  # which DuckDB takes for NULL
            raw[f"n{number}"] = numpy.isnan(values)
            value = f"case when n{number} then 'nan'::double else {value} end"
        if present is not None:
            raw[f"p{number}"] = numpy.ascontiguousarray(present)
            value = f"case when p{number} then {value} end"
        if values.dtype.kind == "M":
            value = f"({value}) at time zone 'UTC'"
        if column_name == "tags" and name == "runs":
            raw[f"v{number}"] = numpy.array([*map(_escaped, values)], dtype=object)
            value = f"({value})::json::varchar[]"
        selected.append(f"{value} as {_quoted(column_name)}")
    connection.register(f"raw {name}", raw)
    connection.execute(f'create view {name} as select {", ".join(selected)} from "raw {name}"')


def _escaped(tags: str) -> str:
    """Return tags in JSON without halves of characters, which SQL does not take."""
    return json.dumps([*map(writable, json.loads(tags))]) if "\\u" in tags else tags


def _explained(message: str, query: str, views: Mapping[str, View]) -> str:
    """Return DuckDB's message, which has the place; about a name with the nearest, and those that exist."""
    message = re.sub(r"\n+Candidate [^\n]*", "", message)
    message = f"DuckDB refuses the query: {message}"
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return message + ("\nThere are the tables runs and metrics." if "Table with name" in message else "")
    names = {name: view.names() for name, view in views.items()}
    lines = [f"Columns of {name}: {listed([*map(_name, known)], _MOST_LISTED)}" for name, known in names.items()]
    # A name without its quotes is taken apart: what was meant is the whole of it.
    whole = re.search(rf"[\w./-]*{re.escape(unknown[1])}[\w./-]*", query)
    near = nearest(whole[0] if whole else unknown[1], itertools.chain(*names.values()))
    hint = f" Did you mean {_name(near)}?" if near else ""
    return "\n".join(
        [message, *lines, f"Names with other signs than letters, digits and _ stand in double quotes.{hint}"]
    )


def _name(name: str) -> str:
    """Return a name as a query has it."""
    text = printable(name)
    return text if re.fullmatch(r"[A-Za-z_]\w*", text) else _quoted(text)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
