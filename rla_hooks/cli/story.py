"""The story of a run: its lives, one after the other, and the runs that it comes from and that were forked from it.

    lives (3)
       began                from                 ended                   rows cut    host
    1  2026-01-31 12:00:00  the start            killed at step 96                   node1
    2  2026-01-31 12:05:12  step 90 (auto)       preempted at step 200   6 (cut/1)   node2
    3  2026-01-31 13:01:40  step 150 (resume=)   finished at step 300    50 (cut/2)  node1

    forks
    h7g5tebd  finished  cartpole  lr=0.1
    └─ k3xq7aod  killed  from step 100  lr=0.05         <- this run
       ├─ x5n2wq7k  finished  from step 150  seed=2
       └─ m2b7kq3a  running  from step 200

``rows cut``: what stood after the step from which a life went on, and is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rla_hooks.cli.cells import cell, cut_to, is_unicode, text_of_value
from rla_hooks.cli.fields import first_line_of, style_of
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import seconds_of
from rla_hooks.query.lineage import Family, Fork
from rla_hooks.query.tables import differing
from rla_hooks.texts import cut, shell_path

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_MAX_CHANGES = 4  # parameters of a fork that are shown
_MAX_ERROR = 60  # characters of an error
MAX_FORKS = 40  # lines of the tree, unless all are asked for
_BRIEF = 100  # columns: a narrower terminal shows no year, no seconds, no host and no signal
_CLOCK = "%Y-%m-%d %H:%M:%S"
_FIELDS = "started", "ended", "status", "last_step", "host", "signal", "error", "job"


def lives_of(run_json: Mapping[str, Any], restarts: Sequence[Mapping[str, Any]], status: str) -> list[dict[str, Any]]:
    """Return the lives of a run, oldest first: how each began and how it ended. One that was never resumed has one.

    status: that of the present life.

    >>> first = {"status": "killed", "started": "2026-01-31T12:00:00+00:00", "last_step": 96, "taken_up": "...",
    ...          "reason": "auto", "step": 90, "rows_cut": 6, "cut": 1}
    >>> [(life["from"], life["status"], life["cut"]) for life in lives_of({}, [first], "finished")]
    [('the start', 'killed', None), ('step 90 (auto)', 'finished', '6 (cut/1)')]
    """
    now = {name: run_json.get(name) for name in _FIELDS} | {"status": status}
    now["started"] = run_json.get("resumed") or (restarts[-1].get("taken_up") if restarts else run_json.get("started"))
    forked = run_json.get("forked_from")
    begin = f"step {forked.get('step')} of {forked.get('id')}" if isinstance(forked, dict) else "the start"
    found = [{name: each.get(name) for name in _FIELDS} for each in (*restarts, now)]
    found[0]["started"] = found[0]["started"] or run_json.get("started")
    for number, life in enumerate(found):
        before = restarts[number - 1] if number else {}
        life["from"] = _from(before) if number else begin
        life["cut"] = _cut(before)
        if number and life["started"] is None:
            life["started"] = before.get("taken_up")
    return found


def _from(resume: Mapping[str, Any]) -> str:
    """Say from where the run went on. A killed run that ``Tester.load`` has taken up goes on from its last row."""
    reason, step = resume.get("reason"), resume.get("step")
    if not isinstance(reason, str):
        return "its last row"
    if step is None:
        return f"{'the start' if resume.get('cut') else 'no checkpoint'} ({reason})"
    return f"step {step} ({reason})"


def _cut(resume: Mapping[str, Any]) -> str | None:
    number, rows = resume.get("cut"), resume.get("rows_cut")
    return f"{rows} (cut/{number})" if number else None


def _ending(life: Mapping[str, Any], brief: bool) -> str:
    status = str(life["status"] or "unknown")
    step, signal, error = life["last_step"], life["signal"], life["error"]
    by = f" by {signal}" if isinstance(signal, str) and not brief else ""
    at = "" if step is None else f" at step {step}"
    what = f": {cut(first_line_of(error), _MAX_ERROR)}" if isinstance(error, str) and error and signal is None else ""
    return f"{status}{by}{at}{what}"


def print_lives(run: SavedRun, console: Console) -> None:
    """Print the lives of a run that was resumed, where the rows are that were cut, and how the code has changed."""
    from rich.text import Text

    from rla_hooks.cli.screen import print_table

    lives = lives_of(run.info, run.restarts, run.status)
    if len(lives) == 1:
        return
    console.print()
    console.print(Text(f"lives ({len(lives)})", "bold"))
    brief = console.is_terminal and console.width < _BRIEF
    names = ["", "began", "from", "ended", "rows cut", "host"]
    rows: list[list[Text | str]] = [[Text(name, "dim") for name in names]]
    for number, life in enumerate(lives, 1):
        ending = Text(cut_to(cell(_ending(life, brief), 120), 24 if brief else 120), style_of(life["status"]))
        began = _time(life["started"], brief)
        rows.append([f"{number}", began, cell(life["from"], 60), ending, cell(life["cut"]), cell(life["host"], 30)])
    kept = [at for at, name in enumerate(names) if not name or any(str(row[at]) for row in rows[1:])]
    if 5 in kept and (brief or len({str(row[5]) for row in rows[1:]}) == 1):
        kept.remove(5)  # the host of the last life stands above
    print_table(console, [[row[at] for at in kept] for row in rows], indent=2, narrow=kept.index(3))
    for line in _where(run, lives):
        console.print(Text(f"  {line}"), soft_wrap=True)


def _where(run: SavedRun, lives: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if any(life["cut"] for life in lives):
        yield f"what was cut is kept in {shell_path(run.log_dir / 'cut')}"
    for number in range(1, len(lives)):
        diff = run.code_dir / ".rla" / f"resume-{number}.diff"
        if diff.is_file():
            yield f"the code of life {number + 1} differs from the first: {shell_path(diff)}"


def _time(text: object, brief: bool) -> str:
    seconds = seconds_of(text)
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds):{'%m-%d %H:%M' if brief else _CLOCK}}"


# --- the tree ---------------------------------------------------------------------------------------------------------


def print_family(run: SavedRun, family: Family, console: Console, most: int | None = MAX_FORKS) -> None:
    """Print the runs that a run comes from, and those that were forked from it, as a tree; nothing without any."""
    from rich.text import Text

    from rla_hooks.cli.screen import print_more

    if not (family.ancestors or family.forks):
        return
    console.print()
    console.print(Text("forks", "bold"))
    lines = [*_tree(run, family)]
    for line in lines[:most]:
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis" if is_unicode("…") else "crop")
        console.print(line, no_wrap=True, crop=True, overflow="crop")
    print_more(len(lines) - len(lines[:most]), console)


def _tree(run: SavedRun, family: Family) -> Iterator[Text]:
    """Yield the lines of the tree: one way down to the run, and all ways from there."""
    from rich.text import Text

    corner = "└─ " if is_unicode("└─") else "`- "
    parent: SavedRun | None = None
    indent, step = "  ", None
    for depth, ancestor in enumerate(family.ancestors):
        lead = indent + (corner if depth else "")
        if ancestor.run is not None:
            yield _line(lead, ancestor.run, step, parent)
        else:
            known = f"  {cell(ancestor.name, 100)}" if ancestor.name else ""
            yield Text.assemble(lead, (cell(ancestor.id, 40), "bold"), known, ("  not in this log root", "dim"))
        indent += "   " * bool(depth)
        parent, step = ancestor.run, ancestor.step
    depth = len(family.ancestors)
    line = _line(indent + (corner if depth else ""), run, step, parent)
    yield line.append("  <- this run", "bold cyan")
    yield from _branches(indent + "   " * bool(depth), family.forks, run)


def _branches(indent: str, forks: Sequence[Fork], parent: SavedRun) -> Iterator[Text]:
    bars = ("├─ ", "└─ ", "│  ") if is_unicode("├└│─") else ("|- ", "`- ", "|  ")
    for number, fork in enumerate(forks, 1):
        is_last = number == len(forks)
        yield _line(indent + bars[is_last], fork.run, fork.step, parent)
        yield from _branches(indent + ("   " if is_last else bars[2]), fork.forks, fork.run)


def _line(lead: str, run: SavedRun, step: int | None, parent: SavedRun | None) -> Text:
    """Return the line of one run: its id, how it ended, from which step it comes, and what is different in it."""
    from rich.text import Text

    line = Text.assemble(lead, (cell(run.id, 40), "bold"), "  ", (cell(run.status, 40), style_of(run.status)))
    if step is not None:
        line.append(f"  from step {step}")
    changed = differing([parent, run])[:_MAX_CHANGES] if parent is not None else [*run.record]
    values = run.hparams | {key: value for key, value in run.record.items() if key not in run.hparams}
    pairs = [f"{key}={text_of_value(values.get(key), exact=False)}" for key in changed]
    about = [cell(run.title, 40)] if run.title else [] if parent is not None else [cell(run.task, 40)]
    for text in (*about, *(cell(pair, 40) for pair in pairs)):
        line.append(f"  {text}", "dim")
    return line
