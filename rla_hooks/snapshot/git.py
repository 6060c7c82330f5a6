"""Asks git, where there is one, without letting it hang, write or talk.

Every answer may be None: no git, no repository, no permission, too slow. Git never starts a pager, an
external diff, a text conversion or a file system monitor for us, and never asks for a password.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterable

TIMEOUT = 10.0  # seconds
_FOREIGN = (  # set where we run inside a git hook; they would point git at another repository
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_ATTR_SOURCE",
)


class GitCall:
    """One git command that runs in the background until :meth:`output` is asked for, once.

    Several calls started one after the other run side by side: each costs some 5 ms, mostly waiting. ``errors``: the
    output is what git complains of, too, also where it fails. ``status`` is known after that: git's own, below 0 where
    git was ended, None where it could not be started. Git is ended TIMEOUT seconds after its start; with ``limited``
    false, after :meth:`limit`: it stands still while nobody reads a long output.
    """

    def __init__(
        self, arguments: list[str], folder: str | os.PathLike[str], errors: bool = False, limited: bool = True
    ):
        self.status: int | None = None
        self._errors = errors
        command = ["git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.quotePath=true", *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
                start_new_session=True,  # so that what git itself starts can be ended with it
            )
        except (OSError, ValueError):
            return
        self._timer = threading.Timer(TIMEOUT, _end, [self._process])
        self._timer.daemon = True
        if limited:
            self.limit()

    def limit(self) -> None:
        """Count the seconds from now on."""
        if self._process is not None:
            self._timer.start()

    def output(self, limit: int = -1) -> bytes | None:
        """What git printed, at most ``limit`` bytes of it; None where git failed or took too long."""
        process = self._process
        if process is None or process.stdout is None:
            return None
        with process.stdout as pipe:
            out = pipe.read(limit)
            cut = limit >= 0 and bool(pipe.read(1))
        if cut:
            _end(process)
        self.status = process.wait()
        self._timer.cancel()
        return out if cut or self._errors or self.status == 0 else None


def reason_for_silence(call: GitCall, top: str) -> str:
    """Why a call said nothing of the work tree ``top``, in words for people."""
    if call.status is None:
        return "git is not installed"
    if call.status < 0:
        return f"git did not answer within {TIMEOUT:g} seconds"
    probe = GitCall(["rev-parse", "--git-dir"], top, errors=True)
    said = probe.output() or b""
    if probe.status == 0:
        return "git failed"
    if b"safe.directory" in said:
        return (
            "git refuses this work tree, since it belongs to another user. If you trust it: "
            f"git config --global --add safe.directory {shlex.quote(top)}"
        )
    return f"git failed: {said.decode('utf-8', 'replace').strip().partition(chr(10))[0][:300]}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started. A process that was waited for is left alone: its number may be
    another's."""
    if process.returncode is not None:
        return
    try:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except OSError:
        pass  # gone by itself


def _environment() -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    quiet = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    quiet["GIT_ALLOW_PROTOCOL"] = "none"  # for gits that do not know GIT_NO_LAZY_FETCH
    return environment | quiet


def top_of(folder: str) -> str | None:
    """The work tree's top folder that ``folder`` (absolute) is in, found without git, or None."""
    while True:
        if is_repository(folder):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def is_repository(folder: str) -> bool:
    """Whether ``folder`` is the top of a work tree; an empty folder named .git makes none."""
    mark = os.path.join(folder, ".git")
    return os.path.isfile(os.path.join(mark, "HEAD")) or os.path.isfile(mark)


def excludes(top: str, names: Iterable[str], folders: Iterable[str]) -> list[str]:
    """Options that keep `git ls-files --others` out of folders of these names, and of these paths below ``top``."""
    inside = [below(folder, top) for folder in folders if folder != top and is_inside(folder, top)]
    quoted = ["/" + re.sub(r"([*?\[\\ ])", r"\\\1", path) for path in inside]
    return [f"--exclude={pattern}/" for pattern in (*names, *quoted)]


def is_inside(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or below it; both are absolute."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def below(path: str, folder: str) -> str:
    """A path relative to a folder above it, as git writes it."""
    return path[len(folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
