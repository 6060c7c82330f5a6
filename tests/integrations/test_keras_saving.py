"""RLACallback keeps the newest and the best model, complete or not at all, and puts one back into a later training."""

import json
import math
import os
import warnings

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import CheckpointError, ConfigError, RLAWarning

every_backend = pytest.mark.every_backend


@pytest.fixture
def scores(keras):
    """A callback that gives each epoch the next score, as ``val_loss`` or what it is called."""

    def make(*values, name="val_loss"):
        values = list(values)

        class Scores(keras.keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                value = values.pop(0)
                if value is not None:
                    logs[name] = value

        return Scores()

    return make


@pytest.fixture
def files(only_run, disk):
    """Gives the names of the complete checkpoints, which are all that there is."""

    def read(run=None):
        run = run or only_run()
        assert sorted(disk.manifest(run)) == disk.checkpoints(run)
        return disk.checkpoints(run)

    return read


def _entries(run):
    return json.loads((run.checkpoint_dir / "manifest.json").read_text())["checkpoints"]


def _same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# --- what is saved ----------------------------------------------------------------------------------------------------


@every_backend
def test_a_saved_model_predicts_the_same(any_keras, here, only_run, files):
    """The newest and the best one are whole models of Keras' own format, with the optimizer, bit-equal."""
    kit = any_keras
    model = kit.model()
    kit.fit(model, kit.RLACallback(), epochs=2, validation_data=(kit.x, kit.y))
    assert files() == ["best-6.keras", "checkpoint-3.keras", "checkpoint-6.keras"]
    path = rla.latest_checkpoint(only_run())
    loaded = kit.keras.models.load_model(path)
    assert np.array_equal(loaded.predict(kit.x, verbose=0), model.predict(kit.x, verbose=0))
    assert kit.iterations(loaded) == 6
    info = {entry["file"]: entry["info"] for entry in _entries(only_run())}["checkpoint-3.keras"]
    assert (info["epoch"], info["epochs"], info["fits"], info["model"]) == (0, 2, 1, model.name)


@every_backend
def test_weights_only(any_keras, here, only_run, files):
    """The weights alone load into a model that is built alike, with the optimizer's state."""
    kit = any_keras
    model = kit.model()
    kit.fit(model, kit.RLACallback(save_weights_only=True), epochs=2)
    assert files() == ["checkpoint-3.weights.h5", "checkpoint-6.weights.h5"]
    fresh = kit.model()
    fresh.optimizer.build(fresh.trainable_variables)
    fresh.load_weights(str(rla.latest_checkpoint(only_run())))
    assert _same(kit.state(fresh), kit.state(model))


def test_the_newest_n_and_the_best(keras, scores, here, only_run, files):
    """max_to_keep counts the newest, the best stays until a better one comes; NaN is never better."""
    values = [3.0, math.nan, 1.0, 2.0, 1.0]
    keras.fit(keras.model(), scores(*values), keras.RLACallback(max_to_keep=2), epochs=5)
    assert files() == ["best-9.keras", "checkpoint-12.keras", "checkpoint-15.keras"]
    (best,) = [entry for entry in _entries(only_run()) if entry["name"] == "best"]
    assert (best["info"]["epoch"], best["info"]["monitor"], best["info"]["best"]) == (2, "val_loss", 1.0)


@pytest.mark.parametrize(
    ("monitor", "mode", "best"),
    [
        ("val_accuracy", "auto", 3),
        ("episode_return", "auto", 3),
        ("val_loss", "max", 3),
        ("val_accuracy", "min", 6),
        ("val_iou_loss", "auto", 6),
        ("accumulated_error", "auto", 6),
        ("episode_rewards", "auto", 3),
        ("ep_rew_mean", "auto", 3),
        ("return_mse", "auto", 6),
    ],
)
def test_modes(keras, scores, monitor, mode, best, here, files):
    """What is better: "auto" takes accuracies and returns for better when greater, everything else when less."""
    callback = keras.RLACallback(monitor, mode, save_best_only=True)
    keras.fit(keras.model(), scores(0.5, 0.25, name=monitor), callback, epochs=2)
    assert files() == [f"best-{best}.keras"]


@every_backend
def test_the_best_score_is_remembered(keras, scores, here, only_run, files):
    """A second fit, and a second callback as another process would have it, do not overwrite a better model."""

    @rla.track()
    def main():
        model, callback = keras.model(), keras.RLACallback(save_best_only=True)
        keras.fit(model, scores(2.0), callback)
        keras.fit(model, scores(3.0), callback)
        testing.reset(runs=False)  # as in a process that has just begun
        keras.fit(model, scores(2.5), keras.RLACallback(save_best_only=True))
        assert files() == ["best-3.keras"]
        keras.fit(model, scores(1.0), keras.RLACallback(save_best_only=True))

    main()
    assert files() == ["best-12.keras"]


def test_a_metric_of_keras_knows_which_way_is_better(keras, scores, here, files):
    """Its name need not say so."""
    metric = keras.keras.metrics.SensitivityAtSpecificity(0.5, name="s")
    if not hasattr(metric, "_direction"):
        pytest.skip("Keras before its metrics said so")
    model = keras.model()
    model.compile("sgd", "mse", metrics=[metric])
    labels = (keras.y > 1).astype("float32")
    keras.fit(
        model, scores(0.5, 0.75, 0.25, name="val_s"), keras.RLACallback("val_s", max_to_keep=1), y=labels, epochs=3
    )
    assert files() == ["best-6.keras", "checkpoint-9.keras"]


def test_save_every(keras, here, files):
    """Epochs are counted over all fits; the end of a fit longer than that is saved, and so is a first short one."""

    @rla.track()
    def main():
        model = keras.model()
        callback = keras.RLACallback(save_every=2, max_to_keep=None)
        keras.fit(model, callback)
        assert files() == ["checkpoint-3.keras"]
        keras.fit(model, callback)
        keras.fit(model, callback)
        assert files() == ["checkpoint-3.keras", "checkpoint-9.keras"]
        keras.fit(model, callback, epochs=3)

    main()
    assert files() == ["checkpoint-15.keras", "checkpoint-18.keras", "checkpoint-3.keras", "checkpoint-9.keras"]


def test_no_checkpoints(keras, here, only_run, disk):
    """save_every=None saves none."""
    keras.fit(keras.model(), keras.RLACallback("mae", save_every=None), epochs=2)
    assert disk.checkpoints(only_run()) == []


def test_a_monitor_that_never_comes(keras, scores, here, files):
    """One warning at the end of the fit says which metrics there are; the newest is kept all the same."""
    callback = keras.RLACallback("val_acuracy", save_best_only=True)
    with pytest.warns(RLAWarning, match="Logged: loss, mae, val_accuracy.*Did you mean 'val_accuracy'") as warned:
        keras.fit(keras.model(), scores(1.0, 1.0, name="val_accuracy"), callback, epochs=2)
    assert sum(each.category is RLAWarning for each in warned) == 1
    assert files() == ["checkpoint-3.keras", "checkpoint-6.keras"]


def test_a_monitor_that_comes_late_or_is_no_number(keras, scores, here, runs, files):
    """Validation every second epoch gives no warning; a vector gives one."""
    keras.fit(keras.model(), scores(None, 2.0, None, 1.0), keras.RLACallback(save_best_only=True), epochs=4)
    assert files() == ["best-12.keras", "checkpoint-3.keras"]
    with pytest.warns(RLAWarning) as warned:
        keras.fit(keras.model(), scores(np.ones(2)), keras.RLACallback())
    said = [str(each.message) for each in warned if each.category is RLAWarning]
    assert len(said) == 2 and "'val_loss' was left out" in said[0] and "no best checkpoint is kept" in said[1]


def test_a_monitor_that_is_never_a_number(keras, scores, here, files):
    """Only the best is asked for, and there is none: the newest are kept, and one warning says so."""
    callback = keras.RLACallback(save_best_only=True)
    with pytest.warns(RLAWarning, match="'val_loss'.: it was NaN so far; the newest") as warned:
        keras.fit(keras.model(), scores(math.nan, math.nan), callback, epochs=2)
    assert sum(each.category is RLAWarning for each in warned) == 1
    assert files() == ["checkpoint-3.keras", "checkpoint-6.keras"]


def _unsavable(kit):
    class Custom(kit.keras.Model):
        def __init__(self, function):
            super().__init__()
            self.function = function
            self.dense = kit.keras.layers.Dense(1)

        def call(self, x):
            return self.dense(self.function(x))

        def get_config(self):
            raise NotImplementedError("this model has no config")

    model = Custom(lambda x: 2 * x)
    model.compile("sgd", "mse")
    return model


@every_backend
def test_a_model_that_cannot_be_saved_whole(keras, here, only_run, files):
    """One warning says why and what to do; its weights are saved, and load again."""
    model = _unsavable(keras)
    with pytest.warns(RLAWarning, match=r"this model has no config\).*get_config\(\)") as warned:
        keras.fit(model, keras.RLACallback(), epochs=2)
    assert sum(each.category is RLAWarning for each in warned) == 1
    assert files() == ["checkpoint-3.weights.h5", "checkpoint-6.weights.h5"]
    fresh = _unsavable(keras)
    fresh(keras.x)
    fresh.load_weights(str(rla.latest_checkpoint(only_run())))
    assert _same(fresh.get_weights(), model.get_weights())


def test_a_model_that_is_not_built(keras, here, only_run, disk):
    """In a loop of one's own there may be nothing to save yet: one warning says what to do."""
    model = keras.keras.Sequential([keras.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = keras.RLACallback()
    callback.set_model(model)
    callback.on_train_begin()
    with pytest.warns(RLAWarning) as warned:
        callback.on_epoch_end(0, {"loss": 1.0})
    assert "not built. Call it on a batch, or model.build" in str(warned[-1].message)
    assert disk.checkpoints(only_run()) == []


def test_a_full_disk(keras, small_disk, here, files):
    """It costs the checkpoint and one warning; the training goes on, the older file is whole, later ones are kept."""
    filler = small_disk / "filler"

    class Fill(keras.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                disk = os.statvfs(small_disk)
                filler.write_bytes(bytes(disk.f_bavail * disk.f_bsize - 8192))
            elif epoch == 3:
                filler.unlink()

    model = keras.model(width=1000)
    callback = keras.RLACallback(log_root=str(small_disk), max_to_keep=1)
    with pytest.warns(RLAWarning, match="of step .* was not saved") as warned:
        history = keras.fit(model, Fill(), callback, epochs=4)
    assert len(history.history["loss"]) == 4
    assert sum("was not saved" in str(each.message) for each in warned) == 1
    (run,) = rla.runs(small_disk)
    assert files(run) == ["checkpoint-12.keras"]
    loaded = keras.keras.models.load_model(rla.latest_checkpoint(run))
    assert np.array_equal(loaded.predict(keras.x, verbose=0), model.predict(keras.x, verbose=0))


# --- resume -----------------------------------------------------------------------------------------------------------


@every_backend
@pytest.mark.parametrize("weights_only", [False, True])
def test_a_resumed_training_is_as_if_never_interrupted(keras, weights_only, here, capsys, runs):
    """Weights, optimizer, epoch and step go on; the result is bit-equal, and it says what it restored."""
    straight = keras.model(run_eagerly=False)
    keras.fit(straight, keras.RLACallback(task="straight"), epochs=4)

    first = keras.model(run_eagerly=False)
    keras.fit(first, keras.RLACallback(task="job", save_weights_only=weights_only), epochs=2)
    capsys.readouterr()

    second = keras.model(keras.keras.optimizers.Adam(0.01), run_eagerly=False)
    callback = keras.RLACallback(task="job", resume=True)
    keras.fit(second, callback, epochs=4)
    assert _same(keras.state(second), keras.state(straight))
    printed = capsys.readouterr().out
    assert f"checkpoint-6.{'weights.h5' if weights_only else 'keras'}: weights and optimizer (iteration 6)" in printed
    assert "epoch 2" in printed
    *_, resumed = runs()
    assert resumed.metrics()[["time-step", "epoch"]].to_numpy().tolist() == [[9, 2], [12, 3]]
    assert "resumed from" in (resumed.log_dir / "log.txt").read_text()

    keras.fit(second, callback, epochs=1)  # the restored epoch does not stick to the model
    assert runs()[-1].metrics()["epoch"].tolist() == [2, 3, 0]


def test_resume_of_keras_2(any_keras, here, capsys):
    """There a callback cannot move the first epoch of a fit, so it says what to pass."""
    kit = any_keras
    first, second = kit.model(), kit.model()
    kit.fit(first, kit.RLACallback(), epochs=2)
    kit.fit(second, kit.RLACallback(resume=True), epochs=2, initial_epoch=2)
    assert _same(kit.state(second), kit.state(first))
    assert ("pass initial_epoch=2 to fit" in capsys.readouterr().out) is (kit.name == "tf_keras")


def test_what_resume_may_be(keras, here, runs):
    """True with nothing there starts anew; a file, a folder and a run are taken; what is not there is an error."""
    keras.fit(keras.model(), keras.RLACallback(resume=True), epochs=2)
    run = runs()[0]
    for resume in (run, run.checkpoint_dir, run.checkpoint_dir / "checkpoint-3.keras"):
        model = keras.model()
        keras.fit(model, keras.RLACallback(resume=resume), epochs=2)
        assert keras.iterations(model) == 6
    with pytest.raises(
        ConfigError, match=r"resume is 'nowhere\.keras'\. Allowed: True, False, None, 'same', a path that is there"
    ):
        keras.RLACallback(resume="nowhere.keras")
    (here / "empty").mkdir()
    before = len(runs())
    with pytest.raises(CheckpointError, match=r"no Keras checkpoint named 'checkpoint' or 'best' is there\. Its"):
        keras.fit(keras.model(), keras.RLACallback(resume="empty", task="new"))
    assert len(rla.runs()) == before, "it was told before a run was made"
    with pytest.raises(ConfigError, match="resume is Tester"):
        keras.RLACallback(resume=rla.Tester())


def test_each_model_goes_on_once(keras, here, runs):
    """One callback puts the state into each of its models, in each of its runs, and not again before a second fit."""
    keras.fit(keras.model(), keras.RLACallback(task="first"), epochs=2)
    path = rla.latest_checkpoint(runs()[0])
    callback = keras.RLACallback(resume=path, save_every=None)

    @rla.track()
    def main():
        models = [keras.model(), keras.model()]
        for model in models:
            keras.fit(model, callback, epochs=3)  # of which two are done
        keras.fit(models[1], callback)
        return [keras.iterations(model) for model in models]

    assert main() == main() == [9, 12]


@pytest.mark.parametrize(
    "info",
    [
        {"epoch": -5, "fits": 1},
        {"epoch": True, "fits": 1},
        {"monitor": "val_loss", "best": math.nan},
        {"monitor": "val_loss", "best": "low"},
        {"model": ["a"]},
        {},
    ],
)
def test_a_manifest_that_says_strange_things(keras, info, here, runs):
    """What cannot be meant is passed over: the weights are there all the same."""
    keras.fit(keras.model(), keras.RLACallback(max_to_keep=1), epochs=2)
    path = runs()[0].checkpoint_dir / "manifest.json"
    content = json.loads(path.read_text())
    content["checkpoints"][0]["info"] = info
    path.write_text(json.dumps(content))
    model = keras.model()
    keras.fit(model, keras.RLACallback(resume=True), epochs=1)
    assert keras.iterations(model) == 6 + 3
    assert runs()[-1].metrics()["epoch"].tolist() == [0]


def test_an_epoch_that_was_moved_for_a_fit_that_failed(keras, here):
    """It does not stick to the model: the next fit of the callback begins at 0 again."""
    keras.fit(keras.model(), keras.RLACallback(), epochs=2)

    class Break(keras.keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise ValueError

    model, callback = keras.model(), keras.RLACallback(resume=True)
    with pytest.raises(ValueError):
        keras.fit(model, callback, Break(), epochs=4)
    keras.fit(model, callback, epochs=1)
    assert keras.iterations(model) == 6 + 3


def test_resume_takes_the_best_score_along(keras, scores, here, runs, disk):
    """A better model of the earlier run is not outdone by a worse one of this."""
    keras.fit(keras.model(), scores(1.0), keras.RLACallback())
    keras.fit(keras.model(), scores(2.0, 0.5), keras.RLACallback(resume=True), epochs=3)
    assert [name for name in disk.checkpoints(runs()[-1]) if "best" in name] == ["best-9.keras"]


def test_a_damaged_file_is_passed_over(keras, here, runs):
    """The newest whole one is taken, with a warning."""
    keras.fit(keras.model(), keras.RLACallback(), epochs=2)
    newest = rla.latest_checkpoint(runs()[0])
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    model = keras.model()
    with pytest.warns(RLAWarning, match="has changed since it was written"):
        keras.fit(model, keras.RLACallback(resume=True), epochs=1)
    assert keras.iterations(model) == 3


@every_backend
def test_another_architecture(keras, here, runs):
    """The error names the layers that differ, and nothing has changed."""
    keras.fit(keras.model(width=8), keras.RLACallback())
    model = keras.model(width=4)
    before = model.get_weights()
    with pytest.raises(CheckpointError) as caught:
        keras.fit(model, keras.RLACallback(resume=True))
    text = str(caught.value)
    assert "dense/0 has shape (3, 4) and in the file (3, 8)" in text
    assert "dense_1/0 has shape (4, 1) and in the file (8, 1)" in text
    assert "dense_1/1" not in text
    assert _same(model.get_weights(), before)


def test_another_optimizer(keras, here, runs, capsys):
    """The weights are restored, and it says that the optimizer is not."""
    first = keras.model("sgd")
    keras.fit(first, keras.RLACallback(), epochs=2)
    second = keras.model()
    callback = keras.RLACallback(resume=True)
    keras.fit(second, callback, epochs=2)
    printed = capsys.readouterr().out
    assert "weights, but no optimizer state that fits" in printed
    assert "all 2 epochs are done, so this fit trains nothing" in printed
    assert _same(first.get_weights(), second.get_weights())
    assert keras.iterations(second) == 0
    keras.fit(second, callback)
    assert runs()[-1].metrics()["time-step"].tolist() == [9]  # it goes on from 6, though the optimizer is new


def test_resume_in_a_loop_of_fits(keras, here, runs):
    """Each fit trains, with a new callback for each: what this process writes is nothing to go back to."""

    @rla.track()
    def main():
        model = keras.model()
        for _ in range(4):
            keras.fit(model, keras.RLACallback(resume=True, save_every=3))
        return keras.iterations(model)

    assert (main(), main()) == (12, 12 + 12)
    assert [run.metrics()["time-step"].tolist() for run in runs()] == [[3, 6, 9, 12], [15, 18, 21, 24]]


def test_resume_after_the_first_of_many_short_fits(keras, here):
    """An interrupted loop whose only checkpoint is of its first fit loses no fit when it goes on."""
    keras.fit(keras.model(), keras.RLACallback())
    model, callback = keras.model(), keras.RLACallback(resume=True)
    for _ in range(2):
        keras.fit(model, callback)
    assert keras.iterations(model) == 9


def test_resume_takes_no_other_experiment(keras, here, only_run):
    """In a sweep the run of another learning rate is not gone on from."""

    @rla.track(record=["lr"])
    def main(lr):
        model = keras.model(keras.keras.optimizers.SGD(lr))
        keras.fit(model, keras.RLACallback(resume=True), epochs=2)
        return keras.iterations(model)

    assert (main(0.1), main(0.01), main(0.1)) == (6, 6, 6)


def test_the_best_score_survives_a_chain_of_processes(keras, scores, here, runs, disk):
    """Also where a run in between has no better model: the file of the earlier one is there under a second name."""
    for values in ([5.0, 1.0], [3.0, 4.0], [7.0, 8.0], [0.5, 9.0]):
        epochs = 2 * (len(runs()) + 1)
        keras.fit(keras.model(), scores(*values), keras.RLACallback(resume=True), epochs=epochs)
    found = [[name for name in disk.checkpoints(run) if name.startswith("best")] for run in runs()]
    assert found == [["best-6.keras"]] * 3 + [["best-21.keras"]]
    first, second = (rla.latest_checkpoint(run, "best") for run in runs()[:2])
    assert second.read_bytes() == first.read_bytes()
    first.unlink()  # as somebody who cleans up would
    assert keras.keras.models.load_model(second).count_params() > 0


def test_a_resumed_run_without_a_checkpoint_of_its_own(keras, scores, here, runs, capsys):
    """It died before its first save: the next one goes on from the newest of the run before, not from its best."""
    keras.fit(keras.model(), scores(1.0, 2.0, 3.0), keras.RLACallback(), epochs=3)

    class Break(keras.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise ValueError

    with pytest.raises(ValueError):
        keras.fit(keras.model(), keras.RLACallback(resume=True), Break(), epochs=4)
    assert [path.name for path in runs()[1].checkpoint_dir.glob("*.keras")] == ["best-3.keras"]
    keras.fit(keras.model(), scores(4.0), keras.RLACallback(resume=True), epochs=4)
    assert (
        "checkpoint-9.keras: weights and optimizer (iteration 9), best val_loss 1.0, epoch 3" in capsys.readouterr().out
    )
    for path in [*runs()[0].checkpoint_dir.glob("*.keras"), *runs()[2].checkpoint_dir.glob("checkpoint*")]:
        path.unlink()
    model = keras.model()
    keras.fit(model, scores(4.0), keras.RLACallback(resume=True), epochs=2)
    assert keras.iterations(model) == 6, "what is left is the best one, of step 3"


def test_the_latest_is_gone_on_from(keras, scores, here, runs, capsys):
    """Where only the best is kept it may be later than the newest, which was saved before a score came."""
    keras.fit(keras.model(), scores(None, 2.0, 1.0), keras.RLACallback(save_best_only=True), epochs=3)
    keras.fit(keras.model(), scores(3.0), keras.RLACallback(save_best_only=True, resume=True), epochs=4)
    assert "best-9.keras: weights and optimizer (iteration 9), best val_loss 1.0, epoch 3" in capsys.readouterr().out


def test_a_best_score_whose_file_is_gone(keras, scores, here, runs, disk):
    """It keeps no later run from a best one of its own; neither does that of a file that was named."""
    keras.fit(keras.model(), scores(1.0, 2.0), keras.RLACallback(), epochs=2)
    path = rla.latest_checkpoint(runs()[0], "checkpoint")
    callback = keras.RLACallback(resume=path, save_best_only=True, task="tuned")
    keras.fit(keras.model(), scores(5.0), callback, epochs=3)
    rla.latest_checkpoint(runs()[0], "best").unlink()
    keras.fit(keras.model(), scores(5.0), keras.RLACallback(resume=True, save_best_only=True), epochs=3)
    found = {run.task: disk.checkpoints(run) for run in runs()[1:]}
    assert found == {"tuned": ["best-9.keras"], "keras": ["best-9.keras"]}


def test_two_runs_of_one_model_from_one_file(keras, here):
    """Each goes on from the file that was named, and not from what the other has come to."""
    keras.fit(keras.model(), keras.RLACallback(task="old"), epochs=2)
    path, model, steps = rla.latest_checkpoint(rla.runs()[0]), keras.model(), []
    for rate in (0.1, 0.2):
        keras.fit(model, keras.RLACallback(task="sweep", record={"lr": rate}, resume=path), epochs=3)
        steps.append(keras.iterations(model))
    assert steps == [9, 9]


def test_a_resume_that_failed_is_tried_again(keras, here):
    """The fit after it is no fit from scratch."""
    keras.fit(keras.model(width=8), keras.RLACallback(), epochs=2)
    model, callback = keras.model(), keras.RLACallback(resume=True)
    for _ in range(2):
        with pytest.raises(CheckpointError, match="does not fit the model"):
            keras.fit(model, callback, epochs=3)
    assert keras.iterations(model) == 0


def test_a_process_that_died_before_the_best_was_listed(keras, scores, here, runs):
    """The newest says that it is the best one: its score counts, and it is brought along, not the best before."""
    keras.fit(keras.model(), scores(5.0, 6.0, 1.0), keras.RLACallback(), epochs=3)
    path = runs()[0].checkpoint_dir / "manifest.json"
    content = json.loads(path.read_text())
    last = content["checkpoints"].pop()
    assert (last["name"], last["step"], last["info"]["best"]) == ("best", 9, 1.0)
    path.write_text(json.dumps(content))  # as it was an instant before
    keras.fit(keras.model(), scores(3.0), keras.RLACallback(resume=True), epochs=4)
    best = rla.latest_checkpoint(runs()[1], "best")
    assert (best.name, [entry["info"]["best"] for entry in _entries(runs()[1])]) == ("best-9.keras", [1.0, 1.0])


def test_a_damaged_best_is_no_bound(keras, scores, here, only_run, files):
    """A later and worse one takes its place."""

    @rla.track()
    def main():
        model = keras.model()
        keras.fit(model, scores(1.0), keras.RLACallback(save_best_only=True))
        path = rla.latest_checkpoint(rla.current_run(), "best")
        path.write_bytes(bytes(path.stat().st_size))
        testing.reset(runs=False)  # as in a process that has just begun
        keras.fit(model, scores(4.0), keras.RLACallback(save_best_only=True))

    main()
    assert files() == ["best-6.keras"]


def test_models_that_took_turns_go_on_from_their_own(keras, scores, here, runs):
    """Without names the best file is that of one of them: it is not put into the other."""

    @rla.track()
    def main(values):
        models = [keras.model(), keras.model()]
        for model, name in zip(models, "ab"):
            model.name = name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for model, value in zip(models * 2, values):
                keras.fit(model, scores(value), keras.RLACallback(resume=True))
        return [keras.iterations(model) for model in models]

    assert main([4.0, 3.0, 2.0, 1.0]) == [6, 6]
    assert main([5.0, 5.0, 5.0, 5.0]) == [12, 12]
    assert _entries(runs()[1])[0]["info"]["best"] == 1.0, "the best of both is one, and the later"


def test_two_names_of_one_model(keras, scores, here):
    """The later of two states counts, whichever callback comes last."""

    @rla.track()
    def main(epochs, values):
        model, resume = keras.model(), {"resume": True}
        callbacks = [
            keras.RLACallback(name="all", **resume),
            keras.RLACallback(name="b", save_best_only=True, **resume),
        ]
        keras.fit(model, scores(*values), *callbacks, epochs=epochs)
        return keras.iterations(model)

    assert main(3, [1.0, 2.0, 3.0]) == 9
    assert main(5, [4.0, 5.0]) == 15


def test_the_best_of_two_monitors(keras, scores, here, disk, only_run):
    """One after the other in a run: the second takes the place of the first, whose score is then no bound."""

    @rla.track()
    def main():
        model = keras.model()
        keras.fit(model, scores(1.0), keras.RLACallback(save_best_only=True))
        keras.fit(model, keras.RLACallback("mae", save_best_only=True))
        keras.fit(model, scores(9.0), keras.RLACallback(save_best_only=True))

    main()
    assert disk.checkpoints(only_run()) == ["best-9.keras"]


def test_the_programs_own_checkpoints_are_left_alone(keras, here, files):
    """Those of rla.save_checkpoint have the same names; neither deletes the other's, and each finds its own."""

    @rla.track()
    def main():
        model = keras.model()
        rla.new_saver(max_to_keep=None)
        for step in (1, 2):
            rla.save_checkpoint({"model": model, "note": step}, step=step)
        rla.save_checkpoint({"note": "mine"}, step=1, checkpoint_name="best")
        keras.fit(model, keras.RLACallback("loss", max_to_keep=1), epochs=3)
        assert rla.load_checkpoint()[1]["note"] == 2
        assert rla.load_checkpoint(checkpoint_name="best")[1]["note"] == "mine"

    main()
    own = ["best-1.pkl", "checkpoint-1.keras.pkl", "checkpoint-2.keras.pkl"]
    assert files() == sorted([*own, "best-9.keras", "checkpoint-9.keras"])


def test_the_restored_learning_rate_is_the_one_on_record(keras, here, runs):
    """The optimizer comes back with the rate it had; the hyper-parameters say that one, not the one compiled."""
    keras.fit(keras.model(), keras.RLACallback(), epochs=2)
    keras.fit(keras.model(keras.keras.optimizers.Adam(0.5)), keras.RLACallback(resume=True), epochs=3)
    assert runs()[-1].hparams["keras.optimizer.learning_rate"] == pytest.approx(0.01)
    assert runs()[-1].metrics()["learning_rate"].tolist() == [pytest.approx(0.01)]


def test_resume_with_optimizers_of_ones_own(keras, here, capsys):
    """An unbuilt one of a train_step is no other architecture: the weights are restored, and that is said."""
    tf = pytest.importorskip("tensorflow")

    class Pair(keras.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.keras.layers.Dense(1)
            self.actor_optimizer = keras.keras.optimizers.Adam(0.125)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
            self.actor_optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    first, second = Pair(), Pair()
    for model in (first, second):
        model(keras.x)
        model.compile("sgd")
        keras.fit(model, keras.RLACallback(resume=True, save_weights_only=True), epochs=2)
    assert _same(first.get_weights(), second.get_weights())
    assert "weights, but no optimizer state that fits" in capsys.readouterr().out


def test_a_checkpoint_knows_the_rows_that_were_there(keras, only_run):
    """Those of the epochs that its model has been trained for, and no later ones."""
    keras.fit(keras.model(), keras.RLACallback(max_to_keep=None), epochs=3)
    steps = only_run().metrics()["time-step"].tolist()
    found = {entry["step"]: entry["written"]["progress.csv"][0] for entry in _entries(only_run())}
    assert found == {step: len([each for each in steps if each <= step]) for step in (3, 6, 9)}
