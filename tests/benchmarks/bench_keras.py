"""What RLACallback adds to a fit of Keras, against Keras' own callbacks in the same process."""

import os
import random
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import memory
import numpy as np
from rla_hooks.integrations.keras import RLACallback

import rla_hooks as rla

BATCHES = 2_000
BATCH_SIZE = 8
REPEATS, FEWER = 4, 2  # FEWER: of the callbacks of Keras, which are far from the bounds


def measure():
    """Yield (what, value, bound, unit)."""
    with tempfile.TemporaryDirectory(prefix="rla_bench_") as folder:
        yield from _fits(Path(folder))
        yield from _memory(Path(folder))


def _model_and_data(batches):
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((batches * BATCH_SIZE, 16), "float32")
    return model, {"x": x, "y": x[:, :1], "batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0}


def _fits(folder):
    model, data = _model_and_data(BATCHES)
    callbacks = {
        "none": list,
        "again": list,  # what the machine adds by itself
        "epoch": lambda: [RLACallback(log_every="epoch")],
        "batch": lambda: [RLACallback(log_every="batch")],
        "csv": lambda: [keras.callbacks.CSVLogger(folder / "history.csv", append=True)],
        "tensorboard": lambda: [keras.callbacks.TensorBoard(folder / "tb", update_freq="batch")],
    }

    @rla.track(log_root=folder / "rla", backup="none", task="bench", writers=["csv", "tensorboard", "log"])
    def measure_all():
        seconds = {name: [] for name in callbacks}
        names = list(callbacks)
        for repeat in range(REPEATS + 1):
            random.Random(repeat).shuffle(names)  # each comes after each other one
            for name in names:
                if name in ("csv", "tensorboard") and repeat > FEWER:
                    continue
                taken = _fit(model, data, callbacks[name]())
                if repeat:  # the first round compiles, imports and opens files
                    seconds[name].append(taken)
        return seconds

    taken = measure_all()
    seconds = {name: min(each) for name, each in taken.items()}  # what others do on the machine only adds

    def ratio(name, other):
        return seconds[name] / seconds[other]

    over, board = (seconds[name] - seconds["none"] for name in ("batch", "tensorboard"))
    yield f"a fit of {BATCHES:,} batches: log_every='epoch' / no callback", ratio("epoch", "none"), 1.05, "times"
    yield "no callback / no callback: the noise of the row above", ratio("again", "none"), None, "times"
    yield "log_every='batch' / TensorBoard(update_freq='batch')", ratio("batch", "tensorboard"), 1, "times"
    yield "the same of what they add to the fit", over / board, 1, "times"
    yield "log_every='batch' / CSVLogger (which logs epochs only)", ratio("batch", "csv"), 2, "times"
    pairs = statistics.median(batch - none for batch, none in zip(taken["batch"], taken["none"]))
    what = "log_every='batch' in milliseconds a batch more than without a callback, the median of pairs"
    yield what, pairs / BATCHES * 1e3, 0.1, "ms"


def _fit(model, data, callbacks):
    """Processor seconds of one fit; on a machine that others use, the clock on the wall says less."""
    start = time.process_time()
    model.fit(**data, callbacks=callbacks)
    return time.process_time() - start


def _memory(folder):
    growth = memory.Growth()

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            growth.after(batch + 1)

    model, data = _model_and_data(memory.STEPS)
    with rla.run(log_root=folder / "rla", backup="none", task="memory", writers=["csv", "tensorboard"]):
        model.fit(**data, callbacks=[Look(), RLACallback(log_every="batch")])
    yield f"memory that stays for each of {memory.STEPS:,} batches", growth.bytes_a_step(), 8, "bytes"
