"""The run that a script of RLA names by its task and its date, in new and old log roots."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rla_hooks.errors import RLAError, RunError
from rla_hooks.query.dated import run_at

ROOT_OF_RLA = Path(__file__).parent / "data" / "root_of_rla"


@pytest.fixture
def root(tmp_path):
    """A log root with two runs of one second, one of which has an archived Tester only."""
    for clock, folder in (("12-00-00-000001", "log/t"), ("12-00-00-000002", "archive_tester/t")):
        (tmp_path / folder / "2026" / "01" / "31" / f"{clock}_ip_&a=1").mkdir(parents=True)
    return tmp_path


def test_a_run_is_found_by_its_date(root):
    """By its whole date, by a beginning that fits one run only, and by more of its name."""
    names = {}
    for text in ("12-00-00-000001", "12-00-00-000002", "12-00-00-000002_ip"):
        paths = run_at(f"2026/01/31/{text}", "t", root)
        names[text] = paths.name
        assert paths.log_root == root
    assert names["12-00-00-000001"] == "t/2026/01/31/12-00-00-000001_ip_&a=1"
    assert names["12-00-00-000002"] == names["12-00-00-000002_ip"] == "t/2026/01/31/12-00-00-000002_ip_&a=1"
    shutil.rmtree(root / "archive_tester")
    assert run_at("/2026/01/31/12-00/ ", "t", str(root)).name == names["12-00-00-000001"]


@pytest.mark.parametrize("place", ["", "archive_tester"])
def test_runs_of_the_original_rla_are_found(place):
    """With blanks in their names, also where only the pickle is left, and by the folder that its first version gave."""
    for date, task in (("2022/03/01/21-13-03-230208", "demo_task"), ("2023/02/02/13-27-13-132216", "other_task")):
        assert run_at(date, task, ROOT_OF_RLA / place).name.startswith(f"{task}/{date}")


def test_what_fits_no_run_or_several_is_told_with_what_is_near(root):
    """The message names the dates before and after, the tasks that there are, or that it is no log root."""
    with pytest.raises(RunError, match=r"^2 runs.*Near it: 2026/01/31/12-00-00-000001, 2026/01/31/12-00-00-000002"):
        run_at("2026/01/31/12-00-00", "t", root)
    with pytest.raises(RunError, match=r"^no run of task 't'.*Near it: 2026/01/31/12-00-00-000001\. Give"):
        run_at("2026/02/01/12-00-00-000001", "t", root)
    with pytest.raises(RunError, match=r"none at all\. Its tasks: demo_task, other_task\. Did you mean 'demo_task'"):
        run_at("2022/03/01/21-13-03-230208", "demo_tsk", ROOT_OF_RLA)
    with pytest.raises(RunError, match="no folder log/ in it"):
        run_at("2026/01/31/12-00-00-000002", "t", root / "nowhere")
    with pytest.raises(RunError, match=r"'2026' is no date"):
        run_at("2026", "t", root)
    with pytest.raises(RLAError):
        run_at("2026/01/31/12-00-00-000002", "../t", root)
