"""How fast a thousand runs of thirty files are deleted and brought back, against the plain renames of their folders.

And how fast the room that ten thousand take is added up, against a plain walk.
"""

import os
import tempfile
import time
from pathlib import Path

from rla_hooks import upkeep
from rla_hooks.layout import KINDS, RunPaths
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import read_entry
from rla_hooks.run_folders import run_names

RUNS, FILES = 1000, 30
BOUND = 2.0  # seconds, each way
MANY = 10_000


def make(root, runs=RUNS):
    """A root of finished runs, whose files are in all trees."""
    for number in range(runs):
        name = f"task{number % 10}/2026/01/{number % 28 + 1:02}/12-00-00-{number:06}_10.0.0.5_&lr=0.1&seed={number}"
        record = f'{{"format": 2, "id": "{number:08}", "name": "{name}", "status": "finished"}}'
        for kind in KINDS:
            folder = root / kind / name
            os.makedirs(folder)
            for count in range(FILES // len(KINDS)):
                (folder / f"file{count}").write_bytes(b"x" * 1000)
        (root / "log" / name / "file0").write_text(record)
        (root / "log" / name / "file0").rename(root / "log" / name / "run.json")
        (root / "log" / name / "file1").rename(root / "log" / name / "parameter.json")


def runs_in(root):
    places = [RunPaths(root, name) for name in run_names(root)]
    return [SavedRun(place, read_entry(place)) for place in places]


def rename_all(root, there):
    """What cannot be saved: each folder is renamed to another place, whose parents are made."""
    start = time.perf_counter()
    for kind in KINDS:
        for name in names_of[str(root)]:
            target = there / kind / name
            os.makedirs(target.parent, exist_ok=True)
            os.rename(root / kind / name, target)
    return time.perf_counter() - start


names_of = {}


def share_code(root):
    """Let all runs have the same files of code, as one project's have."""
    store = root / "code" / ".store"
    os.makedirs(store)
    for name in run_names(root):
        for file in (root / "code" / name).iterdir():
            if not (store / file.name).exists():
                os.link(file, store / file.name)
            file.unlink()
            os.link(store / file.name, file)


def walk(root):
    """What any program that adds up the room has to do."""
    total = 0
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            total += os.lstat(os.path.join(folder, name)).st_blocks
    return total


def seconds(call, root):
    start = time.perf_counter()
    call(root)
    return time.perf_counter() - start


def du():
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        root = Path(folder, "root")
        make(root, MANY)
        share_code(root)
        assert len(upkeep.disk_usage(root).runs) == MANY  # and the runs are in the index
        plain, ours = zip(*((seconds(walk, root), seconds(upkeep.disk_usage, root)) for _ in range(2)))
    # The bound in seconds is for a machine that needs 3 s for the plain walk; the other one says the same.
    yield f"du of {MANY:,} runs of {FILES} files / a plain walk and stat", min(ours) / min(plain), 1.6, "times"
    yield "    in seconds", min(ours), 5, "s"


def measure():
    yield from acts()
    yield from du()


def acts():
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        root, there = Path(folder, "root"), Path(folder, "there")
        make(root)
        runs = runs_in(root)
        names_of[str(root)] = names_of[str(there)] = [run.name for run in runs]
        best = dict.fromkeys(("renames", "delete", "undo"), float("inf"))
        for _ in range(3):
            best["renames"] = min(best["renames"], rename_all(root, there))
            rename_all(there, root)
            start = time.perf_counter()
            assert len(upkeep.delete(runs).runs) == RUNS
            middle = time.perf_counter()
            assert len(upkeep.undo(root).runs) == RUNS
            end = time.perf_counter()
            best["delete"], best["undo"] = min(best["delete"], middle - start), min(best["undo"], end - middle)
            runs = runs_in(root)
    yield f"plain renames of {RUNS:,} runs of {FILES} files", best["renames"], None, "s"
    for what in ("delete", "undo"):
        yield f"{what} of {RUNS:,} runs of {FILES} files", best[what], BOUND, "s"
        yield f"{what} of {RUNS:,} runs of {FILES} files", best[what] / best["renames"], None, "x the plain renames"
