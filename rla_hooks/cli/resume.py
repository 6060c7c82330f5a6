"""``rla resume``: the command of a run again, which goes on with that run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli.commands import ProgramCommand
from rla_hooks.cli.common import Json, LogRoot, PrintOnly, ProgramArguments, Run, Task, Where, app
from rla_hooks.query.rla_runs import without_record

if TYPE_CHECKING:
    from rla_hooks.query import SavedRun
    from rla_hooks.upkeep.kept_command import KeptCommand


@app.command("resume", cls=ProgramCommand)
def resume(
    run: Run,
    arguments: ProgramArguments = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow", metavar="NAME", help="A hyper-parameter that may differ, such as steps; may be repeated."
        ),
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Load nothing; the rows so far are kept under cut/.")
    ] = False,
    same_code: Annotated[
        bool, typer.Option("--same-code", help="Run it on a copy of the code that the run has kept.")
    ] = False,
    show: PrintOnly = False,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Start a run's program again, to go on with that run: the same command in the same folder.

    The first run of the program that has its task and function is the one that goes on, from its newest checkpoint; its
    hyper-parameters must be the same, but for those that are allowed to differ. It runs with the environment of now:
    the variables of then are not restored. The exit code is that of the program. With --json or --print nothing is
    started: what would be is printed.

    Examples:

        rla resume k3xq7aod
        rla resume latest --allow steps -- --steps 20000
        rla resume latest --same-code
    """
    from rla_hooks.cli.choose import choose
    from rla_hooks.cli.program import print_or_start
    from rla_hooks.upkeep.kept_command import KeptCommand

    chosen, allowed = choose(run, log_root, where, task), allow or []
    _check(chosen, allowed, from_start)
    variables = {"RLA_RESUME": os.path.abspath(chosen.log_dir), "RLA_RESUME_REASON": "rla resume"}
    if allowed:
        variables["RLA_RESUME_ALLOW"] = ",".join(allowed)
    if from_start:
        variables["RLA_RESUME_FROM_START"] = "1"
    if same_code:
        variables["RLA_RESUME_SAME_CODE"] = "1"
    options = (f", allow={allowed}" if allowed else "") + (", from_start=True" if from_start else "")
    call = f"main.resume({chosen.id!r}{options})"
    command = KeptCommand(chosen, arguments or [], variables, call)
    if same_code and not (show or as_json):
        _use_kept_code(chosen, command)
    print_or_start(command, chosen, call, show, as_json)


def _use_kept_code(run: SavedRun, command: KeptCommand) -> None:
    """Put the run's code, copied into the cache, in the place of what the command would run, if that differs."""
    from rla_hooks.errors import RLAError
    from rla_hooks.query.cache import cache_folder
    from rla_hooks.snapshot import codediff, restoring
    from rla_hooks.texts import printable, shell_path, text_of

    what = f"the code of the run {printable(run.id)} ({printable(run.name)})"
    project, program = restoring.project_of_run(run.run_json), restoring.program_of(command.words)
    if project is None or not codediff.has_code(run.code_dir):
        raise RLAError(f"{what} was not kept (backup='none'). Resume it without --same-code")
    if program is None:
        raise RLAError(f"{what} cannot be run: its command names neither a script nor a module. Print it: --print")
    kept, cache = restoring.KeptCode(run.id, run.code_dir, project), cache_folder()
    if not kept.differs():
        return
    if cache is None:
        raise RLAError(f"{what} needs a folder. Set the variable XDG_CACHE_HOME to one")
    lost = kept.missing_script(command.folder, program)
    if lost is not None:
        raise RLAError(f"{what} is not complete: it has no {lost}. Resume it without --same-code")
    try:
        tree = kept.restore(cache).tree
    except OSError as error:
        raise RLAError(f"{what} cannot be copied to {shell_path(cache)}: {text_of(error)}") from None
    command.words, variables = restoring.command_on(tree, kept, program)
    command.variables |= variables
    print(
        f"rla: {printable(run.id)} runs on copies of the code that it was started with, in {shell_path(tree)}",
        file=sys.stderr,
    )


def _check(run: SavedRun, allow: list[str], from_start: bool) -> None:
    """Raise RLAError for what the program would refuse, before it is started: it may take minutes to come that far."""
    from rla_hooks.endings import FINISHED
    from rla_hooks.errors import RLAError
    from rla_hooks.life import lives
    from rla_hooks.restarts import length_among
    from rla_hooks.texts import printable, shell_path

    what = f"the run {printable(run.id)} ({printable(run.name)}) cannot be resumed"
    if run.problems or not run.run_json:
        raise RLAError(f"{what}: {without_record(run.paths, run.problems)}")
    if run.status == "running" and lives(run.run_json):
        raise RLAError(f"{what}: it is still alive: process {run.run_json.get('pid')}. Wait for its end, or end it")
    if run.status == FINISHED and not allow:
        name = length_among(run.hparams)
        raise RLAError(f"{what}: it has finished. To go on, allow a change: --allow {name} -- --{name} ...")
    if not from_start and not run.checkpoints():
        raise RLAError(
            f"{what}: it has no whole checkpoint in {shell_path(run.checkpoint_dir)}. To begin it anew: --from-start"
        )
