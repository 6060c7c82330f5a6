"""Folders that the real libraries write, read back as runs, and compared with each library's own reader."""

from __future__ import annotations

import csv
import warnings
from datetime import datetime, timezone

import numpy
import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("others")


def rows_of(path, skip=0, separator=","):
    """The rows of a CSV file by Python's own reader, cells as numbers where they are some."""
    with open(path, newline="") as file:
        for _ in range(skip):
            next(file)
        return [
            {name: cell and float(cell) for name, cell in row.items()}
            for row in csv.DictReader(file, delimiter=separator)
        ]


def check_columns(run, rows, names=None):
    """Each column of the run has the cells of the file, and none where the file has an empty cell."""
    columns = run.columns()
    for name in names or rows[0]:
        values, present = columns[name]
        wanted = [row[name] for row in rows]
        assert [*(present if present is not None else [True] * len(rows))] == [cell != "" for cell in wanted]
        assert [value for value, cell in zip(values.tolist(), wanted) if cell != ""] == [c for c in wanted if c != ""]


def accumulated(path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0}, purge_orphaned_data=False)
    return found.Reload()


def scalars_of(read):
    return lambda tag: [(each.wall_time, each.step, each.value) for each in read.Scalars(tag)]


def check_scalars(run, tags, read):
    """Steps, times and values of each tag are those that TensorBoard's reader gives."""
    frame = run.metrics()
    for tag in tags:
        rows, theirs = frame[frame[tag].notna()], [*read(tag)]
        mine = list(zip(rows["timestamp"], rows["time-step"], rows[tag]))
        assert [each[1:] for each in mine] == [each[1:] for each in theirs]
        assert [each[0] for each in mine] == pytest.approx([each[0] for each in theirs], abs=1.0)  # of the row


# TensorBoard


@pytest.fixture(scope="module")
def torch_events(folder):
    torch = pytest.importorskip("torch")
    from torch.utils.tensorboard import SummaryWriter

    path = folder / "tensorboard" / "ppo"
    with SummaryWriter(str(path)) as writer:
        for step in range(20):
            writer.add_scalar("loss", 1.0 / (step + 1), step)
            writer.add_scalar("return/mean", numpy.float32(step) / 3, step, new_style=True)
        writer.add_scalar("odd", float("nan"), 3)
        writer.add_scalar("odd", float("inf"), 4)
        writer.add_text("notes", "a text", 1)
        writer.add_histogram("weights", torch.arange(10.0), 1)
        writer.add_image("frame", torch.rand(3, 8, 8), 1)
        writer.add_hparams({"lr": 0.1, "batch": 32, "optimizer": "adam"}, {"hparam/best": 0.75})
    with SummaryWriter(str(path), filename_suffix=".second") as writer:
        writer.add_scalar("loss", 7.0, 30)
        writer.add_scalar("late", 8.0, 30)
    return path


def test_scalars_of_torchs_summary_writer(torch_events):
    """Those of both files, in both forms in which a scalar is written; media are no columns."""
    (run,) = rla.runs(torch_events.parent)
    read = accumulated(torch_events)
    assert sorted(read.Tags()["scalars"]) == ["late", "loss", "odd"] and "return/mean" in read.Tags()["tensors"]
    check_scalars(run, ["loss", "late"], scalars_of(read))
    assert run.series("return/mean").tolist() == [float(numpy.float32(step) / 3) for step in range(20)]
    values, present = run.columns()["odd"]
    assert values[present].tolist() == pytest.approx([float("nan"), float("inf")], nan_ok=True)
    assert set(run.summaries) == {"late", "loss", "odd", "return/mean", "hparam/best"}
    assert (run.name, run.task, run.status, run.problems) == ("ppo", "tensorboard", "unknown", ())
    assert abs((datetime.now(timezone.utc) - run.started).total_seconds()) < 1000


def test_hyper_parameters_of_torchs_summary_writer(torch_events):
    """add_hparams puts them into a folder below the run's, which is no run of its own."""
    (run,) = rla.runs(torch_events.parent, where="optimizer == 'adam' and lr < 0.2")
    assert run.hparams == {"lr": 0.1, "batch": 32.0, "optimizer": "adam"}
    assert run.summary("hparam/best").last == 0.75


@pytest.fixture(scope="module")
def keras_folder(folder):
    keras = pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    path = folder / "keras"
    (path / "csv").mkdir(parents=True)
    (path / "two").mkdir()
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = numpy.ones((8, 2), "float32"), numpy.ones((8, 1), "float32")
    options = {"epochs": 3, "verbose": 0, "validation_split": 0.5, "batch_size": 4}
    history = model.fit(
        *(x, y),
        **options,
        callbacks=[keras.callbacks.CSVLogger(path / "csv" / "training.log"), keras.callbacks.TensorBoard(path / "tb")],
    )
    for name, separator in (("one.csv", ";"), ("two.csv", ",")):
        model.fit(x, y, **options, callbacks=[keras.callbacks.CSVLogger(path / "two" / name, separator=separator)])
    return path, history.history


def test_tables_of_keras(keras_folder):
    """The epoch is the step; floats are those of the history, bit for bit; two files in one folder are two runs."""
    path, history = keras_folder
    (run,) = rla.runs(path / "csv")
    assert run.columns()["time-step"].values.tolist() == [0, 1, 2]
    for name, values in history.items():
        assert run.columns()[name].values.tolist() == values
    check_columns(run, rows_of(path / "csv" / "training.log"))
    one, two = sorted(rla.runs(path / "two"), key=lambda run: run.name)
    assert (one.name, two.name) == ("one.csv", "two.csv")
    check_columns(one, rows_of(path / "two" / "one.csv", separator=";"))
    check_columns(two, rows_of(path / "two" / "two.csv"))


def test_event_files_of_keras(keras_folder):
    """TensorFlow 2 writes scalars as tensors; training and validation are a run each, as in TensorBoard."""
    from tensorboard.util.tensor_util import make_ndarray

    path, history = keras_folder
    runs = {run.name: run for run in rla.runs(path / "tb")}
    assert sorted(runs) == ["train", "validation"]
    for name, run in runs.items():
        read = accumulated(path / "tb" / name)
        tags = [tag for tag in read.Tags()["tensors"] if tag != "keras"]

        def scalars(tag, read=read):
            return [(each.wall_time, each.step, make_ndarray(each.tensor_proto).item()) for each in read.Tensors(tag)]

        assert set(run.summaries) == {*tags}
        check_scalars(run, tags, scalars)
    assert runs["train"].series("epoch_loss").tolist() == pytest.approx(history["loss"])


# Lightning


@pytest.fixture(scope="module")
def lightning_folder(folder):
    pl = pytest.importorskip("lightning.pytorch")
    import torch
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    class Module(pl.LightningModule):
        def __init__(self, lr=1e-3, shape=(1, 2), activation=torch.nn.ReLU, net=None):
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch, index):
            loss = self.layer(batch[0]).pow(2).mean()
            self.log("loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val/mean", 1.5)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

    data = torch.utils.data.DataLoader([torch.ones(2)] * 8, batch_size=2, collate_fn=lambda each: [torch.stack(each)])
    options = {"max_epochs": 2, "log_every_n_steps": 1, "accelerator": "cpu", "logger": None}
    options |= {"enable_progress_bar": False, "enable_model_summary": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in (CSVLogger(folder / "pl"), TensorBoardLogger(folder / "pl", "events")):
            trainer = pl.Trainer(**options | {"logger": logger})
            trainer.fit(Module(net={"width": 64}), data, data)
    return folder / "pl"


HPARAMS = {"lr": 0.001, "shape": [1, 2], "activation": "<torch.nn.modules.activation.ReLU>", "net.width": 64}


def test_metrics_of_lightnings_csv_logger(lightning_folder):
    """metrics.csv has the rows, hparams.yaml the parameters, with tags that are not followed."""
    (run,) = rla.runs(lightning_folder, name="lightning_logs*")
    rows = rows_of(lightning_folder / "lightning_logs" / "version_0" / "metrics.csv")
    check_columns(run, rows)
    assert run.columns()["time-step"].values.tolist() == [row["step"] for row in rows]
    assert run.hparams == HPARAMS and run.problems == ()
    assert (run.name, run.task) == ("lightning_logs/version_0", "lightning_logs")
    assert [path.suffix for path in run.checkpoint_dir.iterdir()] == [".ckpt"]
    assert run.summary("val/mean")[:2] == (2, 1.5)


def test_events_of_lightnings_tensorboard_logger(lightning_folder):
    """The same training in event files, with the same hparams.yaml."""
    (run,) = rla.runs(lightning_folder, name="events*")
    read = accumulated(lightning_folder / "events" / "version_0")
    assert set(run.summaries) == {*read.Tags()["scalars"]} >= {"loss", "val/mean", "epoch"}
    check_scalars(run, run.summaries, scalars_of(read))
    assert run.hparams == HPARAMS


# Stable-Baselines3


@pytest.fixture(scope="module")
def sb3_folder(folder):
    sb3 = pytest.importorskip("stable_baselines3")
    gymnasium = pytest.importorskip("gymnasium")
    from stable_baselines3.common.logger import configure
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    path = folder / "sb3" / "ppo"
    path.mkdir(parents=True)

    def made(number):
        return lambda: Monitor(gymnasium.make("CartPole-v1"), str(path / str(number)), info_keywords=())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        envs = DummyVecEnv([made(0), made(1)])
        model = sb3.PPO(
            "MlpPolicy", envs, n_steps=64, batch_size=64, n_epochs=1, seed=1, policy_kwargs={"net_arch": [4]}
        )
        model.set_logger(configure(str(path), ["csv", "tensorboard"]))
        model.learn(384)
        envs.close()
    return path


def test_progress_of_stable_baselines3(sb3_folder):
    """time/total_timesteps is the step; the event files beside it hold the same, which is not counted twice."""
    (run,) = rla.runs(sb3_folder.parent)
    rows = rows_of(sb3_folder / "progress.csv")
    frame = run.metrics(["train/loss", "time/total_timesteps"])
    assert frame["time-step"].tolist() == [128, 256, 384] == [row["time/total_timesteps"] for row in rows]
    assert frame["train/loss"].dropna().tolist() == [row["train/loss"] for row in rows if row["train/loss"] != ""]
    for name in rows[0]:
        assert run.summary(name).count == sum(row[name] != "" for row in rows)
    assert (run.name, run.task, run.hparams, run.problems) == ("ppo", "sb3", {"env_id": "CartPole-v1"}, ())


def test_monitor_of_stable_baselines3(sb3_folder):
    """Episodes of all environments in the order of their ends, as Stable-Baselines3 itself plots them."""
    from stable_baselines3.common.monitor import load_results
    from stable_baselines3.common.results_plotter import ts2xy

    (run,) = rla.runs(sb3_folder.parent)
    theirs = load_results(str(sb3_folder))
    mine = run.metrics(["r", "l", "t"])
    assert len(theirs) > 5 and sorted(mine["r"]) == sorted(theirs["r"]) and sorted(mine["l"]) == sorted(theirs["l"])
    assert mine["time-step"].tolist()[-1] == ts2xy(theirs, "timesteps")[0][-1] == theirs["l"].sum()
    assert mine["timestamp"].is_monotonic_increasing
    assert run.summary("r").max == theirs["r"].max()


# All of them


def test_one_call_lists_what_all_of_them_left(torch_events, keras_folder, lightning_folder, sb3_folder, folder):
    """Eight runs of five kinds, with one table and one frame, and TensorFlow is not needed for it."""
    runs = rla.runs(folder)
    assert sorted((run.task, run.name) for run in runs) == [
        ("keras", "keras/csv"),
        ("keras", "keras/tb/train"),
        ("keras", "keras/tb/validation"),
        ("keras", "keras/two/one.csv"),
        ("keras", "keras/two/two.csv"),
        ("pl", "pl/events/version_0"),
        ("pl", "pl/lightning_logs/version_0"),
        ("sb3", "sb3/ppo"),
        ("tensorboard", "tensorboard/ppo"),
    ]
    frame = runs.metrics(["loss"])
    assert set(frame["id"]) == {run.id for run in runs if run.summary("loss")}
    assert len(runs.table(["loss", "r"])) == 9
