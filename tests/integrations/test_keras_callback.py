"""What Keras tells its callbacks becomes rows, hyper-parameters and figures. Real fits of a few small batches.

Tests marked ``every_backend`` run here on TensorFlow, and again on torch and jax: see test_keras_backends.py.
"""

import math

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAWarning

every_backend = pytest.mark.every_backend


def _spy(kit, **hooks):
    """A callback of the user's own: each hook is called with (callback, *arguments)."""
    kind = type("Spy", (kit.keras.callbacks.Callback,), hooks)
    return kind()


def _count(warned):
    return sum(issubclass(each.category, RLAWarning) for each in warned)


def _column(rows, name):
    return [row[name] for row in rows if name in row]


# --- epochs -----------------------------------------------------------------------------------------------------------


@every_backend
def test_each_epoch_is_a_row_of_what_keras_reports(any_keras, here, rows):
    """The values are those of the History, the time step counts the optimizer's, epoch is a column, time goes by."""
    model = any_keras.model(run_eagerly=False)  # a graph, as in most programs
    history = any_keras.fit(model, any_keras.RLACallback(), epochs=3, validation_split=0.34)
    found = rows()
    assert [set(row) for row in found] == [
        {"time-step", "epoch", "loss", "mae", "val_loss", "val_mae", "learning_rate", "time/seconds_per_epoch"}
    ] * 3
    for key in ("loss", "mae", "val_loss", "val_mae"):
        assert _column(found, key) == history.history[key]
    assert _column(found, "time-step") == [2, 4, 6]
    assert _column(found, "epoch") == [0, 1, 2]
    assert _column(found, "learning_rate") == [pytest.approx(0.01)] * 3
    assert all(seconds > 0 for seconds in _column(found, "time/seconds_per_epoch"))


def test_tensorboard_has_the_same_rows(keras, here, only_run, read_scalars):
    """TensorBoard's reader finds the curves over the same steps."""
    history = keras.fit(keras.model(), keras.RLACallback(), epochs=2)
    scalars = read_scalars(only_run().tensorboard_dir)
    expected = list(zip([3, 6], np.float32(history.history["loss"])))
    assert scalars["loss"] == expected
    assert [step for step, _ in scalars["learning_rate"]] == [3, 6]


@every_backend
def test_many_fits_are_one_curve(any_keras, here, rows):
    """The step goes on over fits, with one callback or a new one for each, also where the model is compiled anew."""
    kit = any_keras
    model, callback = kit.model(run_eagerly=False), kit.RLACallback()

    @rla.track()
    def main():
        kit.fit(model, callback, epochs=2)
        kit.fit(model, callback)
        kit.fit(model, kit.RLACallback())
        model.compile("sgd", "mse")
        kit.fit(model, callback)
        kit.fit(kit.model(run_eagerly=False), callback)

    main()
    assert _column(rows(), "time-step") == [3, 6, 9, 12, 15, 18]
    assert _column(rows(), "epoch") == [0, 1, 0, 0, 0, 0]


def test_validation_now_and_then(keras, here, rows):
    """Only keys that came are in a row; validation every second epoch is in every second row."""
    keras.fit(
        keras.model(),
        keras.RLACallback(),
        epochs=4,
        validation_data=(keras.x, keras.y),
        validation_freq=2,
    )
    assert [("val_loss" in row) for row in rows()] == [False, True, False, True]


def test_later_epochs_and_unknown_lengths(keras, here, rows):
    """initial_epoch is kept, a fit of no epochs leaves no row, and of a generator the optimizer knows the length.

    On TensorFlow Keras 3.15 counts one step more than such a generator has batches; the rows say what it says.
    """
    batches = lambda: ((keras.x[:8], keras.y[:8]) for _ in range(5))  # noqa: E731
    model, callback = keras.model(), keras.RLACallback()
    keras.fit(model, callback, epochs=5, initial_epoch=5)
    keras.fit(model, callback, epochs=7, initial_epoch=5)
    model.fit(batches(), epochs=1, verbose=0, callbacks=[callback])
    assert rows("time-step", "epoch") == [
        {"time-step": 3, "epoch": 5},
        {"time-step": 6, "epoch": 6},
        {"time-step": keras.iterations(model), "epoch": 0},
    ]


def test_backup_and_restore_keeps_its_epochs(keras, here, rows):
    """Keras' own BackupAndRestore moves the first epoch; the rows say so."""
    model = keras.model()
    stop = _spy(keras, on_epoch_end=lambda self, epoch, logs=None: 1 / (epoch - 1))
    backup, callback = keras.keras.callbacks.BackupAndRestore(here / "backup"), keras.RLACallback()
    with pytest.raises(ZeroDivisionError):
        keras.fit(model, backup, callback, stop, epochs=4)
    keras.fit(model, backup, callback, epochs=4)
    assert _column(rows(), "epoch") == [0, 1, 2, 3]


@every_backend
def test_other_callbacks(keras, here, rows):
    """Values that earlier callbacks add are kept, those of later ones come too late, and the logs stay theirs."""
    seen = []

    def add(self, epoch, logs=None):
        logs["mine"] = 7.0

    def look(self, epoch, logs=None):
        seen.append(dict(logs))
        logs["late"] = 1.0

    schedule = keras.keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    first, last = _spy(keras, on_epoch_end=add), _spy(keras, on_epoch_end=look)
    keras.fit(keras.model(), schedule, first, keras.RLACallback(), last, epochs=2)
    assert _column(rows(), "learning_rate") == [0.5, 0.25]
    assert _column(rows(), "mine") == [7.0, 7.0]
    assert "late" not in rows()[0]
    assert set(seen[0]) == {"loss", "mae", "learning_rate", "mine"}


def test_strange_logs(keras, here, rows):
    """An array is left out with one warning, an inner dict is flattened, texts and NaN are kept."""

    def add(self, epoch, logs=None):
        logs |= {"vector": np.arange(3), "text": "[b, a]", "nan": math.nan, "more": {"a": 1.0, "b": {"c": 2}}}

    with pytest.warns(RLAWarning, match="'vector' was left out") as warned:
        keras.fit(keras.model(), _spy(keras, on_epoch_end=add), keras.RLACallback(), epochs=2)
    assert _count(warned) == 1
    row = rows()[0]
    assert (row["text"], row["more/a"], row["more/b/c"]) == ("[b, a]", 1, 2)
    assert math.isnan(row["nan"])


@pytest.mark.parametrize("given", ["list", "tuple", "alone", "nested", "CallbackList"])
def test_ways_to_give_callbacks(keras, given, here, rows):
    """A list, a tuple, one object, a list in a list (TensorFlow) and a CallbackList of the user's own all work."""
    model, callback = keras.model(), keras.RLACallback()
    ways = {"list": [callback], "tuple": (callback,), "alone": callback, "nested": [[callback]]}
    ways["CallbackList"] = keras.keras.callbacks.CallbackList([callback], add_history=True, model=model, steps=3)
    model.fit(keras.x, keras.y, batch_size=8, verbose=0, callbacks=ways[given])
    assert _column(rows(), "time-step") == [3]


@every_backend
def test_a_loop_of_ones_own(any_keras, here, rows):
    """Hooks called by hand, without on_train_begin, without logs, without params, also without a model."""
    kit = any_keras
    model = kit.model()
    by_hand = kit.keras.callbacks.CallbackList([kit.RLACallback(log_every="batch")], model=model)
    by_hand.on_epoch_begin(0)
    logs = model.train_on_batch(kit.x, kit.y, return_dict=True)
    by_hand.on_train_batch_end(0, logs)
    by_hand.on_epoch_end(0, {"loss": 1.5})
    by_hand.on_epoch_end(1, None)
    assert [row.get("loss") for row in rows()] == [None, 1.5, None]
    assert _column(rows(), "batch/loss") == [pytest.approx(float(np.asarray(logs["loss"])), rel=1e-6)]
    assert _column(rows(), "time-step") == [1, 1, 1]

    without = kit.RLACallback(task="no model")
    without.on_train_begin()
    with pytest.warns(RLAWarning, match="time step counts epochs"):
        without.on_epoch_end(0, {"loss": 1.0})
    without.on_train_end()
    assert [len(run.metrics()) for run in rla.runs(here / "root")] == [3, 1]


# --- batches ----------------------------------------------------------------------------------------------------------


@every_backend
def test_every_batch(any_keras, here, rows):
    """With log_every="batch" each batch is one row, of the values that Keras gives; the epoch's row comes after."""
    kit, seen = any_keras, []
    spy = _spy(kit, on_train_batch_end=lambda self, batch, logs=None: seen.append(logs["loss"]))
    kit.fit(kit.model(), spy, kit.RLACallback(log_every="batch"), epochs=2)
    assert _column(rows(), "batch/loss") == seen
    assert _column(rows(), "time-step") == [1, 2, 3, 3, 4, 5, 6, 6]
    assert [row["time-step"] for row in rows() if "epoch" in row] == [3, 6]


@every_backend
def test_every_second_batch_of_a_callback_given_alone(keras, here, rows):
    """Keras runs the batch hooks of a callback that is not in a list in threads, where it can: no row is lost."""
    model = keras.model()
    x, y = np.repeat(keras.x, 4, axis=0), np.repeat(keras.y, 4, axis=0)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=keras.RLACallback(log_every=2))
    assert sorted(row["time-step"] for row in rows() if "batch/loss" in row) == [*range(2, 25, 2)]


def test_several_steps_in_one_execution(keras, here, rows):
    """The index of the last batch lies beyond the epoch then; the steps are the optimizer's."""
    model = keras.model(steps_per_execution=3)
    x, y = np.repeat(keras.x, 2, axis=0)[:40], np.repeat(keras.y, 2, axis=0)[:40]
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[keras.RLACallback(log_every=2)])
    assert _column(rows(), "time-step") == [3, 5, 5, 8, 10, 10]


@every_backend
def test_batch_hooks_only_where_asked_for(keras):
    """Without batch rows there is no batch hook, so that Keras goes on dispatching asynchronously."""
    lists = {every: keras.keras.callbacks.CallbackList([keras.RLACallback(log_every=every)]) for every in ("epoch", 5)}
    thread_safe = keras.backend != "tensorflow"
    assert lists["epoch"]._async_train is thread_safe
    assert lists["epoch"]._async_test is thread_safe
    assert lists[5]._async_train is False


# --- evaluate and predict ---------------------------------------------------------------------------------------------


@every_backend
def test_evaluate_and_predict(any_keras, here, rows):
    """An evaluate of its own is a row, the validation in a fit is not; predict leaves nothing."""
    kit = any_keras
    model, callback = kit.model(), kit.RLACallback()
    model.predict(kit.x, verbose=0, callbacks=[callback])
    assert not (here / "root").exists()
    kit.fit(model, callback, validation_data=(kit.x, kit.y))
    result = model.evaluate(kit.x, kit.y, verbose=0, callbacks=[callback], return_dict=True)
    model.predict(kit.x, verbose=0, callbacks=[callback])
    first, second = rows()
    assert "val_loss" in first
    assert second == {"time-step": 3, "evaluate/loss": result["loss"], "evaluate/mae": result["mae"]}


def test_an_evaluate_inside_of_a_fit(keras, here, rows):
    """One with the same callback is a row; the validation of later epochs is still that of the fit."""
    model, callback = keras.model(), keras.RLACallback()
    evaluate = _spy(
        keras,
        on_epoch_end=lambda self, epoch, logs=None: model.evaluate(
            keras.x, keras.y, verbose=0, callbacks=[callback] if epoch == 0 else []
        ),
    )
    keras.fit(model, callback, evaluate, epochs=3, validation_data=(keras.x, keras.y))
    assert [("evaluate/loss" in row, "val_loss" in row) for row in rows()] == [
        (False, True),
        (True, False),
        (False, True),
        (False, True),
    ]


# --- learning rates and optimizers ------------------------------------------------------------------------------------


def test_kinds_of_optimizers(keras, here, runs):
    """A schedule gives its present value, a loss-scaling wrapper that of the optimizer in it."""
    optimizers = keras.keras.optimizers
    decay = optimizers.schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5)
    for task, optimizer in {
        "decay": optimizers.SGD(decay),
        "scaled": optimizers.LossScaleOptimizer(optimizers.SGD(0.25)),
        "accumulating": optimizers.SGD(0.25, gradient_accumulation_steps=3),
    }.items():
        keras.fit(keras.model(optimizer), keras.RLACallback(task=task), epochs=2)
    metrics = {run.task: run.metrics() for run in runs()}
    assert metrics["decay"]["learning_rate"].tolist() == pytest.approx([0.05, 0.025])
    assert metrics["scaled"]["learning_rate"].tolist() == [0.25, 0.25]
    assert metrics["accumulating"]["time-step"].tolist() == [1, 2]


def test_an_optimizer_of_several(keras, here, rows, only_run):
    """Each of Keras' MultiOptimizer has a learning rate; a step is one of all of them."""
    optimizers = keras.keras.optimizers
    if not hasattr(optimizers, "MultiOptimizer"):
        pytest.skip("Keras before 3.15")
    parts = {"kernel": optimizers.SGD(0.5, name="slow"), "bias": optimizers.Adam(0.25, name="fast")}
    optimizer = optimizers.MultiOptimizer(lambda variable: parts[variable.path.rpartition("/")[2]])
    keras.fit(keras.model(optimizer), keras.RLACallback(), epochs=2)
    assert _column(rows(), "learning_rate/slow") == [0.5, 0.5]
    assert _column(rows(), "learning_rate/fast") == [0.25, 0.25]
    assert _column(rows(), "time-step") == [3, 6]
    assert only_run().hparams["keras.optimizer.class"] == "MultiOptimizer"


def test_without_an_optimizer(keras, here, rows, disk, only_run):
    """A model that is compiled with None counts epochs, whatever its train_step returns; its weights are saved."""

    class Still(keras.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            return {"loss": 1.0, "vector": np.arange(2.0), "more": {"a": 2.0}}

    model = Still()
    model(keras.x)
    model.compile(optimizer=None, loss="mse")
    with pytest.warns(RLAWarning) as warned:
        keras.fit(model, keras.RLACallback(log_every=3, save_weights_only=True), epochs=2)
    said = [str(each.message) for each in warned if issubclass(each.category, RLAWarning)]
    assert [part in line for part, line in zip(("batch/vector", "counts epochs", "'vector'"), said)] == [True] * 3
    assert [row["time-step"] for row in rows() if "batch/loss" in row] == [0, 1]
    assert rows("time-step", "epoch", "loss", "a")[1::2] == [
        {"time-step": 1, "epoch": 0, "loss": 1, "a": 2},
        {"time-step": 2, "epoch": 1, "loss": 1, "a": 2},
    ]
    assert disk.checkpoints(only_run()) == ["checkpoint-1.weights.h5", "checkpoint-2.weights.h5"]


def test_optimizers_of_a_train_step_of_ones_own(keras, here, rows, only_run):
    """A model with optimizers beside the compiled one, which it never uses, counts by those, and tells of all."""
    tf = pytest.importorskip("tensorflow")

    class Pair(keras.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.keras.layers.Dense(1)
            self.actor_optimizer = keras.keras.optimizers.SGD(0.125)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            variables = self.trainable_variables
            self.actor_optimizer.apply(tape.gradient(loss, variables), variables)
            return {"loss": loss}

    model = Pair()
    model.compile("sgd")
    keras.fit(model, keras.RLACallback(), epochs=2)
    assert _column(rows(), "time-step") == [3, 6]
    assert _column(rows(), "learning_rate/actor_optimizer") == [0.125, 0.125]
    assert only_run().hparams["keras.actor_optimizer.class"] == "SGD"


def test_an_optimizer_that_never_steps(keras, here, rows):
    """Where no optimizer counts, epochs do, with one warning."""

    class Still(keras.keras.Sequential):
        def train_step(self, data):
            return {"loss": 1.0}

    model = Still([keras.keras.Input((3,)), keras.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(RLAWarning, match="time step counts epochs"):
        keras.fit(model, keras.RLACallback(log_every=3), epochs=3)
    assert [row["time-step"] for row in rows() if "epoch" in row] == [1, 2, 3]


# --- hyper-parameters -------------------------------------------------------------------------------------------------


@every_backend
def test_hyper_parameters(any_keras, here, only_run):
    """Model, optimizer and loss stand under ``keras.`` beside the tracked ones; compiled anew, the new ones."""
    kit = any_keras

    @rla.track(record=["lr"])
    def main(lr=0.25):
        model = kit.model(kit.keras.optimizers.SGD(lr))
        kit.fit(model, kit.RLACallback())
        model.compile(kit.keras.optimizers.Adam(0.001), kit.keras.losses.MeanAbsoluteError())
        kit.fit(model, kit.RLACallback())

    main()
    told = only_run().hparams
    assert told["lr"] == 0.25
    assert (told["keras.backend"], told["keras.version"]) == (kit.backend, kit.keras.__version__)
    assert told["keras.parameters"] == told["keras.trainable_parameters"] == 3 * 4 + 4 + 4 + 1
    assert (told["keras.epochs"], told["keras.steps_per_epoch"]) == (1, 3)
    assert (told["keras.optimizer.class"], told["keras.optimizer.learning_rate"]) == ("Adam", 0.001)
    assert told["keras.loss"] == "mean_absolute_error"
    assert not any(key.startswith("module.") or key in ("keras.summary", "keras.config") for key in told)


@every_backend
def test_files_about_the_model(any_keras, here, only_run, disk):
    """Its config, from which Keras makes it again, and its summary: not among the hyper-parameters."""
    kit = any_keras
    model = kit.model(width=7)
    kit.fit(model, kit.RLACallback(save_every=None))
    results = only_run().results_dir
    assert {"model_config.json", "model_summary.txt"} <= set(disk.files(results))
    text = (results / "model_config.json").read_text()
    twin = kit.keras.models.model_from_json(text)
    assert [each.shape for each in twin.get_weights()] == [each.shape for each in model.get_weights()]
    assert text.count("\n") > 20, "for people to read"
    summary = (results / "model_summary.txt").read_text()
    assert "Dense" in summary and "28" in summary and summary.endswith("\n")
    assert not any(len(str(value)) > 500 for value in only_run().hparams.values())


def test_files_about_several_models(keras, here, only_run, disk):
    """Each has files of its own; what a model is fitted to later does not matter, what it is compiled to does."""
    layers = keras.keras.layers

    class Odd(keras.keras.Model):
        """Has no config, and no layers in its summary."""

        def __init__(self, kind):
            super().__init__(name="odd")
            self.kind, self.layer = kind, layers.Dense(1)

        def call(self, x):
            return self.layer(x)

    @rla.track(record=[])
    def main():
        keras.fit(keras.model(width=2), keras.RLACallback(save_every=None))
        second = keras.model(width=3)
        second.name = "critic"
        keras.fit(second, keras.RLACallback(save_every=None))
        odd = Odd(object())
        odd.compile("sgd", "mse")
        keras.fit(odd, keras.RLACallback(save_every=None, name="actor"))

    main()
    assert [name for name in disk.files(only_run().results_dir) if "learning_curve" not in name] == [
        "actor/model_summary.txt",
        "model-critic_config.json",
        "model-critic_summary.txt",
        "model_config.json",
        "model_summary.txt",
    ]
    assert only_run().hparams["keras.critic.parameters"] == 3 * 3 + 3 + 3 + 1


def test_files_about_the_model_on_a_disk_that_fails(keras, here, only_run):
    """One warning, and the training goes on."""
    callback = keras.RLACallback(save_every=None)

    def block(model, epoch, logs):
        (only_run().results_dir / "model_summary.txt").unlink()
        (only_run().results_dir / "model_summary.txt").mkdir()

    model = keras.model()
    keras.fit(model, callback, _spy(keras, on_epoch_end=lambda self, epoch, logs: block(model, epoch, logs)))
    model.compile("sgd", "mae")
    with pytest.warns(RLAWarning, match="the model's config and summary were not saved"):
        keras.fit(model, callback)
    assert only_run().hparams["keras.loss"] == "mae"


def test_a_loss_that_changes(keras, here, only_run):
    """A model that is compiled anew with the same optimizer tells of its new loss."""
    model, callback = keras.model(), keras.RLACallback()
    keras.fit(model, callback)
    model.compile(model.optimizer, "mae")
    keras.fit(model, callback)
    assert only_run().hparams["keras.loss"] == "mae"


def test_a_model_that_is_built_by_its_first_batch(any_keras, here, only_run):
    """Its size and summary are told, too, which Keras 2 knows only after the first epoch has begun."""
    kit = any_keras
    model = kit.keras.Sequential([kit.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    kit.fit(model, kit.RLACallback())
    assert only_run().hparams["keras.parameters"] == 4


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.every_panel
def test_figures(keras, here, only_run):
    """Functions draw after every so many epochs; one that fails costs its figure and one warning."""
    from matplotlib.figure import Figure
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def weights(model, epoch, logs):
        assert set(logs) == {"loss", "mae"}
        figure = Figure(figsize=(2, 1))
        figure.add_subplot().plot(model.get_weights()[0].ravel())
        return figure

    figures = {"weights": weights, "broken": lambda model, epoch, logs: 1 / 0, "none": lambda *_: None}
    callback = keras.RLACallback(figures=figures, figures_every=2, log_weights=True)
    with pytest.warns(RLAWarning, match="'broken' was not made: ZeroDivisionError") as warned:
        keras.fit(keras.model(), callback, epochs=4)
    assert _count(warned) == 1
    run = only_run()
    assert {path.name for path in run.results_dir.glob("*.png")} == {
        "weights-6.png",
        "weights-12.png",
        "learning_curve.png",
    }
    with Image.open(run.results_dir / "weights-6.png") as picture:
        assert picture.size == (200, 100)
    reader = EventAccumulator(str(run.tensorboard_dir), size_guidance={"histograms": 0}).Reload()
    assert {"weights", "learning_curve"} <= set(reader.Tags()["images"])
    histogram = next(tag for tag in reader.Tags()["histograms"] if tag.endswith("kernel"))
    assert [event.step for event in reader.Histograms(histogram)] == [3, 6, 9, 12]
    assert reader.Histograms(histogram)[0].histogram_value.num == 12


@pytest.mark.every_panel
def test_the_learning_curve_is_drawn_at_the_end_of_the_run_at_last(keras, here, only_run):
    """A loop of fits of one epoch gives one figure: of a single epoch there is none, of all of them at the end."""

    @rla.track()
    def main():
        model = keras.model()
        keras.fit(model, keras.RLACallback())
        assert not (rla.current_run().results_dir / "learning_curve.png").exists()
        keras.fit(model, keras.RLACallback())

    main()
    assert (only_run().results_dir / "learning_curve.png").stat().st_size > 1000


@pytest.mark.every_panel
def test_a_metric_that_looks_like_mathematics(keras, here, only_run):
    """A dollar sign in its name is no reason to lose the learning curve."""

    class Add(keras.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs[r"$\foo{$"] = float(epoch)

    keras.fit(keras.model(), Add(), keras.RLACallback(), epochs=2)
    assert (only_run().results_dir / "learning_curve.png").stat().st_size > 1000


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_the_words_of_other_callbacks_are_told(keras, here):
    """Of Keras' own and of Stable-Baselines3's; each known word is listed once."""
    for word in ("save_freq", "checkpoint_every"):
        with pytest.raises(ConfigError, match=f"unknown argument '{word}'.* It is save_every, in epochs") as caught:
            keras.RLACallback(**{word: 5})
        assert str(caught.value).count(" resume,") == 1


def test_all_mistakes_at_once(keras, here):
    """One error names every argument, before anything is created."""
    with pytest.raises(ConfigError) as caught:
        keras.RLACallback(
            monitor="",
            mode="minimum",
            max_to_keep=0,
            save_every=1.5,
            log_every="step",
            figures={"a": 1},
            figures_every=True,
            resume=3,
            filepath="x.h5",
            log_evry=1,
            name=3,
            record=["lr"],
            task=5,
            writers=["tensorbord"],
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 14
    for part in (
        "'minimum'",
        "max_to_keep is 0",
        "save_every is 1.5",
        "'step'",
        "'a': 1",
        "resume is 3",
        "name is 3",
        "['lr']",
        "tensorbord",
    ):
        assert part in text
    assert "unknown argument 'filepath'" in text and "belong to the run's folders" in text
    assert "Did you mean 'log_every'?" in text
    with pytest.raises(ConfigError, match=r"rla_hooks\.integrations\.transformers import"):
        keras.RLACallback().on_init_end(None)  # a Trainer of transformers calls it
    assert list(here.iterdir()) == []


def test_a_callback_of_the_other_keras(keras, here):
    """Keras 2 and 3 do not take one another's callbacks; the error says what to import."""
    other = pytest.importorskip("tf_keras")
    from rla_hooks.integrations import tf_keras as hooks

    model = other.Sequential([other.layers.InputLayer((3,)), other.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ConfigError, match=r"rla_hooks\.integrations\.tf_keras import"):
        model.fit(keras.x, keras.y, verbose=0, callbacks=[keras.RLACallback()])
    with pytest.raises(ConfigError, match=r"rla_hooks\.integrations\.keras import"):
        keras.model().fit(keras.x, keras.y, verbose=0, callbacks=[hooks.RLACallback()])
    assert list(here.iterdir()) == []
