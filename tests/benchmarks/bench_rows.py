"""One metric of 500 runs of 1,000 rows, against polars on the same files and TensorBoard's reader on the same runs."""

import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

RUNS, ROWS, METRICS = 500, 1_000, 10
STEP, METRIC = "time-step", "perf/metric_3"
TB_RUNS = 5


def measure():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        yield from _columns(Path(folder, "root"))


def _columns(root):
    import rla_hooks as rla
    from rla_hooks.query import Runs
    from rla_hooks.query.bulk import columns_of_runs, summaries_of_runs
    from rla_hooks.query.cache import open_cache
    from rla_hooks.query.column_tables import COLUMNS
    from rla_hooks.query.summaries import MEAN_OF

    paths = _write(root)
    runs = rla.runs(root)
    assert len(runs) == RUNS and MEAN_OF

    def ours():
        return [columns[METRIC].values for columns in columns_of_runs(runs, [STEP, METRIC])]

    cold, warm, frame, polars = [], [], [], []
    for _ in range(3):
        cache = open_cache(root, COLUMNS)
        cache.close()
        cache.path.unlink(missing_ok=True)
        cold.append(_seconds(ours))
        warm.append(min(_seconds(ours) for _ in range(3)))
        frame.append(min(_seconds(lambda: runs.metrics([METRIC])) for _ in range(3)))
        polars.append(_seconds(lambda: _polars(paths)))
    reference = min(polars)
    yield (
        f"one metric of {RUNS} runs x {ROWS:,} rows, the first time / polars on the same files",
        min(cold) / reference,
        1,
        "times",
    )
    yield "the same again / polars on the same files", min(warm) / reference, 1 / 3, "times"
    yield "the same again as one frame of pandas / polars on the same files", min(frame) / reference, 1 / 3, "times"
    yield "the first time in seconds", min(cold), None, "s"
    board = _tensorboard(root, runs[:TB_RUNS]) / TB_RUNS * RUNS
    yield "the first time / TensorBoard's EventAccumulator (of 5 runs, scaled)", min(cold) / board, 1 / 100, "times"
    yield "the same again / TensorBoard's EventAccumulator", min(warm) / board, 1 / 100, "times"
    first = _seconds(lambda: summaries_of_runs(runs, [METRIC]))
    yield "their maxima, the first time / polars on the same files", first / reference, 4, "times"
    yield (
        "their maxima again / polars on the same files",
        min(_seconds(lambda: summaries_of_runs(runs, [METRIC])) for _ in range(5)) / reference,
        1 / 3,
        "times",
    )
    yield from _growing(root, Runs(runs[:1]))


def _growing(root, runs):
    """A run of a million rows that goes on."""
    path = runs[0].log_dir / "progress.csv"
    header = path.read_bytes().split(b"\n")[0]
    line = b",1000.5" + b",0.123456789" * METRICS + b"\n"
    path.write_bytes(header + b"\n" + b"".join(b"%d" % step + line for step in range(1_000_000)))
    whole = _seconds(lambda: runs[0].columns([METRIC]))
    again = []
    for step in range(5):
        with path.open("ab") as file:
            file.write(b"".join(b"%d" % (10**6 + 100 * step + row) + line for row in range(100)))
        again.append(_seconds(lambda: runs[0].columns([METRIC])))
    assert len(runs[0].columns([METRIC])[METRIC].values) == 1_000_500
    yield "100 new rows of a run of 1,000,000 / reading all of it", statistics.median(again) / whole, 1 / 5, "times"


def _write(root):
    from rla_hooks.layout import RunPaths

    generator = random.Random(0)
    header = ",".join([STEP, "timestamp", *(f"perf/metric_{number}" for number in range(METRICS))])
    paths = []
    for number in range(RUNS):
        run = RunPaths(root, f"task/2026/01/31/12-00-00-{number:06d}_10.0.0.5_&seed={number}")
        run.log_dir.mkdir(parents=True)
        run.parameter_json.write_text(json.dumps({"seed": number}))
        lines = (
            f"{10 * step},{1.7e9 + step:.6f}," + ",".join(repr(generator.random() * 100) for _ in range(METRICS))
            for step in range(ROWS)
        )
        path = run.log_dir / "progress.csv"
        path.write_text("\n".join([header, *lines, ""]))
        os.utime(path, (1.7e9, 1.7e9))
        paths.append(path)
    return paths


def _polars(paths):
    import polars

    return polars.scan_csv(paths, include_file_paths="run").select("run", STEP, METRIC).collect()


def _tensorboard(root, runs):
    """How long TensorBoard's reader takes for the events of runs."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from rla_hooks.writers.base import Row
    from rla_hooks.writers.tensorboard_writer import TensorBoardWriter

    for run in runs:
        run.tensorboard_dir.mkdir(exist_ok=True)
        writer = TensorBoardWriter(run.tensorboard_dir)
        for step in range(ROWS):
            writer.write(Row(step, 1.7e9 + step, {f"perf/metric_{number}": step / 7 for number in range(METRICS)}))
        writer.close()

    def read():
        for run in runs:
            reader = EventAccumulator(str(run.tensorboard_dir), size_guidance={"scalars": 0})
            reader.Reload()
            assert len(reader.Scalars(METRIC)) == ROWS

    read()  # which imports TensorFlow, where it is there
    return _seconds(read)


def _seconds(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
