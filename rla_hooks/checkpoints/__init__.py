"""Checkpoints: complete or not there at all, checked before they are read, never running foreign code.

:class:`Saver` writes and loads them, :class:`Manifest` lists those of a folder, :func:`latest` finds the newest.
A new framework is one file and one line: see :mod:`rla_hooks.checkpoints.backends`.
"""

from rla_hooks.checkpoints.backends import BACKENDS, Backend, Implementation
from rla_hooks.checkpoints.entry import Entry
from rla_hooks.checkpoints.keeping import Keep
from rla_hooks.checkpoints.manifest import Manifest, latest
from rla_hooks.checkpoints.saver import Saver

__all__ = ["BACKENDS", "Backend", "Entry", "Implementation", "Keep", "Manifest", "Saver", "latest"]
