"""RLALogger and RLACallback for Lightning, in the namespace that the program uses.

    from rla_hooks.integrations.lightning import RLACallback, RLALogger

    trainer = pl.Trainer(logger=RLALogger(), callbacks=[RLACallback()])

``lightning`` and ``pytorch_lightning`` are two trees of classes that do not know each other. The one that is imported
already is taken; where neither is, the one that is installed. A program that has both imports from
``rla_hooks.integrations.pytorch_lightning`` or ``rla_hooks.integrations.lightning_pytorch``.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from rla_hooks.integrations import _versions

if TYPE_CHECKING:
    from rla_hooks.integrations.pytorch_lightning import RLACallback, RLALogger

__all__ = ["RLACallback", "RLALogger"]

# What a program imports of each package; with an underscore for the dot, our file for it.
_MAIN_PARTS = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}


def _package() -> str:
    """Return the package that the program has imported; where it has none, the one that is installed."""
    imported = [name for name, main_part in _MAIN_PARTS.items() if main_part in sys.modules]
    installed = [name for name in _MAIN_PARTS if _versions.is_installed(name)]
    return next(iter(imported or installed), "pytorch_lightning")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    file = _MAIN_PARTS[_package()].replace(".", "_")
    return getattr(importlib.import_module(f"rla_hooks.integrations.{file}"), name)
