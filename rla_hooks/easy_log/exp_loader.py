"""RLA's ``exp_loader``: hyper-parameters, checkpoints and logs of a former experiment, for one that is beginning.

    exp_loader.config("demo_task", "2026/01/31/12-00-00-000000", "rla_data")
    args = exp_loader.import_hyper_parameters(hp_to_overwrite=["seed"])
    tester.configure(...); tester.log_files_gen()
    exp_loader.fork_log_files()                                         # this run begins with its rows
    step, content, variables = exp_loader.load_from_record_date(variable_list=["returns"])

The former run is one of this package, or of the original RLA, of which it reads the pickled Tester, the rows and the
checkpoint files of torch and TensorFlow. It is only read.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rla_hooks.errors import warn
from rla_hooks.old_words import tell_modern_name
from rla_hooks.tester import current_tester, needed_run
from rla_hooks.texts import shown

if TYPE_CHECKING:
    from rla_hooks.query.saved_run import SavedRun

__all__ = [
    "ExperimentLoader",
    "exp_loader",
    "experimental_loader",
    "fork_log_file_fn",
    "update_hyper_parameters_fn",
]
_Root = str | os.PathLike[str]


class ExperimentLoader:
    """Loads from a former run of ``task_name`` that started at ``load_date``, in the log root ``data_root``.

    What :meth:`config` does not set is what the tester's hyper-parameters ``loaded_task_name`` and ``loaded_date`` say,
    and its log root. Without a date and a task nothing is loaded: a new experiment begins.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none", lr=0.1, net={"width": 64}) as run:
    ...     rla.log({"loss": 0.5}, step=7)
    ...     _ = rla.save_checkpoint({"w": [1.0]}, {"best": 3})
    >>> loader = ExperimentLoader()
    >>> loader.config("demo", run.name.removeprefix("demo/")[:26], run.paths.log_root)
    >>> loader.import_hyper_parameters().net
    {'width': 64}
    >>> loader.load_from_record_date(variable_list=["best"])
    (7, {'w': [1.0]}, {'best': 3})
    """

    def __init__(self) -> None:
        self._task: str | None = None
        self._date: str | None = None
        self._root: _Root | None = None

    def config(self, task_name: str | None, record_date: str | None, root: _Root | None) -> None:
        """Set which run is meant. record_date: as in the run's name: ``2026/01/31/12-00-00-000000``."""
        self._task, self._date, self._root = task_name, record_date, root

    @property
    def task_name(self) -> str | None:
        """The task of the former run."""
        return self._task or current_tester().hyper_param.get("loaded_task_name")

    @task_name.setter
    def task_name(self, value: str | None) -> None:
        self._task = value

    @property
    def load_date(self) -> str | None:
        """When the former run started, as its name has it."""
        date = self._date or current_tester().hyper_param.get("loaded_date")
        return None if date is True else date  # of arg_parser_postprocess: not given

    @load_date.setter
    def load_date(self, value: str | None) -> None:
        self._date = value

    @property
    def data_root(self) -> _Root | None:
        """The log root of the former run."""
        config = current_tester().settings.config
        return self._root or (None if config is None else config.log_root)

    @data_root.setter
    def data_root(self, value: _Root | None) -> None:
        self._root = value

    @property
    def is_valid_config(self) -> bool:
        """Whether a run is named. Warns where only a part of it is given."""
        parts = {"task_name": self.task_name, "load_date": self.load_date, "data_root": self.data_root}
        lacking = [name for name, value in parts.items() if not value]
        if lacking and (self.task_name or self.load_date):
            given = ", ".join(f"{name}={shown(value, 100)}" for name, value in parts.items() if value)
            warn(
                f"exp_loader loads nothing: it has {given}, and no {' and no '.join(lacking)}. Call "
                "exp_loader.config(task_name, record_date, root), or set the hyper-parameters loaded_task_name and "
                "loaded_date."
            )
        return not lacking

    def _former(self) -> SavedRun:
        from rla_hooks.query.dated import run_at
        from rla_hooks.query.entry import read_entry
        from rla_hooks.query.saved_run import SavedRun

        paths = run_at(self.load_date or "", self.task_name or "", self.data_root or "")
        return SavedRun(paths, read_entry(paths))

    # --- hyper-parameters -----------------------------------------------------------------------------------------

    def get_hyperparameters(self, hp_to_overwrite: Iterable[str] | None = None) -> dict[str, Any]:
        """Return what :meth:`import_hyper_parameters` does as a dict; without a former run those of the tester."""
        return dict(vars(self.import_hyper_parameters(hp_to_overwrite)))

    def import_hyper_parameters(
        self, hp_to_overwrite: Iterable[str] | None = None, sync_timestep: bool = False
    ) -> Namespace:
        """Return the tester's hyper-parameters with the values of the former run, for ``set_hyper_param(**vars(...))``.

        hp_to_overwrite: names of those that keep the tester's value; nested ones with dots. sync_timestep: set the time
        step to that of the former run's last checkpoint. What was stored as a text only, and a secret, keeps the
        tester's value; if that has none, it is left out with a warning. Without a former run nothing changes. Raises
        :class:`~rla_hooks.errors.ConfigError` for a name that the tester does not have, RunError for a run that is not
        there.
        """
        tell_modern_name("exp_loader.import_hyper_parameters", "rla.runs(...)[-1].hparams")
        from rla_hooks.easy_log import former  # late: it reads saved runs

        own = current_tester().hyper_param
        keep = former.checked_names(hp_to_overwrite, own)
        if not self.is_valid_config:
            return Namespace(**own)
        saved = self._former()
        values, lacking = former.hyper_parameters(saved)
        found = {**own, **values}
        for name in keep:
            former.put(found, name, former.at(own, name))
        lost = [name for name in lacking if name not in found]
        if lost:
            warn(
                f"the run {saved.id} has only texts of {', '.join(lost)}: set them yourself. They are left out of what "
                "exp_loader.import_hyper_parameters returns."
            )
        found |= {"loaded_date": self.load_date, "loaded_task_name": self.task_name}
        if sync_timestep:
            current_tester().time_step_holder.set_time(former.last_step(saved))
        return Namespace(**found)

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def load_from_record_date(
        self,
        var_prefix: str | None = None,
        variable_list: Iterable[str] | None = None,
        verbose: bool = True,
        ckp_index: int | None = None,
        checkpoint_name: str = "checkpoint",
        *,
        weights_only: bool = True,
    ) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """Return (step, content, variables) of the former run's newest checkpoint; (0, {}, {}) without such a run.

        var_prefix: which variables of TensorFlow's default session are restored; None: all. variable_list: names of
        custom data that the former run has kept, of which ``variables`` has the values, or None. verbose: ignored; the
        log says what was loaded. ckp_index: the step of an older checkpoint. weights_only: see ``rla.load_checkpoint``.

        After :meth:`fork_log_files` of the same run, and before the first row, this is where the training goes on: the
        rows after the checkpoint are kept aside in ``cut/``. Raises :class:`~rla_hooks.errors.CheckpointError` where
        there is no such checkpoint, or it does not fit, RunError where there is no such run.
        """
        tell_modern_name("exp_loader.load_from_record_date", "rla.load_checkpoint(run=...)")
        if not self.is_valid_config:
            return 0, {}, {}
        from rla_hooks.easy_log import former

        saved = self._former()
        data = former.custom_data(saved) if variable_list else {}
        step, content = former.load(saved, var_prefix, ckp_index, checkpoint_name, weights_only)
        return step, content, {name: data.get(name) for name in variable_list or ()}

    # --- log files ------------------------------------------------------------------------------------------------

    def fork_log_files(self, hp_to_overwrite: Iterable[str] | None = None, sync_timestep: bool = False) -> None:
        """Give the present run the rows, checkpoints, figures and custom data of the former one.

        Call it right after ``log_files_gen``: a run with rows of its own takes nothing, with a warning. The run keeps
        its hyper-parameters, which are those that it trains with; the log says how they differ. hp_to_overwrite: is
        checked only, as RLA has it. sync_timestep: as in :meth:`import_hyper_parameters`. Without a former run nothing
        happens. Raises RunError if no run has started, and where there is no such former run.
        """
        tell_modern_name("exp_loader.fork_log_files", "main.fork(run), or `rla fork`,")
        from rla_hooks.easy_log import former
        from rla_hooks.late_fork import take_over

        run = needed_run("exp_loader.fork_log_files")
        former.checked_names(hp_to_overwrite, current_tester().hyper_param)
        if not self.is_valid_config:
            return
        saved = self._former()
        if take_over(run, saved.paths):
            run.custom_data.update(former.custom_data(saved))
        if sync_timestep:
            run.time_step_holder.set_time(former.last_step(saved))


exp_loader = experimental_loader = ExperimentLoader()


def _loader(task_name: str, record_date: str, root: _Root | None) -> ExperimentLoader:
    loader = ExperimentLoader()
    loader.config(task_name, record_date, root)
    return loader


def fork_log_file_fn(
    root: _Root,
    task_name: str,
    record_date: str,
    hp_to_overwrite: Iterable[str] | None = None,
    sync_timestep: bool = False,
) -> None:
    """Give the present run the log files of a former one: see :meth:`ExperimentLoader.fork_log_files`."""
    _loader(task_name, record_date, root).fork_log_files(hp_to_overwrite, sync_timestep)


def update_hyper_parameters_fn(
    task_name: str,
    record_date: str,
    root: _Root,
    hp_to_overwrite: Iterable[str] | None = None,
    sync_timestep: bool = False,
) -> Namespace:
    """Return the hyper-parameters of a former run: see :meth:`ExperimentLoader.import_hyper_parameters`."""
    return _loader(task_name, record_date, root).import_hyper_parameters(hp_to_overwrite, sync_timestep)


# --- RLA's earlier functions, which easy_log.tester has ---------------------------------------------------------------


def import_hyper_parameters(task_table_name: str, record_date: str) -> Namespace:
    """Return the hyper-parameters of a former run in the tester's log root."""
    from rla_hooks.easy_log import former

    values, _ = former.hyper_parameters(_loader(task_table_name, record_date, None)._former())
    return Namespace(**values)


def load_from_record_date(task_table_name: str, record_date: str) -> tuple[int, dict[str, Any]]:
    """Return (step, content) of a former run's newest checkpoint, and set the time step to that."""
    step, content, _ = _loader(task_table_name, record_date, None).load_from_record_date()
    current_tester().time_step_holder.set_time(step)
    return step, content


def fork_tester_log_files(task_table_name: str, record_date: str) -> None:
    """Give the present run the log files of a former one, and its hyper-parameters."""
    _loader(task_table_name, record_date, None).fork_log_files()
    for name, value in vars(import_hyper_parameters(task_table_name, record_date)).items():
        current_tester().update_hyper_param(name, value)


def load_tester_from_record_date(task_name: str, record_date: str, fork_hp: bool = False) -> dict[str, Any]:
    """Fork a former run into the present one and return the content of its newest checkpoint, as RLA of 2020 has it.

    fork_hp: take its hyper-parameters, too. The time step is set to that of the checkpoint.
    """
    if fork_hp:
        fork_tester_log_files(task_name, record_date)
    else:
        _loader(task_name, record_date, None).fork_log_files()
    return load_from_record_date(task_name, record_date)[1]
