"""The process that sends a run to the remote while it goes on: it is started, asked to send, and never waited for.

It is rla_hooks/remote/live.py. What it is told goes into a pipe that takes no more where it is full; what it has to say
stands in run.json. Whatever becomes of it, or of the network, costs the training nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks import ranks
from rla_hooks.core.guard import Guard

_MOST_STARTS = 5  # of one run: a process that dies again and again would die once more
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from rla_hooks.remote.live import main; main()"
SEND, END = b"s", b"e"
_left: list[subprocess.Popen[bytes]] = []  # those of runs that have ended: they are looked after when a next one starts


@atexit.register
def _outlive() -> None:
    """They are to outlive this process: Python must not complain of that."""
    for process in _left:
        process.returncode = process.returncode or 0


class Sender:
    """Sends one run. remote: REMOTE_SETTING. every: seconds. kinds: which trees."""

    def __init__(self, log_root: Path, name: str, remote: Mapping[str, Any], every: float, kinds: tuple[str, ...]):
        self._order = {
            "root": str(log_root),
            "name": name,
            "remote": dict(remote),
            "every": every,
            "kinds": kinds,
            "pid": os.getpid(),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._owner, self._starts, self._is_over = ranks.process_id, 0, False

    def start(self, guard: Guard) -> None:
        """Start the process; where none can be had, the run is not sent, and a warning says so."""
        with guard.warn_on_error("the run", "is not sent while it goes on; rla push sends it later"):
            self._start()

    def ask(self) -> None:
        """Let it send what there is by now. Returns at once, and never raises."""
        self._tell(SEND)

    def end(self) -> None:
        """Let it send what is left, and end. Returns at once, and never raises."""
        self._tell(END)
        self._is_over = True

    def _start(self) -> None:
        self._starts += 1
        place = str(Path(__file__).resolve().parents[2])
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM, place],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it: it has the end of the run to send
        )
        assert process.stdin is not None
        # A line of some hundred bytes, which an empty pipe takes at once.
        os.write(process.stdin.fileno(), json.dumps(self._order).encode() + b"\n")
        os.set_blocking(process.stdin.fileno(), False)
        self._process = process
        _left[:] = [each for each in _left if each.poll() is None]

    def _tell(self, word: bytes) -> None:
        if self._owner != ranks.process_id or self._process is None or self._is_over:
            return
        with suppress(Exception):
            if self._process.poll() is not None and self._starts < _MOST_STARTS:
                self._close()
                self._start()
            assert self._process.stdin is not None
            os.write(self._process.stdin.fileno(), word)
        if word == END:
            self._close()

    def _close(self) -> None:
        """Close the pipe, which tells it that no more comes; nobody waits for it."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(Exception):
                assert process.stdin is not None
                process.stdin.close()
            _left.append(process)
