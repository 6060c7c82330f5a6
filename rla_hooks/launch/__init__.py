"""Sweeps: a tracked function is called for each of many settings, here, on a cluster, or in somebody's executor.

The parts:

    sweeps.py     rla.sweep: shows the plan, runs it, returns the runs; checks.py: what is wrong with its arguments
    space.py      the settings of a grid, or random ones of it; studies.py: those that an Optuna study suggests
    claims.py     who of several sweeps begins a setting; one_run.py: rla resume of one run
    existing.py   which of them have a run already: what has finished is skipped, what has not goes on
    jobs.py       a setting, and what becomes of it
    driving.py    submits, waits, tries again, stops
    engines.py    where settings run: processes of joblib, any executor; submitit_engine.py, ray_engine.py;
                  engine_choice.py: which one
    ray_trainable.py  a tracked function for a Tuner of Ray: rla_hooks.integrations.ray_tune
    task.py       one setting, in the process that runs it; reporting.py: rla.report
    showing.py    the plan, the progress bar, the table at the end
    words.py      what the words of rla sweep mean; __main__.py: the program that it starts
"""

from rla_hooks.launch.reporting import report
from rla_hooks.launch.sweeps import sweep

__all__ = ["report", "sweep"]
