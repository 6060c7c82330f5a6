"""What may be deleted at any time, since nothing of a run is in it: found here, and removed one by one.

Each is looked at again before it goes, and one that is gone already is no problem: several may clean at once, and runs
may start meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rla_hooks import atomic
from rla_hooks.errors import RLAError
from rla_hooks.layout import TRASH
from rla_hooks.query.cache import cache_folder
from rla_hooks.snapshot import restoring
from rla_hooks.texts import printable, shell_path
from rla_hooks.upkeep import sweep_files
from rla_hooks.upkeep.orphaned import is_without_files
from rla_hooks.upkeep.survey import Survey
from rla_hooks.upkeep.tally import Size, Tally
from rla_hooks.upkeep.trash_folder import EMPTYING, empty_trash
from rla_hooks.upkeep.unlisted import remove_unlisted, unlisted_states

CODE_FILES, TEMPORARY, COPIES = "unused code", "temporary files", "copies of code"
EMPTIED, FOLDERS, STATES = "rest of emptied trash", "empty folders", "unlisted states"
SWEPT = "files of sweeps"


class Leftover(NamedTuple):
    """One thing that may go. size: what it takes on the disk."""

    kind: str
    path: Path
    size: Size


def leftovers_of(survey: Survey, age: float) -> Iterator[Leftover]:
    """Yield what is left in a log root, and in the cache of code that runs were resumed with."""
    root = survey.root
    for each in survey.unused_code:
        yield Leftover(CODE_FILES, each.path, Size(each.on_disk, each.on_disk, each.on_disk, 1))
    for left in survey.temporary():
        yield Leftover(TEMPORARY, Path(left.path), left.size)
    for path in unlisted_states(survey.checkpoints(), age):
        yield Leftover(STATES, path, _size_of(path))
    for path in sweep_files.needless(root, age):
        yield Leftover(SWEPT, path, _size_of(path))
    for path in _emptied(root):
        yield Leftover(EMPTIED, path, _size_of(path))
    cache = cache_folder()
    for path in restoring.old_copies(cache / "code") if cache else ():
        yield Leftover(COPIES, path, _size_of(path))
    for path in empty_folders(survey, age):
        yield Leftover(FOLDERS, path, Size(_size_of(path).on_disk))


def empty_folders(survey: Survey, age: float) -> list[Path]:
    """Return the folders of tasks, dates and former runs in which there are only such folders, the innermost first.

    Nothing has changed in them for ``age`` seconds: a run that starts makes its folders one after the other.
    """
    before, empty = time.time() - age, set[str]()
    former = [os.fspath(each.path) for each in survey.orphans if is_without_files(each.path)]
    inside = [os.path.join(top, name) for path in former for top, names, _ in os.walk(path) for name in names]
    found = []
    for folder in sorted([*survey.between, *former, *inside], key=lambda each: -each.count(os.sep)):
        names = _names_in(folder)
        if names is None or not all(os.path.join(folder, name) in empty for name in names):
            continue
        try:
            state = os.lstat(folder)
        except FileNotFoundError:  # another cleaner was first
            continue
        if (names or max(state.st_mtime, state.st_ctime) <= before) and not os.path.ismount(folder):
            empty.add(folder)
            found.append(Path(folder))
    return found


def _emptied(root: Path) -> list[Path]:
    names = _names_in(root / TRASH) or ()
    return [root / TRASH / name for name in sorted(names) if name.startswith(EMPTYING)]


def _names_in(folder: str | Path) -> list[str] | None:
    try:
        return os.listdir(folder)
    except OSError:
        return None


def _size_of(path: Path) -> Size:
    tally = Tally()
    tally.add_folder(os.fspath(path), tally.new_owner())
    return tally.sizes([0]).get(0, Size())


class Removal:
    """Removes leftovers, and says what has gone and what could not go."""

    def __init__(self) -> None:
        self.gone: list[Leftover] = []
        self.problems: list[str] = []

    def remove(self, left: Leftover) -> None:
        """Remove one leftover, if it still is one."""
        try:
            if _REMOVE[left.kind](left.path):
                self.gone.append(left)
        except FileNotFoundError:  # somebody else has removed it
            pass
        except (OSError, RLAError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.problems.append(f"{shell_path(left.path)} cannot be removed: {printable(reason or error)}")


def _remove_code(path: Path) -> bool:
    """A run that links the file just now has it: its link is another name, which stays."""
    state = os.lstat(path)
    if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
        return False
    path.unlink()
    return True


def _remove_temporary(path: Path) -> bool:
    if not atomic.is_abandoned(path.name) or not os.path.lexists(path):
        return False
    atomic.remove(path)
    return True


def _remove_copy(path: Path) -> bool:
    if path not in restoring.old_copies(path.parent):
        return False
    atomic.remove(path)
    return True


def _remove_swept(path: Path) -> bool:
    if not sweep_files.is_needless(path):
        return False
    path.unlink()
    return True


def _remove_folder(path: Path) -> bool:
    try:
        os.rmdir(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # a run has started in it
            return False
        raise
    return True


def _finish_emptying(path: Path) -> bool:
    root = path.parents[1]  # of LOG_ROOT/.trash/.emptying-<n>
    emptied = empty_trash(root, numbers=[])
    if os.path.lexists(path):
        raise RLAError("; ".join(emptied.problems) or "it is there again")
    return True


_REMOVE: dict[str, Callable[[Path], bool]] = {
    CODE_FILES: _remove_code,
    TEMPORARY: _remove_temporary,
    COPIES: _remove_copy,
    STATES: remove_unlisted,
    SWEPT: _remove_swept,
    EMPTIED: _finish_emptying,
    FOLDERS: _remove_folder,
}
