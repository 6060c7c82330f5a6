"""``rla du``: what takes the room of a log root."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from rla_hooks.cli.common import EachRun, Json, LogRoot, Task, Where, app


class By(str, Enum):
    """What a line of the listing is for."""

    tree = "tree"
    task = "task"
    run = "run"
    user = "user"
    checkpoint = "checkpoint"
    code = "code"


class Order(str, Enum):
    """What comes first: what takes most of this; of names the first."""

    size = "size"
    freed = "freed"
    files = "files"
    name = "name"


@app.command("du")
def du(
    runs: EachRun = None,
    by: Annotated[By | None, typer.Option("--by", help="List these, all of them; by default a few of each.")] = None,
    sort: Annotated[Order, typer.Option("--sort", help="What comes first.")] = Order.size,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", metavar="N", min=1, help="The first N of each; by default 5, or all.")
    ] = None,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Show what takes the room: trees, tasks, runs, checkpoints, copies of code, the trash, and what is no run's.

    A size is what the disk has allocated. Files that several runs share, as they do their code, count for each of them;
    freed is what would be free if only this went. Links are not followed. What cannot be read is told, and the exit
    code is 1 then.

    Examples:

        rla du
        rla du --by run --sort freed -n 20
        rla du --where "status == 'failed'"
    """
    from rla_hooks.cli.choose import choose_all
    from rla_hooks.cli.nothing import no_root
    from rla_hooks.cli.progress_bar import progress_bar
    from rla_hooks.cli.used import Listing, object_of_usage
    from rla_hooks.errors import RLAError
    from rla_hooks.upkeep import disk_usage

    missing = no_root(log_root)
    if missing:
        raise RLAError(missing)
    is_chosen = bool(runs) or where is not None or task is not None
    chosen = choose_all(runs, log_root, where, task, many=True) if is_chosen else None
    with progress_bar("Reading") as progress:
        usage = disk_usage(log_root, chosen, progress)
    if as_json:
        from rla_hooks.cli.objects import print_json

        print_json(object_of_usage(usage))
    else:
        Listing(usage, sort.value, limit).show(by.value if by else None)
    for problem in usage.problems[:20]:
        typer.echo(f"rla: {problem}", err=True)
    if len(usage.problems) > 20:
        typer.echo(f"rla: {len(usage.problems) - 20:,} more folders cannot be read", err=True)
    if usage.problems:
        raise typer.Exit(1)
