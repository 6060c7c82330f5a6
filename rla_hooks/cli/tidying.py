"""What the commands that delete and move runs share: their options, which runs they mean, the question, the answer."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from rla_hooks.cli.choose import choose_all, needs_filter
from rla_hooks.cli.several import several
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query import Runs, SavedRun, runs
from rla_hooks.query.few_rows import rows_of
from rla_hooks.query.meant import is_pattern

Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Running = Annotated[bool, typer.Option("--running", help="Also runs that are running, or may be.")]
Short = Annotated[int | None, typer.Option("--short", metavar="N", min=1, help="Only runs with fewer than N rows.")]
All = Annotated[bool, typer.Option("--all", help="All runs; also where a filter chooses all of them.")]


class Wanted(NamedTuple):
    """Which runs somebody has chosen on the command line."""

    words: Sequence[str]
    log_root: Path | None
    where: str | None = None
    task: str | None = None
    limit: int | None = None
    short: int | None = None
    everything: bool = False

    def runs(self, command: str) -> Runs:
        """Return the chosen runs, oldest first, at least one; raise ConfigError where nothing is asked for."""
        if not (self.words or self.is_filtered or self.everything):
            raise ConfigError(
                f"rla {command} got no run. Allowed: rla {command} RUN..., or a filter: --where, --task, --short. "
                "See them all: rla runs"
            )
        needs_filter(self.where, "all runs are --all")
        if self.short is None:
            return several(self.words, self.log_root, self.task, self.where, self.limit)
        found = choose_all(self.words, self.log_root, self.where, self.task)
        short = [run for run in found if rows_of(run) < self.short]
        if not short:
            few = "the run has" if len(found) == 1 else f"each of the {len(found)} runs has"
            raise RLAError(f"{few} {self.short} rows or more. See them: rla runs --sort rows")
        return Runs(short[-self.limit :] if self.limit else short, found.query)

    @property
    def is_filtered(self) -> bool:
        return any(each is not None for each in (self.where, self.task, self.short))

    def names_each(self) -> bool:
        """Whether each run is named by itself, so that none is among them by mistake."""
        return bool(self.words) and not self.everything and not any(map(is_pattern, self.words))

    def is_all(self, chosen: Sequence[SavedRun]) -> bool:
        """Whether a filter, or a pattern, has chosen all runs of the log root."""
        return not self.names_each() and len(chosen) == len(runs(self.log_root))


def confirm(question: str, nothing_done: str) -> None:
    """Ask a question; raise typer.Exit(1) unless the answer is yes.

    nothing_done: what is said where nobody can be asked, or the answer is no.
    """
    if _answer(f"{question} [y/N] ", nothing_done).casefold() not in ("y", "yes"):
        raise _declined(nothing_done)


def confirm_number(question: str, number: int, nothing_done: str) -> None:
    """Ask somebody to type a number, which one does not do by habit."""
    if _answer(f"{question} ", nothing_done).replace(",", "") != str(number):
        raise _declined(nothing_done)


def _declined(nothing_done: str) -> typer.Exit:
    print(nothing_done, file=sys.stderr)
    return typer.Exit(1)


def _answer(prompt: str, nothing_done: str) -> str:
    """Return a line that is typed; the empty text for Ctrl-D. The question goes to stderr, so no pipe swallows it."""
    if not can_ask():
        raise ConfigError(
            f"{nothing_done}: standard input is no terminal, so nobody can be asked. Give --yes; --dry-run shows what "
            "would be done"
        )
    try:
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        print(f"\n{nothing_done}", file=sys.stderr)
        raise typer.Exit(130) from None
    if not line.endswith("\n"):
        print(file=sys.stderr)
    return line.strip()


def can_ask() -> bool:
    """Whether somebody sits at standard input."""
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # it is closed
        return False


def command_typed() -> str:
    """Return the command, for the journal of acts: it can be pasted into a shell."""
    from rla_hooks.masking import masked_command

    return " ".join(map(_quoted, ["rla", *masked_command(sys.argv)[1:]]))


def _quoted(word: str) -> str:
    """Return a word for a shell. In a filter there are single quotes, which double ones leave as they are."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def hint(command: str, log_root: Path | None) -> str:
    """Return a command that works in the same log root."""
    from rla_hooks.texts import shell_path

    return command if log_root is None else f"{command} --log-root {shell_path(log_root)}"


def object_of_item(item: Any) -> dict[str, Any]:
    """Return a run of a plan or an act as plain data."""
    found = {"id": item.id, "name": item.name, "to": item.to, "files": item.files, "bytes": item.bytes}
    return {name: value for name, value in found.items() if value is not None}
