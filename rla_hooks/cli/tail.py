"""``rla tail``: the last rows of a run, and those to come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli.common import Archived, Every, Json, LatestRun, LogRoot, Metrics, Task, Where, app, names_in
from rla_hooks.errors import RLAError
from rla_hooks.writers.base import STEP, TIME

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from rla_hooks.cli.follow import Follower, ReadRows, Row
    from rla_hooks.query import SavedRun

_MAX_WIDTH = 40  # of a column, which may hold texts
_DELETED = "the run was deleted"

Print = Callable[["Sequence[Row]"], None]


@app.command("tail")
def tail(
    run: LatestRun = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show rows as they come, until the run ends.")] = False,
    count: Annotated[int, typer.Option("-n", "--limit", metavar="N", min=0, help="Begin with the last N rows.")] = 10,
    names: Metrics = None,
    every: Every = 1.0,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    archived: Archived = False,
    as_json: Json = False,
) -> None:
    """Show the last rows of a run, and with -f those to come.

    On a terminal -f shows a table that is drawn again when there are rows; in a pipe each row is one line. It ends when
    the run has ended, or with Ctrl-C. With --json it prints a list of rows, with -f as well one row a line.

    Examples:

        rla tail -f
        rla tail latest~1 -n 100 -c loss,perf/return
    """
    from rla_hooks.cli.cells import is_terminal
    from rla_hooks.cli.choose import choose
    from rla_hooks.cli.follow import Follower, ReadRows
    from rla_hooks.cli.objects import json_text
    from rla_hooks.cli.screen import stdout_console
    from rla_hooks.cli.several import check_metrics, metrics_of
    from rla_hooks.life import is_running

    chosen = choose(run, log_root, where, task)
    columns = None if names is None else names_in(names)
    if chosen.last or metrics_of([chosen]):  # one that has no rows yet may get any
        try:
            check_metrics((name for name in columns or () if name not in (STEP, TIME)), [chosen])
        except RLAError as error:
            if not (follow and is_running(chosen.status)):
                raise
            _tell(f"{error} It may come.")
    is_ours = bool(chosen.run_json) or is_running(chosen.status)
    if follow and not is_ours:
        raise RLAError(
            f"the run {chosen.id} cannot be followed: it has no run.json, so it is of another tool, of RLA, or "
            "damaged. Without -f its last rows are shown."
        )
    console, follower = stdout_console(), Follower(chosen.log_dir) if is_ours else ReadRows(chosen)
    if as_json and not follow:
        print(json_text([_as_dict(row, columns) for row in follower.last(count)]))
    elif as_json:
        _follow(chosen, follower, count, every, lambda rows: _print_lines(rows, columns, as_json=True))
    elif is_terminal():
        _on_terminal(chosen, follower, count, every if follow else None, columns, console)
    elif follow:
        _follow(chosen, follower, count, every, lambda rows: _print_lines(rows, columns))
    else:
        _print_lines(follower.last(count), columns)


def _follow(
    run: SavedRun,
    follower: Follower | ReadRows,
    count: int,
    every: float,
    print_rows: Print,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Give the rows that are there, and those to come, until the run has ended, or Ctrl-C, and tell which."""
    from rla_hooks.life import is_running
    from rla_hooks.query.entry import read_entry

    with suppress(KeyboardInterrupt):
        print_rows(follower.last(count))
        while True:
            status = read_entry(run.paths).status  # before the rows: none is written after the end
            while rows := follower.new():
                print_rows(rows)
            if not run.log_dir.is_dir():
                (tell or _tell)(f"{_DELETED}: {run.name}")
                raise typer.Exit(1)
            if not is_running(status):
                (tell or _tell)(f"the run has ended: {status}")
                return
            time.sleep(every)


def _tell(text: str) -> None:
    """Say something beside the rows: on stderr, so that a pipe gets rows only."""
    from rla_hooks.texts import printable

    typer.echo(f"rla: {printable(text)}", err=True)


def _print_lines(rows: Sequence[Row], columns: Sequence[str] | None, as_json: bool = False) -> None:
    """Print each row as one line, ``time-step=3  loss=0.5``, so that a line needs no header to be understood."""
    from rla_hooks.cli.cells import cell
    from rla_hooks.cli.objects import json_text

    for row in rows:
        values = _as_dict(row, columns)
        if as_json:
            print(json_text(values, indent=None))
            continue
        values.pop(TIME, None) if columns is None or TIME not in columns else None
        print("  ".join(f"{cell(name)}={cell(value)}" for name, value in values.items()))
    if rows:
        import sys

        sys.stdout.flush()


def _as_dict(row: Row, columns: Sequence[str] | None) -> dict[str, object]:
    values: dict[str, object] = {STEP: row.step, TIME: row.time, **row.values}
    if columns is None:
        return values
    return {STEP: row.step} | {name: values[name] for name in columns if name in values}


def _on_terminal(
    run: SavedRun,
    follower: Follower | ReadRows,
    count: int,
    every: float | None,
    columns: Sequence[str] | None,
    console: Console,
) -> None:
    """Print a table, or keep one on the terminal that is drawn again when there is something new, and only then."""
    from rich.live import Live

    from rla_hooks.cli.screen import CTRL_C

    if every is None:
        if count:
            console.print(_table(follower.last(count), columns, console.width))
        return
    shown: deque[Row] = deque(maxlen=max(1, min(count, console.height - 4)))
    said: list[str] = []
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

            def show(rows: Sequence[Row]) -> None:
                shown.extend(rows)
                live.update(_with_status(run, _table(shown, columns, console.width - CTRL_C)), refresh=True)

            _follow(run, follower, count, every, show, said.append)
    finally:
        for text in said:  # below the table: what is printed while it is alive is drawn over
            _tell(text)


def _with_status(run: SavedRun, table: RenderableType) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from rla_hooks.cli.cells import cell

    line = Text(f"{cell(run.name)}", "dim", no_wrap=True, overflow="ellipsis")
    return Group(line, table)


def _table(rows: Sequence[Row], columns: Sequence[str] | None, width: int) -> RenderableType:
    """Return the rows as a table, of as many columns as fit: those of the newest rows first."""
    from rich.console import Group
    from rich.text import Text

    from rla_hooks.cli.cells import cell, cut_to
    from rla_hooks.cli.fields import are_numbers
    from rla_hooks.cli.lines import Column, fitted

    if not rows:
        return Text("no rows yet")
    names = list(columns or dict.fromkeys(name for row in rows for name in row.values))
    table = []
    for rank, name in enumerate([STEP, *(name for name in names if name != STEP)]):
        values = [_value(row, name) for row in rows]
        cells = [cell(value, _MAX_WIDTH, exact=name == TIME) for value in values]
        table.append(Column(cell(name), cells, rank, widest=_MAX_WIDTH, right=are_numbers(values)))
    lines, hidden = fitted(table, width)
    if hidden:
        lines.append(Text(cut_to(f"{len(hidden)} more columns: -c {','.join(hidden[:3])}", width), "dim"))
    return Group(*lines)


def _value(row: Row, name: str) -> object:
    return row.step if name == STEP else row.time if name == TIME else row.values.get(name)
