"""RLA's interface: a Tester is configured by its methods, and starts one run after the other.

    tester = Tester()
    tester.set_hyper_param(lr=0.1, info="baseline")
    tester.add_record_param(["info"])
    tester.configure(task_name="cartpole", log_root="rla_data")
    tester.log_files_gen()                  # the run starts: folders, parameters, code
    tester.log({"perf/return": 12.0}, step=0)

``from rla_hooks import tester`` gives this module, which has all methods of a Tester, too: inside a tracked run those
of the Tester for that run, elsewhere those of the process's own Tester. The file is longer than others since both
the class and the module take RLA's words.
"""

from __future__ import annotations

import copy
import functools
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from rla_hooks import tester_arguments
from rla_hooks.core import handover, not_writing, registry
from rla_hooks.core.handover import State
from rla_hooks.core.resume_request import request_of
from rla_hooks.core.run import Run
from rla_hooks.core.settings import Config, Path_, RunSettings, Writers
from rla_hooks.endings import ErrorTypes
from rla_hooks.errors import RunError, warn
from rla_hooks.former_run import find_former_run
from rla_hooks.layout import RunPaths
from rla_hooks.tester_words import TesterWords

_OPTIONS = ("writers", "backup", "independent", "pruned_by", "system_metrics")  # of configure, besides RLA's


class Tester(TesterWords):
    """Settings, and the run that was started last; it has all methods and attributes of that run, too.

    >>> tester = Tester()
    >>> tester.configure(task_name="demo", writers=["csv"], backup="none")
    >>> tester.set_hyper_param(lr=0.1, info="baseline")
    >>> tester.add_record_param(["info"])
    >>> tester.log_files_gen()
    >>> tester.log({"perf/return": 12.0}, step=0)
    >>> tester.finish()
    >>> tester.status, tester.run.parameters()
    ('finished', {'lr': 0.1, 'info': 'baseline'})
    """

    __test__ = False  # pytest would collect a class of this name

    # settings: of the next run; _run: the run that log_files_gen has started, or will start

    def __init__(self, script: Path_ | None = None) -> None:
        self._use(RunSettings(script=script))

    def _use(self, settings: RunSettings, run: Run | None = None) -> None:
        object.__setattr__(self, "settings", settings)
        object.__setattr__(self, "_run", Run(settings) if run is None else run)

    @classmethod
    def over(cls, run: Run) -> Tester:
        """Return the Tester for a run: one for each run, made on first use."""
        if run.rla_tester is None:
            tester = cls()
            tester._use(run.settings, run)
            run.rla_tester = tester
        return run.rla_tester  # type: ignore[no-any-return]

    @property
    def run(self) -> Run | None:
        """The run; None before it has a name."""
        return None if self._run.state is State.CONFIGURED else self._run

    # --- the settings of the next run -----------------------------------------------------------------------------

    def configure(
        self,
        task_name: str | None = None,
        private_config_path: Config | None = None,
        *places: Any,
        log_root: Path_ | None = None,
        ignore_file_path: Path_ | Sequence[Path_] | None = None,
        run_file: Path_ | Sequence[Path_] | None = None,
        is_master_node: bool = False,
        code_root: Path_ | None = None,
        log_callback_fn: Callable[[dict[str, Any]], None] | None = None,
        writers: Writers | None = None,
        backup: str | None = None,
        independent: bool = False,
        pruned_by: ErrorTypes = (),
        system_metrics: float | None = None,
        **later_spelling: Any,
    ) -> None:
        """Set the task and the config. Everything but the task has a default; nothing is created yet.

        places: further arguments in the order above, as RLA takes them: the log root, and so on. If the first of them
        is a file, it is ``run_file``, and the next one the log root, as in RLA's version of 2020; a line on stderr says
        which was taken. RLA's later names of arguments are accepted, too: ``task_table_name``, ``rla_config``,
        ``data_root``.

        run_file: further files to back up. ignore_file_path: files of Git's ignore rules, from the project's folder or
        the working directory. code_root: the project's folder. log_callback_fn: called with every row. is_master_node:
        other machines send their runs to this one, so SEND_LOG_FILE does not count. independent, pruned_by,
        system_metrics: as in ``rla.track``. Raises :class:`~rla_hooks.errors.ConfigError` with all mistakes.

        >>> import rla_hooks as rla
        >>> tester = rla.Tester()
        >>> tester.configure("demo", {"LOG_USED": ["csv"]}, "rla_data")
        >>> tester.config.writers, tester.config.log_root.name
        (('csv',), 'rla_data')
        """
        given: dict[str, Any] = {"task_name": task_name, "private_config_path": private_config_path}
        given |= {"log_root": log_root, "ignore_file_path": ignore_file_path, "run_file": run_file}
        given |= {"is_master_node": is_master_node, "code_root": code_root, "log_callback_fn": log_callback_fn}
        problems = tester_arguments.put_later_names(given, later_spelling, _OPTIONS)
        problems += tester_arguments.put_places(given, places)
        options: dict[str, Any] = {"writers": writers, "backup": backup, "system_metrics": system_metrics}
        options |= {"project_root": given["code_root"], "problems": problems}
        self.settings.configure(given["task_name"], given["private_config_path"], given["log_root"], **options)
        config = self.settings.config
        if config is not None:
            config.ignore_files += tuple(tester_arguments.ignore_files_of(given["ignore_file_path"], config))
            self.settings.run_files = tester_arguments.run_files_of(given["run_file"], config)
            config.send_log_file &= not given["is_master_node"]
        self.settings.log_callback = given["log_callback_fn"]
        self.settings.independent, self.settings.pruned_by = independent, pruned_by
        self.is_master_node = given["is_master_node"]

    def set_hyper_param(self, **params: Any) -> None:
        """Set the hyper-parameters of the next run. The objects are kept as they are and never changed.

        A record parameter that was one of the former, and is none of these, is left out from now on, with a warning:
        one experiment after the other in a process may have others.
        """
        settings = self.settings
        wrong = settings.unknown_record_params()
        settings.hyper_param = params
        if gone := [key for key in settings.unknown_record_params() if key not in wrong]:
            settings.hyper_param_record = [key for key in settings.hyper_param_record if key not in gone]
            warn(f"the record parameters {', '.join(gone)} are none of the new hyper-parameters, and are left out.")

    def update_hyper_param(self, k: str, v: Any) -> None:
        """Set one hyper-parameter of the next run, and of a run that has started, whose parameter.json is updated."""
        self.settings.hyper_param[k] = v
        if self.run is not None:
            self._run.update_hyper_param(k, v)

    def add_record_param(self, keys: str | Iterable[str] | None) -> None:
        """Add names of hyper-parameters that become part of the run's name; nested ones with dots: ``net.width``."""
        self.settings.add_record_param(keys)

    def clear_record_param(self) -> None:
        """Remove all names that :meth:`add_record_param` has added."""
        self.settings.hyper_param_record = []

    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters as in parameter.json: those of the run, or before its start of the settings."""
        return self.settings.parameters() if self.run is None else self._run.parameters()

    # --- its start ------------------------------------------------------------------------------------------------

    def log_files_gen(self) -> None:
        """Start a run: choose its name, create its folders, save parameters and code.

        If the Tester has a run already, that one is finished first. Raises :class:`~rla_hooks.errors.ConfigError` with
        all mistakes before anything is created.
        """
        if self._run.state is State.PLANNED:
            self._run.adopt()
            return
        self._prepare()
        self._run.begin()

    def plan(self, tell: bool = True) -> None:
        """Choose the run's name and create nothing. See :meth:`Run.plan`."""
        self._prepare(wait=False)
        self._run.plan(tell)

    def _prepare(self, wait: bool = True) -> None:
        """Make ``_run`` a run with the present settings; a time step that was set before the first start stays.

        Where RLA_RESUME names a run, that one goes on; where RLA_FORK does, a fork of it starts; where RLA_RERUN does,
        it is repeated. wait: as in ``resumable.choose``.
        """
        settings = self.settings
        settings.resume = request_of(None, (), False, False, [])
        settings.resumed = settings.forked = settings.rerun = None
        if settings.config is not None and not handover.is_off():
            find_former_run(settings, wait)
        if self._run.state is State.CONFIGURED:
            self._run.take_settings(self.settings)
        else:
            last = self._run
            last.finish()
            self._use(self.settings)
            registry.replace(last, self._run)
        self._run.rla_tester = self

    @classmethod
    def load(cls, path: Path_) -> Tester:
        """Restore a Tester from a tester.pkl, or from the folder that holds it, without running any code of the file.

        It reads from its run and appends to it, also after the log root was moved. Raises OSError if there is no such
        file, and :class:`~rla_hooks.errors.RunError` if it is damaged or was not written by rla_hooks.
        """
        return cls.over(Run.open(path))

    @classmethod
    def load_tester(
        cls, record_date: str, task_name: str = "", log_root: Path_ = "", *, task_table_name: str = ""
    ) -> Any:
        """Restore the Tester of the run of ``task_name`` that started at ``record_date``.

        The date is the one in the run's name: ``2026/01/31/12-00-00-000000``; see ``rla_hooks.query.dated``. Of a run
        of the original RLA it is an :class:`~rla_hooks.query.old_tester.OldTester`, which only reads. task_table_name:
        RLA's later name for ``task_name``.
        """
        from rla_hooks.query.dated import run_at  # late: what reads runs
        from rla_hooks.query.old_tester import OldTester
        from rla_hooks.query.rla_runs import is_of_rla

        paths = run_at(record_date, task_name or task_table_name, log_root)
        return OldTester(paths) if is_of_rla(paths) else cls.load(paths.archive_dir)

    def log(self, values: Mapping[str, Any], step: int | None = None, *, wait: bool | None = None) -> None:
        """Log a row of metrics to the run. See :meth:`Run.log`."""
        self._run.log(values, step, wait=wait)

    # --- all other attributes are the run's, or the settings' -----------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in _SETTINGS:
            return getattr(self.settings, name)
        if name.startswith("__") or "_run" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._run, name)

    def __setattr__(self, name: str, value: Any) -> None:
        run = self.__dict__.get("_run")
        if name in _SETTINGS:
            setattr(self.settings, name, value)
        elif run is None or name in self.__dict__ or not _is_value(self, run, name):
            object.__setattr__(self, name, value)  # the user's own, or in place of a method: it outlasts the run
            if run is not None and not hasattr(type(self), name) and not hasattr(type(run), name):
                setattr(run, name, value)  # rla.current_run() has it, too
        elif name == "custom_data":
            run.custom_data.replace(value)
        else:
            setattr(run, name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_SETTINGS, *dir(self._run)})

    def __getstate__(self) -> dict[str, Any]:
        # Copied here, for copy.copy: otherwise the copy would share the run, and could end it.
        return self.__dict__ | {"settings": self.settings.of_run(), "_run": copy.copy(self._run)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._run.rla_tester = self

    def __repr__(self) -> str:
        known = self._run.name or self.settings.task_name or "not configured"
        return f"Tester({known!r}, {self._run.status or 'not started'})"


#: These attributes of a Tester are those of its settings, also while a run is open.
_SETTINGS = (
    "task_name",
    "parent",
    "hyper_param",
    "hyper_param_record",
    "config",
    "private_config",
    "check",
    "record_problems",
    "backup_options",
)


def _is_value(tester: Tester, run: Run, name: str) -> bool:
    """Whether a name is a value of the run, rather than a method, a property of a subclass, or news."""
    known = name in vars(run) or isinstance(getattr(type(run), name, None), property)
    return known and not hasattr(type(tester), name)


# --- which Tester, which run ------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def process_tester() -> Tester:
    """Return the process's own Tester, which RLA scripts use as ``tester``."""
    return Tester()


def current_tester() -> Tester:
    """Return the Tester for the current run, or the process's own if there is none."""
    run = registry.current()
    return process_tester() if run is None else Tester.over(run)


def needed_run(what: str) -> Run:
    """Return the current run, or raise :class:`~rla_hooks.errors.RunError`, which says what to call first.

    what: the call that needs a run, for the message. If tracking is off, or on a rank that does not write, it is a run
    that accepts every call and writes nothing.
    """
    run: Run | None = registry.current()
    if run is not None:
        return run
    if handover.writing_disabled():
        return process_tester()._run
    parents = not_writing.run_of_parent() if not registry.open_count() else None
    if parents is not None:
        not_writing.tell_child()
        return _silent_run(parents)
    if registry.open_count():
        raise RunError(
            f"{what} does not know which of the {registry.open_count()} open runs is meant: this thread was started "
            "inside none of them. Keep the run (run = rla.current_run() before the thread starts) and call its methods."
        )
    raise RunError(
        f"{what} was called outside a run. Decorate your function with @rla.track, or open a run: "
        "with rla.run(...): around it, or rla.start(...) before; in a script of RLA's, tester.configure(...) and "
        "tester.log_files_gen(). The run of Tester.load(...) has calls of its own: tester.log({...})."
    )


@functools.lru_cache(maxsize=8)
def _silent_run(paths: RunPaths) -> Run:
    """In a worker process: the run of the process that has started this one."""
    return Run.silent(paths)


class _TesterModule(ModuleType):
    """The class of this module: attributes that the module does not have are those of the current Tester."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance(tester, Tester) is true
        return Tester

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__dict__['__name__']!r} has no attribute {name!r}")
        return getattr(current_tester(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") or name in self.__dict__:
            ModuleType.__setattr__(self, name, value)
        else:
            setattr(current_tester(), name, value)

    def __delattr__(self, name: str) -> None:
        owner: Any = super() if name in self.__dict__ else current_tester()
        owner.__delattr__(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, (self.__dict__["__name__"],)  # a copy, in another process, is the module there


def stand_for_tester(name: str) -> None:
    """Let the module of this name, which is being imported, have all methods of a Tester, and count as one."""
    module = sys.modules[name]
    if type(module) is ModuleType:  # not once more, where the module is loaded again
        module.__class__ = _TesterModule


stand_for_tester(__name__)
