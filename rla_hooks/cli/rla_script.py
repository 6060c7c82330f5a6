"""``rla rla-script``: the command lines of RLA's rla_scripts/, with their words and options."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rla_hooks.cli import completion
from rla_hooks.cli.common import Json, LogRoot, app
from rla_hooks.cli.nothing import no_root
from rla_hooks.cli.plans import How, act_on
from rla_hooks.cli.tidying import All, DryRun, Yes
from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query import Runs
from rla_hooks.query import runs as all_runs
from rla_hooks.texts import printable, shell_path, shown

if TYPE_CHECKING:
    from rla_hooks.easy_log.log_tools import BasicLogTool


class Script(str, Enum):
    """RLA's scripts."""

    delete_expt = "delete_expt"
    archive_expt = "archive_expt"
    migrate_expt = "migrate_expt"
    view_expt = "view_expt"
    start_pretty_plotter = "start_pretty_plotter"


class DeleteType(str, Enum):
    """The runs that delete_expt means: all that the pattern fits, or of them those of few time steps."""

    all = "all"
    small_ts = "small_ts"


_MODERN = {
    Script.delete_expt: "rla rm",
    Script.archive_expt: "rla archive",
    Script.migrate_expt: "rla mv",
    Script.view_expt: "rla show, or rla tail for rows,",
}


@app.command("rla-script")
def rla_script(
    script: Annotated[Script, typer.Argument(metavar="SCRIPT", help=", ".join(each.value for each in _MODERN) + ".")],
    task_table_name: Annotated[
        str,
        typer.Option(
            *("--task_table_name", "--task_table"),
            metavar="TASK",
            autocompletion=completion.tasks,
            help="The task, or a pattern; by default all.",
        ),
    ] = "",
    regex: Annotated[
        str | None,
        typer.Option("--regex", metavar="PATTERN", help="Of folders below the task, such as '2026/01/31/12-0*'."),
    ] = None,
    target_task_table: Annotated[
        str | None,
        typer.Option(
            "--target_task_table",
            metavar="TASK",
            autocompletion=completion.tasks,
            help="The task to which migrate_expt moves.",
        ),
    ] = None,
    timestep_bound: Annotated[
        int,
        typer.Option("--timestep_bound", metavar="N", help="The greatest time step of runs that small_ts means."),
    ] = 100,
    delete_type: Annotated[
        DeleteType, typer.Option("--delete_type", metavar="all|small_ts", help="Which runs delete_expt means.")
    ] = DeleteType.all,
    everything: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Do what a script of RLA's rla_scripts does, with its words and options.

    The runs are found by a pattern of folders below the task. delete_expt is rla rm, archive_expt rla archive,
    migrate_expt rla mv; view_expt prints what runs have said. Runs are shown first, and you are asked; rla undo takes
    it back.

    Examples:

        rla rla-script delete_expt --task_table_name cartpole --regex '2026/01/*'
        rla rla-script delete_expt --regex '*' --delete_type small_ts \\
            --timestep_bound 100
        rla rla-script migrate_expt --task_table cartpole --regex '2026/*' \\
            --target_task_table baselines
    """
    from rla_hooks.old_words import tell_modern_name

    if script not in _MODERN:
        raise RLAError(f"{script.value} is not in rla_hooks. Use rla plot, rla tb for a page, rla export for numbers")
    if regex is None:
        raise ConfigError("--regex is not given. Allowed: a pattern of folders below the task, such as '2026/01/*'")
    missing = no_root(log_root)
    if missing:
        raise RLAError(missing)
    place = (log_root_of(log_root), task_table_name, regex)
    tool = _tool_of(script, place, target_task_table, delete_type, timestep_bound)
    chosen = tool.runs()
    if not chosen:
        raise RLAError(_nothing(place, delete_type, timestep_bound))
    tell_modern_name(f"rla-script {script.value}", _MODERN[script])
    if script is Script.view_expt:
        _view(chosen, yes, dry_run, as_json)
    else:
        is_all = not everything and len(chosen) == len(all_runs(log_root))
        target = f" to the task {shell_path(target_task_table)}" if target_task_table else ""
        act_on(tool.plan_of(chosen), chosen, How(log_root, yes, dry_run, as_json, is_all, target))


def _tool_of(
    script: Script, place: tuple[Path, str, str], target: str | None, kind: DeleteType, bound: int
) -> BasicLogTool:
    """Return the tool for a script, over the runs in a place: the log root, the task and the pattern below it."""
    from rla_hooks.easy_log import log_tools

    if (script is Script.migrate_expt) is not bool(target):
        raise ConfigError(
            "--target_task_table is the task to which migrate_expt moves runs. Give it there, and there only"
        )
    if script is Script.migrate_expt:
        return log_tools.MigrateLogTool(*place, str(target))
    if script is Script.archive_expt:
        return log_tools.ArchiveLogTool(*place)
    if script is Script.view_expt:
        return log_tools.ViewLogTool(*place)
    chosen = log_tools.Filter()
    chosen.config(kind.value, bound)
    return log_tools.DeleteLogTool(*place, chosen)


def _nothing(place: tuple[Path, str, str], kind: DeleteType, bound: int) -> str:
    root, task, regex = place
    few = f" with at most {bound:,} time steps" if kind is DeleteType.small_ts else ""
    of = f" of the task {shown(task, 100)}" if task else ""
    return (
        f"no run{of} in {shell_path(root)}{few} fits {shown(regex, 100)}. It is a pattern of folders, as "
        "'2026/01/31/12-0*', and no regular expression. See all: rla runs"
    )


def _view(chosen: Runs, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Print what runs have said, after a question for each; or which they are."""
    from rla_hooks.cli.objects import object_of, print_json
    from rla_hooks.easy_log.tool_acts import ask_and_print

    if as_json:
        print_json([object_of(run) for run in chosen])
    elif dry_run:
        print(*(printable(run.name) for run in chosen), sep="\n")
    else:
        ask_and_print(chosen, yes)
