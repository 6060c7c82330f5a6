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
from contextlib import suppress

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


class Patience:
    """How long git may take in several calls, such as those of the start of a run: TIMEOUT, for each that answers.

    Once it has not answered, it probably hangs: then calls that are waited for later get a tenth of that.
    """

    def __init__(self) -> None:
        self.seconds = TIMEOUT

    def lose(self) -> None:
        """Say that git has not answered."""
        self.seconds = TIMEOUT / 10


class GitCall:
    """One git command that runs in the background until :meth:`output` is asked for, once.

    Several calls started one after the other run side by side: each costs some 5 ms, mostly waiting. ``errors``: the
    output is what git complains of, too, also where it fails. ``status`` is known after that: git's own, below 0 where
    a signal has ended git, None where it could not be started. Git is ended after the seconds that ``patience`` has
    left (it ``was_slow``), from its start on; with ``limited`` false, from :meth:`limit` on: it stands still while
    nobody reads a long output.
    """

    def __init__(
        self,
        arguments: list[str],
        folder: str | os.PathLike[str],
        errors: bool = False,
        limited: bool = True,
        patience: Patience | None = None,
    ):
        self.status: int | None = None
        self.was_slow = False
        self._patience = patience or Patience()
        self._timer: threading.Timer | None = None
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
        if limited:
            self.limit()

    def limit(self) -> None:
        """Count the seconds from now on."""
        if self._process is None:
            return
        timer = threading.Timer(self._patience.seconds, self._give_up)
        timer.daemon = True
        with suppress(RuntimeError):  # no thread can be had
            timer.start()
            self._timer = timer

    def _give_up(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self.was_slow = True
            self._patience.lose()
            _end(self._process)

    def output(self, limit: int = -1) -> bytes | None:
        """What git printed, at most ``limit`` bytes of it; None where git failed or took too long."""
        process = self._process
        if process is None or process.stdout is None:
            return None
        if self._timer is None:
            out = self._read_without_timer(process)
            out, cut = (out[:limit], True) if 0 <= limit < len(out) else (out, False)
        else:
            with process.stdout as pipe:
                out = pipe.read(limit)
                cut = limit >= 0 and bool(pipe.read(1))
            if cut:
                _end(process)
        self.status = process.wait()
        if self._timer is not None:
            self._timer.cancel()
        return out if cut or self._errors or self.status == 0 else None

    def _read_without_timer(self, process: subprocess.Popen[bytes]) -> bytes:
        """Read all at once, which on POSIX needs no thread for the limit."""
        try:
            return process.communicate(timeout=self._patience.seconds)[0]
        except (subprocess.TimeoutExpired, RuntimeError):
            self._give_up()
            if process.stdout is not None:
                process.stdout.close()
            return b""


def reason_for_silence(call: GitCall, top: str) -> str:
    """Why a call said nothing of the work tree ``top``, in words for people."""
    if call.status is None:
        return "git is not installed"
    if call.was_slow:
        return f"git did not answer within {TIMEOUT:g} seconds"
    if call.status < 0:
        return f"git was ended by the signal {_name_of(-call.status)}"
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


def _name_of(number: int) -> str:
    """The name of a signal; of one without a name its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


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
