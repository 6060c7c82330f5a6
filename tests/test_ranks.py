"""One process of a launch writes."""

from __future__ import annotations

import json
import os

import pytest

from rla_hooks import ranks
from rla_hooks.errors import ConfigError

VARIABLES = ["RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "JSM_NAMESPACE_RANK", "LOCAL_RANK"]
WORKERS = {"worker": ["a:1", "b:1"]}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for variable in [*VARIABLES, "RLA_RANK", "TF_CONFIG"]:
        monkeypatch.delenv(variable, raising=False)


def test_a_process_without_a_launcher_writes():
    """Rank zero is the default."""
    assert ranks.global_rank() == 0 and ranks.is_writer_rank()


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_rank_is_read_from_every_launcher(monkeypatch, variable):
    """Rank zero writes, the others do not."""
    monkeypatch.setenv(variable, "3")
    assert ranks.global_rank() == 3 and not ranks.is_writer_rank()
    monkeypatch.setenv(variable, "0")
    assert ranks.is_writer_rank()


@pytest.mark.parametrize("odd", ["", "-1", "x", "1.5", "²", "none"])
def test_a_rank_that_is_no_number_is_passed_over(monkeypatch, odd):
    """The next launcher's is taken."""
    monkeypatch.setenv("RANK", odd)
    assert ranks.global_rank() == 0
    monkeypatch.setenv("SLURM_PROCID", "2")
    assert ranks.global_rank() == 2


def test_the_users_word_goes_before_every_launcher(monkeypatch):
    """RLA_RANK=0 makes tasks of one srun independent; what is no number is told, and where a rank comes from."""
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert ranks.source() == "SLURM_PROCID=3"
    monkeypatch.setenv("RLA_RANK", "0")
    assert ranks.global_rank() == 0 and ranks.source() == "RLA_RANK=0"
    monkeypatch.setenv("RLA_RANK", "zero")
    with pytest.raises(ConfigError, match=r"RLA_RANK is 'zero'. Allowed: a whole number"):
        ranks.global_rank()


def test_the_global_rank_goes_before_the_local_one(monkeypatch):
    """The first process of the second node has local rank zero and does not write."""
    monkeypatch.setenv("RANK", "4")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert ranks.global_rank() == 4


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "writes"),
    [
        (WORKERS, "worker", 0, True),
        (WORKERS, "worker", 1, False),
        (WORKERS | {"chief": ["c:1"]}, "chief", 0, True),
        (WORKERS | {"chief": ["c:1"]}, "worker", 0, False),
        (WORKERS | {"ps": ["c:1"]}, "ps", 0, False),
        (WORKERS, "evaluator", 0, False),
        ({}, "worker", 1, True),
    ],
)
def test_of_tensorflows_workers_the_chief_writes(monkeypatch, cluster, kind, index, writes):
    """TF_CONFIG says which task this process is; worker 0 is the chief where there is no task of that type."""
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
    assert ranks.is_writer_rank() is writes


@pytest.mark.parametrize("odd", ["", "{", "[]", '{"cluster": 3}', '{"cluster": {}, "task": {"index": "x"}}'])
def test_a_tf_config_that_says_nothing_is_passed_over(monkeypatch, odd):
    """Then the process is on its own."""
    monkeypatch.setenv("TF_CONFIG", odd)
    assert ranks.is_writer_rank()


def test_a_forked_child_knows_that_it_is_another_process(forked):
    """Without asking the system each time."""

    def check():
        assert ranks.process_id == os.getpid()

    check()
    assert forked(check).ended() == 0
