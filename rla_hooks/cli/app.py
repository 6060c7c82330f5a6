"""The command ``rla``: looks at the runs of a log root. It reads and changes nothing.

rla runs                     the runs, newest last
rla show                     the folders of the newest run, and how to open it in TensorBoard
rla show 21-22-16            those of the run whose name contains this text

What stands in names and files is printed on one line and without control characters, whoever has written it.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console

from rla_hooks.cli.folders import print_run
from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import RLAError
from rla_hooks.query import SavedRun, runs
from rla_hooks.texts import cut, printable, shell_path

_MAX_CELL = 500  # characters, of a table in which anything may stand

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the runs of a log root.")
LogRoot = Annotated[Path | None, typer.Option(help="The log root; else that of the config found from here.")]
Task = Annotated[str | None, typer.Option(help="Only runs of this task.")]


@app.command("runs")
def list_runs(log_root: LogRoot = None, task: Task = None) -> None:
    """List runs, newest last, one a line, with the number of warnings and with what is wrong with damaged ones."""
    found = runs(log_root, task)
    if not found:
        print(_none(log_root, task))
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


def _none(log_root: Path | None, task: str | None = None) -> str:
    """Say that there are no runs, and where they were looked for."""
    of_task = "" if task is None else f" of the task {task!r}"
    root = shell_path(log_root_of(log_root))
    return printable(f"no runs{of_task} in {root}. Another log root: --log-root")


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


@app.command("show")
def show(run: Annotated[str, typer.Argument(help="A part of the run's name.")] = "", log_root: LogRoot = None) -> None:
    """Show the folders of a run, the newest one unless a part of another's name is given."""
    found = runs(log_root)
    if not found:
        raise RLAError(_none(log_root))
    matching = [saved for saved in found if run in saved.name]
    if not matching:
        raise RLAError(f"no run has {run!r} in its name. See them all: rla runs")
    print_run(matching[-1].paths)


def main() -> None:
    """Run the command. A mistake of the user is reported in a line, without a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal or a pipe may take ASCII only
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except RLAError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print("[red]rla:[/]", end=" ")
        console.print(printable(error), markup=False)
        raise SystemExit(2) from None
    except BrokenPipeError:  # the other end has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its own end
        raise SystemExit(1) from None
