"""Copies of the logger and of the callback stay with their run: nothing is truncated, and they end nothing."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import pytest

pl = pytest.importorskip("lightning.pytorch")
cloudpickle = pytest.importorskip("cloudpickle")
import torch  # noqa: E402
from rla_hooks.integrations.lightning_pytorch import RLACallback, RLALogger  # noqa: E402

import rla_hooks as rla  # noqa: E402
from rla_hooks import testing  # noqa: E402

COPIES = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "cloudpickle": lambda thing: cloudpickle.loads(cloudpickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
}


class Model(pl.LightningModule):
    def __init__(self, hook=None):
        super().__init__()
        self.hook = hook
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        self.log("loss", float(index))
        return self.layer(batch).mean()

    def on_train_batch_end(self, outputs, batch, index):
        if self.hook is not None and index == 1:
            self.hook(self.trainer)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(3, 2))


@pytest.fixture(params=COPIES)
def copied(request):
    return COPIES[request.param]


@pytest.fixture(autouse=True)
def _own_process(quiet):
    """Runs that a logger made by itself end with the process, which is the end of the test here."""
    warnings.filterwarnings("ignore", module="lightning")
    yield
    testing.reset()


def _logger():
    return RLALogger(task="t", log_root="root", backup="none", writers=["csv", "tensorboard"])


def _fit(logger, callbacks=(), hook=None, epochs=1):
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        log_every_n_steps=1,
        logger=logger,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Model(hook))
    return trainer


def _callback(**options):
    return RLACallback(log_lr=False, log_throughput=False, **options)


def _only_run(tmp_path):
    [run_json] = (tmp_path / "root" / "log").rglob("run.json")
    return run_json.parent, json.loads(run_json.read_text())


def _steps(read_rows, folder, key="loss"):
    return [row["time-step"] for row in read_rows(folder / "progress.csv") if key in row]


def test_a_copy_before_use_has_the_same_run(tmp_path, copied, read_rows):
    """Copying creates nothing; copy and original, whichever starts it, append to one run."""
    logger = _logger()
    other = copied(logger)
    assert other.log_dir == logger.log_dir and other.version == logger.version and not (tmp_path / "root").exists()
    _fit(other)
    logger.log_metrics({"mine": 1.0})
    other.log_metrics({"theirs": 2.0}, step=7)
    logger.finalize("success")
    other.finalize("success")
    folder, content = _only_run(tmp_path)
    assert _steps(read_rows, folder) == ["0", "1", "2"] and _steps(read_rows, folder, "theirs") == ["7"]
    assert _steps(read_rows, folder, "mine") == ["3"], "the original counts on from the rows that it finds"
    assert content["rows"] == 5 and content["last"]["mine"] == 1.0 and content["status"] == "running"


def test_a_copy_during_a_fit(tmp_path, copied, read_rows, read_scalars):
    """Out of a hook, with files open: nothing is truncated, both go on, the copy ends nothing."""
    copies = []

    def hook(trainer):
        other = copied(trainer.logger)
        copies.append((other, copied(trainer.checkpoint_callback)))
        other.log_metrics({"a late key": 1.0}, step=50)
        other.finalize("success")

    _fit(_logger(), [_callback()], hook)
    folder, content = _only_run(tmp_path)
    assert _steps(read_rows, folder) == ["0", "1", "2"] and _steps(read_rows, folder, "a late key") == ["50"]
    assert content["rows"] == 4 and content["status"] == "running" and content["ended"] is None
    assert read_scalars(folder / "tb")["loss"] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    other, callback = copies[0]
    other.run.finish()
    assert _only_run(tmp_path)[1]["status"] == "running", "the run is the original's to end"
    assert callback.dirpath == str(other.run.checkpoint_dir)


def test_a_copy_after_a_fit(tmp_path, copied, read_rows):
    """It fits again, in the same run: rows are appended, the checkpoints of the first fit stay."""
    logger, callback = _logger(), _callback(save_top_k=-1)
    _fit(logger, [callback])
    other, other_callback = copied((logger, callback))
    _fit(other, [other_callback], epochs=2)
    folder, content = _only_run(tmp_path)
    assert _steps(read_rows, folder) == ["0", "1", "2", "0", "1", "2", "3", "4", "5"] and content["rows"] == 9
    saved = {file.name for file in (tmp_path / "root" / "checkpoint").rglob("*.ckpt")}
    assert saved >= {"epoch=0-step=3.ckpt", "epoch=1-step=6.ckpt"}


def test_a_failure_of_a_copy_is_one_of_the_run(tmp_path, copied):
    """And the original's next save does not take it back."""
    logger = _logger()
    _fit(logger)

    def hook(trainer):
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        _fit(copied(logger), hook=hook)
    logger.log_metrics({"loss": 1.0})
    logger.finalize("success")
    logger.run.finish()
    content = _only_run(tmp_path)[1]
    assert content["status"] == "failed" and "ValueError: boom" in content["error"]
    assert content["rows"] == 3 + 1 + 1 and content["ended"] is not None


def test_copies_inside_a_tracked_run(tmp_path, copied, read_rows):
    """They belong to it, and the tracked function ends it."""

    @rla.track(task="t", log_root="root", backup="none", writers=["csv"])
    def main(lr=0.5):
        logger, callback = copied((RLALogger(), _callback()))
        _fit(logger, [callback])
        rla.log({"mine": 1.0}, step=9)
        return logger

    logger = main()
    folder, content = _only_run(tmp_path)
    assert content["status"] == "finished" and content["rows"] == 4
    logger.finalize("success")
    logger.log_hyperparams({"late": 1})
    assert _only_run(tmp_path)[1]["status"] == "finished"
    assert json.loads((folder / "parameter.json").read_text()) == {"lr": 0.5, "late": 1}
    assert _steps(read_rows, folder) == ["0", "1", "2"]


def test_a_callback_without_logger(tmp_path, copied):
    """Copied before its first fit it has the run that the original would have made."""
    callback = _callback()
    other = copied(callback)
    assert not (tmp_path / "rla_data").exists()
    _fit(False, [other])
    _fit(False, [callback])
    assert len(list((tmp_path / "rla_data" / "log").rglob("run.json"))) == 1
    assert other.dirpath == callback.dirpath


def test_a_copy_in_another_process(tmp_path, read_rows, lightning_python):
    """A worker appends; the run ends with the process that made it."""
    logger = _logger()
    logger.log_metrics({"a": 1.0}, step=0)
    (tmp_path / "logger.pkl").write_bytes(pickle.dumps(logger))
    code = """
import pickle
logger = pickle.load(open("logger.pkl", "rb"))
logger.log_metrics({"b": 2.0}, step=1)
logger.log_hyperparams({"added": 1})
"""
    done = lightning_python().run("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    logger.log_metrics({"c": 3.0}, step=2)
    logger.log_hyperparams({"more": 2})
    logger.finalize("success")
    folder, content = _only_run(tmp_path)
    rows = [set(row) - {"timestamp", "time-step"} for row in read_rows(folder / "progress.csv")]
    assert rows == [{"a"}, {"b"}, {"c"}] and content["status"] == "running"
    assert content["last"] == {"a": 1.0, "b": 2.0, "c": 3.0} and content["rows"] == 3
    assert json.loads((folder / "parameter.json").read_text()) == {"added": 1, "more": 2}
