"""Which job this process belongs to: what a cluster or a launcher starts again after a failure.

    RLA_RUN_ID                       whatever the user says
    SLURM_ARRAY_JOB_ID, ..._TASK_ID  the task of an array; else SLURM_JOB_ID. A requeued job keeps its number
    SLURM_STEP_ID                    the step of the job: two steps are two trainings
    torchrun's agent                 the parent of the workers that it starts again: host, process and its start

A run that has failed goes on by itself only in the same job: there somebody asked for a further try.

The launch is what one try of the job shares, and no other one has: by it other ranks know the run that rank zero has
begun. Launchers say the try (torchrun, Slurm), or addresses that no other training of that time has (TF_CONFIG).
"""

from __future__ import annotations

import json
import os
import socket
import zlib

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


def launch_identity() -> str | None:
    """Return a text that all ranks of one training have, but neither its other tries nor other trainings; else None.

    >>> os.environ["TF_CONFIG"] = '{"cluster": {"worker": ["node1:2222", "node2:2222"]}, "task": {"index": 1}}'
    >>> launch_identity()
    'cluster e6328f3a'
    >>> del os.environ["TF_CONFIG"]
    """
    found = []
    if slurm := _of_slurm():
        found.append(f"{slurm} try {os.environ.get('SLURM_RESTART_COUNT') or 0}")
    address, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if address and port and ("TORCHELASTIC_RUN_ID" in os.environ or not slurm):  # else a framework sets them, later
        tries = os.environ.get("TORCHELASTIC_RESTART_COUNT") or 0
        found.append(f"{address}:{port} of {os.environ.get('WORLD_SIZE')} try {tries}")
    if addresses := _addresses(os.environ.get("TF_CONFIG", "")):
        found.append(f"cluster {zlib.crc32(addresses.encode()):08x}")
    if namespace := os.environ.get("PMIX_NAMESPACE"):  # of Open MPI's mpirun
        found.append(f"mpi {namespace}")
    return "; ".join(found)[:_LONGEST] or None


def _addresses(tf_config: str) -> str:
    """The processes of TensorFlow's cluster; empty where there is none."""
    try:
        cluster = json.loads(tf_config or "{}").get("cluster")
    except (ValueError, AttributeError):
        return ""
    return json.dumps(cluster, sort_keys=True) if cluster else ""
