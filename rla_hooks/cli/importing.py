"""``rla import``: copies the runs of a log root that the original RLA wrote into another log root."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli.cells import is_terminal
from rla_hooks.cli.common import Json, LogRoot, NotWritten, Task, app
from rla_hooks.cli.objects import print_json
from rla_hooks.cli.progress_bar import progress_bar
from rla_hooks.cli.tidying import DryRun, hint
from rla_hooks.texts import counted, printable, shell_path, size_text

if TYPE_CHECKING:
    from rla_hooks.upkeep.importing import Imported, ImportPlan

_MOST = 20  # runs that a terminal shows, unless nothing is done but to show them
_INTERRUPTED = 130


@app.command("import")
def import_old(
    old_root: Annotated[Path, typer.Argument(metavar="OLD_ROOT", help="The data root that the original RLA wrote.")],
    task: Task = None,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Copy the runs of a log root that the original RLA wrote into another one, in our form.

    The old root stays as it is. The copies have a run.json, checkpoints in a manifest, and valid names; all commands
    work on them. Runs that were imported before are passed over: after a kill, or when the old root has got more runs,
    give the command again.

    Examples:

        rla import ../old_project/data_root --dry-run
        rla import ../old_project/data_root --log-root rla_data
    """
    from rla_hooks.upkeep.importing import carry_out_import, plan_import

    plan = plan_import(old_root, log_root=log_root, task=task)
    if dry_run:
        if as_json:
            print_json(_object_of_plan(plan))
        else:
            _print_plan(plan, whole=True)
            print("nothing was imported: --dry-run", file=sys.stderr)
        return
    if not as_json:
        _print_plan(plan, whole=not is_terminal())
    with _interruptible(plan), progress_bar("Importing") as progress:
        done = carry_out_import(plan, progress=progress)
    if as_json:
        print_json(_object_of(done))
    elif done.runs:
        see = hint("rla runs", log_root)
        print(f"{counted(len(done.runs), 'run')} imported into {shell_path(done.log_root)}. See them: {see}")
    if done.problems:
        raise NotWritten("\n".join(["not all could be imported", *map(printable, done.problems)]))


@contextmanager
def _interruptible(plan: ImportPlan) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        whole = f"the runs that are in {shell_path(plan.log_root)} are whole, and the same command goes on"
        print(f"rla: interrupted; {whole}", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None


def _print_plan(plan: ImportPlan, whole: bool) -> None:
    items = plan.items if whole else plan.items[:_MOST]
    if items:
        from rla_hooks.cli.fields import Field
        from rla_hooks.cli.plans import print_fields

        runs = [item.run for item in items]
        print_fields(
            [
                Field("id", [run.id for run in runs], 0),
                Field("run", [run.name for run in runs], 3, 20, 60),
                Field("becomes", [item.to for item in items], 2, 20, 60),
                Field("rows", [run.info.get("rows") for run in runs], 4),
                Field("files", [item.files for item in items], 5),
                Field("size", [size_text(item.bytes) for item in items], 1, 8, 10),
            ]
        )
    if len(items) < len(plan.items):
        print(f"... and {len(plan.items) - len(items):,} more: --dry-run shows all")
    files = sum(item.files for item in plan.items)
    there = f"; {counted(plan.there, 'run')} there already" if plan.there else ""
    print(f"{counted(len(plan.items), 'run')}, {counted(files, 'file')}, {size_text(plan.bytes)}{there}")
    for each in plan.refused:
        print(printable(f"left as it is: {each.id or each.name} {each.reason}"))


def _object_of_plan(plan: ImportPlan) -> dict[str, object]:
    return {
        "old_root": str(plan.old_root),
        "log_root": str(plan.log_root),
        "runs": [
            {"id": item.run.id, "name": item.run.name, "to": item.to, "files": item.files, "bytes": item.bytes}
            for item in plan.items
        ],
        "there": plan.there,
        "refused": [each._asdict() for each in plan.refused],
    }


def _object_of(done: Imported) -> dict[str, object]:
    runs = [each._asdict() for each in done.runs]
    return {"log_root": str(done.log_root), "runs": runs, "there": done.there, "problems": [*done.problems]}
