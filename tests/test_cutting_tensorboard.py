"""What TensorBoard itself shows of a run that was cut back, by both of its loaders, as its pages get it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from rla_hooks import layout
from rla_hooks.checkpoints import Entry
from rla_hooks.cutting import cut_to
from rla_hooks.writers.base import MediaEvent, Row, Text

pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.skipif(os.name != "posix", reason="needs signals")]

Values = list[tuple[int, float]]


class Server:
    """A TensorBoard over a log root, which looks for news every second."""

    def __init__(self, root: Path, fast: bool, stubs: Path):
        stubs.mkdir(exist_ok=True)  # of TensorFlow, whose import takes longer than all of this
        (stubs / "tensorflow.py").write_text("raise ImportError('not here')\n")
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(root), "--port", "0"]
        self._process = subprocess.Popen(
            [*command, f"--load_fast={str(fast).lower()}", "--reload_interval", "1"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": str(stubs)},
        )
        self._timer = threading.Timer(300, self._process.kill)
        self._timer.start()
        assert self._process.stderr is not None
        self.address = next(
            match[1] for line in self._process.stderr if (match := re.search(r"(http://\S+?)/? ", line))
        )

    def ask(self, path: str) -> Any:
        with urlopen(f"{self.address}/data/plugin/{path}", timeout=30) as reply:
            return json.load(reply)

    def tags(self) -> dict[str, list[str]]:
        """The tags of scalars, by run."""
        return {run: sorted(tags) for run, tags in self.ask("scalars/tags").items()}

    def values(self, run: str, tag: str) -> Values:
        return [(step, value) for _, step, value in self.ask(f"scalars/scalars?tag={tag}&run={quote(run, safe='')}")]

    def shows(self, run: str, offset: float) -> bool:
        """Whether it shows all that is expected of a resumed run."""
        return all(self.values(run, tag) == values for tag, values in _expected(offset).items())

    def wait(self, seen: Callable[[], bool]) -> None:
        """Wait until it has loaded something: it answers meanwhile, also that a tag is not there."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with suppress(HTTPError):
                if seen():
                    return
            time.sleep(0.2)

    def close(self) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


def _log(training, steps: range, offset: float, **rare: int) -> None:
    """Log ``every`` at every step, and other tags at one step each: the values are the step plus ``offset``."""
    for step in steps:
        values = {"every": step + offset} | {tag: step + offset for tag, at in rare.items() if at == step}
        training.events.write(Row(step, 1000.0 + step, values))


def _first_life(training) -> Entry:
    """Steps 0 to 19, and a checkpoint after step 9."""
    training.events.write(MediaEvent(0, 1000.0, "about", Text("kept")))
    _log(training, range(10), 0.5, rare=5, ended=3)
    entry = training.save(9)
    training.events.write(MediaEvent(10, 1000.0, "about", Text("cut")))
    _log(training, range(10, 20), 0.5, rare=15, ended=13, never=12)
    return entry


def _resume(training, entry: Entry, offset: float) -> None:
    """Go back to the checkpoint, and log steps 10 to 24 anew."""
    training.stop()
    assert cut_to(training.paths, entry) is not None
    training.start()
    _log(training, range(10, 25), offset, rare=24)


def _expected(offset: float) -> dict[str, Values]:
    every = [*((step, step + 0.5) for step in range(10)), *((step, step + offset) for step in range(10, 25))]
    return {"every": every, "rare": [(5, 5.5), (24, 24 + offset)], "ended": [(3, 3.5)]}


@pytest.mark.parametrize("fast", [True, False])
def test_tensorboard_shows_what_is_left_and_what_comes_after(fast, training, tmp_path):
    """Of a run that it finds cut, and of one that it has shown before the cut.

    A tag that is logged at every step, one that comes again later, one that never comes again, and one that had values
    after the checkpoint only. The default loader forgets nothing of the last one that it has shown, until it is started
    again. A further cut, in which all is as before.
    """
    root = training.paths.log_root
    cut_before = type(training)(layout.create(root, "task", {}))
    _resume(cut_before, _first_life(cut_before), 0.25)
    entry = _first_life(training)
    server = Server(root / "log", fast, tmp_path / "stubs")
    try:
        found, shown = (f"{each.paths.name}/tb" for each in (cut_before, training))
        tags = {found: ["ended", "every", "rare"], shown: ["ended", "every", "never", "rare"]}
        server.wait(lambda: len(server.values(shown, "every")) == 20 and len(server.values(shown, "rare")) == 2)
        server.wait(lambda: server.tags() == tags and server.shows(found, 0.25))
        assert server.tags() == tags and server.shows(found, 0.25)
        for offset in (0.25, 0.125):
            _resume(training, entry, offset)
            server.wait(lambda offset=offset: server.shows(shown, offset))
            assert {tag: server.values(shown, tag) for tag in _expected(offset)} == _expected(offset)
            assert server.values(shown, "never") == ([(12, 12.5)] if fast else [])
        assert set(server.tags()) == {found, shown}  # and no run of what was cut
        for run in (found, shown):
            query = f"text/text?tag=about&run={quote(run, safe='')}"
            server.wait(lambda query=query: len(server.ask(query)) == 1)
            (text,) = server.ask(query)
            assert text["step"] == 0 and "<p>kept</p>" in text["text"]
    finally:
        server.close()
