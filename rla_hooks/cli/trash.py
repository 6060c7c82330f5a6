"""``rla undo`` and ``rla trash``: what was done to runs, and can be taken back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli import completion, tidying
from rla_hooks.cli.cells import is_terminal
from rla_hooks.cli.common import Json, LogRoot, NotWritten, app
from rla_hooks.cli.nothing import no_root
from rla_hooks.cli.objects import print_json
from rla_hooks.cli.plans import VERBS, How, interruptible, object_of_act, print_fields
from rla_hooks.cli.progress_bar import progress_bar
from rla_hooks.cli.tidying import DryRun, Yes
from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.texts import counted, printable, shell_path, size_text
from rla_hooks.upkeep.planning import HOLDING

if TYPE_CHECKING:
    from rla_hooks.upkeep.acting import Act

_KEPT = "nothing was deleted"
_MOST = 20  # runs that are printed one a line


class What(str, Enum):
    """What to do with the trash."""

    list = "list"
    show = "show"
    empty = "empty"


@app.command("undo")
def undo(
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="N", min=1, autocompletion=completion.acts, help="The act; by default the last. See rla trash."
        ),
    ] = None,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Take the last act back: rm, archive, mv, rename, gc, verify --repair; or that of a number.

    All its runs are where they were, in all trees. If a name is taken by now, nothing is changed.

    Examples:

        rla undo
        rla undo 3 --dry-run
    """
    from rla_hooks.upkeep.undoing import plan_undo
    from rla_hooks.upkeep.undoing import undo as undo_act

    _check_root(log_root)
    if dry_run:
        act = plan_undo(log_root, number)
        if act.trouble:
            raise RLAError(f"act {act.number} cannot be undone: {act.trouble}")
    else:
        with interruptible(), progress_bar("Undoing") as progress:
            act = undo_act(log_root, number, progress=progress)
    if as_json:
        print_json(object_of_act(act))
    else:
        done = "would be undone" if dry_run else "is undone"
        print(f"act {act.number} {done}: {_said(act)}")
        _print_runs(act, back=True)
    if act.problems and not dry_run:
        raise NotWritten("\n".join(["not all of it could be undone", *act.problems]))


@app.command("trash")
def trash(
    what: Annotated[What, typer.Argument(metavar="list|show|empty", help="What to do.")] = What.list,
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="N...", min=1, autocompletion=completion.acts, help="Only these acts; by default all."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Only acts from before that: 30d, 2026-01-31.")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """List what can be undone; trash empty frees the space.

    Each act has a number: rla undo N takes it back. trash show N prints its runs; trash empty deletes what is in the
    trash for good, and asks before.

    Examples:

        rla trash
        rla trash show 3
        rla trash empty --older-than 30d
    """
    _check_root(log_root)
    found = _chosen(numbers or [], older_than, log_root)
    if what is What.empty:
        _empty(found, How(log_root, yes, dry_run, as_json))
    elif as_json:
        print_json([object_of_act(act) for act in found])
    elif not found:
        print(f"the trash of {shell_path(log_root_of(log_root))} is empty", file=sys.stderr)
    elif what is What.show:
        for act in found:
            print(f"act {act.number}: {_said(act)}")
            _print_runs(act, most=None)
    else:
        _print_acts(found)


def _check_root(log_root: Path | None) -> None:
    missing = no_root(log_root)
    if missing:
        raise RLAError(missing)


def _chosen(numbers: Sequence[int], older_than: str | None, log_root: Path | None) -> list[Act]:
    """Return the acts of these numbers and this age, oldest first."""
    from rla_hooks.upkeep.trash_folder import acts

    found = acts(log_root)
    unknown = sorted({*numbers} - {act.number for act in found})
    if unknown:
        known = ", ".join(str(act.number) for act in found) or "none"
        raise ConfigError(f"there is no act {', '.join(map(str, unknown))}. There are: {known}. See rla trash")
    if older_than is not None:
        from rla_hooks.query.times import since_of

        before = since_of(older_than, "--older-than")
        found = [act for act in found if act.time.timestamp() < before]
    return [act for act in found if not numbers or act.number in numbers]


def _print_acts(found: Sequence[Act]) -> None:
    from rla_hooks.cli.fields import Field

    fields = [
        Field("act", [act.number for act in found], 0, 3, 6),
        Field("time", [act.time for act in found], 2, 11, 19),
        Field("what", [act.kind for act in found], 1, 7, 8),
        Field("runs", [len(act.runs) for act in found], 1),
        Field("frees", [size_text(act.bytes) if act.kind in HOLDING else None for act in found], 2, 8, 10),
        Field("command", [act.asked for act in found], 5, 10, 60),
    ]
    lost = [act for act in found if act.trouble]
    if lost and not is_terminal():
        fields.append(Field("cannot be undone", [_reason(act, most=None) for act in found], 3, 16, 60))
    print_fields(fields)
    for act in lost if is_terminal() else []:  # below the table, where the reasons have room
        print(printable(f"act {act.number} cannot be undone: {_reason(act, most=1)}"))


def _reason(act: Act, most: int | None) -> str | None:
    """Return on one line why an act cannot be undone: so many of the reasons."""
    lines = [line.strip().removeprefix("- ") for line in (act.trouble or "").splitlines()]
    reasons = [line for line in lines if line]
    more = [f"and {len(reasons) - most:,} more"] if most is not None and len(reasons) > most else []
    return "; ".join([*reasons[:most], *more]) or None


def _said(act: Act) -> str:
    time = f"{act.time.astimezone():%Y-%m-%d %H:%M:%S}"
    verb = VERBS[act.kind].participle if act.kind in VERBS else act.kind
    return f"{counted(len(act.runs), 'run')} {verb} at {time}"


def _print_runs(act: Act, most: int | None = _MOST, back: bool = False) -> None:
    """Print the runs of an act, and what it has made of their names; back: what the undoing makes of them."""
    for run in act.runs[:most]:
        names = [name for name in (run.name, run.to) if name]
        print(printable(f"  {run.id}  {' -> '.join(names[::-1] if back else names)}"))
    if most is not None and len(act.runs) > most:
        print(f"  ... and {len(act.runs) - most:,} more")


def _empty(found: Sequence[Act], how: How) -> None:
    """Show what would be deleted for good, ask, and delete it."""
    from rla_hooks.upkeep.trash_folder import acts, empty_trash

    held = [act for act in found if act.kind in HOLDING]
    numbers, files, size = [act.number for act in found], sum(act.files for act in held), sum(act.bytes for act in held)
    runs = sum(len(act.runs) for act in held if act.kind == "delete")  # of others only some files are in the trash
    told = f"{counted(runs, 'run')}, {counted(files, 'file')}, {size_text(size)}"
    if found and not how.as_json:
        _print_acts(found)
    if how.dry_run:
        if how.as_json:
            print_json({"acts": numbers, "files": files, "bytes": size})
        print(f"{_KEPT}: --dry-run would free {told}", file=sys.stderr)
        return
    if found and not how.yes:
        tidying.confirm(f"Delete {told} for good? {_acts(len(found))} be undone then.", _KEPT)
        there = {(act.number, act.time) for act in acts(how.log_root)}  # others may have been given these numbers
        numbers = [act.number for act in found if (act.number, act.time) in there]
    with progress_bar("Deleting for good") as progress:
        done = empty_trash(how.log_root, numbers, progress=progress)  # also of none: it ends what was killed
    if how.as_json:
        print_json({"acts": list(done.numbers), "files": done.files, "bytes": done.bytes})
    else:
        print(f"{counted(len(done.numbers), 'act')} deleted for good: {size_text(done.bytes)} freed")
    if done.problems:
        raise NotWritten("\n".join(["not all of it could be deleted", *done.problems]))


def _acts(number: int) -> str:
    return "This act cannot" if number == 1 else f"These {number:,} acts cannot"
