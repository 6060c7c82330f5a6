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
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from rla_hooks.atomic import write_bytes
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.masking.files import is_secret_file, masked_file
from rla_hooks.places import is_installed, working_directory
from rla_hooks.snapshot import bulk, session
from rla_hooks.snapshot.filestore import FileStore, SourceError
from rla_hooks.snapshot.loaded import loaded_files
from rla_hooks.snapshot.sources import LINK, MASKED, SECRET, SPECIAL, UNREADABLE, Search
from rla_hooks.snapshot.trees import read_lines

MODES = ("source", "lib", "none")
NOTES = session.NOTES
MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "rla_config.yaml")
_MB = 2**20
_NAME = "name not possible here"
_BAD_NAME = frozenset([errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ])


@dataclass
class BackupReport:
    """What a backup did: ``files`` and ``bytes`` copied, ``left_out`` as reason -> paths relative to the
    project."""

    files: int = 0
    bytes: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)
    mode: str = "source"
    typed: list[str] = field(default_factory=list)  # files of code that was typed into a notebook or at a prompt
    unmarked: str | None = None  # the folder that was searched where no project was found

    def line(self) -> str:
        """One line for people.

        >>> BackupReport(42, 300_000, {"secret": [".env"]}).line()
        'code: 42 files, 0.3 MB; left out 1 secret (.env)'
        """
        if self.mode == "none":
            return "code: not backed up"
        text = f"code: {self.files} file{'s' * (self.files != 1)}, {self.bytes / _MB:.1f} MB"
        if self.typed:
            text += f"; typed code: {', '.join(self.typed)}"
        groups = [_few(reason, paths) for reason, paths in sorted(self.left_out.items()) if paths]
        if groups:
            text += f"; left out {', '.join(groups)}"
        if bulk.DATA in self.left_out or bulk.OUTPUT in self.left_out:
            text += f"; {bulk.KEY}: true copies data and output folders"
        if self.unmarked is not None:
            text += (
                f"; {_printable(self.unmarked)} has no project marker ({', '.join(MARKERS[:2])}, ...): packages, files "
                "that look like source beside the script, and loaded modules only"
            )
        return text


def project_of(script: str | os.PathLike[str] | None) -> Path | None:
    """Return the project of a script: the nearest folder above it that has one of MARKERS, or None.

    Without a script (in an interactive session or a notebook), and for an installed command, the search starts at
    the working directory. The home directory, a drive's root and the temporary folder are never a project.
    """
    folder = _folder_of(script)
    never = {Path(os.path.realpath(place)) for place in (os.path.expanduser("~"), *_temporary_folder())}
    for candidate in (folder, *folder.parents):
        if candidate in never or candidate.parent == candidate:
            return None
        if any(os.path.exists(candidate / marker) for marker in MARKERS):
            return candidate
    return None


def _temporary_folder() -> list[str]:
    try:
        return [tempfile.gettempdir()]
    except OSError:
        return []  # none can be written: a container with a read-only root


def _folder_of(script: str | os.PathLike[str] | None) -> Path:
    """The folder of a script, without links; the working directory for no script or an installed one."""
    if script is not None and os.path.exists(script) and not is_installed(script):
        path = Path(os.path.realpath(script))
        return path if path.is_dir() else path.parent
    return Path(os.path.realpath(working_directory()))


@dataclass(frozen=True)
class BackupRequest:
    """What to back up: the keyword arguments of :func:`check` and :func:`back_up`."""

    mode: str = "source"  # copy ``dirs`` or the whole project; "lib": copy ``lib_dir``; "none": nothing
    script: Path | None = None
    project_root: Path | None = None  # by default the project around ``script``, see :func:`project_of`
    dirs: Sequence[str] = ()  # files or folders, relative to the project root
    lib_dir: str | None = None
    ignore: Sequence[str] = ()  # lines as in a .gitignore, relative to the project root
    ignore_files: Sequence[str] = ()  # files of such lines; both also hold for files that git tracks
    run_files: Sequence[Path] = ()  # copied to the top of the run's code folder
    max_file_mb: float = 1.0  # larger files stay out; a megabyte has 2**20 bytes
    function_source: str | None = None  # of a tracked function that is in no file
    data_files: bool = False  # whether folders of data and other tools' outputs are copied, too

    @cached_property
    def root(self) -> Path:
        """The folder that paths are relative to, without links."""
        if self.project_root is not None:
            return Path(os.path.realpath(self.project_root))
        return project_of(self.script) or _folder_of(self.script)

    @property
    def loose(self) -> bool:
        """Whether no project was found; then only packages, source-like files at ``root`` and what has been imported
        from below it are copied."""
        marked = self.project_root is not None or project_of(self.script) is not None
        return self.mode == "source" and not self.dirs and not marked

    def path(self, name: str | os.PathLike[str]) -> Path:
        """Return a path of the config as an absolute path without links."""
        return Path(os.path.realpath(self.root / os.path.expanduser(name)))

    def problems(self) -> Iterator[str]:
        """A line for each mistake."""
        if self.mode not in MODES:
            near = did_you_mean(self.mode, MODES)
            yield f"backup_code_by is {self.mode!r}. Known: {', '.join(MODES)}.{near} Give one of these."
        size = self.max_file_mb
        if isinstance(size, bool) or not isinstance(size, (int, float)) or not size > 0:
            yield f"max_file_mb is {size!r}. Give a number of megabytes above 0."
        if self.mode not in ("source", "lib"):
            return
        if self.project_root is not None and not os.path.isdir(self.project_root):
            yield f"PROJECT_ROOT is {str(self.project_root)!r}, which is no folder. Give the project's folder."
        else:
            if self.mode == "source":
                yield from self._missing("backup_code_dir", self.dirs)
            elif self.lib_dir:
                yield from self._missing("lib_dir", [self.lib_dir])
            else:
                yield f"lib_dir is {self.lib_dir!r}, but backup_code_by is 'lib'. Give the library's folder."
            yield from self._missing("IGNORE_RULE", self.ignore_files, files_only=True)
        for line in self.ignore:
            if not isinstance(line, str):
                yield f"IGNORE_RULE has {line!r}. Give lines of text, as in a .gitignore."
        for path in self.run_files:
            if not os.path.isfile(path):
                yield f"run_file is {str(path)!r}, which is no file. Give the path of a file."

    def _missing(self, key: str, names: Sequence[str], files_only: bool = False) -> Iterator[str]:
        kind = "file" if files_only else "file or folder"
        for name in names:
            if not isinstance(name, (str, os.PathLike)) or not os.fspath(name).strip() or "\0" in os.fspath(name):
                yield f"{key} has {name!r}. Give a path relative to {self.root}."
                continue
            path = self.path(name)
            if path.is_file() if files_only else path.exists():
                continue
            try:
                near = did_you_mean(path.name, os.listdir(path.parent))
            except OSError:
                near = ""
            yield (
                f"{key} has {os.fspath(name)!r}, but there is no {kind} {path}.{near} "
                f"Give a path relative to the project root {self.root}."
            )


def check(**wanted: Any) -> None:
    """Raise ConfigError with all mistakes in a request (keywords: :class:`BackupRequest`); creates nothing."""
    problems = list(BackupRequest(**wanted).problems())
    if problems:
        raise ConfigError(problems, "code backup")


def back_up(code_dir: Path, log_root: Path, **wanted: Any) -> BackupReport:
    """Copy the project's code to ``code_dir``, through the store of ``log_root``. Keywords: :class:`BackupRequest`.

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
        ignore=[*(line for name in given.ignore_files for line in read_lines(given.path(name))), *given.ignore],
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
    for relative, source in found.items():
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
    if given.function_source:
        notes.mkdir(parents=True, exist_ok=True)
        store.put_bytes(given.function_source.encode("utf-8", "backslashreplace"), notes / session.FUNCTION)
        report.typed.append(f"{NOTES}/{session.FUNCTION}")


def _write_left_out(code_dir: Path, left_out: dict[str, list[str]]) -> None:
    lines = [f"{reason}\t{_printable(path)}\n" for reason, paths in sorted(left_out.items()) for path in sorted(paths)]
    if lines:
        notes = code_dir / NOTES
        notes.mkdir(parents=True, exist_ok=True)
        write_bytes(notes / "left_out.txt", "".join(lines).encode(), sync=False)


def _few(reason: str, paths: list[str]) -> str:
    """Return a reason with the number of files and the first paths: ``2 secrets (.env, key.pem)``."""
    plural = "s" * (len(paths) > 1 and reason in (SECRET, MASKED, LINK, SPECIAL, bulk.DATA, bulk.OUTPUT))
    names = ", ".join(_printable(path) for path in sorted(paths)[:3])
    return f"{len(paths)} {reason}{plural} ({names}{', ...' if len(paths) > 3 else ''})"


def _printable(path: str) -> str:
    """A path on one line, whatever its name holds."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
