"""Trainings under Lightning that are killed, and go on in the same run: one curve, as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

import rla_hooks as rla  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore", "error::rla_hooks.errors.RLAWarning")


# --- killed -----------------------------------------------------------------------------------------------------------

# It imports Lightning once, and forks for each life.
SERVER = """
import json, logging, os, signal, sys, warnings
warnings.simplefilter("ignore")
import fsspec.implementations.local as local
import pytorch_lightning as pl
import torch
import rla_hooks as rla
from rla_hooks.integrations.pytorch_lightning import RLACallback, RLALogger

torch.set_num_threads(1)
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
QUIET = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False, "enable_model_summary": False}


class Loader:
    '''Four batches, which go on in the middle of an epoch.'''

    position = 0

    def __len__(self):
        return 4

    def __iter__(self):
        start, self.position = self.position % 4, 0
        for number in range(start, 4):
            self.position = number + 1
            yield torch.full((2, 3), float(number + 1)) / 10

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


class Module(pl.LightningModule):
    def __init__(self, dies_at):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.dies_at = torch.nn.Linear(3, 1), dies_at

    def training_step(self, batch, index):
        if self.global_step == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        loss = self.layer(batch).pow(2).mean()
        self.log("loss", loss, on_step=True, on_epoch=True)
        self.log("score", float(self.global_step))
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", self.layer(batch).pow(2).mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.1)


def train(kind, every, dies_at, dies_saving):
    commit, saved = local.LocalFileOpener.commit, []

    def commit_or_die(opener):  # the file is written, and does not have its name yet
        saved.append(opener)
        if len(saved) == dies_saving:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(opener)

    local.LocalFileOpener.commit = commit_or_die
    made = pl.callbacks.ModelCheckpoint if kind == "logger" else RLACallback
    callback = made(monitor="score", mode="max", save_last=True, every_n_train_steps=every)
    logger = False if kind == "callback" else RLALogger()
    trainer = pl.Trainer(max_epochs=3, log_every_n_steps=1, logger=logger, callbacks=[callback], **QUIET)
    values = torch.utils.data.DataLoader(torch.ones(4, 3), batch_size=2)
    trainer.fit(Module(dies_at), Loader(), values, ckpt_path="last")


def life(root, kind="both", every=None, dies_at=-1, dies_saving=0):
    with rla.run(task="t", log_root=root, writers=["csv", "tensorboard"], backup="none", resume="auto"):
        train(kind, every, dies_at, dies_saving)


for line in sys.stdin:
    child = os.fork()
    if not child:
        sys.stdin = open(os.devnull)
        life(**json.loads(line))
        break
    print("exit", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Lets a training live in a process of its own, and returns its exit code, negative for a signal."""
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    pytest.importorskip("pytorch_lightning")
    folder = tmp_path_factory.mktemp("lives")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RLA_", "SLURM_"))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SERVER], cwd=folder, env=environment, **pipes) as server:

        def live(**options):
            server.stdin.write(json.dumps(options | {"root": str(options["root"])}) + "\n")
            server.stdin.flush()
            for line in server.stdout:
                if line.startswith("exit"):
                    return int(line.split()[1])
            raise RuntimeError("the server has died")

        yield live
        server.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(live, tmp_path_factory):
    """Gives the one run of a training that nobody kills."""
    known = {}

    def train(**options):
        key = json.dumps(options)
        if key not in known:
            known[key] = tmp_path_factory.mktemp("undisturbed")
            assert live(root=known[key], **options) == 0
        return rla.runs(known[key])[0]

    return train


def curve(run):
    """The rows, without what depends on the time of day."""
    rows = run.metrics()
    return rows[[name for name in rows.columns if name != "timestamp" and not name.startswith("time/")]]


BETWEEN, WRITING_BEST, WRITING_LAST = {"dies_at": 10}, {"dies_saving": 3}, {"dies_saving": 4}
KILLS = [
    ({"kind": "both"}, BETWEEN),
    ({"kind": "both"}, WRITING_BEST),
    ({"kind": "both"}, WRITING_LAST),
    ({"kind": "callback"}, WRITING_LAST),
    ({"kind": "logger"}, BETWEEN),
    ({"kind": "logger", "every": 4}, BETWEEN),
    ({"kind": "both", "every": 4}, WRITING_LAST),
]


@pytest.mark.parametrize(("training", "kill"), KILLS, ids=str)
def test_a_training_that_was_killed_goes_on_as_if_nothing_had_happened(
    training, kill, live, undisturbed, tmp_path, read_scalars
):
    """Between two checkpoints, and while either file of one is written: in csv and TensorBoard each row once."""
    from pandas.testing import assert_frame_equal

    assert live(root=tmp_path, **training, **kill) == -signal.SIGKILL
    (killed,) = rla.runs(tmp_path)
    assert killed.status == "killed" and killed.checkpoints()
    assert live(root=tmp_path, **training) == 0
    (run,) = rla.runs(tmp_path)
    plain = undisturbed(**training)
    assert (run.id, run.status, run.problems) == (killed.id, "finished", ())
    assert_frame_equal(curve(run), curve(plain))
    (former,) = run.run_json["restarts"]
    assert former["status"] == "killed" and former["step"] in (4, 8)
    scalars, expected = read_scalars(run.tensorboard_dir), read_scalars(plain.tensorboard_dir)
    for tag in set(scalars) | set(expected):
        if not tag.startswith("time/"):
            assert scalars[tag] == expected[tag], tag
    assert {entry.path.name for entry in run.checkpoints()} == {entry.path.name for entry in plain.checkpoints()}


def test_a_training_that_was_killed_before_its_first_checkpoint_starts_anew(live, undisturbed, tmp_path):
    """Another run, which is as that of an undisturbed training; the first one stays as it is."""
    from pandas.testing import assert_frame_equal

    assert live(root=tmp_path, dies_at=2) == -signal.SIGKILL
    assert live(root=tmp_path) == 0
    killed, run = rla.runs(tmp_path)
    assert (killed.status, len(killed.metrics()), run.status) == ("killed", 2, "finished")
    assert_frame_equal(curve(run), curve(undisturbed(kind="both")))
