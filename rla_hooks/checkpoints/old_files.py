"""What is in a checkpoint of the original RLA; :mod:`rla_hooks.checkpoints.old_listing` tells which there are.

They are only read, and nothing in them is run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints.backends import checkpoint_errors
from rla_hooks.checkpoints.old_listing import old_checkpoints
from rla_hooks.errors import CheckpointError
from rla_hooks.texts import printable, shell_path

_MAX_LISTED = 20


def steps_in(folder: str | os.PathLike[str], name: str = "checkpoint") -> dict[int, Path]:
    """Return the files of RLA's checkpoints of a name in a folder, by their steps, which are in order.

    Of TensorFlow's it is the ``.index`` file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for file in ("checkpoint-80.pt", "checkpoint-9.pt", "best_3.pt", "checkpoint_100.pt"):
    ...         _ = Path(folder, file).write_bytes(b"x")
    ...     list(steps_in(folder)), list(steps_in(folder, "best"))
    ([9, 80, 100], [3])
    """
    return {each.step: each.path for each in old_checkpoints(Path(folder)) if each.name == name}


def load(
    folder: str | os.PathLike[str],
    step: int | None = None,
    name: str = "checkpoint",
    var_prefix: str | None = None,
    weights_only: bool = True,
) -> tuple[int, dict[str, Any]]:
    """Return (step, content) of one of RLA's checkpoints; by default of the greatest step.

    Variables of TensorFlow are restored into the default session: those that the graph has, and whose names begin with
    what the regular expression ``var_prefix`` matches. Names and shapes are compared before anything changes. Without
    a session they are only returned, as arrays by their names under ``session``. weights_only: refuse a file that
    would run code. Raises CheckpointError, which says what is there.
    """
    files = steps_in(folder, name)
    if not files or (step is not None and step not in files):
        raise CheckpointError(_none(Path(folder), step, name, files))
    step = next(reversed(files)) if step is None else step
    path = files[step]
    try:
        with checkpoint_errors("cannot be read"):
            return step, _content(path, var_prefix, weights_only)
    except CheckpointError as error:
        raise CheckpointError(f"{printable(path)} {error}") from error


def _content(path: Path, var_prefix: str | None, weights_only: bool) -> dict[str, Any]:
    if path.suffix == ".pt":
        from rla_hooks.checkpoints.backends import backend_named  # it says what to install

        return backend_named(path.name).implementation().load(path, weights_only)
    from rla_hooks.checkpoints.backends import BACKENDS

    BACKENDS[0].implementation()
    from rla_hooks.checkpoints.tensorflow import saver_files

    return {"session": saver_files.restore(path, var_prefix or "")}


def _none(folder: Path, step: int | None, name: str, files: Mapping[int, Path]) -> str:
    what = f"There is no checkpoint {name!r}" + (f" of step {step}" if step is not None else "")
    if files:
        return f"{what} in {shell_path(folder)}. Its steps: {', '.join(map(str, [*files][-_MAX_LISTED:]))}."
    if not folder.is_dir():
        return f"{what}: the run has no folder {shell_path(folder)}."
    others = sorted(each for each in os.listdir(folder) if not each.startswith("."))[:_MAX_LISTED]
    known = f"It has {', '.join(map(printable, others))}." if others else "It is empty."
    return f"{what} in {shell_path(folder)}. {known}"
