"""``rla gc``: deletes what no run needs, and puts old checkpoints and trees without a run into the trash."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli import tidying
from rla_hooks.cli.common import EachRun, Json, LogRoot, NotWritten, Task, Where, app
from rla_hooks.cli.tidying import DryRun, Yes

if TYPE_CHECKING:
    from pathlib import Path

    from rla_hooks.query import SavedRun
    from rla_hooks.upkeep.garbage import Garbage, GarbagePlan

_NOTHING_DONE = "nothing was deleted"
_MOST = 20  # lines of one kind


@app.command("gc")
def gc(
    runs: EachRun = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also old checkpoints: all but the newest and the best.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=1, help="Of each name the newest N stay; by default 1.")
    ] = None,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Also checkpoints, code and figures of runs without a log folder.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Delete what no run needs: unused code, temporary files, empty folders; on request old checkpoints, orphans.

    Old checkpoints and orphans go to the trash: rla undo brings them back, rla trash empty frees them for good. What
    rla_hooks has not written itself stays, and so do the checkpoints of runs that are running. With a run, --where or
    --task only old checkpoints of these runs are collected. What is younger than a day, and may be of a run that is
    just starting, is left for later.

    Examples:

        rla gc --dry-run
        rla gc --checkpoints --keep 2 --where "status == 'failed'"
    """
    from rla_hooks.cli.plans import interruptible
    from rla_hooks.cli.progress_bar import progress_bar
    from rla_hooks.upkeep.garbage import carry_out_garbage, plan_garbage

    chosen = _chosen(runs, where, task, log_root, checkpoints, keep)
    with progress_bar("Reading") as progress:
        plan = plan_garbage(
            log_root,
            chosen,
            checkpoints=checkpoints,
            orphans=orphans,
            keep_checkpoints=keep or 1,
            progress=progress,
        )
    if not as_json:
        _print_plan(plan, dry_run)
    if dry_run or not plan.found:
        if as_json:
            _print_json(plan, None)
        _tell(plan.problems, "not all of it can be collected")
        return
    if not yes:
        tidying.confirm(_question(plan), _NOTHING_DONE)
    with interruptible(), progress_bar("Collecting") as progress:
        done = carry_out_garbage(plan, asked=tidying.command_typed(), progress=progress)
    if as_json:
        _print_json(plan, done)
    else:
        _print_done(done, plan, log_root)
    _tell(done.problems, "not all of it could be collected")


def _chosen(
    words: list[str] | None,
    where: str | None,
    task: str | None,
    log_root: Path | None,
    checkpoints: bool,
    keep: int | None,
) -> list[SavedRun] | None:
    """Return the runs whose checkpoints are meant; None for those of all."""
    from rla_hooks.cli.choose import choose_all, needs_filter
    from rla_hooks.cli.nothing import no_root
    from rla_hooks.errors import ConfigError, RLAError

    is_chosen = bool(words) or where is not None or task is not None
    if (is_chosen or keep is not None) and not checkpoints:
        what = "a run, --where and --task choose whose old checkpoints go" if is_chosen else "--keep counts checkpoints"
        raise ConfigError(f"{what}. Give --checkpoints, too.")
    needs_filter(where, "without a filter the checkpoints of all runs are meant")
    missing = no_root(log_root)
    if missing:
        raise RLAError(missing)
    return list(choose_all(words, log_root, where, task, many=True)) if is_chosen else None


def _question(plan: GarbagePlan) -> str:
    from rla_hooks.texts import counted, size_text

    parts = []
    for to_trash, words in ((False, "delete {}"), (True, "put {} into the trash")):
        found = [each for each in plan.found if each.to_trash is to_trash]
        if found:
            files, size = sum(each.files for each in found), sum(each.bytes for each in found)
            what = f"{counted(files, 'file')} ({size_text(size)})" if files else "empty folders"
            parts.append(words.format(what))
    text = ", and ".join(parts)
    return f"{text[0].upper()}{text[1:]}?"


def _print_plan(plan: GarbagePlan, whole: bool) -> None:
    """Print what each kind frees, which runs lose checkpoints, and what is left."""
    from rla_hooks.cli.screen import print_table, stdout_console
    from rla_hooks.texts import counted, printable, shell_path, size_text

    console = stdout_console()
    if plan.found:
        rows = [["size", "files", "what", ""]]
        for each in plan.found:
            what = each.kind if each.files else counted(len(each.paths), each.kind.removesuffix("s"))
            goes = "to the trash" if each.to_trash else "deleted"
            rows.append([size_text(each.bytes), f"{each.files:,}", what, goes])
        print_table(console, rows, right=(0, 1), narrow=2)
    else:
        typer.echo(f"there is nothing to collect in {shell_path(plan.log_root)}", err=True)
    _print_checkpoints(plan, whole)
    for line in plan.left[:_MOST]:
        print(f"left as it is: {printable(line)}")
    if len(plan.left) > _MOST:
        print(f"left as it is: {len(plan.left) - _MOST:,} more")
    if plan.offered is not None:
        size = size_text(plan.offered.bytes)
        print(
            f"also there: {counted(plan.offered.files, 'file')} of runs without a log folder, {size}: rla gc --orphans"
        )
    if whole and plan.found:
        print(f"{_NOTHING_DONE}: --dry-run", file=sys.stderr)


def _print_checkpoints(plan: GarbagePlan, whole: bool) -> None:
    """Print a line for each run that loses checkpoints."""
    from rla_hooks.cli.screen import print_table, stdout_console
    from rla_hooks.texts import counted, printable

    if not plan.checkpoints:
        return
    rows = []
    for each in plan.checkpoints if whole else plan.checkpoints[:_MOST]:
        run, step = each.run, each.newest[-1].step
        words = run.id, run.task, _parameters(run), f"{len(each.old)} old", f"newest step {step}"
        rows.append([*map(printable, words)])
    print()
    print_table(stdout_console(), rows, indent=2, narrow=2)
    left = len(plan.checkpoints) - len(rows)
    if left:
        print(f"  ... and {counted(left, 'run')} more: --dry-run shows all")


def _parameters(run: SavedRun) -> str:
    return run.title or " ".join(f"{key}={value}" for key, value in run.record.items())


def _print_done(done: Garbage, plan: GarbagePlan, log_root: Path | None) -> None:
    from rla_hooks.texts import printable, size_text

    if any(not each.to_trash for each in plan.found):
        print(f"{size_text(done.freed)} freed")
    if done.act is not None:
        size = size_text(sum(each.bytes for each in done.found if each.to_trash))
        empty, back = tidying.hint("rla trash empty", log_root), tidying.hint(f"rla undo {done.act.number}", log_root)
        print(f"{size} in the trash: {empty} frees them for good, {back} brings them back")
    for line in done.left[len(plan.left) :]:
        print(f"left as it is: {printable(line)}")


def _tell(problems: tuple[str, ...], head: str) -> None:
    """Raise NotWritten where something could not be read, moved or deleted."""
    if problems:
        more = [f"and {len(problems) - _MOST:,} more"] if len(problems) > _MOST else []
        raise NotWritten("\n".join([head, *problems[:_MOST], *more]))


def _print_json(plan: GarbagePlan, done: Garbage | None) -> None:
    from rla_hooks.cli.objects import print_json
    from rla_hooks.cli.plans import object_of_act

    act = None if done is None else done.act
    found = plan.found if done is None else done.found
    print_json(
        {
            "log_root": str(plan.log_root),
            "done": done is not None,
            "found": [each._asdict() | {"paths": [*map(str, each.paths)]} for each in found],
            "freed": 0 if done is None else done.freed,
            "act": None if act is None else object_of_act(act),
            "offered": None
            if plan.offered is None
            else plan.offered._asdict() | {"paths": [*map(str, plan.offered.paths)]},
            "left": list(plan.left if done is None else done.left),
            "problems": list(plan.problems if done is None else done.problems),
        }
    )
