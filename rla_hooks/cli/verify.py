"""``rla verify``: finds what is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli.common import EachRun, Json, LogRoot, Task, Where, app
from rla_hooks.cli.tidying import DryRun, command_typed

if TYPE_CHECKING:
    from rla_hooks.upkeep.checking.all_runs import Report
    from rla_hooks.upkeep.checking.found import Finding

_MOST = 20  # findings of one run that are printed


@app.command("verify")
def verify(
    run: EachRun = None,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be rebuilt; rla undo takes it back.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Find what is damaged in runs: rows, event files, checkpoints, records, code, figures; by default of all runs.

    Files are compared with their checksums where they have some, else their form is looked at. Nothing is changed
    without --repair: that mends what can be rebuilt without a guess, of runs that nobody writes to, and puts the
    damaged files into the trash. The exit code is 1 where something is damaged, and was not repaired.

    Examples:

        rla verify
        rla verify --where "status == 'finished'" --json
        rla verify latest --repair
    """
    from rla_hooks import upkeep
    from rla_hooks.cli.progress_bar import progress_bar
    from rla_hooks.cli.several import several

    found = several(run, log_root, task, where)
    is_all = not run and where is None and task is None
    asked = command_typed() if repair and not dry_run else None
    with progress_bar("Verifying") as progress:
        report = upkeep.verify(
            None if is_all else found, log_root, repair=asked is not None, asked=asked or "", progress=progress
        )
    if as_json:
        _print_json(report)
    else:
        _print(report)
    if report.damaged:
        raise typer.Exit(1)


def _print_json(report: Report) -> None:
    from rla_hooks.cli.objects import json_text

    findings = [{name: getattr(each, name) for name in each.__annotations__} for each in report]
    acts = {"acts": report.acts, "problems": report.problems}
    counts = {"runs": report.runs, "files": report.files, "bytes": report.bytes, "seconds": round(report.seconds, 3)}
    content = {"damaged": len(report.damaged), **counts, **acts, "findings": findings}
    print(json_text(content))


def _print(report: Report) -> None:
    """Print the findings of each run, and how many there are of all."""
    from rich.console import Console

    from rla_hooks.texts import printable

    console = Console(highlight=False, soft_wrap=True)
    groups: dict[str | None, list[Finding]] = {}
    for each in report:
        groups.setdefault(each.run, []).append(each)
    for name, findings in groups.items():
        head = f"{findings[0].id}  {name}" if name is not None else "no run"
        console.print(printable(head), style="bold", markup=False)
        for each in findings[:_MOST]:
            style = "green" if each.repaired else "yellow" if each.is_damage else "dim"
            console.print(f"  {printable(_line(each))}", style=style, markup=False)
        if len(findings) > _MOST:
            console.print(f"  and {len(findings) - _MOST:,} more", markup=False)
    for problem in report.problems:
        console.print(f"not repaired: {printable(problem)}", style="yellow", markup=False)
    console.print(_summary(report), style="yellow" if report.damaged else "green", markup=False)


def _line(finding: Finding) -> str:
    """Say what is wrong with a file, where, and what can be done."""
    inside = finding.file.replace(f"/{finding.run}", "", 1) if finding.run else finding.file
    at = "" if finding.position is None else f", at byte {finding.position:,}"
    can = "" if finding.repair is None else f"; {'repaired' if finding.repaired else '--repair'}: {finding.repair}"
    return f"{'' if finding.is_damage else 'note: '}{inside}  {finding.problem}{at}{can}"


def _summary(report: Report) -> str:
    from rla_hooks.texts import counted, duration, size_text

    checked = f"{counted(report.runs, 'run')}, {counted(report.files, 'file')}, {size_text(report.bytes)}"
    seen = f"{checked} in {duration(report.seconds)}"
    repaired = {(each.run, each.file) for each in report if each.repaired}
    if repaired:
        were = "was" if len(repaired) == 1 else "were"
        back = f" (rla undo {' '.join(map(str, report.acts))} takes it back)" if report.acts else ""
        seen += f": {counted(len(repaired), 'file')} {were} repaired{back}"
    damaged = {(each.run, each.file) for each in report.damaged}
    if not damaged:
        return f"{seen}: nothing is damaged" if not repaired else f"{seen}, nothing else is damaged"
    are = "is" if len(damaged) == 1 else "are"
    of = counted(len({run for run, _ in damaged if run}), "run")
    return f"{seen}{', and' if repaired else ':'} {counted(len(damaged), 'file')} of {of} {are} damaged"
