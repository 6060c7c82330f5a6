"""What RLACallback adds to a step of a Trainer that logs each step, beside the Trainer's own TensorBoardCallback.

The callbacks take turns within one training of a tiny model: each gets blocks of ``BLOCK`` steps. Measured is the
processor time of the methods that the Trainer calls in a step, with that of a callback that does nothing taken off.
Ours writes csv and TensorBoard; TensorBoardCallback flushes after each log, too.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

BLOCK, ROUNDS = 20, 50
STEP_EVENTS = ("on_step_begin", "on_pre_optimizer_step", "on_optimizer_step", "on_step_end", "on_log")


def measure():
    sys.modules.setdefault("tensorboard.compat.notf", sys)  # so that its writer does not import TensorFlow
    from rla_hooks.integrations.transformers import RLACallback
    from transformers.integrations import TensorBoardCallback

    logging.set_verbosity_error()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(Path(folder, "tb"))
        own = {"log_root": str(Path(folder, "rla")), "writers": ["csv", "tensorboard"], "backup": "none"}
        callbacks = {"nothing": TrainerCallback(), "ours": RLACallback(task="bench", **own)}
        callbacks["theirs"] = TensorBoardCallback()
        turns = Turns(callbacks)
        _train(turns, folder, BLOCK * ROUNDS * len(callbacks))
        callbacks["ours"].run.finish()
    median = {name: statistics.median(seconds[1:]) / BLOCK for name, seconds in turns.seconds.items()}
    ours, theirs = (median[name] - median["nothing"] for name in ("ours", "theirs"))
    yield "a logged step: RLACallback (csv + TensorBoard) / TensorBoardCallback", ours / theirs, 1, "times"
    yield "the same of RLACallback in microseconds", ours * 1e6, None, "us"


class Turns(TrainerCallback):
    """Gives each callback blocks of steps, and keeps the seconds that each takes for a block."""

    def __init__(self, callbacks):
        self.callbacks = callbacks
        self.seconds = {name: [0.0] * ROUNDS for name in callbacks}
        self._order = list(callbacks)

    def _in_turn(event):
        def call(self, args, state, control, **kwargs):
            # The row of a step comes after its count has grown, and so does the end of the step.
            step = state.global_step - (event in ("on_step_end", "on_log"))
            turn, place = divmod(step // BLOCK, len(self._order))
            if turn >= ROUNDS:  # the row of the whole training
                return
            if event == "on_step_begin" and step % (BLOCK * len(self._order)) == 0:
                random.shuffle(self._order)  # each comes after each other one
            name = self._order[place]
            method, start = getattr(self.callbacks[name], event), time.process_time()
            method(args, state, control, **kwargs)
            self.seconds[name][turn] += time.process_time() - start

        return call

    for _event in STEP_EVENTS:
        locals()[_event] = _in_turn(_event)

    def on_train_begin(self, args, state, control, **kwargs):
        for callback in self.callbacks.values():
            callback.on_train_begin(args, state, control, **kwargs)

    def on_train_end(self, args, state, control, **kwargs):
        for callback in self.callbacks.values():
            callback.on_train_end(args, state, control, **kwargs)


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x, labels=None):
        y = self.layer(x)
        return {"loss": (y - labels).pow(2).mean(), "logits": y}


def _train(callback, folder, steps):
    args = TrainingArguments(
        output_dir=str(Path(folder, "out")),
        max_steps=steps,
        logging_steps=1,
        per_device_train_batch_size=1,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
    )
    data = [{"x": torch.ones(1), "labels": torch.ones(1)} for _ in range(64)]
    trainer = Trainer(Line(), args, train_dataset=data)
    for each in [*trainer.callback_handler.callbacks[1:]]:  # all but the one that says when to log: no progress bar
        trainer.remove_callback(each)
    trainer.add_callback(callback)
    trainer.train()
