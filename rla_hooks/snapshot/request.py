"""What a code backup is asked for, and what is wrong with that; which folder is the project."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from rla_hooks.errors import did_you_mean
from rla_hooks.fields import Fields
from rla_hooks.places import is_installed, restored, working_directory

MODES = ("source", "lib", "none")
MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "rla_config.yaml")


def project_of(script: str | os.PathLike[str] | None) -> Path | None:
    """Return the project of a script: the nearest folder above it that has one of MARKERS, or None.

    Without a script (in an interactive session or a notebook), and for an installed command, the search starts at
    the working directory. The home directory, a drive's root and the temporary folder are never a project.
    """
    folder = _folder_of(script)
    copy = restored()
    if copy is not None and folder.is_relative_to(copy["tree"]):
        return Path(copy["tree"])
    never = {Path(os.path.realpath(place)) for place in (os.path.expanduser("~"), *_temporary_folder())}
    for candidate in (folder, *folder.parents):
        if candidate in never or candidate.parent == candidate:
            return None
        if any(os.path.exists(candidate / marker) for marker in MARKERS):
            return candidate
    return None


def _temporary_folder() -> list[str]:
    """The folder that tempfile.gettempdir() returns, if it can be written: that module takes 10 ms to import."""
    named = filter(None, map(os.environ.get, ("TMPDIR", "TEMP", "TMP")))
    return list(filter(os.path.isdir, (*named, "/tmp", "/var/tmp", "/usr/tmp")))[:1]


def _folder_of(script: str | os.PathLike[str] | None) -> Path:
    """The folder of a script, without links; the working directory for no script or an installed one."""
    if script is not None and os.path.exists(script) and not is_installed(script):
        path = Path(os.path.realpath(script))
        return path if path.is_dir() else path.parent
    return Path(os.path.realpath(working_directory()))


class BackupRequest(Fields):
    """What to back up: the keyword arguments of :func:`check` and :func:`back_up`."""

    mode: str = "source"  # copy ``dirs`` or the whole project; "lib": copy ``lib_dir``; "none": nothing
    script: Path | None = None
    project_root: Path | None = None  # by default the project around ``script``, see :func:`project_of`
    dirs: Sequence[str] = ()  # files or folders, relative to the project root
    lib_dir: str | None = None
    ignore: Sequence[str] = ()  # lines as in a .gitignore, relative to the project root
    ignore_files: Sequence[str] = ()  # files of such lines, if they exist; both also hold for files that git tracks
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
            yield from self._missing("ignore_code_paths", self.ignore_files, must_exist=False)
        for line in self.ignore:
            if not isinstance(line, str):
                yield f"IGNORE_RULE has {line!r}. Give lines of text, as in a .gitignore."
        for path in self.run_files:
            if not os.path.isfile(path):
                yield f"run_file is {str(path)!r}, which is no file. Give the path of a file."

    def _missing(self, key: str, names: Sequence[str], must_exist: bool = True) -> Iterator[str]:
        kind = "file or folder" if must_exist else "file"
        for name in names:
            if not isinstance(name, (str, os.PathLike)) or not os.fspath(name).strip() or "\0" in os.fspath(name):
                yield f"{key} has {name!r}. Give a path relative to {self.root}."
                continue
            path = self.path(name)
            if path.exists() if must_exist else not path.is_dir():
                continue
            try:
                near = did_you_mean(path.name, os.listdir(path.parent))
            except OSError:
                near = ""
            yield (
                f"{key} has {os.fspath(name)!r}, but there is no {kind} {path}.{near} "
                f"Give a path relative to the project root {self.root}."
            )
