"""The plan of a run: task, hyper-parameters, config, labels. It is checked before anything is created."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks import config as configs
from rla_hooks import run_name
from rla_hooks.config.checks import show, show_word
from rla_hooks.config.remote_setting import remote_problems
from rla_hooks.core.fork_request import Fork, ForkRequest
from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.core.rerun_request import Rerun
from rla_hooks.core.resume_request import Resumable, ResumeRequest
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.endings import ErrorTypes, is_error_types
from rla_hooks.errors import ConfigError, RunError, did_you_mean, warn
from rla_hooks.fields import Fields, made_by
from rla_hooks.labels import Labels
from rla_hooks.places import main_script
from rla_hooks.texts import shown
from rla_hooks.writers import copied_writers
from rla_hooks.writers.base import Writer

Path_ = str | os.PathLike[str]
Config = Path_ | Mapping[str, Any]
Writers = str | Sequence[str | Writer]


class RunSettings(Fields):
    """The plan of one run or of several. A run gets a copy when it starts, so that it never changes the plan.

    >>> settings = RunSettings(hyper_param={"lr": 0.1, "net": {"width": 64}})
    >>> settings.add_record_param(["lr"])
    >>> settings.parameters(), settings.record_problems()
    ({'lr': 0.1, 'net.width': 64}, [])
    """

    task_name: str | None = None
    hyper_param: dict[str, Any] = made_by(dict)  # the user's objects
    hyper_param_record: list[str] = made_by(list)  # names of those that are part of the run's name
    config: configs.Config | None = None
    labels: Labels = made_by(Labels)
    independent: bool = False  # whether it is recorded whatever the process's rank is
    pruned_by: ErrorTypes = ()  # exceptions that end it as pruned
    parent: str | None = None  # the name of the run that this one was started in
    script: Path_ | None = None  # the file whose project is backed up; None: the main script
    function: str | None = None  # the tracked function: its file's name and its own; None: the script's name counts
    config_argument: tuple[str, str] | None = None  # of a function with one config: its name, and the config's type
    function_source: str | None = None  # the text of the tracked function, if it is in no file
    run_files: list[Path] = made_by(list)  # further files to back up
    log_callback: Callable[[dict[str, Any]], None] | None = None  # called with the values of every row
    default_writers: bool = True  # whether the user has named none
    resume: ResumeRequest | None = None  # what was asked for, also where ``auto`` has found no run
    resumed: Resumable | None = None  # the former run that goes on
    fork: ForkRequest | None = None  # what was asked for
    forked: Fork | None = None  # the run and the checkpoint that this one, which is new, begins with
    rerun: Rerun | None = None  # the run that this one, which is new, repeats
    sweep: SweepMember | None = None  # the setting of a sweep that this run is

    def configure(
        self,
        task: str | None = None,
        config: Config | None = None,
        log_root: Path_ | None = None,
        *,
        writers: Writers | None = None,
        backup: str | None = None,
        project_root: Path_ | None = None,
        system_metrics: float | None = None,
        problems: Iterable[str] = (),
    ) -> None:
        """Set the task, and read and check the config. Everything but the task has a default; nothing is created.

        problems: mistakes that the caller has found, to be reported with the others. Raises :class:`ConfigError` with
        all mistakes; then nothing has changed.
        """
        found = list(problems)
        checked: configs.Config | None = None
        try:
            run_name.check_task(task)
        except ConfigError as error:
            found += error.problems
        try:
            options: dict[str, Any] = {"writers": writers, "backup": backup, "project_root": project_root}
            checked = configs.load(config, log_root=log_root, system_metrics=system_metrics, **options)
        except ConfigError as error:
            found += [f"{error.where}: {problem}" if error.where else problem for problem in error.problems]
        if interval := system_metrics if checked is None else checked.system_metrics:
            found += _lacking(interval)
        if found or checked is None:
            raise ConfigError(found)
        self.task_name, self.config = task, checked
        self.default_writers = writers is None and not checked.raw.get("LOG_USED")

    def add_record_param(self, keys: str | Iterable[str] | None) -> None:
        """Add names of hyper-parameters that become part of the run's name; nested ones with dots: ``net.width``."""
        if not isinstance(keys, (str, Iterable, type(None))):
            message = f"the record parameters are {shown(keys)}. Allowed: a list of names such as ['lr', 'seed']."
            raise ConfigError(message)
        for key in [keys] if isinstance(keys, str) else keys or ():
            if key not in self.hyper_param_record:
                self.hyper_param_record.append(key)

    @property
    def private_config(self) -> dict[str, Any]:
        """The config as given, with its secrets masked."""
        return configs.hide_secrets(self.config.raw) if self.config else {}

    @property
    def framework(self) -> str | None:
        """The deep-learning framework that the config names."""
        return self.config.dl_framework if self.config else None

    @property
    def writer_names(self) -> list[str]:
        """The names of the writers, without writers that are given as objects."""
        return [each for each in self.config.writers if isinstance(each, str)] if self.config else []

    @property
    def function_name(self) -> str | None:
        """How run.json names the function: that of the tracked one, else the script's; None where there is none."""
        script = self.script or main_script()
        return self.function or (os.path.basename(script) if script else None)

    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters as in parameter.json: without nesting, with dotted keys, secrets masked."""
        return HyperParameters(self.hyper_param).flat()

    def check(self) -> dict[str, Any]:
        """Return the values of the record parameters, or raise one ConfigError with everything that is wrong."""
        config = self._config()
        problems = self.own_problems() + remote_problems(config)
        if config.backup != "none":
            from rla_hooks.snapshot import backup

            try:
                backup.check(**self.backup_options())
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems, str(config.source) if config.source else None)
        for note in config.notes:
            warn(f"{config.source or 'the config'}: {note} As it is, it is a key of your own.")
        return self.record_values()

    def check_place(self) -> tuple[Path, str, dict[str, Any]]:
        """Return the log root, the task, and what :meth:`check` returns. Raises what that raises."""
        record_values = self.check()
        assert self.config is not None and self.task_name is not None
        return self.config.log_root, self.task_name, record_values

    def own_problems(self) -> list[str]:
        """Return a line for each mistake that does not come from the config."""
        problems = [*self.record_problems(), *self.labels.problems()]
        if not isinstance(self.independent, bool):
            problems.append(f"independent is {show(self.independent)}. Allowed: True, False.")
        if not is_error_types(self.pruned_by):
            problems.append(f"pruned_by is {show_word(self.pruned_by)}. Allowed: types of exceptions: (StoppedEarly,).")
        if "RLA_GRACE" in os.environ or "RLA_EXIT_CODE" in os.environ or "RLA_REQUEUE" in os.environ:
            from rla_hooks.core import preemption_settings

            problems += preemption_settings.from_environment().problems
        return problems

    def record_values(self) -> dict[str, Any]:
        """Return the values of the record parameters. One that is written as RLA keeps it, ``lr=0.1``, says its own.

        >>> RunSettings(hyper_param={"lr": 0.1}, hyper_param_record=["lr", "stage=2"]).record_values()
        {'lr': 0.1, 'stage': '2'}
        """
        parameters = self.parameters() if self.hyper_param_record else {}
        values: dict[str, Any] = {}
        for key in self.hyper_param_record:
            name, _, text = key.partition("=")
            values |= {key: parameters[key]} if key in parameters else {name: text}
        return values

    def record_problems(self) -> list[str]:
        """Return a line for each record parameter that is no hyper-parameter."""
        known = self.parameters() if self.hyper_param_record else {}
        names = ", ".join(known) or "there are none"
        return [
            f"the record parameter {shown(key)} is no hyper-parameter. Known: {names}.{did_you_mean(key, known)}"
            for key in self.unknown_record_params()
        ]

    def unknown_record_params(self) -> list[Any]:
        """Return the record parameters that are no hyper-parameters, and no texts such as ``lr=0.1``."""
        known = self.parameters() if self.hyper_param_record else {}
        return [
            key
            for key in self.hyper_param_record
            if not isinstance(key, str) or (key not in known and key.find("=") < 1)  # a list, say, is in no dict
        ]

    def _config(self) -> configs.Config:
        if self.config is None:
            raise RunError(
                "the run cannot start: tester.log_files_gen() was called before tester.configure(...). Call "
                "tester.configure(task_name='my_task') first."
            )
        return self.config

    def backup_options(self) -> dict[str, Any]:
        """Return the keyword arguments of :func:`rla_hooks.snapshot.backup.back_up` for these settings."""
        config = self._config()
        return {
            "mode": config.backup,
            "script": Path(self.script) if self.script else main_script(),
            "project_root": config.project_root,
            "dirs": config.backup_dirs,
            "lib_dir": config.lib_dir,
            "ignore": config.ignore,
            "ignore_files": config.ignore_files,
            "run_files": self.run_files,
            "max_file_mb": config.max_file_mb,
            "data_files": config.data_files,
            "function_source": self.function_source,
        }

    def of_run(self) -> RunSettings:
        """Return a copy for a run that starts now; later changes here are for the next run."""
        return self.replaced(hyper_param=dict(self.hyper_param), hyper_param_record=list(self.hyper_param_record))

    def __getstate__(self) -> dict[str, Any]:
        # Callbacks and the user's own objects stay in this process, except writers that can be copied.
        config = self.config
        if config is not None:
            config = config.replaced(writers=tuple(copied_writers(config.writers)))
        return self.__dict__ | {
            "hyper_param": HyperParameters(self.hyper_param).plain(),
            "log_callback": None,
            "pruned_by": (),  # a copy does not end the run
            "config": config,
            "fork": None,
            "rerun": None,
            "sweep": None,
        }


def _lacking(interval: object) -> list[str]:
    """Return the mistake that psutil is not there, if it is not."""
    from importlib.util import find_spec  # late: few runs measure the machine

    if find_spec("psutil") is not None:
        return []
    return [
        f"SYSTEM_METRICS is {shown(interval)}, but psutil, which measures the machine, is not installed. Install it: "
        "pip install 'rla-hooks[system]'; or take the setting out."
    ]
