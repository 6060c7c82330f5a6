"""Copies the project's code at the start of a run, so that each result can be traced to the code that made it.

    code/<run name>/<project files>      as they were when the run started
    code/<run name>/.rla/left_out.txt    what is missing there, and why
    code/<run name>/.rla/session.py      what was typed into a notebook or at a prompt (see session.py)
    code/.store/...                      each content once for all runs (see filestore.py)

What git ignores is left out, exactly as git would; the log root, caches, virtual environments, secrets and
large files are left out always. Of a file with a password or a token in it there is a copy in which that is masked.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rla_hooks.atomic import write_bytes
from rla_hooks.errors import ConfigError
from rla_hooks.fields import Fields, made_by
from rla_hooks.masking.files import is_secret_file, masked_file
from rla_hooks.snapshot import bulk, session
from rla_hooks.snapshot.filestore import FileStore, SourceError
from rla_hooks.snapshot.loaded import edited_since, loaded_files
from rla_hooks.snapshot.request import MARKERS, BackupRequest
from rla_hooks.snapshot.sources import LINK, MASKED, SECRET, SPECIAL, UNREADABLE, Search
from rla_hooks.snapshot.trees import Listing, read_lines
from rla_hooks.texts import printable

NOTES = session.NOTES
_MB = 2**20
_NAME = "name not possible here"
_EDITED = "later edit"  # the program has loaded the file before, and the backup has it as it was then
_PIPED = "program read from a pipe"
_BAD_NAME = frozenset([errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ])


class BackupReport(Fields):
    """What a backup did: ``files`` and ``bytes`` copied, ``left_out`` as reason -> paths relative to the
    project."""

    files: int = 0
    bytes: int = 0
    left_out: dict[str, list[str]] = made_by(dict)
    mode: str = "source"
    typed: list[str] = made_by(list)  # files of code that was typed into a notebook or at a prompt
    unmarked: str | None = None  # the folder that was searched where no project was found
    no_rules: list[str] = made_by(list)  # files of ignore rules that are not there

    def line(self) -> str:
        """One line for people.

        >>> BackupReport(42, 300_000, {"secret": [".env"]}).line()
        'code: 42 files, 0.3 MB; left out 1 secret (.env)'
        """
        if self.mode == "none":
            return "code: not backed up"
        size = f"{self.bytes / _MB:.1f} MB" if self.bytes >= _MB / 10 else f"{-(-self.bytes // 1024)} kB"
        text = f"code: {self.files} file{'s' * (self.files != 1)}, {size}"
        if self.typed:
            text += f"; typed code: {', '.join(self.typed)}"
        groups = [_few(reason, paths) for reason, paths in sorted(self.left_out.items()) if paths]
        if groups:
            text += f"; left out {', '.join(groups)}"
        if bulk.DATA in self.left_out or bulk.OUTPUT in self.left_out:
            text += f"; {bulk.KEY}: true copies data and output folders"
        if self.no_rules:
            text += f"; no file of ignore rules {', '.join(map(printable, dict.fromkeys(self.no_rules)))}"
        if self.unmarked is not None:
            text += (
                f"; only source files and imported modules: {printable(self.unmarked)} has no project marker "
                f"({', '.join(MARKERS[:2])}, ...)"
            )
        return text


def check(**wanted: Any) -> None:
    """Raise ConfigError with all mistakes in a request (keywords: :class:`BackupRequest`); creates nothing."""
    problems = list(BackupRequest(**wanted).problems())
    if problems:
        raise ConfigError(problems, "code backup")


def back_up(code_dir: Path, log_root: Path, listing: Listing | None = None, **wanted: Any) -> BackupReport:
    """Copy the project's code to ``code_dir``, through the store of ``log_root``. Keywords: :class:`BackupRequest`.

    listing: of the project's work tree, if git was asked for it already; see :class:`provenance.Look`.
    Raises ConfigError before anything is created, OSError where ``code_dir`` cannot be written.
    """
    check(**wanted)
    given = BackupRequest(**wanted)
    report = BackupReport(mode=given.mode)
    if given.mode == "none":
        return report
    search = Search(
        project=str(given.root),
        log_root=os.path.realpath(log_root),
        max_bytes=given.max_file_mb * _MB,
        too_large=f"over {given.max_file_mb:g} MB",
        ignore=[*_rules_in_files(given, report), *given.ignore],
        listing=listing,
        sources_only=given.loose,
        data_files=given.data_files,
        left_out=report.left_out,
    )
    found = dict(_files(given, search))
    if given.loose:
        report.unmarked = str(given.root)
        for file in loaded_files(str(given.root)):
            found.update(search.loaded(file))
    for path in given.run_files:
        _add_run_file(found, Path(path), search)
    store = FileStore.of(log_root)
    _copy(found, str(code_dir), store, report)
    _write_typed(Path(code_dir) / NOTES, store, given, report)
    _write_left_out(Path(code_dir), report.left_out)
    return report


def _rules_in_files(given: BackupRequest, report: BackupReport) -> Iterator[str]:
    """Lines of the files of ignore rules. The report names those that are not there: RLA's example config has one."""
    for name in given.ignore_files:
        if given.path(name).is_file():
            yield from read_lines(given.path(name))
        else:
            report.no_rules.append(name)


def _files(given: BackupRequest, search: Search) -> Iterator[tuple[str, str]]:
    """Pairs of a path below the run's code folder, and the file to copy there."""
    taken: dict[str, str] = {}
    for name in (given.dirs or ["."]) if given.mode == "source" else [given.lib_dir or "."]:
        start = given.path(name)
        try:
            top = start.relative_to(given.root).as_posix()
        except ValueError:
            # Outside of the project: under its own name, or with a number where that is taken.
            top = _free_name(start.name or "root", taken, str(start))
        taken.setdefault(top, str(start))
        shown = "" if top == "." else top
        for relative, source in search.find(str(start), shown):
            yield "/".join(part for part in (shown, relative) if part), source


def _free_name(name: str, taken: dict[str, str], path: str) -> str:
    stem, suffix = os.path.splitext(name)
    number = 1
    while taken.get(name, path) != path:
        number += 1
        name = f"{stem}_{number}{suffix}"
    return name


def _add_run_file(found: dict[str, str], path: Path, search: Search) -> None:
    """Add a file that was requested by name: ignore rules do not apply, but secrets and large files are left out."""
    real = os.path.realpath(path)
    if is_secret_file(path.name):
        search.left_out.setdefault(SECRET, []).append(path.name)
        return
    for _, source in search.find(real, path.name):
        found[_free_name(path.name, found, real)] = source


def _copy(found: dict[str, str], code_dir: str, store: FileStore, report: BackupReport) -> None:
    made: set[str] = set()
    os.makedirs(code_dir, exist_ok=True)
    as_loaded = edited_since(found, code_dir)
    if as_loaded:
        report.left_out[_EDITED] = list(as_loaded)
    for relative, source in (found | as_loaded).items():
        target = os.path.join(code_dir, relative)
        folder = os.path.dirname(target)
        try:
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            # An older version has stored a config with the password in it.
            is_config = os.path.basename(relative).startswith("rla_config.")
            size = store.put(source, target, partial(_kept, report, relative), is_config)
        except _PrivateKey:
            report.left_out.setdefault(SECRET, []).append(relative)
        except SourceError:
            report.left_out.setdefault(UNREADABLE, []).append(relative)
        except OSError as error:
            if error.errno not in _BAD_NAME:
                raise
            report.left_out.setdefault(_NAME, []).append(relative)
        else:
            report.files += 1
            report.bytes += size


class _PrivateKey(Exception):
    """The file is one, whatever its name."""


def _kept(report: BackupReport, relative: str, data: bytes) -> bytes:
    """What the backup keeps of a file: all but the secrets in it."""
    kept = masked_file(relative, data)
    if kept is None:
        raise _PrivateKey
    if kept is not data:
        report.left_out.setdefault(MASKED, []).append(relative)
    return kept


def _write_typed(notes: Path, store: FileStore, given: BackupRequest, report: BackupReport) -> None:
    """Write the code that is in no file."""
    if session.save(notes):
        report.typed.append(f"{NOTES}/{session.SESSION}")
    elif session.is_standard_input():
        report.left_out.setdefault(_PIPED, []).append("<stdin>")
    if given.function_source:
        notes.mkdir(parents=True, exist_ok=True)
        store.put_bytes(given.function_source.encode("utf-8", "backslashreplace"), notes / session.FUNCTION)
        report.typed.append(f"{NOTES}/{session.FUNCTION}")


def _write_left_out(code_dir: Path, left_out: dict[str, list[str]]) -> None:
    lines = [f"{reason}\t{printable(path)}\n" for reason, paths in sorted(left_out.items()) for path in sorted(paths)]
    if lines:
        notes = code_dir / NOTES
        notes.mkdir(parents=True, exist_ok=True)
        write_bytes(notes / "left_out.txt", "".join(lines).encode(), sync=False)


def _few(reason: str, paths: list[str]) -> str:
    """Return a reason with the number of files and the first paths: ``2 secrets (.env, key.pem)``."""
    plural = "s" * (len(paths) > 1 and reason in (SECRET, MASKED, LINK, SPECIAL, _EDITED, bulk.DATA, bulk.OUTPUT))
    names = ", ".join(printable(path) for path in sorted(paths)[:3])
    return f"{len(paths)} {reason}{plural} ({names}{', ...' if len(paths) > 3 else ''})"
