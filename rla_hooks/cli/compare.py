"""``rla compare``: what runs differ in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rla_hooks.cli.common import Archived, EachRun, Json, Limit, LogRoot, Task, Where, app

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from rla_hooks.query import Runs, SavedRun
    from rla_hooks.snapshot.codediff import Change

_MAX_METRICS = 100  # unless all are asked for
_MAX_DIFF = 200, 100_000  # lines of the code's diff: by default, and with --code
_LEAST_VALUE = 40  # columns of a terminal for a value: where all runs have less, they stand in several tables
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@app.command("compare")
def compare(
    run: EachRun = None,
    everything: Annotated[bool, typer.Option("--all", help="Show equal parameters and all metrics, too.")] = False,
    code: Annotated[
        bool | None,
        typer.Option("--code/--no-code", help="Show the whole diff of the code, or none.", show_default=False),
    ] = None,
    where: Where = None,
    limit: Limit = None,
    task: Task = None,
    log_root: LogRoot = None,
    archived: Archived = False,
    as_json: Json = False,
) -> None:
    """Compare runs: parameters, metrics, code, packages; by default the last two.

    Of each metric there are the last and the best values: the smallest and the largest. The code of each run is
    compared with that of the first.

    Examples:

        rla compare
        rla compare latest~1 latest --code
        rla compare --where "algo == 'ppo'" --no-code
    """
    from rla_hooks.cli.objects import print_json
    from rla_hooks.cli.screen import print_more, stdout_console
    from rla_hooks.cli.several import several
    from rla_hooks.errors import RLAError

    is_chosen = run or any(each is not None for each in (task, where, limit))
    found = several(run, log_root, task, where, limit if is_chosen else 2)
    if len(found) < 2:
        raise RLAError("there is one run only. Give two or more to compare, such as: rla compare latest~1 latest")
    if as_json:
        print_json(_as_dict(found, everything, code is not False))
        return
    console = stdout_console()
    _print_runs(found, console)
    parameters = _parameters(found, everything)
    for name, values in parameters.items():  # one that was given as None is there; one that is missing is not
        values[:] = ["none" if name in run.hparams and value is None else value for run, value in zip(found, values)]
    _print_values("parameters", parameters, found, console)
    metrics, hidden = _metrics(found, None if everything else _MAX_METRICS)
    _print_values("metrics", metrics, found, console)
    print_more(hidden, console)
    _print_values("versions", _versions(found), found, console)
    if code is not False:
        _print_code(found, _MAX_DIFF[bool(code)], console)


Values = dict[str, list[Any]]  # by name, a value for each run; None where it has none


def _parameters(found: Runs, everything: bool) -> Values:
    from rla_hooks.query.tables import all_parameters, differing

    names = list(all_parameters(found)) if everything else differing(found)
    return {name: [run.hparams.get(name) for run in found] for name in names}


def _metrics(found: Runs, most: int | None = None) -> tuple[Values, int]:
    """The last, smallest and largest values of the first metrics, ``perf/return last`` say; and how many are left."""
    from rla_hooks.cli.several import metrics_of, rows_of
    from rla_hooks.query.summaries import summary_of

    known = metrics_of(found)
    names = known[:most]
    table: dict[str, list[Any]] = {f"{name} {kind}": [None] * len(found) for name in names for kind in _KINDS}
    for place, run in enumerate(found):
        columns = rows_of(run, names)
        for name in columns.keys() & set(names):
            summary = summary_of(columns[name], columns.get("time-step"))
            for kind in _KINDS:
                table[f"{name} {kind}"][place] = getattr(summary, kind, None)
    there = {name: values for name, values in table.items() if any(value is not None for value in values)}
    return there, len(known) - len(names)


_KINDS = "last", "min", "max"


def _versions(found: Runs) -> Values:
    """Git's commit, Python and packages, where they differ."""
    from rla_hooks.snapshot.codediff import packages

    facts: dict[str, Callable[[SavedRun], Any]] = {
        "git.commit": lambda run: _of_git(run, "commit"),
        "git.branch": lambda run: _of_git(run, "branch"),
        "git.dirty": lambda run: _of_git(run, "dirty"),
        "python": lambda run: run.run_json.get("python"),
        "platform": lambda run: run.run_json.get("platform"),
        "host": lambda run: run.host,
        "rla_hooks": lambda run: run.run_json.get("rla_hooks"),
    }
    table = {name: [get(run) for run in found] for name, get in facts.items()}
    installed = [packages(run.code_dir) for run in found]
    if all(installed):  # where one noted none, all would differ
        for name in sorted({name for each in installed for name in each}):
            table[f"package {name}"] = [each.get(name) for each in installed]
    return {name: values for name, values in table.items() if any(value != values[0] for value in values)}


def _of_git(run: SavedRun, key: str) -> Any:
    git = run.run_json.get("git")
    return git.get(key) if isinstance(git, dict) else None


def _as_dict(found: Runs, everything: bool, code: bool) -> dict[str, Any]:
    from rla_hooks.snapshot.codediff import changes, has_code

    document: dict[str, Any] = {
        "runs": [{"id": run.id, "name": run.name, "status": run.status} for run in found],
        "parameters": _parameters(found, everything),
        "metrics": _metrics(found)[0],
        "versions": _versions(found),
    }
    if code:
        document["code"] = [
            {
                "first": found[0].id,
                "second": run.id,
                "changes": [each._asdict() for each in changes(found[0].code_dir, run.code_dir)],
            }
            if has_code(found[0].code_dir) and has_code(run.code_dir)
            else {"first": found[0].id, "second": run.id, "changes": None}
            for run in found[1:]
        ]
    return document


def _heads(found: Runs) -> list[str]:
    from rla_hooks.cli.several import short_ids

    return short_ids([run.id for run in found])


def _print_runs(found: Runs, console: Console) -> None:
    """A line for each run: what stands at the head of its column, when it started, and how it ended."""
    from rich.text import Text

    from rla_hooks.cli.cells import cell
    from rla_hooks.cli.facts import moment
    from rla_hooks.cli.screen import print_table

    rows = [
        [Text(head, "bold"), moment(run.started), cell(run.status), cell(run.title or _called(run))]
        for head, run in zip(_heads(found), found, strict=True)
    ]
    print_table(console, rows, narrow=3)


def _called(run: SavedRun) -> str:
    return " ".join([run.task, *(f"{key}={value}" for key, value in run.record.items())])


def _print_values(title: str, table: Values, found: Runs, console: Console) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    from rla_hooks.cli.cells import cell, cut_apart
    from rla_hooks.cli.screen import print_table

    console.print()
    if not table:
        console.print(Text.assemble((title, "bold"), ": no difference" if title != "metrics" else ": none"))
        return
    console.print(Text(title, "bold"))
    is_metric = title == "metrics"  # parameters have all digits: they may differ in the last one
    heads = ["", *(cell(head) for head in _heads(found))]
    rows = [[Text(text, "dim") for text in heads]]
    names, width = [cell(name) for name in table], console.width - 2
    if console.is_terminal:
        names = cut_apart(names, max(_LEAST_VALUE, width // 3))
    longest = max(map(cell_len, names))
    room = max(_LEAST_VALUE, (width - longest) // len(found) - 2)
    for name, values in zip(names, table.values(), strict=True):
        texts = [cell(value, sys.maxsize, exact=not is_metric) for value in values]
        style = "bold" if is_metric and len(set(texts)) > 1 else ""
        short = cut_apart(texts, room) if console.is_terminal else texts
        rows.append([Text(name), *(Text(text, style) for text in short)])
    for part in _parts(rows, width):
        print_table(console, part, indent=2)


def _parts(rows: list[list[Text]], width: int) -> Iterator[list[list[Text]]]:
    """Yield tables of as many runs as fit beside each other, each with the first column."""
    widths = [max(each.cell_len for each in column) + 2 for column in zip(*rows, strict=True)]
    start = 1
    while start < len(widths):
        end, left = start + 1, width - widths[0] - widths[start]
        while end < len(widths) and widths[end] - 2 <= left:
            left -= widths[end]
            end += 1
        yield [[row[0], *row[start:end]] for row in rows]
        start = end


def _print_code(found: Runs, most: int, console: Console) -> None:
    from rich.text import Text

    from rla_hooks.snapshot.codediff import changes, has_code

    heads = _heads(found)
    for head, run in zip(heads[1:], found[1:], strict=True):
        title = Text.assemble(("code", "bold"), f" {heads[0]} -> {head}" if len(found) > 2 else "")
        console.print()
        without = [
            each for each, one in zip((heads[0], head), (found[0], run), strict=True) if not has_code(one.code_dir)
        ]
        if without:
            console.print(title + Text(f": not backed up in {' and '.join(without)}"))
            continue
        differences = list(changes(found[0].code_dir, run.code_dir))
        if not differences:
            console.print(title + Text(": no difference"))
            continue
        console.print(title)
        most = _print_changes(differences, most if len(found) == 2 or most > _MAX_DIFF[0] else 0, console)


def _print_changes(differences: Sequence[Change], most: int, console: Console) -> int:
    """Print the files that differ, and so many lines of their diffs; return how many lines are left."""
    from rich.text import Text

    from rla_hooks.texts import printable

    for change in differences:
        if change.kind != "text":
            console.print(Text(f"  {printable(change.path)}: {change.kind}"), soft_wrap=True)
            continue
        if not most:
            plus, minus = (sum(line.startswith(mark) for line in change.lines[2:]) for mark in "+-")
            console.print(Text(f"  {printable(change.path)}: {plus} lines more, {minus} lines less"), soft_wrap=True)
            continue
        for line in change.lines[:most]:
            text = printable(line.replace("\t", "    "))
            style = "bold" if line.startswith(("---", "+++")) else _COLOURS.get(line[:1], "")
            console.print(Text(text, style), soft_wrap=True)
        if len(change.lines) > most:
            console.print(
                Text(f"  ... {len(change.lines) - most} more lines of {printable(change.path)}: --code", "dim")
            )
        most = max(most - len(change.lines), 0)
    return most
