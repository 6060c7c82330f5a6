"""``rla rm`` and ``rla archive``: runs leave the lists, and can come back."""

from __future__ import annotations

from typing import Annotated

import typer

from rla_hooks.cli import completion
from rla_hooks.cli.common import EachRun, Json, Limit, LogRoot, Task, Where, app
from rla_hooks.cli.plans import How, act_on
from rla_hooks.cli.tidying import All, DryRun, Running, Short, Wanted, Yes


@app.command("rm")
def remove(
    run: EachRun = None,
    where: Where = None,
    task: Task = None,
    short: Short = None,
    limit: Limit = None,
    running: Running = False,
    everything: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Delete runs with all their files; rla undo brings them back.

    They are shown first, with their files and bytes, and you are asked. They go to the trash of the log root: rla trash
    lists it, and rla trash empty frees the space. Runs that are running are left, unless --running is given. The exit
    code is 1 if runs were left.

    Examples:

        rla rm k3xq7aod h7g5tebd
        rla rm --short 100 --where "status != 'finished'"
        rla rm "*lr=10.0*" --dry-run
    """
    from rla_hooks.upkeep.deleting import plan_delete

    wanted = Wanted(run or [], log_root, where, task, limit, short, everything)
    chosen = wanted.runs("rm")
    plan = plan_delete(chosen, running=running)
    act_on(plan, chosen, How(log_root, yes, dry_run, as_json, not everything and wanted.is_all(chosen)))


@app.command("archive")
def archive(
    run: EachRun = None,
    restore: Annotated[bool, typer.Option("--restore", help="Bring archived runs back.")] = False,
    where: Where = None,
    task: Task = None,
    short: Short = None,
    limit: Limit = None,
    running: Running = False,
    everything: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Put runs away, out of all lists; --restore brings them back.

    They lie in the folder archived of the log root, which no command empties: rla runs --archived lists them, and
    rla show, plot and other commands that only look take --archived, too.

    Examples:

        rla archive --where "ended < '2026-01-01'"
        rla runs --archived
        rla archive --restore k3xq7aod
    """
    from rla_hooks.upkeep.archiving import plan_archive
    from rla_hooks.upkeep.restoring import plan_restore

    place = completion.archived_root(log_root) if restore else log_root
    wanted = Wanted(run or [], place, where, task, limit, short, everything)
    chosen = wanted.runs("archive --restore" if restore else "archive")
    plan = (plan_restore if restore else plan_archive)(chosen, running=running)
    act_on(plan, chosen, How(log_root, yes, dry_run, as_json, not everything and not restore and wanted.is_all(chosen)))
