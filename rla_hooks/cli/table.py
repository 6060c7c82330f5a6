"""``rla table``: scores of groups of runs as the table of a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rla_hooks.cli import completion, target
from rla_hooks.cli.common import Archived, By, Json, Limit, LogRoot, Task, Where, app, names_in

_ENDINGS = {".md": "markdown", ".tex": "latex", ".csv": "csv"}


@app.command("table")
def table(
    metrics: Annotated[list[str], typer.Argument(metavar="METRIC...", autocompletion=completion.metrics)],
    by: By = None,
    columns: Annotated[
        str | None, typer.Option("-c", "--columns", metavar="NAMES", help="Of mean, iqm, best, steps.")
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            "--tasks", "--split", metavar="NAME", help="A parameter, such as env: columns for each of its values."
        ),
    ] = None,
    score: Annotated[
        str, typer.Option(metavar="SCORE", help="The number of a run: last, mean, max, min or area.")
    ] = "last",
    window: Annotated[int | None, typer.Option(min=1, help="How many rows mean, max and min take together.")] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER", help="Show by when it is reached; of one metric: NAME=NUMBER.")
    ] = None,
    lower: Annotated[
        str | None,
        typer.Option("--lower-is-better", metavar="NAMES", help="The metrics of which less is better."),
    ] = None,
    level: Annotated[float, typer.Option(min=0.5, max=0.999, help="The level of the intervals.")] = 0.95,
    method: Annotated[str, typer.Option(metavar="METHOD", help="Of the mean's interval: t, percentile, bca.")] = "t",
    x: Annotated[str, typer.Option(help="What steps are: time-step, timestamp, or a metric.")] = "time-step",
    kind: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="markdown, latex or csv; else by the file's suffix."),
    ] = None,
    digits: Annotated[int, typer.Option(min=1, max=15, help="Digits of the intervals.")] = 2,
    caption: Annotated[str | None, typer.Option(metavar="TEXT", help="Of a LaTeX table.")] = None,
    label: Annotated[str | None, typer.Option(metavar="NAME", help="Of a LaTeX table.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write a file: .md, .tex or .csv.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    where: Where = None,
    limit: Limit = None,
    task: Task = None,
    log_root: LogRoot = None,
    archived: Archived = False,
    as_json: Json = False,
) -> None:
    """Print a table of scores for a paper: Markdown, LaTeX or csv; by default of all runs.

    A row for each group of runs that differ only in their seeds, with the mean and its interval, the interquartile
    mean, the best score, and the steps to a threshold. The best is bold; a dagger marks intervals that overlap its own.

    Examples:

        rla table perf/return --by algo
        rla table perf/return --by algo,lr --threshold 195 --format latex
        rla table perf/return loss --lower-is-better loss -o table.tex
    """
    metrics = names_in(metrics)
    form = _format(output, kind, as_json, captioned=caption is not None or label is not None)
    target.check_target(output, force)
    from rla_hooks.cli.several import several  # late, as what makes the table: they need numpy
    from rla_hooks.paper_tables import score_table
    from rla_hooks.texts import counted

    found = several(None, log_root, task, where, limit)
    made = score_table(
        found,
        metrics,
        None if by is None else names_in([by]),
        None if columns is None else names_in([columns]),
        tasks=tasks,
        score=score,
        window=window,
        threshold=_threshold(threshold),
        lower_is_better=() if lower is None else names_in([lower]),
        level=level,
        method=method,
        x=x,
    )
    if form == "latex":
        text = f"{made.latex(caption, label, digits)}\n"
    else:
        text = made.text(form, digits) if form != "json" else _json(made)
    if output is None or target.is_stdout(output):
        typer.echo(text, nl=False)
        return
    with target.written(output) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
    typer.echo(f"rla: a table of {counted(len(found), 'run')} written to {output}", err=True)


def _format(output: Path | None, kind: str | None, as_json: bool, captioned: bool) -> str:
    """Return the format that is asked for, by its name or by the file's suffix; refuse two that differ."""
    from rla_hooks.errors import ConfigError, did_you_mean

    known = [*_ENDINGS.values()]
    if kind is not None and kind.casefold() not in known:
        raise ConfigError(f"--format is {kind!r}. Known: {', '.join(known)}.{did_you_mean(kind, known)}")
    if as_json and kind is not None:
        raise ConfigError(f"--json and --format {kind} exclude each other. Give one of them.")
    form = "json" if as_json else kind.casefold() if kind is not None else "latex" if captioned else "markdown"
    if output is not None and not target.is_stdout(output) and kind is None and not as_json:
        if output.suffix.casefold() not in _ENDINGS:
            raise ConfigError(
                f"the file {output.name!r} has no suffix that tells its format. Known: {', '.join(_ENDINGS)}. "
                "Call it like table.tex, or give --format"
            )
        form = _ENDINGS[output.suffix.casefold()]
    if captioned and form != "latex":
        raise ConfigError(f"--caption and --label count only in LaTeX, but the table is {form}. Give --format latex.")
    return form


def _threshold(texts: list[str] | None) -> float | dict[str, float] | None:
    """Return what --threshold means: a number for all metrics, or one for each that is named: ``loss=0.1``."""
    from rla_hooks.errors import ConfigError
    from rla_hooks.query.sorting import unquoted
    from rla_hooks.texts import shown

    of_metric: dict[str, float] = {}
    for text in texts or ():
        name, equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise ConfigError(
                f"--threshold is {shown(text, 100)}. Allowed: a number, or NAME=NUMBER for one of the metrics."
            ) from None
        if not equals and len(texts or ()) == 1:
            return value
        if not equals:
            raise ConfigError("--threshold is given twice. Name the metric of each: --threshold NAME=NUMBER.")
        of_metric[unquoted(name)] = value
    return of_metric or None


def _json(made: Any) -> str:
    from rla_hooks.cli.objects import json_text, objects_of

    return f"{json_text({'query': made.query, 'notes': made.notes, 'rows': objects_of(made.columns)})}\n"
