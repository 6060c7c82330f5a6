"""``rla mv`` and ``rla rename``: runs get another name."""

from __future__ import annotations

from typing import Annotated

import typer

from rla_hooks.cli import completion
from rla_hooks.cli.choose import choose
from rla_hooks.cli.common import Json, Limit, LogRoot, Run, Task, Where, app
from rla_hooks.cli.dash_words import DashWords
from rla_hooks.cli.plans import How, act_on
from rla_hooks.cli.tidying import DryRun, Running, Short, Wanted, Yes
from rla_hooks.errors import ConfigError
from rla_hooks.query import runs
from rla_hooks.texts import shell_path, shown


@app.command("mv")
def move(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN TASK",
            autocompletion=completion.runs_and_tasks,
            help="The runs, unless --where, --task or --short says which; then the task that they are to have.",
        ),
    ] = None,
    where: Where = None,
    task: Task = None,
    short: Short = None,
    limit: Limit = None,
    running: Running = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Move runs to another task, with all their files.

    Their ids stay, and the times and parameters in their names. With a filter the task alone is enough.

    Examples:

        rla mv k3xq7aod h7g5tebd baselines
        rla mv --where "algo == 'ppo' and 'good' in tags" cartpole/ppo
    """
    from rla_hooks.upkeep.moving import plan_move

    *names, target = words or [""]
    wanted = Wanted(names, log_root, where, task, limit, short)
    if not target or not (names or wanted.is_filtered):
        raise ConfigError(
            f"rla mv got {'only ' + shown(target, 100) if target else 'no run'}. Allowed: rla mv RUN... TASK, or with "
            "a filter: rla mv --where FILTER TASK"
        )
    if any(target in (run.id, run.name) for run in runs(log_root)):
        raise ConfigError(f"{shown(target, 100)} is a run. The last word is the task: rla mv RUN... TASK")
    chosen = wanted.runs("mv")
    plan = plan_move(chosen, target, running=running)
    act_on(plan, chosen, How(log_root, yes, dry_run, as_json, target=f" to the task {shell_path(target)}"))


@app.command("rename", cls=DashWords)
def rename(
    run: Run,
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE -KEY", help="What the name is to say, and -KEY for what it is to leave out."),
    ] = None,
    where: Where = None,
    task: Task = None,
    running: Running = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Change the parameters in a run's name.

    The name is what folders, lists and TensorBoard show; parameter.json stays as it is. For a line that people read
    there is rla title.

    Examples:

        rla rename k3xq7aod info=baseline
        rla rename latest lr=0.1 -seed
    """
    from rla_hooks.upkeep.moving import plan_rename

    pairs = dict(_pair(word) for word in changes or [] if not word.startswith("-"))
    left_out = [word[1:] for word in changes or [] if word.startswith("-")]
    if not (pairs or left_out):
        raise ConfigError("rla rename got no change. Allowed: rla rename RUN KEY=VALUE..., and -KEY to leave one out")
    saved = choose(run, log_root, where, task)
    plan = plan_rename(saved, pairs, remove=left_out, running=running)
    act_on(plan, [saved], How(log_root, yes, dry_run, as_json))


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise ConfigError(f"{shown(word, 100)} is no change. Allowed: KEY=VALUE, and -KEY to leave a parameter out")
    return key, value
