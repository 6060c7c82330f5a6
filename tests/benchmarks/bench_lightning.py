"""What RLALogger adds to a step of a fit, beside the loggers that ship with Lightning, and a long run by hand.

The loggers take turns within one fit of a tiny module, of 3 scalars a step and ``log_every_n_steps=1``: each gets
blocks of ``BLOCK`` steps. Measured is the processor time of the two methods that the Trainer calls, with that of a
logger that does nothing taken off; a step takes milliseconds and a logger tenths of one, so the difference of whole
fits would drown in what else a machine does.
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
import memory
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger
from rla_hooks.integrations.lightning_pytorch import RLALogger

STEPS, REPEATS = 2_000, 3
BLOCK, ROUNDS = 20, 50
LONG, PART = 100_000, 10_000


class Module(pl.LightningModule):
    def __init__(self, steps):
        super().__init__()
        self.save_hyperparameters()
        self.steps = steps
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch).mean()
        self.log_dict({"loss": loss, "perf/return": float(index), "perf/length": 1.5})
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(self.steps, 2))


def measure():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        yield from _steps(Path(folder))
        yield from _whole_fits(Path(folder))
        yield from _long_run(Path(folder))
        yield from _memory(Path(folder))


def _ours(folder):
    return RLALogger(task="bench", log_root=str(folder / "rla"), writers=["csv", "tensorboard"], backup="none")


class Nothing(Logger):
    """A logger that does nothing."""

    name = version = experiment = None

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, *args, **kwargs):
        pass


class Turns(Logger):
    """Gives each logger blocks of steps, and keeps the seconds that each takes for a block."""

    name = version = experiment = None

    def __init__(self, loggers):
        super().__init__()
        self.loggers = loggers
        self.seconds = {name: [0.0] * ROUNDS for name in loggers}
        self._names = list(loggers)
        self._steps, self._present = 0, ""

    def log_metrics(self, metrics, step=None):
        block = self._steps // BLOCK
        if self._steps % BLOCK == 0:
            if block % len(self._names) == 0:
                random.shuffle(self._names)  # each comes after each other one
            self._present = self._names[block % len(self._names)]
        self._steps += 1
        logger, start = self.loggers[self._present], time.process_time()
        logger.log_metrics(metrics=metrics, step=step)
        logger.save()  # as the Trainer does
        self.seconds[self._present][block // len(self._names)] += time.process_time() - start

    def log_hyperparams(self, *args, **kwargs):
        for logger in self.loggers.values():
            logger.log_hyperparams(*args, **kwargs)

    def log_graph(self, *args, **kwargs):
        for logger in self.loggers.values():
            logger.log_graph(*args, **kwargs)


def _steps(folder):
    loggers = {
        "nothing": Nothing(),
        "RLALogger": _ours(folder),
        "CSVLogger": CSVLogger(folder, "csv"),
        "TensorBoardLogger": TensorBoardLogger(folder, "tb"),
    }
    turns = Turns(loggers)
    _fit(turns, ROUNDS * BLOCK * len(loggers))
    loggers["RLALogger"].run.finish()
    median = {name: statistics.median(seconds[1:]) / BLOCK for name, seconds in turns.seconds.items()}
    over = {name: (seconds - median["nothing"]) * 1e6 for name, seconds in median.items()}
    over["both"] = over["CSVLogger"] + over["TensorBoardLogger"]
    ours = over["RLALogger"]
    for name, bound in (("CSVLogger", 0.2), ("TensorBoardLogger", 1), ("both", 1)):
        what = f"a step, beyond a logger that does nothing: RLALogger (csv + TensorBoard) / {name}"
        yield what, ours / over[name], bound, "times"
    yield "the same of RLALogger in microseconds", ours, None, "us"


def _whole_fits(folder):
    _fit(_ours(folder), 50)  # imports, caches
    pairs = [(_fit(_ours(folder)), _fit(False)) for _ in range(REPEATS)]
    plain = statistics.median(ours / none for ours, none in pairs)
    yield f"a fit of {STEPS:,} steps with RLALogger / without a logger", plain, 1.5, "times"


def _fit(logger, steps=STEPS, kind=Module):
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
    module = kind(steps)
    start = time.process_time()
    trainer.fit(module)
    seconds = time.process_time() - start
    if isinstance(logger, RLALogger):
        logger.run.finish()
    return seconds


def _long_run(folder):
    logger = _ours(folder)
    random.seed(0)
    rows = [{"loss": random.random(), "perf/return": random.random(), "perf/length": 1.5} for _ in range(1000)]
    blocks = []
    for first in range(0, LONG, PART):
        start = time.process_time()
        for step in range(first, first + PART):
            row = rows[step % 1000]
            logger.log_metrics(metrics=row if step != LONG - PART // 2 else {**row, "late": 1.0}, step=step)
        blocks.append(time.process_time() - start)
    logger.run.finish()
    what = f"log_metrics: the last {PART:,} of {LONG:,} rows, with a late key / the first {PART:,}"
    yield what, blocks[-1] / blocks[0], 1.5, "times"


def _memory(folder):
    growth = memory.Growth()

    class Traced(Module):
        def training_step(self, batch, index):
            growth.after(index + 1)
            return super().training_step(batch, index)

    _fit(_ours(folder), memory.STEPS, Traced)
    yield f"memory that stays for each of {memory.STEPS:,} steps", growth.bytes_a_step(), 8, "bytes"
