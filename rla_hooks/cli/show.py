"""``rla show``: one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rla_hooks.cli.common import Archived, Json, LatestRun, LogRoot, Task, Where, app

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from rla_hooks.columns import Columns
    from rla_hooks.query import SavedRun

_MAX_METRICS = 40  # unless all are asked for: a run may have 100,000
_MAX_PARAMETERS = 60
_MAX_LISTED = 5  # warnings, checkpoints, figures
_LINES_OF_ERROR = 8
_SPARK = 16  # characters

Line = tuple[str, str]


@app.command("show")
def show(
    run: LatestRun = None,
    files: Annotated[bool, typer.Option("--files", help="Show the run's folders as a tree instead.")] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the whole traceback of an error.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all parameters, metrics, warnings and files.")
    ] = False,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    archived: Archived = False,
    as_json: Json = False,
) -> None:
    """Show a run: status, parameters, metrics, errors, and where its files are.

    Of a run that was resumed, each of its lives: when, from which step it went on, how it ended, and what was cut. Of a
    fork, and of a run with forks, the tree of them.

    Each metric has its last value, its smallest and largest one with their steps, the mean of the last 100 values, and
    its course. So has the use of the machine, if it was measured.

    Examples:

        rla show
        rla show latest~1 --files
    """
    from rla_hooks.cli.choose import choose
    from rla_hooks.cli.facts import facts_of
    from rla_hooks.cli.family import MAX_FORKS, print_family
    from rla_hooks.cli.folders import files_of, print_run
    from rla_hooks.cli.lives import print_lives
    from rla_hooks.cli.objects import print_json
    from rla_hooks.cli.screen import stdout_console
    from rla_hooks.cli.several import metrics_of, rows_of
    from rla_hooks.query.family import family_of

    chosen = choose(run, log_root, where, task)
    if files:
        print_json(files_of(chosen)) if as_json else print_run(chosen.paths)
        return
    names = metrics_of([chosen])
    shown = names if everything or as_json else names[:_MAX_METRICS]
    columns = rows_of(chosen, shown)
    family = family_of(chosen)
    facts = facts_of(chosen, columns, family)
    if as_json:
        print_json(facts)
        return
    console = stdout_console()
    most = None if everything else _MAX_LISTED
    _print_head(facts, console)
    print_lives(chosen, console)
    print_family(chosen, family, console, None if everything else MAX_FORKS)
    _print_parameters(facts, None if everything else _MAX_PARAMETERS, console)
    _print_metrics("metrics", facts["metrics"], columns, len(names) - len(shown), console)
    _print_system(chosen, facts, everything, console)
    _print_trouble(facts, traceback, most, console)
    _print_files(chosen, facts, most, console)


def _print_head(facts: Mapping[str, Any], console: Console) -> None:
    from rich.text import Text

    from rla_hooks.cli.cells import cell
    from rla_hooks.cli.fields import style_of
    from rla_hooks.cli.screen import print_table

    status = str(facts["status"])
    style = f"bold {style_of(status)}".strip()
    task, ending, run_id = (cell(facts["task"]), "bold"), (cell(status), style), (cell(facts["id"]), "dim")
    console.print(Text.assemble(task, "  ", ending, "  ", run_id))
    for problem in facts["problems"]:
        console.print(Text(f"damaged: {cell(problem)}", "red"), soft_wrap=True)
    for hint in facts["hints"]:
        console.print(Text(f"hint: {cell(hint)}", "yellow"), soft_wrap=True)
    lines = [(name, cell(text, 2000)) for name, text in _head_lines(facts) if text]
    print_table(console, [(Text(name, "dim"), text) for name, text in lines if name != "command"], narrow=1)
    for name, text in lines:
        if name == "command":  # uncut, so that it can be copied
            console.print(
                Text.assemble((name.ljust(max(len(each) for each, _ in lines)), "dim"), "  ", text), soft_wrap=True
            )


def _head_lines(facts: Mapping[str, Any]) -> Iterator[Line]:
    from rla_hooks.cli.facts import command_of, moment
    from rla_hooks.life import is_running
    from rla_hooks.machine.words import in_words
    from rla_hooks.texts import duration

    for name in ("title", "group", "note"):
        yield name, str(facts[name] or "")
    yield "tags", ", ".join(facts["tags"])
    yield "started", moment(facts["started"])
    yield "resumed", moment(facts["resumed"])
    yield "ended", moment(facts["ended"])
    if facts["ended"] is None and facts["last_write"] is not None:
        yield "last wrote", moment(facts["last_write"])
    if facts["seconds"] is not None:
        yield "runs for" if is_running(str(facts["status"])) else "took", duration(facts["seconds"])
    rows, step = facts["rows"], facts["step"]
    yield "rows", "" if rows is None else f"{rows}" + ("" if step is None else f", the last of step {step}")
    yield "host", str(facts["host"] or "")
    yield "machine", in_words(facts["machine"])
    yield "in run", str(facts["parent"] or "")
    yield "forked from", _place(facts["forked_from"])
    yield "rerun of", _named(facts["rerun_of"])
    yield "sweep", _number_in(facts["sweep"])
    yield "went on from", _place(facts["resumed_from"])
    loaded = [_place(each) for each in facts["loaded_from"] if isinstance(each, dict)]
    yield (
        "loaded from",
        ", ".join(loaded[:_MAX_LISTED]) + f" and {len(loaded) - _MAX_LISTED} more" * (len(loaded) > _MAX_LISTED),
    )
    yield "git", _git_line(facts["git"])
    yield "python", str(facts["python"] or "")
    yield "result", "" if facts["result"] is None else repr(facts["result"])
    yield "command", command_of(facts) or ""


def _place(noted: Any) -> str:
    """Say where a checkpoint is from that was loaded, or with which a fork began."""
    if not isinstance(noted, dict):
        return ""
    if noted.get("id") is None:
        return f"{noted.get('file')} (step {noted.get('step')})"
    return f"{noted['id']} at step {noted.get('step')}"


def _number_in(sweep: Any) -> str:
    """Say which setting of which sweep it is."""
    return f"{sweep['id']}, setting {sweep.get('index')}" if isinstance(sweep, dict) else ""


def _git_line(git: Any) -> str:
    if not isinstance(git, dict) or not (git.get("commit") or git.get("branch")):
        return ""
    commit = str(git.get("commit") or "")[:12] or "no commit yet"
    branch = f" on {git['branch']}" if git.get("branch") else ""
    changed = ", with uncommitted changes" if git.get("dirty") else ""
    return f"{commit}{branch}{changed}"


def _print_parameters(facts: Mapping[str, Any], most: int | None, console: Console) -> None:
    from rich.text import Text

    from rla_hooks.cli.cells import cell
    from rla_hooks.cli.screen import print_more, print_table

    pairs = list(facts["hparams"].items())
    if not pairs:
        return
    _heading("parameters", console)
    rows = [(cell(name), cell(value, 2000)) for name, value in pairs[:most]]
    print_table(console, [(Text(name), text) for name, text in rows], indent=2, narrow=1)
    print_more(len(pairs) - len(rows), console)


def _print_system(run: SavedRun, facts: Mapping[str, Any], everything: bool, console: Console) -> None:
    """The use of the machine, if the run has measured it: by default shares, and the memory of the processes."""
    measured = facts["system_metrics"]
    brief = [name for name in measured if name.endswith(("percent", "rss_gib"))][:_MAX_METRICS]
    shown = measured if everything else {name: measured[name] for name in brief}
    _print_metrics("system", shown, run.system_columns() if shown else {}, len(measured) - len(shown), console)


def _print_metrics(heading: str, summaries: Mapping[str, Any], columns: Columns, hidden: int, console: Console) -> None:
    from rich.text import Text

    from rla_hooks.cli.cells import cell, is_unicode
    from rla_hooks.cli.draw import sparkline
    from rla_hooks.cli.screen import print_more, print_table

    if not summaries:
        return
    _heading(heading, console)
    head = ["", "last", "min (step)", "max (step)", "mean", "course"]
    rows: list[list[Text | str]] = [[Text(each, "dim") for each in head]]
    for name, summary in summaries.items():
        cells = [cell(summary["last"], 40, exact=False)]
        for kind in ("min", "max"):
            value, step = summary.get(kind), summary.get(f"{kind}_step")
            at = "" if step is None else f" ({step})"
            cells.append("" if value is None else f"{cell(value, exact=False)}{at}")
        cells.append(cell(summary.get("mean"), exact=False))
        values, present = columns[name]
        course = (
            ""
            if values.dtype == object
            else sparkline(values if present is None else values[present], _SPARK, is_unicode())
        )
        rows.append([cell(name), *cells, Text(course, "cyan")])
    print_table(
        console, rows, indent=2, right=range(1, len(head) - 1), spare=[head.index("mean"), head.index("course")]
    )
    print_more(hidden, console)


def _print_trouble(facts: Mapping[str, Any], traceback: bool, most: int | None, console: Console) -> None:
    from rich.text import Text

    from rla_hooks.cli.cells import cell
    from rla_hooks.cli.screen import print_more
    from rla_hooks.texts import printable

    error = facts["error"]
    if isinstance(error, str) and error:
        lines = error.rstrip().split("\n")
        kept = lines if traceback else lines[-_LINES_OF_ERROR:]
        _heading("error" if facts["signal"] is None else f"error ({cell(facts['signal'])})", console)
        for line in kept:
            console.print(Text(f"  {printable(line)}", "red"), soft_wrap=True)
        if len(kept) < len(lines):
            console.print(Text(f"  the last {len(kept)} of {len(lines)} lines: --traceback shows all", "dim"))
    for name in ("warnings", "gaps", "notes"):
        if not facts[name]:
            continue
        _heading(f"{name} ({len(facts[name])})", console)
        shown = facts[name] if most is None else facts[name][-most:]
        for each in shown:
            console.print(Text(f"  {cell(_line_of(each, traceback), 2000)}"), soft_wrap=True)
        print_more(len(facts[name]) - len(shown), console)


def _line_of(item: Any, traceback: bool) -> str:
    """Return a warning, gap or note as one line; of a traceback in it the error, unless all of it is asked for."""
    from rla_hooks.cli.fields import first_line_of

    if not isinstance(item, dict):
        return str(item)
    if isinstance(item.get("text"), str):
        text = item["text"].rstrip()
        before, head, _ = text.partition("Traceback (most recent call last):\n")
        return f"{before}{first_line_of(text)}" if head and not traceback else text
    return ", ".join(f"{key}: {value}" for key, value in item.items())


def _named(noted: Mapping[str, Any] | None) -> str:
    return "" if noted is None else f"{noted['id']} ({noted.get('run')})"


def _print_files(run: SavedRun, facts: Mapping[str, Any], most: int | None, console: Console) -> None:
    from rich.filesize import decimal
    from rich.text import Text

    from rla_hooks.cli.cells import cell
    from rla_hooks.cli.screen import print_more, print_table
    from rla_hooks.texts import shell_path

    checkpoints = [
        [cell(each["file"].rsplit("/", 1)[-1]), f"step {each['step']}", decimal(each["size"])]
        for each in facts["checkpoints"]
    ]
    figures = [[cell(path.removeprefix(f"{run.results_dir}/"))] for path in facts["figures"]]
    for name, rows in (("checkpoints", checkpoints), ("figures", figures)):
        if rows:
            _heading(f"{name} ({len(rows)})", console)
            kept: Sequence[list[str]] = rows if most is None else rows[-most:]
            print_table(console, kept, indent=2)
            print_more(len(rows) - len(kept), console)
    console.print()
    # Whole lines, which a terminal breaks: they are there to be copied.
    for kind, name in (("log", "the run"), ("checkpoint", "checkpoints"), ("results", "figures"), ("code", "code")):
        if kind in facts["folders"]:
            console.print(Text(f"{name}: {shell_path(facts['folders'][kind])}"), soft_wrap=True)
    console.print(Text(f"see the curves: {facts['tensorboard']}"), soft_wrap=True)


def _heading(text: str, console: Console) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(text, "bold"))
