"""``rla runs``: the runs of a log root, one a line."""

from __future__ import annotations

from typing import Annotated

import typer

from rla_hooks.cli import completion
from rla_hooks.cli.common import Archived, Every, Json, LogRoot, Task, Where, app, names_in

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "-c",
        "--columns",
        metavar="NAMES",
        autocompletion=completion.columns,
        help="Parameters and metrics, with commas between them: lr,perf/return,max.perf/return.",
    ),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="PATTERN", help="Only runs with this in their name: *ppo*.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only runs that started since: 2h, '2 days', 2026-01-31.")
]
Tags = Annotated[str | None, typer.Option("--tags", metavar="TAGS", help="Only runs with all these tags: good,paper.")]
Group = Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only runs of this group.")]
Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="NAMES", help="Sort by these; with a minus the greatest first: -last.perf/return."),
]
Limit = Annotated[
    int | None,
    typer.Option("-n", "--limit", metavar="N", min=0, help="The newest N; of sorted runs, or groups, the first N."),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="One line a group of runs with the same values of these: algo,env. Metrics: mean ± standard deviation.",
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the listing again and again, until Ctrl-C.")]


_WORDS = {"allow_extra_args": True}  # which are a mistake: what was meant is said


@app.command("ls", context_settings=_WORDS, help="The same as runs.\n\nExamples:\n\n    rla ls -n 20")
@app.command("runs", context_settings=_WORDS)
def list_runs(
    context: typer.Context,
    columns: Columns = None,
    where: Where = None,
    name: Name = None,
    since: Since = None,
    tags: Tags = None,
    group: Group = None,
    task: Task = None,
    sort: Sort = None,
    limit: Limit = None,
    by: By = None,
    json: Json = False,
    csv: Csv = False,
    watch: Watch = False,
    every: Every = 2.0,
    log_root: LogRoot = None,
    archived: Archived = False,
) -> None:
    """List runs, one a line, newest last.

    Without -c: when they started, how they ended, rows and last step, the parameters in which they differ, and what is
    wrong. With -c the values of these names; a metric's name means its last value.

    Examples:

        rla runs
        rla runs -c lr,perf/return --where "lr < 1e-3" --sort -last.perf/return
        rla runs --by algo,env -c perf/return
        rla runs --since "2 days" --csv > runs.csv
        rla runs --watch
    """
    from rla_hooks.cli import listed
    from rla_hooks.errors import ConfigError
    from rla_hooks.texts import shell_path, shown

    if context.args:
        word = context.args[0]
        raise ConfigError(
            f"rla runs takes no words, but got {shown(word, 100)}. Choose runs by --task {shell_path(word)}, "
            f'--name {shell_path(f"*{word}*")} or --where "..."; one run is shown by rla show {shell_path(word)}.'
        )
    if json + csv + watch > 1:
        raise ConfigError("--json, --csv and --watch exclude each other. Give one of them.")
    wanted = listed.Wanted(
        log_root,
        task,
        {"where": where, "name": name, "since": since, "tags": names_in([tags]), "group": group},
        names_in(columns or []),
        names_in([by]),
        sort,
        limit,
    )
    if watch:
        listed.watch(wanted, every)
    elif json:
        listed.print_as_json(wanted)
    elif csv:
        listed.print_as_csv(wanted)
    else:
        listed.print_lines(wanted)
