"""``rla rerun``: a run again, on the code that it has kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli.common import Json, LogRoot, PrintOnly, Run, Task, Where, app

if TYPE_CHECKING:
    from rla_hooks.upkeep.again import Repeat
    from rla_hooks.upkeep.kept_command import KeptCommand
    from rla_hooks.upkeep.rerun_plan import RerunPlan
    from rla_hooks.upkeep.run_differences import Difference

_MAX_LISTED = 10  # differences

Folder = Path | None


@app.command("rerun")
def rerun(
    run: Run,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another value of a hyper-parameter; may be repeated."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="SEEDS", help="One run for each, in turn: 0..4 or 0,1,7.")
    ] = None,
    seed_name: Annotated[
        str | None, typer.Option("--seed-name", metavar="NAME", help="The hyper-parameter that is the seed.")
    ] = None,
    folder: Annotated[
        Folder, typer.Option("--in", metavar="FOLDER", help="Where the program runs; by default where it was started.")
    ] = None,
    into: Annotated[
        Folder, typer.Option("--into", metavar="FOLDER", help="A new folder for the code, instead of one in the cache.")
    ] = None,
    python: Annotated[
        str | None, typer.Option("--python", metavar="PATH", help="The interpreter; by default the one of then.")
    ] = None,
    venv: Annotated[
        bool, typer.Option("--venv", help="Make an environment with the packages of then, in the cache, and use it.")
    ] = False,
    venv_folder: Annotated[
        Folder, typer.Option("--venv-folder", metavar="FOLDER", help="The same, in this folder.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, whatever differs.")] = False,
    show: PrintOnly = False,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Run a run again on the code that it has kept, with the same hyper-parameters or others.

    The code is copied into a fresh folder, and the command of then runs on it, in the folder of then, so that its data
    paths hold. The first call of the tracked function gets the hyper-parameters of the run, but for those of --set; of
    a sweep, all other calls are left out. The new run says rerun_of. What is not as it was is listed first: Python,
    packages, git's commit, data that DVC tracks; on a terminal rla asks then.

    With --seeds a table at the end says what has become of each; the exit code is 1 if one has failed. Else it is that
    of the program. With --json nothing is done: what would be is printed. With --print the code is restored, too.

    Examples:

        rla rerun k3xq7aod
        rla rerun latest --set lr=1e-4 --seeds 0..4
        rla rerun k3xq7aod --venv
    """
    from rla_hooks.cli.choose import choose
    from rla_hooks.cli.program import start
    from rla_hooks.upkeep import again, new_values
    from rla_hooks.upkeep.rerun_plan import RerunPlan

    chosen = choose(run, log_root, where, task)
    plan = RerunPlan(chosen, new_values.pairs_of(changes or ()), True, folder, python)
    numbers = None if seeds is None else new_values.seeds_of(seeds)
    name = None if numbers is None else again.check_seeds(plan, seed_name)
    if (venv or venv_folder is not None) and not as_json:
        again.use_environment(plan, venv_folder, _tell)
    differences = plan.differences()
    if as_json:
        _print_json(plan, numbers, name, into, differences)
        return
    _list(differences)
    if differences and not yes and not show:
        _ask()
    restored = plan.restore(into)
    seeds_of_runs: list[int | None] = [None] if numbers is None else [*numbers]
    each = [
        (seed, plan.command(restored, {} if name is None else {name: seed}, None if show else at))
        for at, seed in enumerate(seeds_of_runs)
    ]
    if show:
        for _, command in each:
            print(command.text())
        if plan.secrets:
            _tell(f"secrets of the command are masked. Fill them in: {', '.join(plan.secrets)}")
        return
    _tell(f"{chosen.id} runs again on a copy of its code, in {restored.tree}")
    if numbers is None:
        start(each[0][1])
    _run_each(each, name or "seed")


def _tell(line: str) -> None:
    from rla_hooks.texts import printable

    print(f"rla: {printable(line)}", file=sys.stderr)


def _list(differences: Sequence[Difference]) -> None:
    """Say what is not as it was."""
    from rla_hooks.texts import printable

    if not differences:
        return
    _tell("not all is as it was:")
    for each in differences[:_MAX_LISTED]:
        print(f"  {printable(each)}", file=sys.stderr)
    if len(differences) > _MAX_LISTED:
        print(f"  ... and {len(differences) - _MAX_LISTED} more: rla rerun --json lists all", file=sys.stderr)


def _ask() -> None:
    if sys.stdin is None or not sys.stdin.isatty() or not sys.stderr.isatty():
        return  # a script reads what was listed
    print("rla: run it all the same? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise typer.Exit(1)


def _print_json(
    plan: RerunPlan, seeds: Sequence[int] | None, name: str | None, into: Folder, differences: Sequence[Difference]
) -> None:
    from rla_hooks.cli.objects import print_json

    command = plan.command(None)
    print_json(
        {
            "run": plan.run.id,
            "command": command.words,
            "folder": command.folder,
            "environment": command.variables,
            "code": str(plan.kept.code_dir),
            "into": None if into is None else str(into),
            "set": plan.values,
            "seeds": seeds,
            "seed_name": name,
            "differs": [each._asdict() for each in differences],
        }
    )


def _run_each(commands: Sequence[tuple[int | None, KeptCommand]], name: str) -> None:
    """Run one after the other; print the table, also after Ctrl-C."""
    from rla_hooks.upkeep.again import run_each

    done: list[Repeat] = []
    try:
        for each in run_each(commands):
            done.append(each)
    finally:
        _print_table(done, len(commands), name)
    if any(each.exit_code != 0 or each.run is None for each in done):
        raise typer.Exit(1)


def _print_table(done: Sequence[Repeat], wanted: int, name: str) -> None:
    from rich.text import Text

    from rla_hooks.cli.cells import cell
    from rla_hooks.cli.fields import style_of
    from rla_hooks.cli.screen import print_table, stdout_console
    from rla_hooks.texts import duration

    console = stdout_console()
    rows: list[list[Text | str]] = [[Text(word, "dim") for word in (name, "id", "status", "took", "exit code", "run")]]
    for each in done:
        run = each.run
        status = "no run" if run is None else run.status
        took = "" if run is None or run.seconds is None else duration(run.seconds)
        rows.append(
            [
                str(each.seed),
                "" if run is None else cell(run.id),
                Text(status, style_of(status)),
                took,
                str(each.exit_code),
                "" if run is None else cell(run.name),
            ]
        )
    print_table(console, rows, narrow=5)
    if len(done) < wanted:
        console.print(Text(f"{wanted - len(done)} of {wanted} were not run", "yellow"))
