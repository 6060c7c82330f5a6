"""Roots that the original RLA wrote: acts on their runs, which have no run.json, and trees that only RLA has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_of_rla"
BLANK = "demo_task/2022/03/01/21-13-03-230208 10.0.0.7 &env_id=Test-v1&learning_rate=0.0001"
LONG_AGO = 1_600_000_000


@pytest.fixture
def root(tmp_path):
    """An old root whose runs have all trees of RLA's later versions, too; nobody has written to it for years."""
    made = tmp_path / "root"
    shutil.copytree(SHIPPED, made)
    for run in rla.runs(made):
        for tree, file in (("tmp_data", "buffer.npy"), ("hyperparameter", "parameter.json"), ("code", "main.py")):
            (made / tree / run.name).mkdir(parents=True)
            (made / tree / run.name / file).write_text("{}")
        (made / "results" / run.name / "imgs").mkdir(parents=True)
        (made / "results" / run.name / "imgs" / "0-y.png").write_bytes(b"")
    for path in made.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return made


def files_of(root: Path) -> dict[str, tuple[bytes, int]]:
    """The files of a log root with their times, but for the lock of its trash."""
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return {name: (path.read_bytes(), path.stat().st_mtime_ns) for name, path in found.items() if name != ".trash/lock"}


def trees_of(files, start=""):
    """The trees that have files of the run with blanks in its name."""
    return {name.removeprefix(start).partition("/")[0] for name in files if name.startswith(start) and BLANK in name}


ALL = {"log", "results", "code", "archive_tester", "tmp_data", "hyperparameter"}


@pytest.mark.parametrize(("act", "place"), [(upkeep.delete, ".trash/1/"), (upkeep.archive, "archived/")])
def test_a_run_of_rla_goes_with_all_its_trees_and_comes_back(root, act, place):
    """With the pickle beside, the blanks in its name, and the times of its files."""
    before = files_of(root)
    assert trees_of(before) == ALL
    done = act([run for run in rla.runs(root) if run.name == BLANK])
    assert [run.name for run in done.runs] == [BLANK] and done.problems == ()
    gone = files_of(root)
    assert trees_of(gone, place) == ALL and trees_of(gone) == {place.partition("/")[0]}
    assert BLANK not in [run.name for run in rla.runs(root)]
    assert [run.hparams["input_size"] for run in rla.runs(root / place)] == [16]
    upkeep.undo(root)
    assert files_of(root) == before


def test_a_run_of_rla_gets_another_task_and_other_pairs(root):
    """All trees get the new name; nothing is written into them, and undo brings the old name back."""
    before = files_of(root)
    upkeep.move([run for run in rla.runs(root) if run.name == BLANK], "paper/first")
    moved = rla.runs(root, task="paper/first")[0]
    assert moved.name.endswith("/21-13-03-230208 10.0.0.7 &env_id=Test-v1&learning_rate=0.0001")
    assert {
        tree for tree in ALL if moved.name in "".join(name for name in files_of(root) if name.startswith(tree))
    } == ALL
    upkeep.rename(moved, {"info": "best"})
    renamed = rla.runs(root, task="paper/first")[0]
    assert renamed.record["info"] == "best" and renamed.hparams["input_size"] == 16
    here = {name: each for name, each in files_of(root).items() if not name.startswith(".trash")}
    assert sorted(here.values()) == sorted(before.values())
    upkeep.undo(root)
    upkeep.undo(root)
    assert files_of(root) == before


def test_an_archived_run_of_rla_is_restored_with_all_trees(root):
    """By rla archive --restore, without the journal of the act that has archived it."""
    before = files_of(root)
    upkeep.archive([run for run in rla.runs(root) if run.name == BLANK])
    shutil.rmtree(root / ".trash")
    upkeep.restore(rla.runs(root / "archived"), log_root=root)
    assert {name: each for name, each in files_of(root).items() if ".trash" not in name} == before


def test_the_trees_of_rla_are_counted_and_no_garbage(root):
    """They belong to their runs; those of a run whose log folder is gone are orphans, as in all trees."""
    usage = upkeep.disk_usage(log_root=root)
    assert usage.trees["tmp_data"].files == usage.trees["hyperparameter"].files == 4 and not usage.orphans
    assert upkeep.collect_garbage(log_root=root, age=0).act is None
    shutil.rmtree(root / "log" / BLANK)
    assert {each.path.relative_to(root).parts[0] for each in upkeep.disk_usage(log_root=root).orphans} == ALL - {"log"}


def test_a_path_in_a_tree_of_rla_names_its_run(root):
    """As one in log/ does."""
    act = upkeep.delete(root / "tmp_data" / BLANK / "buffer.npy")
    assert [run.name for run in act.runs] == [BLANK]


def test_a_run_of_rla_that_was_just_written_to_is_left_alone(root):
    """It may be running: nobody knows its process."""
    os.utime(root / "log" / BLANK / "progress.csv")
    with pytest.raises(rla.RLAError, match="may be running: its files were written to less than 10 minutes ago"):
        upkeep.delete([run for run in rla.runs(root) if run.name == BLANK])
