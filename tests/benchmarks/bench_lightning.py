"""What RLALogger adds to a fit of 2,000 steps, beside the loggers that ship with Lightning, and a long run by hand.

The overhead of a logger is the time of its fit less that of a fit without one, for the same tiny module, 3 scalars a
step, ``log_every_n_steps=1``. It is processor time, and the fits take turns: a fit takes seconds, the overhead a tenth
of one, which would drown in what else a machine does.
"""

import logging
import os
import random
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from rla_hooks.integrations.lightning_pytorch import RLALogger

STEPS, REPEATS = 2_000, 5
LONG, BLOCK = 100_000, 10_000


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch).mean()
        self.log_dict({"loss": loss, "perf/return": float(index), "perf/length": 1.5})
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(STEPS, 2))


def measure():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        yield from _fits(Path(folder))
        yield from _long_run(Path(folder))


def _ours(folder):
    return RLALogger(task="bench", log_root=str(folder / "rla"), writers=["csv", "tensorboard"], backup="none")


def _fits(folder):
    loggers = {
        "no logger": lambda: False,
        "RLALogger": lambda: _ours(folder),
        "CSVLogger": lambda: CSVLogger(folder, "csv"),
        "TensorBoardLogger": lambda: TensorBoardLogger(folder, "tb"),
        "both": lambda: [CSVLogger(folder, "csv"), TensorBoardLogger(folder, "tb")],
    }
    _fit(_ours(folder), steps=50)  # imports, caches
    seconds = {name: [] for name in loggers}
    for _ in range(REPEATS):
        for name, make in loggers.items():
            seconds[name].append(_fit(make()))
    over = {name: _median_difference(seconds[name], seconds["no logger"]) for name in loggers}
    ours = over["RLALogger"]
    for name in ("CSVLogger", "TensorBoardLogger", "both"):
        yield f"{STEPS:,} steps: overhead of RLALogger (csv + TensorBoard) / {name}", ours / over[name], 1, "times"
    yield "the same in microseconds a step", ours / STEPS * 1e6, None, "us"
    plain = statistics.median(a / b for a, b in zip(seconds["RLALogger"], seconds["no logger"]))
    yield "the whole fit with RLALogger / without a logger", plain, 1.5, "times"


def _fit(logger, steps=STEPS):
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=steps,
        max_epochs=1,
        log_every_n_steps=1,
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Module()
    start = time.process_time()
    trainer.fit(module)
    seconds = time.process_time() - start
    if isinstance(logger, RLALogger):
        logger.run.finish()
    return seconds


def _median_difference(seconds, base):
    return statistics.median(a - b for a, b in zip(seconds, base))


def _long_run(folder):
    logger = _ours(folder)
    random.seed(0)
    rows = [{"loss": random.random(), "perf/return": random.random(), "perf/length": 1.5} for _ in range(1000)]
    blocks = []
    for first in range(0, LONG, BLOCK):
        start = time.process_time()
        for step in range(first, first + BLOCK):
            row = rows[step % 1000]
            logger.log_metrics(metrics=row if step != LONG - BLOCK // 2 else {**row, "late": 1.0}, step=step)
        blocks.append(time.process_time() - start)
    logger.run.finish()
    what = f"log_metrics: the last {BLOCK:,} of {LONG:,} rows, with a late key / the first {BLOCK:,}"
    yield what, blocks[-1] / blocks[0], 1.5, "times"
