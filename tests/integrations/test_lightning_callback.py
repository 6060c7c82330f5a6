"""RLACallback under the real Trainer, in both namespaces: checkpoints, figures, rates, resuming, the end."""

from __future__ import annotations

import copy
import importlib
import json
import logging
import os
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

import rla_hooks as rla  # noqa: E402
from rla_hooks.errors import ConfigError, RLAWarning  # noqa: E402

# Lightning has a warning for every small training. Ours must not come unasked.
pytestmark = pytest.mark.filterwarnings("ignore", "error::rla_hooks.errors.RLAWarning")


def rows_of(run, read_rows):
    return read_rows(run.log_dir / "progress.csv")


def ours(caught):
    return [str(each.message) for each in caught if isinstance(each.message, RLAWarning)]


def set_scores(model, scores, name="score"):
    """Make the metric come out as these, one an epoch."""
    model.on_train_epoch_end = lambda: model.log(name, float(scores[model.trainer.current_epoch]))
    return model


@pytest.fixture(scope="module")
def life(namespace, shared_home):
    """Four epochs with everything on, then validate and test, twice."""
    from matplotlib import pyplot

    seen = []

    def figure(trainer, module):
        seen.append((trainer.current_epoch, type(module).__name__))
        return pyplot.subplots()[0]

    def picture(trainer, module):
        return None if trainer.current_epoch == 1 else torch.zeros(3, 4, 4)

    before = pyplot.get_fignums()
    callback = namespace.RLACallback(
        monitor="score",
        mode="max",
        save_top_k=2,
        save_last=True,
        figures={"eval/curve": figure, "picture": picture},
        figures_every=2,
    )
    spy = namespace.Spy()
    trainer = namespace.trainer(
        logger=[spy, namespace.logger()], callbacks=[callback], max_epochs=4, log_every_n_steps=2
    )
    model = set_scores(namespace.Module(), [1, 3, 0, 2])
    trainer.fit(model)
    for _ in range(2):
        trainer.validate(model, verbose=False)
        trainer.test(model, verbose=False)
        trainer.predict(model)
    open_figures = pyplot.get_fignums()
    trainer.loggers[1].experiment.finish()
    (run,) = rla.runs("root")
    return SimpleNamespace(
        run=run,
        trainer=trainer,
        callback=callback,
        seen=seen,
        spy=spy,
        figures=(before, open_figures),
        home=shared_home,
    )


def test_the_best_and_the_last_are_in_the_runs_folder_and_on_its_list(life, disk):
    """Those that were deleted are off the list, nothing lies anywhere else, the newest is found."""
    run = life.run
    assert disk.checkpoints(run) == ["epoch=1-step=8.ckpt", "epoch=3-step=16.ckpt", "last.ckpt"]
    assert sorted(disk.manifest(run)) == disk.checkpoints(run)
    assert rla.latest_checkpoint(run) == run.checkpoint_dir / "last.ckpt"
    assert [path.name for path in life.home.iterdir()] == ["root"]
    steps = json.loads((run.checkpoint_dir / "manifest.json").read_text())["checkpoints"]
    assert {entry["file"]: entry["step"] for entry in steps} == {
        "epoch=1-step=8.ckpt": 8,
        "epoch=3-step=16.ckpt": 16,
        "last.ckpt": 16,
    }


def test_it_is_the_trainers_checkpoint_callback(life):
    """No default one is added; Lightning's own attributes tell the best."""
    assert life.trainer.checkpoint_callback is life.callback and len(life.trainer.checkpoint_callbacks) == 1
    assert life.callback.best_model_path == str(life.run.checkpoint_dir / "epoch=1-step=8.ckpt")
    assert float(life.callback.best_model_score) == 3.0


def test_figures_come_every_so_many_epochs(life, disk):
    """At the epoch's last step, in results/ and TensorBoard; pyplot's are closed; None is no figure."""
    assert life.seen == [(1, "Module"), (3, "Module")]
    assert disk.files(life.run.results_dir) == ["eval/curve-15.png", "eval/curve-7.png", "picture-15.png"]
    assert life.figures[0] == life.figures[1]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(life.run.tensorboard_dir))
    reader.Reload()
    assert [event.step for event in reader.Images("eval/curve")] == [7, 15]


def test_rates_stand_in_the_row_of_the_steps_metrics(life, read_rows):
    """Learning rate and samples a second beside the loss, of every step that is logged, and nowhere else."""
    rows = rows_of(life.run, read_rows)
    with_loss = [row for row in rows if "loss_step" in row]
    assert [row["time-step"] for row in with_loss] == [str(step) for step in range(1, 16, 2)]
    assert [row for row in rows if "lr-SGD" in row] == with_loss
    assert [row for row in rows if "time/samples_per_second" in row] == with_loss
    assert {row["lr-SGD"] for row in with_loss} == {"0.001"}
    assert all(float(row["time/samples_per_second"]) > 0 for row in with_loss)


def test_seconds_of_an_epoch_are_a_row(life, read_rows):
    """At the epoch's last step."""
    rows = [row for row in rows_of(life.run, read_rows) if "time/seconds_per_epoch" in row]
    assert [(row["time-step"], row["epoch"], row["stage"]) for row in rows] == [
        (str(4 * epoch + 3), str(epoch), "train") for epoch in range(4)
    ]


def test_no_row_of_the_trainer_is_lost_or_changed(life, read_rows):
    """Beside ours, the rows are those that another logger saw, in their order."""
    added = ("time-step", "timestamp", "stage", "lr-SGD", "time/samples_per_second")
    rows = [row for row in rows_of(life.run, read_rows) if "time/seconds_per_epoch" not in row]
    assert len(rows) == len(life.spy.rows)
    for row, (metrics, step) in zip(rows, life.spy.rows):
        known = {key: float(value) for key, value in row.items() if key not in added}
        assert (known, int(row["time-step"])) == ({"epoch": known["epoch"], **metrics}, step)


# --- which checkpoints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, ["epoch=3-step=16.ckpt"]),
        ({"save_top_k": -1}, [f"epoch={n}-step={4 * n + 4}.ckpt" for n in range(4)]),
        ({"save_top_k": 0}, []),
        ({"save_top_k": 0, "save_last": True}, ["last.ckpt"]),
        ({"every_n_epochs": 2, "save_top_k": -1}, ["epoch=1-step=8.ckpt", "epoch=3-step=16.ckpt"]),
        ({"every_n_train_steps": 3}, ["epoch=3-step=15.ckpt"]),
        ({"every_n_train_steps": 5, "save_top_k": -1}, [f"epoch={n}-step={5 * n}.ckpt" for n in (1, 2, 3)]),
        ({"monitor": "score"}, ["epoch=2-step=12.ckpt"]),
        ({"monitor": "score", "mode": "max", "save_top_k": 1}, ["epoch=1-step=8.ckpt"]),
        ({"monitor": "val_loss", "filename": "best/{epoch}"}, ["best/epoch=3.ckpt"]),
        ({"save_last": "link"}, ["epoch=3-step=16.ckpt", "last.ckpt"]),
    ],
    ids=str,
)
def test_arguments_mean_what_they_mean_in_modelcheckpoint(namespace, here, only_run, disk, options, expected):
    """Every file on the disk is on the list, apart from a link to one that is."""
    callback = namespace.RLACallback(**options)
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=4)
    trainer.fit(set_scores(namespace.Module(), [1, 3, 0, 2]))
    run = only_run()
    assert disk.checkpoints(run) == expected
    listed = [name for name in expected if not (run.checkpoint_dir / name).is_symlink()]
    assert sorted(disk.manifest(run)) == listed
    newest = rla.latest_checkpoint(run)
    assert (newest is None) == (not listed)
    if newest:
        assert torch.load(newest, weights_only=True)["global_step"] > 0


def test_weights_only_checkpoints_are_smaller(namespace, here, only_run):
    """save_weights_only leaves the optimizer out."""
    callback = namespace.RLACallback(save_weights_only=True)
    namespace.trainer(logger=namespace.logger(), callbacks=[callback]).fit(namespace.Module())
    assert "optimizer_states" not in torch.load(rla.latest_checkpoint(only_run()), weights_only=True)


@pytest.mark.parametrize(
    "options",
    [{}, {"save_top_k": 3}, {"every_n_train_steps": 3}, {"every_n_train_steps": 3, "save_last": True}],
    ids=str,
)
@pytest.mark.parametrize("validates", [True, False])
def test_a_monitor_that_is_never_logged_costs_no_checkpoint(namespace, here, only_run, disk, options, validates):
    """One warning names what is logged, with the nearest; the newest is kept, also where a validation has run."""
    callback = namespace.RLACallback(monitor="los", **options)
    limit = {} if validates else {"limit_val_batches": 0}
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=4, **limit)
    with pytest.warns(RLAWarning) as caught:
        trainer.fit(namespace.Module())
    (text,) = ours(caught)
    assert "monitor='los'" in text and "Did you mean 'loss'?" in text
    assert not validates or "val_loss" in text
    run = only_run()
    found = [name for name in disk.checkpoints(run) if name != "last.ckpt"]
    step = 15 if "every_n_train_steps" in options and not validates else 16
    assert found == [f"epoch=3-step={step}.ckpt"] and sorted(disk.manifest(run)) == disk.checkpoints(run)
    assert callback.best_model_path == str(run.checkpoint_dir / found[0])


def test_a_monitor_that_is_logged_late_takes_over(namespace, here, only_run, disk):
    """What was kept instead is deleted as soon as there is a score."""

    def act(module):
        if module.trainer.current_epoch >= 2:
            module.log("late", -float(module.trainer.current_epoch))

    callback = namespace.RLACallback(monitor="late", save_top_k=3)
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=4)
    with pytest.warns(RLAWarning) as caught:
        trainer.fit(namespace.Module(at="on_train_epoch_end", act=act))
    assert len(ours(caught)) == 1
    assert disk.checkpoints(only_run()) == ["epoch=2-step=12.ckpt", "epoch=3-step=16.ckpt"]
    assert sorted(disk.manifest(only_run())) == disk.checkpoints(only_run())
    assert float(callback.best_model_score) == -3.0


def test_a_score_that_is_nan_costs_no_checkpoint(namespace, here, only_run, disk):
    """It is the worst of all, as in Lightning."""
    callback = namespace.RLACallback(monitor="score")
    model = set_scores(namespace.Module(), [float("nan"), 2, float("nan")])
    namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=3).fit(model)
    assert disk.checkpoints(only_run()) == ["epoch=1-step=8.ckpt"]


def test_the_best_checkpoint_is_found_by_its_name_and_has_its_score(namespace, here, only_run):
    """Also after worse ones; the metric's name may have a slash, which makes folders: none is left behind empty."""
    from rla_hooks.checkpoints import Manifest

    callback = namespace.RLACallback(
        "val/score", mode="max", save_top_k=2, save_last=True, filename="{epoch}-{val/score:.1f}"
    )
    model = set_scores(namespace.Module(), [1, 4, 3, 2], name="val/score")
    namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=4).fit(model)
    run = only_run()
    best = rla.latest_checkpoint(run, "best")
    assert str(best) == callback.best_model_path and best.parent.name == "epoch=1-val"
    entries = {entry.file: entry for entry in Manifest(run.checkpoint_dir).complete()}
    assert entries["epoch=1-val/score=4.0.ckpt"].info == {"writer": "lightning", "monitor": "val/score", "score": 4.0}
    other = entries["epoch=2-val/score=3.0.ckpt"]
    assert (other.name, other.info["score"]) == ("checkpoint", 3.0)
    assert entries["last.ckpt"].info == {"writer": "lightning"}
    assert rla.latest_checkpoint(run) == run.checkpoint_dir / "last.ckpt"
    assert all(any(folder.iterdir()) for folder in run.checkpoint_dir.iterdir() if folder.is_dir())


def test_checkpoints_of_lightning_are_counted_apart(namespace, here, only_run):
    """max_to_keep of the program's own saver deletes none of them, and load_checkpoint takes the program's."""

    @rla.track(log_root=here / "root", writers=["csv"], backup="none")
    def main():
        rla.new_saver(max_to_keep=1)
        callback = namespace.RLACallback(save_top_k=-1, every_n_epochs=1)
        namespace.trainer(callbacks=[callback], max_epochs=2).fit(namespace.Module())
        rla.save_checkpoint({"weights": [1.0]}, step=3)
        namespace.trainer(callbacks=[namespace.RLACallback()], max_epochs=1).fit(namespace.Module())
        return rla.load_checkpoint()

    assert main() == (3, {"weights": [1.0]})
    assert len(list(only_run().checkpoint_dir.glob("*.ckpt"))) >= 2


# --- with other loggers, with none ------------------------------------------------------------------------------------


def other_loggers(namespace, kind):
    loggers = importlib.import_module(f"{namespace.name}.loggers")
    return loggers.CSVLogger("csv_logs") if kind == "csv" else False


@pytest.mark.parametrize("kind", ["csv", "none"])
def test_without_our_logger_the_epochs_metrics_arrive(namespace, here, only_run, read_rows, disk, kind):
    """With another logger, or with none, the run has parameters, rates, metrics of epochs, checkpoints, figures."""
    callback = namespace.RLACallback(
        "val_loss", save_last=True, figures={"f": lambda *_: torch.zeros(3, 4, 4)}, log_throughput=True
    )
    trainer = namespace.trainer(
        logger=other_loggers(namespace, kind),
        callbacks=[callback],
        max_epochs=2,
        accumulate_grad_batches=2,
        log_every_n_steps=1,
    )
    model = namespace.Module()
    trainer.fit(model)
    trainer.validate(model, verbose=False)
    trainer.test(model, verbose=False)
    run = only_run()
    rows = rows_of(run, read_rows)
    assert [row["time-step"] for row in rows if "lr-SGD" in row] == ["0", "1", "2", "3"]
    epochs = [row for row in rows if "loss_epoch" in row and row["stage"] == "train"]
    assert [(row["epoch"], row["time-step"]) for row in epochs] == [("0", "1"), ("1", "3")]
    assert all("val_loss_epoch" in row for row in epochs)
    assert [row["stage"] for row in rows][-2:] == ["validate", "test"]
    assert "test_loss" in rows[-1] and "val_loss_epoch" in rows[-2]
    assert run.hparams == {"lr": 0.1, "width": 3}
    assert "last.ckpt" in disk.checkpoints(run) and len(disk.files(run.results_dir)) == 2
    assert {name.split("/")[0] for name in disk.files(here)} <= {"root", "csv_logs"}
    assert not [name for name in disk.files(here) if name.endswith(".ckpt") and not name.startswith("root/")]


@pytest.mark.parametrize("first", [True, False])
def test_the_order_of_loggers_does_not_matter_to_it(namespace, here, only_run, read_rows, disk, first):
    """Ours may be the second: checkpoints go to the run's folder all the same, rates once, into its rows."""
    logger, other = namespace.logger(), other_loggers(namespace, "csv")
    trainer = namespace.trainer(
        logger=[logger, other] if first else [other, logger], callbacks=[namespace.RLACallback("val_loss")]
    )
    trainer.fit(namespace.Module())
    rows = rows_of(only_run(), read_rows)
    assert [row["time-step"] for row in rows if "lr-SGD" in row] == ["0", "1", "2", "3"]
    assert all("loss_step" in row for row in rows if "lr-SGD" in row)
    assert disk.checkpoints(only_run()) == ["epoch=0-step=4.ckpt"]
    assert not [name for name in disk.files(here) if name.endswith(".ckpt") and not name.startswith("root/")]


def test_beside_a_users_checkpoint_callback_each_does_its_own(namespace, here, only_run, disk):
    """Whatever the order; the user's without a folder of its own lands in the run as well, and all are listed."""
    theirs = namespace.pl.callbacks.ModelCheckpoint(monitor="val_loss", filename="theirs-{epoch}")
    callbacks = [theirs, namespace.RLACallback("val_loss", filename="ours-{epoch}")]
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=callbacks, max_epochs=2)
    trainer.fit(namespace.Module())
    assert disk.checkpoints(only_run()) == ["checkpoints/theirs-epoch=1.ckpt", "ours-epoch=1.ckpt"]
    assert sorted(disk.manifest(only_run())) == disk.checkpoints(only_run())
    assert len(trainer.checkpoint_callbacks) == 2


@pytest.mark.parametrize("logs", [True, False])
def test_rates_of_steps_without_metrics_are_rows_of_their_own(namespace, here, only_run, read_rows, logs):
    """A module that logs per epoch, or not at all, loses no learning rate and mixes none into other rows."""
    model = namespace.Module(logs=logs, logs_epoch_only=True)
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[namespace.RLACallback()], max_epochs=2)
    trainer.fit(model)
    rows = [row for row in rows_of(only_run(), read_rows) if "lr-SGD" in row]
    assert [row["time-step"] for row in rows] == [str(step) for step in range(8)]
    assert {row["stage"] for row in rows} == {"train"} and not any("val_loss" in row for row in rows)
    assert [row["epoch"] for row in rows] == ["0"] * 4 + ["1"] * 4


def test_two_callbacks_for_two_rules_share_the_rows(namespace, here, only_run, read_rows, disk):
    """One for the best, one for every so many steps: rates stand once in each step's row, with that step's metrics."""
    callbacks = [
        namespace.RLACallback("val_loss", filename="best-{epoch}"),
        namespace.RLACallback(every_n_train_steps=3, save_top_k=-1),
    ]
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=callbacks, max_epochs=2)
    trainer.fit(namespace.Module())
    rows = [row for row in rows_of(only_run(), read_rows) if "lr-SGD" in row]
    assert [row["time-step"] for row in rows] == [str(step) for step in range(8)]
    assert all("loss_step" in row and "time/samples_per_second" in row for row in rows)
    epochs = [row["epoch"] for row in rows_of(only_run(), read_rows) if "time/seconds_per_epoch" in row]
    assert epochs == ["0", "1"]
    assert disk.checkpoints(only_run()) == ["best-epoch=1.ckpt", "epoch=0-step=3.ckpt", "epoch=1-step=6.ckpt"]
    assert sorted(disk.manifest(only_run())) == disk.checkpoints(only_run())


def test_each_value_is_logged_by_the_first_callback_that_is_to_log_it(namespace, here, only_run, read_rows):
    """Also without an RLALogger, where the metrics come from a callback, too."""
    callbacks = [
        namespace.RLACallback(log_throughput=False, log_lr=False),
        namespace.RLACallback("val_loss"),
        namespace.RLACallback(every_n_train_steps=3),
    ]
    with rla.run(task="shared"):
        namespace.trainer(callbacks=callbacks, logger=False, max_epochs=2).fit(namespace.Module())
    rows = rows_of(only_run(), read_rows)
    counts = [sum(key in row for row in rows) for key in ("time/seconds_per_epoch", "lr-SGD", "val_loss")]
    assert counts == [2, 8, 2]


def test_a_former_life_saves_and_deletes_nothing(namespace, here, only_run, disk):
    """The run goes on elsewhere, and saves files of the same names there."""
    callback, model = namespace.RLACallback(), namespace.Module()
    namespace.trainer(callbacks=[callback], logger=False, max_epochs=1).fit(model)
    run = only_run()
    before = disk.files(run.checkpoint_dir), disk.manifest(run)
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"life": "another"}))
    with pytest.warns(RLAWarning, match="goes on elsewhere: checkpoints of this former life are not saved"):
        namespace.trainer(callbacks=[callback], logger=False, max_epochs=2).fit(model)
    assert (disk.files(run.checkpoint_dir), disk.manifest(run)) == before


def test_rates_under_gradient_accumulation_come_once_a_step(namespace, here, only_run, read_rows):
    """Of batches that only accumulate there is no row."""
    trainer = namespace.trainer(
        logger=namespace.logger(), callbacks=[namespace.RLACallback()], accumulate_grad_batches=2
    )
    trainer.fit(namespace.Module())
    rows = rows_of(only_run(), read_rows)
    assert [row["time-step"] for row in rows if "lr-SGD" in row] == ["0", "1"]
    assert [row["time-step"] for row in rows if "loss_step" in row] == ["0", "1"]


@pytest.mark.parametrize("every", [0, 50])
def test_log_every_n_steps_holds_for_rates_too(namespace, here, only_run, read_rows, every):
    """No step is logged, so no rate is."""
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[namespace.RLACallback()], log_every_n_steps=every)
    trainer.fit(namespace.Module())
    assert not [row for row in rows_of(only_run(), read_rows) if "lr-SGD" in row]


def test_rates_can_be_left_out(namespace, here, only_run, read_rows):
    """log_lr and log_throughput turn them off."""
    callback = namespace.RLACallback(log_lr=False, log_throughput=False)
    namespace.trainer(logger=namespace.logger(), callbacks=[callback]).fit(namespace.Module())
    keys = {key for row in rows_of(only_run(), read_rows) for key in row}
    assert not [key for key in keys if key.startswith(("lr", "time/"))]


def test_each_group_and_each_optimizer_has_its_rate(namespace, here, only_run, read_rows):
    """Several optimizers are numbered, several groups of one too, as in Lightning's LearningRateMonitor."""

    class Two(namespace.Module):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, index):
            for optimizer in self.optimizers():
                optimizer.zero_grad()
                self.manual_backward(self.layer(batch).pow(2).mean())
                optimizer.step()
            self.log("loss", 1.0)

        def configure_optimizers(self):
            weight, bias = self.layer.parameters()
            groups = [{"params": [weight], "lr": 0.25}, {"params": [bias], "lr": 0.5}]
            return [torch.optim.SGD(groups, lr=1.0), torch.optim.Adam(self.parameters(), lr=0.125)]

    namespace.trainer(logger=namespace.logger(), callbacks=[namespace.RLACallback()]).fit(Two())
    row = next(row for row in rows_of(only_run(), read_rows) if "loss" in row)
    assert {key: row[key] for key in row if key.startswith("lr")} == {
        "lr-SGD-0/group_0": "0.25",
        "lr-SGD-0/group_1": "0.5",
        "lr-Adam-1": "0.125",
    }


@pytest.mark.parametrize(
    "make", [lambda b: {"x": b}, lambda b: [b, b], lambda b: ((b,), 0), lambda b: SimpleNamespace(b=b)]
)
def test_batches_of_any_shape_are_counted(namespace, here, only_run, read_rows, make):
    """The first tensor tells the number of samples; where there is none, a batch is one."""

    class Odd(namespace.Module):
        def training_step(self, batch, index):
            self.log("loss", 1.0, batch_size=1)
            return self.layer(torch.ones(1, 3)).mean()

        def train_dataloader(self):
            return torch.utils.data.DataLoader(range(2), batch_size=None, collate_fn=lambda _: make(torch.ones(2, 3)))

    namespace.trainer(logger=namespace.logger(), callbacks=[namespace.RLACallback()]).fit(Odd())
    rows = [row for row in rows_of(only_run(), read_rows) if "loss" in row]
    assert len(rows) == 2 and all(float(row["time/samples_per_second"]) > 0 for row in rows)


# --- figures ----------------------------------------------------------------------------------------------------------


def test_a_figure_that_fails_gives_one_warning_and_the_others_are_drawn(namespace, here, only_run, disk):
    """Functions that raise, and things that are no picture."""

    def fail(trainer, module):
        raise RuntimeError("no data")

    figures = {"fails": fail, "text": lambda *_: "no picture", "good": lambda *_: torch.zeros(3, 4, 4)}
    trainer = namespace.trainer(
        logger=namespace.logger(), callbacks=[namespace.RLACallback(figures=figures)], max_epochs=3
    )
    with pytest.warns(RLAWarning) as caught:
        trainer.fit(namespace.Module())
    texts = ours(caught)
    assert len(texts) == 2 and "'fails' was not made: RuntimeError: no data" in texts[0] and "'text'" in texts[1]
    assert disk.files(only_run().results_dir) == ["good-11.png", "good-3.png", "good-7.png"]


# --- which run --------------------------------------------------------------------------------------------------------


def test_one_callback_for_two_runs_keeps_the_files_of_the_first(namespace, here, runs, disk):
    """The second run has its own folder and its own scores, although it is worse and as long."""
    callback = namespace.RLACallback("score", mode="max", save_last=True)
    for score in (5, 1):
        trainer = namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=2)
        trainer.fit(set_scores(namespace.Module(), [score, score - 1]))
        assert float(callback.best_model_score) == score
    for run in runs():
        assert disk.checkpoints(run) == ["epoch=0-step=4.ckpt", "last.ckpt"]
        assert sorted(disk.manifest(run)) == disk.checkpoints(run)


def test_one_callback_in_two_tracked_calls_has_two_runs(namespace, here, runs, disk, read_rows):
    """Also without any logger."""
    callback = namespace.RLACallback("val_loss")

    @rla.track(log_root="root", backup="none")
    def main():
        namespace.trainer(logger=False, callbacks=[callback]).fit(namespace.Module())

    main(), main()
    assert len(runs()) == 2
    for run in runs():
        assert run.status == "finished" and len(disk.manifest(run)) == 1 and rows_of(run, read_rows)


def test_after_a_real_training_fast_dev_run_with_the_same_callback_adds_nothing(namespace, here, only_run, disk):
    """The callback has a run by then; a dry run is none of it, nor does its failure become the run's."""
    drawn = []
    callback = namespace.RLACallback(figures={"f": lambda *_: drawn.append(1)})
    namespace.trainer(logger=namespace.logger(), callbacks=[callback]).fit(namespace.Module())
    before = {name: (here / name).stat().st_size for name in disk.files(here)}
    dry = namespace.trainer(fast_dev_run=True, callbacks=[callback])
    dry.fit(namespace.Module())

    def fail(_):
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        namespace.trainer(fast_dev_run=True, callbacks=[callback]).fit(namespace.Module(at="training_step", act=fail))
    assert {name: (here / name).stat().st_size for name in disk.files(here)} == before
    assert drawn == [1] and only_run().status == "running"


def test_a_copy_made_before_the_first_fit_has_a_run_of_its_own(namespace, here, runs):
    """One made later stays with the run it had, and with its scores."""
    original = namespace.RLACallback("score", mode="max")
    early = copy.deepcopy(original)
    logger = namespace.logger()
    trainer = namespace.trainer(logger=logger, callbacks=[original])
    trainer.fit(set_scores(namespace.Module(), [5]))
    late = copy.deepcopy(original)
    namespace.trainer(logger=logger, callbacks=[late], max_epochs=2).fit(set_scores(namespace.Module(), [1, 1]))
    assert float(late.best_model_score) == 5 and len(runs()) == 1
    namespace.trainer(logger=False, callbacks=[early]).fit(set_scores(namespace.Module(), [1]))
    assert float(early.best_model_score) == 1 and len(runs()) == 2


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_unknown_arguments_name_the_known_ones(namespace, here):
    """All at once, with the nearest; a folder of one's own is answered in words."""
    with pytest.raises(ConfigError) as raised:
        namespace.RLACallback(moniter="x", dirpath="y", figures_every=0, figures={"f": 1})
    text = str(raised.value)
    assert len(raised.value.problems) == 4
    assert "Did you mean 'monitor'?" in text and "save_top_k" in text and "belong to the run's folder" in text
    with pytest.raises(ConfigError, match="figures_every is True"):
        namespace.RLACallback(figures_every=True)
    with pytest.raises(ConfigError, match="figures"):
        namespace.RLACallback(figures=[print])


def test_the_callback_of_the_other_namespace_is_refused_by_name(here):
    """It would not be the Trainer's checkpoint callback. The error says what to import."""
    names = {"pytorch_lightning": "lightning.pytorch", "lightning.pytorch": "pytorch_lightning"}
    for mine, other in names.items():
        pl = importlib.import_module(mine)
        hooks = importlib.import_module(f"rla_hooks.integrations.{other.replace('.', '_')}")

        class Mixed(pl.Trainer, SimpleNamespace):
            """A Trainer of one's own."""

        logging.getLogger(mine).setLevel(logging.ERROR)
        trainer = Mixed(accelerator="cpu", logger=False, callbacks=[hooks.RLACallback()], enable_progress_bar=False)
        hook = lambda *_: None  # noqa: E731
        module = type("Module", (pl.LightningModule,), {"training_step": hook, "configure_optimizers": hook})()
        wanted = f"rla_hooks.integrations.{mine.replace('.', '_')} import RLACallback"
        with pytest.raises(ConfigError, match=wanted.replace(".", r"\.")):
            trainer.fit(module, [torch.ones(1)])
    assert list(here.iterdir()) == []


def test_without_checkpointing_lightning_says_what_is_wrong(namespace, here):
    """barebones and enable_checkpointing=False refuse a callback that saves."""
    for options in ({"barebones": True}, {"enable_checkpointing": False}):
        with pytest.raises(Exception, match=r"[Cc]heckpoint"):
            namespace.pl.Trainer(accelerator="cpu", callbacks=[namespace.RLACallback()], **options)


# --- resume -----------------------------------------------------------------------------------------------------------


def test_resuming_in_a_new_run_keeps_scores_and_leaves_the_old_files_alone(namespace, here, runs, disk):
    """torch.load's default suffices; a worse epoch does not become the best; the old run's folder is as it was."""
    callback = namespace.RLACallback("score", mode="max", save_top_k=2, save_last=True)
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=2)
    trainer.fit(set_scores(namespace.Module(), [5, 4]))
    (old,) = runs()
    before = disk.files(old.checkpoint_dir)
    newest = rla.latest_checkpoint(old)
    state = torch.load(newest, weights_only=True)
    assert state["global_step"] == 8

    again = namespace.RLACallback("score", mode="max", save_top_k=2, save_last=True)
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[again], max_epochs=5)
    trainer.fit(set_scores(namespace.Module(), [0, 0, 1, 6, 7]), ckpt_path=newest)
    assert trainer.global_step == 20
    assert float(again.best_model_score) == 7 and sorted(map(float, again.best_k_models.values())) == [6, 7]
    new = runs()[-1]
    assert disk.files(old.checkpoint_dir) == before and sorted(disk.manifest(old)) == disk.checkpoints(old)
    assert disk.checkpoints(new) == ["epoch=3-step=16.ckpt", "epoch=4-step=20.ckpt", "last.ckpt"]
    assert sorted(disk.manifest(new)) == disk.checkpoints(new)


def test_a_best_score_of_the_old_run_stays_the_best(namespace, here, runs):
    """Where the new run never reaches it."""
    callback = namespace.RLACallback("score", mode="max")
    namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=2).fit(
        set_scores(namespace.Module(), [5, 4])
    )
    again = namespace.RLACallback("score", mode="max")
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[again], max_epochs=3)
    trainer.fit(set_scores(namespace.Module(), [0, 0, 1]), ckpt_path=rla.latest_checkpoint(runs()[0]))
    assert float(again.best_model_score) == 5 and again.best_model_path == callback.best_model_path
    assert os.path.exists(again.best_model_path)


@pytest.mark.parametrize("same_callback", [True, False])
@pytest.mark.parametrize("with_logger", [True, False])
def test_ckpt_path_last_goes_on_in_the_same_run(namespace, here, only_run, disk, same_callback, with_logger):
    """Also in a new Trainer with a new callback: Lightning looks for the file before it calls any hook."""

    trained = []

    def train():
        logger = namespace.RLALogger() if with_logger else False
        callback = namespace.RLACallback(save_last=True)
        for epochs in (1, 3):
            trainer = namespace.trainer(logger=logger, callbacks=[callback], max_epochs=epochs)
            model = namespace.Module(at="on_train_epoch_end", act=lambda m: trained.append(m.trainer.current_epoch))
            trainer.fit(model, ckpt_path="last")
            callback = callback if same_callback else namespace.RLACallback(save_last=True)

    rla.track(log_root="root", backup="none")(train)()
    assert trained == [0, 1, 2]
    assert disk.checkpoints(only_run()) == ["epoch=2-step=12.ckpt", "last.ckpt"]
    assert sorted(disk.manifest(only_run())) == disk.checkpoints(only_run())


def test_what_the_callback_puts_into_a_checkpoint_is_plain(namespace, here, only_run):
    """Texts, numbers and tensors: nothing for which torch.load needs to run code."""
    callback = namespace.RLACallback("val_loss", figures={"f": lambda *_: None})
    namespace.trainer(logger=namespace.logger(), callbacks=[callback], max_epochs=2).fit(namespace.Module())
    state = torch.load(rla.latest_checkpoint(only_run()), weights_only=True)["callbacks"]
    (mine,) = [value for key, value in state.items() if "RLACallback" in key]
    assert {type(value) for value in mine.values()} <= {str, float, int, bool, dict, torch.Tensor, type(None)}


def test_the_best_can_be_tested_by_name(namespace, here, only_run):
    """ckpt_path="best" is the callback's."""
    model = set_scores(namespace.Module(), [1, 3])
    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[namespace.RLACallback("score")], max_epochs=2)
    trainer.fit(model)
    trainer.test(model, ckpt_path="best", verbose=False)
    assert trainer.ckpt_path == str(only_run().checkpoint_dir / "epoch=0-step=4.ckpt")


# --- the end ----------------------------------------------------------------------------------------------------------

HOOKS = ["training_step", "validation_step", "on_fit_start", "on_train_epoch_end", "train_dataloader", "setup"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("logs", ["ours", "none"])
def test_an_exception_in_any_hook_is_the_runs_failure(namespace, here, only_run, hook, logs):
    """With the callback even what fails first has a run with the traceback."""

    def fail(_):
        raise ValueError(f"boom in {hook}")

    trainer = namespace.trainer(
        logger=namespace.logger() if logs == "ours" else False, callbacks=[namespace.RLACallback()]
    )
    with pytest.raises(ValueError, match="boom"):
        trainer.fit(namespace.Module(at=hook, act=fail))
    assert only_run().status == "failed" and f"boom in {hook}" in only_run().info["error"]


def test_an_interruption_is_one_and_a_later_failure_is_worse(namespace, here, only_run):
    """SystemExit of Lightning's making does not look like a good end."""
    import signal

    def interrupt(_):
        raise KeyboardInterrupt

    def fail(_):
        raise ValueError("boom")

    callback = namespace.RLACallback()
    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit):
            namespace.trainer(logger=False, callbacks=[callback]).fit(
                namespace.Module(at="training_step", act=interrupt)
            )
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on
    assert only_run().status == "interrupted" and "KeyboardInterrupt" in only_run().info["error"]
    with pytest.raises(ValueError, match="boom"):
        namespace.trainer(logger=False, callbacks=[callback]).fit(namespace.Module(at="validation_step", act=fail))
    assert only_run().status == "failed"


def test_an_exception_of_a_dry_run_of_the_sanity_check_is_a_failure(namespace, here, only_run):
    """The sanity check is part of the training, though it logs nothing."""

    def fail(module):
        assert module.trainer.sanity_checking
        raise ValueError("boom")

    trainer = namespace.trainer(logger=namespace.logger(), callbacks=[namespace.RLACallback()], num_sanity_val_steps=1)
    with pytest.raises(ValueError, match="boom"):
        trainer.fit(namespace.Module(at="validation_step", act=fail))
    assert only_run().status == "failed" and not (only_run().log_dir / "progress.csv").exists()


# --- a full disk ------------------------------------------------------------------------------------------------------


def test_a_full_disk_costs_the_new_checkpoint_and_nothing_else(namespace, small_disk, here, disk):
    """One warning; the best so far stays, on the disk, on the list and in the callback; saving resumes with room."""
    filler = small_disk / "filler"

    def fill(module):
        epoch = module.trainer.current_epoch
        module.log("score", float(epoch))
        if epoch == 1:
            with open(filler, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(512))
                except OSError:
                    pass
        if epoch == 3:
            filler.unlink()

    logger = namespace.logger(log_root=str(small_disk / "root"), writers=["csv"])
    callback = namespace.RLACallback("score", mode="max", save_last=True)
    model = namespace.Module(at="on_train_epoch_end", act=fill)
    trainer = namespace.trainer(logger=logger, callbacks=[callback], max_epochs=3, num_sanity_val_steps=0)
    with pytest.warns(RLAWarning) as caught:
        trainer.fit(model)
    (run,) = rla.runs(small_disk / "root")
    texts = ours(caught)
    assert trainer.current_epoch == 3 and len([text for text in texts if "the checkpoint was not saved" in text]) == 1
    assert [name for name in disk.checkpoints(run) if name.endswith(".ckpt")] == ["epoch=0-step=4.ckpt", "last.ckpt"]
    assert callback.best_model_path.endswith("epoch=0-step=4.ckpt") and list(callback.best_k_models) == [
        callback.best_model_path
    ]
    torch.load(rla.latest_checkpoint(run), weights_only=True)
    trainer.fit_loop.max_epochs = 5
    trainer.fit(model)
    assert callback.best_model_path.endswith("epoch=4-step=20.ckpt")
    assert disk.checkpoints(run) == ["epoch=4-step=20.ckpt", "last.ckpt"] == sorted(disk.manifest(run))
    logger.experiment.finish()


@pytest.mark.parametrize("with_logger", [True, False], ids=["RLALogger", "no logger"])
@pytest.mark.parametrize("every", [{"every_n_epochs": 1}, {"every_n_train_steps": 4}, {"every_n_train_steps": 3}])
def test_a_checkpoint_knows_the_rows_that_a_resume_does_not_log_again(with_logger, every, namespace, here, read_rows):
    """That of the step or the epoch at whose end it is saved comes after the save, and so does a validation."""
    logger = namespace.logger() if with_logger else False
    callback = namespace.RLACallback(save_top_k=-1, **every)
    namespace.trainer(logger=logger, callbacks=[callback], max_epochs=3, log_every_n_steps=1).fit(namespace.Module())
    (run,) = rla.runs("root")
    found = rows_of(run, read_rows)
    for entry in json.loads((run.checkpoint_dir / "manifest.json").read_text())["checkpoints"]:
        position = entry["written"]["progress.csv"][0]
        of_training = [row for row in found if row["stage"] == "train"]  # validation counts its own steps
        before = [row for row in of_training if int(row["time-step"]) < entry["step"]]
        assert [row for row in found[:position] if row["stage"] == "train"] == before, entry["step"]
        assert not [row for row in found[position:] if int(row["epoch"]) < int(found[position - 1]["epoch"])]
