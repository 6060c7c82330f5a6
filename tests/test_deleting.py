"""Runs that are deleted: where they are, what they can be told from, and what is refused before anything is changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.upkeep.deleting import plan_delete

pytestmark = pytest.mark.usefixtures("quiet")


def files_of(root: Path) -> dict[str, bytes]:
    """All files of a log root but the lock of its trash."""
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {path: data for path, data in found.items() if path != ".trash/lock"}


@pytest.fixture
def root(four_runs):
    return four_runs


def seeds(root):
    return [run.hparams["seed"] for run in rla.runs(root)]


def test_deleted_runs_leave_all_trees_and_come_back_as_they_were(root):
    """The trash is a log root by itself; no list has what is in it; undo leaves no trace but its lock."""
    before = files_of(root)
    told = []
    act = upkeep.delete(rla.runs(root, where="seed > 1"), progress=lambda done, total: told.append((done, total)))
    assert (act.number, act.kind, len(act.runs), act.problems, act.undone) == (1, "delete", 2, (), False)
    assert told == [(1, 2), (2, 2)]
    assert seeds(root) == [0, 1] and seeds(root / ".trash" / "1") == [2, 3]
    gone = {path.removeprefix(".trash/1/"): data for path, data in files_of(root).items() if ".trash" in path}
    assert gone.pop("act.json") and {path.split("/")[0] for path in gone} == {
        *("log", "results", "checkpoint", "code", "archive_tester")
    }
    assert (act.files, act.bytes) == (len(gone), sum(map(len, gone.values())))
    assert all(run.metrics()["loss"].size == 1 and not run.hints for run in rla.runs(root / ".trash" / "1"))
    back = upkeep.undo(root)
    assert back.undone and len(back.runs) == 2 and files_of(root) == before
    assert seeds(root) == [0, 1, 2, 3] and os.listdir(root / ".trash") == ["lock"]


def test_what_was_removed_from_the_trash_by_hand_is_told(root):
    """The rest comes back, and no run is said to be whole that is not."""
    runs = rla.runs(root)
    upkeep.delete(runs[:3])
    in_trash = rla.runs(root / ".trash" / "1")
    shutil.rmtree(in_trash[0].checkpoint_dir)
    shutil.rmtree(in_trash[1].log_dir)
    for tree in ("log", "checkpoint", "results", "code", "archive_tester"):
        shutil.rmtree(root / ".trash" / "1" / tree / in_trash[2].name)
    act = upkeep.undo(root)
    without = [f"checkpoint/{runs[0].name} was", f"log/{runs[1].name} was", "all of it was"]
    assert act.problems == tuple(
        f"{run.id} ({run.name}) is not whole: {what} removed from the trash by hand" for run, what in zip(runs, without)
    )
    assert [run.id for run in act.runs] == [run.id for run in runs[:2]] and seeds(root) == [0, 3]
    assert os.listdir(root / ".trash") == ["lock"]


def test_folders_of_dates_and_tasks_that_are_empty_go_and_come_back(root):
    """The trees stay."""
    upkeep.delete(rla.runs(root))
    assert not (root / "log" / "demo").exists() and (root / "log").is_dir()
    assert upkeep.undo(root).runs and (root / "log" / "demo").is_dir()


def test_a_plan_changes_nothing_and_says_what_will_be_done(root):
    """Runs, files, bytes."""
    before = files_of(root)
    plan = plan_delete(rla.runs(root))
    assert files_of(root) == before and not (root / ".trash").exists()
    assert (len(plan.items), plan.files, plan.bytes) == (4, len(before), sum(map(len, before.values())))
    assert plan.refused == ()


def test_code_that_runs_share_counts_once(root):
    """As hard links do on the disk."""
    one, two = rla.runs(root)[:2]
    (two.code_dir / "train.py").unlink()
    os.link(one.code_dir / "train.py", two.code_dir / "train.py")
    both, alone = plan_delete([one, two]), plan_delete([one])
    apart = sum(len(data) for path, data in files_of(root).items() if one.name in path or two.name in path)
    assert both.bytes == apart - len(b"code") and alone.files * 2 == both.files


def test_a_running_run_is_left_alone_unless_that_is_asked_for(root, warnings_as_text):
    """All that is wrong is said at once, before anything is changed."""
    with rla.run(task="demo", log_root=root, writers=["csv"], backup="none", seed=9):
        before = files_of(root)
        with pytest.raises(RLAError, match=r"(?s)1 run cannot be deleted, and nothing was changed:.* is running \(pro"):
            upkeep.delete(rla.runs(root))
        assert files_of(root) == before
        plan = plan_delete(rla.runs(root))
        assert len(plan.items) == 4 and [each.reason[:10] for each in plan.refused] == ["is running"]
        assert len(upkeep.delete(rla.runs(root), running=True).runs) == 5
    assert "run.json could not be written" in warnings_as_text[0]
    warnings_as_text.clear()


def test_what_is_no_run_is_an_error(root, tmp_path):
    """So are no runs, and those of two log roots."""
    with pytest.raises(ConfigError, match="delete got no runs"):
        upkeep.delete([])
    with pytest.raises(ConfigError, match="'nothing' fits no run"):
        upkeep.delete(["nothing"], log_root=root)
    with rla.run(task="demo", log_root=tmp_path / "other", writers=["csv"], backup="none"):
        pass
    with pytest.raises(ConfigError, match="runs of 2 log roots"):
        upkeep.delete([*rla.runs(root), *rla.runs(tmp_path / "other")])


def test_runs_are_given_as_texts_too(root):
    """An id, a part of a name, an open run."""
    (first, *_) = rla.runs(root)
    assert len(upkeep.delete([first.id, "seed=2", first], log_root=root).runs) == 2
    assert seeds(root) == [1, 3]


def test_runs_in_the_trash_are_brought_back_first(root):
    """An act on the trash would hide them from undo."""
    upkeep.delete(rla.runs(root)[0])
    with pytest.raises(ConfigError, match="rla undo"):
        upkeep.delete(rla.runs(root / ".trash" / "1"))


def test_the_journal_names_each_part(root):
    """As docs/layout.md has it."""
    run = rla.runs(root)[0]
    upkeep.delete(run)
    content = json.loads((root / ".trash" / "1" / "act.json").read_text())
    (noted,) = content["runs"]
    assert content["state"] == "done" and content["format"] == 1 and content["kind"] == "delete"
    assert noted["id"] == run.id and [f"log/{run.name}", f".trash/1/log/{run.name}"] == noted["parts"][0]
    assert all((root / target).exists() and not (root / source).exists() for source, target in noted["parts"])
