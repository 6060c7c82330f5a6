"""RLACallback(state=...) of Lightning: what its files do not have is kept beside them, and a fit goes on exactly."""

from __future__ import annotations

import os
import signal

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.errors import CheckpointError, ConfigError

pytestmark = [pytest.mark.norerun, pytest.mark.filterwarnings("ignore", "error::rla_hooks.errors.RLAWarning")]
RUN = {"task": "t", "log_root": "root", "backup": "none", "writers": ["csv"]}


def train(namespace, dies_at=-1, state=True, resume=None, epochs=4, validates=False, width=16, ends_at=-1):
    """Shuffled data, dropout, and a buffer that is filled with what the training draws."""
    import torch

    class Module(namespace.pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 4)
            self.net = torch.nn.Sequential(self.layer, torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))

        def on_train_epoch_start(self):
            torch.rand(1)  # what is drawn before the data are shuffled

        def training_step(self, batch, index):
            if self.global_step == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.global_step == ends_at:
                raise KeyboardInterrupt
            loss = self.net(batch).pow(2).mean()
            buffer[self.global_step % width] = batch[0].numpy() + numpy.random.rand()
            self.log("loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", self.net(batch).mean() + torch.rand(1))

        def val_dataloader(self):
            return torch.utils.data.DataLoader(torch.ones(2, 3)) if validates else []

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.1)

    torch.manual_seed(1), numpy.random.seed(1)
    buffer = numpy.zeros((width, 3), "float32")
    state = {"buffer": buffer} if state is True else state
    data = torch.arange(24, dtype=torch.float32).reshape(8, 3) / 10
    loader = torch.utils.data.DataLoader(data, batch_size=2, shuffle=True)
    with rla.run(**RUN, resume=resume) as run:
        callbacks = [namespace.RLACallback(state=state)]
        trainer = namespace.trainer(logger=namespace.RLALogger(), callbacks=callbacks, max_epochs=epochs)
        model = Module()
        trainer.fit(model, loader, ckpt_path="last")
    return run, model.state_dict(), buffer, (torch.rand(1).item(), numpy.random.rand())


def rows_of(run):
    (found,) = [each for each in rla.runs("root") if each.name == run.name]
    rows = found.metrics()
    return rows[sorted(name for name in rows.columns if name != "timestamp" and not name.startswith("time/"))]


def is_equal(one, other):
    import torch

    assert one[1].keys() == other[1].keys()
    for name in one[1]:
        assert torch.equal(one[1][name], other[1][name]), name
    assert numpy.array_equal(one[2], other[2]) and one[3] == other[3]
    assert len(rows_of(one[0])) > 10 and rows_of(one[0]).equals(rows_of(other[0]))


def states_of(run):
    return [entry.file for entry in Manifest(run.checkpoint_dir).complete() if entry.name == "state"]


def test_a_fit_that_was_killed_goes_on_exactly(namespace, here, forked, runs):
    """Weights, rows, the user's buffer and the next random numbers, with dropout and data that are shuffled."""
    validates = namespace.name == "lightning.pytorch"  # a checkpoint is saved elsewhere then
    straight = train(namespace, validates=validates)
    assert forked(lambda: train(namespace, 10, validates=validates)).ended() == -signal.SIGKILL
    (killed,) = [run for run in runs() if run.status == "killed"]
    assert states_of(killed) == ["state-4", "state-8"]
    with pytest.raises(CheckpointError, match=r"(?s)does not fit.*buffers\.buffer.*\b16\b"):
        train(namespace, 8, resume=killed.id, validates=validates, width=20)  # which would die at its first batch
    found = train(namespace, resume=killed.id, validates=validates)
    is_equal(found, straight)


def test_a_state_that_cannot_be_stored(namespace, here, only_run, warnings_as_text):
    """There is one warning, the checkpoints are saved, and a fit that goes on from one says what it does not have."""
    with pytest.raises(SystemExit):  # Lightning's word for Ctrl-C
        train(namespace, ends_at=10, state={"lines": (line for line in "ab")})
    (told,) = warnings_as_text
    assert told.startswith("the state of step 4 was not saved: it cannot be stored: buffers.lines is a generator")
    warnings_as_text.clear()
    assert states_of(only_run()) == [] and rla.latest_checkpoint(only_run()) is not None
    train(namespace, resume="latest")
    (told,) = warnings_as_text
    assert told.startswith("there is no state of step 8, where the training goes on")
    warnings_as_text.clear()


def test_mistakes(namespace, here, runs):
    """What is no dict of objects, and two callbacks that would save their states over each other."""
    for wrong in (1, [1], {1: 1}):
        with pytest.raises(ConfigError, match=r"state is .* Allowed: True, False, \{name: object\}"):
            namespace.RLACallback(state=wrong)
    callbacks = [namespace.RLACallback(state=True), namespace.RLACallback("loss", state=True)]
    with pytest.raises(ConfigError, match="two RLACallbacks of the Trainer have state="):
        namespace.trainer(callbacks=callbacks, logger=False).fit(namespace.Module())
    assert runs() == []
