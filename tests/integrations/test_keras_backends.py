"""Keras on torch and on jax. This file comes first of the Keras tests: it must see what is not imported."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

every_backend = pytest.mark.every_backend


@every_backend
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
    environment = os.environ | {"KERAS_BACKEND": backend}
    environment = {key: value for key, value in environment.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=here.parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
