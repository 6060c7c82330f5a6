"""All checks of one run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from rla_hooks import rowfiles
from rla_hooks.checkpoints.entry import Entry as Saved
from rla_hooks.cutting import journal
from rla_hooks.layout import RunPaths
from rla_hooks.query.entry import Entry, read_entry
from rla_hooks.query.moved import paths_of
from rla_hooks.query.rla_runs import is_of_rla
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.upkeep.checking.events import check_events
from rla_hooks.upkeep.checking.found import Found
from rla_hooks.upkeep.checking.images import check_images
from rla_hooks.upkeep.checking.json_lines import check_json_lines
from rla_hooks.upkeep.checking.kept_code import KeptCode
from rla_hooks.upkeep.checking.opening import Disk, files_below
from rla_hooks.upkeep.checking.records import check_counts, check_cuts, check_records, left_over
from rla_hooks.upkeep.checking.saved import Listed, SavedFiles
from rla_hooks.upkeep.checking.tables import Table, check_table
from rla_hooks.upkeep.run_parts import why_running
from rla_hooks.writers import json_writer

_EVENTS = "tfevents", "events.out.cut."


class Checks:
    """The checks of the runs of one log root, which share what is read once."""

    def __init__(self, log_root: Path, disk: Disk):
        self.disk = disk
        self.saved, self.code = SavedFiles(disk), KeptCode(log_root, disk)

    def of_run(self, run: SavedRun) -> list[Found]:
        """Return what is wrong with a run, as its files are now; of one that is running nothing can be mended."""
        found, is_live = self._looked_at(run)
        if found and not is_live and _is_alive(run.paths):  # it was started while its files were read
            found, _ = self._looked_at(run)
        return found if os.path.isdir(run.paths.log_dir) else []  # else somebody has deleted it meanwhile

    def _looked_at(self, run: SavedRun) -> tuple[list[Found], bool]:
        """Return what is wrong with a run, and whether somebody writes to it."""
        entry = read_entry(run.paths)  # what the index has of it may be older
        run = SavedRun(run.paths, entry)
        is_live, found = why_running(run) is not None, list[Found]()
        try:
            for each in self._of_run(run, entry, is_live):
                found.append(each._replace(mend=None) if is_live else each)
        except OSError as error:  # of a folder that went meanwhile, or may not be read
            place = Path(error.filename) if isinstance(error.filename, str) else run.log_dir
            found.append(Found(place, f"cannot be checked: {error.strerror or error}"))
        return found, is_live

    def _of_run(self, run: SavedRun, entry: Entry, is_live: bool) -> Iterator[Found]:
        paths = run.paths
        yield from check_records(paths, entry, paths_of(run).archive_dir, self.disk, is_live)
        tables = self._tables(paths, is_live)
        for table in tables.values():
            yield from table.found
        yield from check_counts(paths, entry, {name: each for name, each in tables.items() if rowfiles.is_name(name)})
        for path in json_writer.files(paths.log_dir):
            yield from check_json_lines(path, self.disk, is_live)
        saved = Listed(run.checkpoint_dir)
        yield from self._events(run, saved.entries, is_live)
        yield from check_cuts(paths, is_live)
        yield from self._cut_files(paths)
        of_rla = not os.path.lexists(paths.run_json) and is_of_rla(paths)
        yield from self.saved.check(saved, is_live, of_rla)
        yield from left_over(saved.folder)
        yield from self.code.check(run.code_dir, run.run_json, is_live)
        yield from check_images(run.results_dir, self.disk, is_live)

    def _tables(self, paths: RunPaths, is_live: bool) -> Mapping[str, Table]:
        files = [*rowfiles.files(paths.log_dir), *rowfiles.files(paths.log_dir, rowfiles.SYSTEM)]
        return {path.name: check_table(path, self.disk, is_live) for path in files}

    def _events(self, run: SavedRun, entries: Iterable[Saved], is_live: bool) -> Iterator[Found]:
        noted: dict[str, int] = {}
        for entry in entries:
            if entry.cut is None:
                for name, (_, size) in (entry.written or {}).items():
                    noted[name] = max(size, noted.get(name, 0))
        log_dir = str(run.log_dir)
        gone = {path for each in _journals(run.paths) for path in each["files"]}
        for file in files_below(run.paths.tensorboard_dir):
            if "tfevents" in file.name:
                name = file.path[len(log_dir) + 1 :].replace(os.sep, "/")
                size = 0 if name in gone else noted.pop(name, 0)
                yield from check_events(Path(file.path), self.disk, is_live, size)
        for name, size in noted.items():
            if "tfevents" in name and name not in gone and not is_live and not os.path.lexists(run.log_dir / name):
                yield Found(run.log_dir / name, f"is missing, and had {size} bytes at a checkpoint")

    def _cut_files(self, paths: RunPaths) -> Iterator[Found]:
        """What a resume has cut is data, too."""
        for file in files_below(journal.folder_of(paths)):
            path = Path(file.path)
            if any(part in file.name for part in _EVENTS):
                yield from (each._replace(mend=None) for each in check_events(path, self.disk))
            elif json_writer.is_name(file.name):
                yield from check_json_lines(path, self.disk)
            elif file.name.endswith(".csv"):
                yield from (each._replace(mend=None) for each in check_table(path, self.disk).found)


def _is_alive(paths: RunPaths) -> bool:
    return why_running(SavedRun(paths, read_entry(paths))) is not None


def _journals(paths: RunPaths) -> Iterator[Mapping[str, Mapping[str, object]]]:
    with suppress(OSError, ValueError):
        yield from journal.former(paths)
