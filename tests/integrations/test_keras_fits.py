"""Fits in fits, models beside models and loops of one's own: whose steps and whose checkpoints the rows tell of."""

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.errors import RLAWarning

every_backend = pytest.mark.every_backend


def _at_epoch_end(kit, act):
    """A callback of the user's own that does something at the end of each epoch."""
    return type("Spy", (kit.keras.callbacks.Callback,), {"on_epoch_end": lambda self, epoch, logs=None: act()})()


def _steps(rows, column):
    return [row["time-step"] for row in rows if column in row]


# --- inside of a fit --------------------------------------------------------------------------------------------------


@every_backend
@pytest.mark.parametrize("what", ["evaluate", "predict", "evaluate another", "fit another"])
def test_the_same_callback_used_inside_of_a_fit(any_keras, what, here, rows, runs):
    """Keras tells it of the other model, or of another length, and never of the fit's again: it knows that itself."""
    kit = any_keras
    model, other = kit.model(), kit.model(width=7)
    callback = kit.RLACallback(log_every="batch")
    options = {"batch_size": 8, "verbose": 0, "callbacks": [callback]}
    acts = {
        "evaluate": lambda: model.evaluate(kit.x[:8], kit.y[:8], **options),
        "predict": lambda: model.predict(kit.x[:8], **options),
        "evaluate another": lambda: other.evaluate(kit.x[:8], kit.y[:8], **options),
        "fit another": lambda: other.fit(kit.x[:8], kit.y[:8], **options),
    }
    kit.fit(model, _at_epoch_end(kit, acts[what]), callback, epochs=3, validation_data=(kit.x, kit.y))
    (run,) = runs()
    newest = rla.latest_checkpoint(run, "checkpoint")
    loaded = kit.keras.models.load_model(newest)
    assert np.array_equal(loaded.predict(kit.x, verbose=0), model.predict(kit.x, verbose=0))
    ends = [row["time-step"] for row in rows() if "val_loss" in row]
    batches = _steps(rows(), "batch/loss")
    if what == "fit another":  # a step of that, too, each time
        assert ends == [4, 8, 12]
        assert batches == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    else:
        assert (ends, batches) == ([3, 6, 9], [*range(1, 10)])
        assert _steps(rows(), "evaluate/loss") == ([3, 6, 9] if "evaluate" in what else [])


@every_backend
def test_a_loop_of_ones_own_after_a_fit_that_failed(keras, here, rows, only_run):
    """It is about its own model."""
    first, second, callback = keras.model(), keras.model(width=7), keras.RLACallback(log_every="batch")

    class Break(keras.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise ValueError

    with pytest.raises(ValueError):
        keras.fit(first, callback, Break(), epochs=3)
    by_hand = keras.keras.callbacks.CallbackList([callback], model=second)
    for epoch in (2, 3):  # as if they went on
        by_hand.on_epoch_begin(epoch)
        by_hand.on_train_batch_begin(0)
        logs = second.train_on_batch(keras.x, keras.y, return_dict=True)
        by_hand.on_train_batch_end(0, logs)
        by_hand.on_epoch_end(epoch, logs)
    assert _steps(rows(), "learning_rate") == [3, 6, 7, 8]
    assert _steps(rows(), "batch/loss") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert keras.keras.models.load_model(rla.latest_checkpoint(only_run())).count_params() == second.count_params()


@every_backend
def test_another_model_adds_its_own_steps(keras, here, rows):
    """A target network that is evaluated moves no step; two models that learn in turns count together."""

    @rla.track()
    def main():
        model, target = keras.model(), keras.model()
        for _ in range(3):
            keras.fit(model, keras.RLACallback(save_every=None))
            options = {"verbose": 0, "callbacks": [keras.RLACallback(save_every=None)]}
            target.evaluate(keras.x, keras.y, **options)

    main()
    assert _steps(rows(), "loss") == _steps(rows(), "evaluate/loss") == [3, 6, 9]


def test_two_callbacks_of_one_fit(keras, here, disk, only_run):
    """They would share checkpoints and keep each epoch twice, which one warning says; named, each has its best."""
    with pytest.warns(RLAWarning, match="two RLACallbacks keep the same fit") as warned:

        @rla.track()
        def main():
            model = keras.model()
            keras.fit(model, keras.RLACallback(), keras.RLACallback("mae"), epochs=2)
            keras.fit(model, keras.RLACallback(), keras.RLACallback("mae"), epochs=2)

        main()
    assert sum(each.category is RLAWarning for each in warned) == 1

    @rla.track(task="named")
    def named():
        callbacks = [keras.RLACallback(name, name=name, save_best_only=True) for name in ("loss", "mae")]
        keras.fit(keras.model(), *callbacks, epochs=2)

    named()
    (run,) = [run for run in rla.runs() if run.task == "named"]
    assert disk.checkpoints(run) == ["loss-best-6.keras", "mae-best-6.keras"]


# --- batches ----------------------------------------------------------------------------------------------------------


@every_backend
def test_accumulated_gradients(keras, here, rows):
    """A batch is half a step; the second epoch begins in the middle of one."""
    optimizer = keras.keras.optimizers.SGD(0.01, gradient_accumulation_steps=2)
    keras.fit(keras.model(optimizer), keras.RLACallback(log_every="batch"), epochs=2)
    assert _steps(rows(), "batch/loss") == [0, 1, 1, 2, 2, 3]
    assert _steps(rows(), "epoch") == [1, 3]


@every_backend
def test_fits_that_are_shorter_than_a_step(keras, here, rows):
    """No optimizer has counted in the first ones, though it will: epochs are not counted in its place."""
    model = keras.model(keras.keras.optimizers.SGD(0.01, gradient_accumulation_steps=4))
    callbacks = [keras.RLACallback(save_every=None) for _ in range(6)]

    @rla.track()
    def main():
        for callback in callbacks:
            keras.fit(model, callback, batch_size=24)

    main()
    assert _steps(rows(), "loss") == [0, 0, 0, 1, 1, 1]


@every_backend
def test_every_so_many_batches_of_short_fits(keras, here, rows):
    """Batches are counted over all fits, with one callback or a new one for each."""

    @rla.track()
    def main():
        model, callback = keras.model(), keras.RLACallback(log_every=4)
        for _ in range(2):
            keras.fit(model, callback)
            keras.fit(model, keras.RLACallback(log_every=4))

    main()
    assert _steps(rows(), "batch/loss") == [4, 8, 12]


@every_backend
@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_batch_end"])
def test_a_batch_hook_of_a_derived_class(any_keras, hook, here, rows):
    """It is called beside ours, under both of its names."""
    seen, keras = [], any_keras
    Mine = type("Mine", (keras.RLACallback,), {hook: lambda self, batch, logs=None: seen.append(batch)})

    keras.fit(keras.model(), Mine(log_every="batch"))
    assert seen == [0, 1, 2]
    assert _steps(rows(), "batch/loss") == [1, 2, 3]


@every_backend
def test_a_loop_that_has_no_epochs(any_keras, here, rows):
    """Batch hooks alone are enough; what train_on_batch gives without return_dict is told once, and stops nothing."""
    kit = any_keras
    model, callback = kit.model(), kit.RLACallback(log_every="batch")
    by_hand = kit.keras.callbacks.CallbackList([callback], model=model)
    for _ in range(2):
        for batch in range(2):
            by_hand.on_train_batch_begin(batch)
            logs = model.train_on_batch(kit.x, kit.y, return_dict=True)
            by_hand.on_train_batch_end(batch, logs)
    assert _steps(rows(), "batch/loss") == [1, 2, 3, 4]
    with pytest.warns(RLAWarning, match="return_dict=True") as warned:
        for batch in range(2):
            callback.on_train_batch_end(batch, [1.0, 2.0])
    assert sum(each.category is RLAWarning for each in warned) == 1


def test_a_loop_of_batches_in_two_runs(keras, here, runs):
    """Each has its own rows."""
    callback = keras.RLACallback(log_every="batch", save_every=None)

    @rla.track()
    def main(epochs):
        model = keras.model()
        callback.set_model(model)
        for epoch in range(epochs or 1):
            if epochs:
                callback.on_epoch_begin(epoch)
            for batch in range(2):
                callback.on_train_batch_end(batch, model.train_on_batch(keras.x, keras.y, return_dict=True))
            if epochs:
                callback.on_epoch_end(epoch, {"loss": 1.0})

    for epochs in (0, 2, 2, 0):
        main(epochs)
    with_epochs = [1, 2, 2, 3, 4, 4]
    assert [run.metrics()["time-step"].tolist() for run in runs()] == [[1, 2], with_epochs, with_epochs, [1, 2]]


# --- optimizers that are none, or old ---------------------------------------------------------------------------------


@every_backend
@pytest.mark.parametrize("count", [50, None])
def test_what_only_looks_like_an_optimizer(any_keras, count, here, rows):
    """An attribute of the model that counts iterations of its own is none."""

    class Planner:
        iterations = count

    model = any_keras.model()
    model.planner = Planner()
    any_keras.fit(model, any_keras.RLACallback())
    assert _steps(rows(), "learning_rate") == [3]


def test_a_schedule_of_an_old_optimizer(here, rows, any_keras):
    """Those of before Keras 2.11 give the schedule and not the rate."""
    if any_keras.name != "tf_keras":
        pytest.skip("of Keras 2")
    optimizers = any_keras.keras.optimizers
    decay = optimizers.schedules.ExponentialDecay(0.5, 3, 0.5)
    any_keras.fit(any_keras.model(optimizers.legacy.SGD(decay)), any_keras.RLACallback(), epochs=2)
    assert [row["learning_rate"] for row in rows()] == [0.25, 0.125]


# --- numbers that are not Python's ------------------------------------------------------------------------------------


@every_backend
def test_epochs_that_are_numbers_of_numpy(any_keras, here, only_run, disk):
    """They are kept as numbers; the model is saved."""
    kit = any_keras
    kit.fit(kit.model(), kit.RLACallback(save_every=np.int64(1)), epochs=np.int64(2))
    assert disk.checkpoints(only_run()) == ["checkpoint-3.keras", "checkpoint-6.keras"]


def test_a_number_too_great_for_a_float(keras, here, rows):
    """It costs its point of the learning curve, not the training."""

    class Add(keras.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["states"] = 10**400

    with (
        pytest.warns(RLAWarning, match="int too large to convert to float; no best checkpoint is kept"),
        pytest.warns(RLAWarning, match="'states' has 1329 bits"),
    ):
        keras.fit(keras.model(), Add(), keras.RLACallback("states"), epochs=2)
    assert _steps(rows(), "loss") == [3, 6]


# --- forks ------------------------------------------------------------------------------------------------------------


def test_a_forked_child_writes_nothing(keras, here, rows, forked):
    """A child of a run that is open, or of a callback's own, leaves the files to its parent."""

    @rla.track()
    def main():
        callback = keras.RLACallback()

        def child():
            callback.on_epoch_end(epoch, {"loss": -1.0})
            assert not rla.current_run().is_writing

        for epoch in range(2):
            callback.on_train_begin()
            assert forked(child).ended() == 0
            callback.on_epoch_end(epoch, {"loss": 1.0})
            callback.on_train_end()

    with pytest.warns(RLAWarning, match="counts epochs"):
        main()
    assert [row["loss"] for row in rows()] == [1.0, 1.0]
