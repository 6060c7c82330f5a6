"""Several processes train, one run is written: real launchers, two CPU processes, gloo."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

pytest.importorskip("lightning")
pytest.importorskip("pytorch_lightning")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

LAUNCHER_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID")
TIMEOUT = 200  # seconds; a script takes about ten

# What every script begins with. Each rank sees all of its batches; the loss is the number of the step.
SCRIPT = """
import importlib, json, logging, os, sys, time, warnings
warnings.filterwarnings("ignore")
import torch
import rla_hooks as rla
from rla_hooks.errors import RLAWarning
warnings.filterwarnings("error", category=RLAWarning)
pl = importlib.import_module(os.environ.get("NAMESPACE", "lightning.pytorch"))
from rla_hooks.integrations.lightning import RLACallback, RLALogger

STEPS = 3

class Model(pl.LightningModule):
    def __init__(self, width=3, crash=None, waits=False, own_rows=False):
        super().__init__()
        self.save_hyperparameters("width")
        self.crash, self.waits, self.own_rows = crash, waits, own_rows
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        if index == 2 and self.crash == self.global_rank:
            raise ValueError(f"boom on rank {self.global_rank}")
        if index == 2 and self.waits:  # for the signal, which a file tells where that does not raise
            if self.global_rank == 0:
                open("training", "w").close()
            while not os.path.exists("sent"):
                time.sleep(0.01)
        self.log("loss", float(index))
        if self.own_rows:
            rla.log({"mine": float(index)}, step=100 + index)
        return self.layer(batch).mean()

    def on_train_end(self):
        note(self.trainer, self.global_rank)

    def test_step(self, batch, index):
        self.log("late", 7.0)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(STEPS * self.trainer.world_size, 2))

    test_dataloader = train_dataloader

def note(trainer, rank):
    with open("seen.txt", "a") as file:
        checkpoint = trainer.checkpoint_callback
        seen = {"rank": rank, "dirpath": checkpoint.dirpath, "last": checkpoint.best_model_path}
        seen["logs"] = getattr(trainer.logger, "save_dir", None)
        file.write(json.dumps(seen) + "\\n")

def trainer_of(strategy, logger, callbacks=(), devices=2):
    return pl.Trainer(
        accelerator="cpu", devices=devices, strategy=strategy, max_epochs=1, log_every_n_steps=1, logger=logger,
        callbacks=list(callbacks), enable_progress_bar=False, enable_model_summary=False,
    )

def own_logger(task="own", **options):
    return RLALogger(task=task, log_root="root", backup="none", **options)

def callback():
    return RLACallback(log_throughput=False, log_lr=False)
"""

# Its ranks are forks, too.
TORCHRUN = """
import sys
from torch.distributed.run import main
main(["--standalone", "--run-path", "--start-method", "fork", *sys.argv[1:]])
"""
ROWS = [(str(step), f"{float(step)}") for step in range(3)]


class Place:
    """A folder in which scripts run, and what they leave there."""

    def __init__(self, folder, read_rows, python):
        self.folder, self.read_rows, self.python = folder, read_rows, python

    def start(self, body, torchrun=False, **environment):
        script = self.folder / "script.py"
        script.write_text(f"{SCRIPT}\n{body}")
        launcher = ["-c", TORCHRUN, "--nproc-per-node", "2"] if torchrun else []
        bare = {key: value for key, value in os.environ.items() if key not in LAUNCHER_VARIABLES}
        environment = bare | {"OMP_NUM_THREADS": "1"} | environment
        python = self.python(environment.get("NAMESPACE", "lightning.pytorch"))
        return python.start(*launcher, script, cwd=self.folder, env=environment)

    def end(self, process):
        done = process.ended(TIMEOUT)
        return done.returncode, done.stderr

    def run(self, body, **options):
        code, errors = self.end(self.start(body, **options))
        assert code == 0, errors[-3000:]
        return self.runs()

    def runs(self, root="root"):
        """The run.json of every run, by task, after a look at what belongs to each."""
        found = {}
        for file in sorted((self.folder / root / "log").rglob("run.json")):
            content = json.loads(file.read_text())
            content["folder"] = file.parent
            assert content["rows"] == len(self.rows(content)), "run.json counts other rows than there are"
            assert content["task"] not in found, "two runs of one task"
            found[content["task"]] = content
        kinds = {each.name for each in (self.folder / root).iterdir()}
        assert kinds == {"log", "results", "checkpoint", "code", "archive_tester"}
        leaves = [len(list((self.folder / root / kind).glob("*/*/*/*/*"))) for kind in kinds]
        assert leaves == [len(found)] * 5, "folders beside those of the runs"
        assert not (self.folder / "lightning_logs").exists() and not (self.folder / "checkpoints").exists()
        return found

    def rows(self, run):
        return self.read_rows(run["folder"] / "progress.csv")

    def losses(self, run):
        return [(row["time-step"], row["loss"]) for row in self.rows(run) if "loss" in row]

    def checkpoints(self, run):
        return self.folder / "root" / "checkpoint" / run["name"]

    def seen(self):
        file = self.folder / "seen.txt"
        return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def place(tmp_path, read_rows, lightning_python):
    return Place(tmp_path, read_rows, lightning_python)


def test_forked_processes_write_one_run(place, read_scalars):
    """ddp_fork (ddp_notebook is another name of it): own run, tracked run, callback alone, and the parent goes on."""
    runs = place.run("""
def alone():
    logger = own_logger()
    model = Model()
    trainer_of("ddp_notebook_find_unused_parameters_false", logger).fit(model)
    trainer_of("ddp_fork", logger).test(model, verbose=False)
    logger.log_metrics({"very late": 1.0}, step=9)  # in the parent, which has not written before
    logger.log_hyperparams({"added": 2})

@rla.track(task="tracked", log_root="root", backup="none")
def tracked(lr=0.5):
    rla.log({"before": 1.0})
    trainer_of("ddp_fork", RLALogger(), [callback()]).fit(Model(own_rows=True))
    rla.log({"behind": 1.0}, step=200)

def only_callback():
    trainer = trainer_of("ddp_fork", False, [callback()])
    model = Model()
    trainer.fit(model)
    trainer.test(model, verbose=False)

trainer_of("auto", own_logger("single"), devices=1).fit(Model())
alone()
tracked()
only_callback()
""")
    assert set(runs) == {"single", "own", "tracked"} and {run["status"] for run in runs.values()} == {"finished"}
    losses = place.losses(runs["single"])
    assert losses == ROWS and place.losses(runs["own"]) == losses and place.losses(runs["tracked"]) == losses

    own = runs["own"]
    assert [row.get("late") or row.get("very late") for row in place.rows(own)][3:] == ["7.0", "1.0"]
    assert own["last_step"] == 9 and own["last"]["late"] == 7.0 and own["error"] is None
    assert json.loads((own["folder"] / "parameter.json").read_text()) == {"width": 3, "added": 2}
    assert read_scalars(own["folder"] / "tb")["loss"] == [(0, 0.0), (1, 1.0), (2, 2.0)]

    tracked = runs["tracked"]
    mine = [row["time-step"] for row in place.rows(tracked) if "mine" in row]
    assert mine == ["100", "101", "102"], "rla.log in the children is that of the tracked run, once"
    assert [list(row) for row in place.rows(tracked)][-1] == ["time-step", "timestamp", "behind"]
    assert json.loads((tracked["folder"] / "parameter.json").read_text()) == {"lr": 0.5, "width": 3}
    assert [each.name for each in place.checkpoints(tracked).glob("*.ckpt")] == ["epoch=0-step=3.ckpt"]

    alone = place.runs("rla_data")["lightning"]
    assert place.losses(alone) == [("2", "2.0")] and alone["rows"] == 2 and alone["status"] == "finished"
    seen = {(each["rank"], each["dirpath"]) for each in place.seen()}
    assert len(seen) == 7, "both ranks of a run have one checkpoint folder"


def test_a_forked_process_that_fails(place):
    """The parent says why, and how far the child had come; a failure that the program survives is one, too."""
    process = place.start("""
for rank in (0, 1):
    try:
        trainer_of("ddp_fork", own_logger(f"rank_{rank}")).fit(Model(crash=rank))
    except Exception:
        if rank == 1:
            raise
""")
    code, errors = place.end(process)
    runs = place.runs()
    assert code == 1 and "boom on rank 1" in errors and len(runs) == 2
    for rank in (0, 1):
        run = runs[f"rank_{rank}"]
        assert run["status"] == "failed" and f"ValueError: boom on rank {rank}" in run["error"]
        assert place.losses(run) == ROWS[:2] and run["last_step"] == 1


def test_a_script_that_is_run_again_for_each_rank(place):
    """ddp: fit and test of an own run, then a tracked one: rank one knows the folders of each."""
    runs = place.run("""
def own():
    logger, model = own_logger(), Model()
    trainer = trainer_of("ddp", logger)
    trainer.fit(model)
    trainer.test(model, verbose=False)
    logger.log_metrics({"after": 1.0}, step=9)

@rla.track(task="tracked", log_root="root", backup="none", record=["lr"])
def tracked(lr):
    rla.log({"before": lr})
    trainer_of("ddp", RLALogger(), [callback()]).fit(Model(own_rows=True))

own()
tracked(0.5)
""")
    assert {task: run["status"] for task, run in runs.items()} == {"own": "finished", "tracked": "finished"}
    own, tracked = runs["own"], runs["tracked"]
    assert place.losses(own) == place.losses(tracked) == ROWS
    assert [row.get("late") or row.get("after") for row in place.rows(own)][3:] == ["7.0", "1.0"]
    assert len(list((own["folder"] / "tb").iterdir())) == 1
    assert json.loads((own["folder"] / "parameter.json").read_text()) == {"width": 3}
    assert json.loads((tracked["folder"] / "parameter.json").read_text()) == {"lr": 0.5, "width": 3}
    expected = [(str(place.checkpoints(own) / "checkpoints"), str(own["folder"]))]
    expected.append((str(place.checkpoints(tracked)), str(tracked["folder"])))
    assert sorted((each["dirpath"], each["logs"]) for each in place.seen()) == sorted(expected * 2)
    for run, folder in zip((own, tracked), ("checkpoints", ".")):
        files = list((place.checkpoints(run) / folder).glob("*.ckpt"))
        assert [file.name for file in files] == ["epoch=0-step=3.ckpt"]


def test_torchrun_starts_ranks_that_know_nothing_of_each_other(place):
    """One run all the same, in the other namespace, and both ranks learn its folders."""
    runs = place.run(
        """
@rla.track(task="tracked", log_root="root", backup="none")
def tracked(lr=0.5):
    trainer_of("ddp", RLALogger(), [callback()]).fit(Model(own_rows=True))

trainer_of("ddp", own_logger()).fit(Model())
tracked()
""",
        torchrun=True,
        NAMESPACE="pytorch_lightning",
    )
    assert {task: run["status"] for task, run in runs.items()} == {"own": "finished", "tracked": "finished"}
    assert all(place.losses(run) == ROWS for run in runs.values())
    logs = sorted(each["logs"] for each in place.seen())
    assert logs == sorted([str(run["folder"]) for run in runs.values()] * 2)


def test_spawned_processes_write_one_run(place):
    """ddp_spawn: the Trainer goes by pickle; the parent adds to the run and ends it."""
    runs = place.run("""
if __name__ == "__main__":
    logger = own_logger()
    trainer_of("ddp_spawn", logger, [callback()]).fit(Model(own_rows=True))
    logger.log_metrics({"late": 1.0})
    logger.log_hyperparams({"added": 2})
""")
    run = runs["own"]
    assert run["status"] == "finished" and place.losses(run) == ROWS
    assert [row["time-step"] for row in place.rows(run) if "mine" in row] == ["100", "101", "102"]
    assert place.rows(run)[-1]["late"] == "1.0" and place.rows(run)[-1]["time-step"] == "3", "counts on"
    assert json.loads((run["folder"] / "parameter.json").read_text()) == {"width": 3, "added": 2}
    assert {(each["dirpath"], each["logs"]) for each in place.seen()} == {
        (str(place.checkpoints(run)), str(run["folder"]))
    }


def test_a_run_that_goes_on_in_forked_processes_has_one_curve(place):
    """The children go on with it; the parent, which has planned that, ends it, and takes it for no killed run."""
    runs = place.run("""
def saving():
    return RLACallback(every_n_train_steps=1, save_top_k=-1, log_throughput=False, log_lr=False)

try:
    with rla.run(task="own", log_root="root", backup="none") as run:
        trainer_of("auto", RLALogger(), [saving()], devices=1).fit(Model(crash=0))
except ValueError:
    pass
logger = own_logger(resume=run.name)
trainer_of("ddp_notebook", logger, [saving()]).fit(Model(), ckpt_path="last")
logger.log_metrics({"late": 1.0})
""")
    run = runs["own"]
    assert (run["status"], place.losses(run)) == ("finished", ROWS)
    assert [(each["status"], each["step"]) for each in run["restarts"]] == [("failed", 2)]
    assert {each["rank"] for each in place.seen()} == {0, 1} and place.rows(run)[-1]["late"] == "1.0"


def test_a_former_life_of_several_ranks_saves_nothing(place):
    """Rank zero sees that the run goes on elsewhere: no rank saves or deletes, and none waits for another."""
    code, errors = place.end(
        place.start("""
import pathlib
warnings.filterwarnings("ignore", category=RLAWarning)

class Taken(Model):
    def on_train_batch_start(self, batch, index):
        if index == 2 and self.global_rank == 0:
            (file,) = pathlib.Path("root").rglob("run.json")
            file.write_text(json.dumps(json.loads(file.read_text()) | {"life": "another"}))

saving = RLACallback(every_n_train_steps=1, log_throughput=False, log_lr=False)
trainer_of("ddp_fork", own_logger(), [saving]).fit(Taken())
""")
    )
    assert code == 0, errors[-3000:]
    assert [file.name for file in place.folder.rglob("*.ckpt")] == ["epoch=0-step=2.ckpt"]
    assert {each["rank"] for each in place.seen()} == {0, 1}


def test_a_rank_that_fails_makes_the_run_fail(place):
    """ddp: the error of rank one stands in run.json, not only what rank zero heard of it."""
    code, _ = place.end(place.start('trainer_of("ddp", own_logger()).fit(Model(crash=1))'))
    run = place.runs()["own"]
    assert code != 0
    assert run["status"] == "failed" and "ValueError: boom on rank 1" in run["error"]
    assert place.losses(run) == ROWS[:2]


@pytest.mark.parametrize(("name", "strategy"), [("SIGINT", "ddp"), ("SIGTERM", "auto"), ("SIGTERM", "ddp_fork")])
def test_a_signal_to_the_main_process_is_an_interruption(place, name, strategy):
    """Ctrl-C, or the scheduler's SIGTERM, which Lightning may still obey in order; no process stays behind."""
    devices = 1 if strategy == "auto" else 2
    process = place.start(f'trainer_of("{strategy}", own_logger(), devices={devices}).fit(Model(waits=True))')
    flag = place.folder / "training"
    limit = time.monotonic() + TIMEOUT
    while not flag.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(getattr(signal, name))
    obeys = (name, strategy) == ("SIGTERM", "auto")  # Lightning ends the batch
    if obeys:
        (place.folder / "sent").touch()
    place.end(process)
    (file,) = place.folder.rglob("run.json")
    expected = ROWS if obeys else ROWS[:2]
    while json.loads(file.read_text())["rows"] < len(expected) and time.monotonic() < limit:
        time.sleep(0.05)  # a child that the end of its parent ends notes its rows a moment later
    run = place.runs()["own"]
    assert run["status"] == "interrupted" and run["ended"] is not None
    assert place.losses(run) == expected


EXACT = """
import numpy, signal

class Drawing(Model):
    def training_step(self, batch, index):
        if self.global_step == int(os.environ["DIES"]) and self.global_rank == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.global_rank == 0:
            drawn[self.global_step % 4] = numpy.random.rand() + torch.rand(1).item()
        loss = (self.layer(batch) - 1).pow(2).mean()
        self.log("loss", loss, on_step=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)

    def train_dataloader(self):
        data = torch.arange(24.0).reshape(12, 2) / 10
        return torch.utils.data.DataLoader(data, batch_size=2, shuffle=True)

    def on_train_end(self):
        if self.global_rank == 0:
            numbers = [numpy.random.rand(), torch.rand(1).item()]
            last = [*(each.tolist() for each in self.parameters()), drawn.tolist(), *numbers]
            open(os.environ["ROOT"] + ".json", "w").write(json.dumps(last))

torch.manual_seed(1), numpy.random.seed(1)
drawn = numpy.zeros(4)
with rla.run(task="own", log_root=os.environ["ROOT"], backup="none", writers=["csv"], resume=os.environ.get("RESUME")):
    saving = RLACallback(state={"drawn": drawn}, log_throughput=False, log_lr=False)
    trainer = trainer_of("ddp_fork", RLALogger(), [saving])
    trainer.fit_loop.max_epochs = 4
    trainer.fit(Drawing(), ckpt_path="last")
"""


def test_a_state_of_two_ranks_goes_on_exactly(place):
    """ddp, kill -9 of rank zero: weights, rows, objects in the dict, and what rank zero draws next."""
    place.run(EXACT, ROOT="root", DIES="-1")
    code, _ = place.end(place.start(EXACT, ROOT="killed", DIES="8"))
    assert code != 0
    code, errors = place.end(place.start(EXACT, ROOT="killed", DIES="-1", RESUME="latest"))
    assert code == 0, errors[-3000:]
    (straight,), (killed,) = place.runs().values(), place.runs("killed").values()
    assert [each["step"] for each in killed["restarts"]] == [6]
    assert place.losses(killed) == place.losses(straight) and len(place.losses(killed)) == 12
    found, expected = (json.loads((place.folder / f"{root}.json").read_text()) for root in ("killed", "root"))
    assert found == expected and len(set(expected[2])) == 4
