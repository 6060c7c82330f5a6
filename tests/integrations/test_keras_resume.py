"""The table of docs/keras.md names a test for each rule of resume; those rules that no older test shows are here."""

import copy
import os
import re
import textwrap
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import CheckpointError

HERE = Path(__file__).resolve().parent
RULE = re.compile(r"^\| (\d+) \| .+ \| `(\w+)` \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def rules():
    """The table: number and test of each rule."""
    return RULE.findall((HERE.parents[1] / "docs" / "keras.md").read_text())


def test_each_rule_of_resume_has_a_test(rules):
    """The numbers count up, and each test that is named exists."""
    assert [int(number) for number, _ in rules] == list(range(1, len(rules) + 1))
    assert len(rules) > 30
    tests = "".join(file.read_text() for file in HERE.glob("test_keras_*.py"))
    assert [name for _, name in rules if f"\ndef {name}(" not in tests] == []


def test_the_code_refers_to_rules_that_exist(rules):
    """A comment such as "rule 5", or "rules 5 to 10", means that table."""
    files = (HERE.parents[1] / "integrations" / "_keras").glob("*.py")
    named = re.findall(r"\b[Rr]ules? (\d+)(?:(?:,| to) (\d+))?", "".join(file.read_text() for file in files))
    referred = {number for pair in named for number in pair if number}
    assert len(referred) > 5 and referred <= {number for number, _ in rules}


@pytest.mark.every_backend
def test_an_earlier_process_of_the_run(keras, here):
    """What this run has comes before what an earlier run of its task has."""
    keras.fit(keras.model(), keras.RLACallback(task="job"), epochs=3)

    @rla.track(task="job")
    def main():
        keras.fit(keras.model(), keras.RLACallback())
        testing.reset(runs=False)  # as in a process that has just begun
        model = keras.model()
        keras.fit(model, keras.RLACallback(resume=True), epochs=2)
        return keras.iterations(model)

    assert main() == 3 + 3


def test_files_of_the_program_are_not_resumed(keras, here, runs):
    """Those of rla.save_checkpoint are no Keras files, though they may hold a model and have the same name."""

    @rla.track()
    def main():
        model = keras.model()
        keras.fit(model, keras.RLACallback(save_every=None), epochs=2)
        rla.save_checkpoint({"model": model}, step=6)

    main()
    folder = runs()[0].checkpoint_dir
    with pytest.raises(CheckpointError, match=r"Its manifest lists: checkpoint-6\.keras\.pkl\. .*rla\.load_checkpoint"):
        keras.fit(keras.model(), keras.RLACallback(resume=folder))


@pytest.mark.every_backend
def test_a_copied_callback_restores_no_second_time(keras, here):
    """A later copy stays with the run, in which the model has been restored; a model of another run is not."""
    keras.fit(keras.model(), keras.RLACallback(), epochs=2)
    path, model = rla.latest_checkpoint(rla.runs()[0]), keras.model()
    callback = keras.RLACallback(task="copies", resume=path)
    early = copy.deepcopy(callback)
    keras.fit(model, callback, epochs=3)
    keras.fit(model, copy.deepcopy(callback))
    assert keras.iterations(model) == 9 + 3
    keras.fit(model, early, epochs=3)
    assert keras.iterations(model) == 9, "it has a run of its own"


SCRIPT = """
    import keras, numpy as np
    from rla_hooks.integrations.keras import RLACallback

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = np.ones((24, 3), "float32")
    model.fit(x, x[:, :1], batch_size=8, epochs=2, verbose=0, callbacks=[RLACallback(backup="none")])
    np.savez("weights", *model.get_weights())
"""


def test_another_process_is_resumed(keras, here, only_run, keras_python):
    """This one has the weights and the optimizer that the other one left, and its time step goes on."""
    import numpy

    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    done = keras_python.run("-c", textwrap.dedent(SCRIPT), cwd=here, env=environment)
    assert done.returncode == 0, done.stderr
    assert only_run().status == "finished"
    model = keras.model()
    keras.fit(model, keras.RLACallback(resume=True), epochs=2)
    saved = numpy.load(here / "weights.npz").values()
    assert all(numpy.array_equal(one, other) for one, other in zip(model.get_weights(), saved, strict=True))
    keras.fit(model, keras.RLACallback())
    assert keras.iterations(model) == 9
    assert rla.runs()[-1].metrics()["time-step"].tolist() == [9]


def test_a_model_that_is_not_built_is_not_restored(keras, here):
    """The error says what to do."""
    keras.fit(keras.model(), keras.RLACallback())
    model = keras.keras.Sequential([keras.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(CheckpointError, match=r"a model that is not built\. Give it an Input, call it on a batch, or"):
        keras.fit(model, keras.RLACallback(resume=True))
