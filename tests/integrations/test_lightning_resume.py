"""Trainings under Lightning that are killed, and go on in the same run: one curve, as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal

import pytest

torch = pytest.importorskip("torch")

import rla_hooks as rla  # noqa: E402
from rla_hooks.checkpoints import Manifest  # noqa: E402
from rla_hooks.errors import ConfigError  # noqa: E402

pytestmark = [pytest.mark.norerun, pytest.mark.filterwarnings("ignore", "error::rla_hooks.errors.RLAWarning")]


# --- killed -----------------------------------------------------------------------------------------------------------

LIFE = """
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


life(**json.loads(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory, lightning_python):
    """Lets a training live in a process of its own, and returns its exit code, negative for a signal."""
    folder = tmp_path_factory.mktemp("lives")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RLA_", "SLURM_"))}

    python = lightning_python("pytorch_lightning")

    def live(**options):
        options["root"] = str(options["root"])
        return python.run("-c", LIFE, json.dumps(options), cwd=folder, env=environment).returncode

    return live


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
    ({"kind": "both"}, WRITING_LAST),
    ({"kind": "callback"}, WRITING_LAST),
    ({"kind": "logger", "every": 4}, BETWEEN),
    ({"kind": "both", "every": 4}, WRITING_BEST),
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


# --- in one process ---------------------------------------------------------------------------------------------------

RUN = {"task": "t", "log_root": "root", "backup": "none", "writers": ["csv", "log"]}


def scored(namespace, *scores, **options):
    """A module whose epochs have these scores."""
    model = namespace.Module(**options)
    model.on_train_epoch_end = lambda: model.log("score", float(scores[model.trainer.current_epoch]))
    return model


def best_and_last(namespace):
    return namespace.RLACallback("score", mode="max", save_top_k=-1, save_last=True)


@pytest.fixture
def old(namespace, here):
    """A run of two epochs, with a checkpoint after each and a row after the last, that Ctrl-C has ended."""
    with pytest.raises(KeyboardInterrupt), rla.run(**RUN) as run:
        trainer = namespace.trainer(logger=namespace.RLALogger(), callbacks=[best_and_last(namespace)], max_epochs=2)
        trainer.fit(scored(namespace, 1, 5))
        rla.log({"late": 1.0}, step=99)
        raise KeyboardInterrupt
    return run


def restart_of(run):
    return {key: run.run_json["restarts"][-1].get(key) for key in ("step", "rows_cut", "cut")}


@pytest.mark.parametrize("with_callback", [True, False])
def test_a_logger_opens_the_former_run(namespace, old, only_run, with_callback):
    """Its folders from the beginning, nothing on the disk before the fit, and then one curve."""
    before = old.paths.run_json.read_bytes()
    logger = namespace.RLALogger(**RUN, resume=only_run().id)
    assert (logger.log_dir, logger.version) == (str(old.log_dir), str(old.checkpoint_dir))
    assert logger.handle.run is None and old.paths.run_json.read_bytes() == before
    options = {"callbacks": [best_and_last(namespace)]} if with_callback else {"enable_checkpointing": False}
    path = "last" if with_callback else rla.latest_checkpoint(old)
    callbacks = [*options.get("callbacks", [])]
    trainer = namespace.trainer(logger=logger, max_epochs=3, **options)
    trainer.fit(scored(namespace, 0, 0, 7), ckpt_path=path)
    run = only_run()
    assert (run.status, restart_of(run)) == ("running", {"step": 8, "rows_cut": 1, "cut": 1})
    assert run.metrics()["late"].count() == 0 and run.metrics()["loss_step"].count() == 12
    assert "resumed at step 8 (last.ckpt): 1 row after it is kept in cut/1" in (run.log_dir / "log.txt").read_text()
    assert [type(each) for each in options.get("callbacks", [])][: len(callbacks)] == [type(each) for each in callbacks]
    assert not [each for each in trainer.callbacks if "Watch" in type(each).__name__]


def test_mistakes_are_told_by_the_constructor(namespace, old, only_run):
    """RLACallback says who has the option."""
    for wrong, told in (
        ({"resume": "nowhere"}, "'nowhere' fits no run"),
        ({"resume": 3, "allow": 3}, "(?s)resume.*allow"),
    ):
        with pytest.raises(ConfigError, match=told):
            namespace.RLALogger(**RUN, **wrong)
    with pytest.raises(ConfigError, match=r"Give it to @rla.track, rla.run or RLALogger"):
        namespace.RLACallback(resume="same")
    assert only_run().status == "interrupted"


def test_what_was_cut_is_never_best_or_last_again(namespace, old, only_run, disk):
    """Of a resume from the first epoch: the files stay as they are, under their names, and off the lists."""
    first = old.checkpoint_dir / "epoch=0-step=4.ckpt"
    files = {name: (old.checkpoint_dir / name).read_bytes() for name in disk.checkpoints(only_run())}
    callback = best_and_last(namespace)
    with pytest.raises(KeyboardInterrupt), rla.run(**RUN, resume=old.name):
        trainer = namespace.trainer(logger=namespace.RLALogger(), callbacks=[callback], max_epochs=2)
        trainer.fit(scored(namespace, 0, 3), ckpt_path=first)
        raise KeyboardInterrupt
    cut = {entry.file for entry in Manifest(old.checkpoint_dir).entries() if entry.cut == 1}
    assert cut == {"epoch=1-step=8.ckpt", "last.ckpt"}
    assert {os.path.basename(path) for path in callback.best_k_models} == {first.name, "epoch=1-step=8-v1.ckpt"}
    assert (float(callback.best_model_score), os.path.basename(callback.last_model_path)) == (3.0, "last-v1.ckpt")
    assert {name: (old.checkpoint_dir / name).read_bytes() for name in files} == files

    with rla.run(**RUN, resume=old.name):
        trainer = namespace.trainer(logger=namespace.RLALogger(), callbacks=[best_and_last(namespace)], max_epochs=3)
        trainer.fit(scored(namespace, 0, 0, 4), ckpt_path="last")
    run = only_run()
    assert run.metrics()["score"].dropna().tolist() == [1.0, 3.0, 4.0]
    assert run.run_json["restarts"][-1]["step"] == 8 and rla.latest_checkpoint(run).name == "last-v1.ckpt"


def test_a_checkpoint_that_does_not_fit_cuts_nothing(namespace, old, only_run, disk):
    """One of weights alone, and one of a later epoch than the Trainer's last: Lightning raises, and the rows stay."""
    before = old.paths.progress_csv.read_bytes()
    weights = old.checkpoint_dir / "weights.ckpt"
    content = torch.load(old.checkpoint_dir / "last.ckpt", weights_only=False)
    torch.save({key: content[key] for key in content if key not in ("optimizer_states", "lr_schedulers")}, weights)
    for path, epochs in ((weights, 3), ("last", 0)):
        with pytest.raises(Exception, match=r"only the model|max_epochs"), rla.run(**RUN, resume=old.name):
            trainer = namespace.trainer(
                logger=namespace.RLALogger(), callbacks=[best_and_last(namespace)], max_epochs=epochs
            )
            trainer.fit(scored(namespace, 0, 0, 0), ckpt_path=path)
        assert old.paths.progress_csv.read_bytes() == before and not (old.log_dir / "cut").exists()
        _interrupt(old)  # an error is failed, which only the same job resumes


def _interrupt(run):
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"status": "interrupted"}))


def test_a_new_run_says_what_it_has_gone_on_from(namespace, old, runs, command):
    """It cuts nothing of the old one."""
    before = old.paths.progress_csv.read_bytes()
    with rla.run(**RUN):
        trainer = namespace.trainer(logger=namespace.RLALogger(), callbacks=[best_and_last(namespace)], max_epochs=3)
        trainer.fit(scored(namespace, 0, 0, 7), ckpt_path=rla.latest_checkpoint(old))
    former, new = runs()
    origin = {"run": former.name, "id": former.id, "step": 8, "file": "last.ckpt"}
    assert new.run_json["resumed_from"] == origin and "resumed_from" not in former.run_json
    assert f"goes on from the checkpoint last.ckpt (step 8) of {former.id}" in (new.log_dir / "log.txt").read_text()
    assert old.paths.progress_csv.read_bytes() == before
    assert f"{former.id} at step 8" in command("show", new.id, "--log-root", "root").out


def test_rows_of_the_programs_own_come_after_the_cut(namespace, old, only_run):
    """Of a module that calls rla.log itself, and of a callback that logs when the training starts; RLALogger alone."""

    class Early(namespace.pl.Callback):
        def on_train_start(self, trainer, module):
            trainer.logger.log_metrics({"early": 1.0}, 8)

    def own(module):
        rla.log({"own": 1.0}, step=module.global_step)

    for callbacks in ([], [Early()]):
        with pytest.raises(KeyboardInterrupt), rla.run(**RUN, resume=old.name):
            trainer = namespace.trainer(
                logger=namespace.RLALogger(), enable_checkpointing=False, max_epochs=3, callbacks=callbacks
            )
            model = scored(namespace, 0, 0, 7, at="training_step", act=own)
            trainer.fit(model, ckpt_path=rla.latest_checkpoint(old))
            raise KeyboardInterrupt
        rows = only_run().metrics()
        assert rows["late"].count() == 0 and rows["own"].count() == 4 and rows["loss_step"].count() == 12
        assert not callbacks or rows["early"].count() == 1


def test_a_fit_that_was_done_is_not_done_again(namespace, old, only_run):
    """What came after it is: the row of a test stands there once."""
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), rla.run(**RUN, resume=old.name):
            callback = best_and_last(namespace)
            trainer = namespace.trainer(logger=namespace.RLALogger(), callbacks=[callback], max_epochs=2)
            model = scored(namespace, 0, 0)
            trainer.fit(model, ckpt_path="last")
            trainer.test(model, ckpt_path=callback.best_model_path, verbose=False)
            raise KeyboardInterrupt
    rows = only_run().metrics()
    assert rows["test_loss"].count() == 1 and rows["loss_step"].count() == 8 and rows["late"].count() == 0


# --- several processes ------------------------------------------------------------------------------------------------

RANKS = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import pytorch_lightning as pl
import torch
import rla_hooks as rla
from rla_hooks.integrations.pytorch_lightning import RLACallback, RLALogger

torch.set_num_threads(1)
RANKS = int(os.environ.get("WORLD_SIZE", 1))
DIES_AT = int(sys.argv[1])


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def training_step(self, batch, index):
        if self.global_step == DIES_AT and self.global_rank == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        loss = self.layer(batch).pow(2).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


@rla.track(task="t", log_root="root", writers=["csv"], backup="none", resume="auto")
def main():
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}
    several = {"devices": RANKS, "strategy": "ddp" if RANKS > 1 else "auto", "accelerator": "cpu"}
    callback = RLACallback(save_last=True)
    trainer = pl.Trainer(max_epochs=3, logger=RLALogger(), callbacks=[callback], **quiet, **several)
    begins = []
    callback.on_train_epoch_start = lambda trainer, module: begins.append(trainer.global_step)
    trainer.fit(Module(), torch.utils.data.DataLoader(torch.ones(8 * RANKS, 3), batch_size=2), ckpt_path="last")
    print("rank", trainer.global_rank, "began at", begins[0], flush=True)


main()
"""
# Its ranks are forks, too, of a process that has imported Lightning.
TORCHRUN = """
import sys
from torch.distributed.run import main
main(["--standalone", "--run-path", "--start-method", "fork", *sys.argv[1:]])
"""


def test_all_ranks_of_torchrun_go_on_from_the_checkpoint_that_rank_zero_cuts_to(here, monkeypatch, lightning_python):
    """Rank zero is killed, and the same job is started again: one run, one curve, and no rank begins anew."""
    (here / "ranks.py").write_text(RANKS)
    monkeypatch.setenv("RLA_RUN_ID", "job")  # the other rank may have failed before it was ended
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    launcher = ["-c", TORCHRUN, "--nproc-per-node", "2", here / "ranks.py"]
    python = lightning_python("pytorch_lightning")
    assert python.run(*launcher, "6", cwd=here, env=environment).returncode != 0
    done = python.run(*launcher, "-1", cwd=here, env=environment)
    for rank in (0, 1):
        assert f"rank {rank} began at 4" in done.stdout, done.stdout + done.stderr
    (run,) = rla.runs("root")
    (former,) = run.run_json["restarts"]
    assert (former["step"], former["rows_cut"], run.status) == (4, 2, "finished")
    rows = run.metrics()
    assert rows["time-step"][rows["loss"].notna()].tolist() == list(range(12))
