"""Which process may write: one per run, global rank zero, and never a forked child.

Launchers say the rank in the environment; the names are those of torchrun, Slurm, Open MPI, MPICH/PMI and jsrun.
"""

from __future__ import annotations

import os

_RANK_VARIABLES = (
    "RANK",
    "SLURM_PROCID",
    "OMPI_COMM_WORLD_RANK",
    "PMI_RANK",
    "JSM_NAMESPACE_RANK",
    "LOCAL_RANK",  # last: it repeats on every node, but it is all that a re-launched script on one node has
)

# The process that this module's code runs in. Read on every dump, so a plain global is kept up to date at fork
# instead of a system call each time.
process_id = os.getpid()


def _after_fork_in_child() -> None:
    global process_id
    process_id = os.getpid()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)


def global_rank() -> int:
    """Return this process's global rank as its launcher set it, or 0."""
    for variable in _RANK_VARIABLES:
        value = os.environ.get(variable, "")
        if value.isdecimal():
            return int(value)
    return 0


def may_write() -> bool:
    """Whether this process is the one that writes runs."""
    return global_rank() == 0
