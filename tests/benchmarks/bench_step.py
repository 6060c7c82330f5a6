"""What one step of 10 scalars costs: csv and TensorBoard together, handed to the operating system."""

import csv
import random
import statistics
import tempfile
import time
from pathlib import Path

from rla_hooks.core.logger import Logger
from rla_hooks.layout import create
from rla_hooks.writers import make_writers

BLOCK = 2_000
random.seed(0)
ROWS = [{f"perf/metric_{i}": random.random() for i in range(10)} for _ in range(BLOCK)]


def measure():
    with tempfile.TemporaryDirectory() as folder:
        yield from _against_csv(Path(folder))
        yield from _against_torch(Path(folder))
        yield from _long_run(Path(folder))


def _logger(folder, task):
    paths = create(folder, task, {})
    return Logger(make_writers(["csv", "tensorboard"], paths), paths.log_dir)


def _seconds(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _log_block(logger, first=0):
    for step, row in enumerate(ROWS, first):
        logger.log(row, step)


def _against_csv(folder):
    logger = _logger(folder, "csv")
    with (folder / "reference.csv").open("w", newline="") as file:
        writer = csv.writer(file)

        def reference():
            for step, row in enumerate(ROWS):
                writer.writerow([step, time.time(), *row.values()])
                file.flush()

        ratios, costs = [], []
        for _ in range(15):
            ours, theirs = _seconds(lambda: _log_block(logger)), _seconds(reference)
            ratios.append(ours / theirs)
            costs.append(ours / BLOCK * 1e6)
    logger.close()
    yield "a step of 10 scalars (csv + TensorBoard) / csv.writer with flush", statistics.median(ratios), 0.8, "times"
    yield "the same in microseconds", statistics.median(costs), None, "us"


def _against_torch(folder):
    from torch.utils.tensorboard import SummaryWriter

    logger, writer = _logger(folder, "torch"), SummaryWriter(str(folder / "torch"))

    def reference():
        for step, row in enumerate(ROWS):
            for key, value in row.items():
                writer.add_scalar(key, value, step)

    ratios = []
    for _ in range(3):
        ours = _seconds(lambda: _log_block(logger))
        ratios.append(ours / _seconds(reference))
        writer.flush()
    writer.close()
    logger.close()
    yield "the same / torch SummaryWriter.add_scalar for the 10", statistics.median(ratios), 1 / 40, "times"


def _long_run(folder, steps=1_000_000):
    logger = _logger(folder, "long")
    blocks = []
    for first in range(0, steps, BLOCK):
        blocks.append(_seconds(lambda first=first: _log_block(logger, first)))
        if first == 10 * BLOCK:
            before = _resident_mb()
    grown = _resident_mb() - before
    start, end = statistics.median(blocks[1:21]), statistics.median(blocks[-20:])
    late = _seconds(lambda: logger.log({**ROWS[0], "late": 1.0}, steps))
    size = Path(logger.dir, "progress.csv").stat().st_size
    copied = _seconds(lambda: _copy(folder, Path(logger.dir, "progress.csv")))
    logger.close()
    yield f"a step at {steps:,} rows / at 1,000 rows", end / start, 1.5, "times"
    yield f"memory grown over {steps:,} rows", grown, 5, "MB"
    yield (
        f"a key that comes after {steps:,} rows ({size / 1e6:.0f} MB) / one copy of the file",
        late / copied,
        2,
        "times",
    )


def _copy(folder, path):
    """One copy that is safe on the disk, as ours is."""
    import os
    import shutil

    with path.open("rb") as source, (folder / "copy").open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())


def _resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
