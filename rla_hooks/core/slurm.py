"""Asks Slurm to queue this program's job again, so that it goes on when there is room."""

from __future__ import annotations

import os

from rla_hooks.errors import warn
from rla_hooks.texts import text_of

_TIMEOUT = 20.0  # seconds that the controller has to answer


def job_id() -> str | None:
    """Return the id of the job as scontrol wants it: ``17``, or ``12_3`` for a task of an array; None outside of one.

    Slurm's own SLURM_JOB_ID of an array's task is a number of its own, and requeueing it would do, too; but the other
    form is the one that squeue shows.
    """
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID") or None


def requeue() -> bool:
    """Queue the job again, by ``scontrol requeue``; return whether Slurm has agreed. Trouble is a warning."""
    import subprocess

    job = job_id()
    if job is None:
        warn("RLA_REQUEUE is 1, but this is no job of Slurm: SLURM_JOB_ID is not set. Nothing is queued again.")
        return False
    command = ["scontrol", "requeue", job]
    hint = f"Queue it again by hand: {' '.join(command)}."
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        warn(f"the job {job} was not queued again: {text_of(error)}. {hint}")
        return False
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        warn(f"the job {job} was not queued again: scontrol said {said!r}. {hint}")
    return done.returncode == 0
