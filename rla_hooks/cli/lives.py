"""The lives of a run, one after the other, as ``rla show`` tells them.

    lives (3)
       began                from                 ended                   rows cut    host
    1  2026-01-31 12:00:00  the start            killed at step 96                   node1
    2  2026-01-31 12:05:12  step 90 (auto)       preempted at step 200   6 (cut/1)   node2
    3  2026-01-31 13:01:40  step 150 (resume=)   finished at step 300    50 (cut/2)  node1

``rows cut``: what stood after the step from which a life went on, and is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rla_hooks.cli.cells import cell, cut_to
from rla_hooks.cli.fields import first_line_of, style_of
from rla_hooks.machine.words import in_words
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import seconds_of
from rla_hooks.texts import cut, shell_path

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_MAX_ERROR = 60  # characters of an error
_BRIEF = 100  # columns: a narrower terminal shows no year, no seconds, no host and no signal
_CLOCK = "%Y-%m-%d %H:%M:%S"
_FIELDS = "started", "ended", "status", "last_step", "host", "signal", "error", "job", "machine"


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
    for life, later in zip(reversed(found[:-1]), reversed(found)):
        life["machine"] = life["machine"] or later["machine"]  # noted where the next life is on another one
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
    machines = [in_words(life["machine"]) for life in lives]
    for number, machine in enumerate(machines if len({*machines}) > 1 else (), 1):
        yield f"life {number} ran on {machine or 'an unknown machine'}"
    for number in range(1, len(lives)):
        diff = run.code_dir / ".rla" / f"resume-{number}.diff"
        if diff.is_file():
            yield f"the code of life {number + 1} differs from the first: {shell_path(diff)}"


def _time(text: object, brief: bool) -> str:
    seconds = seconds_of(text)
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds):{'%m-%d %H:%M' if brief else _CLOCK}}"
