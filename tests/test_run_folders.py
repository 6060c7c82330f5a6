"""Which runs are in a log root."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from rla_hooks.errors import ConfigError
from rla_hooks.layout import create
from rla_hooks.run_folders import run_names
from rla_hooks.run_name import parse

NOW = datetime(2026, 1, 31, 12, 30, 45, 123456)


def test_names_of_the_first_version_are_read_too(tmp_path):
    """It kept colons, words of Windows and dots at the end: such runs are read, and found by their task."""
    old = "gym:cartpole v1/2026/01/31/12-30-45-123456_10.0.0.1_&device=cuda:0&v=1."
    (tmp_path / "log" / old).mkdir(parents=True)
    (tmp_path / "log" / "aux/2026/01/31/12-30-45-123456_10.0.0.1").mkdir(parents=True)
    new = create(tmp_path, "gym:cartpole v1", {"device": "cuda:0"}, NOW + timedelta(days=1)).name
    assert list(run_names(tmp_path, "gym:cartpole v1")) == [old, new]
    assert [parse(name).record["device"] for name in (old, new)] == ["cuda:0", "cuda:0"]
    assert len(list(run_names(tmp_path, "aux"))) == 1


def test_run_names_are_found_oldest_first(tmp_path):
    """Grouped tasks, RLA's own runs and odd folders beside them."""
    newest = create(tmp_path, "b", {}, NOW + timedelta(days=1)).name
    oldest = create(tmp_path, "b/inner", {}, NOW - timedelta(days=400)).name
    middle = create(tmp_path, "a task", {}, NOW).name
    rla = "a task/2026/02/01/21-13-03-230208 11.0.91.89 &env_id=Test-v1"
    for odd in (rla, "b/2026/01/31/notes", "2026/01/31", "junk"):
        (tmp_path / "log" / odd).mkdir(parents=True)
    (tmp_path / "log" / newest / "2026/01/01/12-30-45-123456_ip").mkdir(parents=True)  # in a run there are no runs
    assert list(run_names(tmp_path)) == [oldest, middle, newest, rla]
    assert list(run_names(tmp_path, "b")) == [oldest, newest]
    assert list(run_names(tmp_path, "b/inner")) == [oldest]
    assert list(run_names(tmp_path, "a task")) == [middle, rla], "RLA's task is not escaped"
    assert list(run_names(tmp_path, "none")) == list(run_names(tmp_path / "none")) == []
    with pytest.raises(ConfigError):
        list(run_names(tmp_path, "../log"))
