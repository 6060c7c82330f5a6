"""How fast verify reads rows, event files, checkpoints and code, against a plain read of the same files.

Both read from the disk: what the system has of the files in memory is dropped before each.
"""

import os
import random
import tempfile
import time
from pathlib import Path

import rla_hooks as rla
from rla_hooks import upkeep

ROWS, METRICS, WEIGHTS, FILES = 30_000, 10, 40_000_000, 400
ROUNDS = 5
BOUND = 3


def make(folder):
    """The files of one long run, and where each kind of them is."""
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    for number in range(FILES):
        (project / f"module_{number}.py").write_text(f"# {number}\n" + "print('a line of code')\n" * 400)
    os.chdir(project)
    numbers = random.Random(0)
    names = [f"perf/metric_{number}" for number in range(METRICS)]
    options = {"task": "long", "writers": ["csv", "tensorboard"], "backup": "source"}
    with rla.run(log_root=folder / "root", **options) as run:
        for step in range(ROWS):
            rla.log({name: numbers.random() for name in names}, step=step)
        rla.save_checkpoint({"weights": numbers.randbytes(WEIGHTS)}, step=ROWS)
    return {
        "rows": [run.log_dir / "progress.csv"],
        "event files": [*(run.log_dir / "tb").iterdir()],
        "checkpoints": [*run.checkpoint_dir.iterdir()],
        "code": [path for path in run.code_dir.rglob("*") if path.is_file()],
    }


def forget(files):
    """Let the system drop what it has of the files in memory, as far as it does that."""
    for file in files:
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_plainly(files):
    """What cannot be saved: each file is read in blocks."""
    forget(files)
    start = time.perf_counter()
    for file in files:
        with open(file, "rb", buffering=0) as stream:
            while stream.read(1 << 20):
                pass
    return time.perf_counter() - start


def checks(root):
    """What verify calls for each kind of file."""
    from rla_hooks.upkeep.checking.events import check_events
    from rla_hooks.upkeep.checking.kept_code import KeptCode
    from rla_hooks.upkeep.checking.opening import Disk
    from rla_hooks.upkeep.checking.saved import Listed, SavedFiles
    from rla_hooks.upkeep.checking.tables import check_table

    return {
        "rows": lambda files: check_table(files[0], Disk()).found,
        "event files": lambda files: check_events(files[0], Disk()),
        "checkpoints": lambda files: [*SavedFiles(Disk()).check(Listed(files[0].parent), False)],
        "code": lambda files: [*KeptCode(root, Disk()).check(Path(os.path.commonpath(files)), {}, False)],
    }


def measure():
    before = Path.cwd()
    with tempfile.TemporaryDirectory(dir=before) as place:
        folder = Path(place)
        try:
            files = make(folder)
            every = [path for path in (folder / "root").rglob("*") if path.is_file() and ".store" not in path.parts]
            kinds = checks(folder / "root")
            best = {}
            for _ in range(ROUNDS):
                for kind, check in kinds.items():
                    plain = read_plainly(files[kind])
                    forget(files[kind])
                    start = time.perf_counter()
                    assert check(files[kind]) == []
                    note(best, kind, time.perf_counter() - start, plain)
                plain = read_plainly(every)
                forget(every)
                start = time.perf_counter()
                assert upkeep.verify(None, folder / "root") == []
                note(best, "all", time.perf_counter() - start, plain)
            sizes = {
                kind: sum(path.stat().st_size for path in paths) for kind, paths in (files | {"all": every}).items()
            }
        finally:
            os.chdir(before)
    took, plain = best.pop("all")
    yield "verify of a long run / a plain read of its files", took / plain, BOUND, "x"
    yield "the same, for each GiB", took / (sizes["all"] / 2**30), None, "s"
    for kind, (took, plain) in best.items():
        yield f"check of {kind} / a plain read", took / plain, None, "x"


def note(best, kind, took, plain):
    """Keep the best of each."""
    former = best.get(kind, (took, plain))
    best[kind] = min(took, former[0]), min(plain, former[1])


if __name__ == "__main__":
    for figure in measure():
        print(*figure)
