"""RLACallback for the Trainer of transformers, and for those of TRL, which are built on it.

from rla_hooks.integrations.transformers import RLACallback

trainer = Trainer(model, arguments, train_dataset=data, callbacks=[RLACallback()])
trainer.train()
"""

from __future__ import annotations

from rla_hooks.integrations import _versions

_versions.check("transformers", (4, 46), "pip install 'rla-hooks[transformers]'")  # before the import, which says less

# ruff: noqa: E402
from rla_hooks.integrations._transformers.callback import CallbackHooks
from transformers import TrainerCallback

__all__ = ["RLACallback"]


class RLACallback(CallbackHooks, TrainerCallback):
    __doc__ = CallbackHooks.__doc__
