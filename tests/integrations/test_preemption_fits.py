"""Fits that a cluster preempts: real processes and real signals, with Lightning in both namespaces, and Keras."""

from __future__ import annotations

import os
import re
import signal
import textwrap

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

LIGHTNING = """
    import os, signal, sys, time, warnings
    warnings.filterwarnings("ignore")
    import torch
    import {package} as pl
    from {package}.plugins.environments import SLURMEnvironment
    from rla_hooks.integrations.{module} import RLACallback, RLALogger
    import rla_hooks as rla

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)
        def training_step(self, batch, index):
            if self.global_step == 3 and self.trainer.is_global_zero:
                os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            loss = self.layer(batch).mean()
            self.log("loss", loss)
            return loss
        def validation_step(self, batch, index):
            print("validation", flush=True)
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def fit(**options):
        data = torch.utils.data.DataLoader(torch.ones(64, 2), batch_size=2)
        options = dict(max_epochs=2, min_epochs=2, log_every_n_steps=1, accelerator="cpu", logger=RLALogger()) | options
        trainer = pl.Trainer(enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
                             callbacks=[RLACallback(monitor="never")], **options)
        trainer.fit(Module(), data, data)
        print("went on")
"""
PACKAGES = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}


@pytest.fixture
def fit(here, request):
    """Runs a program of a fit; returns its exit code, what it said, and its run."""

    def run(source, body, *arguments, **environment):
        (here / "program.py").write_text(textwrap.dedent(source) + body)
        if "as keras" in source:
            python = request.getfixturevalue("keras_python")
        else:
            python = request.getfixturevalue("lightning_python")(re.search("import (.*) as pl", source)[1])
        environment = {name: str(value) for name, value in environment.items()}
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "RLA_GRACE": "600"} | environment
        done = python.run("program.py", *arguments, cwd=here, env=environment)
        said = done.stdout + done.stderr
        assert (here / "root").exists(), said
        return done.returncode, said, *rla.runs(here / "root")

    return run


def _lightning(module):
    pytest.importorskip(PACKAGES[module])
    return LIGHTNING.format(module=module, package=PACKAGES[module])


@pytest.mark.parametrize(
    ("module", "name", "place"),
    [("lightning", "SIGUSR1", "hook"), ("pytorch_lightning", "SIGTERM", "hook"), ("lightning", "SIGUSR2", "call")],
)
def test_a_fit_of_lightning_saves_and_stops(fit, module, name, place):
    """After the batch, without a validation, though min_epochs are not done; Lightning goes on from the file."""
    body = "fit()" if place == "hook" else "@rla.track(task='t')\ndef main():\n    fit()\nmain()"
    code, said, run = fit(_lightning(module), body, name)
    assert (code, run.status, run.info["signal"]) == (128 + getattr(signal, name), "preempted", name), said
    assert "went on" not in said and "validation" not in said and run.info["error"] is None
    assert rla.latest_checkpoint(run).name == "preempted-epoch=0-step=4.ckpt"
    assert run.metrics()["loss"].count() == 4

    import torch

    saved = torch.load(rla.latest_checkpoint(run), weights_only=False)
    assert saved["global_step"] == 4 and saved["epoch"] == 0
    assert saved["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["processed"] == 4


def test_slurm_queues_a_job_of_lightning_again(fit, here):
    """Lightning's own handler saves and calls scontrol, once; rla_hooks hears of it, and stops the fit."""
    scontrol = here / "bin/scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {here}/called\n')
    scontrol.chmod(0o755)
    environment = {"PATH": f"{scontrol.parent}{os.pathsep}{os.environ['PATH']}", "RLA_REQUEUE": 1, "RLA_RANK": 0}
    environment |= {"SLURM_JOB_ID": 17, "SLURM_NTASKS": 1, "SLURM_JOB_NAME": "train", "SLURM_PROCID": 0}
    environment |= {"SLURM_LOCALID": 0, "SLURM_NODEID": 0}
    body = "os.environ['SLURM_NTASKS'] = '1'\nfit(plugins=[SLURMEnvironment(auto_requeue=True)])"
    code, said, run = fit(_lightning("lightning"), body, "SIGUSR1", **environment)
    assert (here / "called").read_text() == "requeue 17\n", said
    assert (code, run.status, run.info["signal"]) == (138, "preempted", "SIGUSR1"), said
    assert list(here.glob("hpc_ckpt_*.ckpt"))


def test_without_a_requeue_of_lightnings_own_the_signal_is_ours(fit, here):
    """auto_requeue=False: no handler of Lightning's is there."""
    body = "fit(plugins=[SLURMEnvironment(auto_requeue=False)])"
    environment = {"SLURM_NTASKS": 1, "SLURM_JOB_NAME": "train", "SLURM_PROCID": 0, "SLURM_LOCALID": 0}
    code, said, run = fit(_lightning("lightning"), body, "SIGUSR1", SLURM_JOB_ID=17, SLURM_NODEID=0, **environment)
    assert (code, run.status) == (138, "preempted") and not list(here.glob("hpc_ckpt_*.ckpt")), said


def test_all_ranks_stop_at_the_same_batch(fit):
    """The signal comes to rank zero alone: none waits for one that has left."""
    body = "fit(strategy='ddp', devices=2, limit_train_batches=16, max_epochs=200)"
    code, said, run = fit(_lightning("lightning"), body, "SIGUSR1")
    assert (code, run.status) == (138, "preempted"), said
    assert rla.latest_checkpoint(run).name.startswith("preempted-epoch=")


KERAS = """
    import os, signal, sys, time
    import {module} as keras, numpy as np
    import rla_hooks as rla
    from rla_hooks.integrations.{module} import RLACallback

    class Signal(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == int(sys.argv[2]):
                os.kill(os.getpid(), getattr(signal, sys.argv[1]))
                for _ in range(6000):  # a thread of the hook's tells the model
                    time.sleep(0 if self.model.stop_training else 0.01)

    def fit(**options):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        x = np.ones((24, 3), "float32")
        model.fit(x, x[:, :1], batch_size=4, epochs=9, verbose=0, callbacks=[Signal(), RLACallback()], **options)
        print("step", int(model.optimizer.iterations))
"""


@pytest.mark.parametrize(("module", "name", "at"), [("keras", "SIGUSR1", 9), ("tf_keras", "SIGTERM", 2)])
def test_a_fit_of_keras_saves_and_stops(fit, module, name, at):
    """In the middle of an epoch, which a resume begins anew: the checkpoint says that the former one is the last."""
    pytest.importorskip(module)
    source = KERAS.format(module=module)
    code, said, run = fit(source, "fit()", name, str(at))
    assert (code, run.status, run.info["signal"]) == (128 + getattr(signal, name), "preempted", name), said
    step = int(said.partition("step ")[2].split()[0])
    assert at <= step < at + 3  # a batch or two, until Keras looks
    newest = Manifest(run.checkpoint_dir).complete()[-1]
    assert newest.step == step and newest.info.get("epoch") == (0 if at > 6 else None)
