"""LightningCLI and Fabric, in both namespaces: each in a process of its own, as a user would start it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

pytest.importorskip("lightning")
pytest.importorskip("pytorch_lightning")
pytest.importorskip("jsonargparse")

NAMESPACES = ["lightning.pytorch", "pytorch_lightning"]

# Calls of the command line one after another, and what came of each.
COMMANDS = """
import contextlib, importlib, io, json, os, sys, warnings
from pathlib import Path
namespace, calls = sys.argv[1], json.loads(sys.argv[2])
sys.argv = ["train.py"]
warnings.filterwarnings("ignore")
import torch
import rla_hooks as rla
pl = importlib.import_module(namespace)
LightningCLI = importlib.import_module(namespace + ".cli").LightningCLI

class Model(pl.LightningModule):
    def __init__(self, width: int = 3):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        self.log("loss", float(index))
        return self.layer(batch).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(3, 2))

def files():
    return {str(path) for path in Path().rglob("*") if path.is_file()}

results = {}
for name, arguments in calls.items():
    out, before = io.StringIO(), files()
    arguments = [argument.format(**results) for argument in arguments]
    lives = rla.run("lives", log_root="root", backup="none", resume="auto")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            with lives if name in ("stopped", "resumed") else contextlib.nullcontext():
                trainer = LightningCLI(Model, args=arguments).trainer
                code, logs = 0, trainer.log_dir
                if name == "stopped":
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        except SystemExit as error:
            code, logs = error.code, None
        except Exception as error:
            code, logs = f"{type(error).__name__}: {error}", None
    new = sorted(files() - before)
    config = [file for file in new if file.endswith("config.yaml")]
    results[name] = config[0] if config else ""
    print(json.dumps({"name": name, "code": code, "out": out.getvalue(), "new": new, "logs": logs}))
"""

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"]
BASE = ["fit", *QUIET, "--trainer.max_epochs=1", "--trainer.log_every_n_steps=1"]
LOGGER = ["--trainer.logger=rla_hooks.integrations.lightning.RLALogger", "--trainer.logger.log_root=root"]
LOGGER += ["--trainer.logger.backup=none"]
CALLBACK = ["--trainer.callbacks+=rla_hooks.integrations.lightning.RLACallback", "--trainer.callbacks.monitor=loss"]
TASK = "--trainer.logger.task=x"
YAML = """
trainer:
  max_epochs: 1
  log_every_n_steps: 1
  enable_progress_bar: false
  logger:
    class_path: rla_hooks.integrations.lightning.RLALogger
    init_args: {task: null, config: null, log_root: root, record: {seed: 1}, writers: [csv], backup: none, prefix: null,
                tags: [from yaml], note: x, group: g, resume: auto, independent: false}
  callbacks:
    - class_path: rla_hooks.integrations.lightning.RLACallback
      init_args: {monitor: loss, mode: max, save_last: null, figures: null}
model:
  width: 5
"""
CALLS = {
    "help": ["fit", "--help"],
    "logger help": ["fit", "--trainer.logger.help=rla_hooks.integrations.lightning.RLALogger"],
    "print": [*BASE, *LOGGER, TASK, *CALLBACK, "--print_config"],
    "fast": [*BASE, *LOGGER, TASK, *CALLBACK, "--trainer.fast_dev_run=true"],
    "first": [*BASE, *LOGGER, TASK, *CALLBACK],
    "second": [*BASE, *LOGGER, TASK],
    "again": ["fit", "--config={first}"],
    "yaml": ["fit", "--config=config_of_mine.yml"],
    "unknown": [*BASE, *LOGGER, "--trainer.logger.tsk=x"],
    "unknown of the callback": [*BASE, *LOGGER, *CALLBACK, "--trainer.callbacks.monitr=loss"],
    "wrong": [*BASE, *LOGGER, '--trainer.logger.writers=["cvs"]'],
    "stopped": [*BASE, LOGGER[0], *CALLBACK[:1]],
    "resumed": [*BASE, LOGGER[0], *CALLBACK[:1], "--trainer.max_epochs=2", "--ckpt_path=last"],
}


@pytest.fixture(scope="module", params=NAMESPACES)
def called(request, tmp_path_factory, lightning_python):
    """The results of CALLS, and the folder they were made in."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "config_of_mine.yml").write_text(YAML)
    done = lightning_python(request.param).run("-c", COMMANDS, request.param, json.dumps(CALLS), cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"name"')]
    assert [each["name"] for each in results] == list(CALLS)
    return folder, {each["name"]: each for each in results}


@pytest.mark.parametrize("name", ["help", "logger help", "print", "fast"])
def test_questions_create_nothing(called, name):
    """--help, --print_config and fast_dev_run construct the logger and the callback, and leave no file behind."""
    _, results = called
    assert results[name]["code"] in (0, None) and results[name]["new"] == []


def test_the_help_and_the_config_show_the_arguments(called):
    """With their types and defaults; the class keeps the path that the user wrote."""
    _, results = called
    assert "--trainer.logger.log_root LOG_ROOT" in results["logger help"]["out"]
    assert "unknown" not in results["logger help"]["out"]
    printed = results["print"]["out"]
    assert "class_path: rla_hooks.integrations.lightning.RLALogger" in printed and "monitor: loss" in printed


def test_a_run_from_the_command_line(called, read_rows):
    """One set of folders, config.yaml beside the metrics, the checkpoint in the run's folder."""
    folder, results = called
    assert results["first"]["code"] == 0, results["first"]["code"]
    run = _only_run(folder, results["first"])
    assert results["first"]["logs"] == str(run)
    assert {"config.yaml", "run.json", "progress.csv", "parameter.json"} <= {file.name for file in run.iterdir()}
    assert [row["loss"] for row in read_rows(run / "progress.csv") if "loss" in row] == ["0.0", "1.0", "2.0"]
    assert json.loads((run / "parameter.json").read_text()) == {"width": 3}
    name = json.loads((run / "run.json").read_text())["name"]
    checkpoints = [Path(file) for file in results["first"]["new"] if file.endswith(".ckpt")]
    assert [file.parent.as_posix() for file in checkpoints] == [f"root/checkpoint/{name}"]


def test_further_runs_do_not_collide(called):
    """SaveConfigCallback refuses a config.yaml that is there already; each run has its own, and it can be run again."""
    folder, results = called
    runs = []
    for name in ("first", "second", "again", "yaml"):
        assert results[name]["code"] == 0, results[name]["code"]
        runs.append(_only_run(folder, results[name]))
        assert (runs[-1] / "config.yaml").is_file()
    assert len(set(runs)) == 4
    labels = json.loads((runs[-1] / "labels.json").read_text())
    assert (labels["tags"], labels["note"], labels["group"]) == (["from yaml"], "x", "g"), "of the file"
    status = [json.loads((run / "run.json").read_text())["status"] for run in runs]
    assert status == ["finished"] * 4, "they end with the process"


def test_a_yaml_file_with_nulls(called):
    """null is an argument that was not given."""
    folder, results = called
    run = _only_run(folder, results["yaml"])
    content = json.loads((run / "run.json").read_text())
    assert content["task"] == "lightning" and content["writers"] == ["csv"] and content["name"].endswith("&seed=1")
    assert json.loads((run / "parameter.json").read_text()) == {"seed": 1, "width": 5}
    assert not list((run / "tb").iterdir())


def test_arguments_that_do_not_exist(called):
    """The wrong name, or the wrong value with the known ones, before anything is created."""
    _, results = called
    assert results["unknown"]["code"] == 2 and "'tsk' is not accepted" in results["unknown"]["out"]
    callback = results["unknown of the callback"]
    assert callback["code"] == 2 and "'monitr' is not accepted" in callback["out"]
    wrong = results["wrong"]["code"]
    assert "cvs" in wrong and "csv, json, log, stdout, tensorboard" in wrong
    assert not results["unknown"]["new"] + callback["new"] + results["wrong"]["new"]


def _only_run(folder, result):
    files = [Path(file) for file in result["new"]]
    runs = {folder / Path(*file.parts[:7]) for file in files if file.parts[:2] == ("root", "log")}
    assert len(runs) == 1, runs
    names = {Path(*file.parts[2:7]) for file in files}
    assert len(names) == 1, "files outside the run's folders"
    return runs.pop()


FABRIC = """
import os, signal, sys, warnings
warnings.filterwarnings("ignore")
import torch
import rla_hooks as rla
if sys.argv[1] == "pytorch_lightning":
    from lightning_fabric import Fabric
else:
    from lightning.fabric import Fabric
from rla_hooks.integrations.lightning import RLALogger

def train(logger):
    fabric = Fabric(accelerator="cpu", devices=1, loggers=logger)
    fabric.launch()
    fabric.log("a", torch.tensor(0.5))
    fabric.log("a", 1.5)
    fabric.log_dict({"a": 2.5, "b": torch.ones(1, requires_grad=True)}, step=10)
    fabric.log_dict({"late": float("nan")})
    fabric.log("late", 1, step=3)
    fabric.logger.log_hyperparams({"lr": 0.1})

logger = RLALogger(task="own", log_root="root", backup="none")
assert not os.path.exists("root")

@rla.track(task="tracked", log_root="root", backup="none")
def main(seed=1):
    logger = RLALogger()
    train(logger)
    assert logger.run is rla.current_run()

main()
train(logger)
print("logged", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_fabric(tmp_path, namespace, read_rows, lightning_python):
    """Fabric never calls finalize: the rows are on the disk at once, in a run of its own and in the tracked one."""
    done = lightning_python(namespace).run("-c", FABRIC, namespace, cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL and "logged" in done.stdout, done.stderr[-3000:]
    found = sorted((tmp_path / "root" / "log").rglob("run.json"))
    contents = {json.loads(file.read_text())["task"]: file.parent for file in found}
    assert len(found) == 2 and set(contents) == {"own", "tracked"}
    for run in contents.values():
        rows = read_rows(run / "progress.csv")
        assert [row.pop("timestamp") is not None for row in rows] == [True] * 5
        assert rows == [
            {"time-step": "0", "a": "0.5"},
            {"time-step": "1", "a": "1.5"},
            {"time-step": "10", "a": "2.5", "b": "1.0"},
            {"time-step": "11", "late": "nan"},
            {"time-step": "3", "late": "1"},
        ]
    assert json.loads((contents["tracked"] / "parameter.json").read_text()) == {"seed": 1, "lr": 0.1}
    assert json.loads((contents["own"] / "parameter.json").read_text()) == {"lr": 0.1}


def test_a_run_that_goes_on_keeps_the_config_of_each_life(called):
    """LightningCLI ends a fit that would write over its config.yaml: that of the life before has another name."""
    folder, results = called
    assert results["resumed"]["code"] == 0, results["resumed"]["code"]
    assert results["resumed"]["logs"] == results["stopped"]["logs"]
    logs = folder / results["resumed"]["logs"]
    epochs = [(logs / name).read_text().count("max_epochs: 2") for name in ("config.1.yaml", "config.yaml")]
    assert epochs == [0, 1] and not (logs / "config.2.yaml").exists()
