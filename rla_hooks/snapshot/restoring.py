"""Brings the code that a run has kept back, as plain copies in a folder of the user's cache, and runs a program on it.

    $XDG_CACHE_HOME/rla_hooks/code/<run id>-<random>/started.json    the process that runs on it
    $XDG_CACHE_HOME/rla_hooks/code/<run id>-<random>/<project>/      the code; links to what the run kept no copy of

The code may also go into another folder, which the user names, and which nobody removes.

Nothing there shares bytes with the run's own files. What the run did not keep, such as data and outputs, is linked from
the project, so that paths that start at a script's folder lead there, too. A folder is removed by a later resume, a day
after it was made, once its process is over; one of another machine, and one in which the program has written files,
after 30 days.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.atomic import remove, write_json
from rla_hooks.life import lives, namespace, process_identity
from rla_hooks.masking.files import masked_file
from rla_hooks.places import RESTORED
from rla_hooks.smallfiles import read_bytes
from rla_hooks.snapshot import kept_program
from rla_hooks.snapshot.request import project_of
from rla_hooks.snapshot.session import NOTES
from rla_hooks.snapshot.sources import CACHES, MASKED

_STARTED = "started.json"
_MAX_FILE = 1 << 30
_DAY, _MONTH = 86_400.0, 30 * 86_400.0
_LONG_AGO = 1_000_000_000 * 10**9  # nanoseconds since 1970: in 2001
_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")  # options of the interpreter


class Program(NamedTuple):
    """A command: the interpreter with its options, what it runs (a script, or ``-m`` and a module), arguments."""

    interpreter: list[str]
    target: list[str]
    arguments: list[str]


def program_of(words: Sequence[str]) -> Program | None:
    """Return the parts of a command; None if it runs neither a script nor a module, but ``-c`` or standard input.

    >>> program_of(["python", "-X", "dev", "-um", "pkg.train", "--lr", "1"])
    Program(interpreter=['python', '-X', 'dev', '-u'], target=['-m', 'pkg.train'], arguments=['--lr', '1'])
    >>> program_of(["python", "train.py", "-c"]).target, program_of(["python", "-c", "print()"])
    (['train.py'], None)
    """
    options, at = list(words[:1]), 1
    while at < len(words):
        word = words[at]
        if not word.startswith("-") or word == "-":
            return None if word == "-" else Program(options, [word], list(words[at + 1 :]))
        if word in _WITH_VALUE:
            options += words[at : at + 2]
            at += 2
            continue
        if not word.startswith(("--", "-X", "-W")):
            flags, is_module, name = word[1:].partition("m")
            if "c" in flags:
                return None
            if is_module:
                options += [f"-{flags}"] if flags else []
                rest = [name, *words[at + 1 :]] if name else list(words[at + 1 :])
                return Program(options, ["-m", rest[0]], rest[1:]) if rest else None
        options.append(word)
        at += 1
    return None


class Restored(NamedTuple):
    """Code that was restored: a folder of its own in the cache, and the folder of the code, which may be elsewhere."""

    holder: Path
    tree: Path


def project_of_run(content: Mapping[str, Any]) -> Path | None:
    """Return the folder that a run's code was kept of, as run.json tells it; None where it is not known."""
    code = content.get("code")
    noted = code.get("project") if isinstance(code, dict) else None
    if isinstance(noted, str):
        return Path(noted)
    command, folder = content.get("command"), content.get("folder")  # of an older run
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return None
    program = program_of(command)
    if program is None or not isinstance(folder, str):
        return None
    return project_of(folder if program.target[0] == "-m" else os.path.join(folder, program.target[0]))


class KeptCode:
    """The code of a run, beside the project that it was kept of."""

    def __init__(self, run_id: str, code_dir: Path, project: Path):
        self.run_id, self.code_dir, self.project = run_id, code_dir, project

    def files(self) -> Iterator[str]:
        """Yield the paths of the kept files, relative to the project."""
        for folder, folders, names in os.walk(self.code_dir):
            if folder == str(self.code_dir):
                folders[:] = [name for name in folders if name != NOTES]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.code_dir).replace(os.sep, "/")

    def is_same(self, relative: str) -> bool:
        """Whether the project has the same file now, but for secrets in it."""
        with suppress(OSError, ValueError):
            now = read_bytes(self.project / relative, _MAX_FILE)
            return masked_file(relative, now) == read_bytes(self.code_dir / relative, _MAX_FILE)
        return False

    def differs(self) -> bool:
        """Whether any kept file is another one now, or gone."""
        return not all(map(self.is_same, self.files()))

    def left_out(self) -> dict[str, str]:
        """Return what cannot be restored, with the reasons: what was left out, and files whose secrets are lost."""
        found = {}
        with suppress(OSError, ValueError):
            lines = read_bytes(self.code_dir / NOTES / "left_out.txt").decode("utf-8", "replace")
            for line in lines.splitlines():
                reason, _, path = line.partition("\t")
                if reason != MASKED or not self.is_same(path):
                    found[path] = reason
        return found

    def missing_script(self, folder: str, program: Program) -> str | None:
        """Return the program's script if it is one of the project of which there is no copy, with the reason."""
        if program.target[0] == "-m":
            return None
        script = os.path.join(folder, program.target[0])
        copy = kept_program.Places(str(self.code_dir), str(self.project)).kept(script)
        if copy is None:
            return None
        relative = os.path.relpath(copy, os.path.realpath(self.code_dir)).replace(os.sep, "/")
        reason = self.left_out().get(relative)
        if reason is None and os.path.isfile(copy):
            return None
        return f"{relative} ({reason or 'left out, or newer'})"

    def restore(self, cache: Path, into: Path | None = None) -> Restored:
        """Copy the code into a new folder below the cache's, or into that one, which is empty. Raises OSError."""
        top = cache / "code"
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(top)
        holder = top / f"{self.run_id}-{os.urandom(6).hex()}"
        holder.mkdir(mode=0o700)
        try:
            started = {"host": socket.gethostname(), "pid": os.getpid(), "process": process_identity(os.getpid())}
            write_json(holder / _STARTED, started | {"pid_namespace": namespace()})
            tree = holder / (self.project.name or "project") if into is None else into
            tree.mkdir(parents=True, exist_ok=into is not None)
            self._copy(tree, is_in_cache=into is None)
            self._link_rest(tree)
        except BaseException:
            with suppress(OSError):
                remove(holder)
            raise
        return Restored(holder, tree)

    def _copy(self, tree: Path, is_in_cache: bool) -> None:
        left_out = self.left_out()
        masked = {path for path, reason in left_out.items() if reason == MASKED}
        for relative in self.files():
            if relative in masked:
                continue  # its secrets are not known any more
            target = tree / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            # The file of now has the secrets that are masked in the copy, where it is the same else.
            source = self.project / relative if self.is_same(relative) else self.code_dir / relative
            shutil.copyfile(source, target)
            with suppress(OSError):
                state = os.stat(source)
                written = min(state.st_mtime_ns, _LONG_AGO) if is_in_cache else state.st_mtime_ns  # for _is_written
                os.utime(target, ns=(state.st_atime_ns, written))
                os.chmod(target, (state.st_mode & 0o777) | 0o600)  # the next run stores it as this one did

    def _link_rest(self, tree: Path) -> None:
        for folder, folders, names in os.walk(tree):
            kept, now = {*folders, *names}, self.project / os.path.relpath(folder, tree)
            with suppress(OSError):
                for name in sorted({*os.listdir(now)} - kept - CACHES):
                    if not name.endswith((".py", ".pyc")):
                        os.symlink(now / name, os.path.join(folder, name))


def command_on(tree: Path, kept: KeptCode, program: Program) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs a program on restored code, and what it needs in its environment."""
    words = [*program.interpreter, str(Path(kept_program.__file__).resolve()), str(tree), str(kept.project)]
    noted = {"tree": os.path.realpath(tree), "project": os.path.realpath(kept.project), "code": str(kept.code_dir)}
    return [*words, *program.target, *program.arguments], {RESTORED: json.dumps(noted)} | _path_variable(tree, kept)


def _path_variable(tree: Path, kept: KeptCode) -> dict[str, str]:
    """For programs that the program starts, which do not know of the copies: those first that PYTHONPATH names."""
    given = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    mapped = kept_program.Places(str(tree), str(kept.project)).mapped(given)
    return {"PYTHONPATH": os.pathsep.join(mapped)} if mapped != given else {}


def _remove_old(top: Path) -> None:
    for holder in old_copies(top):
        with suppress(OSError):
            remove(holder)


def old_copies(top: Path) -> Iterator[Path]:
    """Yield the folders of restored code below ``top`` that no process runs on any more.

    >>> [*old_copies(Path("no such folder"))]
    []
    """
    for holder in sorted(top.iterdir()) if top.is_dir() else ():
        with suppress(OSError, ValueError, KeyError, TypeError):
            started = json.loads(read_bytes(holder / _STARTED))
            age = time.time() - os.stat(holder / _STARTED).st_mtime
            is_here = started["host"] == socket.gethostname() and started["pid_namespace"] == namespace()
            if age < (_DAY if is_here else _MONTH) or (is_here and lives(started)):
                continue
            if age > _MONTH or not _is_written(holder):
                yield holder


def _is_written(holder: Path) -> bool:
    """Whether a program has written files beside its code; bytecode is none. Copies of code have an old time."""
    for tree in filter(Path.is_dir, holder.iterdir()):
        for folder, folders, names in os.walk(tree):
            folders[:] = [name for name in folders if name not in CACHES]
            for name in names:
                with suppress(OSError):
                    state = os.lstat(os.path.join(folder, name))
                    if stat.S_ISREG(state.st_mode) and state.st_mtime_ns > _LONG_AGO:
                        return True
    return False


def python_words() -> list[str]:
    """Return the command of this process, as it was given."""
    return [sys.executable or sys.orig_argv[0], *sys.orig_argv[1:]]
