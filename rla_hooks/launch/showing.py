"""What a sweep says on stderr: the plan, a bar on a terminal, a line for each failure, a table at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rla_hooks.endings import FAILED, FINISHED, KILLED, RUNNING
from rla_hooks.launch.existing import has_checkpoint, is_alive
from rla_hooks.launch.jobs import Job
from rla_hooks.launch.task import Outcome
from rla_hooks.masking import mask_value
from rla_hooks.query import SavedRun
from rla_hooks.texts import counted, cut, duration, printable, shown

_MOST = 50  # rows of the table
_LONGEST = 40  # characters of a value


class Telling:
    """Follows a sweep. value_of: how good a job was; None where nobody knows. sign: -1 where less is better."""

    def __init__(self, total: int, value_of: Callable[[Job], float | None], sign: int, is_quiet: bool):
        self._counts: Counter[str] = Counter()
        self._total, self._value_of, self._sign, self._is_quiet = total, value_of, sign, is_quiet
        self._running = 0
        self._best: tuple[float, Job] | None = None
        self._bar: Any = None

    def __enter__(self) -> Telling:
        if not self._is_quiet and sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=self._total)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def started(self, job: Job) -> None:
        self._running += 1
        self._show()

    def again(self, job: Job, outcome: Outcome) -> None:
        self._running -= 1
        self._say(f"{words(job.setting)} {outcome.status}: {first_line(outcome.error)}. It is tried again")
        self._show()

    def ended(self, job: Job) -> None:
        assert job.outcome is not None
        self._running -= 1
        self._counts[_ELSEWHERE if job.outcome.status == RUNNING else job.outcome.status] += 1
        if job.outcome.status in (FAILED, KILLED):
            self._say(f"{words(job.setting)} {job.outcome.status}: {first_line(job.outcome.error)}")
        value = self._value_of(job)
        if value is not None and (self._best is None or self._sign * value > self._sign * self._best[0]):
            self._best = value, job
        self._show()

    def stopping(self, running: int) -> None:
        if running:
            self._say(f"stopping {counted(running, 'run')}; Ctrl-C once more kills what is left")

    def _show(self) -> None:
        if self._bar is None:
            return
        parts = [f"{self._running} running", *(f"{count} {status}" for status, count in self._counts.items())]
        if self._best is not None:
            parts.append(f"best {self._best[0]:.4g}: {words(self._best[1].setting)}")
        self._bar.update(0, completed=sum(self._counts.values()), description=printable(", ".join(parts)))

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(f"rla: {printable(line)}", markup=False, highlight=False)
        else:
            say(line, self._is_quiet)


def say(line: str, is_quiet: bool = False) -> None:
    """Print a line on stderr."""
    if not is_quiet and sys.stderr is not None:
        print(f"rla: {printable(line)}", file=sys.stderr)


def is_wanted() -> bool:
    """Ask on a terminal whether the sweep is to begin; elsewhere it is."""
    if sys.stdin is None or sys.stderr is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print("rla: begin? [Y/n] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    is_yes = answer.strip().lower() in ("", "y", "yes") and answer != ""  # the end of the input is no answer
    if not is_yes:
        print("rla: nothing was begun", file=sys.stderr)
    return is_yes


def words(setting: dict[str, Any]) -> str:
    """Return a setting on one line, with secrets masked.

    >>> words({"lr": 0.1, "env": "CartPole-v1"})
    'lr=0.1, env=CartPole-v1'
    """
    return ", ".join(f"{key}={_word(key, value)}" for key, value in setting.items())


def _word(name: str, value: Any) -> str:
    value = mask_value(name, value)
    return cut(value, _LONGEST) if isinstance(value, str) else shown(value, _LONGEST)


def first_line(error: str | None) -> str:
    """Return what an error says first, without a full stop."""
    lines = (error or "for no reason that is known").strip().splitlines() or [""]
    return cut(lines[0], 300).rstrip(".")


def plan_of(jobs: Sequence[Job]) -> str:
    """Say what is to be done with settings, and what is done already."""
    counts = Counter(map(_state, jobs))
    return ", ".join(f"{counts[state]} {state}" for state in _STATES if counts[state])


_ELSEWHERE = "running elsewhere"
_STATES = ("new", "to go on", "to begin again", "finished", _ELSEWHERE)


def _state(job: Job) -> str:
    if job.former is None:
        return "new"
    if job.skipped:
        return _ELSEWHERE if is_alive(job.former) else "finished"
    return "to go on" if has_checkpoint(job.former) else "to begin again"


def print_table(jobs: Sequence[Job], run_of: Callable[[Job], SavedRun | None], value_of: Callable[[Job], Any]) -> None:
    """Print how each job has ended on stderr; of many those that have not finished, and the first others."""
    if sys.stderr is None:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = sorted(jobs, key=lambda job: _status(job, run_of(job)) == FINISHED)[:_MOST] if len(jobs) > _MOST else jobs
    names = dict.fromkeys(name for job in rows for name in job.setting)
    values = {job.index: value_of(job) for job in rows}
    has_value = any(value is not None for value in values.values())
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("#", *names, "status", *(["value"] if has_value else []), "took", "id"):
        table.add_column(Text(printable(name)), overflow="ellipsis", no_wrap=True)
    for job in sorted(rows, key=lambda job: job.index):
        run, value = run_of(job), values[job.index]
        took = duration(run.seconds) if run is not None and run.seconds is not None else ""
        cells = [str(job.index), *(_word(name, job.setting.get(name)) for name in names), _status(job, run)]
        cells += ["" if value is None else f"{value:.5g}"] if has_value else []
        cells += [took, run.id if run is not None else ""]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = 160
    console.print(table)
    if len(jobs) > len(rows):
        say(f"{len(jobs) - len(rows)} more have finished; see rla runs")


def _status(job: Job, run: SavedRun | None) -> str:
    if run is not None:
        return run.status
    return job.outcome.status if job.outcome is not None else "not begun"
