"""Checkpoints: complete or not there at all, checked before they are read, never running foreign code.

A backend is one file that knows how one framework stores its models, and one line in :data:`BACKENDS`.
The file has the functions of :class:`Implementation`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from rla_hooks.checkpoints.manifest import Entry, Manifest, latest
from rla_hooks.errors import CheckpointError

__all__ = ["BACKENDS", "Backend", "Entry", "Implementation", "Manifest", "Saver", "latest"]


class Implementation(Protocol):
    """What a backend's file must have."""

    def matches(self, models: Mapping[str, Any]) -> bool:
        """Whether these objects are this framework's."""

    def collect(self, models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
        """What goes into the file, and a line for each thing that cannot: where, which type, what to do.

        Raises CheckpointError where ``var_prefix`` selects none of the variables that are there.
        """

    def save(self, path: Path, content: Any) -> None:
        """Write what ``collect`` gave to ``path``, which does not exist: make it a file or a folder.

        Raises OSError when the disk does; then the caller removes what was written.
        """

    def load(self, path: Path, weights_only: bool) -> dict[str, Any]:
        """The content of a file, on the CPU. Runs nothing of the file unless ``weights_only`` is False.

        Raises CheckpointError, whose message goes on after "<path> ".
        """

    def restore(self, models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
        """Put the content into the objects in place. Raises CheckpointError, if possible before any change."""


@dataclass(frozen=True)
class Backend:
    """A line of the table: the file that stores one framework's models, imported when it is first needed."""

    name: str
    suffix: str
    module: str
    needs: str = ""  # the framework's package: none of its objects exists until this is imported
    install: str = ""

    def implementation(self) -> Implementation:
        """The backend's functions. Raises CheckpointError when its framework is not installed."""
        try:
            return cast(Implementation, importlib.import_module(self.module))
        except ModuleNotFoundError as error:
            if not self.needs or (error.name or "").partition(".")[0] != self.needs:
                raise
            raise CheckpointError(f"needs {self.needs}, which is not installed. Install it: {self.install}") from error


#: The first one whose objects are among the models writes the file; the plain one takes all that is left.
#: A suffix that ends with another one stands before it: the first that fits reads the file.
BACKENDS = [
    Backend("tensorflow", ".tf", "rla_hooks.checkpoints.tensorflow_backend", "tensorflow", "pip install tensorflow"),
    Backend("keras", ".keras.pkl", "rla_hooks.checkpoints.keras_backend", "keras", "pip install 'rla-hooks[keras]'"),
    Backend("torch", ".pt", "rla_hooks.checkpoints.torch_backend", "torch", "pip install 'rla-hooks[torch]'"),
    Backend("plain", ".pkl", "rla_hooks.checkpoints.plain"),
]


def backend_of(models: Mapping[str, Any], framework: str | None = None) -> tuple[Backend, list[str]]:
    """The backend that writes these objects, and lines for what is left out by it.

    Imports no framework that the program has not imported. Where no framework's object is among the models, a
    default session decides that is open: its variables are saved, too. ``framework`` ("torch", "tensorflow") says
    whose program it is, and passes over the others' sessions. Raises CheckpointError where there is nothing to save
    though there should be: no object, and no default session for a program that needs one.
    """
    loaded = [backend for backend in BACKENDS[:-1] if not backend.needs or sys.modules.get(backend.needs)]
    for backend in loaded:
        if backend.implementation().matches(models):
            return backend, []
    named = next((backend for backend in BACKENDS if backend.name == framework), None)
    lacking = framework == "tensorflow" and not models
    for backend in loaded if named is None else [backend for backend in loaded if backend is named]:
        has_session = getattr(backend.implementation(), "has_session", lambda: None)()
        if has_session:
            return backend, []
        lacking |= has_session is False
    if lacking and not models:
        raise CheckpointError(f"There is nothing to save: no object was passed, and {_NO_SESSION}")
    left_out = [f"the variables of TensorFlow's graph: {_NO_SESSION}"] if lacking else []
    return BACKENDS[-1] if models or named is None else named, left_out


_NO_SESSION = (
    "there is no open default session (each thread has its own). Pass the objects, such as {'model': model} or "
    "{'session': session}, or call this inside of `with session.as_default():`."
)


def backend_named(file: str) -> Backend:
    """The backend that reads a file, by its suffix."""
    for backend in BACKENDS:
        if file.endswith(backend.suffix):
            return backend
    raise CheckpointError(
        f"is of a kind that this version does not read. Known: {', '.join('*' + b.suffix for b in BACKENDS)}."
    )


# Last, because saver.py looks into the table above.
from rla_hooks.checkpoints.saver import Saver  # noqa: E402
