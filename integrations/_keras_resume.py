"""Putting a saved state back into a Keras model, whole or not at all. No framework is imported here."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.integrations._keras_checkpoints import WEIGHTS, WHOLE, best_in, link_or_copy, suffix_of
from rla_hooks.integrations._keras_model import iterations, optimizers, without_tensorflow
from rla_hooks.integrations._keras_state import RunState

import rla_hooks as rla
from rla_hooks import Tester, layout
from rla_hooks.checkpoints import Entry, Manifest, Saver
from rla_hooks.errors import CheckpointError, RLAWarning

_SHOWN = 5  # differences in an error
_BROUGHT = "brought_from"  # the run whose file an entry is, in its info
Shapes = Mapping[str, tuple[int, ...]]


class Found(NamedTuple):
    """A file to go on from, and what the manifest says of it."""

    path: Path
    entry: Entry | None

    def next_epoch(self, epochs: int | None) -> int:
        """The epoch that follows in a fit up to ``epochs``.

        0 where the epochs were counted anew in each of several fits, and in a loop of fits of one epoch, which says so
        after its first: that would skip a fit.
        """
        info = self.entry.info if self.entry else {}
        epoch = info.get("epoch")
        loops = info.get("fits") != 1 or info.get("epochs") == epochs == 1
        return epoch + 1 if type(epoch) is int and epoch >= 0 and not loops else 0


def given(resume: Any, model: str, names: tuple[str, str]) -> Found:
    """Return the checkpoint that was named: a file, the newest in a folder, or the newest of a run of ``rla.runs()``.

    ``names``: of the newest and of the best checkpoints. In a folder with several models that of the name ``model`` is
    taken. Raises CheckpointError where there is none.
    """
    path = Path(getattr(resume, "checkpoint_dir", resume))
    if path.is_dir():
        found = _newest(path, model, names)
    else:
        found = Found(path, _entry_of(path)) if path.is_file() and path.name.endswith((WHOLE, WEIGHTS)) else None
    if found is None:
        listed = [entry.file for entry in Manifest(path).complete()] if path.is_dir() else []
        there = f"Its manifest lists: {', '.join(listed[-_SHOWN:]) or 'nothing'}. " if path.is_dir() else ""
        raise CheckpointError(
            f"resume={str(path)!r}: no Keras checkpoint named {names[0]!r} or {names[1]!r} is there. {there}"
            f"Allowed: True, a *{WHOLE} or *{WEIGHTS} file, a checkpoint folder, or a run of rla.runs(). "
            "What rla.save_checkpoint has written is for rla.load_checkpoint."
        )
    return found


def earlier(run: Tester, model: str, names: tuple[str, str], since: float) -> Found | None:
    """Return the newest checkpoint of this run, or of the newest earlier one of its task and record parameters.

    None where there is none that was written before ``since``, a time in seconds: later ones are of this process.
    A run that went on, and came to no checkpoint of its own, has only a best one of the run before.
    """
    folders = list(_folders(run))
    for brought in (False, True):
        for folder in folders:
            if found := _newest(folder, model, names, since, brought):
                return found
    return None


def _folders(run: Tester) -> Iterator[Path]:
    """The checkpoint folders of this run and of the earlier ones of its task, newest first."""
    if run.checkpoint_dir is not None:
        yield run.checkpoint_dir
    if run.config is not None:
        record = layout.parse(run.name).record if run.name else {}
        for earlier in reversed(rla.runs(run.config.log_root, run.task_name)):
            if earlier.name != run.name and earlier.record == record:
                yield earlier.checkpoint_dir


def _newest(
    folder: Path, model: str, names: tuple[str, str], before: float = math.inf, brought: bool | None = None
) -> Found | None:
    """The undamaged Keras file of the latest step. ``brought``: take only, or do not take, those of a run before."""
    manifest = Manifest(folder)
    ours = [entry for entry in manifest.complete() if entry.file.endswith((WHOLE, WEIGHTS)) and entry.name in names]
    ours = [entry for entry in ours if entry.time < before and brought in (None, _BROUGHT in entry.info)]
    for entry in sorted(ours, key=lambda entry: (entry.step, entry.name == names[0]), reverse=True):
        same_name = {str(other.info.get("model")) for other in ours if other.name == entry.name}
        if len(same_name) > 1 and entry.info.get("model") != model:
            continue
        trouble = manifest.trouble(entry)
        if trouble is None:
            return Found(folder / entry.file, entry)
        warnings.warn(f"{folder / entry.file} {trouble}; an older one is looked for.", RLAWarning, stacklevel=2)
    return None


def _entry_of(path: Path) -> Entry | None:
    return next((entry for entry in Manifest(path.parent).complete() if entry.file == path.name), None)


def go_on(found: Found, model: Any, run: Tester, state: RunState, to_numpy: Any) -> str:
    """Restore weights, optimizer and step; return in words what was. Raises as :func:`restore` does."""
    words = restore(model, found, to_numpy, run.checkpoint_dir if run.writes else None)
    if found.entry is not None:
        state.clock.go_on_from(found.entry.step, model, iterations(model, to_numpy) or 0)
    return words


def take_best(found: Found, run: Tester, state: RunState, monitor: str, names: tuple[str, str]) -> str:
    """Take the best score over, and its file under a second name; return in words that it was.

    Where the file is not to be had, the score would only keep this run from saving a best one of its own.
    """
    best = best_in(found.entry.info, monitor) if found.entry else None
    if best is None or state.best.get(monitor) is not None:
        return ""
    try:
        if run.writes and not _bring(found.path.parent, names[1], monitor, run):
            return ""
    except OSError as error:
        state.warn("bring", f"the best checkpoint of {found.path.parent} was not taken over: {error}")
        return ""
    state.best[monitor] = best
    return f", best {monitor} {best}"


def _bring(folder: Path, name: str, monitor: str, run: Tester) -> bool:
    """Whether the best file of a run stands in this one, too, or does now. Raises OSError."""
    manifest = Manifest(folder)
    entry = manifest.newest(name)
    if entry is None or best_in(entry.info, monitor) is None or manifest.trouble(entry) is not None:
        return False
    assert run.checkpoint_dir is not None
    source = folder / entry.file
    if folder != run.checkpoint_dir:
        Saver(run.checkpoint_dir, 1).write(
            lambda path: link_or_copy(source, path),
            suffix_of(source),
            entry.step,
            name,
            {**entry.info, _BROUGHT: str(folder)},
        )
    return True


def restore(model: Any, found: Found, to_numpy: Any, scratch: Path | None) -> str:
    """Put weights and optimizer of the file into the model; return in words what was restored.

    scratch: a folder for a temporary file. Raises CheckpointError, before anything changes, where layers differ.
    """
    if not getattr(model, "built", True):
        raise CheckpointError(
            f"{found.path} cannot be loaded into a model that is not built. Give it an Input, call it on a batch, or "
            "call model.build(input_shape) first."
        )
    optimizer = getattr(model, "optimizer", None)
    built = getattr(optimizer, "built", getattr(optimizer, "_built", False))  # Keras 3, Keras 2
    if not built and hasattr(optimizer, "build"):
        optimizer.build(model.trainable_variables)
    with without_tensorflow(), warnings.catch_warnings():
        own, stored = _shapes_of(model, scratch), _shapes_in(found.path)
        kinds = tuple(f"{name}/" for name in ("optimizer", *optimizers(model)))
        differences = list(_differences(_weights(own, kinds), _weights(stored, kinds)))
        if differences:
            more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            raise CheckpointError(
                f"{found.path} does not fit the model: {'; '.join(differences[:_SHOWN])}{more}. Build the model as it "
                "was when the checkpoint was saved, or pass resume=None to start anew."
            )
        slots = _those(stored, kinds)
        fits = bool(slots) and slots == _those(own, kinds)
        if not fits:
            warnings.simplefilter("ignore")  # Keras tells that it passes the optimizer over
        model.load_weights(str(found.path), skip_mismatch=not fits)
    if fits:
        return f"weights and optimizer (iteration {iterations(model, to_numpy)})"
    return "weights, but no optimizer state that fits " + ("this optimizer" if optimizer is not None else "(none here)")


def _differences(own: Shapes, stored: Shapes) -> Iterator[str]:
    for name in {**own, **stored}:
        if name not in stored:
            yield f"{name} {own[name]} is not in the file"
        elif name not in own:
            yield f"{name} {stored[name]} is only in the file"
        elif own[name] != stored[name]:
            yield f"{name} has shape {own[name]} and in the file {stored[name]}"


def _weights(shapes: Shapes, optimizers: tuple[str, ...]) -> Shapes:
    return {name: shape for name, shape in shapes.items() if not name.startswith((*optimizers, "metrics/"))}


def _those(shapes: Shapes, prefixes: tuple[str, ...]) -> Shapes:
    return {name: shape for name, shape in shapes.items() if name.startswith(prefixes)}


def _shapes_of(model: Any, scratch: Path | None) -> Shapes:
    """The shapes as Keras would write them now: its names of layers do not depend on how many models there were."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".shapes-") as folder:
        path = os.path.join(folder, f"own{WEIGHTS}")
        model.save_weights(path)
        return _shapes_in(Path(path))


def _shapes_in(path: Path) -> Shapes:
    import h5py  # comes with Keras

    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name.replace("/vars/", "/").replace("layers/", "", 1)] = tuple(item.shape)

    try:
        with contextlib.ExitStack() as stack:
            source: Any = path
            if path.name.endswith(WHOLE):
                source = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open("model.weights.h5"))
            stack.enter_context(h5py.File(source, "r")).visititems(note)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return shapes
