"""``rla runs``: the runs of a log root, one a line."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len

from rla_hooks.cli.common import LogRoot, Task, app
from rla_hooks.cli.nothing import no_runs
from rla_hooks.query import SavedRun, runs
from rla_hooks.texts import cut, printable

_MAX_CELL = 500  # characters, of a table in which anything may stand


@app.command("ls", help="The same as runs.")
@app.command("runs")
def list_runs(log_root: LogRoot = None, task: Task = None) -> None:
    """List runs, newest last, one a line, with the number of warnings and with what is wrong with damaged ones."""
    found = runs(log_root, task)
    if not found:
        print(printable(no_runs(log_root, task)))
        return
    head = ["started", "task", "status", "rows", "step", "warnings", "record"]
    columns = [
        list(column) for column in zip(head, *([_cell(cell) for cell in _cells(run)] for run in found), strict=True)
    ]
    if not any(columns[5][1:]):
        del columns[5]  # in a narrow terminal it would take the place of something else
    for column in columns[:-1]:
        width = max(map(cell_len, column))
        column[:] = [cell + " " * (width - cell_len(cell)) for cell in column]
    for line in zip(*columns, strict=True):
        print("  ".join(line).rstrip())


def _cells(run: SavedRun) -> list[Any]:
    warnings = run.info.get("warnings")
    record = " ".join(f"{key}={value}" for key, value in run.record.items())
    return [
        "/".join(run.name.split("/")[-4:]).partition("_")[0],
        run.task,
        run.status,
        run.info.get("rows"),
        run.info.get("last_step"),
        len(warnings) if isinstance(warnings, list) and warnings else None,
        f"{record}  ({'; '.join(run.problems)})" if run.problems else record,
    ]


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else repr(value)
    return printable(cut(text, _MAX_CELL))
