"""Moves the files of runs by rsync, where both ends of a remote of ssh have it.

rsync checks each file by a checksum of all of it, goes on with half a file, and sends of one that has changed only what
is new. Files of code that the other store has become hard links to it (``-H``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from rla_hooks.layout import CODE, LOG, RUN_JSON
from rla_hooks.remote.errors import RemoteError, said
from rla_hooks.remote.opening import TIMEOUT
from rla_hooks.remote.place import INCOMING, PART, Place
from rla_hooks.remote.planning import Plan, log_steps
from rla_hooks.snapshot.filestore import STORE

_SILENCE = 60  # seconds after which the other end counts as gone
_UNDERSTOOD = {"client_keys", "known_hosts"}  # options of a remote that ssh(1) can be told of
_STORE = f"{CODE}/{STORE}/"
_PARTLY = (23, 24)  # codes of rsync: some files could not be moved; some were gone


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
    with ThreadPoolExecutor(2) as pool:  # one waits for the disk while the other one does for the network
        parts = [([*sorted(stored), *others], ""), (new_logs, f"{INCOMING}/")]
        found = pool.map(lambda part: _call(plan, part[0], part[1], tick), parts)
    lines = [line for part in found for line in part]
    lines += _call(plan, records, "", tick)
    return _of_runs(plan, lines)


def _of_runs(plan: Plan, lines: Iterable[str]) -> dict[str, str]:
    """Return the complaints of rsync by the names of the runs that they are about."""
    problems: dict[str, str] = {}
    for line in lines:
        about = [run.name for run in plan.runs if run.name in line] or [run.name for run in plan.runs]
        for name in about:
            problems.setdefault(name, said(plan.place.address, OSError(line)))
    return problems


def _call(plan: Plan, paths: list[str], folder: str, tick: Callable[[], None]) -> list[str]:
    """Move files below a folder of the other side; return what rsync complains of. Raises RemoteError."""
    if not paths:
        return []
    address = plan.place.address
    host = f"[{address.host}]" if ":" in (address.host or "") else address.host
    there = f"{address.username}@{host}" if address.username else str(host)
    here, root = f"{plan.root}/", f"{plan.place.root}/"
    ends = [here, f"{there}:{root}{folder}"] if plan.is_push else [f"{there}:{root}", f"{here}{folder}"]
    if plan.is_push:
        with plan.place.telling():
            plan.place.fs.makedirs(f"{root}{folder}", exist_ok=True)
    else:
        os.makedirs(f"{here}{folder}", exist_ok=True)
    links = ["-H"] if any(path.startswith(_STORE) for path in paths) else []  # it takes a tenth of the time
    with tempfile.NamedTemporaryFile(prefix="rla-") as wanted:
        wanted.write(b"\0".join(map(os.fsencode, paths)))
        wanted.flush()
        command = [
            *("rsync", "-tps", *links, "--from0", f"--files-from={wanted.name}", f"--partial-dir={PART}"),
            *(f"--timeout={_SILENCE}", "--out-format=%n", "-e", _shell(plan.place), "--", *ends),
        ]
        return _run(plan, command, tick)


def _run(plan: Plan, command: list[str], tick: Callable[[], None]) -> list[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if not line.endswith(b"/\n"):  # a folder
                    tick()
        except BaseException:
            process.terminate()
            raise
        code = process.wait()
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line.strip() and "rsync error: some files" not in line]
    if code in _PARTLY:
        return [line for line in lines if "vanished" not in line]
    if code:
        last = next((line for line in reversed(lines) if not line.startswith("rsync error")), f"rsync ends with {code}")
        raise RemoteError(f"{plan.place.address}: {said(plan.place.address, OSError(last))}. Give the command again.")
    return []


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
