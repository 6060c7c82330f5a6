"""Copies the code of a run beside its results, so that a result can always be traced to what made it.

    code/<run name>/<project files>      as they were when the run started
    code/<run name>/.rla/left_out.txt    what is missing there, and why
    code/.store/...                      each content once for all runs (see filestore.py)

What git ignores is left out, exactly as git would; the log root, caches, virtual environments, secrets and
large files are left out always.
"""

from __future__ import annotations

import errno
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rla_hooks._gitignore import split_lines
from rla_hooks._sources import SPECIAL, UNREADABLE, Found, Search, is_secret
from rla_hooks.atomic import write_bytes
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.filestore import STORE, FileStore, SourceError

MODES = ("source", "lib", "none")
NOTES = ".rla"  # the folder in a run's code that holds what is no code of the user
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

    def line(self) -> str:
        """One line for people.

        >>> BackupReport(42, 300_000, {"secret": [".env"]}).line()
        'code: 42 files, 0.3 MB; left out 1 secret (.env)'
        """
        if self.mode == "none":
            return "code: not backed up"
        text = f"code: {self.files} file{'s' * (self.files != 1)}, {self.bytes / _MB:.1f} MB"
        groups = [_few(reason, paths) for reason, paths in sorted(self.left_out.items()) if paths]
        return f"{text}; left out {', '.join(groups)}" if groups else text


def store_of(log_root: str | os.PathLike[str]) -> FileStore:
    """The file store that all runs of a log root share."""
    return FileStore(Path(log_root) / "code" / STORE)


def project_of(script: str | os.PathLike[str] | None) -> Path | None:
    """The project that a script belongs to: the nearest folder upwards that has one of MARKERS, or None.

    Without a script (an interactive session, a notebook) the working directory is asked; so it is for a
    command that was installed. The home directory, a drive's root and the temporary folder are no project,
    whatever they hold.
    """
    folder = _folder_of(script)
    never = {Path(os.path.realpath(place)) for place in (os.path.expanduser("~"), tempfile.gettempdir())}
    for candidate in (folder, *folder.parents):
        if candidate in never or candidate.parent == candidate:
            return None
        if any(os.path.exists(candidate / marker) for marker in MARKERS):
            return candidate
    return None


def check(
    *,
    mode: str = "source",
    script: Path | None = None,
    project_root: Path | None = None,
    dirs: Sequence[str] = (),
    lib_dir: str | None = None,
    ignore: Sequence[str] = (),
    ignore_files: Sequence[str] = (),
    run_files: Sequence[Path] = (),
    max_file_mb: float = 1.0,
) -> None:
    """Raise ConfigError with all that keeps a backup from being made; creates nothing."""
    problems = []
    if mode not in MODES:
        known = ", ".join(MODES)
        problems.append(
            f"backup_code_by is {mode!r}. Known: {known}.{did_you_mean(mode, MODES)} Give one of these."
        )
    if isinstance(max_file_mb, bool) or not isinstance(max_file_mb, (int, float)) or not max_file_mb > 0:
        problems.append(f"max_file_mb is {max_file_mb!r}. Give a number of megabytes above 0.")
    if mode in ("source", "lib"):
        if project_root is not None and not os.path.isdir(project_root):
            problems.append(
                f"PROJECT_ROOT is {str(project_root)!r}, which is no folder. Give the project's folder."
            )
        else:
            plan = _Plan.make(script, project_root)
            if mode == "source":
                problems += plan.missing("backup_code_dir", dirs)
            elif lib_dir:
                problems += plan.missing("lib_dir", [lib_dir])
            else:
                problems.append(
                    f"lib_dir is {lib_dir!r}, but backup_code_by is 'lib'. Give the library's folder."
                )
            problems += plan.missing("IGNORE_RULE", ignore_files, files_only=True)
        for line in ignore:
            if not isinstance(line, str):
                problems.append(f"IGNORE_RULE has {line!r}. Give lines of text, as in a .gitignore.")
        for path in run_files:
            if not os.path.isfile(path):
                problems.append(f"run_file is {str(path)!r}, which is no file. Give the path of a file.")
    if problems:
        raise ConfigError(problems, "code backup")


def back_up(
    code_dir: Path,
    log_root: Path,
    *,
    mode: str = "source",
    script: Path | None = None,
    project_root: Path | None = None,
    dirs: Sequence[str] = (),
    lib_dir: str | None = None,
    ignore: Sequence[str] = (),
    ignore_files: Sequence[str] = (),
    run_files: Sequence[Path] = (),
    max_file_mb: float = 1.0,
) -> BackupReport:
    """Copy the project's code to ``code_dir``, through the store of ``log_root``.

    ``mode``: "source" takes ``dirs`` (files or folders, relative to the project root) or the whole project,
    "lib" takes ``lib_dir``, "none" nothing. ``project_root``: by default the project around ``script``, see
    :func:`project_of`; where there is none, the packages and source-like files beside the script. ``ignore``:
    lines as in a .gitignore, relative to the project root; ``ignore_files``: files of such lines. Both also
    hold for files that git tracks. ``run_files`` are copied to the top of ``code_dir``. Files over
    ``max_file_mb`` (of 2**20 bytes) stay out.

    Raises ConfigError before anything is created, OSError where ``code_dir`` cannot be written.
    """
    check(
        mode=mode,
        script=script,
        project_root=project_root,
        dirs=dirs,
        lib_dir=lib_dir,
        ignore=ignore,
        ignore_files=ignore_files,
        run_files=run_files,
        max_file_mb=max_file_mb,
    )
    report = BackupReport(mode=mode)
    if mode == "none":
        return report
    plan = _Plan.make(script, project_root)
    search = Search(
        project=str(plan.root),
        log_root=os.path.realpath(log_root),
        max_bytes=max_file_mb * _MB,
        too_large=f"over {max_file_mb:g} MB",
        ignore=[
            *_lines_of(plan, ignore_files),
            *(line.encode("utf-8", "surrogateescape") for line in ignore),
        ],
        sources_only=plan.loose and not dirs and mode == "source",
        left_out=report.left_out,
    )
    wanted = list(dirs or ["."]) if mode == "source" else [lib_dir or "."]
    found = dict(_files(plan, search, wanted))
    for path in run_files:
        _add_run_file(found, Path(path), search)
    _copy(found, Path(code_dir), store_of(log_root), report)
    _write_left_out(Path(code_dir), report.left_out)
    return report


class _Plan(NamedTuple):
    """Where the project is, without links; ``loose``: nothing marks it as one."""

    root: Path
    loose: bool

    @classmethod
    def make(cls, script: Path | None, project_root: Path | None) -> _Plan:
        root = Path(os.path.realpath(project_root)) if project_root is not None else project_of(script)
        return cls(root, False) if root else cls(_folder_of(script), True)

    def path(self, name: str | os.PathLike[str]) -> Path:
        """A path of the config, absolute and without links."""
        return Path(os.path.realpath(self.root / os.path.expanduser(name)))

    def missing(self, key: str, names: Sequence[str], files_only: bool = False) -> list[str]:
        """What is wrong with paths of the config that must be there."""
        problems = []
        for name in names:
            if (
                not isinstance(name, (str, os.PathLike))
                or not os.fspath(name).strip()
                or "\0" in os.fspath(name)
            ):
                problems.append(f"{key} has {name!r}. Give a path relative to {self.root}.")
                continue
            path = self.path(name)
            if path.is_file() if files_only else path.exists():
                continue
            try:
                beside = os.listdir(path.parent)
            except OSError:
                beside = []
            kind = "file" if files_only else "file or folder"
            problems.append(
                f"{key} has {os.fspath(name)!r}, but there is no {kind} {path}."
                f"{did_you_mean(path.name, beside)} Give a path relative to the project root {self.root}."
            )
        return problems


def _folder_of(script: str | os.PathLike[str] | None) -> Path:
    """The folder of a script, without links; the working directory for no script or an installed one."""
    if script is not None and os.path.exists(script):
        path = Path(os.path.realpath(script))
        folder = path if path.is_dir() else path.parent
        bare = Path(os.path.abspath(script))
        programs = {
            os.path.realpath(sysconfig.get_path("scripts")),
            os.path.dirname(os.path.realpath(sys.executable)),
        }
        if str(folder) not in programs and not {"site-packages", "dist-packages"} & {
            *path.parts,
            *bare.parts,
        }:
            return folder
    return Path(os.path.realpath(os.getcwd()))


def _lines_of(plan: _Plan, files: Sequence[str]) -> Iterator[bytes]:
    for name in files:
        yield from split_lines(plan.path(name).read_bytes())


def _files(plan: _Plan, search: Search, wanted: Sequence[str]) -> Iterator[tuple[str, Found]]:
    """Pairs of the path below the run's code folder, and what comes there."""
    taken: dict[str, str] = {}
    for name in wanted:
        start = plan.path(name)
        try:
            top = start.relative_to(plan.root).as_posix()
        except ValueError:
            # Outside of the project: under its own name, or with a number where that is taken.
            top = _free_name(start.name or "root", taken, str(start))
        taken.setdefault(top, str(start))
        shown = "" if top == "." else top
        for found in search.find(str(start), shown):
            yield "/".join(part for part in (shown, found.relative) if part), found


def _free_name(name: str, taken: dict[str, str], path: str) -> str:
    stem, suffix = os.path.splitext(name)
    number = 1
    while taken.get(name, path) != path:
        number += 1
        name = f"{stem}_{number}{suffix}"
    return name


def _add_run_file(found: dict[str, Found], path: Path, search: Search) -> None:
    """A file that was asked for by name: rules do not matter, but secrets and large files stay out."""
    real = os.path.realpath(path)
    if is_secret(path.name):
        search.left_out.setdefault("secret", []).append(path.name)
        return
    for item in search.find(real, path.name):
        taken = {target: other.source for target, other in found.items()}
        found[_free_name(path.name, taken, real)] = item


def _copy(found: dict[str, Found], code_dir: Path, store: FileStore, report: BackupReport) -> None:
    made: set[str] = set()
    os.makedirs(code_dir, exist_ok=True)
    for relative, item in found.items():
        target = os.path.join(code_dir, *relative.split("/"))
        folder = os.path.dirname(target)
        try:
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            size = store.put(item.source, target)
        except SourceError:
            report.left_out.setdefault(UNREADABLE, []).append(relative)
        except OSError as error:
            if error.errno not in _BAD_NAME:
                raise
            report.left_out.setdefault(_NAME, []).append(relative)
        else:
            report.files += 1
            report.bytes += size


def _write_left_out(code_dir: Path, left_out: dict[str, list[str]]) -> None:
    lines = [
        f"{reason}\t{_printable(path)}\n"
        for reason, paths in sorted(left_out.items())
        for path in sorted(paths)
    ]
    if lines:
        notes = code_dir / NOTES
        notes.mkdir(parents=True, exist_ok=True)
        write_bytes(notes / "left_out.txt", "".join(lines).encode(), sync=False)


def _few(reason: str, paths: list[str]) -> str:
    """A reason with its number and the first paths: ``2 secrets (.env, key.pem)``."""
    plural = "s" * (len(paths) > 1 and reason in ("secret", "link", SPECIAL))
    names = ", ".join(_printable(path) for path in sorted(paths)[:3])
    return f"{len(paths)} {reason}{plural} ({names}{', ...' if len(paths) > 3 else ''})"


def _printable(path: str) -> str:
    """A path on one line, whatever its name holds."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
