"""What a run is to be: its task, its hyper-parameters, its config. Everything is checked before anything is created."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks import config as configs
from rla_hooks import layout
from rla_hooks.errors import ConfigError, RLAWarning, RunError, did_you_mean
from rla_hooks.parameters import flatten, safe


class RunSettings:
    """The part of a Tester that is set up before the run starts."""

    def __init__(self, script: str | os.PathLike[str] | None = None) -> None:
        self.task_name: str | None = None
        self.hyper_param: dict[str, Any] = {}
        self.hyper_param_record: list[str] = []
        self.config: configs.Config | None = None
        self._script = Path(script) if script else None
        self._run_files: list[Path] = []
        self._log_callback: Callable[[dict[str, Any]], None] | None = None
        self._default_writers = True

    def configure(
        self,
        task_name: str | None = None,
        private_config_path: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        log_root: str | os.PathLike[str] | None = None,
        ignore_file_path: str | None = None,
        run_file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        is_master_node: bool = False,
        code_root: str | None = None,
        log_callback_fn: Callable[[dict[str, Any]], None] | None = None,
        *,
        writers: Sequence[str] | None = None,
        backup: str | None = None,
        **later_spelling: Any,
    ) -> None:
        """Say where the run belongs. Everything but the task has a default; nothing is created yet.

        The later spelling of RLA is accepted too: ``task_table_name``, ``rla_config``, ``data_root``.
        ``run_file`` names further files to back up; ``ignore_file_path`` a file of Git's ignore rules;
        ``log_callback_fn`` is called with every row. Raises :class:`ConfigError` with all mistakes.
        """
        given: dict[str, Any] = {
            "task_name": task_name,
            "private_config_path": private_config_path,
            "log_root": log_root,
        }
        problems = _one_spelling(given, later_spelling)
        for check in (
            lambda: layout.check_task(given["task_name"]),
            lambda: self._load_config(given, writers, backup, code_root),
        ):
            try:
                check()
            except ConfigError as error:
                problems += [f"{error.where}: {p}" if error.where else p for p in error.problems]
        if problems:
            raise ConfigError(problems)
        self.task_name = given["task_name"]
        assert self.config is not None
        self._default_writers = writers is None and not self.config.raw.get("LOG_USED")
        if ignore_file_path:
            self.config.ignore_files = (*self.config.ignore_files, os.path.abspath(ignore_file_path))
        files = [run_file] if isinstance(run_file, (str, os.PathLike)) else run_file or []
        self._run_files = [Path(os.path.abspath(file)) for file in files]
        self._log_callback = log_callback_fn

    def _load_config(
        self, given: Mapping[str, Any], writers: Sequence[str] | None, backup: str | None, code_root: str | None
    ) -> None:
        self.config = configs.load(
            given["private_config_path"],
            log_root=given["log_root"],
            writers=writers,
            backup=backup,
            project_root=code_root,
        )

    def set_hyper_param(self, **params: Any) -> None:
        """Set the hyper-parameters. The objects are kept as they are and never changed."""
        self.hyper_param = params

    def update_hyper_param(self, k: str, v: Any) -> None:
        """Set one hyper-parameter."""
        self.hyper_param[k] = v

    def add_record_param(self, keys: str | Iterable[str] | None) -> None:
        """Name hyper-parameters that stand in the run's name; nested ones with dots."""
        if not isinstance(keys, (str, Iterable, type(None))):
            raise ConfigError(f"the record parameters are {keys!r}. Allowed: a list of names such as ['lr', 'seed'].")
        for key in [keys] if isinstance(keys, str) else keys or ():
            if key not in self.hyper_param_record:
                self.hyper_param_record.append(key)

    def clear_record_param(self) -> None:
        self.hyper_param_record = []

    @property
    def private_config(self) -> dict[str, Any]:
        """The config as given, with its secrets masked."""
        return configs.hide_secrets(self.config.raw) if self.config else {}

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters flat, with dotted keys, in the safe form of parameter.json."""
        return {key: safe(value) for key, value in flatten(self.hyper_param).items()}

    def check(self) -> dict[str, Any]:
        """Return the values of the record parameters, or raise one ConfigError with everything that is wrong."""
        config = self._config()
        problems = self.record_problems()
        if config.backup != "none":
            from rla_hooks.snapshot import backup

            try:
                backup.check(**self.backup_options())
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems, str(config.source) if config.source else None)
        if config.send_log_file:
            message = "SEND_LOG_FILE is set, but this version sends nothing. Copy LOG_ROOT with rsync, say."
            warnings.warn(message, RLAWarning, stacklevel=4)
        parameters = self.parameters()
        return {key: parameters[key] for key in self.hyper_param_record}

    def record_problems(self) -> list[str]:
        """Return a line for each record parameter that is no hyper-parameter."""
        known = self.parameters() if self.hyper_param_record else {}
        names = ", ".join(known) or "there are none"
        return [
            f"the record parameter {key!r} is no hyper-parameter. Known: {names}.{did_you_mean(key, known)}"
            for key in self.hyper_param_record
            if key not in known
        ]

    def _config(self) -> configs.Config:
        if self.config is None:
            raise RunError(
                "the run cannot start: tester.log_files_gen() was called before tester.configure(...). Call "
                "tester.configure(task_name='my_task') first."
            )
        return self.config

    def _framework(self) -> str | None:
        return self.config.dl_framework if self.config else None

    def backup_options(self) -> dict[str, Any]:
        """Return the keyword arguments of :func:`rla_hooks.backup.back_up` for these settings."""
        config = self._config()
        return {
            "mode": config.backup,
            "script": self._script or _main_script(),
            "project_root": config.project_root,
            "dirs": config.backup_dirs,
            "lib_dir": config.lib_dir,
            "ignore": config.ignore,
            "ignore_files": config.ignore_files,
            "run_files": self._run_files,
            "max_file_mb": config.max_file_mb,
        }


def _one_spelling(given: dict[str, Any], later: dict[str, Any]) -> list[str]:
    """Merge RLA's later spelling of the arguments of ``configure`` into ``given``. Returns what is wrong."""
    names = {"task_table_name": "task_name", "rla_config": "private_config_path", "data_root": "log_root"}
    problems = []
    for name, value in later.items():
        if name not in names:
            known = [
                *given,
                *names,
                "ignore_file_path",
                "run_file",
                "code_root",
                "log_callback_fn",
                "writers",
                "backup",
            ]
            problems.append(f"configure got {name!r}. Known: {', '.join(known)}.{did_you_mean(name, known)}")
        elif given[names[name]] is not None:
            problems.append(f"configure got both {name!r} and {names[name]!r}; they are one thing. Give one.")
        else:
            given[names[name]] = value
    return problems


def _main_script() -> Path | None:
    """The file of the program, or None in a notebook or an interactive session."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file or Path(file).resolve().is_relative_to(Path(sys.prefix).resolve()):
        return None  # a tool of the Python installation, such as pytest, is not the user's project
    return Path(os.path.abspath(file))
