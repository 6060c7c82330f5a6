"""A Keras fit that kill -9 has ended goes on in its run: one curve, equal to that of a training without a kill."""

from __future__ import annotations

import csv
import importlib.util
import os
import signal
import sys

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.errors import ConfigError

pytestmark = [pytest.mark.norerun, pytest.mark.skipif(os.name != "posix", reason="kill -9")]

# Four epochs of three batches. Killed after a number of iterations, or in the middle of the save of that step.
PROGRAM = """
import os, signal, sys
import keras, numpy as np
import rla_hooks as rla
from rla_hooks.integrations.keras import RLACallback

dies_after, dies_in_save = (int(sys.argv[1]), int(sys.argv[2])) if __name__ == "__main__" else (-1, -1)

class Model(keras.Sequential):
    def save(self, path):
        super().save(path)
        if int(self.optimizer.iterations) == dies_in_save:
            os.truncate(path, 1000)
            os.kill(os.getpid(), signal.SIGKILL)

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)

def fit(lr=0.01, epochs=4, **options):
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).random((36, 3), "float32")
    model = Model([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(lr), "mse")
    callbacks = [RLACallback(log_every=2, **options), Kill()]
    model.fit(x, x.sum(1), batch_size=8, epochs=epochs, validation_split=1/3, shuffle=False, verbose=0,
              callbacks=callbacks)
    return model

@rla.track(task="job", record=["lr"])
def main(lr=0.01, epochs=4):
    fit(lr, epochs)

if __name__ == "__main__":
    main() if sys.argv[3] == "tracked" else fit(task="job")
"""
POINTS = {"before": (2, -1, "tracked"), "between": (8, -1, "own"), "saving": (-1, 6, "tracked")}


@pytest.fixture
def training(keras, keras_python, request, tmp_path, monkeypatch, clean_environment):
    """The program of a training that was killed, in its folder, as a module, and the run."""
    clean_environment(monkeypatch)
    folder = tmp_path
    (folder / "rla_config.yaml").write_text("LOG_ROOT: root\nPROJECT_TYPE: {backup_code_by: none}\n")
    (folder / "training.py").write_text(PROGRAM)
    done = keras_python.run("training.py", *POINTS[request.param], cwd=folder)
    assert done.returncode == -signal.SIGKILL, done.stderr
    monkeypatch.chdir(folder)
    script = str(folder / "training.py")  # the former one; a worker of xdist has none
    monkeypatch.setattr(sys.modules["__main__"], "__file__", script, raising=False)
    spec = importlib.util.spec_from_file_location("training", folder / "training.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (run,) = rla.runs()
    assert run.status == "killed"
    return module, run


@pytest.fixture(scope="module")
def straight(keras, tmp_path_factory):
    """The same training without a kill: its run."""
    folder = tmp_path_factory.mktemp("straight")
    (folder / "training.py").write_text(PROGRAM)
    spec = importlib.util.spec_from_file_location("training", folder / "training.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with rla.run(task="job", log_root=folder / "root", backup="none", lr=0.01, epochs=4) as run:
        module.fit()
    return rla.runs(run.paths.log_root)[0]


def _is_one_curve(run, straight, read_scalars):
    """Each row and each event of the training without a kill is there, once; and so is each checkpoint."""
    frames = [each.metrics().drop(columns=["timestamp", "time/seconds_per_epoch"]) for each in (run, straight)]
    assert frames[0].columns.sort_values().tolist() == frames[1].columns.sort_values().tolist()
    assert frames[0][frames[1].columns].equals(frames[1])
    assert frames[0]["time-step"].tolist() == [2, 3, 4, 6, 6, 8, 9, 10, 12, 12]
    events = [read_scalars(each.tensorboard_dir) for each in (run, straight)]
    for found in events:
        found.pop("time/seconds_per_epoch")
    assert events[0] == events[1]
    steps = [[(e.name, e.step) for e in Manifest(each.checkpoint_dir).complete()] for each in (run, straight)]
    assert sorted(steps[0]) == sorted(steps[1])


def _cut(run):
    """The steps of the rows that were cut."""
    with open(run.log_dir / "cut/1/progress.csv", newline="") as file:
        return [int(row["time-step"]) for row in csv.DictReader(file)]


def _restart(run):
    (entry,) = run.run_json["restarts"]
    return {key: entry[key] for key in ("status", "reason", "rows", "step", "rows_cut", "cut")}


@pytest.mark.parametrize("training", ["between"], indirect=True)
def test_a_fit_that_was_killed_goes_on(training, straight, read_scalars, capsys):
    """Between two checkpoints, in the middle of an epoch, in a run of the callback's own that is to be the same."""
    module, before = training
    assert before.metrics()["time-step"].tolist() == [2, 3, 4, 6, 6, 8]
    module.fit(resume="same", task="job")
    (run,) = rla.runs()
    assert (run.id, run.status) == (before.id, "running")
    assert "weights and optimizer (iteration 6), best val_loss" in capsys.readouterr().out
    assert _cut(run) == [8]
    former = {"status": "killed", "reason": "auto", "rows": 6, "step": 6, "rows_cut": 1, "cut": 1}
    assert _restart(run) == former
    _is_one_curve(run, straight, read_scalars)


@pytest.mark.parametrize("training", ["saving"], indirect=True)
def test_a_fit_that_was_killed_while_it_saved_goes_on(training, straight, read_scalars):
    """From the checkpoint before, since half a file is none. The program's own call resumes the run."""
    module, before = training
    module.main.resume(before)
    (run,) = rla.runs()
    assert (run.id, run.status) == (before.id, "finished")
    assert _cut(run) == [4, 6, 6]
    former = {"status": "killed", "reason": "resume=", "rows": 5, "step": 3, "rows_cut": 3, "cut": 1}
    assert _restart(run) == former
    _is_one_curve(run, straight, read_scalars)
    assert run.hparams.keys() == straight.hparams.keys()
    assert not [file for file in run.checkpoint_dir.iterdir() if file.name.startswith(".")], "half a file stays"


@pytest.mark.parametrize("training", ["before"], indirect=True)
def test_a_fit_that_was_killed_before_its_first_checkpoint(training, straight, read_scalars):
    """It begins anew, in the same run if that is asked for; resume=True looks for no other run then."""
    module, before = training
    with pytest.raises(ConfigError, match=r"it has no whole checkpoint\. Pass from_start=True"):
        module.main.resume(before)
    module.main.resume(before, from_start=True)
    (run,) = rla.runs()
    assert (run.id, run.status) == (before.id, "finished")
    assert _cut(run) == [2]
    _is_one_curve(run, straight, read_scalars)
