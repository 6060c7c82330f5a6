"""RLALogger and RLACallback for Lightning, in the namespace that the program uses.

    from rla_hooks.integrations.lightning import RLACallback, RLALogger

    trainer = pl.Trainer(logger=RLALogger(), callbacks=[RLACallback()])

``lightning`` and ``pytorch_lightning`` are two trees of classes that do not know each other. The one that is imported
already is taken; where neither is, the one that is installed. A program that has both imports from
``rla_hooks.integrations.pytorch_lightning`` or ``rla_hooks.integrations.lightning_pytorch``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rla_hooks.integrations.pytorch_lightning import RLACallback, RLALogger

__all__ = ["RLACallback", "RLALogger"]

_FILES = {"lightning": "lightning_pytorch", "pytorch_lightning": "pytorch_lightning"}
_OLDEST = (2, 2)


def _namespace() -> str:
    imported = [name for name in _FILES if _main_part(name) in sys.modules]
    installed = [name for name in _FILES if importlib.util.find_spec(name) is not None]
    if not installed:
        raise ImportError("Lightning is not installed. Install it: pip install 'rla-hooks[lightning]'")
    return (imported or installed)[0]


def _main_part(name: str) -> str:
    return "lightning.pytorch" if name == "lightning" else name


def _check_version(name: str) -> None:
    from importlib.metadata import version

    installed = version(name.replace("_", "-"))
    if tuple(int(part) for part in installed.split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise ImportError(
            f"{name} {installed} is too old: rla_hooks works with {oldest} and newer. "
            f"Install it: pip install --upgrade '{name.replace('_', '-')}>={oldest}'"
        )


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    namespace = _namespace()
    _check_version(namespace)
    return getattr(importlib.import_module(f"rla_hooks.integrations.{_FILES[namespace]}"), name)
