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

from rla_hooks.integrations._keras_checkpoints import WEIGHTS, WHOLE, best_in, link_or_copy, newest_whole, suffix_of
from rla_hooks.integrations._keras_model import iterations, optimizers, without_tensorflow
from rla_hooks.integrations._keras_state import RunState

import rla_hooks as rla
from rla_hooks import Run, layout
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
        found = _newest(path, model, names, brought=False) or _newest(path, model, names, brought=True)
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


def earlier(run: Run, model: str, names: tuple[str, str], since: float) -> Found | None:
    """Return the newest checkpoint of this run, or of the newest earlier one of its task and record parameters.

    None where there is none that was written before ``since``, a time in seconds: later ones are of this process.
    A run that went on, and came to no checkpoint of its own, has only a best one of the run before.
    """
    folders = list(_folders(run))
    for brought in (False, True):
        for folder in folders:
            if found := _newest(folder, model, names, brought, since):
                return found
    return None


def _folders(run: Run) -> Iterator[Path]:
    """The checkpoint folders of this run and of the earlier ones of its task, newest first."""
    if run.checkpoint_dir is not None:
        yield run.checkpoint_dir
    if run.config is not None:
        record = layout.parse(run.name).record if run.name else {}
        for earlier in reversed(rla.runs(run.config.log_root, run.task_name)):
            if earlier.name != run.name and earlier.record == record:
                yield earlier.checkpoint_dir


def _newest(folder: Path, model: str, names: tuple[str, str], brought: bool, before: float = math.inf) -> Found | None:
    """The undamaged Keras file that was written last. ``brought``: of a run before, or of this folder's own."""
    manifest = Manifest(folder)
    ours = [entry for entry in manifest.complete() if entry.file.endswith((WHOLE, WEIGHTS)) and entry.name in names]
    ours = [entry for entry in ours if entry.time < before and brought is (_BROUGHT in entry.info)]
    if len({str(entry.info.get("model")) for entry in ours}) > 1:
        ours = [entry for entry in ours if entry.info.get("model") == model]
    for entry in reversed(ours):
        trouble = manifest.trouble(entry)
        if trouble is None:
            return Found(folder / entry.file, entry)
        warnings.warn(f"{folder / entry.file} {trouble}; an older one is looked for.", RLAWarning, stacklevel=2)
    return None


def _entry_of(path: Path) -> Entry | None:
    return next((entry for entry in Manifest(path.parent).complete() if entry.file == path.name), None)


def go_on(found: Found, model: Any, run: Run, state: RunState, to_numpy: Any, is_later: bool) -> str:
    """Restore weights, optimizer and step; return in words what was. Raises as :func:`restore` does.

    ``is_later``: whether no other callback of the model has put a later state into it.
    """
    if is_later:
        words = restore(model, found, to_numpy, run.checkpoint_dir if run.is_writing else None)
        step = found.entry.step if found.entry is not None else None
    else:
        step = state.restored[model]
        words = f"nothing, since the model has gone on from step {step} already"
    if step is not None:
        state.restored[model] = step
        state.clock.go_on_from(step, model, iterations(model, to_numpy) or 0)
    return words


def take_best(found: Found, run: Run, state: RunState, monitor: str, names: tuple[str, str]) -> str:
    """Give the best file of an earlier run a second name in this run; return in words which score counts.

    That is the one which stands beside a file: without the file it would only keep this run from saving a best one.
    """
    if not run.is_writing or run.checkpoint_dir is None:
        return ""
    best = newest_whole(Manifest(run.checkpoint_dir), names[1])
    is_own = best is not None and _BROUGHT not in best.info
    source = _best_of(found, monitor, names[1])
    if source is not None and source.entry is not None and not is_own and found.path.parent != run.checkpoint_dir:
        path, best = source.path, source.entry
        info = {**best.info, _BROUGHT: str(path.parent)}
        try:
            saver = Saver(run.checkpoint_dir, 1)
            saver.write(lambda target: link_or_copy(path, target), suffix_of(path), best.step, names[1], info)
        except OSError as error:
            state.warn("bring", f"the best checkpoint {path} was not taken over: {error}")
            return ""
        state.best.pop(monitor, None)  # it is read from there
    score = best_in(best.info, monitor) if best is not None else None
    return "" if score is None else f", best {monitor} {score}"


def _best_of(found: Found, monitor: str, name: str) -> Found | None:
    """The best of the run that a checkpoint is of: it itself, where the process died before it was listed as that."""
    if found.entry is None:
        return None
    info, score = found.entry.info, best_in(found.entry.info, monitor)
    folder = found.path.parent
    entry = newest_whole(Manifest(folder), name)
    known = best_in(entry.info, monitor) if entry else None
    is_later = entry is None or found.entry.time > entry.time
    if score is not None and info.get("score") == score != known and is_later:
        return found
    return Found(folder / entry.file, entry) if entry and known is not None else None


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
