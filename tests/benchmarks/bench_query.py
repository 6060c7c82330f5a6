"""Lists of many runs, on log roots that are made here. The reference reads the same small files by plain Python."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from roots import make_root

import rla_hooks as rla

RUNS = 10_000
WHERE = "lr < 0.3 and env == 'CartPole-v1' and last.perf/m1 > 0.5"


def _seconds(call, *arguments, **options):
    begin = time.perf_counter()
    call(*arguments, **options)
    return time.perf_counter() - begin


def _read_plainly(log):
    """What any program that wants to know all hyper-parameters and last values has to do."""
    found = []
    for folder, folders, files in os.walk(log):
        if "run.json" in files:
            folders.clear()
            for name in ("run.json", "parameter.json"):
                with open(os.path.join(folder, name), "rb") as file:
                    found.append(json.loads(file.read()))
    return found


def _command(root):
    code = "from rla_hooks.cli import main; main()"
    command = [sys.executable, "-c", code, "runs", "--log-root", str(root), "--where", WHERE, "-n", "20"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _index(folder):
    root = folder / "root"
    make_root(root, RUNS)
    plain = min(_seconds(_read_plainly, root / "log") for _ in range(2))
    first = _seconds(rla.runs, root, where=WHERE, limit=20)
    again = statistics.median(_seconds(rla.runs, root, where=WHERE, limit=20) for _ in range(7))
    command = statistics.median(_seconds(_command, root) for _ in range(3))
    times = []
    for number in range(5):
        make_root(root, 1, first=RUNS + number)
        times.append(_seconds(rla.runs, root, where=WHERE, limit=20))
    assert len(rla.runs(root, where="seed >= 0")) == RUNS + 5
    of = f"of {RUNS:,} runs, with a filter"
    # The bounds in seconds are for a machine that needs 0.57 s for reading the files plainly; the others say the same.
    yield f"first list {of} / reading their small files by plain Python", first / plain, 2.6, "times"
    yield "    in seconds", first, 1.5, "s"
    yield "list again / reading by plain Python", again / plain, 0.17, "times"
    yield "    in seconds", again, 0.1, "s"
    yield "    one new run adds", (statistics.median(times) - again) / again, 1, "times"
    yield "as a command, rla runs --where ... -n 20 / reading by plain Python", command / plain, 0.7, "times"
    yield "    in seconds", command, 0.4, "s"


def measure():
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache"))
        yield from _index(Path(name))
