"""A plan of an act as it is shown, asked about and carried out: for ``rla rm``, ``archive``, ``mv`` and ``rename``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from rla_hooks.cli import tidying
from rla_hooks.cli.cells import is_terminal
from rla_hooks.cli.common import NotWritten
from rla_hooks.cli.objects import print_json
from rla_hooks.cli.progress_bar import progress_bar
from rla_hooks.errors import ConfigError
from rla_hooks.layout import TREES
from rla_hooks.query import SavedRun
from rla_hooks.query.moved import parsed
from rla_hooks.texts import counted, printable, shell_path, size_text

if TYPE_CHECKING:
    from rla_hooks.cli.fields import Field
    from rla_hooks.cli.lines import Column
    from rla_hooks.upkeep.acting import Act
    from rla_hooks.upkeep.planning import Item, Plan, Refused

_BRIEF = 100  # characters: in a narrower terminal times have no year and no seconds
_MOST = 20  # runs that a terminal shows, unless nothing is done but to show them
_RANKS = {"id": 0, "started": 2, "task": 5, "status": 1, "rows": 2, "title": 4, "parameters": 3, "wrong": 7}
_INTERRUPTED = 130


class Verb(NamedTuple):
    """The words for a kind of act, as in: Delete runs? Deleting runs, deleted runs."""

    imperative: str
    progressive: str
    participle: str


VERBS = {
    "delete": Verb("Delete", "Deleting", "deleted"),
    "archive": Verb("Archive", "Archiving", "archived"),
    "restore": Verb("Restore", "Restoring", "restored"),
    "move": Verb("Move", "Moving", "moved"),
    "rename": Verb("Rename", "Renaming", "renamed"),
    "collect": Verb("Clean", "Cleaning", "cleaned"),
    "repair": Verb("Repair", "Repairing", "repaired"),
}


class How(NamedTuple):
    """How an act is to be done: asked about or not, printed as lines or as JSON."""

    log_root: Path | None
    yes: bool
    dry_run: bool
    as_json: bool
    is_all: bool = False  # a filter has chosen all runs of the log root, and --all was not given
    target: str = ""  # where the runs go, as the question has it


def act_on(plan: Plan, chosen: Sequence[SavedRun], how: How) -> None:
    """Show a plan, ask, carry it out, and say what was done. Raises NotWritten where runs were left as they are."""
    verb = VERBS[plan.kind]
    nothing_done = f"nothing was {verb.participle}"
    if not plan.items:
        raise NotWritten("\n".join([nothing_done, *_lines_of_refused(plan.refused)]))
    if how.as_json and how.dry_run:
        print_json(_object_of_plan(plan))
        return
    if not how.as_json:
        _print_plan(plan, chosen, how)
    if how.dry_run:
        print(f"{nothing_done}: --dry-run", file=sys.stderr)
        return
    _ask(plan, how, verb, nothing_done)
    act = _carried_out(plan)
    if how.as_json:
        print_json(object_of_act(act) | {"refused": [each._asdict() for each in plan.refused]})
    else:
        number = act.number
        back = "" if not act.runs else f": {tidying.hint(f'rla undo {number}', how.log_root)} takes it back"
        print(f"{counted(len(act.runs), 'run')} {verb.participle}{back}")
    _tell_left(act.problems, plan.refused)


def _ask(plan: Plan, how: How, verb: Verb, nothing_done: str) -> None:
    """Ask whether the plan is to be carried out; twice where a filter has chosen all runs."""
    number = len(plan.items)
    if how.yes:
        if how.is_all:
            raise ConfigError(
                f"{nothing_done}: these are all runs of {shell_path(plan.log_root)}. Give --all, too, or another filter"
            )
        return
    left = f" {counted(len(plan.refused), 'run')} will be left as {'it is' if len(plan.refused) == 1 else 'they are'}."
    what = f"{verb.imperative} {counted(number, 'run')}{how.target}?"
    tidying.confirm(f"{what}{left if plan.refused else ''}", nothing_done)
    if how.is_all:
        question = f"These are all runs of {shell_path(plan.log_root)}. Type {number} to go on:"
        tidying.confirm_number(question, number, nothing_done)


def _carried_out(plan: Plan) -> Act:
    from rla_hooks.upkeep.acting import carry_out

    with interruptible(), progress_bar(VERBS[plan.kind].progressive) as progress:
        return carry_out(plan, asked=tidying.command_typed(), progress=progress)


@contextmanager
def interruptible() -> Iterator[None]:
    """Say how far an act has come that Ctrl-C has ended; raise typer.Exit(130)."""
    from rla_hooks.upkeep.acting import ActInterrupted

    try:
        yield
    except ActInterrupted as interrupted:
        print(f"rla: {interrupted}", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None


def _tell_left(problems: Sequence[str], refused: Sequence[Refused]) -> None:
    """Raise NotWritten for runs that were left as they are. Those of the plan were shown with it."""
    number = len(problems) + len(refused)
    if number:
        left = "1 run was left as it is" if number == 1 else f"{number:,} runs were left as they are"
        raise NotWritten("\n".join([left, *(problems or _lines_of_refused(refused))]))


# --- what is shown ----------------------------------------------------------------------------------------------------


def _print_plan(plan: Plan, chosen: Sequence[SavedRun], how: How) -> None:
    """Print the runs, one a line, what each tree has of them, and what is left alone."""
    items = plan.items if how.dry_run or not is_terminal() else plan.items[:_MOST]
    print_fields(_fields(items, chosen))
    if len(items) < len(plan.items):
        print(f"... and {len(plan.items) - len(items):,} more: --dry-run shows all")
    print(f"{counted(len(plan.items), 'run')}{how.target}, {counted(plan.files, 'file')}, {size_text(plan.bytes)}")
    trees = _by_tree(plan)
    if trees:
        print(f"  {', '.join(trees)}")
    for line in _lines_of_refused(plan.refused):
        print(f"left as it is: {line}")


def print_fields(fields: Sequence[Field]) -> None:
    """Print a table: as wide as it is in a pipe, fitted to a terminal."""
    from rla_hooks.cli.fields import columns_of
    from rla_hooks.cli.lines import fitted, plain

    def columns(brief: bool | None) -> list[Column]:
        found = columns_of(fields, brief)
        return [each._replace(right=True) if each.head in ("size", "frees") else each for each in found]

    if is_terminal():
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)
        for line in fitted(columns(console.width < _BRIEF), console.width)[0]:
            console.print(line)
    else:
        print(*plain(columns(None)), sep="\n")


def _fields(items: Sequence[Item], chosen: Sequence[SavedRun]) -> list[Field]:
    from rla_hooks.cli.fields import Field, default_fields

    runs = {run.name: run for run in chosen}
    found = [runs[item.name] for item in items if item.name in runs]
    fields = default_fields(found, exact=not is_terminal())
    about = [field._replace(rank=_RANKS[field.name]) for field in fields if field.name in _RANKS]
    becomes = [_new_name(item) for item in items]
    if any(becomes):
        about.append(Field("becomes", becomes, 1, 20, 60))
    files, sizes = [item.files for item in items], [size_text(item.bytes) for item in items]
    return [*about, Field("files", files, 6), Field("size", sizes, 2, 8, 10)]


def _new_name(item: Item) -> str | None:
    """Return the new name of a run; on a terminal what is new of it, if that is not the task, which is said below."""
    if item.to is None or not is_terminal():
        return item.to
    old, new = parsed(item.name), parsed(item.to)
    if new is None or (old is not None and new.task != old.task):
        return None
    return " ".join(f"{key}={value}" for key, value in new.record.items())


def _by_tree(plan: Plan) -> list[str]:
    """Return how many bytes are in each tree that has any: in checkpoints, mostly."""
    from rla_hooks.upkeep.sizes import Sizes

    sources: dict[str, list[str]] = {}
    for part in (part for item in plan.items for part in item.parts):
        tree = next((each for each in part.source.split("/") if each in TREES), "")
        sources.setdefault(tree, []).append(part.source)
    sizes = Sizes(plan.log_root)
    with suppress(OSError):  # a file that is gone just now
        bytes_of = {tree: sizes.count(sources[tree]).bytes for tree in TREES if tree in sources}
        return [f"{tree} {size_text(size)}" for tree, size in bytes_of.items() if size]
    return []


def _lines_of_refused(refused: Sequence[Refused]) -> list[str]:
    return [printable(f"{each.id or each.name} {each.reason}") for each in refused]


def _object_of_plan(plan: Plan) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "log_root": str(plan.log_root),
        "runs": [tidying.object_of_item(item) | {"status": item.status} for item in plan.items],
        "files": plan.files,
        "bytes": plan.bytes,
        "refused": [each._asdict() for each in plan.refused],
    }


def object_of_act(act: Act) -> dict[str, Any]:
    """Return an act as plain data."""
    return {
        "act": act.number,
        "kind": act.kind,
        "time": act.time,
        "asked": act.asked,
        "runs": [tidying.object_of_item(run) for run in act.runs],
        "files": act.files,
        "bytes": act.bytes,
        "problems": list(act.problems),
        "undone": act.undone,
        "trouble": act.trouble,
    }
