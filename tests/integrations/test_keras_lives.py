"""The rules of docs/keras.md for a run that is itself resumed: which checkpoint, what is cut, what goes on."""

from __future__ import annotations

import json

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.errors import CheckpointError, RLAWarning

every_backend = pytest.mark.every_backend


def _stop_class(kit):
    done = set()

    class Stop(kit.keras.callbacks.Callback):
        """Ends a fit as Ctrl-C does, once, after so many iterations of its model."""

        def __init__(self, after):
            super().__init__()
            self.after = after

        def on_train_batch_end(self, batch, logs=None):
            if self.after not in done and kit.iterations(self.model) == self.after:
                done.add(self.after)
                raise KeyboardInterrupt

    return Stop


@pytest.fixture
def stop(keras):
    """The class Stop for Keras 3."""
    return _stop_class(keras)


@pytest.fixture
def model(keras):
    """Makes the small model; without a graph, since these fits have a few batches."""
    return lambda: keras.model()


@pytest.fixture
def scores(keras):
    """A callback that gives each epoch the next of these values as ``val_loss``."""

    class Scores(keras.keras.callbacks.Callback):
        def __init__(self, *values):
            super().__init__()
            self.values = iter(values)

        def on_epoch_end(self, epoch, logs=None):
            value = next(self.values, None)
            if value is None:
                raise KeyboardInterrupt
            logs["val_loss"] = value

    return Scores


def interrupted(call, *arguments, **more):
    with pytest.raises(KeyboardInterrupt):
        call(*arguments, **more)


def _steps(run, column="epoch"):
    frame = run.metrics()
    return frame["time-step"][frame[column].notna()].tolist()


def _listed(run):
    return [entry.file for entry in Manifest(run.checkpoint_dir).complete()]


@every_backend
def test_a_resumed_run_goes_on_by_itself(any_keras, here, only_run, read_scalars):
    """Without resume=True; rows after the checkpoint are cut, and each step is on the curve once, over three lives."""
    kit, stop = any_keras, _stop_class(any_keras)
    made = [kit.model()]
    kit.fit(made[0], kit.RLACallback(task="straight", log_root="other"), epochs=5)

    @rla.track(resume="auto", task="job")
    def main():
        made.append(kit.model())
        saved = [entry.info["epoch"] for entry in Manifest(rla.current_run().checkpoint_dir).complete()]
        first = saved[-1] + 1 if saved and kit.name == "tf_keras" else 0  # as it says
        callbacks = kit.RLACallback("loss", log_every="batch"), stop(8), stop(13)
        kit.fit(made[-1], *callbacks, epochs=5, initial_epoch=first)

    interrupted(main)
    interrupted(main)
    main()
    run = only_run()
    assert (run.status, _steps(run)) == ("finished", [3, 6, 9, 12, 15])
    assert run.metrics()["epoch"].dropna().tolist() == [0, 1, 2, 3, 4]
    assert _steps(run, "batch/loss") == list(range(1, 16))
    assert [step for step, _ in read_scalars(run.tensorboard_dir)["batch/loss"]] == list(range(1, 16))
    assert all((one == other).all() for one, other in zip(kit.state(made[-1]), kit.state(made[0])))
    (straight,) = rla.runs("other")
    assert run.metrics()["loss"].dropna().tolist() == straight.metrics()["loss"].tolist()
    assert [(each["step"], each["rows_cut"], each["cut"]) for each in run.restarts] == [(6, 2, 1), (12, 1, 2)]


@every_backend
def test_counts_and_the_learning_curve_go_on(keras, stop, model, here, only_run, disk):
    """Those of save_every, log_every and figures_every, so that rows and files are those of a training in one go."""
    drawn, figures = [], {}

    @rla.track(resume="auto", task="job")
    def main():
        figure = {"a": lambda model, epoch, logs: drawn.append(epoch)}
        callback = keras.RLACallback(log_every=4, save_every=2, figures=figure, figures_every=2)
        keras.fit(model(), callback, stop(14), epochs=5)
        figures["curve"] = _curve_of(rla.current_run())

    interrupted(main)
    main()
    run = only_run()
    assert _steps(run, "batch/loss") == [4, 8, 12]
    assert disk.checkpoints(run) == ["checkpoint-12.keras", "checkpoint-15.keras", "checkpoint-6.keras"]
    assert drawn == [1, 3]
    assert figures["curve"] == [3, 6, 9, 12, 15]


def _curve_of(run):
    from rla_hooks.integrations._keras.state import state_of

    return state_of(run, "").curve.figure().axes[0].lines[0].get_xdata().tolist()


def test_epochs_as_the_time_step_go_on(keras, here, only_run):
    """Of a model without an optimizer."""

    class Still(keras.keras.Model):
        def call(self, x):
            return x

        def train_step(self, data):
            return {"loss": 1.0}

    class Break(keras.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2 and not rla.current_run().is_resumed:
                raise KeyboardInterrupt

    @rla.track(resume="auto", task="job")
    def main():
        still = Still()
        still(keras.x)
        still.compile(optimizer=None, loss="mse", run_eagerly=keras.eager)
        keras.fit(still, keras.RLACallback(save_weights_only=True), Break(), epochs=4)

    with pytest.warns(RLAWarning, match="counts epochs"):
        interrupted(main)
        main()
    assert _steps(only_run()) == [1, 2, 3, 4]


def test_models_that_took_turns_keep_their_rows(keras, stop, model, here, only_run):
    """The run goes back to the newest checkpoint of both, and each model to its own."""

    @rla.track(resume="auto", task="job")
    def main():
        models = {name: model() for name in ("actor", "critic")}
        for _ in range(2):
            for name in models:
                callback = keras.RLACallback("loss", name=name, log_every="batch")
                keras.fit(models[name], callback, *[stop(5)] * (name == "actor"))

    interrupted(main)
    main()
    run = only_run()
    (restart,) = run.restarts
    assert (restart["step"], restart["rows_cut"]) == (3, 2)
    for name in ("actor", "critic"):
        assert _steps(run, f"{name}/epoch") == [3, 6, 9]
        assert _steps(run, f"{name}/batch/loss") == list(range(1, 10))


def test_the_best_of_what_is_left(keras, scores, model, here, only_run, runs):
    """A best file that was cut does not count; a file that is left and has the best score takes its place."""

    @rla.track(task="job")
    def main(*, epochs=4, resume=None, values=(2.0, 1.0)):
        keras.fit(model(), scores(*values), keras.RLACallback(resume=resume), epochs=epochs)

    interrupted(main)
    before = only_run()
    assert _listed(before)[-1] == "best-6.keras"
    first = before.checkpoint_dir / "checkpoint-3.keras"
    main.resume(before, resume=first, values=[3.0, 4.0, 5.0], allow=["resume", "values"])
    run = only_run()
    newest = [f"checkpoint-{step}.keras" for step in (6.1, 9, 12)]
    assert _listed(run) == ["checkpoint-3.keras", "best-3.keras", *newest]
    assert rla.latest_checkpoint(run, "best").name == "best-3.keras"
    assert (run.checkpoint_dir / "best-6.keras").exists() and _steps(run) == [3, 6, 9, 12]
    # What was cut is taken by nobody, though its file is there.
    with pytest.raises(CheckpointError, match=r"best-6\.keras' is no checkpoint of its run any more: .*\(cut 1\)"):
        keras.fit(model(), keras.RLACallback(resume=run.checkpoint_dir / "best-6.keras", task="new"))
    assert len(runs()) == 1


def test_a_best_that_was_never_listed(keras, scores, model, here, only_run):
    """A process died between saving its newest checkpoint and listing it as the best: the same run takes it so."""

    @rla.track(task="job", resume="auto")
    def main(*values, epochs=4):
        keras.fit(model(), scores(*values), keras.RLACallback(), epochs=epochs)

    interrupted(main, 2.0, 1.0)
    path = only_run().checkpoint_dir / "manifest.json"
    content = json.loads(path.read_text())
    assert content["checkpoints"].pop()["file"] == "best-6.keras"
    path.write_text(json.dumps(content))
    main.resume(only_run(), values=[3.0, 4.0], allow=["values"])
    assert rla.latest_checkpoint(only_run(), "best").name == "best-6.1.keras"
    assert Manifest(path.parent).newest("best").info["best"] == 1.0


@every_backend
def test_what_the_program_has_loaded_stays(keras, stop, model, here, only_run, capsys):
    """The program restores the model by itself, and goes on behind it; with resume=True the callback does."""

    @rla.track(resume="auto", task="job")
    def main(resume=None):
        made, run, first = model(), rla.current_run(), 0
        if run.is_resumed:
            first, _ = rla.load_checkpoint(objects={"model": made})
        for at in range(first // 3, 3):
            keras.fit(made, keras.RLACallback(resume=resume), stop(8))
            rla.log({"round": at}, step=keras.iterations(made))
            rla.save_checkpoint({"model": made}, step=keras.iterations(made))

    interrupted(main)
    main()
    assert "the program has restored the model (iteration 6); pass resume=True" in capsys.readouterr().out
    assert (_steps(only_run()), _steps(only_run(), "round")) == ([3, 6, 9], [3, 6, 9])


def test_an_evaluate_before_the_first_fit(keras, stop, model, here, only_run):
    """The curve has it already: a row of it now would be in the way of the cut."""

    @rla.track(resume="auto", task="job")
    def main():
        made, callback = model(), keras.RLACallback()
        for _ in range(2):
            made.evaluate(keras.x, keras.y, verbose=0, callbacks=[callback])
        keras.fit(made, callback, stop(4), epochs=2)
        made.evaluate(keras.x, keras.y, verbose=0, callbacks=[callback])

    interrupted(main)
    with pytest.warns(RLAWarning, match="an evaluate before the first fit of a resumed run logs no row"):
        main()
    assert (_steps(only_run()), _steps(only_run(), "evaluate/loss")) == ([3, 6], [0, 0, 6])


def test_a_run_that_begins_anew_restores_nothing(keras, stop, model, here, only_run):
    """With from_start=True, though resume=True would take the checkpoint of another run."""

    @rla.track(task="job")
    def main(resume=True):
        keras.fit(model(), keras.RLACallback(resume=resume), stop(5), epochs=2)

    interrupted(main)
    main.resume(only_run(), from_start=True)
    assert (_steps(only_run()), only_run().restarts[0]["rows_cut"]) == ([3, 6], 1)


def test_the_same_run_only_where_one_is_resumed(keras, model, here, runs):
    """In a run that the user has opened, its own resume= decides: one line says so, and nothing is restored."""
    keras.fit(model(), keras.RLACallback(task="job", resume="same"))

    @rla.track(task="job")
    def main():
        made = model()
        keras.fit(made, keras.RLACallback(resume="same"))
        return keras.iterations(made)

    with pytest.warns(RLAWarning, match="resume are of no use"):
        assert main() == 3
    assert len(runs()) == 2


def test_a_new_run_says_where_it_comes_from(keras, model, here, runs):
    """And leaves the other run, and its checkpoints of later, as they are."""
    keras.fit(model(), keras.RLACallback(task="job"), epochs=2)
    (first,) = runs()
    kept = _listed(first)
    keras.fit(model(), keras.RLACallback(task="job", resume=first.checkpoint_dir / "checkpoint-3.keras"), epochs=2)
    *_, second = runs()
    origin = {"run": first.name, "id": first.id, "step": 3, "file": "checkpoint-3.keras"}
    assert (second.run_json["resumed_from"], second.restarts) == (origin, [])
    assert (_listed(first), _steps(runs()[0]), _steps(second)) == (kept, [3, 6], [6])


def test_a_former_life_saves_nothing(keras, model, here, only_run, disk):
    """A notebook that was left open, whose run goes on elsewhere: the next resume must not go on from its model."""
    callback, trained = keras.RLACallback(), model()
    keras.fit(trained, callback, epochs=1)
    run = only_run()
    before = disk.files(run.checkpoint_dir), disk.manifest(run)
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"life": "another"}))
    with pytest.warns(RLAWarning, match="goes on elsewhere: checkpoints of this former life are not saved") as told:
        keras.fit(trained, callback, epochs=2)
    assert len([each for each in told if isinstance(each.message, RLAWarning)]) == 1
    assert (disk.files(run.checkpoint_dir), disk.manifest(run)) == before
