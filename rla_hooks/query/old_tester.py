"""The Tester that the original RLA has pickled with each run: :class:`OldTester`, which ``load_tester`` returns.

``rla_hooks.query_tool`` gives it as ``ArchiveQueryResult.exp_manager``, and ``rla_hooks.easy_log.exp_loader`` loads
from it. The pickle is read with inert notes in place of all classes; nothing of it is run.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rla_hooks.checkpoints import old_files
from rla_hooks.errors import warn
from rla_hooks.layout import ARCHIVE, HYPARAMETER, TMP_DATA, RunPaths
from rla_hooks.masking import mask_value
from rla_hooks.path_text import PathText
from rla_hooks.query.inert_pickle import NoAttributeError
from rla_hooks.query.rla_runs import read_attribute, read_nested
from rla_hooks.run_name import parse
from rla_hooks.texts import shell_path, text_of
from rla_hooks.writers.base import STEP


class OldTester:
    """What a run of the original RLA was, in the words of its Tester. It only reads.

    The folders are those where the run lies now, wherever that was when it was pickled, as RLA's texts, which end with
    a slash. What the pickle does not have, or cannot tell, is None, or empty with a warning.

    >>> import pickle, tempfile
    >>> from pathlib import Path
    >>> name = "demo/2022/03/01/21-13-03-230208_10.0.0.7_&lr=0.1"
    >>> with tempfile.TemporaryDirectory() as root:
    ...     path = Path(root, ARCHIVE, f"{name}.pkl")
    ...     path.parent.mkdir(parents=True)
    ...     _ = path.write_bytes(pickle.dumps({"hyper_param": {"lr": 0.1}, "custom_data": {"time-step": 900}}))
    ...     tester = OldTester(RunPaths(Path(root), name))
    ...     tester.hyper_param, tester.get_custom_data("time-step"), tester.task_table_name
    ({'lr': 0.1}, 900, 'demo')
    """

    __test__ = False  # pytest would collect a class of this name

    def __init__(self, paths: RunPaths):
        self.paths = paths
        parsed = parse(paths.name)
        self.task_table_name = self.task_name = parsed.task
        self.record_date: datetime = parsed.time
        self.info = "&" + paths.name.partition("&")[2]
        self.data_root = self.root = PathText.of_folder(paths.log_root)
        self.log_dir, self.code_dir = map(PathText.of_folder, (paths.log_dir, paths.code_dir))
        self.checkpoint_dir, self.results_dir = map(PathText.of_folder, (paths.checkpoint_dir, paths.results_dir))
        self.tmp_data_dir = PathText.of_folder(paths.log_root / TMP_DATA / paths.name)
        self.hyparameter_dir = PathText.of_folder(paths.log_root / HYPARAMETER / paths.name)
        self.pkl_file = PathText(paths.log_root / ARCHIVE / f"{paths.name}.pkl")
        self.pkl_dir = PathText.of_folder(self.pkl_file.parent)
        self._var_prefix: str | None = None

    def __repr__(self) -> str:
        return f"OldTester({self.paths.name!r})"

    @functools.cached_property
    def hyper_param(self) -> dict[str, Any]:
        """The hyper-parameters, nested as they were: of the yaml, the json, the pickle, or the run's name."""
        found, problem = read_nested(self.paths)
        if problem:
            warn(f"{shell_path(self.log_dir)}: {problem}. The hyper-parameters are those that can be read otherwise.")
        return dict(found)

    @functools.cached_property
    def hyper_param_record(self) -> list[str]:
        """The parts of the run's name: ``["lr=0.1"]``."""
        found = self._pickled("hyper_param_record", None)
        return found if isinstance(found, list) else [each for each in self.info.split("&") if each]

    @functools.cached_property
    def private_config(self) -> dict[str, Any]:
        """The content of its rla_config.yaml, with secrets masked."""
        found = self._pickled("private_config", {})
        return mask_value("private_config", found) if isinstance(found, Mapping) else {}

    @functools.cached_property
    def dl_framework(self) -> str | None:
        """``torch``, ``pytorch`` or ``tensorflow``."""
        found = self._pickled("dl_framework", None)
        return found if isinstance(found, str) else None

    @functools.cached_property
    def custom_data(self) -> dict[str, Any]:
        """The data of ``add_custom_data``: plain data, and arrays of numpy; an object of a class is a text."""
        found = self._pickled("custom_data", {})
        return dict(found) if isinstance(found, Mapping) else {}

    def get_custom_data(self, key: str) -> Any:
        """Return the data kept under ``key``, or None."""
        return self.custom_data.get(key)

    def get_timestep(self) -> int:
        """Return the time step of the last checkpoint; 0 without one."""
        noted = self.custom_data.get(STEP)
        steps = old_files.steps_in(self.checkpoint_dir)
        return noted if type(noted) is int else max(steps, default=0)

    def new_saver(self, max_to_keep: int | None = None, var_prefix: str | None = None, verbose: bool = True) -> None:
        """Set which variables :meth:`load_checkpoint` restores. max_to_keep, verbose: ignored; RLA has them.

        var_prefix: a regular expression that the beginnings of their names match.
        """
        self._var_prefix = var_prefix

    def load_checkpoint(
        self, ckp_index: int | None = None, checkpoint_name: str = "checkpoint", *, weights_only: bool = True
    ) -> tuple[int, dict[str, Any]]:
        """Return (step, content) of a checkpoint; by default of the greatest step.

        A file of torch gives its dict, on the CPU; variables of TensorFlow are restored into the default session.
        weights_only: False for a file that holds more than tensors and plain data, if you trust where it came from:
        its code is run. Raises :class:`~rla_hooks.errors.CheckpointError`.
        """
        return old_files.load(self.checkpoint_dir, ckp_index, checkpoint_name, self._var_prefix, weights_only)

    def _pickled(self, name: str, default: Any) -> Any:
        try:
            return read_attribute(self.paths, name)
        except (FileNotFoundError, NoAttributeError):
            return default
        except (OSError, ValueError) as error:
            warn(f"{shell_path(self.pkl_file)} cannot be read: {text_of(error)}. Its {name} is not there.")
            return default
