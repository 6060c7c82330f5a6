"""What a run that goes on takes over from its former life, or a fork from its original, and what is new of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rla_hooks import labels
from rla_hooks.atomic import write_bytes, write_json
from rla_hooks.core import archive
from rla_hooks.core.custom_data import CustomData
from rla_hooks.core.guard import Guard
from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.core.logger import Logger
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import RunError
from rla_hooks.layout import RunPaths
from rla_hooks.masking.pairs import MASK
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import shell_path, text_of
from rla_hooks.writers import parameter_tables


class TakingRun(Protocol):
    """What this module uses of a run."""

    settings: RunSettings
    guard: Guard
    logger: Logger
    hyper_parameters: HyperParameters
    custom_data: CustomData


class FormerState:
    """The state in the files of a run, for the object that goes on with it."""

    def __init__(self, run: TakingRun, paths: RunPaths):
        self._run, self._paths = run, paths
        self._tables: Mapping[str, Any] | None = None  # changed hyper-parameters, which TensorBoard is to show

    def take_custom_data(self, tester_pkl: Path) -> None:
        """Take the user's data, and the time step, from an archive of the run, or of a fork's original."""
        run = self._run
        try:
            content, _ = archive.load(tester_pkl)
        except (OSError, RunError) as error:
            run.guard.warn("tester.pkl", f"custom data and the time step are not restored: {text_of(error)}.")
            return
        run.custom_data.update(content["custom_data"])
        if content["time_step"] is not None:
            run.logger.time_step.set_time(content["time_step"])

    def take_hyper_parameters(self) -> None:
        """Those that are stored and not given now are the run's, too; what is given now is stored."""
        run, path = self._run, self._paths.parameter_json
        try:
            stored = read_json(path)
        except (OSError, ValueError):
            stored = {}
        own = run.hyper_parameters.flat()
        run.hyper_parameters.restore({key: each for key, each in stored.items() if key not in own and each != MASK})
        if stored | own != stored:
            self._tables = stored | own
            with run.guard.warn_on_error("parameter.json"):
                write_json(path, self._tables)

    def change_labels(self) -> None:
        """Add the labels that are given now, and were not at an earlier start, to those of the run."""
        with self._run.guard.warn_on_error("labels.json"):
            if self._run.settings.labels:
                labels.change(self._paths.labels_json, self._run.settings.labels, at_start=True)

    def keep_diff(self, diff: str, life: int) -> None:
        """Keep how the code differs from that of the run's first life; ``life``: the number of the present resume."""
        from rla_hooks.snapshot.change import size_of
        from rla_hooks.snapshot.session import NOTES

        folder = self._paths.code_dir / NOTES
        file = folder / f"resume-{life}.diff"
        told = f"the code has changed since the run was started: {size_of(diff)}; see {shell_path(file)}."
        self._run.guard.warn("code", told)
        with self._run.guard.warn_on_error("the code's changes"):
            folder.mkdir(parents=True, exist_ok=True)
            write_bytes(file, diff.encode("utf-8", "backslashreplace"), sync=False)

    def show_tables(self) -> None:
        """Show changed hyper-parameters in TensorBoard: in the first event file that no cut takes away."""
        tables, self._tables = self._tables, None
        if tables is not None:
            self._run.logger.write_media("hyperparameters", parameter_tables.text(tables), step=0)
            self._run.logger.write_media("hyperparameters", parameter_tables.hparams(tables), step=0)
