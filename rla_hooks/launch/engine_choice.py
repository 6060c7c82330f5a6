"""Which engine the words of a sweep mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks import machine
from rla_hooks.launch.engines import LOCAL, RAY, SLURM, Engine, FutureEngine, LocalEngine


def engine_of(on: Any, jobs: int | None, divide: bool, folder: Path, cluster: Mapping[str, Any]) -> Engine:
    """Return the engine that ``on`` means, which :func:`problems_of` has nothing against. Raises ConfigError."""
    if on == LOCAL:
        return LocalEngine(_jobs(jobs), divide)
    if on == SLURM:
        from rla_hooks.launch.submitit_engine import SubmititEngine

        options = {key: value for key, value in cluster.items() if key != "cluster"}
        return SubmititEngine(str(cluster.get("cluster", SLURM)), folder, jobs, options)
    if on == RAY:
        from rla_hooks.launch.ray_engine import RayEngine

        return RayEngine(jobs, cluster)
    if jobs is None:
        jobs = getattr(on, "_max_workers", None)  # as many at once as it runs: others wait here, and can be stopped
    return FutureEngine(on, jobs)


def _jobs(jobs: int | None) -> int:
    if jobs is None:
        return 1
    return jobs if jobs > 0 else max(1, int(machine.facts()["usable_cores"] or 1) + 1 + jobs)
