"""Which job this process belongs to: what a cluster or a launcher starts again after a failure.

    RLA_RUN_ID                       whatever the user says
    SLURM_ARRAY_JOB_ID, ..._TASK_ID  the task of an array; else SLURM_JOB_ID. A requeued job keeps its number
    SLURM_STEP_ID                    the step of the job: two steps are two trainings
    torchrun's agent                 the parent of the workers that it starts again: host, process and its start

A run that has failed goes on by itself only in the same job: there somebody asked for a further try.
"""

from __future__ import annotations

import os
import socket

from rla_hooks.life import process_identity

_LONGEST = 200  # characters of what the user says


def job_identity() -> str | None:
    """Return a text that is the same for all tries of one job, and another one for other jobs; None outside of a job.

    >>> os.environ["RLA_RUN_ID"] = "nightly"
    >>> job_identity()
    'RLA_RUN_ID nightly'
    >>> del os.environ["RLA_RUN_ID"]
    """
    own = os.environ.get("RLA_RUN_ID", "").strip()
    if own:
        return f"RLA_RUN_ID {own[:_LONGEST]}"
    return _of_slurm() or _of_torchrun()


def _of_slurm() -> str | None:
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    if array and task:
        job = f"{array}_{task}"
    return f"slurm {job}{f'.{step}' if step else ''}" if job else None


def _of_torchrun() -> str | None:
    """The agent, which lives on while its workers come and go.

    Its TORCHELASTIC_RUN_ID says nothing: torchrun (of torch 2.13) sets it to ``none`` unless --rdzv-id is given, and
    with --standalone to a new random one.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    agent = os.getppid()
    return f"torchrun {socket.gethostname()}/{agent}/{process_identity(agent) or ''}"
