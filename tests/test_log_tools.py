"""RLA's tools over many runs: delete, archive, migrate and view."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import testing, upkeep
from rla_hooks.easy_log import const, delete_log_tool, tools
from rla_hooks.easy_log.log_tools import (
    ArchiveLogTool,
    BasicLogTool,
    DeleteLogTool,
    DownloadLogTool,
    Filter,
    MigrateLogTool,
    PrettyPlotterTool,
    ViewLogTool,
)
from rla_hooks.errors import ConfigError, RLAError

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_of_rla"
PARTS = 5  # log, results, checkpoint, code, archive_tester


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """Runs of 1, 50 and 400 time steps, and a line of each in its log.txt."""
    root = tmp_path_factory.mktemp("tools") / "data"
    for steps in (1, 50, 400):
        with rla.run(
            task="t", record=["steps"], log_root=root, writers=["csv", "log"], backup="none", steps=steps
        ) as run:
            run.logger.message(f"run of {steps}")
            rla.log({"loss": 0.5}, step=steps)
            rla.log({"loss": 0.5}, step=0)
    testing.reset()
    return root


@pytest.fixture
def data(tmp_path, three_runs):
    shutil.copytree(three_runs, tmp_path / "data")
    return str(tmp_path / "data")


@pytest.fixture
def steps(data):
    """The runs that are listed, by their steps; of another folder those in there."""
    return lambda *inner: [run.hparams["steps"] for run in rla.runs(Path(data, *inner))]


@pytest.fixture
def few():
    chosen = Filter()
    chosen.config(type=Filter.SMALL_TIMESTEP, timstep_bound=50)
    return chosen


def test_all_that_a_pattern_fits_is_deleted(data, steps):
    """The number is that of the folders, as RLA counted; the second time there is none; undo brings all back."""
    filter = Filter()
    filter.config(type=Filter.ALL, timstep_bound=1)
    tool = DeleteLogTool(proj_root=data, task_table_name="t", regex="2*/*/*/*steps=[14]*", filter=filter)
    assert tool.delete_related_log(skip_ask=True) == 2 * PARTS and steps() == [50]
    assert tool.delete_related_log(skip_ask=True) == 0 and len(upkeep.acts(data)) == 1
    upkeep.undo(data)
    assert steps() == [1, 50, 400]


def test_runs_of_few_steps_are_deleted(data, steps, few):
    """Those up to the bound: by their greatest step, which is not that of their last row."""
    tool = DeleteLogTool(proj_root=data, task_table_name="t", regex="*", filter=few)
    assert tool.delete_small_timestep_log(skip_ask=True) == 2 * PARTS and steps() == [400]
    assert [Path(folder).name for _, folder in tool.small_timestep_regs] == [
        run.name.rpartition("/")[2] for run in rla.runs(Path(data, ".trash", "1"))
    ]
    assert tool.delete_small_timestep_log(skip_ask=True) == 0


def test_the_arguments_of_2020_are_taken(tmp_path, data, steps):
    """The folder sub_proj in the root is the log root."""
    for words, named in (
        ((tmp_path, "data", "t", "*steps=1"), {}),
        ((tmp_path, "data", "t", "2*/*/*/*steps=1"), {}),
        ((), {"proj_root": tmp_path, "sub_proj": "data", "task": "t", "regex": "2*/*/*/*steps=50"}),
    ):
        delete_log_tool.DeleteLogTool(*words, **named).delete_related_log(skip_ask=True)
    assert steps() == [400]
    tool = tools.DeleteLogTool(log_root=tmp_path, sub_proj="data", task="t", regex="2*", config=None)
    assert tool.delete_related_log(skip_ask=True) == PARTS and steps() == []


def test_some_trees_alone_are_deleted(data, steps):
    """What they have of the runs goes to the trash, and the runs stay; undo brings it back."""
    run = rla.runs(data)[0]
    (run.checkpoint_dir / "model.bin").write_bytes(bytes(100))
    tool = DeleteLogTool(data, "t", "*", Filter())
    assert tool.delete_related_log(skip_ask=True, delete_log_types=[const.CHECKPOINT, const.CODE]) == 3 * 2
    assert steps() == [1, 50, 400] and not run.checkpoint_dir.exists() and run.results_dir.exists()
    upkeep.undo(data)
    assert (run.checkpoint_dir / "model.bin").read_bytes() == bytes(100)
    tool.log_types = [const.LOG]
    assert tool.delete_related_log(skip_ask=True) == 3 and steps() == [] and run.checkpoint_dir.exists()
    upkeep.undo(data)
    assert steps() == [1, 50, 400]
    assert tool.delete_related_log(skip_ask=True, delete_log_types=[]) == 0 and steps() == [1, 50, 400]


def test_archived_runs_are_found_where_rla_looked_for_them(data, steps):
    """In arc/ of the log root, which is no folder here; a real one of that name is RLA's own."""
    ArchiveLogTool(proj_root=data, task_table_name="t", regex="2*/*/*/*steps=1*").archive_log(skip_ask=True)
    assert steps() == [50, 400] and steps("archived") == [1]
    of_archived = DeleteLogTool(proj_root=data + "/arc", task_table_name="t", regex="*", filter=Filter())
    assert of_archived.delete_related_log(skip_ask=True) == PARTS and steps("archived") == []
    shutil.copytree(SHIPPED, Path(data, "arc"))
    of_archived.task_table_name = "demo_task"
    assert len(of_archived.runs()) == 3
    assert len(DeleteLogTool(f"{data}/{const.ARCHIVED_TABLE}", "t", "*").runs()) == 0


def test_runs_are_migrated_to_another_task(data, steps):
    """They stand in one place: RLA left a copy in the first one."""
    tool = MigrateLogTool(proj_root=data, task_table_name="t", regex="2*/*/*/*steps=4*", target_task_table_name="t_v2")
    tool.migrate_log(skip_ask=True)
    assert [(run.task, run.hparams["steps"]) for run in rla.runs(data)] == [("t", 1), ("t", 50), ("t_v2", 400)]
    with pytest.raises(ConfigError, match="climbs out of the log root"):
        MigrateLogTool(data, "t", "*", "../elsewhere").migrate_log(skip_ask=True)


def test_what_runs_have_said_is_printed(data, capfd):
    """log.txt of ours, backup.txt of RLA's; texts of files do not control the terminal."""
    with open(rla.runs(data)[0].paths.log_txt, "a") as file:
        file.write("\x1b[2Jevil\n")
    ViewLogTool(proj_root=data, task_table_name="t", regex="*").view_log(skip_ask=True)
    said = capfd.readouterr()
    assert [said.out.count(f"run of {count}\n") for count in (1, 50, 400)] == [1, 1, 1]
    assert r"\x1b[2Jevil" in said.out and "rla: ViewLogTool is the command rla show" in said.err
    shutil.copytree(SHIPPED, "old")
    old = ViewLogTool("old", "demo_task", "2022/03*")
    (old.runs()[0].log_dir / "backup.txt").write_text("all that it has said\n")
    old.view_log(skip_ask=True)
    assert capfd.readouterr().out.endswith("\nall that it has said\n")


def test_a_running_run_is_left(data, steps, capfd):
    """It is listed with the reason, and the others go."""
    with rla.run(task="t", record=["steps"], log_root=data, writers=["csv"], backup="none", steps=9):
        assert DeleteLogTool(data, "t", "*").delete_related_log(skip_ask=True) == 3 * PARTS
        assert steps() == [9] and "is running (process" in capfd.readouterr().out


def test_runs_of_rla_are_deleted_archived_and_migrated(tmp_path):
    """With the trees and the pickle that they have; nobody has written to them for long."""
    root = tmp_path / "old"
    shutil.copytree(SHIPPED, root)
    for path in root.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    assert (
        DeleteLogTool(root, "demo_task", "2022/03/01/21-1*").delete_related_log(skip_ask=True) == 3
    )  # a pickle, 2 logs
    MigrateLogTool(root, "demo_task", "2022/11*", "kept").migrate_log(skip_ask=True)
    ArchiveLogTool(root, "other_task", "*").archive_log(skip_ask=True)
    assert [run.task for run in rla.runs(root)] == ["kept"] and len(rla.runs(root / "archived")) == 1
    for _ in range(3):
        upkeep.undo(root)
    assert sorted(path.relative_to(root) for path in root.rglob("*.csv")) == sorted(
        path.relative_to(SHIPPED) for path in SHIPPED.rglob("*.csv")
    )


@pytest.mark.parametrize(("typed", "left"), [("y\n", 1), ("YES\n", 1), ("n\n", 3), ("\n", 3), ("", 3)])
def test_a_script_asks(data, steps, typed, left):
    """At standard input, as RLA did: whatever is no yes, its end too, changes nothing."""
    script = (
        "from rla_hooks.easy_log.log_tools import DeleteLogTool, Filter\n"
        "print(DeleteLogTool('data', 't', '2*/*/*/*steps=[15]*', Filter()).delete_related_log())\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        input=typed,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(data).parent,
    )
    assert len(steps()) == left and done.stdout.splitlines()[-1] == str((3 - left) * PARTS)
    trees = "log, results, checkpoint, code, archive_tester"
    assert f"2 runs will be deleted ({trees}). Go on? (y/n)" in done.stdout
    assert done.stderr.startswith("rla: DeleteLogTool is rla_hooks.upkeep.delete, or the command rla rm, in rla_hooks.")


def test_nothing_that_fits_is_said(data, capfd):
    """Where it was looked for; nothing is made."""
    assert DeleteLogTool(data, "t", "1999*").delete_small_timestep_log(skip_ask=True) == 0
    assert f"no run fits t/1999* in {data}" in capfd.readouterr().out
    assert not Path(data, ".trash").exists()


def test_mistakes_are_told(data, warnings_as_text):
    """What was given, and what is allowed; a tree of one's own, and a name for the archive, are warnings."""
    with pytest.raises(ConfigError, match=r"(?s)type is 'smal'. Allowed: 'all', 'small_ts'.*timstep_bound is 'x'"):
        Filter().config("smal", "x")
    for words in ((data, "t"), (data,)):
        with pytest.raises(ConfigError, match=r"(pattern|task) is None. Allowed: a text such as"):
            DeleteLogTool(*words).delete_related_log(skip_ask=True)
    with pytest.raises(ConfigError, match="filter is 7"):
        DeleteLogTool(data, "t", "*", 7)
    assert len(DeleteLogTool(data, "t", "*", optional_log_type=["videos"]).runs()) == 3
    assert len(ArchiveLogTool(data, "t", "*", "best").runs()) == 3
    assert [text.partition(".")[0][:60] for text in warnings_as_text] == [
        "optional_log_type has 'videos', which is no tree of a log ro",
        "archive_table_name is 'best': they lie in archived/",
    ]
    warnings_as_text.clear()


def test_what_is_gone_says_what_instead(data, capfd):
    """Downloads; and a page of plots finds the parameter.json that each run has."""
    with pytest.raises(RLAError, match="rla pull ssh://HOST/LOG_ROOT"):
        DownloadLogTool("config.yaml", data, "t", "*")
    PrettyPlotterTool(proj_root=data, task_table_name="t", regex="1999*").gen_json("*")
    assert capfd.readouterr().out == "with a parameter.json: 3 of 3 runs\n"
    PrettyPlotterTool(SHIPPED, "demo_task", "*").gen_json()
    assert capfd.readouterr().out.splitlines()[0] == "with a parameter.json: 1 of 3 runs"


def test_an_index_is_found_in_a_text():
    """The date and the time of a run."""
    assert BasicLogTool().is_valid_index("x/2026/01/31/12-00-00-000000_ip") == "2026/01/31/12-00-00-000000"
    assert BasicLogTool().is_valid_index("2026/01/31") is None
