"""What the drop-in SummaryWriter costs, beside those of torch and tensorboardX, which get the same calls.

The writers take turns in one process, in blocks of ``BLOCK`` steps of ten ``add_scalar``. Measured is the processor
time of all threads, with the flush at the end of a block: torch's and tensorboardX's write in a thread of their own.
"""

import logging
import os
import random
import statistics
import sys
import tempfile
import time
import types
from pathlib import Path

sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")  # so that TensorBoard does without TensorFlow

import numpy as np  # noqa: E402
import tensorboardX  # noqa: E402
import torch  # noqa: E402
from rla_hooks.integrations.tensorboard import SummaryWriter  # noqa: E402
from torch.utils.tensorboard import SummaryWriter as TorchWriter  # noqa: E402

TAGS = [f"losses/loss_{number}" for number in range(10)]
BLOCK, ROUNDS = 200, 15
HISTOGRAMS = 20


def measure():
    logging.getLogger("tensorboardX").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    random.seed(0)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        options = {"task": "bench", "log_root": Path(folder, "rla"), "backup": "none"}
        writers = {
            "ours": SummaryWriter("ours", writers=["csv", "tensorboard"], **options),
            "torch": TorchWriter(Path(folder, "torch")),
            "tensorboardX": tensorboardX.SummaryWriter(str(Path(folder, "x"))),
        }
        scalars = _in_turns(writers, _scalars)
        histograms = _in_turns(writers, _histograms)
        for writer in writers.values():
            writer.close()
    for name in ("torch", "tensorboardX"):
        figure = f"ten add_scalar of a step (csv + TensorBoard) / those of {name}"
        yield figure, scalars["ours"] / scalars[name], 0.3, "times"
    yield "the same in microseconds a step", scalars["ours"] / BLOCK * 1e6, None, "us"
    for name in ("torch", "tensorboardX"):
        what = f"add_histogram of 10,000 weights / that of {name}"
        yield what, histograms["ours"] / histograms[name], 0.7, "times"


def _in_turns(writers, block):
    """The median seconds of a block for each writer; the first round is not counted."""
    seconds = {name: [] for name in writers}
    for number in range(ROUNDS + 1):
        names = [*writers]
        random.shuffle(names)
        for name in names:
            start = time.process_time()
            block(writers[name], number)
            writers[name].flush()
            if number:
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}


def _scalars(writer, number):
    for step in range(number * BLOCK, (number + 1) * BLOCK):
        for tag in TAGS:
            writer.add_scalar(tag, 0.5, step)


def _histograms(writer, number):
    weights = torch.from_numpy(np.random.default_rng(number).normal(size=10_000).astype(np.float32))
    for step in range(HISTOGRAMS):
        writer.add_histogram("weights", weights, number * HISTOGRAMS + step)
