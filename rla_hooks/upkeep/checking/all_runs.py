"""Verifies runs, one after the other, and tells what was found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import RLAError
from rla_hooks.query.given import saved_run
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import runs as all_runs
from rla_hooks.texts import shell_path
from rla_hooks.upkeep.checking.found import Finding, Found

if TYPE_CHECKING:
    from rla_hooks.upkeep.checking.mending import Wanted

Progress = Callable[[int, int], object]


class Report(list[Finding]):
    """What ``verify`` has found, in the order of the runs.

    runs, files, bytes: how many were checked. seconds: how long that took. acts: the numbers of the acts that have
    repaired files: ``undo`` takes them back. problems: why files stay as they are that were to be repaired.
    """

    def __init__(self, found: Iterable[Finding] = ()):
        super().__init__(found)
        self.runs = self.files = self.bytes = 0
        self.seconds = 0.0
        self.acts: list[int] = []
        self.problems: list[str] = []

    @property
    def damaged(self) -> list[Finding]:
        """The findings that are damage, and were not repaired."""
        return [each for each in self if each.is_open]


def verify(
    runs: Any = None,
    log_root: str | os.PathLike[str] | None = None,
    *,
    repair: bool = False,
    asked: str = "",
    progress: Progress | None = None,
) -> Report:
    """Check the files of runs, and return what is wrong with them; with ``repair`` mend what can be rebuilt.

    Checked are rows, event files, checkpoints, the small files of a run, its code and figures: by their checksums where
    they have some, else by their form. Of a run that is running half a row at the end is no damage. Links are not
    followed, and nothing that is read is run.

    runs: one or several saved or open runs, or texts as ``rla.open`` takes them (in ``log_root``); by default all of
    the log root, and the stored code that no run uses. repair: mend what can be rebuilt without a guess, of runs that
    nobody writes to; the damaged files go to the trash, and ``undo`` brings them back. asked: what the list of the acts
    says of it. progress: is called with the number of runs that are done, and of all, after each run.

    Raises :class:`~rla_hooks.errors.RLAError` for what is no run, and for runs of other tools.

    >>> import rla_hooks as rla
    >>> from rla_hooks.upkeep import verify
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     rla.log({"loss": 0.5}, step=0)
    >>> verify(run)
    []
    >>> with open(run.log_dir / "progress.csv", "a") as file:
    ...     _ = file.write("1,17")
    >>> [(each.problem, each.repair) for each in verify(run)]
    [('the last row is torn: 4 bytes behind the last whole row', 'it is cut off')]
    """
    from rla_hooks.upkeep.checking.mending import Wanted
    from rla_hooks.upkeep.checking.one_run import Checks  # late: it needs numpy, and who deletes runs does not
    from rla_hooks.upkeep.checking.opening import Disk

    began = time.perf_counter()
    chosen = _chosen(runs, log_root)
    report, disk = Report(), Disk()
    checks: dict[Path, Checks] = {}
    wanted: dict[Path, list[tuple[int, Wanted]]] = {}

    def take(run: SavedRun | None, root: Path, found: Iterable[Found]) -> None:
        for each in found:
            if each.mend is not None:
                place = each.mend.path or each.path
                if os.path.lexists(place) and (os.path.islink(place) or not os.path.isfile(place)):
                    report.append(_finding(run, root, each._replace(mend=None)))  # a link, say: nothing replaces that
                    continue
                wanted.setdefault(root, []).append((len(report), Wanted(run, place, each.mend)))
            report.append(_finding(run, root, each))

    for number, run in enumerate(chosen, 1):
        root = run.paths.log_root
        if root not in checks:
            checks[root] = Checks(root, disk)
        found = checks[root].of_run(run)
        if repair and _finish_cut(run, found, report):
            found = checks[root].of_run(run)  # the cut has moved its files
        take(run, root, found)
        if progress is not None:
            progress(number, len(chosen))
    if runs is None:
        root = Path(log_root_of(log_root))
        rest = checks[root] if root in checks else Checks(root, disk)
        take(None, root, rest.code.check_rest())
    if repair:
        for root, each in wanted.items():
            _repair(report, root, each, asked)
    report.runs, report.files, report.bytes = len(chosen), disk.files, disk.bytes
    report.seconds = time.perf_counter() - began
    return report


def _finish_cut(run: SavedRun, found: Iterable[Found], report: Report) -> bool:
    """Finish a cut that was killed, if that is among what was found; return whether it was finished."""
    from rla_hooks.upkeep.checking.mending import Wanted, finish_cut

    for each in found:
        if each.mend is not None and each.mend.act is not None:
            problem = finish_cut(Wanted(run, each.path, each.mend))
            if problem is None:
                report.append(_finding(run, run.paths.log_root, each).replaced(repaired=True))
                return True
            report.problems.append(problem)
    return False


def _repair(report: Report, root: Path, wanted: Sequence[tuple[int, Wanted]], asked: str) -> None:
    """Mend files of one log root, and note in the report what was mended."""
    from rla_hooks.upkeep.checking.mending import mend

    mended = mend(root, [each for _, each in wanted if each.mend.act is None], asked or "verify(repair=True)")
    for number, each in wanted:
        if each.path in mended.paths:
            report[number] = report[number].replaced(repaired=True)
    if mended.act is not None:
        report.acts.append(mended.act.number)
    report.problems += mended.problems


def _chosen(runs: Any, log_root: str | os.PathLike[str] | None) -> Sequence[SavedRun]:
    if runs is None:
        return all_runs(log_root)
    is_one = isinstance(runs, (str, os.PathLike, SavedRun)) or hasattr(runs, "paths")
    found = {}
    for each in [runs] if is_one else runs:
        run = saved_run(each, log_root, "verify")
        if type(run) is not SavedRun:
            raise RLAError(
                f"{shell_path(run.log_dir)} was written by another tool, so nothing tells what it should be. "
                "Allowed: runs of rla_hooks, and of RLA."
            )
        found[run.paths] = run
    return [*found.values()]


def _finding(run: SavedRun | None, root: Path, found: Found) -> Finding:
    try:
        file = found.path.relative_to(root).as_posix()
    except ValueError:
        file = str(found.path)
    how = found.mend.how if found.mend else None
    name, id = (None, None) if run is None else (run.name, run.id)
    return Finding(name, id, file, found.problem, found.position, found.is_damage, how)
