"""The table of backends: which file stores which framework's objects.

A backend is one module that stores the objects of one framework, with the functions of :class:`Implementation`, and a
line in :data:`BACKENDS`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from rla_hooks.checkpoints.entry import STATE
from rla_hooks.errors import CheckpointError, RLAError
from rla_hooks.texts import text_of

_NO_SESSION = (
    "there is no open default session (each thread has its own). Pass the objects, such as {'model': model} or "
    "{'session': session}, or call this inside of `with session.as_default():`."
)


class Implementation(Protocol):
    """The functions of a backend's module. ``models`` are objects by name, nested in dicts, lists and tuples.

    A module whose ``load`` may be given any bytes, since it refuses what it did not write, has ``reads_any_bytes =
    True``: its large files are read while their checksum is computed, and dropped if that is wrong. All other files are
    checked first.

    A framework with sessions has two more: ``restores_without_objects = True``, and ``has_session()``, which returns
    whether there is a session to save if no object is passed; None for a program that uses no sessions.
    """

    def matches(self, models: Mapping[str, Any]) -> bool:
        """Return whether there are objects of this framework among the models."""

    def collect(self, models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
        """Return what goes into the file, and a line for each value that cannot be stored: where, its type, what to do.

        Raises CheckpointError if there are variables, but ``var_prefix`` selects none of them.
        """

    def save(self, path: Path, content: Any) -> None:
        """Write what ``collect`` returned to ``path``, which does not exist yet, as a file or a folder.

        Raises OSError if the disk fails; then the caller removes what was written.
        """

    def load(self, path: Path, weights_only: bool) -> dict[str, Any]:
        """Return the content of a file, on the CPU. Runs no code of the file unless ``weights_only`` is False.

        Raises CheckpointError with a message that continues a sentence beginning with the path, "is damaged" say.
        """

    def restore(self, models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
        """Put the content into the objects in place. Raises CheckpointError, if possible before any change."""


@dataclass(frozen=True)
class Backend:
    """A line of the table: the module that stores one framework's objects, imported on first use.

    name: of the framework in the config, such as "torch". suffix: of the files, such as ".pt".
    module: the dotted name of a module with the functions of :class:`Implementation`.
    needs: the framework's package; as long as it is not imported, there can be no object of the framework.
    install: the command that installs it.

    >>> Backend("numpy", ".npz", "my_project.numpy_backend", needs="numpy", install="pip install numpy").suffix
    '.npz'
    """

    name: str
    suffix: str
    module: str
    needs: str = ""
    install: str = ""

    def implementation(self) -> Implementation:
        """Import and return the module. Raises CheckpointError when its framework is not installed."""
        try:
            return cast(Implementation, importlib.import_module(self.module))
        except ModuleNotFoundError as error:
            if not self.needs or (error.name or "").partition(".")[0] != self.needs:
                raise
            raise CheckpointError(f"needs {self.needs}, which is not installed. Install it: {self.install}") from error


#: The first backend whose objects are among the models writes the file; the plain one if there is none. The first one
#: whose suffix fits reads a file; so a suffix that ends with another one, as .keras.pkl does, is listed before it.
BACKENDS = [
    Backend("tensorflow", ".tf", "rla_hooks.checkpoints.tensorflow.backend", "tensorflow", "pip install tensorflow"),
    Backend("keras", ".keras.pkl", "rla_hooks.checkpoints.keras_backend", "keras", "pip install 'rla-hooks[keras]'"),
    Backend("jax", ".jax", "rla_hooks.checkpoints.jax_backend", "jax", "pip install jax"),
    Backend("torch", ".pt", "rla_hooks.checkpoints.torch_backend", "torch", "pip install 'rla-hooks[torch]'"),
    Backend("plain", ".pkl", "rla_hooks.checkpoints.plain"),
]


def backend_of(models: Mapping[str, Any], framework: str | None = None) -> tuple[Backend, list[str]]:
    """Return the backend that writes these objects, and a line for what it leaves out.

    Imports no framework that the program has not imported. If the models have no object of a framework, but TensorFlow
    has an open default session, its backend is used, and saves the variables of the session, too. ``framework``
    ("torch", "tensorflow") names the program's framework; the sessions of others are then ignored. Raises
    CheckpointError if there is nothing to save: no object, and no default session in a program that needs one.
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


def backend_named(file: str) -> Backend:
    """Return the backend that reads a file, by its suffix. Raises CheckpointError where none does."""
    for backend in BACKENDS:
        if file.endswith(backend.suffix):
            return backend
    if file.startswith(f"{STATE}-"):
        raise CheckpointError("is a whole state. Restore it with rla.load_state(models=..., ...).")
    raise CheckpointError(
        f"is of a kind that this version does not read. Known: {', '.join('*' + b.suffix for b in BACKENDS)}."
    )


@contextmanager
def checkpoint_errors(what: str) -> Iterator[None]:
    """Turn what the objects and their framework raise, which may be anything, into CheckpointError.

    So a caller has to catch only that, OSError and MemoryError, which are raised as they are.
    """
    try:
        yield
    except (OSError, MemoryError, RLAError):
        raise
    except Exception as error:
        text = " ".join(text_of(error).split())[:400]
        raise CheckpointError(f"{what}: {type(error).__name__}: {text}") from error
