"""``rla fork``: the command of a run again, as a new run that begins with one of its checkpoints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli.commands import ProgramCommand
from rla_hooks.cli.common import Json, LogRoot, PrintOnly, ProgramArguments, Run, Task, Where, app
from rla_hooks.query.rla_runs import without_record

if TYPE_CHECKING:
    from rla_hooks.query import SavedRun

_MAX_STEPS = 20


@app.command("fork", cls=ProgramCommand)
def fork(
    run: Run,
    arguments: ProgramArguments = None,
    step: Annotated[
        int | None, typer.Option("--step", metavar="STEP", min=0, help="That of a checkpoint; by default the newest.")
    ] = None,
    show: PrintOnly = False,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Start a run's program again, as a new run that begins with what that run was at a checkpoint.

    The new run has the rows, checkpoints and custom data up to that step, and the program finds it as one that was
    resumed: rla.is_resumed() is true, and rla.load_checkpoint() gives the checkpoint. The run itself is
    only read. The first run of the program that has its task and function becomes the fork, others are new. The
    program runs with the environment of now: the variables of then are not restored. With --json or --print nothing is
    started: what would be is printed.

    Examples:

        rla fork k3xq7aod --step 3000 -- --lr 0.05
        rla fork latest --print
    """
    from rla_hooks.cli.choose import choose
    from rla_hooks.cli.program import print_or_start
    from rla_hooks.upkeep.kept_command import KeptCommand

    chosen = choose(run, log_root, where, task)
    _check(chosen, step)
    variables = {"RLA_FORK": os.path.abspath(chosen.log_dir)}
    if step is not None:
        variables["RLA_FORK_STEP"] = str(step)
    call = f"main.fork({chosen.id!r}{'' if step is None else f', {step}'})"
    print_or_start(KeptCommand(chosen, arguments or [], variables, call), chosen, call, show, as_json)


def _check(run: SavedRun, step: int | None) -> None:
    """Raise RLAError for what the program would refuse, before it is started: it may take minutes to come that far."""
    from rla_hooks.errors import RLAError
    from rla_hooks.texts import printable, shell_path

    what = f"the run {printable(run.id)} ({printable(run.name)})"
    if run.problems or not run.run_json:
        raise RLAError(f"{what} cannot be forked: {without_record(run.paths, run.problems)}")
    steps = sorted({each.step for each in run.checkpoints()})
    if not steps:
        raise RLAError(f"{what} cannot be forked: it has no whole checkpoint in {shell_path(run.checkpoint_dir)}")
    if step is not None and step not in steps:
        before = [each for each in steps if each < step]
        near = f". The nearest before it: --step {before[-1]}" if before else ""
        listed = ", ".join(map(str, steps[-_MAX_STEPS:]))
        more = "... " * (len(steps) > _MAX_STEPS)
        raise RLAError(f"{what} has no whole checkpoint of step {step}: it has those of steps {more}{listed}{near}")
