"""What ``rla runs`` prints: lines, CSV, JSON, or lines again and again."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.cli.cells import csv_cell, is_terminal
from rla_hooks.cli.fields import Field, chosen_fields, columns_of, default_fields, exact_fields, values_of
from rla_hooks.cli.groups import Groups, grouped
from rla_hooks.cli.lines import fitted, plain
from rla_hooks.cli.nothing import SEE_ALL, labels_near, no_root, no_runs
from rla_hooks.cli.objects import json_text, object_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query import Runs, runs
from rla_hooks.query.sorting import sort_keys
from rla_hooks.texts import printable

if TYPE_CHECKING:
    from rich.text import Text

_BRIEF = 100  # characters: in a narrower terminal times have no year and no seconds


class Wanted(NamedTuple):
    """What a listing is asked for."""

    log_root: Path | None
    task: str | None
    filters: Mapping[str, Any]  # the other arguments of rla_hooks.runs that choose
    columns: list[str]
    by: list[str]
    sort: str | None
    limit: int | None

    def runs(self) -> Runs:
        """Return the runs; of groups all runs, which are sorted and limited as groups. Raises RLAError for no root."""
        missing = no_root(self.log_root)
        if missing:
            raise RLAError(missing)
        given = {key: value for key, value in self.filters.items() if value}
        if self.by:
            return runs(self.log_root, self.task, **given)
        given["limit"] = self.limit
        try:
            return runs(self.log_root, self.task, **given, sort=self.sort)
        except ConfigError:
            if not self.sort:
                raise
            with contextlib.suppress(ConfigError):
                return runs(self.log_root, self.task, **given, sort=self._with_last(given))
            raise

    def _with_last(self, given: Mapping[str, Any]) -> list[str]:
        """Return the names to sort by. A metric's name means its last value, as in the columns."""
        names = []
        for name, descending in sort_keys(self.sort):
            try:
                runs(self.log_root, self.task, **{**given, "limit": 1}, sort=[f"-{name}"])
            except ConfigError:
                name = f"last.{name}"
            names.append(f"{'-' if descending else ''}{name}")
        return names

    def groups(self, found: Runs) -> Groups:
        return grouped(found, self.by, self.columns, self.sort, self.limit)

    def fields(self, found: Runs, exact: bool = True) -> list[Field]:
        if self.by:
            return self.groups(found).fields()
        return chosen_fields(found, self.columns) if self.columns else default_fields(found, exact, self._sorted_by())

    def _sorted_by(self) -> list[str]:
        """Return the names by which runs are sorted, to be seen beside them."""
        return [name for name, _ in sort_keys(self.sort)] if self.sort else []

    def nothing(self) -> str:
        """Say that no run is chosen."""
        given = {key: ",".join(value) if isinstance(value, list) else value for key, value in self.filters.items()}
        asked = " and ".join(f"--{key} {value}" for key, value in given.items() if value)
        text = no_runs(self.log_root, self.task, asked or None)
        near = labels_near(self.log_root, self.filters.get("tags", []), self.filters.get("group"))
        return printable(text.removesuffix(SEE_ALL) + near if near else text)


def print_lines(wanted: Wanted) -> None:
    """Print one line a run: uncut in a pipe, fitted to a terminal."""
    found = wanted.runs()
    if not found:
        print(wanted.nothing(), file=sys.stderr)  # not a line of a run
    elif is_terminal():
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)
        for line in _fitted(wanted, found, console.width):
            console.print(line)
    else:
        for text in plain(columns_of(wanted.fields(found))):
            print(text)


def print_as_csv(wanted: Wanted) -> None:
    """Print the listing as CSV, with all numbers as they are and times in UTC."""
    import csv

    found = wanted.runs()
    if wanted.by:
        fields = wanted.groups(found).numbers()
    else:
        fields = wanted.fields(found) if wanted.columns else exact_fields(found)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([printable(field.name) for field in fields])
    for row in zip(*(field.values for field in fields), strict=True):
        writer.writerow([csv_cell(value, exact=False) for value in row])


def print_as_json(wanted: Wanted) -> None:
    """Print a list of objects, each on a line of its own."""
    found = wanted.runs()
    objects: Iterable[dict[str, Any]]
    if wanted.by:
        objects = wanted.groups(found).objects()
    else:
        values = values_of(found, wanted.columns)
        extra = ({"columns": {name: values[name][at] for name in values}} for at in range(len(found)))
        objects = (object_of(run) | (more if values else {}) for run, more in zip(found, extra, strict=True))
    print("[", end="")
    for number, each in enumerate(objects):
        print(",\n" if number else "\n", json_text(each, indent=None), sep="", end="")
    print("\n]")


def watch(wanted: Wanted, interval: float) -> None:
    """Show the listing on a terminal, and again every ``interval`` seconds, until Ctrl-C, which is no error."""
    if not is_terminal():
        raise RLAError("--watch needs a terminal. In a pipe or a file call rla runs in a loop")
    from rich.console import Console, Group
    from rich.live import Live

    from rla_hooks.cli.screen import CTRL_C

    console = Console(highlight=False)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=console, auto_refresh=False, redirect_stdout=False) as live,
    ):
        while True:
            lines = lines_of(wanted, console.width - CTRL_C)
            live.update(Group(*in_height(lines, console.height - 1, wanted.sort is not None)), refresh=True)
            time.sleep(interval)


def lines_of(wanted: Wanted, width: int) -> list[Text]:
    """Return the listing of now for a terminal of this width, or that there is nothing."""
    from rich.text import Text

    found = wanted.runs()
    return _fitted(wanted, found, width) if found else [Text(wanted.nothing())]


def in_height(lines: Sequence[Text], height: int, first: bool = False) -> list[Text]:
    """Return the head and as many of the last lines, or of the first, as there is room for, and how many are left."""
    from rich.text import Text

    if len(lines) <= height:
        return list(lines)
    room = max(height - 2, 1)
    more = Text(f"... {len(lines) - 1 - room} more", "dim")
    return [*lines[: room + 1], more] if first else [lines[0], more, *lines[-room:]]


def _fitted(wanted: Wanted, found: Runs, width: int) -> list[Text]:
    """Return the lines for a terminal of this width, and a last one where columns that are asked for had no room."""
    from rich.text import Text

    lines, without_room = fitted(columns_of(wanted.fields(found, exact=False), brief=width < _BRIEF), width)
    if without_room and (wanted.columns or wanted.by):
        lines.append(Text(f"no room for {', '.join(without_room)}: rla runs ... | less -S", "dim"))
    return lines
