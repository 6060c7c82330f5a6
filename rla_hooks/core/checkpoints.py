"""The checkpoints of a run: saves, lists and restores them. The class Saver writes the files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks.core.custom_data import CustomData
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.core.logger import Logger
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import CheckpointError, ConfigError, RunError
from rla_hooks.layout import path_within
from rla_hooks.texts import shown, text_of
from rla_hooks.writers.base import STEP, Writer

if TYPE_CHECKING:
    from rla_hooks.checkpoints.entry import Entry, Positions
    from rla_hooks.checkpoints.manifest import Manifest
    from rla_hooks.checkpoints.saver import Saver
    from rla_hooks.core.loading import Source

_DEFAULT_MAX_TO_KEEP = 5


class RunCheckpoints:
    """Saves, lists and loads checkpoints of a run. ``saved`` is called after each save.

    loaded: called with what run.json and the log say of a checkpoint of another run that was loaded.
    """

    def __init__(
        self,
        settings: RunSettings,
        ownership: Ownership,
        logger: Logger,
        guard: Guard,
        custom_data: CustomData,
        saved: Callable[[], None],
        loaded: Callable[[dict[str, Any], str], None],
    ):
        self._settings, self._ownership, self._logger, self._guard = settings, ownership, logger, guard
        self._custom_data, self._saved, self._loaded = custom_data, saved, loaded
        self._saver: Saver | None = None
        self._manifest: Manifest | None = None  # kept, since it reads its file again only where that has changed
        self._before: tuple[Positions, float] | None = None  # the last positions, and when they were found
        self._writers: list[Writer] | None = None  # whose they were
        self.max_to_keep: int | None = _DEFAULT_MAX_TO_KEEP  # of a saver that nobody has set
        self.begins_with: Entry | None = None  # what is loaded of a fork's original, where its own folder is not known
        self.first_loads: dict[str, str] = {}  # by name, the file that is to be loaded, the first time
        self.is_over: Callable[[], bool] | None = None  # whether the run goes on in a later life, of another object
        self.on_load: Callable[[Entry], object] | None = None  # called with the checkpoint that was loaded

    @property
    def folder(self) -> Path | None:
        return self._ownership.paths.checkpoint_dir if self._ownership.paths else None

    def new_saver(
        self,
        max_to_keep: int | None = _DEFAULT_MAX_TO_KEEP,
        var_prefix: str | None = "",
        objects: Mapping[str, Any] | bool | None = None,
        verbose: bool = True,
    ) -> None:
        """Set how many checkpoints the run keeps, and of which objects.

        max_to_keep: the number of newest ones to keep of each checkpoint name; None: all. var_prefix: save and restore
        only parameters whose name begins with it; or a regular expression that their names match from the beginning.
        objects: by name, what :func:`save_checkpoint` saves and :func:`load_checkpoint` restores if they are given
        none. verbose: ignored; RLA has it, as its third argument. Raises
        :class:`~rla_hooks.errors.ConfigError` for bad arguments, RunError if no run has started.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none") as run:
        ...     rla.new_saver(max_to_keep=1)
        ...     for step in range(3):
        ...         path = rla.save_checkpoint({"weights": [1.0, 2.0]}, step=step)
        ...     sorted(file.name for file in run.checkpoint_dir.glob("*.pkl"))
        ['checkpoint-2.pkl']
        """
        from rla_hooks.checkpoints import saver

        objects = None if isinstance(objects, bool) else objects  # RLA's new_saver(1, "", True)
        self._ownership.need_started("new_saver")
        folder = self.folder or Path(os.devnull)
        framework, warn = self._settings.framework, self._guard.warn
        self._saver = saver.Saver(folder, max_to_keep, var_prefix or "", objects, framework, warn)

    @property
    def saver(self) -> Saver:
        """What writes the files of the run's checkpoints and states."""
        return self._need_saver()

    def _need_saver(self) -> Saver:
        if self._saver is None:
            self.new_saver(self.max_to_keep)
        assert self._saver is not None
        return self._saver

    def save_checkpoint(
        self,
        model_dict: Mapping[str, Any] | None = None,
        related_variable: Mapping[str, Any] | None = None,
        checkpoint_name: str = "checkpoint",
        step: int | None = None,
    ) -> Path | None:
        """Save models, optimizers, tensors, pytrees of JAX and plain data, completely or not at all; return the path.

        model_dict: by name; by default the objects of :func:`new_saver`. related_variable: plain data, tensors and
        the states of optimizers, that a loaded run gets back by ``get_custom_data``. checkpoint_name: the beginning of
        the file's name. step: by default that of the last row. If the disk fails, or nothing can be saved, this gives
        one warning and returns None. Raises RunError if no run has started.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.save_checkpoint({"weights": [1.0, 2.0]}, checkpoint_name="best", step=7).name
        'best-7.pkl'
        """
        self._ownership.need_started("save_checkpoint")
        if not self.may_save_checkpoint():
            return None
        if model_dict is not None and not isinstance(model_dict, Mapping):
            allowed = "Allowed: a mapping such as {'policy': model}; it was saved as 'model'"
            self._guard.warn("save_checkpoint", f"save_checkpoint got a {type(model_dict).__name__}. {allowed}.")
            model_dict = {"model": model_dict}
        if related_variable is not None and not isinstance(related_variable, Mapping):
            step = self._meant_as_step(related_variable, step)
            related_variable = None
        step = self._logger.current_step(step)
        for key, value in (related_variable or {}).items():
            self._custom_data[key] = value
        written = self.positions()
        try:
            path = self._need_saver().save(model_dict, step, checkpoint_name, written)
        except (OSError, ConfigError, CheckpointError) as error:
            what = text_of(error).rstrip(".")
            message = f"the checkpoint of step {step} was not saved: {what}. The training goes on."
            self._guard.warn("checkpoint", message)
            return None
        self._guard.warn.rearm("checkpoint")
        self._custom_data[STEP] = step
        self._saved()
        return path

    def _meant_as_step(self, given: Any, step: int | None) -> Any:
        """Warn of a second argument that is no mapping; return the step: a number there was meant as that."""
        from numbers import Integral  # late: only a mistake needs it; numpy's integers are such, too

        is_step = step is None and isinstance(given, Integral) and not isinstance(given, bool)
        what = "it was taken as the step: write step=" if is_step else "it was left out"
        allowed = "Allowed: a mapping of plain data"
        message = f"save_checkpoint got {shown(given, 100)} as related_variable. {allowed}; {what}."
        self._guard.warn("related_variable", message)
        return given if is_step else step

    def load_checkpoint(
        self,
        step: int | None = None,
        checkpoint_name: str = "checkpoint",
        objects: Mapping[str, Any] | None = None,
        weights_only: bool = True,
        ckp_index: int | None = None,
        *,
        run: Any = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return (step, content) of the newest complete checkpoint of the run, or of the one of ``step``.

        The content has the state of each object by its name. checkpoint_name: that of the save.
        objects: models, optimizers and tensors by name, which are restored in place; arrays of JAX, which cannot be
        changed, are new in the dict that holds them. ckp_index: RLA's later name for ``step``. No code of the file is
        run unless ``weights_only`` is False.

        run: another run, from which the checkpoint is taken: one of ``rla.runs()``, an id, a name, ``latest``, the
        path of a folder of it; or the path of a checkpoint, or of a folder with checkpoints, wherever it is. Nothing of
        that run changes; ``loaded_from`` in run.json says what was loaded. ``rla.load_checkpoint`` with it needs no run
        that is open.

        Raises :class:`~rla_hooks.errors.CheckpointError` if there is none or it does not fit the objects, ConfigError
        if ``run`` is no run, RunError if no run has started.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     path = rla.save_checkpoint({"weights": [1.0, 2.0]}, step=7)
        ...     rla.load_checkpoint()
        (7, {'weights': [1.0, 2.0]})
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.load_checkpoint(run="latest")  # the latest but this one
        (7, {'weights': [1.0, 2.0]})
        """
        self._ownership.need_started("load_checkpoint")
        if run is not None:
            return self._load_of(run, ckp_index if step is None else step, checkpoint_name, objects, weights_only)
        if self.folder is None:
            raise RunError("load_checkpoint was called where nothing is tracked: there is no checkpoint folder.")
        step = ckp_index if step is None else step
        if step is None and self.begins_with is not None:
            step, checkpoint_name = self.begins_with.step, self.begins_with.name
        if step is None and self.first_loads:
            step = self._step_of_first_load(checkpoint_name)
        entry, content = self._need_saver().load_entry(step, checkpoint_name, objects, weights_only)
        self.loaded(entry)
        return entry.step, content

    def loaded(self, entry: Entry) -> None:
        """A checkpoint of the run was loaded: a resumed run is cut to where it stood."""
        if self.on_load is not None:
            self.on_load(entry)

    def loaded_of(self, source: Source, entry: Entry) -> None:
        """One of another run was loaded: run.json and the log say so."""
        self._loaded(source.note_of(entry), source.line_of(entry))

    def first_step(self, name: str) -> int | None:
        """The step of what a fork, or another rank, is to load first; None where that is the newest."""
        if self.begins_with is not None:
            return self.begins_with.step
        return self._step_of_first_load(name) if self.first_loads else None

    def _step_of_first_load(self, name: str) -> int | None:
        """The step of the checkpoint that rank zero began with: it may have saved a newer one meanwhile."""
        file = self.first_loads.pop(name, None)
        entries = self._need_saver().manifest.entries()
        return next((entry.step for entry in entries if entry.file == file and entry.cut is None), None)

    def forget_first_loads(self) -> None:
        """The training has begun: from now on the newest checkpoint is loaded."""
        self.first_loads = {}

    forget_first_loads.rows_only = True  # type: ignore[attr-defined]

    def may_save_checkpoint(self) -> bool:
        """Return whether this object may add checkpoints to the run, for a hook whose framework writes the files.

        False where another process writes the run; and, with one warning, where the run was resumed elsewhere: a
        checkpoint of its former life would be what the next resume goes on from.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none") as run:
        ...     run.may_save_checkpoint()
        True
        """
        if not self._ownership.is_writing:
            return False
        if self.is_over is None or not self.is_over():
            return True
        self._guard.warn(
            "former life",
            "the run was resumed, and goes on elsewhere: checkpoints of this former life are not saved. End this "
            "program, or start a new run in it.",
        )
        return False

    def _load_of(
        self, run: Any, step: int | None, name: str, objects: Mapping[str, Any] | None, weights_only: bool
    ) -> tuple[int, dict[str, Any]]:
        """Load a checkpoint of another run."""
        from rla_hooks.core import loading

        paths = self._ownership.paths
        here = (paths.log_root, paths.name) if paths else ()
        source = loading.source_of(run, *here)
        if paths and os.path.realpath(source.folder) == os.path.realpath(paths.checkpoint_dir):  # the run itself
            if source.entry is not None and step is None:
                step, name = source.entry.step, source.entry.name
            return self.load_checkpoint(step, name, objects, weights_only)
        entry, content = loading.load(source, self._need_saver(), step, name, objects, weights_only)
        if self._ownership.is_writing:
            self.loaded_of(source, entry)
        return entry.step, content

    def register_checkpoint(
        self,
        path: Path,
        step: int | None = None,
        name: str = "checkpoint",
        info: Mapping[str, Any] | None = None,
        written: Positions | None = None,
    ) -> None:
        """Add a file or folder that a framework has written to the manifest, or update it there if it has changed.

        path: in the run's checkpoint folder; ValueError if it is not. step: by default that of the last row. name: that
        of the checkpoint. info: what else is known of it, such as ``{"writer": "my hook", "score": 0.5}``.
        written: what :meth:`positions` has returned when the state was taken, before the file was written; by default
        what it returns now. Of a file that is listed already, another position replaces that one: rows that were logged
        since, and that a training which goes on from the file does not log again, belong before it, too.
        """
        if self.folder is None or not self.may_save_checkpoint():
            return
        step = self._logger.current_step(step)
        manifest = self._manifest_in(self.folder)
        file = path_within(path, self.folder)
        if file is None:
            raise ValueError(f"the checkpoint {path} is not in the run's checkpoint folder {self.folder}")
        with self._guard.warn_on_error("the list of checkpoints"):
            listed = next((entry for entry in manifest.entries() if entry.file == file), None)
            is_listed = listed is not None and listed.cut is None and manifest.has_size(listed)
            if listed is None or not is_listed or listed.time < path.stat().st_mtime:
                manifest.add(file, name, step, info=info, written=self.positions() if written is None else written)
            elif written not in (None, listed.written):
                manifest.add(file, name, step, (listed.size, listed.crc32c), info, written)

    def positions(self) -> Positions | None:
        """Return how far the run's files of metrics have come: where a resume from a checkpoint of now goes back to.

        By the paths in the run's log folder, rows and bytes. :func:`save_checkpoint` asks for it itself; a hook whose
        framework writes the file asks before that, and gives the answer to ``register_checkpoint``. Rows that wait are
        written first. None, with one warning, where it cannot be found out, and where this process does not write.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
        ...     rla.log({"loss": 0.5}, step=0)
        ...     rows, size = run.positions()["progress.csv"]
        >>> rows
        1
        """
        paths = self._ownership.paths
        if not self._ownership.is_writing or paths is None:
            return None
        ending = ". A resume from this checkpoint goes by steps. The training goes on."
        with self._guard.warn_on_error("how far the metrics have come", "could not be recorded", ending):
            now, writers = time.time(), self._logger.output_formats
            if self._writers is not writers:  # the files were attached, after a cut say
                self._before = self._before_this_process(paths.checkpoint_dir)
            found = self._logger.positions(paths.log_dir, self._before)
            self._before, self._writers = (found, now), writers
            return found
        return None

    def _before_this_process(self, folder: Path) -> tuple[Positions, float] | None:
        """Return the positions of the newest checkpoint that has any: a long file need not be read then."""
        entries = reversed(self._manifest_in(folder).entries())
        return next(((each.written, each.time) for each in entries if each.written and each.cut is None), None)

    def forget_deleted_checkpoints(self) -> None:
        """Remove from the manifest the files that a framework has deleted."""
        if not self._ownership.is_writing or self.folder is None:
            return
        manifest = self._manifest_in(self.folder)
        with self._guard.warn_on_error("the list of checkpoints"):
            if gone := manifest.missing():
                manifest.forget(*gone)

    def _manifest_in(self, folder: Path) -> Manifest:
        from rla_hooks.checkpoints.manifest import Manifest

        if self._manifest is None or self._manifest.folder != folder:
            self._manifest = Manifest(folder)
        return self._manifest
