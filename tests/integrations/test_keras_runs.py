"""Which run a Keras training belongs to, and how that ends: exceptions, copies, several processes."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAWarning

every_backend = pytest.mark.every_backend


@pytest.fixture
def start(keras_python):
    """Starts a program in a folder, with variables in its environment."""

    def start(folder, code, *arguments, **variables):
        script = folder / "script.py"
        script.write_text(textwrap.dedent(code))
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("RLA_", "KERAS_", "TF_"))}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", **variables}
        return keras_python.start(script, *arguments, cwd=folder, env=environment)

    return start


def _finish(program):
    done = program.ended()
    assert done.returncode == 0, done.stderr
    return done.stdout


@every_backend
def test_nothing_is_made_before_a_fit(keras, here):
    """Importing, constructing and copying a callback leaves no file, and neither does RLA_MODE=off."""
    copy.deepcopy(keras.RLACallback())
    assert list(here.iterdir()) == []


def test_tracking_off(keras, here, monkeypatch):
    """With RLA_MODE=off the training is as without the callback."""
    monkeypatch.setenv("RLA_MODE", "off")
    history = keras.fit(keras.model(), keras.RLACallback(figures={"a": lambda *_: 1 / 0}), epochs=2)
    assert len(history.history["loss"]) == 2
    assert list(here.iterdir()) == []


def test_a_run_of_its_own(keras, here, only_run, end_of_process):
    """It has the task and record parameters that were given, and ends with the process."""
    keras.fit(keras.model(), keras.RLACallback(task="digits", record={"info": "alone"}))
    run = only_run()
    assert (run.task, run.record, run.status) == ("digits", {"info": "alone"}, "running")
    end_of_process()
    assert only_run().status == "finished"


def test_labels_of_a_run_of_its_own(keras, here, only_run):
    """Tags, note and group of rla.run may be given, too."""
    keras.fit(keras.model(), keras.RLACallback(tags=["small"], note="a first try", group="digits"))
    labels = json.loads((only_run().log_dir / "labels.json").read_text())
    assert (labels["tags"], labels["note"], labels["group"]) == (["small"], "a first try", "digits")
    with pytest.raises(ConfigError, match="tags"):
        keras.RLACallback(tags=3)


def test_a_fit_after_the_run_has_ended(keras, here, only_run, end_of_process):
    """Its rows are added to the run, and the log says so once."""
    model, callback = keras.model(), keras.RLACallback()
    keras.fit(model, callback)
    end_of_process()
    for _ in range(2):
        keras.fit(model, callback)
    assert only_run().metrics()["time-step"].tolist() == [3, 6, 9]
    assert (only_run().log_dir / "log.txt").read_text().count("the run has ended (finished)") == 1


def test_one_callback_in_two_tracked_runs(keras, here, runs):
    """Each run has its own rows and checkpoints; afterwards the callback stays with the last one."""
    callback = keras.RLACallback()

    @rla.track()
    def main(epochs):
        keras.fit(keras.model(), callback, epochs=epochs)

    main(1)
    main(2)
    keras.model().evaluate(keras.x, keras.y, verbose=0, callbacks=[callback])
    assert [len(run.metrics()) for run in runs()] == [1, 3]
    assert [len(list(run.checkpoint_dir.glob("*.keras"))) for run in runs()] == [1, 2]


def test_options_of_a_run_of_its_own(keras, here, only_run):
    """In a run that is open already they have no use, which one warning says."""

    @rla.track()
    def main():
        for _ in range(2):
            keras.fit(keras.model(), keras.RLACallback(task="other", record={"a": 1}))

    with pytest.warns(RLAWarning, match="task, record are of no use") as warned:
        main()
    assert sum(each.category is RLAWarning for each in warned) == 1
    assert only_run().task == "test_keras_runs"


@every_backend
@pytest.mark.every_panel
def test_two_models_of_one_run(any_keras, here, rows, only_run, disk, read_scalars):
    """Named, each has columns, steps, checkpoints, a best one, figures and hyper-parameters of its own."""
    kit = any_keras

    def fit(model, name, **options):
        kit.fit(model, kit.RLACallback("loss", name=name, log_every=2, save_every=2, resume=True), **options)

    @rla.track()
    def main():
        actor, critic = kit.model(), kit.model("sgd", width=5)
        for _ in range(2):
            fit(actor, "actor")
            fit(critic, "critic", epochs=2)
        critic.evaluate(kit.x, kit.y, verbose=0, callbacks=[kit.RLACallback(name="critic")])
        return actor, critic

    actor, critic = main()
    own, other = ([row for row in rows() if f"{name}/time/seconds_per_epoch" in row] for name in ("actor", "critic"))
    assert [(row["time-step"], row["actor/epoch"]) for row in own] == [(3, 0), (6, 0)]
    assert [(row["time-step"], row["critic/epoch"]) for row in other] == [(3, 0), (6, 1), (9, 0), (12, 1)]
    assert [row["time-step"] for row in rows() if "critic/batch/loss" in row] == [2, 4, 6, 8, 10, 12]
    assert [row["time-step"] for row in rows() if "critic/evaluate/loss" in row] == [12]
    assert not any("/" not in key for row in rows() for key in row if key != "time-step")
    run = only_run()
    assert disk.checkpoints(run) == sorted(disk.manifest(run))
    newest = ["actor-checkpoint-3.keras", "critic-checkpoint-12.keras", "critic-checkpoint-6.keras"]
    assert disk.checkpoints(run) == ["actor-best-6.keras", newest[0], "critic-best-12.keras", *newest[1:]]
    for name, model in (("actor", actor), ("critic", critic)):
        loaded = kit.keras.models.load_model(rla.latest_checkpoint(run, f"{name}-best"))
        assert np.array_equal(loaded.predict(kit.x, verbose=0), model.predict(kit.x, verbose=0))
        assert (run.results_dir / name / "learning_curve.png").is_file()
        assert f"{name}/loss" in read_scalars(run.tensorboard_dir)
    assert run.hparams["keras.actor.optimizer.class"] == "Adam"
    assert run.hparams["keras.critic.optimizer.class"] == "SGD"

    @rla.track(task=run.task)
    def go_on():
        actor, critic = kit.model(), kit.model("sgd", width=5)
        fit(critic, "critic")
        fit(actor, "actor")
        return kit.iterations(actor), kit.iterations(critic)

    assert go_on() == (6 + 3, 12 + 3), "from the latest: of the actor that is the best"


@pytest.mark.parametrize("name", ["a/b", ".", "a\\b", "a\n", 3, None, "x" * 101])
def test_names_that_files_cannot_have(keras, name, here):
    """The error says what is allowed, before anything is made."""
    with pytest.raises(ConfigError, match=r"name is .* Allowed: a text such as 'actor'"):
        keras.RLACallback(name=name)
    assert list(here.iterdir()) == []


def test_models_that_take_turns_without_a_name(keras, here):
    """One after the other is one curve; when the first comes again, one warning says what to do."""

    @rla.track()
    def main():
        callback, models = keras.RLACallback(save_every=None), [keras.model(), keras.model()]
        keras.fit(models[0], callback)
        keras.fit(models[1], callback)
        models[0].evaluate(keras.x, keras.y, verbose=0, callbacks=[callback])
        baseline = keras.model()
        baseline.evaluate(keras.x, keras.y, verbose=0, callbacks=[callback])
        keras.fit(baseline, callback)
        with pytest.warns(RLAWarning, match=r"take turns.*RLACallback\(name='actor'\)") as warned:
            for model in (models[0], models[1], models[0]):
                keras.fit(model, callback)
        assert sum(each.category is RLAWarning for each in warned) == 1

    main()


@every_backend
def test_copies(keras, here, runs):
    """A callback that is copied before its first fit (a tuner does) makes its own run; later it stays with the run."""
    original = keras.RLACallback(log_every="batch")
    trial = copy.deepcopy(original)
    keras.fit(keras.model(), original)
    keras.fit(keras.model(), trial)
    assert len(runs()) == 2
    model = keras.model()
    keras.fit(model, copy.deepcopy(original))
    keras.fit(model, pickle.loads(pickle.dumps(original)))
    first, second = runs()
    assert (len(first.metrics()), len(second.metrics())) == (12, 4)
    assert first.metrics()["time-step"].tolist()[-4:] == [7, 8, 9, 9], "the steps go on, too"


def test_a_tuner(keras, here, runs):
    """KerasTuner copies the callback for each trial; each has a run, whose hyper-parameters are those of the trial."""
    tuner_package = pytest.importorskip("keras_tuner")
    rates = [0.5, 0.25]

    def build(trial):
        return keras.model(keras.keras.optimizers.SGD(trial.Choice("rate", rates)))

    tuner = tuner_package.GridSearch(build, "val_loss", directory="tuner")
    data = {"x": keras.x, "y": keras.y, "validation_data": (keras.x, keras.y)}
    tuner.search(**data, epochs=2, batch_size=8, verbose=0, callbacks=[keras.RLACallback()])
    assert [run.hparams["keras.optimizer.learning_rate"] for run in runs()] == rates
    assert [run.metrics()["time-step"].tolist() for run in runs()] == [[3, 6], [3, 6]]
    best = min(run.metrics()["val_loss"].min() for run in runs())
    assert tuner.oracle.get_best_trials(1)[0].score == pytest.approx(best, rel=1e-9)


# --- how it ends ------------------------------------------------------------------------------------------------------


@every_backend
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_in_a_fit(keras, error, here, only_run, rows):
    """No hook tells of it: the rows are there, the run says how it ended, and a later fit and evaluate are whole."""

    class Break(keras.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise error("in the second epoch")

    model, callback = keras.model(), keras.RLACallback()

    @rla.track()
    def main():
        try:
            keras.fit(model, callback, Break(), epochs=3)
        finally:
            assert len(rows()) == 1
            model.evaluate(keras.x, keras.y, verbose=0, callbacks=[callback])
            keras.fit(model, callback)

    with pytest.raises(error):
        main()
    assert only_run().status == ("failed" if error is ValueError else "interrupted")
    assert [("evaluate/loss" in row, row["time-step"]) for row in rows()] == [(False, 3), (True, 3), (False, 6)]


@every_backend
def test_stopping_early_is_a_good_end(keras, here, rows, only_run):
    """EarlyStopping and TerminateOnNaN end a fit normally; the row that holds NaN is kept."""
    model = keras.model()

    @rla.track()
    def main():
        patience = keras.keras.callbacks.EarlyStopping("loss", min_delta=100.0)
        keras.fit(model, patience, keras.RLACallback(), epochs=9)
        keras.fit(model, keras.keras.callbacks.TerminateOnNaN(), keras.RLACallback(), y=keras.y * np.nan, epochs=9)

    main()
    assert only_run().status == "finished"
    assert [row["epoch"] for row in rows()] == [0, 1, 0]
    assert np.isnan(rows()[-1]["loss"])


SCRIPT = """
    import os, signal, sys
    import keras, numpy as np
    import rla_hooks as rla
    from rla_hooks.integrations.keras import RLACallback

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 5:
                os.kill(os.getpid(), signal.SIGKILL)

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.ones((24, 3), "float32")
    callbacks = [RLACallback(log_every="batch", backup="none"), Kill()]
    model.fit(x, x[:, :1], batch_size=8, epochs=9, verbose=0, callbacks=callbacks)
"""


def test_a_killed_process_loses_nothing(keras, here, runs, rows, start):
    """After kill -9 in the second epoch all rows and the checkpoint of the first are there, and it reads as killed."""
    assert start(here, SCRIPT).ended().returncode == -signal.SIGKILL
    (run,) = runs()
    assert run.status == "killed"
    assert [row["time-step"] for row in rows()] == [1, 2, 3, 3, 4, 5]
    assert keras.keras.models.load_model(rla.latest_checkpoint(run)).count_params() == 4


# --- several devices and processes ------------------------------------------------------------------------------------

MIRRORED = """
    import numpy as np, tensorflow as tf, keras
    import rla_hooks as rla
    from rla_hooks.integrations.keras import RLACallback

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


    def make():
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
            model.compile("adam", "mse")
        assert model.distribute_strategy.num_replicas_in_sync == 2
        return model

    model = make()
    x = np.ones((24, 3), "float32")
    options = dict(batch_size=8, verbose=0)
    model.fit(x, x[:, :1], epochs=2, callbacks=[RLACallback(log_every="batch", log_weights=True)], **options)
    model.fit(x, x[:, :1], epochs=3, callbacks=[RLACallback(resume=True)], **options)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 5 and not rla.current_run().is_resumed:
                raise KeyboardInterrupt

    @rla.track(resume="auto")
    def main():
        make().fit(x, x[:, :1], epochs=2, callbacks=[RLACallback(log_every="batch"), Stop()], **options)

    try:
        main()
    except KeyboardInterrupt:
        main()
"""

WORKER = """
    import json, os, sys
    addresses, index = json.loads(sys.argv[1]), int(sys.argv[2])
    task = {"type": "worker", "index": index}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    import numpy as np, tensorflow as tf, tf_keras
    import rla_hooks as rla
    from rla_hooks.integrations.tf_keras import RLACallback

    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        layers = [tf_keras.layers.InputLayer((3,)), tf_keras.layers.Dense(4), tf_keras.layers.BatchNormalization()]
        model = tf_keras.Sequential([*layers, tf_keras.layers.Dense(1)])
        model.compile("adam", "mse")
    x = np.random.default_rng(0).random((32, 3), "float32")

    @rla.track()
    def main():
        callback = RLACallback(monitor="loss", figures={"a": lambda *_: np.zeros((2, 2))})
        model.fit(x, x[:, :1], batch_size=8, epochs=2, verbose=0, callbacks=[callback])

    main()
    print("rank", index, "done")
"""


def test_a_mirrored_strategy(keras, here, runs, start):
    """Two replicas in one process are one training: steps are counted once, and the checkpoint goes back in."""
    if keras.backend != "tensorflow":
        pytest.skip("a strategy of TensorFlow")
    _finish(start(here, MIRRORED))
    first, second, third = runs()
    for run in (first, third):
        assert run.metrics()["time-step"].tolist() == [1, 2, 3, 3, 4, 5, 6, 6]
    assert third.restarts[0]["rows_cut"] == 2
    assert second.metrics()[["time-step", "epoch"]].to_numpy().tolist() == [[9, 2]]


def test_several_workers_have_one_run(here, only_run, disk, start):
    """All workers save, since they share variables; the chief alone writes. Keras 3.15 cannot fit so, Keras 2 can."""
    pytest.importorskip("tf_keras")
    pytest.importorskip("tensorflow")
    import socket

    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]
    temporary = here.parent / "tmp"
    temporary.mkdir()
    folders = [here, here.parent / "other"]
    folders[1].mkdir()
    workers = [
        start(folder, WORKER, json.dumps(addresses), str(index), TMPDIR=str(temporary))
        for index, folder in enumerate(folders)
    ]
    assert [_finish(worker).splitlines()[-1] for worker in workers] == ["rank 0 done", "rank 1 done"]
    run = only_run()
    assert run.status == "finished"
    assert run.metrics()["epoch"].tolist() == [0, 1]
    assert len(disk.checkpoints(run)) == len(disk.manifest(run)) >= 3
    assert [path.name for path in folders[1].iterdir()] == ["script.py"]
    assert list(temporary.iterdir()) == []


# --- missing frameworks -----------------------------------------------------------------------------------------------

BLOCK = """
    import sys
    class Block:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in sys.argv[2:]:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    sys.meta_path.insert(0, Block())
    import importlib.util
    real = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *rest: None if name in sys.argv[2:] else real(name, *rest)
    try:
        importlib.import_module("rla_hooks.integrations." + sys.argv[1])
    except ImportError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("door", "missing", "said"),
    [
        ("keras", ["keras"], "pip install 'rla-hooks[keras]'"),
        ("tf_keras", ["tf_keras"], "pip install tf-keras"),
        ("keras", ["tensorflow"], "set the environment variable KERAS_BACKEND to one that is"),
    ],
)
def test_a_missing_framework(keras, door, missing, said, here):
    """The error says what to install."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RLA_", "KERAS_"))}
    command = [sys.executable, "-c", textwrap.dedent(BLOCK), door, *missing]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert said in done.stdout, done.stderr


# --- beside TensorBoard's other writers -------------------------------------------------------------------------------


def test_tf_summary_into_the_run(keras, here, only_run, read_scalars):
    """What the user's own tf.summary code writes stands in TensorBoard beside the run's rows."""
    tf = pytest.importorskip("tensorflow")

    @rla.track()
    def main():
        writer = tf.summary.create_file_writer(str(rla.current_run().tensorboard_dir / "summary"))
        with writer.as_default():
            tf.summary.scalar("mine", 0.5, step=7)
        writer.close()
        keras.fit(keras.model(), keras.RLACallback())

    main()
    folder = only_run().tensorboard_dir
    assert [step for step, _ in read_scalars(folder)["loss"]] == [3]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder / "summary")).Reload()
    assert [event.step for event in reader.Tensors("mine")] == [7]


def test_warnings_are_said_once_over_many_fits(keras, here):
    """A loop of a hundred fits does not repeat itself."""

    @rla.track()
    def main():
        model = keras.model()
        for _ in range(3):
            keras.fit(model, keras.RLACallback("val_nothing"))

    with pytest.warns(RLAWarning, match="no such metric was logged") as warned:
        main()
    assert sum(each.category is RLAWarning for each in warned) == 1
