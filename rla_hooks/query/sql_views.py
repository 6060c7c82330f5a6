"""The views that SQL queries of saved runs see: which columns they have, and which of them a query can mean."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

from rla_hooks.columns import Column
from rla_hooks.query.frames import column_of, writable
from rla_hooks.query.names import BUILT_IN, getter
from rla_hooks.query.selection import Selection
from rla_hooks.query.tables import built_in_column, metric_column, stacked
from rla_hooks.writers.base import STEP, TIME

_FEW_COLUMNS = 100  # which the index has sooner than the runs have
_FIRST = "id", "task", "status", "name", "started", "ended", "seconds"  # of the columns of runs


class Asked:
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


class RunsView:
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

    def columns(self, asked: Asked) -> dict[str, Column]:
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


class MetricsView:
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

    def columns(self, asked: Asked) -> dict[str, Column]:
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


View = RunsView | MetricsView
