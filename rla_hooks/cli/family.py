"""The runs that a run comes from, and those that were forked from it, as the tree that ``rla show`` prints.

forks
h7g5tebd  finished  cartpole  lr=0.1
└─ k3xq7aod  killed  from step 100  lr=0.05         <- this run
   ├─ x5n2wq7k  finished  from step 150  seed=2
   └─ m2b7kq3a  running  from step 200
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rla_hooks.cli.cells import cell, is_unicode, text_of_value
from rla_hooks.cli.fields import style_of
from rla_hooks.query import SavedRun
from rla_hooks.query.family import Family, Fork
from rla_hooks.query.tables import differing

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MAX_FORKS = 40  # lines of the tree, unless all are asked for
_MAX_CHANGES = 4  # parameters of a fork that are shown


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
