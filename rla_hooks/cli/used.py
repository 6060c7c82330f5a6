"""What ``rla du`` prints: tables of what takes how much room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from rla_hooks.cli.cells import cut_to
from rla_hooks.cli.screen import print_table, stdout_console
from rla_hooks.layout import CHECKPOINT, CODE, TRASH
from rla_hooks.query import SavedRun
from rla_hooks.texts import counted, printable, shell_path, size_text
from rla_hooks.upkeep.tally import Size
from rla_hooks.upkeep.usage_parts import ORPHANS, UNUSED_CODE, Usage

_FEW = 5  # lines of a table where several are shown
_MUCH = 1.25  # times that the room on the disk is another than the length of the files
_LONGEST = 60  # columns of the parameters of a run
_OF_AN_ACT = 2  # files at least, in the trash: its journal, beside the lock
_TEMPORARY = "left by dead processes"  # which is in the trees, too
_HINTS = {TRASH: "rla trash empty", ORPHANS: "rla gc --orphans", UNUSED_CODE: "rla gc", _TEMPORARY: "rla gc"}


class Line(NamedTuple):
    """One line of a table: of a run, of something else that has a name, or of something of a run."""

    size: Size
    run: SavedRun | None = None
    name: str = ""

    @property
    def words(self) -> list[str]:
        """The columns behind the sizes. They are made only for the lines that are printed."""
        if self.run is None:
            return [self.name]
        return [self.run.id, self.run.task, self.name or _parameters(self.run)]


class Listing:
    """The tables of a usage. sort: size, freed, files or name. limit: lines of a table."""

    def __init__(self, usage: Usage, sort: str = "size", limit: int | None = None):
        self._usage, self._sort, self._limit = usage, sort, limit
        self._console: Console = stdout_console()

    def show(self, by: str | None) -> None:
        """Print the table of ``by``; without it a sum, and the beginning of each table."""
        lines = self._lines()
        if by is not None:
            self._table(by, lines[by], self._limit)
            return
        self._sum()
        tables = {"tree": lines["tree"]}
        several = len(self._usage.runs) > 1
        tables |= {key: lines[key] for key in ("task", "user") if len(lines[key]) > 1}
        tables |= {key: lines[key] for key in ("run", "code") if several and lines[key]}
        tables |= {"checkpoint": lines["checkpoint"]} if lines["checkpoint"] else {}
        for name, found in tables.items():
            self._console.print()
            self._table(name, found, len(found) if name == "tree" else self._limit or _FEW)

    def _sum(self) -> None:
        usage, total = self._usage, self._usage.total
        files, runs = counted(total.files, "file"), counted(len(usage.runs), "run")
        text = f"{size_text(total.on_disk)} in {files} of {runs} in {shell_path(usage.log_root)}"
        if total.freed < total.on_disk:
            text += f", of which {size_text(total.freed)} would be free without them"
        if not 1 / _MUCH < (total.content or 1) / (total.on_disk or 1) < _MUCH:
            many = "many small files" if total.content < total.on_disk else "sparse or compressed files"
            text += f". They hold {size_text(total.content)}: {many}"
        self._console.print(Text(text), soft_wrap=True)
        if usage.links:
            are = "is" if usage.links == 1 else "are"
            self._console.print(Text(f"{counted(usage.links, 'link')} {are} not followed", "dim"))

    def _lines(self) -> dict[str, list[Line]]:
        usage = self._usage
        rest = dict(usage.rest)
        if usage.temporary.files:
            rest[_TEMPORARY] = usage.temporary
        return {
            "tree": _named({**usage.trees, **rest}),
            "task": _named(usage.tasks),
            "user": _named(usage.users),
            "run": [Line(each.size, each.run) for each in usage.runs],
            "code": [Line(each.trees[CODE], each.run) for each in usage.runs if each.trees.get(CODE, Size()).files],
            "checkpoint": [Line(Size(each.on_disk), each.run, each.path.name) for each in usage.checkpoints],
        }

    def _table(self, name: str, lines: list[Line], limit: int | None) -> None:
        ordered = sorted(lines, key=self._key)
        with_files = name != CHECKPOINT
        heads = ["size", *(["freed", "files"] if with_files else [])]
        words = ["run", "task"] if lines and lines[0].run else []
        last = {"run": "parameters", "code": "code of", "checkpoint": "checkpoint"}.get(name, name)
        rows: list[list[Any]] = [[Text(each, "bold") for each in (*heads, *words, last)]]
        for line in ordered[:limit]:
            numbers = [size_text(line.size.on_disk)]
            if with_files:
                numbers += [size_text(line.size.freed), f"{line.size.files:,}"]
            *before, word = map(printable, line.words)
            rows.append([*numbers, *before, Text(word) + self._hint(line)])
        print_table(self._console, rows, right=range(len(heads)), narrow=len(rows[0]) - 1)
        if limit is not None and len(lines) > limit:
            self._console.print(Text(f"... and {len(lines) - limit:,} more: rla du --by {name}", "dim"))

    def _hint(self, line: Line) -> Text:
        """What would free the room."""
        is_empty = line.name == TRASH and line.size.files < _OF_AN_ACT
        hint = None if line.run or is_empty else _HINTS.get(line.name)
        return Text("" if hint is None else f"  {hint}", "dim")

    def _key(self, line: Line) -> Any:
        size = line.size
        numbers = {"size": size.on_disk, "freed": size.freed, "files": size.files}
        return line.words if self._sort == "name" else -numbers[self._sort]


def _named(sizes: Mapping[str, Size]) -> list[Line]:
    return [Line(size, name=name) for name, size in sizes.items()]


def _parameters(run: SavedRun) -> str:
    record = " ".join(f"{key}={value}" for key, value in run.record.items())
    return cut_to(printable(run.title or record), _LONGEST)


def object_of_usage(usage: Usage) -> dict[str, Any]:
    """Return a usage as ``rla du --json`` prints it."""
    return {
        "log_root": str(usage.log_root),
        "total": usage.total._asdict(),
        "trees": _sizes(usage.trees),
        "rest": _sizes(usage.rest),
        "temporary": usage.temporary._asdict(),
        "tasks": _sizes(usage.tasks),
        "users": _sizes(usage.users),
        "runs": [
            {"id": each.run.id, "name": each.run.name, "task": each.run.task, "user": each.user}
            | each.size._asdict()
            | {"trees": _sizes(each.trees)}
            for each in usage.runs
        ],
        "checkpoints": [
            {"path": str(each.path), "run": each.run.id if each.run else None, "on_disk": each.on_disk}
            for each in usage.checkpoints
        ],
        "orphans": [{"path": str(each.path), "on_disk": each.on_disk} for each in usage.orphans],
        "links": usage.links,
        "problems": usage.problems,
    }


def _sizes(sizes: Mapping[str, Size]) -> dict[str, dict[str, int]]:
    return {name: size._asdict() for name, size in sizes.items()}
