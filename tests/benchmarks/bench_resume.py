"""What a resume needs and costs: the positions that checkpoints record, the cut back to one, the search for the run."""

import os
import tempfile
import time
from pathlib import Path

from rla_hooks import layout
from rla_hooks.checkpoints import Manifest
from rla_hooks.cutting import cut_to
from rla_hooks.writers.events import ScalarLayout, file_start

ROWS, BETWEEN, TURNS, RUNS = 1_000_000, 10_000, 7, 10_000
KEYS = [f"perf/value_{number}" for number in range(10)]


def measure():
    with tempfile.TemporaryDirectory() as folder:
        yield from _positions(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _cut(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _auto(Path(folder))


def _positions(folder):
    import numpy as np

    from rla_hooks.core.logger import Logger
    from rla_hooks.writers.csv_writer import CsvWriter
    from rla_hooks.writers.tensorboard_writer import TensorBoardWriter

    (folder / "tb").mkdir()
    Logger().positions(folder)  # what it needs is imported
    path, header = folder / "progress.csv", ",".join(["time-step", "timestamp", *KEYS]) + "\n"
    path.write_text(header + ("0,1.5" + ",0.5" * len(KEYS) + "\n") * ROWS)
    before = {"progress.csv": (ROWS, path.stat().st_size)}, time.time()
    logger = Logger([CsvWriter(path), TensorBoardWriter(folder / "tb")])
    first, later, values = [], [], np.random.default_rng(0).random(len(KEYS)).tolist()
    for turn in range(TURNS):
        begin = time.perf_counter()
        found = Logger([CsvWriter(path)]).positions(folder, before)  # closed: all is as a former process left it
        first.append(time.perf_counter() - begin)
        assert turn or found["progress.csv"] == before[0]["progress.csv"]
        for step in range(BETWEEN):
            logger.log(dict(zip(KEYS, values)), step)
        begin = time.perf_counter()
        found = logger.positions(folder, before)
        later.append(time.perf_counter() - begin)
        assert found["progress.csv"][0] == ROWS + (turn + 1) * BETWEEN
    yield f"a checkpoint's record of positions, {BETWEEN:,} rows after the last one", min(later) * 1e3, 1, "ms"
    yield f"    the first one of a process, {ROWS:,} rows of former ones", first[0] * 1e3, 1, "ms"


def _write(paths, rows):
    """Write rows of ten metrics to both files, and return how many bytes they had before the second half."""
    record = ScalarLayout(KEYS).record
    values = [[(number * 7919 + row) % 1009 / 1009 for number in range(10)] for row in range(1000)]
    ends = [",".join(map(repr, each)) + "\n" for each in values]
    events = paths.tensorboard_dir / "events.out.tfevents.1700000000.000000000.host.1.0"
    sizes = {}
    with open(paths.progress_csv, "w") as csv, open(events, "wb") as tb:
        csv.write(f"time-step,timestamp,{','.join(KEYS)}\n")
        tb.write(file_start(1.7e9))
        for row in range(rows):
            if row == rows // 2:
                sizes = {"progress.csv": (row, csv.tell()), f"tb/{events.name}": (row, tb.tell())}
            moment = 1.7e9 + row / 64
            csv.write(f"{row},{moment!r},{ends[row % 1000]}")
            tb.write(record(row, moment, values[row % 1000]))
    return sizes


def _cut(folder):
    paths = layout.create(folder, "task", {})
    written = _write(paths, ROWS)
    (paths.checkpoint_dir / "checkpoint-0.pkl").touch()
    entry = Manifest(paths.checkpoint_dir).add("checkpoint-0.pkl", "checkpoint", 0, written=written)
    os.sync()  # what the cut itself writes is measured
    begin = time.perf_counter()
    cut = cut_to(paths, entry)
    seconds = time.perf_counter() - begin
    assert cut.rows == ROWS // 2
    yield f"cutting {ROWS:,} rows of ten metrics back, in csv and TensorBoard", seconds, 2, "s"


def _auto(folder):
    import json

    from roots import make_root

    from rla_hooks import resumable
    from rla_hooks.core.resume_request import ResumeRequest
    from rla_hooks.core.settings import RunSettings

    root = folder / "root"
    make_root(root, RUNS)
    for file in (root / "log").rglob("run.json"):  # one in the middle, and whatever comes after it has finished
        content = json.loads(file.read_text())
        if content["id"] == f"{RUNS // 2:08d}":
            given = json.loads(file.with_name("parameter.json").read_text())
            file.write_text(json.dumps(content | {"status": "interrupted"}, indent=2) + "\n")
    found, none = [], []
    for seconds, more in ((found, {}), (none, {"p4": 2.0})):
        for _ in range(TURNS):
            request = ResumeRequest("auto", from_start=True)
            settings = RunSettings(hyper_param=given | more, resume=request)
            settings.configure("task", log_root=root, writers=[], backup="none")
            begin = time.perf_counter()
            chosen = resumable.choose(settings)
            seconds.append(time.perf_counter() - begin)
            assert (chosen is None) == bool(more)
    yield f"resume='auto' among {RUNS:,} runs", min(found), 0.2, "s"
    yield "    where none fits", min(none), 0.2, "s"
