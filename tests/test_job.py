"""Which job a process belongs to."""

from __future__ import annotations

import os

import pytest

import rla_hooks as rla
from rla_hooks.core.job import job_identity
from rla_hooks.life import process_identity

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    "variables, identity",
    [
        ({}, None),
        ({"RLA_RUN_ID": " night 1 ", "SLURM_JOB_ID": "7"}, "RLA_RUN_ID night 1"),
        ({"RLA_RUN_ID": " "}, None),
        ({"SLURM_JOB_ID": "7"}, "slurm 7"),
        ({"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}, "slurm 7.0"),
        (
            {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2", "SLURM_STEP_ID": "1"},
            "slurm 7_2.1",
        ),
        ({"SLURM_JOB_ID": "7", "TORCHELASTIC_RUN_ID": "none"}, "slurm 7"),
    ],
)
def test_what_the_environment_says(monkeypatch, variables, identity):
    """The user goes before Slurm, and Slurm before torchrun, which may run in each of its jobs."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert job_identity() == identity


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the start of a process is only known on Linux")
def test_of_torchrun_the_agent_counts(monkeypatch):
    """Its own id is ``none`` for every plain job; its process is one of a kind."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    identity = job_identity()
    assert identity.endswith(f"/{os.getppid()}/{process_identity(os.getppid())}")
    assert os.uname().nodename in identity


def test_a_long_name_is_cut(monkeypatch):
    """It stands in run.json of every run."""
    monkeypatch.setenv("RLA_RUN_ID", "x" * 10_000)
    assert len(job_identity()) < 300


def test_run_json_has_the_job(monkeypatch):
    """The one that the run was started in."""
    monkeypatch.setenv("RLA_RUN_ID", "night")
    with rla.run(task="demo", writers=[], backup="none"):
        pass
    assert rla.runs()[-1].info["job"] == "RLA_RUN_ID night"
