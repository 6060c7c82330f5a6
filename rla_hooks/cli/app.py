"""The command ``rla``: looks at the runs of a log root. It reads and changes nothing.

rla runs                     the runs, newest last
rla show                     the folders of the newest run, and how to open it in TensorBoard
rla show 21-22-16            those of the run whose name contains this text
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from rla_hooks.endings import KILLED, RUNNING
from rla_hooks.errors import RLAError
from rla_hooks.layout import KINDS, LOG, RunPaths
from rla_hooks.query import SavedRun, runs

_MAX_ENTRIES = 8  # of one folder in the tree: a project may have thousands of files

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the runs of a log root.")
LogRoot = Annotated[Path | None, typer.Option(help="The log root; else that of the config found from here.")]
Task = Annotated[str | None, typer.Option(help="Only runs of this task.")]


@app.command("runs")
def list_runs(log_root: LogRoot = None, task: Task = None) -> None:
    """List runs, newest last, with what is wrong with damaged ones."""
    table = Table("started", "task", "status", "rows", "step", "record", box=None, pad_edge=False)
    found = runs(log_root, task)
    for run in found:
        status = run.status if not run.problems else f"{run.status} ({'; '.join(run.problems)})"
        record = " ".join(f"{key}={value}" for key, value in run.record.items())
        started = "/".join(run.name.split("/")[-4:]).partition("_")[0]
        cells = (started, run.task, status, _rows(run), run.info.get("last_step"), record)
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in cells))
    Console().print(table if found else "There are no runs here.")


@app.command("show")
def show(run: Annotated[str, typer.Argument(help="A part of the run's name.")] = "", log_root: LogRoot = None) -> None:
    """Show the folders of a run, the newest one unless a part of another's name is given."""
    matching = [saved for saved in runs(log_root) if run in saved.name]
    if not matching:
        raise RLAError(f"no run has {run!r} in its name. See them all: rla runs")
    print_run(matching[-1].paths)


def print_run(paths: RunPaths) -> None:
    """Print the folders of a run as a tree, and the command that opens its task in TensorBoard."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 1000  # a file or a pipe has no edge that names must be cut at
    console.print(run_tree(paths))
    task = paths.name.rsplit("/", 4)[0]
    command = shlex.join(["tensorboard", "--logdir", str(paths.log_root / LOG / task)])
    console.print(f"\nsee the curves: {escape(command)}")


def run_tree(paths: RunPaths) -> Tree:
    """Return the five folders of a run as a rich tree."""
    tree = Tree(f"{escape(str(paths.log_root))}", guide_style="dim")
    for kind in KINDS:
        folder = paths.log_root / kind / paths.name
        if folder.is_dir():
            _add_entries(tree.add(f"[bold]{kind}[/]/[dim]{escape(paths.name)}[/]"), folder)
    return tree


def _add_entries(branch: Tree, folder: Path) -> None:
    entries = sorted(folder.iterdir(), key=lambda entry: (entry.is_dir(), entry.name))
    for entry in entries[:_MAX_ENTRIES]:
        if entry.is_dir() and not entry.is_symlink():
            _add_entries(branch.add(f"[bold]{escape(entry.name)}[/]/"), entry)
        else:
            branch.add(f"{escape(entry.name)} [dim]{decimal(entry.lstat().st_size)}[/]")
    if len(entries) > _MAX_ENTRIES:
        branch.add(f"[dim]... {len(entries) - _MAX_ENTRIES} more[/]")


def _rows(run: SavedRun) -> int | None:
    """The number of rows: as in run.json, or if the run has not ended, the lines of progress.csv below the header."""
    if run.status not in (RUNNING, KILLED):
        return run.info.get("rows")
    try:
        with run.paths.progress_csv.open("rb") as file:
            return max(0, sum(1 for _ in file) - 1)
    except OSError:
        return 0


def main() -> None:
    """Run the command. A mistake of the user is reported in a line, without a traceback."""
    try:
        app()
    except RLAError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]rla:[/] {escape(str(error))}")
        raise SystemExit(2) from None
