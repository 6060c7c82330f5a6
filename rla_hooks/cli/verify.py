"""``rla verify``: finds what is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from rla_hooks.cli.common import EachRun, Json, LogRoot, Task, Where, app

if TYPE_CHECKING:
    from rla_hooks.query import Runs
    from rla_hooks.upkeep.checking.all_runs import Report
    from rla_hooks.upkeep.checking.found import Finding

_MOST = 20  # findings of one run that are printed


@app.command("verify")
def verify(
    run: EachRun = None,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Find what is damaged in runs: rows, event files, checkpoints, records, code, figures; by default of all runs.

    Files are compared with their checksums where they have some, else their form is looked at. Nothing is changed. The
    exit code is 1 where something is damaged.

    Examples:

        rla verify
        rla verify --where "status == 'finished'" --json
    """
    from rla_hooks.cli.several import several

    found = several(run, log_root, task, where)
    is_all = not run and where is None and task is None
    report = _watched(found, is_all, log_root)
    if as_json:
        _print_json(report)
    else:
        _print(report)
    if report.damaged:
        raise typer.Exit(1)


def _watched(found: Runs, is_all: bool, log_root: object) -> Report:
    """Verify the runs, with a bar on stderr, where that is a terminal, of how many are done."""
    from rich.console import Console
    from rich.progress import Progress

    from rla_hooks import upkeep

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("verifying", total=len(found))

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done)

        root = log_root if isinstance(log_root, (str, type(None))) else str(log_root)
        return upkeep.verify(None if is_all else found, root, progress=show)


def _print_json(report: Report) -> None:
    from rla_hooks.cli.objects import json_text

    findings = [{name: getattr(each, name) for name in each.__annotations__} for each in report]
    counts = {"runs": report.runs, "files": report.files, "bytes": report.bytes, "seconds": round(report.seconds, 3)}
    content = {"damaged": len(report.damaged), **counts, "findings": findings}
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
    console.print(_summary(report), style="yellow" if report.damaged else "green", markup=False)


def _line(finding: Finding) -> str:
    """Say what is wrong with a file, where, and what can be done."""
    inside = finding.file.replace(f"/{finding.run}", "", 1) if finding.run else finding.file
    at = "" if finding.position is None else f", at byte {finding.position:,}"
    return f"{inside} {finding.problem}{at}"


def _summary(report: Report) -> str:
    from rla_hooks.texts import counted, duration, size_text

    checked = f"{counted(report.runs, 'run')}, {counted(report.files, 'file')}, {size_text(report.bytes)}"
    seen = f"{checked} in {duration(report.seconds)}"
    damaged = {(each.run, each.file) for each in report.damaged}
    if not damaged:
        return f"{seen}: nothing is damaged"
    are = "is" if len(damaged) == 1 else "are"
    of = counted(len({run for run, _ in damaged if run}), "run")
    return f"{seen}: {counted(len(damaged), 'file')} of {of} {are} damaged"
