"""RLACallback for Keras 2: ``tf_keras``, or ``tf.keras`` where TF_USE_LEGACY_KERAS=1 is set."""

from __future__ import annotations

from typing import Any

from rla_hooks.integrations import _versions

_versions.check("tf_keras", (2, 15), "pip install tf-keras")

# ruff: noqa: E402
import tf_keras
from rla_hooks.integrations._keras.callback import CallbackHooks

__all__ = ["RLACallback"]


class Keras2:
    """What the parts of the callback ask of Keras 2: see Framework in _keras/model.py."""

    name, version, has_first_epoch = "tf_keras", tf_keras.__version__, False
    backend = staticmethod(tf_keras.backend.backend)

    def to_numpy(self, value: Any) -> Any:
        return tf_keras.backend.get_value(value)


class RLACallback(CallbackHooks, tf_keras.callbacks.Callback):
    __doc__ = CallbackHooks.__doc__

    _framework = Keras2()
