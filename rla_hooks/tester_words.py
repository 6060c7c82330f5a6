"""RLA's words on a Tester that have another name in rla_hooks. Each says that once, on its first use."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from rla_hooks import layout, run_name
from rla_hooks.core.handover import State
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import RunError, did_you_mean
from rla_hooks.machine.variables import large_variables
from rla_hooks.old_words import Settable, old_word
from rla_hooks.tester_folders import TesterFolders
from rla_hooks.texts import shown
from rla_hooks.writers.human_writer import print_text

_word = functools.partial(old_word, "tester")


class TesterWords(TesterFolders):
    """What RLA's Tester had, of 2020 and of 2024, and a run does not.

    >>> import rla_hooks as rla
    >>> tester = rla.Tester()
    >>> tester.configure("demo", writers=["csv"], backup="none")
    >>> tester.set_hyper_param(lr=0.1, seed=3)
    >>> tester.add_record_param(["lr", "seed"])
    >>> tester.log_files_gen()
    >>> tester.set_timestep(10)
    >>> tester.get_timestep(), tester.info, tester.task_table_name
    (10, '&lr=0.1&seed=3', 'demo')
    >>> tester.finish()
    """

    is_master_node: bool = False  # whether other machines send their logs to this one: then it sends none
    last_record_fph_time: float | None = None  # when update_fph was called first: seconds, as of time.time()

    # --- former runs ----------------------------------------------------------------------------------------------

    @_word("main.fork(run), or `rla fork`,")
    def log_file_copy(self, source_tester: Any) -> None:
        """Give the run, which has logged nothing yet, the rows, checkpoints, figures and custom data of another one.

        source_tester: what ``load_tester`` returns. See ``rla_hooks.late_fork``. Raises RunError if no run has started.
        """
        from rla_hooks.late_fork import take_over  # late: it reads saved runs

        self._run.ownership.need_started("log_file_copy")
        if take_over(self._run, source_tester.paths):
            self._run.custom_data.update(source_tester.custom_data)

    # --- steps and metrics ----------------------------------------------------------------------------------------

    @_word("tester.time_step_holder.get_time")
    def get_timestep(self) -> int:
        """Return the time step of rows that are given none; 0 while it is not set."""
        return self._run.time_step_holder.get_time()

    get_timstep = get_timestep  # as RLA's version of 2024 spells it

    @_word("tester.time_step_holder.set_time")
    def set_timestep(self, ts: int) -> None:
        """Set the time step of rows that are given none."""
        self._run.time_step_holder.set_time(ts)

    @_word('rla.log({"fph": ...})')
    def update_fph(self, cum_epochs: float) -> None:
        """Log a row with ``fph``: ``cum_epochs`` per hour since the first call, which only starts the clock."""
        now = time.time()
        if self.last_record_fph_time is None:
            self.last_record_fph_time = now
        elif now > self.last_record_fph_time:
            with self._run.guard.warn_on_error("fph", "was not logged"):
                self._run.logger.record("fph", cum_epochs / (now - self.last_record_fph_time) * 3600)
                self._run.logger.dump()

    @_word("rla.log({key: numpy.mean(values)})")
    def print_custom_data(self, key: str, prefix: str = "") -> None:
        """Record the mean of the custom data ``key`` as ``<prefix><key>`` for the next dump."""
        import numpy as np  # late: the start of a run does without

        with self._run.guard.warn_on_error(f"the mean of the custom data {shown(key, 100)}", "was not recorded"):
            if key not in self._run.custom_data:
                known = list(self._run.custom_data)
                raise KeyError(f"there is none. Known: {', '.join(known) or 'none'}.{did_you_mean(key, known)}")
            self._run.logger.record(f"{prefix}{key}", float(np.mean(self._run.custom_data[key])))

    @_word("what the start of a run does")
    def feed_hyper_params_to_tb(self) -> None:
        """Write parameter.json, and the tables of hyper-parameters in TensorBoard, once more."""
        self._run.ownership.need_started("feed_hyper_params_to_tb")
        self._run.files.save_parameters()

    @_word("rla.run(system_metrics=10), which keeps the use of memory,")
    def print_large_memory_variable(self, least: int = 1 << 30) -> dict[str, str]:
        """Log the variables of the function that calls this, and of its module, that take at least so many bytes."""
        found = large_variables(least)
        for name, size in found.items():
            self._run.logger.message(f"{name}: {size}")
        return found

    # --- names and settings ---------------------------------------------------------------------------------------

    @_word('"-".join(parts)')
    def task_gen(self, task_pattern_list: Iterable[object]) -> str:
        """Return a task's name of several parts, with ``-`` between them."""
        return "-".join(map(str, task_pattern_list))

    @Settable
    @_word("tester.task_name")
    def task_table_name(self) -> str | None:
        """The task: the group of runs that this one belongs to; None before ``configure``."""
        return self.settings.task_name

    @_word("tester.task_name")
    def get_task_table_name(self) -> str:
        """Return the task. Raises :class:`~rla_hooks.errors.RunError` before ``configure``."""
        if self.settings.task_name is None:
            raise RunError("the task is not known yet. Call tester.configure(task_name='my_task') first.")
        return self.settings.task_name

    @Settable
    @_word("tester.name")
    def log_name(self) -> str | None:
        """The run's name; None before it has one."""
        return self._run.name

    @_word("the end of tester.name")
    def auto_parse_info(self) -> str:
        """Return the record parameters with their values, as a run's name has them: ``lr=0.1&seed=3``."""
        return run_name.record_info(self._run_settings.record_values()).removeprefix("&")

    @Settable
    @_word("the end of tester.name")
    def info(self) -> str:
        """The record parameters with their values, with ``&`` in front: ``&lr=0.1&seed=3``."""
        return run_name.record_info(self._run_settings.record_values()) or "&"

    @Settable
    @_word("the date in tester.name")
    def record_date(self) -> datetime | None:
        """The local time at which the run started, to the microsecond; None before it has a name."""
        parsed = self._parsed
        return parsed.time if parsed else None

    @Settable
    @_word("the address in tester.name")
    def ipaddr(self) -> str:
        """The address of the machine that the run started on; of this one before it has a name."""
        parsed = self._parsed
        return parsed.ip if parsed else layout.local_ip()

    @_word('f"{record_date:%H-%M-%S-%f}"')
    def record_date_to_str(self, record_date: datetime) -> str:
        """Return the time of a date as names of runs have it: ``12-00-00-000000``."""
        return f"{record_date:%H-%M-%S-%f}"

    @_word("tester.name")
    def log_name_formatter(self, prefix: str, record_date: datetime) -> str:
        """Return the path below ``prefix`` of a run of these settings that starts at ``record_date``."""
        leaf = run_name.run_leaf(record_date, self.ipaddr, self._run_settings.record_values())
        return os.path.join(prefix, f"{record_date:%Y/%m/%d}", leaf)

    @Settable
    @_word("tester.config.dl_framework")
    def dl_framework(self) -> str | None:
        """``torch``, ``tensorflow``, or None where the config names no DL_FRAMEWORK."""
        return self.settings.framework

    @property
    @_word("the argument log_callback_fn of tester.configure")
    def log_callback_fn(self) -> Callable[[dict[str, Any]], None] | None:
        """What is called with the values of each row."""
        return self._run_settings.log_callback

    @Settable
    @_word("the argument max_to_keep of tester.new_saver")
    def max_to_keep(self) -> int | None:
        """The number of checkpoints of each name that are kept; None: all. Before the start, the default."""
        checkpoints = self._run.checkpoints
        return checkpoints.saver.max_to_keep if self._run.is_writing else checkpoints.max_to_keep

    @Settable
    @_word("os.sep")
    def septor(self) -> str:
        """What separates the parts of a path on this system."""
        return os.sep

    # --- files ----------------------------------------------------------------------------------------------------

    @_word("what each checkpoint and the end of a run do")
    def serialize_object_and_save(self) -> None:
        """Write tester.pkl now."""
        self._run.ownership.need_started("serialize_object_and_save")
        self._run.files.archive()

    @_word("run.flush(), with SEND_LOG_FILE: true,")
    def sync_log_file(self, skip_error: bool = False) -> None:
        """Let the run's files be sent to the remote of REMOTE_SETTING now, if SEND_LOG_FILE is true.

        A process of its own sends them, and nobody waits for it. skip_error: give no warning where the last attempt has
        failed. It is tried again, whatever this says, and run.json has what is not sent.
        """
        config = self.settings.config
        if config is None or not config.send_log_file or self.is_master_node:
            why = "this is the master node" if self.is_master_node else "SEND_LOG_FILE is false"
            self._run.files.tell_once(f"sync_log_file sends nothing: {why}")
            return
        self._run.flush()
        unsent = None if skip_error else self._run.files.unsent()
        if unsent:
            self._run.guard.warn("sync_log_file", f"the run could not be sent so far: {unsent}. It is tried again.")

    def print_args(self) -> None:
        """Show the hyper-parameters: of a run on the console and in log.txt, before its start on the console."""
        if self._run.state is State.CONFIGURED:
            for key, value in sorted(self.settings.parameters().items()):
                print_text(f"{key}: {value}\n")
        else:
            self._run.print_args()

    # --- what the words stand on ----------------------------------------------------------------------------------

    @property
    def _run_settings(self) -> RunSettings:
        """The settings of the run, or before its start those of the next one."""
        return self.settings if self._run.state is State.CONFIGURED else self._run.settings

    @property
    def _parsed(self) -> run_name.RunName | None:
        """The run's name in parts; None before it has one, and for a folder that somebody has renamed."""
        with suppress(ValueError):
            return run_name.parse(self._run.name) if self._run.name else None
        return None
