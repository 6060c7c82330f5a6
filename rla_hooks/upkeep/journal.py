"""act.json: what an act does, and how far it has come.

    LOG_ROOT/.trash/3/act.json
    {"state": "done",     "format": 1, "number": 3, "kind": "delete", "time": "2026-01-31T12:00:00.000000+00:00",
     "process": {"host": "...", "pid": 4242, ...}, "asked": "rla rm --where 'rows < 100'", "anchors": [""], "runs": [
    {"id": "k3xq7aod", "name": "cartpole/2026/...", "to": null, "status": "failed", "files": 30, "bytes": 51234,
     "run_json": "log/cartpole/2026/.../run.json", "parts": [["log/cartpole/2026/...", ".trash/3/log/cartpole/..."]]}
    ]}

It is written, whole and on the disk, before the first file is renamed. From then on only ``state`` changes, in its
place, so that a full disk does not matter: ``begun``, ``done``, ``undoing``, ``undone``. Which runs have gone, and what
is left to do, is seen from the files: each part is at its old place or at its new one.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks import atomic
from rla_hooks.errors import RLAError
from rla_hooks.layout import ARCHIVED, TRASH, TREES
from rla_hooks.life import this_process
from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import open_regular, read_bytes
from rla_hooks.texts import iso_time, printable, shell_path, shown
from rla_hooks.upkeep.part_checks import is_inside
from rla_hooks.upkeep.planning import ARCHIVE, KINDS, Item, Plan, trash_of

FORMAT = 1
JOURNAL = "act.json"
BEGUN, DONE, UNDOING, UNDONE = STATES = ("begun", "done", "undoing", "undone")
NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # whoever may write to the trash must not let us write elsewhere
_LIMIT = 1 << 30  # bytes: some 500,000 runs
_NUMBER = pattern(r"[1-9][0-9]{0,8}")
_PLAIN = ("id", "name", "to", "status", "files", "bytes", "run_json")  # fields of an item
_WIDTH = len(f'{{"state": "{UNDOING}",')


class Moved(NamedTuple):
    """A run of a journal. parts: pairs of where each was, and where it goes."""

    item: Item
    parts: tuple[tuple[str, str], ...]


class Journal(NamedTuple):
    """An act as its act.json has it."""

    folder: Path
    number: int
    kind: str
    state: str
    time: datetime
    process: dict[str, Any]
    asked: str
    anchors: tuple[str, ...]
    runs: tuple[Moved, ...]

    @property
    def root(self) -> Path:
        return self.folder.parents[1]

    def set_state(self, state: str) -> Journal:
        """Write the state, in its place: it needs no room on the disk. Raises OSError."""
        descriptor = os.open(self.folder / JOURNAL, os.O_WRONLY | NO_LINK | getattr(os, "O_BINARY", 0))
        try:
            os.write(descriptor, _state_bytes(state))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return self._replace(state=state)


def _state_bytes(state: str) -> bytes:
    return f'{{"state": "{state}",'.ljust(_WIDTH).encode()


def begin(plan: Plan, asked: str) -> Journal:
    """Take the next number, make the folders of the act, and write its journal. Raises OSError."""
    anchors = sorted({part.anchor for item in plan.items for part in item.parts if part.target is None} | {""})
    number = _take_number(plan.log_root, anchors)
    runs = tuple(
        Moved(item, tuple((part.source, part.target_of(number)) for part in item.parts)) for item in plan.items
    )
    folder = plan.log_root / TRASH / str(number)
    time, process = iso_time(), this_process()
    head = {"format": FORMAT, "number": number, "kind": plan.kind, "time": time, "process": process, "asked": asked}
    lines = ",\n".join([json.dumps(_content(each), ensure_ascii=False) for each in runs])
    rest = json.dumps(head | {"anchors": anchors}, ensure_ascii=False)[1:-1]
    _link_trees(plan, number, anchors)
    data = f' {rest}, "runs": [\n{lines}\n]}}\n'.encode("utf-8", "surrogateescape")
    try:
        atomic.write_bytes(folder / JOURNAL, _state_bytes(BEGUN) + data)
        atomic.fsync(folder.parent)
    except BaseException:
        remove_folders(plan.log_root, number, anchors)
        raise
    moment = datetime.fromisoformat(time)
    return Journal(folder, number, plan.kind, BEGUN, moment, process, asked, tuple(anchors), runs)


def _take_number(root: Path, anchors: list[str]) -> int:
    """Make the folders of the next act on each disk, exclusively, and return its number."""
    number = max([0, *numbers_in(root)])
    while True:
        number += 1
        if not _NUMBER.fullmatch(str(number)):  # nobody would list it; there are no so many acts
            raise OSError(
                errno.EOVERFLOW, f"no number is left after {number - 1}", str(root / trash_of("", number - 1))
            )
        made = list[Path]()
        try:
            for anchor in anchors:
                folder = root / trash_of(anchor, number)
                make_trash(folder.parent)
                folder.mkdir()
                made.append(folder)
        except FileExistsError:  # two log roots may share a tree
            for folder in made:
                folder.rmdir()
            continue
        except OSError:
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()
            raise
        return number


def _link_trees(plan: Plan, number: int, anchors: list[str]) -> None:
    """Let the trash of the act, or the archive, be a log root with all trees, also those on other disks."""
    root = plan.log_root
    links = [(root / trash_of("", number) / anchor, root / trash_of(anchor, number)) for anchor in anchors if anchor]
    if plan.kind == ARCHIVE:
        make_trash(root / ARCHIVED)
        anchors = sorted({part.anchor for item in plan.items for part in item.parts if part.anchor})
        links += [(root / ARCHIVED / anchor, root / anchor / f".{ARCHIVED}") for anchor in anchors]
    for link, target in links:
        with suppress(OSError):  # it is there; or a system has no links: then only that listing lacks the tree
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(target, link.parent))


def make_trash(folder: Path) -> None:
    """Make a folder for what several users of a log root move, so that they may write to it as to the log root.

    Raises OSError, also where the trash is a link: what lies there may be no trash, and would be freed with it.
    """
    if folder.name == TRASH and folder.is_symlink():
        raise OSError(errno.ELOOP, "the trash must be a folder, and is a link", str(folder))
    with suppress(FileExistsError):
        folder.mkdir()
        with suppress(OSError):
            folder.chmod(folder.parent.stat().st_mode & 0o7777)


def numbers_in(root: Path) -> list[int]:
    """Return the numbers of the acts in the trash of a log root, in order. Links are none: they may lead anywhere."""
    folder = root / TRASH
    with suppress(OSError), os.scandir(folder) as entries:
        if not folder.is_symlink():
            return sorted(
                int(entry.name)
                for entry in entries
                if _NUMBER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            )
    return []


def _content(moved: Moved) -> dict[str, Any]:
    item = moved.item
    content: dict[str, Any] = {key: getattr(item, key) for key in _PLAIN}
    for key in ("news", "former", "manifest", "checkpoints"):
        if getattr(item, key):
            content[key] = getattr(item, key)
    return content | {"parts": moved.parts}


def any_unfinished(root: Path) -> bool:
    """Whether an act was killed, or is at work."""
    return not all(_is_done(root / TRASH / str(number)) for number in numbers_in(root))


def _is_done(folder: Path) -> bool:
    """Whether an act is done, by the beginning of its journal; or cannot be read, so that nobody here can finish it."""
    try:
        with open_regular(folder / JOURNAL) as file:
            return file.read(_WIDTH) == _state_bytes(DONE)
    except FileNotFoundError:
        return False
    except OSError:  # another user's
        return True


def unfinished(root: Path) -> Iterator[Journal]:
    """Yield the acts that were killed, oldest first; remove the folders of those that had not even begun."""
    for number in numbers_in(root):
        folder = root / TRASH / str(number)
        if _is_done(folder):
            continue
        try:
            yield read(root, number)
        except FileNotFoundError:
            atomic.sweep(folder)
            remove_folders(root, number, ["", *TREES])
        except (OSError, RLAError):  # damaged
            continue


def read(root: Path, number: int) -> Journal:
    """Return an act. Raises OSError where there is none, RLAError where its act.json is damaged."""
    return read_in(root / TRASH / str(number), number)


def read_in(folder: Path, number: int) -> Journal:
    """Return the act in this folder, which is read as :func:`read` does."""
    data = read_bytes(folder / JOURNAL, _LIMIT)
    try:
        return _parsed(folder, number, json.loads(data.decode("utf-8", "surrogateescape")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RLAError(
            f"{shell_path(folder / JOURNAL)} is damaged: {printable(error)}. What lies beside it is untouched, and "
            "in the trees of a log root: move it back by hand, or free it by rla trash empty."
        ) from error


def _parsed(folder: Path, number: int, content: dict[str, Any]) -> Journal:
    if content["format"] != FORMAT or content["kind"] not in KINDS or content["state"] not in STATES:
        raise ValueError("it is not one that this version writes")
    runs = []
    for each in content["runs"]:
        parts = tuple((str(source), str(target)) for source, target in each["parts"])
        item = Item(
            **{key: each[key] for key in _PLAIN},
            **{key: each[key] for key in ("news", "former", "manifest") if key in each},
            parts=(),
            checkpoints=tuple(each.get("checkpoints", ())),
        )
        _check_fields(item)
        places = [place for pair in parts for place in pair]
        places += [place for place in (item.run_json, f"{item.manifest}/x" if item.manifest else "") if place]
        if not parts or not all(map(is_inside, places)):  # whoever may write here must not lead us elsewhere
            raise ValueError("it names files outside of the log root")
        runs.append(Moved(item, parts))
    anchors = tuple(str(anchor) for anchor in content["anchors"])
    if not all(anchor == "" or is_inside(f"{anchor}/x") for anchor in anchors):
        raise ValueError("it names folders outside of the log root")
    moment = datetime.fromisoformat(content["time"])
    process = dict(content["process"])
    return Journal(
        folder, number, content["kind"], content["state"], moment, process, str(content["asked"]), anchors, tuple(runs)
    )


def _check_fields(item: Item) -> None:
    texts = (item.id, item.name, item.status, item.run_json, item.manifest, "" if item.to is None else item.to)
    numbers, objects = (item.files, item.bytes), (item.news or {}, item.former or {}, *item.checkpoints)
    for kind, fields in ((str, texts), (int, numbers), (dict, objects)):
        wrong = [field for field in fields if not isinstance(field, kind)]
        if wrong:
            raise TypeError(f"{shown(wrong[0], 40)} is no {kind.__name__}")


def remove_folders(root: Path, number: int, anchors: Iterable[str]) -> None:
    """Remove what is empty in the folders of an act, then its journal and the folders. What holds a file stays."""
    for anchor in sorted(anchors, key=len, reverse=True):
        top = root / trash_of(anchor, number)
        _remove_empty(top)
        if anchor:
            with suppress(OSError):
                os.unlink(root / trash_of("", number) / anchor)  # the link to it
    top = root / trash_of("", number)
    _remove_empty(top)
    with suppress(OSError):
        if os.listdir(top) == [JOURNAL]:
            os.unlink(top / JOURNAL)
        os.rmdir(top)


def _remove_empty(top: Path) -> None:
    if top.is_symlink():
        return
    for folder, _, _ in os.walk(top, topdown=False):
        if folder != str(top):
            with suppress(OSError):
                os.rmdir(folder)
    if not (top / JOURNAL).exists():
        with suppress(OSError):
            os.rmdir(top)
