"""RLATracker: real trainings with an Accelerator, in one process and in two, and what is left of them."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs are forked")

MODULES = ("transformers.trainer", "transformers.models.gpt2.modeling_gpt2")  # as in test_transformers.py

TRAINING = """
import os, signal, sys
import numpy, torch
from accelerate import Accelerator
import rla_hooks as rla
from rla_hooks.integrations.accelerate import RLATracker

torch.set_num_threads(1)

def train(tracker, steps=4, at=None, act=None):
    accelerator = Accelerator(cpu=True, log_with=tracker)
    accelerator.init_trackers("line", config={"lr": 0.1, "net": {"width": 1}})
    torch.manual_seed(0)
    layer = torch.nn.Linear(1, 1)
    model, optimizer = accelerator.prepare(layer, torch.optim.SGD(layer.parameters(), lr=0.1))
    x = torch.linspace(-1, 1, 8)[:, None]
    losses = []
    for step in range(steps):
        loss = (model(x) - 2 * x).pow(2).mean()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        accelerator.log({"loss": loss, "parts": {"a": 1, "note": "text"}, "bad": float("nan")}, step=step)
        if step == at:
            act()
    return accelerator, losses
"""


@pytest.fixture(scope="session")
def start(warm):
    """Starts a program with that training in a folder, in whose ``root`` its runs are."""
    for name in ("torch", "transformers", "accelerate"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"there is no {name}")
    bare = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}

    def start(folder, body, *arguments, **environment):
        (folder / "rla_config.yaml").write_text("LOG_ROOT: root\nPROJECT_TYPE: {backup_code_by: none}\n")
        (folder / "program.py").write_text(TRAINING + body)
        return warm(*MODULES).start("program.py", *arguments, cwd=folder, env={**bare, **environment})

    return start


OWN = """
tracker = RLATracker(task="own", tags=["sketch"])
assert not os.path.exists("root") and tracker.tracker.log_dir is not None
accelerator, losses = train(tracker)
images = numpy.random.default_rng(0).random((2, 8, 8, 3))
accelerator.get_tracker("rla_hooks").log_images({"two": images, "one": images[:1]}, step=3)
from PIL import Image
accelerator.get_tracker("rla_hooks").log_images({"bare": Image.new("RGB", (8, 8))}, step=3)
from argparse import Namespace
accelerator.get_tracker("rla_hooks").store_init_configuration(Namespace(depth=2))
assert accelerator.get_tracker("rla_hooks", unwrap=True) is tracker.tracker
accelerator.log({"late": 1}, step=4, log_kwargs={"rla_hooks": {"foo": 1, "wait": True}})
accelerator.end_training()
run = tracker.tracker
print(run.status, run.task_name)

with rla.run(task="open") as opened:
    accelerator, losses = train(RLATracker(), 2)
    assert accelerator.get_tracker("rla_hooks", unwrap=True) is opened
    accelerator.end_training()
    print(opened.status)
    rla.log({"after": 1.0}, step=9)
print(losses)

try:
    RLATracker().on_init_end()
except rla.ConfigError as error:
    print(error)
try:
    RLATracker("name", writer="csv")
except rla.ConfigError as error:
    print(error)
print(RLATracker("by name").tracker.task_name, RLATracker("no", task="given").tracker.task_name)
try:
    from accelerate.tracking import register_tracker_class
except ImportError:  # accelerate 1.14 and older
    pass
else:
    register_tracker_class(RLATracker)
    train("rla_hooks", 1)[0].end_training()
"""


def test_a_training(start, tmp_path):
    """Rows, config, images; a run of its own ends by end_training, one that is open goes on."""
    done = start(tmp_path, OWN).ended(100)
    assert done.returncode == 0, done.stderr
    own, opened, *named = rla.runs(tmp_path / "root")
    said = done.stdout.splitlines()
    assert "finished own" in said and "running" in said and "by name given" in said
    assert "time-step" not in done.stdout.partition("finished own")[0], "a table for each row breaks progress bars"
    assert "from rla_hooks.integrations.transformers import RLACallback" in done.stdout
    assert "unknown argument 'writer'" in done.stdout and "Did you mean 'writers'?" in done.stdout
    rows = own.metrics()
    assert rows["time-step"].tolist() == [0, 1, 2, 3, 4] and rows["parts/note"].tolist()[:4] == ["text"] * 4
    assert rows["parts/a"].count() == 4 and rows["bad"].count() == 0 and rows["late"].tolist()[4] == 1
    assert (
        own.hparams == {"lr": 0.1, "net.width": 1, "depth": 2} and own.tags == ["sketch"] and own.status == "finished"
    )
    images = sorted(path.relative_to(own.results_dir).as_posix() for path in own.results_dir.rglob("*.png"))
    assert images == ["bare-3.png", "one-3.png", "two/0-3.png", "two/1-3.png"]
    (note,) = own.info["warnings"]
    assert "no argument 'foo'" in note["text"]
    losses = next(line for line in said if line.startswith("["))
    assert str(opened.metrics()["loss"].tolist()[:2]) == losses and opened.metrics()["after"].count() == 1
    assert opened.status == "finished"
    assert [(run.task, run.status, len(run.metrics())) for run in named] in ([], [("line", "finished", 1)])


ENDS = """
def fail():
    raise ValueError("diverged")

acts = {"kill": lambda: os.kill(os.getpid(), signal.SIGKILL), "raise": fail, "term": lambda: os.kill(os.getpid(), 15)}
train(RLATracker(task="own"), at=2, act=acts[sys.argv[1]])
"""


@pytest.mark.parametrize(("how", "status"), [("kill", "killed"), ("raise", "failed"), ("term", "interrupted")])
def test_a_training_that_does_not_end_well(start, tmp_path, how, status):
    """What was logged is there, and how it ended."""
    done = start(tmp_path, ENDS, how).ended(100)
    (run,) = rla.runs(tmp_path / "root")
    assert (run.status, run.metrics()["loss"].count(), run.hparams["lr"]) == (status, 3, 0.1), done.stderr
    assert done.returncode == {"kill": -signal.SIGKILL, "raise": 1, "term": -signal.SIGTERM}[how]


RANKS = """
tracker = RLATracker(task="ranks")
accelerator, losses = train(tracker)
tracker.log_images({"one": numpy.zeros((1, 4, 4, 3))}, step=3)
print(accelerator.process_index, tracker.tracker.is_writing)
accelerator.end_training()
"""


def test_the_main_process_writes(start, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    both = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true"}
    ranks = [start(tmp_path, RANKS, RANK=str(rank), LOCAL_RANK=str(rank), **both) for rank in (0, 1)]
    ended = [rank.ended() for rank in ranks]
    assert [rank.returncode for rank in ended] == [0, 0], ended[0].stderr + ended[1].stderr
    assert "0 True" in ended[0].stdout and "1 False" in ended[1].stdout
    (run,) = rla.runs(tmp_path / "root")
    assert run.metrics()["time-step"].tolist() == [0, 1, 2, 3] and run.status == "finished"
