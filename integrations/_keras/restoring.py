"""Restores a Keras model from a saved file, completely or not at all."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks.integrations._keras.model import Framework, iterations, optimizers, without_tensorflow
from rla_hooks.integrations._keras.saving import WEIGHTS, WHOLE

from rla_hooks.checkpoints import compare
from rla_hooks.errors import CheckpointError

Shapes = Mapping[str, compare.ArraySpec]  # of variables, by their names in a file


def restore(model: Any, path: Path, framework: Framework, scratch: Path | None) -> str:
    """Restore weights and optimizer from the file; return in words what was restored.

    scratch: a folder for a temporary file. Raises CheckpointError, before anything changes, if layers differ.
    """
    if not getattr(model, "built", True):
        raise CheckpointError(
            f"{path} cannot be loaded into a model that is not built. Give it an Input, call it on a batch, or "
            "call model.build(input_shape) first."
        )
    optimizer: Any = getattr(model, "optimizer", None)
    built = getattr(optimizer, "built", getattr(optimizer, "_built", False))  # Keras 3, Keras 2
    if not built and hasattr(optimizer, "build"):
        optimizer.build(model.trainable_variables)
    with without_tensorflow(), warnings.catch_warnings():
        own, stored = _shapes_of(model, scratch), _shapes_in(path)
        optimizer_names = tuple(f"{name}/" for name in ("optimizer", *optimizers(model)))
        _check_weights(own, stored, (*optimizer_names, "metrics/"), path)
        slots = _select(stored, optimizer_names)
        fits = bool(slots) and slots == _select(own, optimizer_names)
        if not fits:
            warnings.simplefilter("ignore")  # Keras warns that it leaves the optimizer out
        model.load_weights(str(path), skip_mismatch=not fits)
    if fits:
        return f"weights and optimizer (iteration {iterations(model, framework)})"
    return "weights, but no optimizer state that fits " + ("this optimizer" if optimizer is not None else "(none here)")


def _check_weights(own: Shapes, stored: Shapes, others: tuple[str, ...], path: Path) -> None:
    """Raise CheckpointError if the weights differ; variables with one of these prefixes are not compared."""
    differences = compare.differences(_select(own, others, False), _select(stored, others, False))
    if differences:
        raise CheckpointError(
            f"{path} does not fit the model: {compare.shorten(differences)}. Build the model as it was when the "
            "checkpoint was saved, or pass resume=None to start anew."
        )


def _select(shapes: Shapes, prefixes: tuple[str, ...], having: bool = True) -> Shapes:
    return {name: shape for name, shape in shapes.items() if name.startswith(prefixes) is having}


def _shapes_of(model: Any, scratch: Path | None) -> Shapes:
    """Return the shapes as Keras would write them now; its layer names in a file do not depend on other models."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".shapes-") as folder:
        path = Path(folder) / f"own{WEIGHTS}"
        model.save_weights(str(path))
        return _shapes_in(path)


def _shapes_in(path: Path) -> Shapes:
    import h5py  # comes with Keras

    shapes: dict[str, compare.ArraySpec] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name.replace("/vars/", "/").replace("layers/", "", 1)] = compare.ArraySpec(tuple(item.shape))

    try:
        with contextlib.ExitStack() as stack:
            source: Any = path
            if path.name.endswith(WHOLE):
                source = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open("model.weights.h5"))
            stack.enter_context(h5py.File(source, "r")).visititems(note)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return shapes
