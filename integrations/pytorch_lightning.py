"""RLALogger and RLACallback for ``import pytorch_lightning``."""

from __future__ import annotations

from rla_hooks.integrations import _versions

# Before the imports, which would fail with less to say.
_versions.check("pytorch_lightning", (2, 2), "pip install 'rla-hooks[lightning]'")

# ruff: noqa: E402
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only
from rla_hooks.integrations._lightning.callback import CallbackHooks
from rla_hooks.integrations._lightning.logger import LoggerHooks
from rla_hooks.integrations._lightning.resume import Watch

__all__ = ["RLACallback", "RLALogger"]


class RLACallback(CallbackHooks, ModelCheckpoint):
    __doc__ = CallbackHooks.__doc__


class _Watch(Watch, Callback):
    __doc__ = Watch.__doc__


class RLALogger(LoggerHooks, Logger):
    __doc__ = LoggerHooks.__doc__

    _rank_zero_only = staticmethod(rank_zero_only)
    _watch_class, _callback_class = _Watch, RLACallback
    log_hyperparams = rank_zero_only(LoggerHooks.log_hyperparams)
    log_image = rank_zero_only(LoggerHooks.log_image)
    experiment = property(rank_zero_experiment(LoggerHooks.get_experiment))
