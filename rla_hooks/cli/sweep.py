"""``rla sweep``: a tracked function is called for each of many settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rla_hooks.cli.common import Json, LogRoot, app
from rla_hooks.cli.tidying import DryRun, Yes
from rla_hooks.errors import ConfigError
from rla_hooks.texts import shown

_PROGRAM = "rla_hooks.launch"


@app.command("sweep")
def sweep(
    function: Annotated[
        str, typer.Argument(metavar="FILE:FUNCTION", help="The tracked function: train.py:main, package.train:main.")
    ],
    settings: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUES...", help="Values with commas, or a range: seed=0..4.")
    ],
    on: Annotated[str, typer.Option("--on", metavar="ENGINE", help="local, slurm or ray.")] = "local",
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", metavar="N", help="How many run at once; -1 is one for each core.")
    ] = None,
    retries: Annotated[int, typer.Option("--retries", metavar="N", help="Try a setting that failed N times more.")] = 0,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="The runs' group; by default made of the parameters.")
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Skip nothing, go on with nothing: begin all settings.")] = False,
    search: Annotated[
        str, typer.Option("--search", metavar="HOW", help="grid takes all combinations, random draws --limit of them.")
    ] = "grid",
    limit: Annotated[int | None, typer.Option("-n", "--limit", metavar="N", help="At most so many settings.")] = None,
    seed: Annotated[int, typer.Option("--random-seed", metavar="N", help="Of --search random.")] = 0,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="Says how good a run is; by default its result.")
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", metavar="max|min", help="Whether more of it is better, or less.")
    ] = "max",
    gpus: Annotated[int | None, typer.Option("--gpus", metavar="N", help="Of each job on a cluster.")] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="The longest a job on a cluster may take: 2h, 1d 12h.")
    ] = None,
    cluster: Annotated[
        list[str] | None,
        typer.Option(
            "--cluster", metavar="NAME=VALUE", help="An option of submitit or of ray.remote; may be repeated."
        ),
    ] = None,
    no_divide: Annotated[
        bool, typer.Option("--no-divide", help="Leave the cores and the GPUs of this machine to all jobs.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Call a tracked function for each of many settings, each call a run: here, on Slurm or on Ray.

    The plan is shown first, and on a terminal you are asked. Settings whose run has finished are skipped, those whose
    run has not go on, so that the same command, given again, goes on where it was. A table at the end says what has
    become of each; the exit code is 1 if one has not ended well. The file is imported: what trains there must stand
    below if __name__ == "__main__". With --json nothing is done: the program that would sweep is printed.

    Examples:

        rla sweep train.py:main lr=1e-4,3e-4 seed=0..4 --jobs 2
        rla sweep train.py:main lr=1e-4,3e-4 --on slurm --gpus 1 --time 2h
        rla sweep train.py:main layers=[64],[64,64] --search random -n 2
    """
    from rla_hooks.cli.objects import print_json
    from rla_hooks.cli.program import start_words
    from rla_hooks.command import command_line

    options: dict[str, Any] = {"function": function, "settings": settings, "on": on, "jobs": jobs, "retries": retries}
    options |= {"group": group, "resume": not anew, "search": search, "limit": limit, "seed": seed, "metric": metric}
    options |= {"mode": mode, "divide": not no_divide, "cluster": _cluster(on, gpus, time, cluster or [])}
    options |= {"confirm": not yes, "dry_run": dry_run, "log_root": None if log_root is None else str(log_root)}
    options = {key: value for key, value in options.items() if value is not None and value != {}}
    command = [sys.executable, "-m", _PROGRAM, json.dumps(options | {"command": command_line()})]
    if as_json:
        print_json({"command": command, "folder": str(Path.cwd()), "options": options})
    else:
        start_words(command)


def _cluster(on: str, gpus: int | None, time: str | None, texts: list[str]) -> dict[str, Any]:
    """Return the options of submitit, or of Ray. Raises ConfigError."""
    from rla_hooks.query.times import duration_of
    from rla_hooks.upkeep.new_values import pairs_of, typed

    found: dict[str, Any] = {} if gpus is None else {"num_gpus" if on == "ray" else "gpus_per_node": gpus}
    if time is not None:
        span = duration_of(time)
        if span is None or span.is_ago or span.seconds < 60:
            raise ConfigError(
                f"--time is {shown(time, 100)}. Allowed: a duration of a minute or more: 90min, 2h, 1d 12h"
            )
        found["timeout_min"] = int(span.seconds // 60)
    return found | {name: typed(text, None) for name, text in pairs_of(texts, "--cluster").items()}
