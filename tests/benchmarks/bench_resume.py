"""What a resume needs and costs: the positions that each checkpoint records."""

import tempfile
import time
from pathlib import Path

ROWS, BETWEEN, TURNS = 1_000_000, 10_000, 7
KEYS = [f"perf/value_{number}" for number in range(10)]


def measure():
    with tempfile.TemporaryDirectory() as folder:
        yield from _positions(Path(folder))


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
