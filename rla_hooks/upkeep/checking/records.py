"""Checks the small files of a run: run.json, parameter.json, labels.json, tester.pkl; and the cuts of its resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from rla_hooks import atomic, cutting, plaindata, rowfiles
from rla_hooks.cutting import journal
from rla_hooks.layout import ARCHIVE, RUN_JSON, RunPaths
from rla_hooks.query.entry import Entry, is_complete
from rla_hooks.query.inert_pickle import read_pickle
from rla_hooks.query.moved import hints_of, noted_name
from rla_hooks.smallfiles import parse_object, read_bytes
from rla_hooks.texts import listed, printable, shown
from rla_hooks.upkeep.checking.found import Found, Mend
from rla_hooks.upkeep.checking.opening import Disk, mark_at, unreadable
from rla_hooks.upkeep.checking.tables import Table
from rla_hooks.writers.csv_format import MORE, as_read

_PICKLE_LIMIT = 32 << 20  # bytes; more is not looked into
_ARCHIVED = "the archived Tester "  # as entries call the pickle of RLA
_PICKLED = "format name task hyper_param hyper_param_record private_config writers custom_data".split()
_MAX_NAMED = 5  # metrics in a message


def check_records(paths: RunPaths, entry: Entry, archive_dir: Path, disk: Disk, is_live: bool) -> Iterator[Found]:
    """Yield what is wrong with the small files of a run. entry: what they said just now."""
    for name in (RUN_JSON, "parameter.json", "labels.json"):
        with suppress(OSError):
            disk.count(1, os.stat(paths.log_dir / name).st_size)
    pickled = _Pickled(archive_dir / "tester.pkl", disk)
    for problem in entry.problems:
        path, what = _split(problem, paths)
        mend = None
        if path == paths.parameter_json and not is_live and pickled.hparams is not None:
            how = "it is written anew with the hyper-parameters in tester.pkl"
            mend = Mend(how, _Json(pickled.hparams), mark=mark_at(path))
        yield Found(path, what, is_damage="newer" not in what and "this version knows" not in what, mend=mend)
    for hint in hints_of(paths, entry.run_json):
        yield Found(paths.log_dir, hint, is_damage=False)
    if os.path.lexists(paths.run_json):
        yield from pickled.found(entry, paths, is_live)
    elif not any(each.startswith(_ARCHIVED) for each in entry.problems):
        yield from _pickle_of_rla(paths, disk)
    for folder in (paths.log_dir, archive_dir):
        yield from left_over(folder)


class _Pickled:
    """tester.pkl: what it says, read without running any of it."""

    def __init__(self, path: Path, disk: Disk):
        self.path = path
        self.content: Any = None
        self.error: OSError | ValueError | None = None
        try:
            with disk.open(path) as file:
                data = file.read(_PICKLE_LIMIT + 1)
            if len(data) <= _PICKLE_LIMIT:
                self.content = plaindata.loads(data)
                if not isinstance(self.content, dict):
                    raise ValueError(f"it holds a {type(self.content).__name__}")
        except (OSError, ValueError) as error:
            self.error, self.content = error, None

    @property
    def hparams(self) -> Mapping[str, Any] | None:
        """The hyper-parameters, as parameter.json has them; None where they are not known."""
        found = self.content.get("hyper_param") if isinstance(self.content, dict) else None
        return found if isinstance(found, dict) and all(isinstance(each, str) for each in found) else None

    def found(self, entry: Entry, paths: RunPaths, is_live: bool) -> Iterator[Found]:
        """Yield what is wrong with it."""
        run_json, stored = entry.run_json, entry.hparams
        if isinstance(self.error, FileNotFoundError):
            if not is_live:
                yield Found(self.path, "is missing: Tester.load cannot go on with the run")
        elif isinstance(self.error, OSError):
            yield unreadable(self.path, self.error)
        elif self.error is not None:
            yield Found(self.path, f"is damaged: {printable(self.error)[:300]}")
        elif self.content is not None:
            former = run_json.get("former_names")
            known = {paths.name, noted_name(run_json), *(filter(_is_text, former) if isinstance(former, list) else ())}
            lost = [name for name in _PICKLED if name not in self.content]
            if lost:
                yield Found(self.path, f"lacks {listed(lost, _MAX_NAMED)}")
            elif self.content.get("name") not in known:
                text = f"is of another run: {shown(self.content.get('name'), 200)}"
                yield Found(self.path, text)
            if not is_live:
                yield from self._other_hparams(paths, stored)

    def _other_hparams(self, paths: RunPaths, stored: Mapping[str, Any]) -> Iterator[Found]:
        """Yield the hyper-parameters that differ from those of parameter.json: the run has written both."""
        own = self.hparams or {}
        names = [name for name in own if name in stored and _as_text(own[name]) != _as_text(stored[name])]
        if names:
            first = f"{shown(stored[names[0]], 100)} here, {shown(own[names[0]], 100)} in tester.pkl"
            text = f"differs from tester.pkl in {listed(names, _MAX_NAMED)}: {first}; one of both was changed"
            yield Found(paths.parameter_json, text)


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _split(problem: str, paths: RunPaths) -> tuple[Path, str]:
    """Return the file of a problem that a list of runs shows, and what is wrong with it."""
    if problem.startswith(_ARCHIVED):
        return _pickle_path(paths), problem[len(_ARCHIVED) :]
    name, _, what = problem.partition(" ")
    return paths.log_dir / name, what


def _pickle_path(paths: RunPaths) -> Path:
    return paths.log_root / ARCHIVE / f"{paths.name}.pkl"


def _pickle_of_rla(paths: RunPaths, disk: Disk) -> Iterator[Found]:
    """Yield what is wrong with the archived Tester of a run of the original RLA."""
    path = _pickle_path(paths)
    if not os.path.lexists(path):
        return
    try:
        with disk.open(path) as file:
            data = file.read(_PICKLE_LIMIT + 1)
        if len(data) <= _PICKLE_LIMIT:
            read_pickle(data)
    except OSError as error:
        yield unreadable(path, error)
    except ValueError as error:
        if "more than" not in str(error):  # a limit of ours is no damage
            yield Found(path, f"is damaged: {printable(error)[:300]}")


def left_over(folder: Path) -> Iterator[Found]:
    """Yield the temporary files in a folder whose processes have died."""
    with suppress(OSError):
        names = sorted(filter(atomic.is_abandoned, os.listdir(folder)))
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            text = f"left by a process that has died{more}: no file of the run; rla gc removes it"
            yield Found(folder / names[0], text, is_damage=False)


class _Json:
    """Writes a file of one JSON object."""

    def __init__(self, content: Mapping[str, Any]):
        self._content = content

    def __call__(self, old: BinaryIO, new: BinaryIO) -> None:
        new.write(atomic.json_bytes(self._content))


# --- counts -----------------------------------------------------------------------------------------------------------


def check_counts(paths: RunPaths, entry: Entry, tables: Mapping[str, Table]) -> Iterator[Found]:
    """Compare what run.json says of the rows of a run that has ended with its files of rows."""
    content = entry.run_json
    rows, writers = content.get("rows"), content.get("writers")
    if not is_complete(content, entry.status) or type(rows) is not int:
        return
    if not tables:
        if rows and isinstance(writers, list) and "csv" in writers and not _missing(content):
            yield Found(paths.progress_csv, f"is missing: run.json counts {rows:,} rows")
        return
    counted = [each.rows for each in tables.values()]
    if any(each is None for each in counted):
        return
    total, missing = sum(filter(None, counted)), _missing(content)
    if total > rows or total < rows - missing:
        yield Found(paths.run_json, _miscount(rows, total, missing), mend=_recount(paths, tables))
    elif not missing:
        yield from _lost_columns(paths, content, tables)


def _missing(content: Mapping[str, Any]) -> int:
    """The rows that run.json counts and that could not be written."""
    gaps = content.get("gaps")
    found = [each for each in gaps if isinstance(each, Mapping)] if isinstance(gaps, list) else []
    return sum(each["rows"] for each in found if each.get("writer") == "csv" and type(each.get("rows")) is int)


def _miscount(rows: int, total: int, missing: int) -> str:
    gap = f" ({missing:,} of them could not be written)" if missing else ""
    lost = "; rows are lost" if total < rows else ""
    return f"counts {rows:,} rows{gap}, and the files of rows have {total:,}{lost}"


def _recount(paths: RunPaths, tables: Mapping[str, Table]) -> Mend | None:
    """Return what takes the numbers of run.json from the rows; None where these are damaged themselves."""
    if any(each.is_damage and each.mend is None for table in tables.values() for each in table.found):
        return None

    def write(old: BinaryIO, new: BinaryIO) -> None:
        content = parse_object(old.read())
        found = rowfiles.progress(rowfiles.files(paths.log_dir))
        new.write(atomic.json_bytes(content | found.noted(content["rows"])))

    return Mend("its rows, last_step and last values are taken from the rows", write, mark=mark_at(paths.run_json))


def _lost_columns(paths: RunPaths, content: Mapping[str, Any], tables: Mapping[str, Table]) -> Iterator[Found]:
    """Yield the metrics of run.json of which no file has a column: a header was changed."""
    columns = {name for table in tables.values() for name in table.columns}
    last = content.get("last")
    if MORE in columns or not isinstance(last, dict) or any(table.found for table in tables.values()):
        return
    lost = [name for name in last if as_read(name) not in columns]
    if lost and content.get("rows"):
        names = listed([shown(name, 100) for name in lost], _MAX_NAMED)
        yield Found(paths.progress_csv, f"the header has no column {names}, of which run.json has the last value", 0)


# --- cuts -------------------------------------------------------------------------------------------------------------


def check_cuts(paths: RunPaths, is_live: bool) -> Iterator[Found]:
    """Yield the cuts of a run that were not finished, and those whose journal is damaged."""
    top = journal.folder_of(paths)
    numbers: Sequence[int] = ()
    with suppress(OSError):
        numbers = journal.numbers_in(top)
    for number in numbers:
        folder = top / str(number)
        path = folder / journal.JOURNAL
        try:
            read_bytes(path)
            content = journal.journal_of(folder)
        except (OSError, ValueError) as error:
            yield Found(path, f"cannot be read: {printable(error)}")
            continue
        if content is None:
            undone = ", and the cut was not finished" if journal.is_undone(folder) else ""
            yield Found(path, f"is damaged, or not what a cut writes{undone}")
        elif not content["done"] and not is_live:
            mend = Mend("the cut is finished", act=lambda: _finish(paths), mark=mark_at(path))
            yield Found(path, "the cut was not finished: its process was killed", mend=mend)


def _finish(paths: RunPaths) -> None:
    cutting.finish_cut(paths)
