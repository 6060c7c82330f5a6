"""SQL over saved runs: DuckDB, in memory, over two views that are made of columns."""

from __future__ import annotations

import datetime
import functools
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rla_hooks.columns import Column
from rla_hooks.errors import ConfigError, nearest
from rla_hooks.query.frames import AnyColumn, Objects, check_frame, column_of, library, to_frame, writable
from rla_hooks.query.names import BUILT_IN, getter
from rla_hooks.query.selection import Selection, select
from rla_hooks.query.tables import built_in_column, metric_column, stacked
from rla_hooks.texts import listed, printable, shown
from rla_hooks.writers.base import STEP, TIME

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
_FEW_COLUMNS = 100  # which the index has sooner than the runs have
_MOST_LISTED = 30  # names in an error
_UNKNOWN = re.compile(r'Referenced (?:column|table) "(.*?)" not found')
_FIRST = "id", "task", "status", "name", "started", "ended", "seconds"  # of the columns of runs


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
    views: dict[str, _View] = {"runs": _RunsView(chosen), "metrics": _MetricsView(chosen)}
    with closing(duckdb.connect(":memory:", config=_SETTINGS)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        asked = _Asked(connection, query)
        for name, view in views.items():
            _make_view(connection, name, view.columns(asked) if asked.table(name) else view.columns(_Asked()))
        connection.execute("set lock_configuration = true")
        try:
            result = connection.execute(query)
            columns = _columns(result.description, result.fetchnumpy()) if result.description else {}
        except duckdb.Error as error:
            raise ConfigError(_explained(str(error), query, views)) from None
        except AttributeError:  # nothing but a comment
            raise ConfigError("The query is empty. Allowed: SQL, such as 'select id, task from runs'.") from None
    return to_frame(columns, frame)


class _Asked:
    """Which columns a query can mean: those whose names stand in it, or all."""

    def __init__(self, connection: Any = None, query: str = ""):
        self.all = False
        self._texts: set[str] = set()  # all that stands in the query, in small letters
        self._tables: set[str] = set()
        self._alone: set[str] = set()
        if connection is None:
            return
        ((tree,),) = connection.execute("select json_serialize_sql(?::varchar)", [query]).fetchall()
        parsed = json.loads(tree)
        if parsed.get("error"):  # a mistake, which the query itself will tell; or no select, such as PIVOT
            self.all = parsed.get("error_type") != "parser"
            return
        self._walk(parsed)
        self.all |= not self._alone.isdisjoint(self._tables)  # the row as a whole: select r from runs as r

    def _walk(self, tree: Any) -> None:
        nodes = [tree]
        for node in nodes:  # which grows
            if isinstance(node, str):
                self._texts.add(node.lower())
            elif isinstance(node, list):
                nodes += node
            elif isinstance(node, dict):
                nodes += node.values()
                kind = node.get("class")
                self.all |= bool(node.get("column_name_alias"))  # from runs as r(a, b)
                self.all |= kind == "STAR" or node.get("ref_type") == "NATURAL" or node.get("function_name") == "query"
                if kind == "COLUMN_REF" and len(node.get("column_names", ())) == 1:
                    self._alone.add(node["column_names"][0].lower())
                if kind is None:
                    self._tables |= {str(node.get(key, "")).lower() for key in ("table_name", "alias")}

    def table(self, name: str) -> bool:
        return self.all or name in self._texts

    def column(self, name: str) -> bool:
        return self.all or self.named(name)

    def named(self, name: str) -> bool:
        return name.lower() in self._texts

    def any_begins(self, prefix: str) -> bool:
        return self.all or any(text.startswith(prefix) for text in self._texts)


class _RunsView:
    """One row a run."""

    def __init__(self, chosen: Selection):
        self._chosen = chosen

    @functools.cached_property
    def _names(self) -> dict[str, str]:
        known = {*self._chosen.candidates.names()}.difference(BUILT_IN)
        hparams = {name for name in known if not name.startswith("last.")}
        return _in_sql([*_FIRST, *BUILT_IN, *_sorted(hparams), *_sorted(known - hparams)])

    def names(self) -> dict[str, str]:
        """Return the columns' names in SQL, and what each has."""
        return self._names | {name: name for name in self._hidden}

    @functools.cached_property
    def _hidden(self) -> list[str]:
        """The hyper-parameters that a built-in name hides."""
        names = [f"hparams.{name}" for name in BUILT_IN]
        return [name for name in names if any(value is not None for value in self._chosen.column(name))]

    def columns(self, asked: _Asked) -> dict[str, Column]:
        names = {sql: name for sql, name in self._names.items() if asked.column(sql)}
        names |= {name: name for name in self._hidden} if asked.any_begins("hparams.") else {}
        for last, kind in itertools.product(self._names, ("min.", "max.")):
            if last.startswith("last.") and asked.named(sql := kind + last.removeprefix("last.")):
                names.setdefault(sql, kind + self._names[last].removeprefix("last."))
        values = self._values(len(names))
        found = {sql: (name, values(name)) for sql, name in (names or {"id": "id"}).items()}
        return {
            sql: built_in_column(name, each) if name in BUILT_IN else column_of(each)
            for sql, (name, each) in found.items()
        }

    def _values(self, count: int) -> Callable[[str], Iterable[Any]]:
        """Return what gives the values of a name: where there are many names, the runs themselves, each read once."""
        if count <= _FEW_COLUMNS:
            return self._chosen.column
        runs = self._chosen.runs()
        return lambda name: map(getter(name), runs)


class _MetricsView:
    """One row a dump of each run."""

    def __init__(self, chosen: Selection):
        self._chosen = chosen

    @functools.cached_property
    def _metrics(self) -> dict[str, str]:
        """The metrics by their columns."""
        known = self._chosen.candidates.names()
        metrics = _sorted(name.removeprefix("last.") for name in known if name.startswith("last."))
        return {metric_column(name): name for name in metrics}

    def names(self) -> dict[str, str]:
        """Return the columns' names in SQL, and what each has."""
        return _in_sql(["id", STEP, TIME, *self._metrics])

    def columns(self, asked: _Asked) -> dict[str, Column]:
        if not asked.table("metrics"):
            return {"id": column_of([], "object"), STEP: column_of([], "int64"), TIME: column_of([])}
        names = {name: sql for sql, name in self.names().items()}
        asked_for = [metric for column, metric in self._metrics.items() if asked.named(names[column])]
        wanted = None if asked.all else asked_for
        table = stacked(self._chosen.runs(), wanted)
        known = dict.fromkeys([*names, *table])  # a metric may stand in the rows only
        return {sql: table[name] for sql, name in _in_sql(known).items() if name in table}


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name.lower(), name.swapcase()))


def _in_sql(names: Iterable[str]) -> dict[str, str]:
    """Return these names by what they are called in SQL, which takes small letters for capital ones."""
    given: dict[str, int] = {}
    found: dict[str, str] = {}
    for name in filter(None, dict.fromkeys(names)):
        text = free = writable(name).replace("\0", "\\0")
        while free.lower() in given:
            given[text.lower()] += 1
            free = f"{text}#{given[text.lower()]}"
        given[free.lower()] = 1
        found[free] = name
    return found


_View = _RunsView | _MetricsView


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


def _columns(description: Sequence[Sequence[Any]], arrays: Mapping[str, Any]) -> dict[str, AnyColumn]:
    return {name: _column(values, str(about[1])) for (name, values), about in zip(arrays.items(), description)}


def _column(values: Any, kind: str) -> AnyColumn:
    """Return a column of a result as one of ours."""
    import numpy

    present = None
    if isinstance(values, numpy.ma.MaskedArray):
        present, values = ~numpy.ma.getmaskarray(values), values.data
    if "HUGEINT" in kind and numpy.all(numpy.abs(values[slice(None) if present is None else present]) < 2**53):
        values = numpy.where(numpy.isfinite(values), values, 0).astype("int64")  # the sum of integers
    if values.dtype.kind == "f":
        return Column(values.astype("float64", copy=False), present)
    if values.dtype.kind in "iu" and values.dtype != "uint64":
        return Column(values.astype("int64", copy=False), present)
    if values.dtype.kind != "O" and kind != "DATE":
        return Column(values, present)
    there = present if present is not None else numpy.ones(len(values), dtype=bool)
    if kind == "DATE":  # which comes as a time
        values = values.astype("datetime64[D]")
    if kind in ("VARCHAR", "UUID", "JSON", '"NULL"') or kind.startswith("ENUM"):
        values[:] = [str(value) if is_there else "" for value, is_there in zip(values, there)]
        return Column(values, present)
    return Objects([_plain(value, kind) if is_there else None for value, is_there in zip(values.tolist(), there)])


def _plain(value: Any, kind: str) -> Any:
    """Return a value of a list, or of a struct, as plain Python. kind: the type that DuckDB says, of the whole."""
    if getattr(value, "dtype", None) is not None and value.dtype.kind == "M":  # days, and times without a zone
        times = value.tolist()
        if kind.startswith("DATE"):
            return [time and time.date() for time in times]
        zone = datetime.timezone.utc if "WITH TIME ZONE" in kind else None
        return [time and time.replace(tzinfo=zone) for time in times]
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(each, kind) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each, kind) for key, each in value.items()}
    return bytes(value) if isinstance(value, bytearray) else value


def _explained(message: str, query: str, views: Mapping[str, _View]) -> str:
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
