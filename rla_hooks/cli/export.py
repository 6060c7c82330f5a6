"""``rla export``: the metrics of runs, or the runs themselves, as a file for other programs."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from rla_hooks.cli import target
from rla_hooks.cli.common import Archived, EachRun, Json, Limit, LogRoot, Metrics, Task, Where, app, names_in

if TYPE_CHECKING:
    from rla_hooks.query import Runs, SavedRun
    from rla_hooks.query.frames import AnyColumn

_FORMATS = "csv", "parquet", "json"


@app.command("export")
def export(
    run: EachRun = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file; by default stdout, as is -.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="csv, parquet or json; else by the file's suffix.")
    ] = None,
    names: Metrics = None,
    x: Annotated[str, typer.Option(help="The column of steps: time-step, timestamp, or a metric.")] = "time-step",
    params: Annotated[
        str, typer.Option(metavar="NAMES", help="Parameters as columns: differing, all, none, or names.")
    ] = "differing",
    table: Annotated[bool, typer.Option("--table", help="One row a run, with the last value of each metric.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    where: Where = None,
    limit: Limit = None,
    task: Task = None,
    log_root: LogRoot = None,
    archived: Archived = False,
    as_json: Json = False,
) -> None:
    """Write the metrics of runs as one table: CSV, Parquet or JSON; by default of all runs.

    A row for each value: id, parameters, time-step, metric, value. With --table a row for each run. JSON is a list of
    objects, in which NaN and infinities are null. Parquet needs polars, or pandas with pyarrow.

    Examples:

        rla export --where "algo == 'ppo'" -c perf/return -o ppo.parquet
        rla export --table -o runs.csv
    """
    from rla_hooks.cli.several import several
    from rla_hooks.query import tables
    from rla_hooks.query.plain_rows import length
    from rla_hooks.texts import counted

    form = _format(output, kind, as_json)
    _check_form(output, form, force)
    chosen = None if names is None else names_in(names)
    found = several(run, log_root, task, where, limit)
    with _watched(found, output) as runs:
        if table:
            columns: Mapping[str, AnyColumn] = tables.table(runs, chosen, _params(params))
        else:
            columns = tables.long_table(runs, chosen, x, _params(params))
    if output is None or target.is_stdout(output):
        _write_text(columns, form, sys.stdout)
        return
    _write_file(columns, form, output)
    typer.echo(f"rla: {counted(length(columns), 'row')} of {counted(len(found), 'run')} written to {output}", err=True)


def _format(output: Path | None, kind: str | None, as_json: bool) -> str:
    """Return the format that is asked for, by its name or by the file's suffix; refuse two that differ."""
    from rla_hooks.errors import ConfigError, did_you_mean

    if kind is not None:
        if kind.casefold() not in _FORMATS:
            raise ConfigError(f"--format is {kind!r}. Known: {', '.join(_FORMATS)}.{did_you_mean(kind, _FORMATS)}")
        if as_json and kind.casefold() != "json":
            raise ConfigError(f"--json and --format {kind} exclude each other. Give one of them.")
        return kind.casefold()
    suffix = "" if output is None else output.suffix.casefold().removeprefix(".")
    if as_json:
        if output is not None and suffix in ("csv", "parquet"):
            raise ConfigError(f"--json is given, but the file {output.name!r} is called {suffix}. Leave one out.")
        return "json"
    if output is None or target.is_stdout(output):
        return "csv"
    if suffix in _FORMATS:
        return suffix
    raise ConfigError(
        f"the file {output.name!r} has no suffix that tells its format. Known: {', '.join(_FORMATS)}. "
        "Call it like metrics.csv, or give --format"
    )


def _check_form(output: Path | None, form: str, force: bool) -> None:
    """Refuse what cannot be written before the runs are read."""
    from rla_hooks.errors import ConfigError

    if target.is_stdout(output) and form == "parquet":
        raise ConfigError("Parquet is no text, and goes to no terminal or pipe. Give a file: -o metrics.parquet")
    target.check_target(output, force)
    if form == "parquet":
        _parquet_library()


def _params(text: str) -> str | list[str]:
    return text if text in ("differing", "all") else [] if text == "none" else names_in([text])


@contextmanager
def _watched(found: Runs, output: Path | None) -> Iterator[Sequence[SavedRun]]:
    """Give the runs, with a bar on stderr, where that is a terminal, of how many have been read."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    is_free = not target.is_stdout(output)
    with Progress(console=console, transient=True, disable=not (console.is_terminal and is_free)) as progress:
        bar = progress.add_task("reading", total=len(found))
        yield _Watched(found, lambda: progress.advance(bar))


class _Watched(list["SavedRun"]):
    """Runs that tell when one of them is taken for the first time."""

    def __init__(self, found: Sequence[SavedRun], tell: Any):
        super().__init__(found)
        self._tell, self._told = tell, 0

    def __iter__(self) -> Iterator[SavedRun]:
        for number, each in enumerate(super().__iter__()):
            yield each
            if number >= self._told:
                self._told += 1
                self._tell()


def _write_text(columns: Mapping[str, AnyColumn], form: str, file: TextIO) -> None:
    from rla_hooks.cli.cells import csv_cell
    from rla_hooks.cli.objects import json_text
    from rla_hooks.query.plain_rows import plain_rows

    if form == "csv":
        writer = csv.writer(file, lineterminator="\n")
        is_exact = not file.isatty()  # what is a file's exact text may control a terminal
        writer.writerow([csv_cell(name, is_exact) for name in columns])
        for row in plain_rows(columns):
            writer.writerow([csv_cell(value, is_exact) for value in row])
        return
    names = list(columns)
    file.write("[")
    for number, row in enumerate(plain_rows(columns)):
        file.write(f"{',' * (number > 0)}\n{json_text(dict(zip(names, row, strict=True)), indent=None)}")
    file.write("\n]\n")


def _write_file(columns: Mapping[str, AnyColumn], form: str, output: Path) -> None:
    """Write the file whole or not at all: beside its place, then moved."""
    with target.written(output) as temporary:
        if form == "parquet":
            _write_parquet(columns, temporary)
            return
        with open(temporary, "wb") as binary, io.TextIOWrapper(binary, "utf-8", "backslashreplace", newline="") as file:
            _write_text(columns, form, file)


def _parquet_library() -> str:
    """Return the library that is there to write Parquet."""
    from importlib.util import find_spec

    from rla_hooks.errors import RLAError

    for name, needed in (("polars", ["polars"]), ("pandas", ["pandas", "pyarrow"])):
        if all(find_spec(each) for each in needed):
            return name
    raise RLAError("Parquet needs polars. Install it: pip install 'rla-hooks[query]'. Without: -o metrics.csv")


def _write_parquet(columns: Mapping[str, AnyColumn], path: Path) -> None:
    from rla_hooks.query.frames import to_frame

    library = _parquet_library()
    frame = to_frame(columns, library)
    if library == "polars":
        frame.write_parquet(path)
    else:
        frame.to_parquet(path, index=False)
