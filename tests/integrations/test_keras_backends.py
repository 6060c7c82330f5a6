"""Keras on torch and on jax. This file comes first of the Keras tests: it must see what is not imported."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rla_hooks.checkpoints import Saver

every_backend = pytest.mark.every_backend


@every_backend
@pytest.mark.every_panel
def test_no_tensorflow_is_loaded(keras, here):
    """On torch and jax a fit with checkpoints, hyper-parameters, figures and resume imports no TensorFlow."""
    keras.fit(keras.model(), keras.RLACallback(), epochs=2, validation_data=(keras.x, keras.y))
    keras.fit(keras.model(), keras.RLACallback(resume=True), epochs=3)
    assert ("tensorflow" in sys.modules) is (keras.backend == "tensorflow")


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND") != "jax", reason="what JAX keeps apart from the model")
@every_backend
def test_jax_is_not_asked_for_its_state_at_each_batch(keras, here, monkeypatch):
    """Batch rows do not make it give the state back; epochs do."""
    model, calls = keras.model(), []
    original = model.jax_state_sync
    monkeypatch.setattr(model, "jax_state_sync", lambda: (calls.append(1), original()))
    x, y = np.repeat(keras.x, 10, axis=0), np.repeat(keras.y, 10, axis=0)
    model.fit(
        x, y, batch_size=8, epochs=2, verbose=0, callbacks=[keras.RLACallback(log_every="batch", save_every=None)]
    )
    assert len(calls) < 20


@every_backend
def test_a_checkpoint_restores_a_model(keras, tmp_path):
    """The same file on torch and jax, without TensorFlow; a restored model predicts and trains on bit-equal."""

    def train(model, epochs):
        keras.fit(model, epochs=epochs)
        return model.get_weights()

    model, fresh, saver = keras.model(), keras.model(), Saver(tmp_path)
    train(model, 2)
    assert saver.save({"agent": model}, step=6).name == "checkpoint-6.keras.pkl"
    saver.load(into={"agent": fresh})
    assert np.array_equal(fresh.predict(keras.x, verbose=0), model.predict(keras.x, verbose=0))
    assert all(map(np.array_equal, train(fresh, 2), train(model, 2)))
    assert ("tensorflow" in sys.modules) is (keras.backend == "tensorflow")


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_on_another_backend(keras, backend, tmp_path):
    """The tests that are marked for it pass with Keras on torch and on jax, which load no TensorFlow."""
    pytest.importorskip(backend)
    if keras.backend != "tensorflow":
        pytest.skip("this is the other backend")
    here = Path(__file__).parent
    command = [sys.executable, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "every_backend"]
    command += [
        "-k",
        "not tf_keras",
        f"--basetemp={tmp_path / 'inner'}",
        *map(str, sorted(here.glob("test_keras_*.py"))),
    ]
    # Most models of the tests are the same one: JAX need not compile it for each of them.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment = os.environ | cache | {"KERAS_BACKEND": backend}
    environment = {key: value for key, value in environment.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=here.parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
