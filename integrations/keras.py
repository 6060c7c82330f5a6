"""RLACallback for Keras 3, on every backend.

    from rla_hooks.integrations.keras import RLACallback

    model.fit(x, y, validation_data=(x_val, y_val), callbacks=[RLACallback()])

For Keras 2 (``tf_keras``, or ``tf.keras`` with TF_USE_LEGACY_KERAS=1) it is ``rla_hooks.integrations.tf_keras``.
"""

from __future__ import annotations

from typing import Any

from rla_hooks.integrations import _versions

_versions.check("keras", (3, 3), "pip install 'rla-hooks[keras]'")  # before the import, which would say less

# ruff: noqa: E402
try:
    import keras
except ModuleNotFoundError as error:  # of the framework that computes
    raise ImportError(
        f"Keras' backend needs {error.name}, which is not installed. Install it, or set the environment variable "
        "KERAS_BACKEND to one that is: tensorflow, torch, jax.",
        name=error.name,
    ) from error
from rla_hooks.integrations._keras.callback import CallbackHooks

__all__ = ["RLACallback"]


class Keras3:
    """What the parts of the callback need of Keras 3: see Framework in _keras/model.py."""

    name, version, has_first_epoch = "keras", keras.__version__, True
    backend = staticmethod(keras.backend.backend)

    def to_numpy(self, value: Any) -> Any:
        inner = getattr(value, "value", value)
        if self.backend() == "tensorflow" and hasattr(inner, "numpy"):
            return inner.numpy()  # what Keras 3.15 does to a variable makes numpy 2 warn each time
        return keras.ops.convert_to_numpy(value)


class RLACallback(CallbackHooks, keras.callbacks.Callback):
    __doc__ = CallbackHooks.__doc__

    _framework = Keras3()
