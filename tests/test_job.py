"""Which job a process belongs to."""

from __future__ import annotations

import os

import pytest

import rla_hooks as rla
from rla_hooks.core.job import job_identity, launch_identity
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


ELASTIC = {"MASTER_ADDR": "n1", "MASTER_PORT": "29", "WORLD_SIZE": "4", "TORCHELASTIC_RUN_ID": "none"}
CLUSTER = '{"cluster": {"worker": ["n1:1", "n2:1"]}, "task": {"type": "worker", "index": %d}}'


@pytest.mark.parametrize(
    "one, other",
    [
        (ELASTIC, ELASTIC | {"TORCHELASTIC_RESTART_COUNT": "1"}),
        (ELASTIC, ELASTIC | {"WORLD_SIZE": "2"}),
        (ELASTIC, ELASTIC | {"MASTER_PORT": "30"}),
        ({"SLURM_JOB_ID": "7"}, {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"}),
        ({"SLURM_JOB_ID": "7"} | ELASTIC, {"SLURM_JOB_ID": "7", "TORCHELASTIC_RESTART_COUNT": "1"} | ELASTIC),
        ({"PMIX_NAMESPACE": "prte-1@1"}, {"PMIX_NAMESPACE": "prte-1@2"}),
        ({"TF_CONFIG": CLUSTER % 0}, {"TF_CONFIG": (CLUSTER % 0).replace("n2", "n3")}),
        ({"TF_CONFIG": "{}"}, {"SLURM_JOB_ID": "7"}),
    ],
)
def test_launches_are_told_apart(monkeypatch, one, other):
    """Tries of one job, and trainings beside each other; what differs between ranks of one launch does not count."""

    def identity(variables):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            return launch_identity()

    assert identity(one) != identity(other) and identity(other) is not None
    ranks = {"RANK": "3", "LOCAL_RANK": "1", "SLURM_PROCID": "3"}
    assert identity(one | ranks) == identity(one)
    assert identity({"TF_CONFIG": CLUSTER % 0}) == identity({"TF_CONFIG": CLUSTER % 1})


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": {}}', "3"])
def test_a_strange_cluster_names_no_launch(monkeypatch, text):
    """Other programs use the variable, too."""
    monkeypatch.setenv("TF_CONFIG", text)
    assert launch_identity() is None


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
