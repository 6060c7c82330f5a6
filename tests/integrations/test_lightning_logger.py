"""RLALogger under the real Trainer, in both namespaces: which run, every row, hyper-parameters, pictures, the end."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import decimal
import enum
import functools
import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import rla_hooks as rla  # noqa: E402
from rla_hooks.errors import ConfigError, RLAWarning  # noqa: E402
from rla_hooks.tester import Tester  # noqa: E402

# Lightning has a warning for every small training. Ours must not come unasked.
pytestmark = pytest.mark.filterwarnings("ignore", "error::rla_hooks.errors.RLAWarning")

ADDED = ("time-step", "timestamp", "stage")


def metrics_of(run, read_rows):
    return read_rows(run.log_dir / "progress.csv")


def as_logged(rows):
    """Rows of a progress.csv as a Trainer handed them over: (metrics, step)."""
    return [({k: float(v) for k, v in row.items() if k not in ADDED}, int(row["time-step"])) for row in rows]


def events_of(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(run.tensorboard_dir), size_guidance={"tensors": 0, "images": 0, "scalars": 0})
    reader.Reload()
    return reader


# --- a whole life, read by many tests ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def life(namespace, shared_home):
    """Two fits, validate, test and predict twice, with a spy beside, gradient accumulation and a default checkpoint."""
    spy, logger = namespace.Spy(), namespace.logger(record={"info": "life"})
    before = (logger.name, logger.version, logger.save_dir, logger.log_dir, logger.root_dir)
    model = namespace.Module(lr=0.5)
    trainer = namespace.trainer(logger=[logger, spy], max_epochs=2, accumulate_grad_batches=2)
    trainer.fit(model)
    log_dir = trainer.log_dir
    for _ in range(2):
        trainer.validate(model, verbose=False)
        trainer.test(model, verbose=False)
        trainer.predict(model)
    second = namespace.trainer(logger=[logger, spy])
    second.fit(model)
    after = (logger.name, logger.version, logger.save_dir, logger.log_dir, logger.root_dir)
    status = rla.runs("root")[-1].status
    logger.experiment.finish()
    return SimpleNamespace(
        spy=spy,
        run=rla.runs("root")[-1],
        before=before,
        after=after,
        status=status,
        log_dir=log_dir,
        home=shared_home,
        trainer=trainer,
        second=second,
    )


def test_every_row_is_kept_as_the_trainer_handed_it_over(life, read_rows):
    """Steps that repeat, start again and go back, keys that differ from row to row: the spy beside saw the same."""
    rows = as_logged(metrics_of(life.run, read_rows))
    known = [(dict(metrics), step) for metrics, step in life.spy.rows]
    steps = [step for _, step in known]
    assert len(rows) == len(known) > 20
    assert steps != sorted(steps) and len(set(steps)) < len(steps)
    for (ours, our_step), (theirs, their_step) in zip(rows, known):
        ours.pop("epoch", None) if "epoch" not in theirs else None
        assert (ours, our_step) == (theirs, their_step)


def test_tensorboard_has_every_row_too(life, read_scalars):
    """Read with TensorBoard's own reader, the steps of each key are those that the spy saw."""
    scalars = read_scalars(life.run.tensorboard_dir)
    for key in ("loss_step", "loss_epoch", "val_loss_step", "val_loss_epoch", "test_loss"):
        expected = [(step, pytest.approx(row[key], rel=1e-6)) for row, step in life.spy.rows if key in row]
        assert expected and scalars[key] == expected


def test_rows_tell_epoch_and_stage(life, read_rows):
    """Each row says in which epoch and in which stage it was logged."""
    rows = metrics_of(life.run, read_rows)
    assert all("epoch" in row and "stage" in row for row in rows)
    for key, stage in (("loss_step", "train"), ("loss_epoch", "train"), ("test_loss", "test")):
        assert {row["stage"] for row in rows if key in row} == {stage}
    assert {row["stage"] for row in rows if "val_loss_step" in row} == {"validate"}
    assert {row["epoch"] for row in rows if "loss_step" in row} == {"0", "1"}


def test_the_dict_handed_over_is_left_as_it_was(life):
    """Lightning gives the same dict to all loggers; the one after us got what it should."""
    assert life.spy.handed_over and all(given == copied for given, copied in life.spy.handed_over)
    assert not any("stage" in given for given, _ in life.spy.handed_over)


def test_one_logger_in_two_trainers_is_one_run_that_goes_on_until_its_end(life):
    """The ends of fit, test and predict are pauses."""
    assert life.status == "running" and life.run.status == "finished"
    assert len(rla.runs(life.home / "root")) == 1
    assert life.spy.ends == ["success"] * 8


def test_places_are_texts_that_never_change(life):
    """name, version and the folders are known before the run exists, and stay what they were."""
    assert life.before == life.after and all(type(each) is str for each in life.before)
    name, version, save_dir, log_dir, root_dir = life.before
    assert name == "lightning" and version == str(life.run.checkpoint_dir)
    assert save_dir == log_dir == life.log_dir == str(life.run.log_dir) and root_dir == str(life.home / "root")
    assert life.run.record == {"info": "life"}


def test_the_default_checkpoint_lands_in_the_runs_folder_and_nothing_anywhere_else(life, disk):
    """Not in lightning_logs, not beside the script; it is on the list and found."""
    assert {name.split("/")[0] for name in disk.files(life.home)} == {"root"}
    assert [path.name for path in life.home.iterdir()] == ["root"]
    found = disk.checkpoints(life.run)
    # Two ModelCheckpoints, each of which keeps its newest.
    assert len(found) == 2 and sorted(disk.manifest(life.run)) == found
    newest = rla.latest_checkpoint(life.run)
    assert str(newest) == life.second.checkpoint_callback.best_model_path and newest.is_relative_to(
        life.run.checkpoint_dir
    )


def test_hyperparameters_are_those_of_the_module_and_shown_once(life):
    """They come at each of eight calls; TensorBoard's Text tab has them once."""
    assert life.run.hparams == {"info": "life", "lr": 0.5, "width": 3}
    assert len(life.spy.hparams) == 8
    assert len(events_of(life.run).Tensors("hyperparameters")) == 1


# --- nothing too early ------------------------------------------------------------------------------------------------


def test_a_logger_and_a_callback_that_only_exist_leave_nothing(namespace, here, end_of_process):
    """Constructing, looking at experiment, asking for folders, copying: no file, also after the process has ended."""
    logger, callback = namespace.logger(), namespace.RLACallback()
    for _ in range(2):
        assert hasattr(logger, "experiment") and repr(logger.experiment)
        assert not hasattr(logger.experiment, "add_everything")
    with logger.experiment as experiment:
        experiment.flush()
    assert experiment is logger.experiment and experiment.get_logdir() == str(experiment.log_dir) == logger.log_dir
    assert os.path.isabs(logger.save_dir) and logger.log_dir and logger.version and logger.root_dir
    copy.deepcopy(logger), copy.deepcopy(callback)
    logger.save(), logger.finalize("success"), logger.finalize("failed"), logger.finalize("who knows")
    end_of_process()
    assert list(here.iterdir()) == []


def test_fast_dev_run_leaves_nothing(namespace, here, end_of_process):
    """Logger and callback keep quiet, also where their objects were made long before, and where training fails."""
    model = namespace.Module()
    drawn = []
    figures = {"f": lambda *_: drawn.append(1)}
    trainer = namespace.trainer(
        fast_dev_run=True, logger=namespace.logger(), callbacks=[namespace.RLACallback("val_loss", figures=figures)]
    )
    trainer.fit(model)
    trainer.validate(model, verbose=False)
    trainer.test(model, verbose=False)
    trainer.predict(model)

    def fail(_):
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        namespace.trainer(fast_dev_run=True, logger=trainer.logger, callbacks=[namespace.RLACallback()]).fit(
            namespace.Module(at="training_step", act=fail)
        )
    end_of_process()
    assert list(here.iterdir()) == [] and drawn == []


def test_predict_alone_makes_no_run(namespace, here, end_of_process):
    """There is nothing to record; with a callback neither."""
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[namespace.RLACallback()])
    assert len(trainer.predict(namespace.Module())) == 1
    end_of_process()
    assert list(here.iterdir()) == []


def test_predict_within_a_tracked_call_has_its_run(namespace, here, only_run):
    """The run is the user's; predict adds nothing to it."""

    @rla.track(log_root="root", backup="none")
    def main():
        namespace.trainer(logger=namespace.RLALogger()).predict(namespace.Module())

    main()
    assert only_run().status == "finished" and not (only_run().log_dir / "progress.csv").exists()


@pytest.mark.parametrize("mode", ["off", "OFF"])
def test_with_tracking_off_the_training_runs_and_nothing_is_recorded(namespace, here, monkeypatch, mode, disk):
    """RLA_MODE=off: checkpoints go where Lightning would put them, and old ones are deleted there too."""
    monkeypatch.setenv("RLA_MODE", mode)
    trainer = namespace.trainer(
        logger=namespace.RLALogger(), callbacks=[namespace.RLACallback("val_loss")], max_epochs=3, default_root_dir="d"
    )
    trainer.fit(namespace.Module())
    assert not (here / "root").exists() and not (here / "rla_data").exists()
    assert len([name for name in disk.files(here) if name.endswith(".ckpt")]) == 1


# --- which run --------------------------------------------------------------------------------------------------------


def test_it_joins_the_tracked_run(namespace, here, only_run, read_rows):
    """Inside @rla.track the logger writes to that run and its parameters join the bound arguments."""

    @rla.track(record=["info"], log_root="root", backup="none")
    def main(info="a", seed=3):
        logger = namespace.RLALogger(task="not this", log_root="nor here")
        namespace.trainer(logger=logger).fit(namespace.Module())
        rla.log({"mine": 1.0}, step=99)
        return logger.log_dir

    log_dir = main()
    run = only_run()
    assert str(run.log_dir) == log_dir and run.status == "finished" and run.task == Path(__file__).stem
    assert run.hparams == {"info": "a", "seed": 3, "lr": 0.1, "width": 3}
    rows = metrics_of(run, read_rows)
    assert "loss_step" in rows[0] and rows[-1]["mine"] == "1.0"
    assert not (here / "nor here").exists()


def test_a_logger_made_before_the_tracked_call_joins_it_all_the_same(namespace, here, only_run, read_rows):
    """Where a script makes its Trainer at the top, the run is that of the call."""
    logger, callback = namespace.logger(), namespace.RLACallback()
    assert logger.log_dir  # a look does not settle it
    trainer = namespace.trainer(logger=logger, callbacks=[callback])

    @rla.track(log_root="root", backup="none")
    def main():
        trainer.fit(namespace.Module())
        return rla.current_run().name

    name = main()
    assert only_run().name == name and only_run().status == "finished"
    assert logger.log_dir == str(only_run().log_dir) and metrics_of(only_run(), read_rows)
    assert rla.latest_checkpoint(only_run()).is_file()


@pytest.mark.parametrize("made", ["before", "after"])
def test_it_joins_an_open_tester(namespace, here, only_run, made, read_rows):
    """RLA's imperative style: the run that log_files_gen has started, whenever the logger was made."""
    logger = namespace.RLALogger() if made == "before" else None
    tester = Tester()
    tester.configure("imperative", log_root="root", backup="none")
    tester.set_hyper_param(lr=0.1)
    tester.log_files_gen()
    logger = logger or namespace.RLALogger()
    namespace.trainer(logger=logger).fit(namespace.Module())
    tester.finish()
    assert only_run().name == tester.name and metrics_of(only_run(), read_rows)


def test_it_joins_an_open_tester_also_where_another_logger_has_a_run_of_its_own(namespace, here, runs):
    """Own runs stay open until the process ends; they raise no doubt about which run the user means."""
    namespace.trainer(logger=namespace.logger()).fit(namespace.Module())
    tester = Tester()
    tester.configure("imperative", log_root="root", backup="none")
    tester.log_files_gen()
    assert rla.current_run() is tester.run
    logger = namespace.RLALogger()
    logger.log_metrics({"a": 1.0})
    tester.finish()
    assert logger.log_dir == str(tester.run.log_dir) and len(runs()) == 2


@pytest.mark.parametrize("made", ["before", "inside", "only the callback"])
@pytest.mark.parametrize("writers", [None, ["stdout", "csv"]])
def test_the_tables_of_a_run_that_it_joins_leave_stdout_to_the_progress_bar(namespace, here, made, writers, capsys):
    """Unless stdout was asked for by name."""
    hooks = {"logger": namespace.RLALogger() if made == "before" else False}

    @rla.track(log_root="root", backup="none", writers=writers)
    def main():
        if made == "inside":
            hooks["logger"] = namespace.RLALogger()
        if made == "only the callback":
            hooks["callbacks"] = [namespace.RLACallback()]
        namespace.trainer(**hooks).fit(namespace.Module())

    main()
    assert ("loss_epoch" in capsys.readouterr().out) == (writers is not None)


def test_the_options_of_a_run_are_taken_whole(namespace, here, only_run):
    """Also those that the signature does not name."""
    namespace.logger(task="t", tags=["paper"], note="to show").log_metrics({"a": 1.0})
    assert json.loads((only_run().log_dir / "labels.json").read_text())["tags"] == ["paper"]
    with pytest.raises(ConfigError, match="tags is 3"):
        namespace.logger(tags=3)


def test_two_loggers_are_two_runs(namespace, here, runs, read_rows):
    """A sweep in a loop gives as many runs as loggers, each with its own rows and parameters."""
    for lr in (0.1, 0.2):
        namespace.trainer(logger=namespace.logger(task="sweep")).fit(namespace.Module(lr=lr))
    found = runs()
    assert [run.hparams["lr"] for run in found] == [0.1, 0.2] and {run.task for run in found} == {"sweep"}
    assert [len(metrics_of(run, read_rows)) for run in found] == [8, 8]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not show a process's open files")
def test_a_sweep_of_loggers_does_not_use_up_the_files_of_the_process(namespace, here, runs, read_rows):
    """Runs stay open until the process ends, their files only until the next run; the older ones can still be used."""
    loggers = [namespace.logger() for _ in range(4)]
    count = []
    for logger in loggers:
        logger.log_metrics({"x": 1.0}, 0)
        count.append(len(os.listdir("/proc/self/fd")))
    assert count == count[:1] * 4
    loggers[0].log_metrics({"x": 2.0}, 1)
    assert [len(metrics_of(run, read_rows)) for run in runs()] == [2, 1, 1, 1]


def test_a_script_with_nothing_but_our_logger_leaves_a_finished_run(namespace, here, only_run, lightning_python):
    """The run goes on until the process ends. The import makes no file and does not import the other namespace."""
    other = "pytorch_lightning" if namespace.name == "lightning.pytorch" else "lightning.pytorch"
    module = namespace.RLALogger.__module__
    (here / "lightning").mkdir()  # a folder of that name is no package
    script = f"""
import os, sys, warnings; warnings.filterwarnings("ignore")
from {module} import RLALogger
from rla_hooks.integrations import lightning as door
assert door.RLALogger is RLALogger  # of what is imported rather than of what is installed
assert {other!r} not in sys.modules and os.listdir() == ["lightning"], os.listdir()
logger = RLALogger(log_root="root", backup="none")
logger.log_metrics({{"a": 1.0}}, 3)
logger.finalize("success")
import rla_hooks; print(rla_hooks.runs("root")[0].status)
"""
    if namespace.name == "pytorch_lightning":  # the other import is Python's own, of six seconds
        done = lightning_python(namespace.name).run("-c", script, cwd=here)
    else:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=here)
    start, status, end = done.stdout.splitlines()
    assert (start[:5], status, end[:9]) == ("run: ", "running", "finished:"), done.stderr
    assert only_run().status == "finished" and only_run().info["last"] == {"a": 1.0}


def test_the_same_logger_twice_in_one_trainer_writes_every_row_once(namespace, here, only_run, read_rows):
    """Lightning calls it twice for each row."""
    logger, spy = namespace.logger(), namespace.Spy()
    namespace.trainer(logger=[logger, logger, spy]).fit(namespace.Module())
    assert len(metrics_of(only_run(), read_rows)) == len(spy.rows)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(namespace, here, only_run, read_rows):
    """Logs one row by hand and gives it back as text."""

    def log(metrics, step=0, **options):
        logger = namespace.logger(**options)
        logger.log_metrics(metrics=metrics, step=step)
        logger.save()
        return metrics_of(only_run(), read_rows)[-1]

    return log


@pytest.mark.parametrize(
    "value, text",
    [
        (torch.tensor(1.5), "1.5"),
        (torch.tensor([2.5], requires_grad=True), "2.5"),
        (torch.tensor([[3]]), "3"),
        (torch.tensor(True), "1"),
        (torch.tensor(0.5, dtype=torch.bfloat16), "0.5"),
        (torch.tensor(0.25, dtype=torch.float16), "0.25"),
        (torch.tensor(1.5, dtype=torch.float8_e4m3fn), "1.5"),
        (torch.nn.Parameter(torch.tensor(4.0)), "4.0"),
        (np.float32(0.5), "0.5"),
        (np.array([7]), "7"),
        (np.bool_(True), "1"),
        (decimal.Decimal("1.25"), "1.25"),
        (True, "1"),
        ('a, "b"\nc', 'a, "b"\nc'),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (torch.tensor(float("-inf")), "-inf"),
        (10**30, str(10**30)),
    ],
    ids=repr,
)
def test_scalars_of_every_kind_are_kept(logged, value, text):
    """Tensors of any dtype, numpy's numbers, texts: as they are, also NaN and the infinities."""
    given = {"x": value}
    assert logged(given)["x"] == text
    assert list(given) == ["x"] and given["x"] is value


def test_keys_of_every_kind_are_kept(logged):
    """Slashes, commas, quotes, newlines, other scripts, numbers."""
    row = logged({"a/b, c=1": 1.0, 'q"': 2.0, "诗 ü": 3.0, "new\nline": 4.0, 5: 5.0})
    assert [row[key] for key in ("a/b, c=1", 'q"', "诗 ü", "new\nline", "5")] == ["1.0", "2.0", "3.0", "4.0", "5.0"]


def test_what_is_no_scalar_is_warned_about_once_by_key(namespace, here, only_run, read_rows):
    """The rest of the row is kept, and the training goes on."""
    logger = namespace.logger()
    bad = {"vector": torch.ones(3), "none": None, "object": object(), "model": torch.nn.Linear(1, 1), "list": [1, 2]}
    with pytest.warns(RLAWarning) as caught:
        for step in range(3):
            logger.log_metrics({"good": step, **bad}, step)
    texts = [str(each.message) for each in caught if isinstance(each.message, RLAWarning)]
    assert [sum(repr(key) in text for text in texts) for key in bad] == [1, 0, 1, 1, 1] and len(texts) == 4
    assert [row["good"] for row in metrics_of(only_run(), read_rows)] == ["0", "1", "2"]


def test_nested_dicts_become_keys_with_slashes(logged):
    """As TensorBoard's add_scalars has it; the dict stays what it was."""
    given = {"loss": {"actor": 1.0, "critic": {"q1": torch.tensor(2.0)}}, "x": 3.0, "empty": {}}
    inner = given["loss"]
    row = logged(given, prefix="p")
    assert {key: row[key] for key in ("p-loss/actor", "p-loss/critic/q1", "p-x")} == {
        "p-loss/actor": "1.0",
        "p-loss/critic/q1": "2.0",
        "p-x": "3.0",
    }
    assert given["loss"] is inner and list(inner) == ["actor", "critic"]


def test_rows_without_a_step_count_on(namespace, here, only_run, read_rows):
    """One after the last row; 0 in an empty run."""
    logger = namespace.logger()
    for step in (None, None, 10, None, 3, None, torch.tensor(8), 2.0):
        logger.log_metrics({"x": 1.0}, step=step)
    assert [row["time-step"] for row in metrics_of(only_run(), read_rows)] == "0 1 10 11 3 4 8 2".split()


def test_nothing_to_log_writes_nothing(namespace, here, only_run):
    """Neither an empty dict nor one of nothing but None makes a row."""
    logger = namespace.logger()
    logger.log_metrics({}, 1)
    logger.log_metrics({"x": None}, 2)
    assert not (only_run().log_dir / "progress.csv").exists()


def test_the_prefix_stands_before_every_key(namespace, here, only_run, read_rows):
    """As in Lightning's own loggers, with a dash."""
    namespace.trainer(logger=namespace.logger(prefix="p")).fit(namespace.Module())
    keys = {key for row in metrics_of(only_run(), read_rows) for key in row}
    assert {"p-loss_step", "p-val_loss_epoch", "p-epoch", "epoch", "stage"} <= keys and "loss_step" not in keys


@pytest.mark.parametrize("every, steps", [(0, 0), (1, 4), (3, 1), (50, 0)])
def test_log_every_n_steps_decides_on_the_rows_of_steps(namespace, here, only_run, read_rows, every, steps):
    """Rows of epochs come all the same."""
    namespace.trainer(logger=namespace.logger(), log_every_n_steps=every).fit(namespace.Module())
    rows = metrics_of(only_run(), read_rows)
    assert sum("loss_step" in row for row in rows) == steps
    assert sum("loss_epoch" in row for row in rows) == 1


def test_the_sanity_check_logs_nothing(namespace, here, only_run, read_rows):
    """Its validation is not the training's."""

    def stop(module):
        if not module.trainer.sanity_checking:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        namespace.trainer(logger=namespace.logger(), num_sanity_val_steps=2).fit(
            namespace.Module(at="validation_step", act=stop)
        )
    assert {row["stage"] for row in metrics_of(only_run(), read_rows)} == {"train"}


def test_without_automatic_hyperparameters_rows_are_complete(namespace, here, only_run, read_rows):
    """enable_autolog_hparams=False: nobody calls log_hyperparams, rows come all the same."""
    namespace.trainer(logger=namespace.logger(), enable_autolog_hparams=False).fit(namespace.Module())
    assert only_run().hparams == {} and len(metrics_of(only_run(), read_rows)) == 8


# --- hyper-parameters -------------------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Net:
    width: int = 64


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


def recursive():
    itself = {"a": 1}
    itself["self"] = itself
    return itself


def test_hyperparameters_of_every_type_survive(namespace, here, only_run):
    """Every key is in parameter.json in plain form; what was given is neither called, changed nor copied."""
    called = []
    odd = {
        "none": None,
        "nested": {"net": {"width": 64}, "empty": {}},
        "list": [1, (2, 3), {4}],
        "namespace": argparse.Namespace(a=1),
        "dataclass": Net(),
        "class": Net,
        "enum": Colour.RED,
        "path": Path("a") / "b",
        "numpy": np.float32(0.5),
        "array": np.arange(3),
        "tensor": torch.tensor([1.0, float("nan")]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "module": torch.nn.Linear(2, 2),
        "lambda": lambda: called.append(1),
        "partial": functools.partial(print, 1),
        "bytes": b"x",
        "huge": 10**5000,
        "nan": float("nan"),
        "recursive": recursive(),
        "unprintable": Unprintable(),
        "text": "a | b\n---\nlong " * 100,
        7: "number",
    }
    before = {key: id(value) for key, value in odd.items()}
    logger = namespace.logger()
    for _ in range(3):
        logger.log_hyperparams(odd)
        logger.log_metrics({"x": 1.0})
    assert {key: id(value) for key, value in odd.items()} == before and called == []
    found = only_run().hparams
    assert {str(key) for key in odd} == {key.split(".")[0] for key in found}
    assert found["nested.net.width"] == 64 and found["namespace.a"] == 1 and found["path"] == os.path.join("a", "b")
    assert len(events_of(only_run()).Tensors("hyperparameters")) == 1


@pytest.mark.parametrize("give", [dict, lambda d: argparse.Namespace(**d), lambda d: SimpleNamespace(**d)])
def test_hyperparameters_come_as_a_mapping_or_a_namespace(namespace, here, only_run, give):
    """A second call with other keys joins the first; one with other values replaces them."""
    logger = namespace.logger()
    logger.log_hyperparams(give({"a": 1, "b": 2}))
    logger.log_hyperparams(params=give({"b": 3, "c": 4}))
    logger.log_hyperparams(None)
    logger.log_metrics({"x": 1.0})
    logger.log_hyperparams(give({"d": 5}))
    logger.log_hyperparams({})
    assert only_run().hparams == {"a": 1, "b": 3, "c": 4, "d": 5}


@pytest.mark.parametrize("odd", [5, "text", [("a", 1)], Net])
def test_hyperparameters_that_are_none_give_a_warning(namespace, here, odd):
    """A mistake in a logger call must not stop a training."""
    logger = namespace.logger()
    with pytest.warns(RLAWarning, match="log_hyperparams got a") as caught:
        logger.log_hyperparams(odd)
        logger.log_hyperparams(odd)
    assert len([each for each in caught if isinstance(each.message, RLAWarning)]) == 1


@pytest.mark.parametrize("metrics, key", [({"score": 1.0}, "score"), (0.5, "hp_metric")])
def test_metrics_of_log_hyperparams_are_a_row(namespace, here, only_run, read_rows, metrics, key):
    """As TensorBoardLogger takes them: a dict or a number, in second place or by name."""
    logger = namespace.logger()
    logger.log_hyperparams({"a": 1}, metrics)
    logger.log_hyperparams({"a": 1}, metrics=metrics, step=7)
    rows = metrics_of(only_run(), read_rows)
    assert [row["time-step"] for row in rows] == ["0", "7"] and all(key in row for row in rows)


def test_hyperparameters_in_conflict_with_the_tracked_ones_are_both_kept(namespace, here, only_run):
    """The call's own keep their names, the module's other values stand beside them; equal ones stand once."""

    @rla.track(log_root="root", backup="none")
    def main(lr=0.1, width=3, nan=float("nan")):
        logger = namespace.RLALogger()
        model = namespace.Module(lr=0.2)
        trainer = namespace.trainer(logger=logger)
        trainer.fit(model)
        trainer.test(model, verbose=False)
        logger.log_hyperparams({"nan": float("nan")})

    main()
    found = only_run().hparams
    assert math.isnan(found.pop("nan"))
    assert found == {"lr": 0.1, "width": 3, "module.lr": 0.2}
    assert len(events_of(only_run()).Tensors("hyperparameters")) == 2


# --- graph, images, experiment ----------------------------------------------------------------------------------------


def graph_of(run):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    reader = events_of(run)
    return None if not reader.Tags()["graph"] else GraphDef.FromString(reader._graph)


def test_the_graph_is_written_once_and_only_on_request(namespace, here, runs):
    """TensorBoard reads it as a GraphDef with the module's layer in it."""
    for wanted in (False, True):
        model = namespace.Module()
        model.example_input_array = torch.zeros(1, 3)
        trainer = namespace.trainer(logger=namespace.logger(log_graph=wanted))
        trainer.fit(model)
        trainer.test(model, verbose=False)
    without, with_graph = map(graph_of, runs())
    assert without is None and any("layer" in node.name for node in with_graph.node)


@pytest.mark.parametrize("example", [None, torch.zeros(1, 99)])
def test_a_graph_that_cannot_be_written_gives_one_warning(namespace, here, only_run, example):
    """No example input, or one that the module does not take."""
    model = namespace.Module()
    model.example_input_array = example
    logger = namespace.logger(log_graph=True)
    with pytest.warns(RLAWarning, match="graph") as caught:
        trainer = namespace.trainer(logger=logger)
        trainer.fit(model)
        trainer.test(model, verbose=False)
    assert len([each for each in caught if isinstance(each.message, RLAWarning)]) == 1
    assert graph_of(only_run()) is None


def test_images_go_to_results_and_tensorboard(namespace, here, only_run, disk):
    """log_image as other loggers of Lightning have it: a key and a list; several are numbered, one picture is fine."""
    logger = namespace.logger(prefix="p")
    image = np.zeros((4, 5, 3), np.uint8)
    logger.log_image(key="one", images=[torch.zeros(3, 4, 5)], step=2)
    logger.log_image("two", [image, image])
    logger.log_image("alone", image, step=1)
    with pytest.warns(RLAWarning, match="bad"):
        logger.log_image("bad", ["no picture"])
    assert disk.files(only_run().results_dir) == ["p-alone-1.png", "p-one-2.png", "p-two_0.png", "p-two_1.png"]
    reader = events_of(only_run())
    assert [(e.step, e.width, e.height) for e in reader.Images("p-one")] == [(2, 5, 4)]


def test_the_experiment_is_the_run_with_tensorboards_words(namespace, here, only_run, read_rows, disk):
    """In a module: self.logger.experiment.add_scalar and its kin, and everything that a run can do."""
    from matplotlib.figure import Figure

    def act(module):
        experiment = module.logger.experiment
        experiment.add_scalar("mine", 2.0, global_step=module.global_step)
        experiment.add_text("note", "hello", 1)
        experiment.add_histogram("weights", module.layer.weight, 1)
        experiment.add_figure("fig", Figure(), 1)
        experiment.add_image("img", torch.zeros(3, 4, 4), 1)
        experiment.add_custom_data("kept", 1)
        experiment.add_scalar("other", 3.0, 9)
        experiment.add_scalar("third", 4.0, 9)
        with pytest.warns(RLAWarning, match="add_graph has no effect") as caught:
            experiment.add_graph(module)
        assert caught[0].filename == __file__

    namespace.trainer(logger=namespace.logger()).fit(namespace.Module(at="on_train_epoch_end", act=act))
    run = only_run()
    assert [row["time-step"] for row in metrics_of(run, read_rows) if "mine" in row] == ["4"]
    assert [row["third"] for row in metrics_of(run, read_rows) if "other" in row] == ["4.0"]
    assert disk.files(run.results_dir) == ["fig-1.png", "img-1.png"]
    tags = events_of(run).Tags()
    assert "weights" in tags["histograms"] and {"fig", "img"} <= set(tags["images"])
    assert any(tag.startswith("note") for tag in tags["tensors"])


# --- checkpoints of others --------------------------------------------------------------------------------------------


def test_a_users_own_checkpoint_without_a_folder_lands_in_the_run(namespace, here, only_run, disk):
    """Its list of the best, deletions included, is the list of the run; latest_checkpoint finds the newest."""
    checkpoint = namespace.pl.callbacks.ModelCheckpoint(monitor="val_loss", save_top_k=2, save_last=True)
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[checkpoint], max_epochs=4)
    trainer.fit(namespace.Module())
    run = only_run()
    assert {name.split("/")[0] for name in disk.files(here)} == {"root"}
    assert sorted(disk.manifest(run)) == sorted(disk.checkpoints(run))
    assert len(disk.checkpoints(run)) == 3
    assert str(rla.latest_checkpoint(run)) == checkpoint.last_model_path
    steps = {
        e["file"]: e["step"] for e in json.loads((run.checkpoint_dir / "manifest.json").read_text())["checkpoints"]
    }
    assert steps["checkpoints/last.ckpt"] == trainer.global_step


def test_what_the_default_checkpoint_deletes_last_is_off_the_list(namespace, here, only_run, disk):
    """Lightning tells loggers of a save before it deletes the one before, and of that not at all."""
    namespace.trainer(logger=namespace.logger(), max_epochs=2).fit(namespace.Module())
    assert disk.manifest(only_run()) == disk.checkpoints(only_run()) == ["checkpoints/epoch=1-step=8.ckpt"]


def test_a_users_own_checkpoint_elsewhere_is_none_of_the_runs(namespace, here, only_run, disk):
    """With a dirpath of its own it writes there, and the run lists nothing."""
    checkpoint = namespace.pl.callbacks.ModelCheckpoint(dirpath="elsewhere")
    namespace.trainer(logger=namespace.logger(), callbacks=[checkpoint]).fit(namespace.Module())
    assert len(disk.files(here / "elsewhere")) == 1 and rla.latest_checkpoint(only_run()) is None


@pytest.mark.parametrize("spelling", ["link", "real"])
def test_a_users_own_checkpoint_in_the_runs_folder_is_listed_behind_a_link(namespace, here, tmp_path, disk, spelling):
    """The log root may be a link to the scratch disk; Lightning resolves the path, or does not."""
    (tmp_path / "scratch").mkdir()
    (here / "logs").symlink_to(tmp_path / "scratch")
    with rla.run(task="linked", log_root="logs", writers=["csv"], backup="none") as run:
        dirpath = run.checkpoint_dir if spelling == "link" else run.checkpoint_dir.resolve()
        checkpoint = namespace.pl.callbacks.ModelCheckpoint(dirpath=dirpath)
        namespace.trainer(logger=namespace.logger(), callbacks=[checkpoint]).fit(namespace.Module())
    latest = rla.latest_checkpoint(run)
    assert latest is not None and latest.samefile(checkpoint.best_model_path)
    assert disk.manifest(run) == [latest.name]


def test_many_checkpoints_cost_no_more_each_than_few(namespace, here):
    """Of save_top_k=-1 only the new file is looked at; the others were listed when they were new."""
    logger = namespace.logger()
    logger.log_metrics({"x": 1.0})
    folder = Path(logger.version)
    seen = []
    logger.run.register_checkpoint = lambda path, step=None, *more: seen.append((path.name, step))
    for number in range(5):
        (folder / f"{number}.ckpt").write_bytes(b"x")
        logger.after_save_checkpoint(
            SimpleNamespace(
                best_k_models={str(folder / f"{n}.ckpt"): 0 for n in range(number + 1)},
                _last_checkpoint_saved=str(folder / f"{number}.ckpt"),
                _last_global_step_saved=number,
            )
        )
    assert seen == [(f"{number}.ckpt", number) for number in range(5)]


# --- the end ----------------------------------------------------------------------------------------------------------

HOOKS = ["training_step", "validation_step", "on_fit_start", "on_train_epoch_end", "train_dataloader", "setup"]


@pytest.mark.parametrize("hook", HOOKS)
def test_an_exception_in_any_hook_is_the_runs_failure(namespace, here, runs, hook):
    """run.json has the traceback. What fails before the Trainer asks for the graph has no run to fail but a user's."""

    def fail(_):
        raise ValueError(f"boom in {hook}")

    @rla.track(log_root="root", backup="none")
    def main():
        namespace.trainer(logger=namespace.RLALogger()).fit(namespace.Module(at=hook, act=fail))

    with pytest.raises(ValueError, match="boom"):
        main()
    with pytest.raises(ValueError, match="boom"):
        namespace.trainer(logger=namespace.logger()).fit(namespace.Module(at=hook, act=fail))
    found = runs()
    assert len(found) == (1 if hook in ("setup", "on_fit_start") else 2)
    for run in found:
        assert run.status == "failed" and f"boom in {hook}" in run.info["error"] and "Traceback" in run.info["error"]


def test_ctrl_c_is_an_interruption(namespace, here, runs):
    """Lightning makes SystemExit(1) of it; the run says interrupted, tracked or not."""

    def interrupt(_):
        raise KeyboardInterrupt

    @rla.track(log_root="root", backup="none")
    def main():
        namespace.trainer(logger=namespace.RLALogger()).fit(namespace.Module(at="training_step", act=interrupt))

    import signal

    handler = signal.getsignal(signal.SIGINT)
    try:
        for train in (
            main,
            lambda: namespace.trainer(logger=namespace.logger()).fit(
                namespace.Module(at="training_step", act=interrupt)
            ),
        ):
            with pytest.raises(SystemExit):
                train()
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on
    assert [run.status for run in runs()] == ["interrupted", "interrupted"]


def test_of_several_endings_the_worst_wins(namespace, here, only_run, read_rows, end_of_process):
    """Who catches the exception and trains on has a failed run, with the rows of both."""
    logger = namespace.logger()

    def fail(_):
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        namespace.trainer(logger=logger).fit(namespace.Module(at="on_train_epoch_end", act=fail))
    count = len(metrics_of(only_run(), read_rows))
    namespace.trainer(logger=logger).fit(namespace.Module())
    end_of_process()
    assert only_run().status == "failed" and "boom" in only_run().info["error"]
    assert len(metrics_of(only_run(), read_rows)) == count + 8


def test_finalize_never_raises(namespace, here, only_run, monkeypatch):
    """Unknown words, before and after the run, with a folder that is gone."""
    import shutil

    logger = namespace.logger(writers=["csv"])
    logger.log_metrics({"x": 1.0})
    for status in ("success", "finished", "aborted", "", None):
        logger.finalize(status)
    assert only_run().status == "running"
    shutil.rmtree(here / "root")
    with pytest.warns(RLAWarning, match=r"run\.json could not be written"):
        logger.finalize("failed")
    with pytest.warns(RLAWarning, match="could not be written"):
        logger.experiment.finish()


def test_a_run_can_be_logged_to_after_its_end(namespace, here, only_run, read_rows):
    """A training that goes on behind the tracked call appends to its run."""

    @rla.track(log_root="root", backup="none")
    def main():
        logger = namespace.RLALogger()
        logger.log_metrics({"x": 1.0}, 0)
        return logger

    main().log_metrics({"x": 2.0}, 1)
    assert [row["x"] for row in metrics_of(only_run(), read_rows)] == ["1.0", "2.0"]
    assert only_run().status == "finished"


def test_early_stopping_is_a_normal_end(namespace, here, only_run, end_of_process):
    """So is max_epochs=0, which trains nothing."""
    stop = namespace.pl.callbacks.EarlyStopping("val_loss", patience=0, min_delta=100.0)
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[stop], max_epochs=50)
    trainer.fit(namespace.Module())
    namespace.trainer(logger=trainer.logger, max_epochs=0).fit(namespace.Module())
    end_of_process()
    assert trainer.current_epoch < 5 and only_run().status == "finished"


@pytest.mark.parametrize("method", ["lr_find", "scale_batch_size"])
def test_the_tuner_leaves_no_rows_and_no_stray_run(namespace, here, runs, method, read_rows):
    """Its trial steps are not the training's; the fit afterwards is in the same run."""
    model = namespace.Module()
    model.batch_size = 2
    model.train_dataloader = lambda: torch.utils.data.DataLoader(torch.rand(8, 3), batch_size=model.batch_size)
    trainer = namespace.trainer(
        logger=namespace.logger(), callbacks=[namespace.RLACallback("val_loss")], default_root_dir="tuned"
    )
    tuner = importlib.import_module(f"{namespace.name}.tuner").Tuner(trainer)
    if method == "lr_find":
        tuner.lr_find(model, num_training=4)
    else:
        tuner.scale_batch_size(model, steps_per_trial=1, max_trials=2)
    assert not any((run.log_dir / "progress.csv").exists() for run in runs())
    trainer.fit(model)
    (run,) = runs()
    assert "loss_step" in metrics_of(run, read_rows)[0] and run.status == "running"
    assert rla.latest_checkpoint(run)


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_gives_one_warning_for_each_file_and_the_training_goes_on(namespace, here, small_disk):
    """Rows are missing there, the fit is done."""
    logger = namespace.logger(log_root=str(small_disk / "root"), writers=["csv"])
    logger.log_metrics({"x": 0.0})
    filler = small_disk / "filler"
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    with pytest.warns(RLAWarning) as caught:
        trainer = namespace.trainer(logger=logger, max_epochs=3, enable_checkpointing=False)
        trainer.fit(namespace.Module())
    assert trainer.current_epoch == 3
    texts = [str(each.message) for each in caught if isinstance(each.message, RLAWarning)]
    assert len(texts) == len(set(texts)) <= 4
    filler.unlink()
    logger.log_metrics({"x": 1.0}, 1000)
    logger.experiment.finish()
    assert rla.runs(small_disk / "root")[0].metrics()["time-step"].iloc[-1] == 1000


def test_unknown_arguments_name_the_known_ones(namespace, here):
    """With the nearest one, all mistakes at once, and nothing is created."""
    with pytest.raises(ConfigError, match=r"'taks'.*log_root.*Did you mean 'task'") as raised:
        namespace.RLALogger(taks="x", save_dir="y")
    assert len(raised.value.problems) == 2
    with pytest.raises(ConfigError, match="tensorbord"):
        namespace.RLALogger(writers=["tensorbord"])
    with pytest.raises(ConfigError, match="record is"):
        namespace.RLALogger(record=["lr"])
    assert list(here.iterdir()) == []


def test_barebones_and_a_logger_do_not_go_together_and_say_so(namespace, here):
    """Lightning's own words: barebones has no loggers."""
    with pytest.raises(ValueError, match="barebones"):
        namespace.pl.Trainer(barebones=True, logger=namespace.logger())


@pytest.mark.parametrize("module", ["lightning", "pytorch_lightning", "lightning_pytorch"])
@pytest.mark.parametrize("trouble", ["missing", "old"])
def test_missing_or_old_lightning_names_the_install_line(here, module, trouble):
    """An ImportError that can be followed by hand."""
    script = f"""
import importlib.metadata, importlib.util
find = importlib.util.find_spec
hidden = ("lightning", "pytorch_lightning") if {trouble == "missing"} else ()
importlib.util.find_spec = lambda name, *a: None if name in hidden else find(name, *a)
version = importlib.metadata.version
importlib.metadata.version = lambda name: "2.1.9rc1" if "lightning" in name else version(name)
from rla_hooks.integrations.{module} import RLALogger
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=here)
    assert done.returncode == 1 and "ImportError" in done.stderr and "pip install" in done.stderr.splitlines()[-1]
    assert ("is too old" if trouble == "old" else "is not installed") in done.stderr


def test_the_door_takes_what_is_installed(monkeypatch):
    """Where nothing is imported yet: lightning, or the one of the two that is there; of neither it says what to do."""
    from rla_hooks.integrations import lightning as door

    monkeypatch.setattr(door.sys, "modules", {})
    for installed, expected in (
        (["lightning", "pytorch_lightning"], "lightning"),
        (["pytorch_lightning"], "pytorch_lightning"),
        ([], "pytorch_lightning"),
    ):
        monkeypatch.setattr(door._versions, "is_installed", installed.__contains__)
        assert door._package() == expected
    with pytest.raises(AttributeError, match="RLALoger"):
        _ = door.RLALoger
