"""Trainings of a second, in both namespaces of Lightning and in Keras 3 and 2, and readers of what they left."""

from __future__ import annotations

import importlib
import json
import os
import random
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.core import process_end, registry
from rla_hooks.figures import learning_curve

NAMESPACES = ["pytorch_lightning", "lightning.pytorch"]


@pytest.fixture(scope="module", params=NAMESPACES)
def namespace(request):
    """One of Lightning's two trees of classes: ``pl``, ``RLALogger``, ``RLACallback``, and what is made from them."""
    pl = pytest.importorskip(request.param)
    hooks = importlib.import_module(f"rla_hooks.integrations.{request.param.replace('.', '_')}")
    return SimpleNamespace(
        name=request.param,
        pl=pl,
        RLALogger=hooks.RLALogger,
        RLACallback=hooks.RLACallback,
        Module=_module_class(pl),
        Spy=_spy_class(pl),
        loader=_loader,
        trainer=lambda **options: _trainer(pl, **options),
        logger=lambda **options: hooks.RLALogger(**{"log_root": "root", "backup": "none", **options}),
    )


@pytest.fixture(scope="session")
def lightning_python(warm):
    """Runs programs where one namespace of Lightning is imported already, which takes six seconds."""

    def of(namespace="lightning.pytorch"):
        pytest.importorskip(namespace)
        return warm(namespace)

    return of


@pytest.fixture(scope="session")
def keras_python(warm):
    """Runs programs where TensorFlow, Keras 3 and Keras 2 are imported already, which takes eight seconds."""
    for module in ("tensorflow", "keras", "tf_keras"):
        pytest.importorskip(module)
    return warm("tensorflow", "keras", "tf_keras")


@pytest.fixture
def here(tmp_path, monkeypatch, clean_environment):
    """An empty working directory whose runs, also those without a log_root, live in ``root`` and back up no code."""
    clean_environment(monkeypatch)
    with _at_home(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.fixture(scope="module")
def shared_home(namespace, tmp_path_factory, clean_environment):
    """The same for a training whose files several tests read."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        clean_environment(monkeypatch)
        with _at_home(tmp_path_factory.mktemp("shared"), monkeypatch) as folder:
            yield folder


@contextmanager
def _at_home(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (tmp_path / "rla_config.yaml").write_text(
        f"LOG_ROOT: {folder / 'root'}\nPROJECT_TYPE: {{backup_code_by: none}}\n", encoding="utf-8"
    )
    yield folder
    testing.reset()


@pytest.fixture
def end_of_process():
    """Does to open runs what the end of the process does."""
    return lambda: process_end.end_all(registry.ending_runs)


@pytest.fixture
def runs(here):
    """Gives the runs that stand on the disk, oldest first."""
    return lambda: rla.runs(here / "root") if (here / "root").exists() else []


@pytest.fixture
def only_run(runs):
    """Gives the one run on the disk."""

    def read():
        found = runs()
        assert len(found) == 1, [run.name for run in found]
        assert found[0].problems == ()
        return found[0]

    return read


@pytest.fixture(scope="session")
def disk():
    """Reads what lies on the disk: ``files`` below a folder, the ``manifest`` of a run, its ``checkpoints``."""

    def files(folder) -> list[str]:
        return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if not path.is_dir())

    def manifest(run) -> list[str]:
        try:
            content = json.loads((run.checkpoint_dir / "manifest.json").read_text())
        except FileNotFoundError:
            return []
        return [entry["file"] for entry in content["checkpoints"]]

    def checkpoints(run) -> list[str]:
        return [name for name in files(run.checkpoint_dir) if name != "manifest.json"]

    return SimpleNamespace(files=files, manifest=manifest, checkpoints=checkpoints)


# --- the training -----------------------------------------------------------------------------------------------------


def _loader(batches=4, batch_size=2):
    import torch

    data = torch.arange(batches * batch_size * 3, dtype=torch.float32).reshape(-1, 3) / 10
    return torch.utils.data.DataLoader(data, batch_size=batch_size)


def _trainer(pl, **options):
    import logging

    logging.getLogger(pl.__name__).setLevel(logging.ERROR)
    quiet = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False, "enable_model_summary": False}
    return pl.Trainer(**{"max_epochs": 1, "log_every_n_steps": 1, **quiet, **options})


def _module_class(pl):
    import torch

    class Module(pl.LightningModule):
        """Logs what a test may want. ``at``: a hook's name, at which ``act`` is called."""

        def __init__(self, lr=0.1, width=3, at="", act=None, logs=True, logs_epoch_only=False, hparams=True):
            super().__init__()
            torch.manual_seed(0)
            if hparams:
                self.save_hyperparameters("lr", "width")
            self.lr, self.at, self.act, self.logs, self.epoch_only = lr, at, act, logs, logs_epoch_only
            self.layer = torch.nn.Linear(3, 1)

        def _reached(self, hook):
            if hook == self.at:
                self.act(self)

        def forward(self, batch):
            return self.layer(batch)

        def training_step(self, batch, index):
            self._reached("training_step")
            loss = self.layer(batch).pow(2).mean()
            if self.logs:
                self.log("loss", loss, on_step=not self.epoch_only, on_epoch=True)
                self.log("count", float(index), on_step=not self.epoch_only, on_epoch=self.epoch_only)
            return loss

        def validation_step(self, batch, index):
            self._reached("validation_step")
            if self.logs:
                self.log("val_loss", self.layer(batch).pow(2).mean(), on_step=True, on_epoch=True)

        def test_step(self, batch, index):
            if self.logs:
                self.log("test_loss", self.layer(batch).pow(2).mean())

        def predict_step(self, batch, index):
            return self.layer(batch)

        def setup(self, stage):
            self._reached("setup")

        def on_fit_start(self):
            self._reached("on_fit_start")

        def on_train_epoch_end(self):
            self._reached("on_train_epoch_end")

        def train_dataloader(self):
            self._reached("train_dataloader")
            return _loader()

        def val_dataloader(self):
            return _loader(2)

        def test_dataloader(self):
            return _loader(2)

        def predict_dataloader(self):
            return _loader(1)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=self.lr / 100)

    return Module


def _spy_class(pl):
    base = importlib.import_module(f"{pl.__name__}.loggers.logger").Logger

    class Spy(base):
        """Keeps what a Trainer logs."""

        def __init__(self):
            super().__init__()
            self.rows, self.hparams, self.ends, self.handed_over = [], [], [], []

        @property
        def name(self):
            return "spy"

        @property
        def version(self):
            return "0"

        @property
        def save_dir(self):
            return os.path.abspath("spy")

        def log_metrics(self, metrics, step=None):
            self.rows.append((dict(metrics), step))
            self.handed_over.append((metrics, dict(metrics)))

        def log_hyperparams(self, params, *args, **kwargs):
            self.hparams.append(params)

        def finalize(self, status):
            self.ends.append(status)

    return Spy


# --- Keras ------------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def small_learning_curves(request, monkeypatch):
    """A learning curve has one panel, but for tests of the figure: matplotlib takes longer for six than Keras fits."""
    if "every_panel" not in request.keywords:
        monkeypatch.setattr(learning_curve, "_PANELS", 1)


@pytest.fixture(scope="session")
def keras():
    """Keras 3 on the backend of this process: the module ``keras``, ``RLACallback``, a small ``model`` and ``fit``."""
    return _keras_kit("keras")


@pytest.fixture(scope="session", params=["keras", "tf_keras"])
def any_keras(request):
    """The same for Keras 3 and for Keras 2."""
    return _keras_kit(request.param)


def _keras_kit(package):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    module = pytest.importorskip(package)
    kit = SimpleNamespace(name=package, keras=module, backend=module.backend.backend())
    kit.eager = kit.backend != "jax"  # for fits of a few batches; JAX compiles each operation for itself then
    kit.RLACallback = importlib.import_module(f"rla_hooks.integrations.{package}").RLACallback
    kit.x = numpy.random.default_rng(0).random((24, 3), "float32")
    kit.y = kit.x.sum(axis=1, keepdims=True)

    def model(optimizer=None, width=4, **options):
        """Two small layers, compiled; the same weights each time. A graph takes longer to be traced than to be used."""
        random.seed(0)  # which initializers are seeded from; set_random_seed of Keras 3.15 imports TensorFlow
        if package == "tf_keras":
            module.utils.set_random_seed(0)
        inputs = module.Input((3,)) if package == "keras" else module.layers.InputLayer((3,))
        layers = [inputs, module.layers.Dense(width, activation="tanh"), module.layers.Dense(1)]
        made = module.Sequential(layers)
        options = {"run_eagerly": kit.eager} | options
        made.compile(optimizer or module.optimizers.Adam(0.01), "mse", metrics=["mae"], **options)
        return made

    def fit(made, *callbacks, x=kit.x, y=kit.y, **options):
        """Three batches an epoch."""
        options = {"epochs": 1, "batch_size": 8, "verbose": 0, "shuffle": False, **options}
        return made.fit(x, y, callbacks=list(callbacks), **options)

    kit.model, kit.fit = model, fit
    kit.numpy = lambda variable: numpy.array(kit.RLACallback._framework.to_numpy(variable))
    kit.iterations = lambda made: int(kit.numpy(made.optimizer.iterations))
    kit.state = lambda made: [kit.numpy(each) for each in (*made.variables, *made.optimizer.variables)]
    return kit


@pytest.fixture
def rows(only_run, read_rows):
    """Gives the rows of the one run: numbers where a cell is one, without the time of day."""

    def read(*columns):
        found = [{key: _number(cell) for key, cell in row.items()} for row in read_rows(only_run().paths.progress_csv)]
        return [{key: row[key] for key in row if (key in columns if columns else key != "timestamp")} for row in found]

    return read


def _number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell
