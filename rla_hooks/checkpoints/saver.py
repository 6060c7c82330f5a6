"""Saves checkpoints of a run, keeps the newest, and finds the newest complete one again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.checkpoints import arguments, backends, checksum, compare, keeping, staging, state_dicts
from rla_hooks.checkpoints.backends import checkpoint_errors
from rla_hooks.checkpoints.entry import DEFAULT_NAME, Entry, Positions, is_state
from rla_hooks.checkpoints.keeping import Keep
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.checkpoints.reading import Reading
from rla_hooks.errors import CheckpointError, ConfigError, WarnOnce, did_you_mean, warn
from rla_hooks.filenames import portable
from rla_hooks.texts import printable

_SWEEP_EVERY = 100  # saves: it lists the folder, which may hold thousands of checkpoints
_ATTEMPTS = 10  # to load a checkpoint while another process deletes them


class Saver:
    """Writes ``<name>-<step>.pt`` (torch), ``.pkl`` (plain data) and so on into a run's checkpoint folder.

    A checkpoint is complete or not there at all: a temporary file is synced, moved into place and then listed in the
    manifest. Only files that the manifest lists are ever deleted.

    folder: created when something is saved.
    max_to_keep: the number of newest checkpoints to keep of each name (None: all).
    var_prefix: save and restore only parameters whose path (``body/w``), or name in ``objects`` and path
    (``policy.body/w``), begins with it ('': all), or whose path matches it as a regular expression. Other objects, such
    as optimizers, are saved completely.
    objects: by name, what is saved and restored if a call names none.
    framework: "torch" or "tensorflow", for a program that passes no object of its framework.
    Raises ConfigError for bad arguments, CheckpointError if the framework is not installed.

    >>> import tempfile
    >>> import numpy as np
    >>> weights = np.array([1.0, 2.0])  # or a torch module, an optimizer, a Keras model, a tf.Module
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saver = Saver(folder, max_to_keep=2)
    ...     path = saver.save({"weights": weights, "epoch": 3}, step=1000)
    ...     weights[:] = 0
    ...     step, content = saver.load(into={"weights": weights})
    >>> path.name, step, content["epoch"], weights.tolist()
    ('checkpoint-1000.pkl', 1000, 3, [1.0, 2.0])
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        max_to_keep: int | None = 5,
        var_prefix: str = "",
        objects: Mapping[str, Any] | None = None,
        framework: str | None = None,
        warn: WarnOnce | None = None,
    ):
        self.folder = Path(folder)
        self.framework = arguments.checked_framework(framework)
        self.max_to_keep = arguments.checked_count(max_to_keep)
        if not isinstance(var_prefix, str):
            raise ConfigError(
                f"var_prefix is {arguments.shown(var_prefix)}. Pass a text such as 'policy', or '' for everything."
            )
        self.var_prefix = var_prefix
        self.objects = None if objects is None else arguments.checked_models(objects, "objects")
        self.manifest = Manifest(self.folder)
        self._warn = warn or WarnOnce()
        self._saves = 0
        self._left_out: set[str] = set()  # the lines that a warning has shown
        self.trusted: set[str] = set()  # the files of whole states that it has written and nobody has loaded from since

    def reading(self, folder: str | os.PathLike[str]) -> Saver:
        """Return one that reads another folder, into the same objects and with the same ``var_prefix``."""
        return Saver(folder, None, self.var_prefix, self.objects, self.framework, self._warn)

    def save(
        self,
        models: Mapping[str, Any] | None,
        step: int,
        name: str = DEFAULT_NAME,
        written: Positions | None = None,
    ) -> Path:
        """Save the models, or :attr:`objects` where they are None; returns the path of the file (or folder).

        models: by name; objects, tensors and plain data, nested in dicts, lists and tuples.
        step: a whole number from 0 up. A checkpoint of the same name and step is replaced; the new file then has
        another name (``checkpoint-5.1.pt``), since the old one stays until the new one is listed. So it has if a file
        of the user is in the way. Values that cannot be stored are left out, with one warning.
        written: how far the run's metrics have come, for the manifest: see :class:`Entry`.
        Raises ConfigError for bad arguments, OSError for errors of the disk, else CheckpointError, also if nothing of
        the models can be stored; then nothing has changed.
        """
        step = arguments.checked_step(step)
        models = arguments.checked_models(self.objects or {} if models is None else models, "models")
        arguments.checked_name(name, step)
        with checkpoint_errors(f"{sorted(models)} cannot be saved"):
            backend, left_out = backends.backend_of(models, self.framework)
            implementation = backend.implementation()
            content, not_stored = implementation.collect(models, self.var_prefix)
        if models and not_stored and state_dicts.is_empty(content):
            raise CheckpointError(f"nothing could be saved: {compare.shorten(not_stored)}")
        self._warn_left_out([*left_out, *not_stored])

        def write(path: Path) -> None:
            with checkpoint_errors(f"{sorted(models)} cannot be saved by {backend.name}"):
                implementation.save(path, content)

        return self.write(write, backend.suffix, step, name, written=written)

    def write(
        self,
        write: Callable[[Path], None],
        suffix: str,
        step: int,
        name: str = DEFAULT_NAME,
        info: Mapping[str, Any] | None = None,
        written: Positions | None = None,
        keep: Keep | None = None,
        measured: Callable[[], tuple[int, str]] | None = None,
    ) -> Path:
        """Let ``write`` make a file (or folder) of this suffix, as :meth:`save` does; returns its path.

        For files that a framework writes itself. write: gets an unused path that ends with ``suffix``; what it raises
        is raised here. info: see :class:`Entry`; a framework's hook puts its name under the key "writer", so that
        ``max_to_keep`` counts its files apart, and :meth:`load` does not take them for the program's own. written: as
        for :meth:`save`. keep: how many stay, in place of ``max_to_keep``. measured: called after ``write`` where that
        has synced its files, and knows their size and their crc32c.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Saver(folder).write(lambda path: path.write_text("0 1"), ".csv", step=7, name="best").name
        'best-7.csv'
        """
        step = arguments.checked_step(step)
        arguments.checked_name(name, step)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._saves % _SWEEP_EVERY == 0:  # what processes have left that died while they were saving
            atomic.sweep(self.folder)
        self._saves += 1
        with atomic.temporary_in(self.folder) as temporary_folder:
            temporary_folder.mkdir()
            temporary = temporary_folder / f"{portable(name)}-{step}{suffix}"
            write(temporary)
            found = measured() if measured else checksum.measure(temporary, lambda: staging.sync(temporary))
            with self.manifest.locked():
                path = self.unused(f"{portable(name)}-{step}", suffix)
                os.replace(temporary, path)
                try:
                    new = self.manifest.add(path.name, name, step, found, info, written, own=True)
                except BaseException:
                    # A file that is not listed would never be deleted.
                    if path.name not in [entry.file for entry in self.manifest.entries()]:
                        atomic.remove(path)
                    raise
            # Not under the same lock, which ends with the replacement of the manifest: see rla_hooks/locks.py.
            keep = keep or Keep(self.max_to_keep)
            if surplus := keeping.surplus(self.manifest.entries(), new, keep):
                self._delete(surplus)
        return path

    def load(
        self,
        step: int | None = None,
        name: str = DEFAULT_NAME,
        into: Mapping[str, Any] | None = None,
        weights_only: bool = True,
    ) -> tuple[int, dict[str, Any]]:
        """Load the newest complete checkpoint of a name, or that of a step; returns its step and content.

        The content is a dict by name: plain data as it was, state dicts and arrays for objects. The objects, tensors
        and arrays in ``into`` (or :attr:`objects`) are restored in place. Nothing of a file is used before its checksum
        was compared. If no step is given and the newest is damaged, a warning says so and the one before it is taken.
        A file cannot run code unless ``weights_only`` is False.
        Raises CheckpointError if there is none, or if it is damaged, may not be read, or does not fit the objects.
        """
        entry, content = self.load_entry(step, name, into, weights_only)
        return entry.step, content

    def load_entry(
        self,
        step: int | None = None,
        name: str = DEFAULT_NAME,
        into: Mapping[str, Any] | None = None,
        weights_only: bool = True,
    ) -> tuple[Entry, dict[str, Any]]:
        """As :meth:`load`, but returns the entry of the checkpoint that was loaded in place of its step."""
        step = None if step is None else arguments.checked_step(step)
        arguments.checked_name(name, step or 0)
        models = self.objects if into is None else arguments.checked_models(into, "objects")
        for attempt in range(_ATTEMPTS):
            reading = Reading(self.manifest, bool(weights_only))
            entry = self._chosen(step, name, reading)
            path = self.folder / entry.file
            try:
                content = reading.content_of(entry)
                self._restore(path, models, content)
                return entry, content
            except (OSError, CheckpointError) as error:
                # Another process, which keeps only the newest ones, has deleted it since it was chosen.
                if attempt < _ATTEMPTS - 1 and not os.path.lexists(path):
                    continue
                if isinstance(error, CheckpointError):
                    raise CheckpointError(f"{printable(path)} {error}") from error
                raise
        raise AssertionError("the last attempt returns or raises")

    def _restore(self, path: Path, models: Mapping[str, Any] | None, content: Mapping[str, Any]) -> None:
        with checkpoint_errors("cannot be restored"):
            implementation = backends.backend_named(path.name).implementation()
            if models or getattr(implementation, "restores_without_objects", False):
                implementation.restore(models or {}, content, self.var_prefix)

    def steps(self, name: str = DEFAULT_NAME) -> list[int]:
        """Return the steps of the complete checkpoints of a name, in the order of writing."""
        return [entry.step for entry in self.manifest.complete() if entry.name == name]

    def unused(self, stem: str, suffix: str = "") -> Path:
        """Return the path that the next file of this name gets."""
        path, number = self.folder / (stem + suffix), 0
        while os.path.lexists(path):
            number += 1
            path = self.folder / f"{stem}.{number}{suffix}"
        return path

    def _delete(self, entries: list[Entry]) -> None:
        """Delete files, then their entries, whatever interrupts it: killed, an entry names a missing file, no harm."""
        try:
            for entry in entries:
                path = self.folder / entry.file
                try:
                    if not self.manifest.has_size(entry):
                        pass  # another file has been put there since, which is not ours
                    elif path.is_dir():
                        with atomic.temporary_in(self.folder) as temporary:
                            os.replace(path, temporary)  # a folder disappears as a whole
                    else:
                        path.unlink(missing_ok=True)
                except OSError as error:
                    self._warn("delete", f"The old checkpoint {path} cannot be deleted: {error}")
        finally:
            try:
                self.manifest.forget(*(entry for entry in entries if not self.manifest.has_size(entry)))
            except OSError as error:  # the new one is saved, which is what the caller asked for
                self._warn("forget", f"{self.manifest.path} cannot be rewritten: {error}")

    def _warn_left_out(self, left_out: list[str]) -> None:
        news = [line for line in left_out if line not in self._left_out]
        self._left_out.update(news)
        if news:
            warn(f"Left out of the checkpoint (this is said once): {compare.shorten(news, shown=10)}", self._warn.note)

    def _chosen(self, step: int | None, name: str, reading: Reading) -> Entry:
        """Return the entry to load. Raises CheckpointError when there is none that is whole."""

        def wanted(entries: list[Entry]) -> list[Entry]:
            named = [entry for entry in entries if entry.name == name and step in (None, entry.step)]
            return [entry for entry in named if "writer" not in entry.info] or named

        entry, found = self.manifest.newest_whole(wanted, reading.trouble)
        problems = [f"The checkpoint {printable(self.folder / other.file)} {problem}" for other, problem in found]
        if entry is None:
            raise CheckpointError(self._none_whole(step, name, problems, self.manifest.entries()))
        for line in problems:
            warn(f"{line}. Step {entry.step} is loaded instead.", self._warn.note)
        return entry

    def _none_whole(self, step: int | None, name: str, problems: list[str], entries: list[Entry]) -> str:
        named = f"{name!r}" + ("" if step is None else f" of step {step}")
        text = "".join(f"{line}. " for line in [f"No checkpoint {named} can be loaded from {self.folder}", *problems])
        steps = [entry.step for entry in self.manifest.complete() if entry.name == name and entry.step != step]
        names = sorted({entry.name for entry in entries if entry.cut is None})
        text += "".join(
            f"{printable(entry.file)} (step {entry.step}) is none of the run's any more: a resume has gone back to "
            f"before it (cut {entry.cut}). Its file is kept. "
            for entry in entries
            if entry.cut is not None and entry.name == name and step in (None, entry.step)
        )
        if steps:
            text += f"There are complete ones of steps {', '.join(map(str, steps))}. "
            text += "Pass one of these, or None for the newest."
        elif names and name not in names:
            if any(is_state(entry) for entry in entries if entry.cut is None):
                text += "There are whole states, which rla.load_state(...) restores. "
            text += f"There are checkpoints named {printable(', '.join(names))}.{did_you_mean(name, names)}"
        else:
            text += "No other is there: save one first, or look into another run."
        return text
