"""Sweeps: a tracked function is called for each of many settings, here, on a cluster, or in somebody's executor.

sweeps.py     rla.sweep: checks everything, shows the plan, runs it, returns the runs
space.py      the settings of a grid, or random ones of it; studies.py: those that an Optuna study suggests
existing.py   which of them have a run already: what has finished is skipped, what has not goes on
driving.py    submits, waits, tries again, stops
engines.py    where settings run: processes of joblib, any executor, submitit
task.py       one setting, in the process that runs it
showing.py    the plan, the progress bar, the table at the end
"""

from rla_hooks.launch.reporting import report
from rla_hooks.launch.sweeps import sweep

__all__ = ["report", "sweep"]
