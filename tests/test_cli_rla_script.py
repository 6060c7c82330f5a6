"""``rla rla-script``: the command lines of RLA's scripts."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import testing

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """A run of another task, and two of 1 and 400 time steps, which have said so."""
    root = tmp_path_factory.mktemp("script") / "rla_data"
    for task, steps in (("other", 7), ("t", 1), ("t", 400)):
        with rla.run(
            task=task, record=["steps"], log_root=root, writers=["csv", "log"], backup="none", steps=steps
        ) as run:
            run.logger.message(f"run of {steps}")
            rla.log({"loss": 0.5}, step=steps)
    testing.reset()
    return root


@pytest.fixture
def steps(tmp_path, three_runs):
    """The runs that are listed, by task and steps; of another log root those there."""
    shutil.copytree(three_runs, tmp_path / "rla_data")
    return lambda *inner: [(run.task, run.hparams["steps"]) for run in rla.runs(Path("rla_data", *inner))]


ALL = [("other", 7), ("t", 1), ("t", 400)]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("--task_table_name t --regex 2*", ALL[:1]),
        ("--task_table t --regex 2*/*/*/*steps=4*", ALL[:2]),
        ("--regex t/2* --delete_type all", ALL[:1]),
        ("--task_table_name t --regex 2* --delete_type small_ts", ALL[::2]),
        ("--regex * --delete_type small_ts --timestep_bound 3", ALL[::2]),
        ("--regex * --all", []),
    ],
)
def test_experiments_are_deleted(words, left, steps, command):
    """As rla rm does it, whose name is told; rla undo takes it back."""
    done = command("rla-script", "delete_expt", *words.split(), "--yes")
    assert done.code == 0 and steps() == left and "takes it back" in done.out
    assert done.err.startswith("rla: rla-script delete_expt is rla rm in rla_hooks.") and done.err.count("\n") == 1
    assert command("undo").code == 0 and steps() == ALL


def test_experiments_are_archived_and_migrated(steps, command):
    """In another log root, too; the script of RLA calls the task task_table where it migrates."""
    root = os.path.abspath("rla_data")
    done = command(
        "rla-script", "archive_expt", "--task_table_name", "t", "--regex", "*=1", "--yes", "--log-root", root
    )
    assert done.code == 2 and "no run of the task 't' in" in done.err and "fits '*=1'" in done.err
    done = command("rla-script", "archive_expt", "--task_table_name", "t", "--regex", "2*/*/*/*=1", "--yes")
    assert done.code == 0 and steps() == ALL[::2] and steps("archived") == [("t", 1)]
    words = ["--task_table", "t", "--target_task_table", "best", "--regex", "*", "--yes", "--log-root", root]
    done = command("rla-script", "migrate_expt", *words)
    assert (
        done.code == 0 and ("best", 400) in steps() and done.out.splitlines()[-1].startswith("1 run moved: rla undo 2")
    )
    assert command("rla-script", "migrate_expt", *words, "--json").code == 2


def test_what_experiments_have_said_is_printed(steps, command):
    """Of each run after a question, or as a list of runs; what has come to no time step is left out."""
    words = ["rla-script", "view_expt", "--task_table_name", "t", "--regex", "*"]
    done = command(*words, "--yes")
    assert done.code == 0 and "run of 1\n" in done.out and "run of 400\n" in done.out and "run of 7" not in done.out
    assert [run["hparams"]["steps"] for run in command(*words, "--json").json] == [1, 400]
    assert command(*words, "--dry-run").out.count("\n") == 2


def test_one_is_asked_before(steps, command, monkeypatch):
    """As by rla rm: where nobody can be asked, nothing is done; all runs need --all."""
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        done = command("rla-script", "delete_expt", "--task_table_name", "t", "--regex", "*")
    assert done.code == 2 and "nothing was deleted: standard input is no terminal" in done.err and steps() == ALL
    done = command("rla-script", "delete_expt", "--regex", "*", "--yes")
    assert done.code == 2 and "these are all runs of" in done.err and steps() == ALL
    plan = command("rla-script", "delete_expt", "--regex", "t/*", "--dry-run", "--json").json
    assert [run["status"] for run in plan["runs"]] == ["finished", "finished"] and steps() == ALL


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("delete_expt", "--regex is not given. Allowed: a pattern of folders"),
        ("delete_expt --regex .*", "It is a pattern of folders, as '2026/01/31/12-0*', and no regular expression"),
        ("delete_expt --regex * --delete_type small_ts --timestep_bound 0", "with at most 0 time steps fits '*'"),
        ("delete_expt --regex * --delete_type some", "some"),
        ("delete_expt --regex * --target_task_table x", "is the task to which migrate_expt moves runs. Give it there"),
        ("migrate_expt --regex *", "--target_task_table is the task"),
        ("migrate_expt --regex * --target_task_table ../x", "climbs out of the log root"),
        ("start_pretty_plotter --regex *", "start_pretty_plotter is not in rla_hooks. Use rla plot, rla tb for a page"),
        ("delete_expts --regex *", "delete_expts"),
        ("view_expt --regex ../*", "leads out of the log root"),
        ("view_expt --regex * --log-root none", "there is no folder"),
    ],
)
def test_mistakes_have_exit_code_2(words, said, steps, command):
    """What is wrong and what is allowed; nothing is changed."""
    done = command("rla-script", *words.split(), "--yes")
    assert done.code == 2 and said in " ".join(done.err.split()) and steps() == ALL
