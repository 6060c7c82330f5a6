"""RLA's tools over many runs: delete, archive, migrate and view the runs that a pattern of folders fits.

    filter = Filter()
    filter.config(type=Filter.SMALL_TIMESTEP, timstep_bound=100)
    tool = DeleteLogTool(proj_root="../data", task_table_name="cartpole", regex="2026/01/31/*", filter=filter)
    tool.delete_small_timestep_log()

What they delete goes to the trash of the log root, and ``rla undo`` takes every act back. Runs that are running are
left as they are. RLA copied what it archived and migrated; here a run is moved, and stands in one place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks.easy_log.const import ARCHIVED_TABLE, default_log_types
from rla_hooks.easy_log.tool_acts import ask_and_carry_out, ask_and_print, of_trees
from rla_hooks.errors import ConfigError, RLAError, warn
from rla_hooks.old_words import tell_modern_name
from rla_hooks.query.few_rows import greatest_step
from rla_hooks.query.folder_patterns import runs_in_folders, start_in
from rla_hooks.query.run_list import Runs
from rla_hooks.texts import counted, printable, shell_path, shown

if TYPE_CHECKING:
    from rla_hooks.upkeep.planning import Plan

__all__ = [
    "ArchiveLogTool",
    "BasicLogTool",
    "DeleteLogTool",
    "DownloadLogTool",
    "Filter",
    "MigrateLogTool",
    "PrettyPlotterTool",
    "ViewLogTool",
]
_RLA_ARCHIVE = "arc"  # RLA's folder of archived runs
Types = Sequence[str] | None


class Filter:
    """Which of the runs a :class:`DeleteLogTool` means: all, or those that have not come far.

    >>> filter = Filter()
    >>> filter.config(type=Filter.SMALL_TIMESTEP, timstep_bound=100)
    >>> filter.type, filter.timstep_bound
    ('small_ts', 100)
    """

    ALL = "all"
    SMALL_TIMESTEP = "small_ts"

    def __init__(self) -> None:
        self.type, self.timstep_bound = self.ALL, 100.0

    def config(self, type: str = ALL, timstep_bound: float = 100) -> None:
        """Set them. timstep_bound: the greatest time step that a run of few steps may have.

        Raises :class:`~rla_hooks.errors.ConfigError` for another type, and a bound that is no number.
        """
        problems = []
        if type not in (self.ALL, self.SMALL_TIMESTEP):
            problems.append(f"type is {shown(type, 100)}. Allowed: {self.ALL!r}, {self.SMALL_TIMESTEP!r}.")
        if isinstance(timstep_bound, bool) or not isinstance(timstep_bound, Real):
            problems.append(f"timstep_bound is {shown(timstep_bound, 100)}. Allowed: a number of time steps.")
        if problems:
            raise ConfigError(problems)
        self.type, self.timstep_bound = type, timstep_bound


class BasicLogTool:
    """What the tools share: the log root, the pattern below the task, and the trees that they touch.

    proj_root: the log root. task_table_name: the task, or a pattern; the empty text for all. regex: a pattern of
    folders as a shell has it, ``2026/01/31/12-0*``. optional_log_type: trees of one's own, which stay as they are.
    """

    _modern = "rla_hooks.upkeep"

    def __init__(
        self,
        proj_root: str | os.PathLike[str] = ".",
        task_table_name: str | None = None,
        regex: str | None = None,
        optional_log_type: Types = None,
    ):
        self.proj_root, self.task_table_name, self.regex = proj_root, task_table_name, regex
        self.log_types = [*default_log_types, *(optional_log_type or ())]
        others = [each for each in self.log_types if each not in default_log_types]
        if others:
            warn(
                f"optional_log_type has {', '.join(map(shown, others))}, which is no tree of a log root: what is in "
                f"there stays as it is. Known: {', '.join(default_log_types)}."
            )

    def is_valid_index(self, regex: str) -> str | None:
        """Return the date and the time of a run that stand in a text, None where there are none.

        >>> BasicLogTool().is_valid_index("log/demo/2026/01/31/12-00-00-000000_10.0.0.5")
        '2026/01/31/12-00-00-000000'
        """
        return start_in(regex)

    def runs(self) -> Runs:
        """Return the runs that the tool means, newest last."""
        root = Path(self.proj_root)
        if root.name == _RLA_ARCHIVE and not root.exists() and (root.parent / ARCHIVED_TABLE).is_dir():
            root = root.parent / ARCHIVED_TABLE  # what an ArchiveLogTool of ours has archived
        return runs_in_folders(root, self.task_table_name, self.regex)

    def plan_of(self, runs: Runs) -> Plan:
        """Return what the tool does with runs, at least one. Nothing is changed."""
        raise NotImplementedError

    def _do(self, runs: Runs, skip_ask: bool, plan: Callable[[Runs], Plan]) -> int:
        """Ask, and do what is planned; return how many folders and files have moved, as RLA counted them."""
        tell_modern_name(type(self).__name__, self._modern)
        if not runs:
            print(f"no run fits {self.task_table_name}/{self.regex} in {shell_path(self.proj_root)}")
            return 0
        asked = f"{type(self).__name__}({self.task_table_name!r}, {self.regex!r})"
        return ask_and_carry_out(plan(runs), asked, skip_ask)


class DeleteLogTool(BasicLogTool):
    """Deletes runs: they go to the trash.

    filter: a :class:`Filter`. RLA's arguments of 2020 are taken, too: ``DeleteLogTool(root, sub_proj, task, regex)``,
    where the log root is the folder ``sub_proj`` in the root.

    >>> import rla_hooks as rla
    >>> for steps in (1, 500):
    ...     with rla.run(task="demo", log_root="data", writers=["csv"], backup="none", steps=steps):
    ...         rla.log({"loss": 0.5}, step=steps)
    >>> filter = Filter()
    >>> filter.config(type=Filter.SMALL_TIMESTEP, timstep_bound=100)
    >>> tool = DeleteLogTool("data", "demo", "2*", filter)
    >>> [run.hparams["steps"] for run in tool.runs()]
    [1]
    """

    _modern = "rla_hooks.upkeep.delete, or the command rla rm,"

    def __init__(
        self,
        proj_root: str | os.PathLike[str],
        task_table_name: str | None = None,
        regex: str | None = None,
        filter: Filter | str | None = None,
        optional_log_type: Types = None,
        *,
        sub_proj: str | None = None,
        task: str | None = None,
    ):
        if isinstance(filter, str):  # 2020: root, sub_proj, task, regex
            sub_proj, task, regex, filter = task_table_name, regex, filter, None
        if filter is not None and not isinstance(filter, Filter):
            raise ConfigError(f"filter is {shown(filter, 100)}. Allowed: a Filter.")
        root = proj_root if sub_proj is None else os.path.join(proj_root, sub_proj)
        super().__init__(root, task_table_name if task is None else task, regex, optional_log_type)
        self.filter = Filter() if filter is None else filter
        self.small_timestep_regs: list[list[str]] = []

    def runs(self) -> Runs:
        """Return the runs that the pattern fits, and the filter."""
        return super().runs() if self.filter.type == Filter.ALL else self._few()

    def _few(self) -> Runs:
        found = super().runs()
        return Runs((run for run in found if greatest_step(run) <= self.filter.timstep_bound), found.query)

    def plan_of(self, runs: Runs, delete_log_types: Types = None) -> Plan:
        """Return what would be deleted: of the runs all, or what these trees have of them."""
        from rla_hooks.upkeep.deleting import plan_delete

        plan = plan_delete(runs)
        trees = {each for each in self.log_types if delete_log_types is None or each in delete_log_types}
        return plan if trees >= {*default_log_types} else of_trees(plan, trees)

    def delete_related_log(self, skip_ask: bool = False, delete_log_types: Types = None) -> int:
        """Delete all runs that the pattern fits, after a question; return how many folders and files went.

        delete_log_types: only what these trees have of them: ``["code", "checkpoint"]``.
        """
        return self._do(super().runs(), skip_ask, lambda runs: self.plan_of(runs, delete_log_types))

    def delete_small_timestep_log(self, skip_ask: bool = False) -> int:
        """Delete the runs that the pattern fits and whose greatest time step is at most the filter's bound.

        So are runs without rows. A run stays where nobody knows its steps, since it has event files only. Returns how
        many folders and files went.
        """
        few = self._few()
        self.small_timestep_regs = [[start_in(run.name) or run.name, str(run.log_dir)] for run in few]
        return self._do(few, skip_ask, self.plan_of)


class ArchiveLogTool(BasicLogTool):
    """Archives runs: they go to ``archived/`` in the log root, out of all lists.

    RLA copied them to ``arc/``; a tool for that folder finds what is archived here.
    """

    _modern = "rla_hooks.upkeep.archive, or the command rla archive,"

    def __init__(
        self,
        proj_root: str | os.PathLike[str],
        task_table_name: str,
        regex: str,
        archive_table_name: str = ARCHIVED_TABLE,
        optional_log_type: Types = None,
    ):
        super().__init__(proj_root, task_table_name, regex, optional_log_type)
        self.archive_table_name = ARCHIVED_TABLE
        if archive_table_name not in (ARCHIVED_TABLE, _RLA_ARCHIVE):
            given = shown(archive_table_name, 100)
            warn(
                f"archive_table_name is {given}: they lie in {ARCHIVED_TABLE}/. For your own names: rla mv RUN... TASK"
            )

    def plan_of(self, runs: Runs) -> Plan:
        """Return what would be archived."""
        from rla_hooks.upkeep.archiving import plan_archive

        return plan_archive(runs)

    def archive_log(self, skip_ask: bool = False) -> None:
        """Archive the runs that the pattern fits, after a question."""
        self._do(self.runs(), skip_ask, self.plan_of)


class MigrateLogTool(BasicLogTool):
    """Moves runs to another task of the log root. RLA copied them."""

    _modern = "rla_hooks.upkeep.move, or the command rla mv,"

    def __init__(
        self,
        proj_root: str | os.PathLike[str],
        task_table_name: str,
        regex: str,
        target_task_table_name: str,
        optional_log_type: Types = None,
    ):
        super().__init__(proj_root, task_table_name, regex, optional_log_type)
        self.target_task_table_name = target_task_table_name

    def plan_of(self, runs: Runs) -> Plan:
        """Return what would be moved. Raises :class:`~rla_hooks.errors.ConfigError` for a task that cannot be one."""
        from rla_hooks.upkeep.moving import plan_move

        return plan_move(runs, self.target_task_table_name)

    def migrate_log(self, skip_ask: bool = False) -> None:
        """Move the runs that the pattern fits, after a question."""
        self._do(self.runs(), skip_ask, self.plan_of)


class ViewLogTool(BasicLogTool):
    """Prints what runs have said: their ``backup.txt``, or ``log.txt``."""

    _modern = "the command rla show, or rla tail for rows,"

    def runs(self) -> Runs:
        """Return the runs that the pattern fits and that have come to time step 1."""
        found = super().runs()
        return Runs((run for run in found if greatest_step(run) >= 1), found.query)

    def view_log(self, skip_ask: bool = False) -> None:
        """Print the text of each run, after a question for each."""
        tell_modern_name("ViewLogTool", self._modern)
        ask_and_print(self.runs(), skip_ask)


class PrettyPlotterTool(BasicLogTool):
    """RLA's tool for a page of plots that reads the ``parameter.json`` of runs: those of rla_hooks have it."""

    def gen_json(self, regex: str | None = None) -> None:
        """Say which of the runs have no ``parameter.json``; nothing is written. regex: in place of the tool's own."""
        tell_modern_name("PrettyPlotterTool", "the command rla tb, or rla plot for figures,")
        self.regex = self.regex if regex is None else regex
        runs = self.runs()
        without = [run for run in runs if not run.paths.parameter_json.is_file()]
        print(f"with a parameter.json: {len(runs) - len(without):,} of {counted(len(runs), 'run')}")
        for run in without:
            print(f"without it: {printable(run.name)}")


class DownloadLogTool(BasicLogTool):
    """RLA's download by FTP, which is gone: to make one raises :class:`~rla_hooks.errors.RLAError`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RLAError(
            "DownloadLogTool is not in rla_hooks. Fetch runs of another machine by the command: "
            "rla pull ssh://HOST/LOG_ROOT"
        )
