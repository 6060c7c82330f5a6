"""Programs in rla_programs/ with the calls of public RLA programs, run with their import lines changed only.

Each test names the repository whose calls, in their order, its program makes; the programs are our own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy
import pandas
import pytest

import rla_hooks as rla

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "rla_programs"
CHANGE_LINES = re.search("```bash\n(.*?)```", (ROOT / "docs" / "rla.md").read_text(), re.S)[1]  # what the page says
CONFIG = """
PROJECT_TYPE:
  backup_code_by: 'source'
BACKUP_CONFIG:
  lib_dir: './build/lib/'
  backup_code_dir:
    - 'algo'
    - './run_scripts'
LOG_USED:
  - 'stdout'
  - 'log'
  - 'csv'
  - 'tensorboard'
DL_FRAMEWORK: '{framework}'
SEND_LOG_FILE: False
REMOTE_SETTING:
  ftp_server: ''
  username: ''
  password: ''
  remote_log_root: ''
"""


class Project:
    """A user's project with programs, a package, and RLA's config; it plays programs in a warm Python."""

    def __init__(self, folder, python, framework):
        self.folder, self.python = folder, python
        for name in ("algo", "run_scripts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "algo" / "net.py").write_text("SIZE = 4\n")
        (folder / ".gitignore").write_text("log/\n")
        (folder / "rla_config.yaml").write_text(CONFIG.format(framework=framework))

    def play(self, name, *arguments, cwd="."):
        """Run a program with its import lines changed; return the finished process."""
        folder = self.folder / "run_scripts"
        shutil.copy(PROGRAMS / name, folder)
        subprocess.run(["bash", "-ec", CHANGE_LINES], cwd=folder, check=True, timeout=60)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
        environment = {**kept, "MPLBACKEND": "agg", "PYTHONPATH": ""}  # as in a user's shell
        done = self.python.run(folder / name, *arguments, cwd=self.folder / cwd, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    def runs(self, root="."):
        """All runs of a data root, the oldest first; each has ended well, and has the project's code."""
        found = sorted(rla.runs(self.folder / root), key=lambda run: run.started)
        for run in found:
            assert (run.status, run.problems) == ("finished", ())
            assert (run.code_dir / "algo" / "net.py").read_text() == "SIZE = 4\n"
        return found


@pytest.fixture
def project(tmp_path):
    """Makes a Project: ``project(python, "torch")``."""
    return lambda python, framework="tensorflow": Project(tmp_path / "project", python, framework)


@pytest.fixture
def columns(read_rows):
    """The steps and values of each column of a run's rows: ``{"loss": [(0, 1.5), ...]}``."""

    def read(run):
        found = {}
        for row in read_rows(run.log_dir / "progress.csv"):
            for key in row.keys() - {"time-step", "timestamp"}:
                found.setdefault(key, []).append((int(row["time-step"]), float(row[key])))
        return found

    return read


def record_date(run):
    """The date of a run as RLA's users name it: 2026/11/28/11-03-04-756582."""
    return re.search(r"\d{4}/\d\d/\d\d/[\d-]+", run.name)[0]


def printed(done, start):
    """The words after the start of the line that a program has printed."""
    return re.search(f"^{start} (.*)$", done.stdout, re.M)[1].split()


def test_maple(project, keras_python, columns):
    """xionghuichen/MAPLE: a run that continues a former one by its loader ends where an uninterrupted one does."""
    it = project(keras_python)
    it.play("maple.py", "--penalty_coeff", "0.5", cwd="run_scripts")
    (first,) = it.runs()
    assert "run_params.seed=1" in first.name and first.task == "v2_d4rl.hopper_medium"
    assert first.hparams["environment_params.training.domain"] == "hopper" and first.hparams["penalty_coeff"] == 0.5
    assert [step for step, _ in columns(first)["perf/AverageReturn"]] == [0, 1, 2, 3]
    assert [each.step for each in first.checkpoints()] == [3]
    date = record_date(first)
    words = ["--loaded_task_name", first.task, "--loaded_date", date, "--n_epochs", "6"]
    done = it.play("maple.py", *words, cwd="run_scripts")
    _, second = it.runs()
    assert (second.hparams["penalty_coeff"], second.hparams["n_epochs"]) == (0.5, 6)
    whole = it.play("maple.py", "--n_epochs", "6", cwd="run_scripts")
    *_, third = it.runs()
    assert printed(done, "weights") == printed(whole, "weights")
    assert columns(second) == columns(third) and second.info["rows"] == 6
    assert [each.step for each in second.checkpoints()] == [5]


def test_mopo(project, torch_python, columns):
    """xionghuichen/mopo: the words of 2020, with moving averages, and hyper-parameters that are functions."""
    it = project(torch_python)
    done = it.play("mopo.py", "--env", "walker2d")
    (run,) = it.runs()
    assert run.record == {"info": "", "seed": 88, "env": "walker2d"} and run.hparams["hidden_sizes"] == [200, 200]
    found = columns(run)
    assert {f"{kind}/{i}" for kind in "MV" for i in range(3)} | {"loss", "best"} <= found.keys()
    losses = [value for _, value in found["loss"]]
    means = numpy.mean([[value for _, value in found[f"M/{i}"]] for i in range(3)], axis=0)
    assert [step for step, _ in found["M/0"]] == [2, 3, 4, 5]  # where it has three values
    assert means == pytest.approx([numpy.mean(losses[n : n + 3]) for n in range(4)], rel=1e-5)
    assert numpy.load(run.log_dir / "walker2d-mixed_3.npy").shape == (40, 3)
    log = (run.log_dir / "log.txt").read_text()
    assert "the model is saved as walker2d-mixed_3.npy" in log and str(run.results_dir) in log
    assert (run.code_dir / "run_scripts" / "mopo.py").exists() and "SEND_LOG_FILE" in done.stderr + done.stdout


def test_galileo(project, keras_python, columns):
    """xionghuichen/GALILEO, run_scripts/main.py and policy_learning.py: a model, and a policy that is learned in it."""
    it = project(keras_python)
    it.play("galileo.py", "--info", "first model", "--no-zero_mean", cwd="run_scripts")
    (model,) = it.runs("RLA_LOG")
    assert model.record == {"info": "first model", "seed": 3, "data_type": "gnfc", "horizon": 10, "max_kl": 0.001}
    assert model.hparams["zero_mean"] is False and model.task == "gnfc-v4"
    found = columns(model)
    assert [step for step, _ in found["grad/original_g_norm"]] == [0, 20, 40]
    assert [step for step, _ in found["trpo/kl"]] == [*range(41)]
    assert {"time_used/rollout", "time_used/iter"} <= found.keys()
    assert [each.step for each in model.checkpoints()] == [40]
    figures = sorted(path.name for path in model.results_dir.rglob("*.png"))
    assert len(figures) == 3 and all("delta_response" in name for name in figures)

    words = ["--loaded_task_name", model.task, "--loaded_date", record_date(model)]
    done = it.play("galileo_policy.py", *words, cwd="run_scripts")
    (policy,) = it.runs()
    assert printed(done, "model horizon") == ["10"]
    *ones, _, a, b, c = printed(done, "policy begins as")
    saved = _variables(rla.latest_checkpoint(model))
    assert ones == ["1.0", "1.0", "1.0"] and [float(a), float(b), float(c)] == saved["mle/dm_net/w"]
    found = columns(policy)
    assert [step for step, _ in found["episodes"]] == [9, 19, 29] and len(found["perf/std"]) == 1
    assert [step for step, _ in found["sac-train/loss"]] == [9, 19, 29]
    pictures = {path.name: _picture(path) for path in (policy.results_dir / "imgs").iterdir()}
    assert pictures == {"9-9-1.png": (12, 8, 20), "19-19-2.png": (12, 8, 40), "29-29-3.png": (12, 8, 60)}


def _variables(path):
    tensorflow = pytest.importorskip("tensorflow")
    prefix = next(path.glob("*.index")).with_suffix("") if path.is_dir() else path
    reader = tensorflow.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name).ravel().tolist() for name in reader.get_variable_to_shape_map()}


def _picture(path):
    """Width, height, and the brightness of a picture of one colour."""
    from PIL import Image

    with Image.open(path) as image:
        (brightness,) = numpy.unique(image.convert("L"))
        return (*image.size, brightness)


def test_codas(project, keras_python, columns):
    """xionghuichen/CODAS: a TF1 graph, lines on the log, curves and histograms, and folders as strings."""
    it = project(keras_python)
    it.play("codas.py", "--gan_loss", "wgan", cwd="run_scripts")
    (run,) = it.runs()
    assert run.task == "codas-InvertedDoublePendulum-v5v2" and run.hparams["gan_loss"] == "wgan"
    found = columns(run)
    assert found["loss/dis"] == found["loss/list"] and len(found["loss/dis"]) == 20
    best = min(found["loss/dis"], key=lambda each: abs(each[1]))[0]
    assert [each.step for each in run.checkpoints()] == [best]
    assert {"losses.png", "samples.png"} <= {path.name for path in run.results_dir.rglob("*.png")}
    assert numpy.load(run.results_dir / "imgs" / "samples.npy").shape == (32, 2)
    assert "norm min [" in (run.log_dir / "log.txt").read_text()


def test_ddt(project, torch_python, columns):
    """xionghuichen/Deep-Demonstration-Tracing: configured before its parameters, times, values that no csv has."""
    it = project(torch_python, "torch")
    it.play("ddt.py")
    (run,) = it.runs("data")
    assert run.record["multi_map"] is False and run.record["obstacle_prob"] is None
    assert (run.results_dir / "configs.yml").read_text() == "batch_size: 8\nenv_name: maze\nseed: 7\n"
    found = columns(run)
    assert [step for step, _ in found["mt_train_train_return"]] == [9, 19, 29, 39]
    assert [step for step, _ in found["mean_reward"]] == [*range(9, 40, 5)]
    assert "mt_train_loss" in found and not [key for key in found if "train_task_0" in key or "scene_" in key]
    assert numpy.load(run.results_dir / "imgs" / "buffer.npy").shape == (40, 3)
    tags = {tag for tag, *_ in _scalars(run)}
    assert {"mt_train_loss/train_task_0", "mt_train_train_return/scene_", "mean_reward"} <= tags
    assert "time_used/total calls/policy learning" in tags  # which no csv has either


def _scalars(run):
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    for path in sorted(run.tensorboard_dir.glob("*tfevents*")):
        for event in loader.LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                yield value.tag, event.step


def test_dagger(project, torch_python, columns):
    """sorceryyy/nju_rl_hw1: curves with clocks of their own, and checkpoints with related variables."""
    it = project(torch_python, "pytorch")
    done = it.play("dagger.py")
    (run,) = it.runs("rslts")
    found = columns(run)
    assert [step for step, _ in found["train_loss"]] == [*range(1, 13)]
    assert [step for step, _ in found["train_epoch_loss"]] == [0, 1, 2, 3]
    assert [step for step, _ in found["eval/reward"]] == [-1, 1, 3, 4]
    assert [each.step for each in run.checkpoints()] == [1, 3]
    assert printed(done, "last checkpoint") == ["3", "2", "4"]
    assert sorted(path.name for path in run.results_dir.glob("values-*.png")) == ["values-1.png", "values-3.png"]
    assert rla.load_checkpoint(run=run)[1]["model"]["weight"].shape == (2, 4)


def test_ilkit(project, torch_python, columns):
    """BepfCp/ilkit: RLA's objects in a class of the project, nested parameters, and checkpoints by torch itself."""
    it = project(torch_python, "torch")
    it.play("ilkit.py")
    (run,) = it.runs("logs")
    assert run.record == {"env.name": "HalfCheetah-v3", "agent.algo": "bc", "seed": 5} and run.task == "ilkit/bc"
    found = columns(run)
    assert found.keys() >= {"loss/actor", "loss/entropy"} and run.info["rows"] == 11
    assert found["loss/actor"][-1][1] < found["loss/actor"][0][1]
    assert sorted(path.name for path in run.checkpoint_dir.glob("*.pt")) == [
        "policy_0.pt",
        "policy_10.pt",
        "policy_5.pt",
    ]


def test_quadrotor(project, keras_python, columns):
    """Projects with Crazyflie quadrotors in Stable-Baselines3, as in RLA's sb3_ppo_example: its logger is RLA's."""
    pytest.importorskip("stable_baselines3")
    it = project(keras_python, "torch")  # where TensorFlow is imported already, which SB3 does for TensorBoard
    done = it.play("quadrotor.py", "--info", "sb3")
    (run,) = it.runs()
    assert run.record == {"info": "sb3", "seed": 18, "env": "CartPole-v1"}
    found = columns(run)
    assert [step for step, _ in found["time/iterations"]] == [64, 128, 192]
    assert {"rollout/ep_rew_mean", "train/loss", "train/explained_variance"} <= found.keys()
    assert (run.log_dir / "ppo_quadrotor.zip").exists() and (run.checkpoint_dir / "ppo_vec_normalize.pkl").exists()
    assert float(printed(done, "mean reward")[0]) > 0


def test_lightning(project, lightning_python, columns):
    """A Lightning logger of the project's own around RLA's, as on GitHub; and RLA's constants by a star import."""
    it = project(lightning_python(), "torch")
    it.play("lightning_logger.py")
    (run,) = it.runs()
    assert [step for step, _ in columns(run)["train/loss"]] == [1, 3, 5, 7, 9, 11]
    assert (it.folder / "log" / "last.txt").read_text().rstrip("/") == str(run.log_dir)
    assert rla.load_checkpoint(run=run)[1]["model"]["layer.weight"].shape == (1, 3)


def test_import_lines_of_every_form(tmp_path):
    """The page's command changes them, and nothing else; another package whose name begins so stays."""
    lines = {
        "from RLA import logger  # the logger": "from rla_hooks import logger  # the logger",
        "\tfrom RLA.easy_log import *": "\tfrom rla_hooks.easy_log import *",
        "import RLA": "import rla_hooks as RLA",
        "import RLA.easy_log.logger": "import rla_hooks.easy_log.logger, rla_hooks as RLA",
        "    import RLA.easy_log.logger as log": "    import rla_hooks.easy_log.logger as log",
        "import RLAlgorithm": "import RLAlgorithm",
        "from RLA2.x import y": "from RLA2.x import y",
        "print('from RLA')": "print('from RLA')",
    }
    (tmp_path / "a b.py").write_text("\n".join(lines) + "\n")
    (tmp_path / "c.py").write_text("\n".join(lines) + "\n")
    subprocess.run(["bash", "-ec", CHANGE_LINES], cwd=tmp_path, check=True, timeout=60)
    for name in ("a b.py", "c.py"):
        assert (tmp_path / name).read_text().splitlines() == [*lines.values()]


def test_citylearn(project, torch_python):
    """A CityLearn evaluation on GitHub: the logger alone, in a folder of its own; a dict and a frame stop nothing."""
    it = project(torch_python)
    done = it.play("citylearn.py")
    folder = it.folder / "rla_logs"
    assert printed(done, "folder")[0].endswith("rla_logs") and not (it.folder / "log").exists()
    frame = pandas.read_csv(folder / "progress.csv")
    loads = numpy.random.RandomState(0).normal(5, 1, [24, 2])
    assert frame["load"].dropna().tolist() == pytest.approx(loads.sum(1).tolist(), rel=1e-6)
    assert frame["load_mean"].dropna().tolist() == pytest.approx(loads.mean(1).tolist(), rel=1e-6)
    assert "the result:" in (folder / "log.txt").read_text()
