"""Moves the files of runs by rsync, where both ends of a remote of ssh have it.

rsync checks each file by a checksum of all of it, goes on with half a file, and sends of one that has changed only what
is new. Files of code that the other store has become hard links to it (``-H``).
"""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable

from rla_hooks.layout import LOG, RUN_JSON, TREES
from rla_hooks.remote.errors import RemoteError, said
from rla_hooks.remote.files import INCOMING, PART, STORED, TEMPORARY, and_above
from rla_hooks.remote.opening import TIMEOUT
from rla_hooks.remote.place import Place
from rla_hooks.remote.planning import Plan, log_steps
from rla_hooks.remote.together import together

_SILENCE = 60  # seconds after which the other end counts as gone
_UNDERSTOOD = {"client_keys", "known_hosts"}  # options of a remote that ssh(1) can be told of
_PARTLY = (23, 24)  # codes of rsync: some files could not be moved; some were gone


class SshRefused(RemoteError):
    """The program ssh, which rsync calls, does not get in; asyncssh may, which reads its config from another home."""


def can_be_used(place: Place) -> bool:
    """Whether rsync and ssh are here, rsync is there, and ssh(1) can be told all that the address has."""
    address = place.address
    if address.protocol != "ssh" or address.password or {*address.options} - _UNDERSTOOD:
        return False
    return bool(shutil.which("rsync") and shutil.which("ssh")) and place.has_rsync()


def move(plan: Plan, tick: Callable[[], None]) -> dict[str, str]:
    """Move the files of a plan; return what has gone wrong, by the names of runs."""
    others, new_logs, records, stored = list[str](), list[str](), list[str](), set[str]()
    for run in plan.runs:
        of_log = {*log_steps(run)}
        for step in run.steps:
            if step in of_log and run.is_new:
                new_logs.append(step.path)
            elif step.path == f"{LOG}/{run.name}/{RUN_JSON}":
                records.append(step.path)
            else:
                others.append(step.path)
                stored |= {step.stored} - {""}
    calls, lines = _Calls(plan, tick), list[str]()
    parts = [each for each in (([*sorted(stored), *others], ""), (new_logs, f"{INCOMING}/")) if each[0]]
    try:
        # One waits for the disk while the other one does for the network.
        together(lambda part: lines.extend(calls.move(*part)), parts, 2, plan.place.stopped)
        lines += calls.move(records, "")
    except BaseException:
        calls.stop()
        raise
    return _of_runs(plan, lines)


def _of_runs(plan: Plan, lines: Iterable[str]) -> dict[str, str]:
    """Return the complaints of rsync by the names of the runs that they are about."""
    problems: dict[str, str] = {}
    for line in lines:
        about = [run.name for run in plan.runs if run.name in line] or [run.name for run in plan.runs]
        for name in about:
            problems.setdefault(name, said(plan.place.address, OSError(line)))
    return problems


class _Calls:
    """The calls of rsync for a plan, of which two may go on at once."""

    def __init__(self, plan: Plan, tick: Callable[[], None]):
        self._plan, self._tick = plan, tick
        self._going_on = set[subprocess.Popen[bytes]]()

    def move(self, paths: list[str], folder: str) -> list[str]:
        """Move files below a folder of the other side; return what rsync complains of. Raises RemoteError."""
        if not paths:
            return []
        plan, place = self._plan, self._plan.place
        here, root = f"{plan.root}/", f"{place.root}/"
        if plan.is_push:
            ends = [here, f"{_host(place)}:{root}{folder}"]
            with place.telling():
                place.fs.makedirs(f"{root}{folder}", exist_ok=True)
        else:
            ends = [f"{_host(place)}:{root}", f"{here}{folder}"]
            os.makedirs(f"{here}{folder}", exist_ok=True)
        # -H takes a tenth of the time, and finds all links only where it knows all files before it begins.
        links = ["-H", "--no-inc-recursive"] if any(path.startswith(f"{STORED}/") for path in paths) else []
        with tempfile.NamedTemporaryFile(prefix="rla-") as wanted:
            wanted.write(b"\0".join(map(os.fsencode, _covered(plan, paths))))
            wanted.flush()
            command = [
                *("rsync", "-rtps", *links, *_filters(plan), "--from0", f"--files-from={wanted.name}"),
                *(
                    f"--partial-dir={PART}",
                    f"--timeout={_SILENCE}",
                    "--out-format=%n",
                    "-e",
                    _shell(place),
                    "--",
                    *ends,
                ),
            ]
            return self._run(command)

    def stop(self) -> None:
        """End what goes on: rsync keeps what has come."""
        for process in [*self._going_on]:
            process.terminate()

    def _run(self, command: list[str]) -> list[str]:
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "LC_ALL": "C"},
            ) as process,
        ):
            assert process.stdout is not None
            self._going_on.add(process)
            try:
                for line in process.stdout:
                    if not line.endswith(b"/\n"):  # a folder
                        self._tick()
                code = process.wait()
            except BaseException:
                process.terminate()
                raise
            finally:
                self._going_on.discard(process)
            errors.seek(0)
            return self._complaints(code, errors.read().decode("utf-8", "replace"))

    def _complaints(self, code: int, text: str) -> list[str]:
        """Return what is said of single files; raise RemoteError where nothing could be moved any more."""
        lines = [line for line in text.splitlines() if line.strip() and "rsync error: some files" not in line]
        if code in _PARTLY:
            return [line for line in lines if "vanished" not in line]
        if not code:
            return []
        place, address = self._plan.place, self._plan.place.address
        of_ssh = [line for line in lines if not line.startswith(("rsync", "["))]
        of_rsync = [line for line in lines if not line.startswith("rsync error")] or [f"rsync ends with {code}"]
        text = said(address, OSError(of_ssh[-1] if of_ssh else of_rsync[-1])).rstrip(".")
        if of_ssh:
            to_do = f"ssh {_host(place)} must work without a question"
            raise SshRefused(f"{address}: rsync cannot be used, since ssh says: {text}. {to_do}")
        raise RemoteError(f"{address}: {text}. Give the command again.")


def _host(place: Place) -> str:
    address = place.address
    host = f"[{address.host}]" if ":" in (address.host or "") else str(address.host)
    return f"{address.username}@{host}" if address.username else host


def _covered(plan: Plan, paths: Iterable[str]) -> list[str]:
    """Return the paths, with a folder in place of its files where all of these are wanted.

    A long list of files takes rsync several times as long as a walk through their folders. Folders above those of runs
    have other files than the plan knows, unless it knows all.
    """
    paths = [*paths]
    number = Counter(folder for path in plan.source for folder in and_above(posixpath.dirname(path)))
    wanted = Counter(folder for path in paths for folder in and_above(posixpath.dirname(path)))
    of_runs = {f"{tree}/{run.name}" for tree in TREES for run in plan.runs}

    def cover(path: str) -> str:
        is_known = False
        for depth, folder in enumerate(and_above(posixpath.dirname(path))):
            is_known = is_known or folder in of_runs or (plan.is_full and depth > 0)  # log/ itself has strange files
            if is_known and wanted[folder] == number[folder]:
                return folder
        return path

    return [*dict.fromkeys(map(cover, paths))]


def _filters(plan: Plan) -> list[str]:
    """What is left out of folders: what is not whole, and names that are not wanted."""
    only = [f"--include={name}" for name in ("*/", *plan.only)] + ["--exclude=*", "-m"] if plan.only else []
    return [f"--exclude=*{PART}*", f"--exclude={TEMPORARY}*", *only]


def _shell(place: Place) -> str:
    """The command of ssh, as rsync splits it at blanks: words with blanks stand in quotes."""
    address, words = place.address, ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    words += ["-o", f"ConnectTimeout={TIMEOUT}"]
    if address.port:
        words += ["-p", str(address.port)]
    if known := address.options.get("known_hosts"):
        words += ["-o", f"UserKnownHostsFile={os.path.expanduser(known)}"]
    keys = address.options.get("client_keys") or []
    for key in [keys] if isinstance(keys, str) else keys:
        words += ["-i", os.path.expanduser(key), "-o", "IdentitiesOnly=yes"]
    return " ".join(f'"{word}"' if " " in word else word for word in words)
