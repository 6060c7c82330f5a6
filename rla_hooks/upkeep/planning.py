"""What an act will do, before it does it: which files of which runs go where, and what stands in its way.

Paths are texts relative to the log root, with ``/``: ``log/<run name>``, ``checkpoint/<run name>/model-100.pt``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.layout import TRASH
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.sizes import Sizes

KINDS = ("delete", "archive", "restore", "move", "rename", "collect", "repair")
DELETE, ARCHIVE, RESTORE, MOVE, RENAME, COLLECT, REPAIR = KINDS
HOLDING = (DELETE, COLLECT, REPAIR)  # whose files lie in the trash; of others it has what tells how to undo them


class Part(NamedTuple):
    """A file or a folder that is renamed.

    target: None for the trash of the act. anchor: the folder that has the ``.trash`` on its disk, ``""`` for the log
    root itself; ``checkpoint``, say, where that tree is another disk.
    """

    source: str
    target: str | None = None
    anchor: str = ""

    def target_of(self, number: int) -> str:
        """Return where the part goes in the act of this number."""
        if self.target is not None:
            return self.target
        inner = self.source[len(self.anchor) + 1 :] if self.anchor else self.source
        return f"{trash_of(self.anchor, number)}/{inner}"


def trash_of(anchor: str, number: int) -> str:
    """Return the folder of an act in the trash of this anchor."""
    return f"{anchor}/{TRASH}/{number}" if anchor else f"{TRASH}/{number}"


class Item(NamedTuple):
    """A run that an act is about, or something else of the log root that is renamed as a whole.

    parts: the first one goes first, and comes back last. to: the new name of a run that gets one. status: of the run
    at the plan. run_json: the file whose lock is held while the parts go; ``""`` for what is no run. absent: the path
    that must not be there when its turn comes: the log folder of trees without a run. seen: what tells whether the run
    has grown since. manifest, checkpoints: the folder of a manifest, and the entries (as its JSON has
    them) that leave it with the parts. former: what a new name replaces in run.json; of a repair what tells that a
    mended file was changed.
    """

    id: str
    name: str
    parts: tuple[Part, ...]
    to: str | None = None
    status: str = ""
    files: int = 0
    bytes: int = 0
    run_json: str = ""
    absent: str = ""
    seen: tuple[Any, ...] = ()
    manifest: str = ""
    checkpoints: tuple[dict[str, Any], ...] = ()
    news: Mapping[str, Any] | None = None
    former: Mapping[str, Any] | None = None


class Refused(NamedTuple):
    """A run that the act leaves alone. reason: the end of a sentence, such as ``is running (process 7 on gpu3)``."""

    id: str
    name: str
    reason: str


class Plan(NamedTuple):
    """What an act will do: its ``items``, and the runs that it leaves alone, with the reasons.

    running: whether it was asked for runs that are running, too.
    """

    kind: str
    log_root: Path
    items: tuple[Item, ...]
    refused: tuple[Refused, ...] = ()
    running: bool = False

    @property
    def files(self) -> int:
        """How many files are renamed, or are in what is."""
        return sum(item.files for item in self.items)

    @property
    def bytes(self) -> int:
        """Their bytes; what several names have in common, such as code that runs share, counts once."""
        return sum(item.bytes for item in self.items)


def trash_part(log_root: Path, source: str) -> Part:
    """Return the part that takes a path into the trash on its disk."""
    return Part(source, None, Checks(log_root).anchor(source))


def plan_items(
    log_root: Path,
    kind: str,
    items: Iterable[Item],
    refused: Iterable[Refused] = (),
    running: bool = False,
) -> Plan:
    """Return the plan of these items: those that cannot be renamed are refused.

    Files and bytes are counted where an item has none.
    """
    checks, sizes = Checks(log_root), Sizes(log_root)
    good, bad, taken = list[Item](), [*refused], set[str]()
    for item in items:
        reasons = [reason for part in item.parts if (reason := checks.trouble(part.source, part.target, part.anchor))]
        targets = {part.target for part in item.parts if part.target is not None}
        if targets & taken:
            reasons.append(f"would have the name of another run of this act, {item.to or item.name}")
        if not reasons and not item.files:
            counted = sizes.count(part.source for part in item.parts)
            reasons += counted.problems
            item = item._replace(files=counted.files, bytes=counted.bytes)
        if reasons:
            bad.append(Refused(item.id, item.name, "; ".join(dict.fromkeys(reasons))))
        else:
            taken |= targets
            good.append(item)
    return Plan(kind, Path(log_root), tuple(good), tuple(bad), running)


def listed_refusals(refused: Sequence[Refused], most: int = 20) -> list[str]:
    """Return a line for each run that is refused; of very many the first ones, and how many more there are."""
    lines = [f"{each.id + ' ' if each.id else ''}({each.name}) {each.reason}" for each in refused[:most]]
    return lines + ([f"and {len(refused) - most:,} more"] if len(refused) > most else [])
