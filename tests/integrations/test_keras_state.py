"""RLACallback(state=...) of Keras: what its files do not have is kept beside them, and a fit goes on exactly."""

from __future__ import annotations

import os
import signal

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.errors import CheckpointError, ConfigError

pytestmark = [pytest.mark.filterwarnings("ignore", "error::rla_hooks.errors.RLAWarning")]
every_backend = pytest.mark.every_backend


def train(keras, log_root, stops_at=-1, state=True, resume=None, width=12, **options):
    """Dropout, data that are shuffled (TensorFlow keeps that to itself), and a buffer of what the training draws."""
    kit, buffer = keras.keras, numpy.zeros(width)

    class Fill(kit.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            number = keras.iterations(self.model)
            buffer[(number - 1) % width] = numpy.random.rand()
            if number == stops_at:
                raise KeyboardInterrupt

    numpy.random.seed(1)
    if keras.backend == "torch":  # what shuffles its data
        kit.utils.set_random_seed(1)
    model = keras.model()
    model = kit.Sequential([kit.Input((3,)), *model.layers[:1], kit.layers.Dropout(0.5, seed=3), *model.layers[1:]])
    model.compile(kit.optimizers.Adam(0.01), "mse", run_eagerly=keras.eager)
    state = {"buffer": buffer} if state is True else state
    with rla.run(task="job", log_root=log_root, backup="none", resume=resume) as run:
        callback = keras.RLACallback("loss", state=state, **options)
        keras.fit(model, callback, Fill(), epochs=4, shuffle=keras.backend != "tensorflow")
    return run, keras.state(model), buffer, numpy.random.rand()


def rows_of(run):
    return rla.runs(run.paths.log_root)[0].metrics().drop(columns=["timestamp", "time/seconds_per_epoch"])


def states_of(run):
    return [entry.file for entry in Manifest(run.checkpoint_dir).complete() if entry.name == "state"]


@every_backend
def test_a_fit_that_was_stopped_goes_on_exactly(keras, here, only_run):
    """Weights, optimizer, rows, the user's buffer and the next random numbers, with dropout."""
    straight = train(keras, "other")
    with pytest.raises(KeyboardInterrupt):
        train(keras, "root", stops_at=8)
    killed = only_run()
    assert states_of(killed) == ["state-3", "state-6"]
    with pytest.raises(CheckpointError, match=r"(?s)does not fit.*buffers\.buffer.*\b12\b"):
        train(keras, "root", resume=killed.id, width=13)
    found = train(keras, "root", resume=killed.id)
    assert only_run().restarts[-1]["step"] == 6
    assert all(map(numpy.array_equal, found[1], straight[1])) and len(found[1]) == len(straight[1])
    assert numpy.array_equal(found[2], straight[2]) and found[3] == straight[3]
    assert len(rows_of(found[0])) == 4 and rows_of(found[0]).equals(rows_of(straight[0]))


@pytest.mark.norerun
@pytest.mark.parametrize("any_keras", ["tf_keras"], indirect=True)
def test_a_fit_of_keras_2_that_was_killed_goes_on_exactly(any_keras, here, forked, only_run):
    """Weights, optimizer, rows, the user's buffer, and the next random numbers; Keras 2 is told the first epoch."""
    import tensorflow as tf

    def draw(self, batch, logs=None):
        buffer[any_keras.iterations(self.model) % 7] = tf.random.uniform([]).numpy() + numpy.random.rand()
        if any_keras.iterations(self.model) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def once(log_root, resume=None, first=0):
        buffer[:] = 0
        numpy.random.seed(1), tf.random.set_seed(1)
        with rla.run(task="job", log_root=log_root, backup="none", writers=["csv"], resume=resume) as run:
            callback = any_keras.RLACallback("loss", state={"buffer": buffer})
            model = any_keras.model()
            drawing = type("Draw", (any_keras.keras.callbacks.Callback,), {"on_train_batch_end": draw})()
            any_keras.fit(model, callback, drawing, epochs=4, initial_epoch=first)
        return run, any_keras.state(model), buffer.tolist(), numpy.random.rand(), tf.random.uniform([]).numpy()

    buffer, dies_at = numpy.zeros(7), -1
    straight = once("other")
    dies_at = 8
    assert forked(lambda: once("root")).ended() == -signal.SIGKILL
    dies_at = -1
    found = once("root", only_run().id, first=2)
    assert only_run().restarts[-1]["step"] == 6
    assert all(map(numpy.array_equal, found[1], straight[1])) and found[2:] == straight[2:]
    assert len(rows_of(found[0])) == 4 and rows_of(found[0]).equals(rows_of(straight[0]))


def test_a_state_that_cannot_be_stored(keras, here, only_run, warnings_as_text):
    """There is one warning, and the training goes on; one that goes on from there says what it does not have."""
    with pytest.raises(KeyboardInterrupt):
        train(keras, "root", stops_at=10, state={"lines": (line for line in "ab")})
    (told,) = warnings_as_text
    assert told.startswith("the state of step 3 was not saved: it cannot be stored: buffers.lines is a generator")
    warnings_as_text.clear()
    assert states_of(only_run()) == [] and rla.latest_checkpoint(only_run()).name == "best-9.keras"
    train(keras, "root", resume="auto")
    (told,) = warnings_as_text
    assert told.startswith("there is no state of step 9, where the training goes on")
    warnings_as_text.clear()


def test_several_models(keras, here, only_run, warnings_as_text):
    """Only the program knows a point where all of them can go on; a callback with a name does not take it."""
    with rla.run(task="job", log_root="root", backup="none"):
        models, callback = [keras.model(), keras.model()], keras.RLACallback(state=True)
        for model in models:
            keras.fit(model, callback)
    assert states_of(only_run()) == ["state-3"]
    (told,) = warnings_as_text
    assert told.startswith("RLACallback(state=...) keeps the state of one model in a run, and this run has several")
    warnings_as_text.clear()
    with pytest.raises(ConfigError, match=r"state is True.*False beside name="):
        keras.RLACallback(state=True, name="actor")


@pytest.mark.parametrize("wrong", [3, {1: 2}])
def test_what_is_no_state(keras, wrong):
    """The error says what is allowed."""
    with pytest.raises(ConfigError, match=r"state is .* Allowed: True, False, \{name: object\}"):
        keras.RLACallback(state=wrong)
