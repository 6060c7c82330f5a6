"""``rla push``, ``rla pull`` and ``rla sync``: runs go to a log root on another machine, and come from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli.common import Json, LogRoot, NotWritten, Task, Where, app
from rla_hooks.cli.objects import print_json
from rla_hooks.cli.progress_bar import progress_bar
from rla_hooks.cli.tidying import DryRun
from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.texts import counted, printable, size_text

if TYPE_CHECKING:
    from rla_hooks.remote.moving import Moved
    from rla_hooks.remote.place import Place
    from rla_hooks.remote.planning import Plan

_INTERRUPTED = 130
_TURN = 600.0  # seconds to wait for a run that sends itself, or another command
_MOST = 20  # runs that are shown of a plan
_SIGNS = ("==", "!=", "<", ">", " in ", " and ", " or ")

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[REMOTE] [RUN...]", help="The remote, by its name or URL, first or last; and runs, or a filter."
    ),
]
Newer = Annotated[bool, typer.Option("--newer", help="Leave files alone that are newer on the other side.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="KIND", help="Leave out log, code, results or checkpoint. Repeatable."),
]


@app.command("push")
def push(
    words: Words = None,
    where: Where = None,
    task: Task = None,
    newer: Newer = False,
    without: Without = None,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Send runs to a log root on another machine; by default all runs, to the remote of the config.

    What is there already is not sent again, so after a break the same command goes on. A new run appears there when
    all of it has come.

    Examples:

        rla push lab --dry-run
        rla push "status == 'finished'" lab
        rla push latest ssh://me@lab/data/rla_data --without checkpoint
    """
    from rla_hooks.cli.nothing import no_root
    from rla_hooks.remote.planning import plan_push

    root = _root(log_root)
    remote, given = _split(words, root)
    if missing := no_root(log_root):
        raise RLAError(missing)
    names = _chosen(given, log_root, where, task)
    with _opened(remote, root) as place:
        _carry_out(plan_push(place, root, names, newer, _kinds(without)), dry_run, as_json)


@app.command("pull")
def pull(
    words: Words = None,
    where: Where = None,
    task: Task = None,
    newer: Newer = False,
    without: Without = None,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Fetch runs from a log root on another machine; by default all of its runs.

    What is here already is not fetched again, so after a break the same command goes on. Only the files that come from
    there are changed here. See them before: rla runs --log-root URL.

    Examples:

        rla pull lab
        rla pull lab "lr < 1e-3" --without checkpoint
        rla pull ssh://me@lab/data/rla_data latest
    """
    root = _root(log_root)
    remote, given = _split(words, root)
    with _opened(remote, root) as place:
        _carry_out(_pull_plan(place, root, given, where, task, newer, without), dry_run, as_json)


@app.command("sync")
def sync(
    remote: Annotated[
        str | None, typer.Argument(metavar="REMOTE", help="Its name or URL; by default that of the config.")
    ] = None,
    where: Where = None,
    task: Task = None,
    without: Without = None,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Send the runs that the other machine lacks, and fetch those that lack here; of each file the newer one counts.

    Examples:

        rla sync lab
    """
    from rla_hooks.remote.planning import plan_push

    root = _root(log_root)
    with _opened(remote, root) as place:
        is_there = (root / "log").is_dir()
        names = _chosen([], log_root, where, task) if is_there and (where or task) else None
        _carry_out(plan_push(place, root, names, True, _kinds(without)), dry_run, as_json)
        _carry_out(_pull_plan(place, root, [], where, task, True, without), dry_run, as_json)


def _root(log_root: Path | None) -> Path:
    return Path(log_root_of(log_root))


@contextmanager
def _opened(remote: str | None, root: Path) -> Iterator[Place]:
    """Open the remote of this name or URL, or that of the config, while no other command moves runs from or to it."""
    from rla_hooks.remote.marks import alone
    from rla_hooks.remote.named import resolve
    from rla_hooks.remote.opening import open_remote

    address = resolve(remote, root)
    with alone(root, address, _TURN):
        yield open_remote(address)


def _kinds(without: list[str] | None) -> list[str]:
    from rla_hooks.remote.planning import KINDS

    for each in without or []:
        if each not in KINDS:
            raise ConfigError(f"--without is {each!r}. Allowed: {', '.join(KINDS)}.")
    return [kind for kind in KINDS if kind not in (without or [])]


def _split(words: list[str] | None, root: Path) -> tuple[str | None, list[str]]:
    """Return which word is the remote, the first or the last one, and the others, which are runs."""
    from rla_hooks.remote.named import is_remote

    given = [*(words or [])]
    for is_meant in (lambda word: is_remote(word, root), _is_log_root):  # a name or a URL leaves no doubt
        for at in (-1, 0):
            if given and is_meant(given[at]):
                return given.pop(at), given
    return None, given


def _is_log_root(word: str) -> bool:
    """Whether a word is the path of a folder that is no run's; one without a slash may mean a task: it has runs."""
    from rla_hooks.layout import LOG
    from rla_hooks.query.given import run_of_path

    is_path = Path(word).name != word or os.path.isdir(os.path.join(word, LOG))
    return is_path and os.path.isdir(word) and run_of_path(word) is None


def _chosen(words: list[str], root: Path | None, where: str | None, task: str | None) -> set[str] | None:
    """Return the names of the runs of a log root that somebody means; None for all."""
    from rla_hooks.cli.choose import choose_all

    filters = [each for each in words if any(sign in each for sign in _SIGNS)]
    words = [each for each in words if each not in filters]
    conditions = [f"({each})" for each in [*filters, *([where] if where is not None else [])]]
    if not words and not conditions and task is None:
        return None
    found = choose_all(words, root, " and ".join(conditions) or None, task, many=True)
    return {run.name for run in found}


def _pull_plan(
    place: Place,
    root: Path,
    words: list[str],
    where: str | None,
    task: str | None,
    newer: bool,
    without: list[str] | None,
) -> Plan:
    from rla_hooks.cli.nothing import call_it
    from rla_hooks.remote.listing import mirror
    from rla_hooks.remote.planning import plan_pull

    wanted = None
    if words or where is not None or task is not None:
        wanted = _chosen(words, call_it(mirror(place), str(place.address)), where, task)
    chosen = None if wanted is None else lambda names: names & wanted
    return plan_pull(place, root, chosen, newer, _kinds(without))


def _carry_out(plan: Plan, dry_run: bool, as_json: bool) -> None:
    """Show a plan, carry it out, and say what was done. Raises NotWritten where something is left."""
    from rla_hooks.remote.moving import Moved, carry_out

    plan, left = _without_those_elsewhere(plan)
    for line in left:
        print(printable(line), file=sys.stderr)
    verb = "sent to" if plan.is_push else "fetched from"
    if not as_json:
        _print_plan(plan, verb)
    done = Moved(())
    if dry_run:
        print(f"nothing was {verb.partition(' ')[0]}: --dry-run", file=sys.stderr)
    elif plan.runs:
        try:
            with progress_bar("Sending" if plan.is_push else "Fetching") as progress:
                done = carry_out(plan, progress=progress)
        except KeyboardInterrupt:
            print("rla: interrupted; what has come stays, and the same command goes on", file=sys.stderr)
            raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print_json(_object_of(plan, done))
    elif done.runs:
        print(f"{counted(len(done.runs), 'run')} {verb} {plan.place.address}")
    if done.problems:
        raise NotWritten(
            "\n".join(["not all could be moved; the same command goes on", *map(printable, done.problems)])
        )


def _without_those_elsewhere(plan: Plan) -> tuple[Plan, list[str]]:
    from rla_hooks.remote import rsync
    from rla_hooks.remote.listing import mirror
    from rla_hooks.remote.same_runs import without_those_elsewhere

    new = any(run.is_new for run in plan.runs)
    # Without rsync the small files of all runs there would come one by one.
    is_quick = plan.place.address.protocol == "file" or rsync.can_be_used(plan.place)
    needed = new and is_quick and (plan.is_push or (plan.root / "log").is_dir())
    all_there = None
    if needed:
        with suppress(RLAError):  # no folder can be had for a cache
            all_there = mirror(plan.place)
    return without_those_elsewhere(plan, all_there)


def _print_plan(plan: Plan, verb: str) -> None:
    if not plan.runs:
        print(f"nothing is to be {verb} {plan.place.address}: {counted(plan.same, 'run')} there and here alike")
        return
    for run in plan.runs[:_MOST]:
        kind = "new" if run.is_new else "more"
        print(printable(f"{kind}  {run.name}  {counted(len(run.steps), 'file')}, {size_text(run.bytes)}"))
    if len(plan.runs) > _MOST:
        print(f"... and {len(plan.runs) - _MOST:,} more")
    same = f"; {counted(plan.same, 'run')} there and here alike" if plan.same else ""
    print(f"{counted(len(plan.runs), 'run')}, {counted(plan.files, 'file')}, {size_text(plan.bytes)}{same}")


def _object_of(plan: Plan, done: Moved) -> dict[str, object]:
    return {
        "remote": str(plan.place.address),
        "log_root": str(plan.root),
        "push": plan.is_push,
        "runs": [
            {"name": run.name, "new": run.is_new, "files": len(run.steps), "bytes": run.bytes} for run in plan.runs
        ],
        "same": plan.same,
        "moved": [*done.runs],
        "problems": [*done.problems],
    }
