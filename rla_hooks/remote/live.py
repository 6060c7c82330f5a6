"""The process that sends a run to its remote while it goes on. ``rla_hooks.core.sender`` starts it.

It reads one line of JSON from stdin (``root, name, remote, every, kinds, pid``), then letters: ``s`` to send now, ``e``
for the end of the run. It ends when all is sent after the end, or after the death of the training, and gives up ten
minutes after that. While a part cannot be sent, run.json has it:

    "unsent": {"to": "ssh://lab/data", "since": "2026-01-31T12:00:00+00:00", "problem": "nobody answers on port 22"}

``rla push`` sends it later.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.errors import RLAError
from rla_hooks.layout import RunPaths
from rla_hooks.record import RunRecord
from rla_hooks.remote.address import Address
from rla_hooks.remote.marks import alone
from rla_hooks.remote.moving import carry_out
from rla_hooks.remote.opening import open_remote
from rla_hooks.remote.place import Place
from rla_hooks.remote.planning import plan_push
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import iso_time

UNSENT = "unsent"  # the key in run.json
PATIENCE = 600.0  # seconds after the end of the run for which it is tried again
_LOOK = 1.0  # seconds between two looks whether the training is there
_LONGEST_WAIT = 60.0  # seconds between two attempts
_TURN = 60.0  # seconds to wait for other runs of this log root that are sent
_LAST = 64  # bytes of a pipe that are read at once


class Live:
    """Sends one run. order: see above. now: sends it, and returns what has gone wrong."""

    def __init__(self, order: Mapping[str, Any]):
        self.address = Address.of_setting(order["remote"])
        self.root, self.name, self.kinds = Path(order["root"]), str(order["name"]), tuple(order["kinds"])
        self.every, self._parent = float(order["every"]), int(order["pid"])
        self._place: Place | None = None
        self._since: str | None = None
        self._record = RunPaths(self.root, self.name).run_json

    def send(self) -> str | None:
        """Send what there is; return what has gone wrong, None for nothing. run.json says so, too."""
        problem = self._attempt()
        if problem is None and self._is_noted():
            self._note(None)
            problem = self._attempt()  # run.json, which has just changed
        if problem is not None:
            self._place = None  # a new connection the next time
            self._since = self._since or iso_time()
            self._note({"to": str(self.address), "since": self._since, "problem": problem})
        else:
            self._since = None
        return problem

    def _attempt(self) -> str | None:
        try:
            if self._place is None:
                self._place = open_remote(self.address)
            with alone(self.root, self.address, _TURN):
                done = carry_out(plan_push(self._place, self.root, [self.name], kinds=self.kinds))
        except RLAError as error:
            return str(error)
        except Exception as error:  # a library's own mistake must not end the process
            return type(error).__name__
        return done.problems[0] if done.problems else None

    def _is_noted(self) -> bool:
        with suppress(OSError, ValueError):
            return read_json(self._record).get(UNSENT) is not None
        return False

    def _note(self, note: Mapping[str, Any] | None) -> None:
        with suppress(OSError, ValueError):
            if read_json(self._record).get(UNSENT) != note:
                RunRecord.existing(self._record).save(unsent=note)

    # --- when ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Send at once, when it is asked for, and every so many seconds, until the run has ended and all is sent."""
        over_since: float | None = None
        failures = 0
        while True:
            failures = failures + 1 if self.send() is not None else 0
            if over_since is not None and (not failures or time.monotonic() - over_since > PATIENCE):
                return
            pause = self.every if not failures else min(2.0 ** min(failures, 10) / 4, _LONGEST_WAIT, self.every)
            if self._wait(pause, over_since is not None) and over_since is None:
                over_since = time.monotonic()

    def _wait(self, seconds: float, is_over: bool) -> bool:
        """Wait so long, or until it is asked for; return whether the run, or its process, has ended."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if is_over:
                time.sleep(left)
                return True
            if os.getppid() != self._parent:
                return True
            if select.select([0], [], [], min(left, _LOOK))[0]:
                words = os.read(0, _LAST)
                return not words or b"e" in words
        return False


def main() -> None:
    """Read the order, and send until the end."""
    with suppress(Exception):
        os.nice(10)  # the training goes first
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := os.read(0, 1)):
            return
        line += byte
    Live(json.loads(line)).run()
