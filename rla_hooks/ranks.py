"""Says which process may write to a run: global rank zero, and no forked child.

Launchers say the rank in the environment; the names are those of torchrun, Slurm, Open MPI, MPICH/PMI and jsrun.
TensorFlow's workers have it in TF_CONFIG.
"""

from __future__ import annotations

import json
import os
import time

from rla_hooks.errors import ConfigError
from rla_hooks.locks import in_forked_child

_RANK_VARIABLES = (
    "RLA_RANK",  # the user's word goes before any launcher's
    "RANK",
    "SLURM_PROCID",
    "OMPI_COMM_WORLD_RANK",
    "PMI_RANK",
    "JSM_NAMESPACE_RANK",
    "LOCAL_RANK",  # last: it repeats on every node, but a re-launched script on one node has no other
)

# The process that this module's code runs in. Read on every dump, so a plain global is kept up to date at fork
# instead of a system call each time.
process_id = os.getpid()
BEGUN = time.time()  # when this process began, about


def _after_fork_in_child() -> None:
    global process_id
    process_id = os.getpid()


in_forked_child(_after_fork_in_child)


def global_rank() -> int:
    """Return this process's global rank as RLA_RANK says it, else as its launcher set it, else 0.

    Raises ConfigError if RLA_RANK is no number.
    """
    variable = _variable()
    if variable is not None:
        return int(os.environ[variable])
    return 0 if _is_chief(os.environ.get("TF_CONFIG", "")) else 1


def source() -> str:
    """Return where the rank comes from, for a message: ``SLURM_PROCID=3``, ``TF_CONFIG``."""
    variable = _variable()
    return "TF_CONFIG" if variable is None else f"{variable}={os.environ[variable]}"


def _variable() -> str | None:
    """The name of the environment variable that says the rank."""
    own = os.environ.get("RLA_RANK", "")
    if own and not own.isdecimal():
        raise ConfigError(f"RLA_RANK is {own!r}. Allowed: a whole number; 0 is the rank that records runs.")
    return next((name for name in _RANK_VARIABLES if os.environ.get(name, "").isdecimal()), None)


def _is_chief(tf_config: str) -> bool:
    """Whether this is TensorFlow's chief: the task of that type, or worker 0 in a cluster without one.

    ``{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}``, as in the documentation of
    ``tf.distribute.cluster_resolver.TFConfigClusterResolver``.
    """
    try:
        config = json.loads(tf_config or "{}")
        cluster, task = config.get("cluster") or {}, config.get("task") or {}
        kind, index = task.get("type"), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError):
        return True
    if not cluster or kind in (None, "chief", "master"):
        return True
    return kind == "worker" and index == 0 and not {"chief", "master"} & set(cluster)


def is_writer_rank() -> bool:
    """Whether this process is the one that writes runs."""
    return global_rank() == 0
