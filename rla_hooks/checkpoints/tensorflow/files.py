"""Writes TensorFlow's own files without changing the user's graph, and reads them from folders of any name.

objects.index      variables of eager objects, as tf.train.Checkpoint writes them
variables.index    variables of sessions, as tf.compat.v1.train.Saver writes them
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from rla_hooks.checkpoints.tensorflow import sessions, tracking

EAGER, GRAPH = "objects", "variables"


def write(path: Path, objects: Mapping[str, Any], arrays: Mapping[str, Any]) -> set[str]:
    """Write variables, and arrays by their names; return what is in the files: ``variables/policy/w``.

    Raises OSError when the disk does.
    """
    with _disk_errors(path):
        if objects:
            holder = tf.Module()
            holder.objects = objects
            with tracking.eagerly():
                tf.train.Checkpoint(root=holder.objects).write(str(path / EAGER))
        if arrays:
            _write_arrays(path / GRAPH, arrays)
        with readable(path) as folder:
            found = {file: tf.train.list_variables(str(folder / file)) for file in _files(folder)}
    return {f"{file}/{name}" for file, variables in found.items() for name, _ in variables}


@contextmanager
def readers(path: Path) -> Iterator[dict[str, Any]]:
    """Yield TensorFlow's reader for each file, which needs the folder for as long as it reads."""
    with readable(path) as folder:
        yield {file: tf.train.load_checkpoint(str(folder / file)) for file in _files(folder)}


def _files(folder: Path) -> list[str]:
    return [name for name in (EAGER, GRAPH) if (folder / f"{name}.index").exists()]


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Yield a name of the folder that readers do not take for a glob pattern (tensorflow 2.21)."""
    if not set(path.as_posix()) & set("*?[\\"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "link"
        link.symlink_to(path.absolute(), target_is_directory=True)
        yield link


def _write_arrays(prefix: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by their names, in a new graph: the user's may be finalized, and eager mode be off."""
    with tf.Graph().as_default(), tf.compat.v1.Session(config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})) as own:
        inputs = [tf.compat.v1.placeholder(tf.as_dtype(array.dtype)) for array in arrays.values()]
        slices = [""] * len(inputs)
        save = tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=list(arrays), shape_and_slices=slices, tensors=inputs)
        own.run(save, dict(zip(inputs, arrays.values(), strict=True)))


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Raise OSError for TensorFlow's errors of the disk, which name the errno in words only."""
    try:
        yield
    except tf.errors.OpError as error:
        number = next((n for n in errno.errorcode if os.strerror(n) in error.message), None)
        words = sessions.first_line(error) if number is None else os.strerror(number)
        raise OSError(number or errno.EIO, words, str(path)) from error
